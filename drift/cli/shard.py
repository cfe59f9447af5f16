"""Which part of the work is ours: by the flag, or by what Kubernetes tells the pods of an Indexed Job."""

import os
import re
import sys
from typing import Final

from drift.errors import UsageError
from drift.model import Shard

_INDEX: Final = "JOB_COMPLETION_INDEX"
_COUNT: Final = "JOB_COMPLETIONS"
#: More workers than any cluster has namespaces; no honest number has more digits.
_FLAG: Final = re.compile(r"(\d{1,6})/(\d{1,6})", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,6}", re.ASCII)


def chosen_shard(flag: str | None, *, quiet: bool) -> Shard | None:
    """The shard to scan; None for all in one piece.

    What the environment decides is said on standard error, since nobody typed it.

    Args:
        flag: ``I/N``, counted from 1; None where it was not given.
        quiet: Whether to say nothing.

    Raises:
        UsageError: The flag or the environment names no shard.
    """
    if flag is not None:
        parts = _FLAG.fullmatch(flag)
        shard = None if parts is None else _checked(int(parts[1]), int(parts[2]))
        if shard is None:
            raise UsageError(f"--shard {flag}: is no I/N with I from 1 to N, for instance 1/4")
        return _unless_whole(shard)
    index, count = os.environ.get(_INDEX), os.environ.get(_COUNT)
    if index is None or count is None:
        return None
    numbers = _NUMBER.fullmatch(index) and _NUMBER.fullmatch(count)
    # Kubernetes counts the pods of an Indexed Job from 0.
    shard = _checked(int(index) + 1, int(count)) if numbers else None
    if shard is None:
        raise UsageError(f"{_INDEX}={index} with {_COUNT}={count}: is no index from 0 below a number of completions")
    if not quiet:
        sys.stderr.write(f"drift: scanning {shard}, by {_INDEX}={index} and {_COUNT}={count}\n")
    return _unless_whole(shard)


def _checked(index: int, count: int) -> Shard | None:
    return Shard(index, count) if 1 <= index <= count else None


def _unless_whole(shard: Shard) -> Shard | None:
    return shard if shard.count > 1 else None
