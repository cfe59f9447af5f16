"""The top of the page, for an on-call engineer: the verdict, what could not be checked, what to do."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from drift.model import SEVERITY_RANK, ClusterInfo, Report, Severity, Status, Verdict
from drift.report.html.markup import escaped, escaped_name, with_code
from drift.report.view import hint_for, hints, plural, sentence, summary

_TITLE: Final = {Verdict.IN_SYNC: "In sync", Verdict.DRIFTED: "Drifted", Verdict.INCOMPLETE: "Incomplete"}
_MAX_SENTENCES: Final = 50
_MAX_NAMES: Final = 5
#: Characters of a commit and of a cluster in the title.
_MAX_COMMIT: Final = 12
_MAX_CLUSTER: Final = 48


def title(report: Report) -> str:
    """Returns the page's title: the verdict first, because a tab shows little else."""
    clusters = ", ".join(_clusters(report))
    return escaped(f"{_TITLE[report.verdict]}: drift" + (f" in {clusters}" if clusters else ""))


def verdict(report: Report) -> str:
    """Returns the verdict, the findings by severity, and what was compared and when."""
    counts = summary(report).partition(": ")[2]
    return f"""\
<h1 class="{report.verdict}">{_TITLE[report.verdict]}</h1>
<p class="summary">{counts or "no objects"}</p>
{_severities(report)}<dl class="facts">
{"".join(f"<div><dt>{term}</dt><dd>{fact}</dd></div>{chr(10)}" for term, fact in _facts(report))}</dl>
"""


def not_checked(report: Report) -> str:
    """Returns an alert with what makes the scan incomplete, or "" if it is complete."""
    if report.verdict is not Verdict.INCOMPLETE:
        return ""
    objects = sum(item.status is Status.UNCHECKED and not item.is_skipped for item in report.objects)
    unchecked = [f"<li>{plural(objects, 'object')} could not be checked; see the list below</li>\n"] if objects else []
    return (
        '<section class="alert" aria-labelledby="not-checked">\n<h2 id="not-checked">This scan is incomplete</h2>\n'
        "<p>drift could not read everything. What it could not read may have drifted too.</p>\n"
        f"<ul>\n{''.join(unchecked)}{_items(report.problems)}</ul>\n</section>\n"
    )


def next_steps(report: Report) -> str:
    """Returns what to do, each with the number of findings, or "" if there is no drift."""
    found = Counter(hint_for(finding) for item in report.objects for finding in item.findings)
    lines = "".join(
        f'<li><b class="count">{found[hint]}</b> <span>{with_code(hint)}</span></li>\n' for hint in hints(report)
    )
    if not lines:
        return ""
    heading = '<h2 id="to-do">What to do</h2>'
    return f'<section aria-labelledby="to-do">\n{heading}\n<ul class="to-do">\n{lines}</ul>\n</section>\n'


def notes(report: Report) -> str:
    """Returns the notes on the scan, or "" if there are none."""
    if not report.notes:
        return ""
    return (
        '<section aria-labelledby="notes"><details class="quiet"><summary>'
        f'<h2 id="notes">{plural(len(report.notes), "note")} on this scan</h2></summary>\n'
        f"<ul>\n{_items(report.notes)}</ul>\n</details></section>\n"
    )


def _severities(report: Report) -> str:
    found = Counter(finding.severity for item in report.objects for finding in item.findings if finding.is_drift)
    if not found:
        return ""
    chips = "".join(
        f'<li><span class="chip s{SEVERITY_RANK[severity]}">{found[severity]} {severity}</span></li>'
        for severity in Severity
        if found[severity]
    )
    return f'<ul class="severities" aria-label="Findings by severity">{chips}</ul>\n'


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    clusters = report.clusters or ((report.cluster,) if report.cluster else ())
    if clusters:
        yield "cluster" if len(clusters) == 1 else "clusters", _joined([_cluster(cluster) for cluster in clusters])
    yield "manifests", _joined([f"<code>{escaped_name(path)}</code>" for path in report.manifests.paths])
    if report.manifests.git_commit:
        dirty = " with uncommitted changes" if report.manifests.git_dirty else ""
        yield "Git", f"<code>{escaped_name(report.manifests.git_commit[:_MAX_COMMIT])}</code>{dirty}"
    yield "scanned", f"<time>{escaped_name(report.generated_at)}</time>"
    if report.duration_seconds is not None:
        requests = "" if report.api_requests is None else f", {plural(report.api_requests, 'request')}"
        yield "took", f"{report.duration_seconds:.1f} s{requests}"


def _clusters(report: Report) -> list[str]:
    clusters = report.clusters or ((report.cluster,) if report.cluster else ())
    return [(cluster.context or cluster.server)[:_MAX_CLUSTER] for cluster in clusters[:_MAX_NAMES]]


def _cluster(cluster: ClusterInfo) -> str:
    server = f"{escaped_name(cluster.server)}, {escaped_name(cluster.version)}"
    return server if cluster.context is None else f"<b>{escaped_name(cluster.context)}</b> ({server})"


def _joined(elements: Sequence[str]) -> str:
    more = len(elements) - _MAX_NAMES
    return ", ".join(elements[:_MAX_NAMES]) + (f" and {more} more" if more > 0 else "")


def _items(sentences: Sequence[str]) -> str:
    lines = "".join(f"<li>{escaped(sentence(text))}</li>\n" for text in sentences[:_MAX_SENTENCES])
    more = len(sentences) - _MAX_SENTENCES
    return f"{lines}<li>{more} more not listed here</li>\n" if more > 0 else lines
