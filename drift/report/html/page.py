"""The page: template, style, script and data in one file, with a policy that lets it load nothing else."""

import base64
import hashlib
from importlib import resources
from string import Template
from typing import Final

from drift import __version__
from drift.model import Report, Verdict
from drift.report.html.data import listed_objects, page_data
from drift.report.html.listing import listing
from drift.report.html.markup import escaped, script_data
from drift.report.html.resolved import resolved_section
from drift.report.html.summary import next_steps, not_checked, notes, title, verdict
from drift.report.html.trend import trend_figure

#: The tab's icon has the colour of the verdict.
_ICON_COLOR: Final = {Verdict.IN_SYNC: "1f8a4c", Verdict.DRIFTED: "c77700", Verdict.INCOMPLETE: "c4281c"}


def to_html(report: Report) -> str:
    """Returns the report as one HTML file.

    Raises:
        TypeError: The report holds a redacted value, which is a bug in drift.
    """
    style, script = asset("page.css"), asset("page.js")
    return Template(asset("page.html")).substitute(
        policy=_policy(style, script),
        title=title(report),
        icon_color=_ICON_COLOR[report.verdict],
        style=style,
        verdict=verdict(report),
        trend=trend_figure(report.past, report.generated_at),
        not_checked=not_checked(report),
        next_steps=next_steps(report),
        resolved=resolved_section(report.resolved, report.generated_at),
        notes=notes(report),
        listing=listing(listed_objects(report)),
        version=escaped(__version__),
        data=script_data(page_data(report)),
        script=script,
    )


def asset(file: str) -> str:
    """Returns the content of a file of this package."""
    return resources.files(__package__).joinpath(file).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Returns a Content Security Policy that allows only the page's own style and script, and no requests."""
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
