"""Selects findings of a saved report by id or by object."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drift.errors import SavedReportError, UsageError
from drift.model import Cause, Finding, ObjectReport, Report, Verdict


@dataclass(frozen=True, slots=True)
class Selected:
    """A finding and its object."""

    item: ObjectReport
    finding: Finding

    def __str__(self) -> str:
        """Returns the object and the path, as messages name them."""
        where = f"{self.item.namespace}/" if self.item.namespace else ""
        return f"{self.item.kind} {where}{self.item.name} {self.finding.path}".rstrip()


@dataclass(frozen=True, slots=True)
class Refused:
    """A finding for which nothing is done.

    Attributes:
        selected: The finding.
        reason: Why, and what to do instead, as a sentence without a full stop.
    """

    selected: Selected
    reason: str

    def __str__(self) -> str:
        return f"{self.selected}: {self.reason}"


def select(report: Report, names: Sequence[str]) -> tuple[Selected, ...]:
    """Returns the findings that count as drift, or those of them that the user names.

    Args:
        report: The report.
        names: Ids of findings, ``KIND/NAME`` or ``NAMESPACE/KIND/NAME``; all findings if empty.

    Raises:
        SavedReportError: The report is incomplete, or covers several clusters.
        UsageError: A name matches no finding.
    """
    if report.verdict is Verdict.INCOMPLETE:
        raise SavedReportError(
            "the report is incomplete, so it does not say what Git and the cluster hold; "
            "fix what `drift report` could not read, and make the report again"
        )
    if report.clusters:
        raise SavedReportError("the report covers several clusters; use the report of one cluster")
    found = tuple(_drift(report))
    for name in names:
        if not any(_matches(selected, name) for selected in found):
            raise UsageError(f"{name}: the report has no drift with this id or object (an id, or KIND/NAME)")
    return tuple(one for one in found if not names or any(_matches(one, name) for name in names))


def select_to_fix(report: Report, names: Sequence[str]) -> tuple[Selected, ...]:
    """Returns the findings that the user names, or all that do not wait for a sync.

    Arguments and errors as in `select`.
    """
    return tuple(one for one in select(report, names) if names or one.finding.cause is not Cause.PENDING_SYNC)


def _drift(report: Report) -> Iterator[Selected]:
    for item in report.objects:
        yield from (Selected(item, finding) for finding in item.findings if finding.is_drift)


def _matches(selected: Selected, name: str) -> bool:
    item = selected.item
    wanted = name.lower().split("/")
    return name == selected.finding.id or wanted in (
        [item.kind.lower(), item.name],
        [item.namespace or "", item.kind.lower(), item.name],
    )
