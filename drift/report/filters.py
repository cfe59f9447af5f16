"""What text, Markdown and HTML show of a report: `--severity`, `--limit`, `--kind`, `--cause` and `--only-namespace`.

The verdict and its numbers are always of everything, and so are all other formats.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from drift.counts import plural
from drift.globs import Glob
from drift.model import SEVERITY_RANK, Cause, Finding, ObjectReport, Report, Severity
from drift.report.view import finding_order, visible, worst_first
from drift.spelling import closest, suggestion


@dataclass(frozen=True, slots=True)
class Filters:
    """What the user wants to see; a filter that is empty or None hides nothing.

    Attributes:
        severity: The lowest severity.
        limit: The number of findings, the worst ones.
        kinds: Kinds as in a manifest; upper and lower case make no difference.
        causes: Causes of findings.
        namespaces: Namespaces; an empty one is that of cluster-scoped objects.
    """

    severity: Severity | None = None
    limit: int | None = None
    kinds: tuple[Glob, ...] = ()
    causes: tuple[Cause, ...] = ()
    namespaces: tuple[Glob, ...] = ()

    @property
    def with_controllers(self) -> bool:
        """Whether the user asks for what controllers changed, which is never drift."""
        return self.severity is Severity.INFO or Cause.CONTROLLER in self.causes

    def _flags(self) -> Iterator[str]:
        """Yields the flags in use."""
        yield from ("--severity",) if self.severity is not None else ()
        yield from ("--kind",) if self.kinds else ()
        yield from ("--cause",) if self.causes else ()
        yield from ("--only-namespace",) if self.namespaces else ()
        yield from ("--limit",) if self.limit is not None else ()

    def _has(self, item: ObjectReport) -> bool:
        kind, namespace = item.kind.casefold(), item.namespace or ""
        return (not self.kinds or any(glob.matches(kind) for glob in self.kinds)) and (
            not self.namespaces or any(glob.matches(namespace) for glob in self.namespaces)
        )

    def _has_finding(self, finding: Finding) -> bool:
        return (not self.causes or finding.cause in self.causes) and (
            self.severity is None or SEVERITY_RANK[finding.severity] <= SEVERITY_RANK[self.severity]
        )

    def apply(self, report: Report) -> tuple[Sequence[ObjectReport], str | None]:
        """Returns the objects to show, worst first, with the findings to show; and what is hidden, or None.

        Objects without findings, such as unchecked ones, have neither severity nor cause and do not count as findings.
        """
        kept: list[ObjectReport] = []
        shown = hidden = hidden_objects = 0
        for item in sorted(report.objects, key=worst_first):
            findings = [one for one in sorted(item.findings, key=finding_order) if self._has_finding(one)]
            findings = findings if self._has(item) else []
            if self.limit is not None:
                findings = findings[: max(self.limit - shown, 0)]
            shown += len(findings)
            hidden += sum(one.is_drift for one in item.findings) - sum(one.is_drift for one in findings)
            if findings or (not item.findings and self._has(item)):
                kept.append(replace(item, findings=tuple(findings)))
            elif not item.findings and item.is_noteworthy:
                hidden_objects += 1
        counts = [
            *([plural(hidden, "finding")] if hidden else []),
            *([f"{plural(hidden_objects, 'object')} without findings"] if hidden_objects else []),
        ]
        counted = [f"{' and '.join(counts)} not shown ({', '.join(self._flags())})"] if counts else []
        return kept, "; ".join([*counted, *self._without_objects(report)]) or None

    def _without_objects(self, report: Report) -> Iterator[str]:
        """Yields the filters that match no object: they may be mistyped."""
        kinds, namespaces = {item.kind for item in report.objects}, {item.namespace or "" for item in report.objects}
        for flag, globs, known, names in (
            ("--kind", self.kinds, kinds, {kind.casefold() for kind in kinds}),
            ("--only-namespace", self.namespaces, namespaces, namespaces),
        ):
            for glob in globs:
                if not any(map(glob.matches, names)):
                    yield visible(f"{flag} {glob.text} matches no object{suggestion(closest(glob.text, known))}")


#: Shows everything.
NO_FILTERS = Filters()
