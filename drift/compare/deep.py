"""DeepDiff, configured for trees whose lists are already aligned by key."""

from collections.abc import Iterator
from typing import Any

from deepdiff import DeepDiff
from deepdiff.operator import BaseOperator

from drift.compare.atomic import AtomicValue
from drift.model import Incomparable, Object
from drift.redaction import Redacted


class _Leaves(BaseOperator):
    """Makes DeepDiff compare some values as a whole.

    It includes strings: DeepDiff would compute a line diff of them, which takes seconds for large ones.
    """

    def __init__(self) -> None:
        super().__init__(types=[AtomicValue, Redacted, Incomparable, str])

    def match(self, level: Any) -> bool:
        leaves = AtomicValue | Redacted | Incomparable | str
        return isinstance(level.t1, leaves) and isinstance(level.t2, leaves)

    def give_up_diffing(self, level: Any, diff_instance: Any) -> bool:
        if type(level.t1) is not type(level.t2) or level.t1 != level.t2:
            diff_instance._report_result("values_changed", level)  # noqa: SLF001
        return True


def deep_diff(desired: Object, live: Object) -> Iterator[tuple[str, Any]]:
    """Yields DeepDiff's name for each kind of difference, with its DeepDiff levels.

    Args:
        desired: The projected tree of the manifest.
        live: The projected tree of the live object.
    """
    result = DeepDiff(
        *_differing(desired, live),
        view="tree",
        custom_operators=[_Leaves()],
        # The defaults of these two hide keys that begin with two underscores, and report two maps that share few keys
        # as one changed value.
        ignore_private_variables=False,
        threshold_to_diff_deeper=0,
    )
    return iter(result.items())


def _differing(desired: Object, live: Object) -> tuple[Object, Object]:
    """Returns both trees without the parts that are the same object in both: DeepDiff takes time for each part."""
    left: Object = {}
    right = {name: value for name, value in live.items() if name not in desired}
    for name, value in desired.items():
        if name not in live:
            left[name] = value
        elif (other := live[name]) is not value:
            is_inner = isinstance(value, dict) and isinstance(other, dict) and type(value) is type(other)
            left[name], right[name] = _differing(value, other) if is_inner else (value, other)
    return left, right
