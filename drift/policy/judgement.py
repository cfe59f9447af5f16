"""The user's policy over a finished comparison: their severities, and what they ignore. A pure function of a report."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from drift.config.settings import IgnoreRule, Settings
from drift.model import Finding, IgnoredBy, ObjectKey, ObjectReport, Report, Status
from drift.policy.severity import SeverityTable, default_table


def apply_policy(report: Report, settings: Settings) -> Report:
    """The report as the user's settings would have it.

    Ignored findings keep their place. Rules that are over, or that covered nothing, are named in the notes; whether
    a rule covers nothing is known of a shard only when all are together, so there it is kept beside them.

    Args:
        report: As it was compared. Its own time decides which rules are over.
        settings: The user's.
    """
    today = datetime.fromisoformat(report.generated_at).date()
    expired = [rule for rule in settings.ignore if rule.expires is not None and rule.expires < today]
    judge = _Judge(settings, [rule for rule in settings.ignore if rule not in expired])
    objects = tuple(judge.judge(item) for item in report.objects)
    notes = [f"{rule} is over since {rule.expires} and does not count any more" for rule in expired]
    unused = [f"{rule} covers nothing that was found; remove it if it has done its work" for rule in judge.unused()]
    if report.shard is not None:
        return replace(report, objects=objects, notes=(*report.notes, *notes), unused_rules=tuple(unused))
    return replace(report, objects=objects, notes=(*report.notes, *notes, *unused))


class _Judge:
    def __init__(self, settings: Settings, rules: Sequence[IgnoreRule]) -> None:
        self._table: SeverityTable | None = None
        if settings.severity:
            self._table = replace(default_table(), first=settings.severity)
        self._rules = rules
        self._used: set[int] = set()

    def judge(self, item: ObjectReport) -> ObjectReport:
        findings = tuple(self._finding(item.key, finding) for finding in item.findings)
        if findings == item.findings:
            return item
        status = item.status
        if status is Status.DRIFTED and not any(finding.is_drift for finding in findings):
            status = Status.IN_SYNC
        return replace(item, findings=findings, status=status)

    def unused(self) -> list[IgnoreRule]:
        return [rule for rule in self._rules if rule.number not in self._used]

    def _finding(self, key: ObjectKey, finding: Finding) -> Finding:
        if self._table is not None:
            finding = replace(finding, severity=self._table.of_finding(key, finding))
        covering = [rule for rule in self._rules if rule.covers(key, finding)]
        # A rule that others make superfluous still covers something: only one that covers nothing is reported.
        self._used.update(rule.number for rule in covering)
        if not covering or finding.ignored is not None:
            return finding
        return replace(finding, ignored=IgnoredBy(str(covering[0]), covering[0].reason))
