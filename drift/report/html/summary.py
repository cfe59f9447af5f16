"""The top of the page, for whoever was woken up: the verdict, what could not be looked at, what to do."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from drift.model import SEVERITY_RANK, ClusterInfo, Report, Severity, Status, Verdict
from drift.report.html.markup import name, shown
from drift.report.view import hints, plural, sentence, summary, what_to_do

_TITLE: Final = {Verdict.IN_SYNC: "In sync", Verdict.DRIFTED: "Drifted", Verdict.INCOMPLETE: "Incomplete"}
_MOST_SENTENCES: Final = 50
_MOST_NAMES: Final = 5
_HASH: Final = 12


def title(report: Report) -> str:
    """The title of the window: the verdict first, since a tab shows little else."""
    clusters = ", ".join(_clusters(report))
    return shown(f"{_TITLE[report.verdict]}: drift" + (f" of {clusters}" if clusters else ""))


def verdict(report: Report) -> str:
    """The verdict, how bad what was found is, and what was compared when."""
    counts = summary(report).partition(": ")[2]
    return f"""\
<h1 class="{report.verdict}">{_TITLE[report.verdict]}</h1>
<p class="summary">{counts or "no object was looked at"}</p>
{_severities(report)}<dl class="facts">
{"".join(f"<div><dt>{term}</dt><dd>{fact}</dd></div>{chr(10)}" for term, fact in _facts(report))}</dl>
"""


def not_checked(report: Report) -> str:
    """What makes the scan incomplete, loudly; "" where all could be looked at."""
    if report.verdict is not Verdict.INCOMPLETE:
        return ""
    objects = sum(item.status is Status.UNCHECKED and not item.is_skipped for item in report.objects)
    said = [f"<li>{plural(objects, 'object')} could not be checked; see the findings</li>\n"] if objects else []
    return (
        '<section class="alert" aria-labelledby="not-checked">\n<h2 id="not-checked">This scan is incomplete</h2>\n'
        "<p>What could not be read may have drifted all the same.</p>\n"
        f"<ul>\n{''.join(said)}{_items(report.errors)}</ul>\n</section>\n"
    )


def next_steps(report: Report) -> str:
    """What to do about what was found, and about how much of it; "" where there is nothing to be done."""
    found = Counter(what_to_do(finding) for item in report.objects for finding in item.findings)
    lines = "".join(f'<li><b class="count">{found[hint]}</b> {hint}</li>\n' for hint in hints(report))
    if not lines:
        return ""
    heading = '<h2 id="to-do">What to do</h2>'
    return f'<section aria-labelledby="to-do">\n{heading}\n<ul class="to-do">\n{lines}</ul>\n</section>\n'


def notes(report: Report) -> str:
    """What else is to be known of the scan; "" where there is nothing."""
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
        yield "cluster" if len(clusters) == 1 else "clusters", _some([_cluster(cluster) for cluster in clusters])
    yield "manifests", _some([f"<code>{name(path)}</code>" for path in report.manifests.paths])
    if report.manifests.git_commit:
        dirty = " with uncommitted changes" if report.manifests.git_dirty else ""
        yield "Git", f"<code>{name(report.manifests.git_commit[:_HASH])}</code>{dirty}"
    yield "scanned", f"<time>{name(report.generated_at)}</time>"
    if report.duration_seconds is not None:
        requests = "" if report.api_requests is None else f", {plural(report.api_requests, 'request')}"
        yield "took", f"{report.duration_seconds:.1f} s{requests}"


def _clusters(report: Report) -> list[str]:
    clusters = report.clusters or ((report.cluster,) if report.cluster else ())
    return [(cluster.context or cluster.server)[: _HASH * 4] for cluster in clusters[:_MOST_NAMES]]


def _cluster(cluster: ClusterInfo) -> str:
    server = f"{name(cluster.server)}, {name(cluster.version)}"
    return server if cluster.context is None else f"<b>{name(cluster.context)}</b> ({server})"


def _some(marked_up: Sequence[str]) -> str:
    more = len(marked_up) - _MOST_NAMES
    return ", ".join(marked_up[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _items(sentences: Sequence[str]) -> str:
    lines = "".join(f"<li>{shown(sentence(said))}</li>\n" for said in sentences[:_MOST_SENTENCES])
    more = len(sentences) - _MOST_SENTENCES
    return f"{lines}<li>{more} more not listed here</li>\n" if more > 0 else lines
