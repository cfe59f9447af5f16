"""A report in the format that was asked for."""

from dataclasses import dataclass
from typing import assert_never

from drift.model import Report
from drift.report.formats import COMMENT_LIMIT, Format


@dataclass(frozen=True, slots=True)
class Style:
    """What the user may say about how a report looks.

    Attributes:
        color: Whether text has ANSI colours.
        width: Columns of text; None leaves lines as long as they are.
        verbose: Whether text also says what is not reported.
        markdown_limit: How long Markdown may be, in bytes.
    """

    color: bool = False
    width: int | None = None
    verbose: bool = False
    markdown_limit: int = COMMENT_LIMIT


def render(report: Report, form: Format, style: Style) -> str:
    """The report as text, ending in a newline."""
    # Each format brings its own libraries, and hardly anybody wants them all.
    match form:
        case Format.TEXT:
            from drift.report.text import to_text  # noqa: PLC0415

            text = to_text(report, color=style.color, width=style.width, verbose=style.verbose)
        case Format.JSON:
            from drift.report.json_report import to_json  # noqa: PLC0415

            text = to_json(report)
        case Format.MARKDOWN:
            from drift.report.markdown import to_markdown  # noqa: PLC0415

            text = to_markdown(report, style.markdown_limit)
        case Format.HTML:
            from drift.report.html.page import to_html  # noqa: PLC0415

            text = to_html(report)
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
