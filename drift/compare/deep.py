"""DeepDiff, configured for trees whose lists are already aligned by key."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, Final, TypeVar

from drift.compare.atomic import AtomicValue
from drift.imports import import_partly
from drift.objects import Incomparable, Json
from drift.redaction import Redacted

# Without pydantic, whose models it can compare, and asyncio, DeepDiff loads in a quarter of the time.
import_partly(lambda: import_module("deepdiff"), unused=("pydantic.main", "asyncio"))
from deepdiff import DeepDiff  # noqa: E402
from deepdiff.operator import BaseOperator  # noqa: E402

_Key = TypeVar("_Key")


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
            diff_instance.custom_report_result("values_changed", level)
        return True


_LEAVES: Final = _Leaves()


def deep_diff(desired: Mapping[_Key, Json], live: Mapping[_Key, Json]) -> Iterator[tuple[str, _Key, Json, Json]]:
    """Yields each difference: DeepDiff's name for its kind, its key, and both values.

    Args:
        desired: The parts of the projected manifest that may differ, by any key. The mapping is flat, because DeepDiff
            takes time for each level.
        live: The corresponding parts of the live object.
    """
    result = DeepDiff(
        desired,
        live,
        view="tree",
        custom_operators=[_LEAVES],
        # The defaults of these two hide keys that begin with two underscores, and report two maps that share few keys
        # as one changed value.
        ignore_private_variables=False,
        threshold_to_diff_deeper=0,
        # By default, each call asks the system for the number of its processors.
        multiprocessing_workers=1,
    )
    for kind, levels in result.items():
        for level in levels:
            (key,) = level.path(output_format="list")
            yield kind, key, level.t1, level.t2
