"""The formats of reports and messages, and how a report is rendered in one of them.

Each format is imported when it is rendered, so that the command line starts fast.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, assert_never

from drift.model import Report

if TYPE_CHECKING:
    from drift.report.selection import Filters

#: GitHub limits a comment to this many characters. drift counts bytes, which are never fewer.
COMMENT_LIMIT: Final = 65_536
#: Bytes that Markdown needs for its head and for the lines that count what is left out.
SMALLEST_LIMIT: Final = 4096


class Format(StrEnum):
    """A report format."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    METRICS = "metrics"


class MessageFormat(StrEnum):
    """The format of a notification, as its receiver expects it."""

    JSON = "json"
    SLACK = "slack"
    TEAMS = "teams"


@dataclass(frozen=True, slots=True)
class Style:
    """The user's options for how a report looks.

    Attributes:
        color: Whether text has ANSI colours.
        width: Columns to fold text at; None does not fold.
        verbose: Whether text lists ignored findings, and differences that are not reported.
        markdown_limit: The maximum size of Markdown, in bytes.
        filters: What text, Markdown and HTML show; None shows everything.
        height: Lines of the terminal, on which the worst of a longer text comes last; None for a file or a pipe.
        saved: The file of the JSON report, which the commands in a report name; None if it is not known.
    """

    color: bool = False
    width: int | None = None
    verbose: bool = False
    markdown_limit: int = COMMENT_LIMIT
    filters: "Filters | None" = None
    height: int | None = None
    saved: str | None = None


def render(report: Report, form: Format, style: Style) -> str:
    """Returns the report in a format, ending in a newline."""
    from drift.report.selection import NO_FILTERS  # noqa: PLC0415

    filters = style.filters or NO_FILTERS
    # Each format imports its own libraries, and few runs need more than one format.
    match form:
        case Format.TEXT:
            from drift.report.text import to_text  # noqa: PLC0415

            text = to_text(
                report,
                color=style.color,
                width=style.width,
                verbose=style.verbose,
                filters=filters,
                height=style.height,
                saved=style.saved,
            )
        case Format.JSON:
            from drift.report.json_report import to_json  # noqa: PLC0415

            text = to_json(report, style.saved)
        case Format.MARKDOWN:
            from drift.report.markdown import to_markdown  # noqa: PLC0415

            text = to_markdown(report, style.markdown_limit, filters=filters, saved=style.saved)
        case Format.HTML:
            from drift.report.html.page import to_html  # noqa: PLC0415

            text = to_html(report, saved=style.saved, filters=filters)
        case Format.JUNIT:
            from drift.report.junit import to_junit  # noqa: PLC0415

            text = to_junit(report)
        case Format.SARIF:
            from drift.report.sarif import to_sarif  # noqa: PLC0415

            text = to_sarif(report)
        case Format.GITHUB:
            from drift.report.github import to_annotations  # noqa: PLC0415

            text = to_annotations(report)
        case Format.METRICS:
            from drift.report.metrics import to_metrics  # noqa: PLC0415

            text = to_metrics(report)
        case _:
            assert_never(form)
    return text
