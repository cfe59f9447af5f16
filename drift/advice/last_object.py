"""Keeps what was found out about the findings of one object, which are asked about one after the other."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from drift.model import Finding

_Result = TypeVar("_Result")


def once_per_object(
    compute: Callable[[Sequence[Finding]], _Result],
) -> Callable[[Sequence[Finding]], _Result]:
    """Returns a function of all findings of an object that computes the result again only for another object.

    Without it, what to do about each of the findings would take a pass over all of them.
    """
    last: tuple[Sequence[Finding], _Result] | None = None

    def remembered(findings: Sequence[Finding]) -> _Result:
        nonlocal last
        known = last
        if known is None or known[0] is not findings:
            known = last = findings, compute(findings)
        return known[1]

    return remembered
