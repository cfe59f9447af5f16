"""The trend from the history: open findings in each of the latest scans, as a chart and as a table."""

from collections.abc import Sequence
from typing import Final

from drift.model import PastScan
from drift.report.html.markup import escaped_name
from drift.report.view import age, plural

#: More bars would be too narrow to see.
_MAX_SCANS: Final = 60
#: Units of the chart's own coordinates; the page scales it.
_STEP: Final = 10
_BAR: Final = 8
_HEIGHT: Final = 100


def trend_figure(past: Sequence[PastScan], now: str) -> str:
    """Returns a figure with the latest scans, or "" without a history.

    Args:
        past: The scans, oldest first.
        now: The time of the report, for ages.
    """
    if not past:
        return ""
    scans = past[-_MAX_SCANS:]
    maximum = max(scan.open for scan in scans)
    bars = "".join(_bar(number, scan, maximum) for number, scan in enumerate(scans))
    return f"""\
<figure class="trend">
<figcaption><h2>Open findings</h2>{_caption(scans, maximum)}</figcaption>
<svg viewBox="0 0 {len(scans) * _STEP} {_HEIGHT}" preserveAspectRatio="none" role="img" \
aria-labelledby="trend-title trend-text">
<title id="trend-title">Open findings in {plural(len(scans), "scan")}</title>
<desc id="trend-text">{_description(scans, maximum)}</desc>
{bars}
</svg>
<p class="axis"><span>{_ago(scans[0], now)}</span><span class="key key-old">open before</span>\
<span class="key key-new">new</span><span class="key key-partial">incomplete scan</span><span>now</span></p>
{_table(scans, len(past))}
</figure>
"""


def _bar(number: int, scan: PastScan, maximum: int) -> str:
    height = _HEIGHT * scan.open / maximum if maximum else 0
    new = height * min(scan.new, scan.open) / scan.open if scan.open else 0
    x = number * _STEP + (_STEP - _BAR) / 2
    rectangles = [
        ("back", 0.0, float(_HEIGHT)),
        ("new", _HEIGHT - height, new),
        ("old", _HEIGHT - height + new, height - new),
    ]
    if not scan.complete:
        rectangles.append(("partial", 0.0, float(_HEIGHT)))
    elements = "".join(
        f'<rect class="{kind}" x="{x:g}" y="{y:.1f}" width="{_BAR}" height="{size:.1f}"/>'
        for kind, y, size in rectangles
        if size > 0
    )
    return f"<g><title>{_scan_text(scan)}</title>{elements}</g>"


def _caption(scans: Sequence[PastScan], maximum: int) -> str:
    last = scans[-1]
    return f"<p><b>{last.open}</b> now, {last.new} new, {last.resolved} resolved; {maximum} at most</p>"


def _description(scans: Sequence[PastScan], maximum: int) -> str:
    partial = sum(not scan.complete for scan in scans)
    return (
        f"From {escaped_name(scans[0].at)} to {escaped_name(scans[-1].at)}: {scans[0].open} at first, "
        f"{maximum} at most, {scans[-1].open} now. {plural(partial, 'scan')} incomplete."
    )


def _scan_text(scan: PastScan) -> str:
    partial = "" if scan.complete else ", incomplete"
    return f"{escaped_name(scan.at)}: {scan.open} open, {scan.new} new, {scan.resolved} resolved{partial}"


def _ago(scan: PastScan, now: str) -> str:
    ago = age(scan.at, now)
    return escaped_name(scan.at) if ago is None else f"{ago} ago"


def _table(scans: Sequence[PastScan], total: int) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escaped_name(scan.at)}</th><td>{scan.open}</td><td>{scan.new}</td>'
        f"<td>{scan.resolved}</td><td>{'yes' if scan.complete else 'no'}</td></tr>\n"
        for scan in reversed(scans)
    )
    left_out = f"<p>The latest {len(scans)} of {total} scans.</p>\n" if total > len(scans) else ""
    return f"""\
<details class="quiet"><summary>As a table</summary>
{left_out}<table><thead><tr><th scope="col">Scan</th><th scope="col">Open</th><th scope="col">New</th>\
<th scope="col">Resolved</th><th scope="col">Complete</th></tr></thead><tbody>
{rows}</tbody></table></details>"""
