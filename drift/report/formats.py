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
        width: Columns to fold text at; None does not fold, for a pipe.
        verbose: Whether text lists ignored findings, differences that are not reported, and all commands.
        markdown_limit: The maximum size of Markdown in bytes of UTF-8, at least `SMALLEST_LIMIT`.
        filters: What text, Markdown and HTML list; None for everything.
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


DEFAULT_STYLE: Final = Style()


def render(report: Report, form: Format, style: Style) -> str:  # noqa: PLR0911 - one for each format
    """Returns the report in a format, ending in a newline."""
    match form:
        case Format.TEXT:
            from drift.report.text import to_text  # noqa: PLC0415

            return to_text(report, style)
        case Format.JSON:
            from drift.report.json_report import to_json  # noqa: PLC0415

            return to_json(report, style.saved)
        case Format.MARKDOWN:
            from drift.report.markdown import to_markdown  # noqa: PLC0415

            return to_markdown(report, style)
        case Format.HTML:
            from drift.report.html.page import to_html  # noqa: PLC0415

            return to_html(report, style)
        case Format.JUNIT:
            from drift.report.junit import to_junit  # noqa: PLC0415

            return to_junit(report)
        case Format.SARIF:
            from drift.report.sarif import to_sarif  # noqa: PLC0415

            return to_sarif(report)
        case Format.GITHUB:
            from drift.report.github import to_annotations  # noqa: PLC0415

            return to_annotations(report)
        case Format.METRICS:
            from drift.report.metrics import to_metrics  # noqa: PLC0415

            return to_metrics(report)
        case _:
            assert_never(form)
