"""Applies the user's severity rules and ignore rules to a report."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from drift.config.settings import IgnoreRule, Settings
from drift.model import Finding, IgnoredBy, ObjectKey, ObjectReport, Report, Status
from drift.policy.cross_check import cross_check
from drift.policy.severity import SeverityTable, default_table


def apply_policy(report: Report, settings: Settings) -> Report:
    """Returns the report after the user's settings are applied.

    Ignored findings stay in the report. Notes name the rules that expired or matched nothing. In the report of a shard,
    rules that matched nothing go to ``unused_rules``, because they may match in another shard.

    Args:
        report: The result of the scan. Its time decides which rules have expired.
        settings: The user's settings.
    """
    today = datetime.fromisoformat(report.generated_at).date()
    expired = [rule for rule in settings.ignore if rule.expires is not None and rule.expires < today]
    policy = _Policy(settings, [rule for rule in settings.ignore if rule not in expired])
    objects = tuple(policy.apply(item) for item in report.objects)
    notes = [f"{rule} expired on {rule.expires}" for rule in expired]
    unused = [f"{rule} matched no finding; remove it if it is no longer needed" for rule in policy.unused()]
    if report.shard is not None:
        return replace(report, objects=objects, notes=(*report.notes, *notes), unused_rules=tuple(unused))
    notes += cross_check(report.sources, objects)
    return replace(report, objects=objects, notes=(*report.notes, *notes, *unused))


class _Policy:
    def __init__(self, settings: Settings, rules: Sequence[IgnoreRule]) -> None:
        self._table: SeverityTable | None = None
        if settings.severity:
            self._table = replace(default_table(), first=settings.severity)
        self._rules = rules
        self._used: set[int] = set()

    def apply(self, item: ObjectReport) -> ObjectReport:
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
        # All of them count as used, not only the first one, which ignores the finding.
        self._used.update(rule.number for rule in covering)
        if not covering or finding.ignored is not None:
            return finding
        return replace(finding, ignored=IgnoredBy(str(covering[0]), covering[0].reason))
