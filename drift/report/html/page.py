"""The whole page: its template, its style and its script in one file that a browser lets load nothing else."""

import base64
import hashlib
from importlib import resources
from string import Template
from typing import Final

from drift import __version__
from drift.model import Report, Verdict
from drift.report.html.data import listed, page_data
from drift.report.html.listing import listing
from drift.report.html.markup import script_data, shown
from drift.report.html.resolved import resolved_section
from drift.report.html.summary import next_steps, not_checked, notes, title, verdict
from drift.report.html.trend import timeline

#: The picture in a browser's tab has the verdict's colour.
_ICON_COLOR: Final = {Verdict.IN_SYNC: "1f8a4c", Verdict.DRIFTED: "c77700", Verdict.INCOMPLETE: "c4281c"}


def to_html(report: Report) -> str:
    """The report as one HTML file.

    Raises:
        TypeError: A value that must not be shown has come this far, which is a bug of ours.
    """
    style, script = asset("page.css"), asset("page.js")
    return Template(asset("page.html")).substitute(
        policy=_policy(style, script),
        title=title(report),
        icon_color=_ICON_COLOR[report.verdict],
        style=style,
        verdict=verdict(report),
        timeline=timeline(report.past, report.generated_at),
        not_checked=not_checked(report),
        what_to_do=next_steps(report),
        resolved=resolved_section(report.resolved, report.generated_at),
        notes=notes(report),
        listing=listing(listed(report)),
        version=shown(__version__),
        data=script_data(page_data(report)),
        script=script,
    )


def asset(file: str) -> str:
    """A file of this package."""
    return resources.files(__package__).joinpath(file).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """A Content Security Policy under which the page's own style and script run, no other, and nothing is fetched."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        ]
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
