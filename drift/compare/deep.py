"""DeepDiff, set up for trees that are aligned by key already."""

from collections.abc import Iterator
from typing import Any

from deepdiff import DeepDiff
from deepdiff.operator import BaseOperator

from drift.compare.atomic import AtomicValue
from drift.model import Object
from drift.redaction import Redacted


class _Leaves(BaseOperator):
    """Keeps DeepDiff from looking into values that are compared as a whole.

    For texts it would otherwise compute a line diff of its own, which costs seconds for large ones.
    """

    def __init__(self) -> None:
        super().__init__(types=[AtomicValue, Redacted, str])

    def match(self, level: Any) -> bool:
        leaves = AtomicValue | Redacted | str
        return isinstance(level.t1, leaves) and isinstance(level.t2, leaves)

    def give_up_diffing(self, level: Any, diff_instance: Any) -> bool:
        if type(level.t1) is not type(level.t2) or level.t1 != level.t2:
            diff_instance._report_result("values_changed", level)  # noqa: SLF001
        return True


def deep_diff(desired: Object, live: Object) -> Iterator[tuple[str, Any]]:
    """The differences of two trees: by DeepDiff's name for their kind, its levels.

    Args:
        desired: A projected tree.
        live: Another one.
    """
    result = DeepDiff(
        desired,
        live,
        view="tree",
        custom_operators=[_Leaves()],
        # Left at their defaults, these would hide keys that begin with two underscores, and report two maps that
        # share few keys as one changed value.
        ignore_private_variables=False,
        threshold_to_diff_deeper=0,
    )
    return iter(result.items())
