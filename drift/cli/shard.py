"""Chooses the shard to scan: from ``--shard``, or from the variables of the pods of an Indexed Job."""

import os
import re
import sys
from typing import Final

from drift.errors import UsageError
from drift.model import Shard

_INDEX: Final = "JOB_COMPLETION_INDEX"
_COUNT: Final = "JOB_COMPLETIONS"
#: Six digits are more shards than any cluster has namespaces.
_FLAG: Final = re.compile(r"(\d{1,6})/(\d{1,6})", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,6}", re.ASCII)


def chosen_shard(flag: str | None, *, quiet: bool) -> Shard | None:
    """Returns the shard to scan, or None to scan everything.

    Prints a message if the shard comes from the environment, since the user may not know of it. The flag is ``I/N``
    with I counted from 1.

    Raises:
        UsageError: The flag or the environment does not name a shard.
    """
    if flag is not None:
        parts = _FLAG.fullmatch(flag)
        shard = None if parts is None else _checked(int(parts[1]), int(parts[2]))
        if shard is None:
            raise UsageError(f"--shard {flag}: must be I/N with 1 <= I <= N, for example 1/4")
        return _unless_whole(shard)
    index, count = os.environ.get(_INDEX), os.environ.get(_COUNT)
    if index is None or count is None:
        return None
    numbers = _NUMBER.fullmatch(index) and _NUMBER.fullmatch(count)
    # Kubernetes counts the pods of an Indexed Job from 0.
    shard = _checked(int(index) + 1, int(count)) if numbers else None
    if shard is None:
        raise UsageError(f"{_INDEX}={index} with {_COUNT}={count}: must be numbers with 0 <= {_INDEX} < {_COUNT}")
    if not quiet:
        sys.stderr.write(f"drift: scanning {shard}, from {_INDEX}={index} and {_COUNT}={count}\n")
    return _unless_whole(shard)


def _checked(index: int, count: int) -> Shard | None:
    return Shard(index, count) if 1 <= index <= count else None


def _unless_whole(shard: Shard) -> Shard | None:
    return shard if shard.count > 1 else None
