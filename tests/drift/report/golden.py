"""The golden reports. ``python -m tests.drift.report.golden`` rewrites them; review the difference before a commit."""

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from drift import __version__
from drift.model import Report
from drift.report.formats import Format, Style, render
from drift.report.html.page import asset
from tests.drift.report.reports import EMPTY, HOSTILE, INCIDENT, RICH

CASES: Final[Mapping[str, Report]] = {"rich": RICH, "hostile": HOSTILE, "empty": EMPTY}
#: Of 300 findings, only these formats are short enough to be read.
FILES: Final = (
    *((case, form) for case in CASES for form in Format),
    *(("incident", form) for form in Format if form not in {Format.JSON, Format.JUNIT, Format.SARIF}),
)


def golden_file(case: str, form: Format) -> Path:
    return Path(__file__).with_name("golden") / f"{case}.{form}"


def rendered(case: str, form: Format) -> str:
    """Returns the content of a golden file: without drift's version, and without the page's style and script."""
    text = render({**CASES, "incident": INCIDENT}[case], form, Style()).replace(__version__, "VERSION")
    if form is Format.HTML:
        for file in ("page.css", "page.js"):
            text = text.replace(asset(file), f"({file})")
        text = re.sub(r"sha256-[\w+/=]+", "(digest)", text)
        if case == "incident":
            return _words_of_list(text)
    return text


def _words_of_list(page: str) -> str:
    """Returns what a page lists, a line for each item of a list: the markup of 300 findings is too long to be read."""
    lines = page.partition('<div id="list">')[2].partition("</main>")[0].split("<li")
    words = (" ".join(html.unescape(re.sub(r"<[^>]*>", " ", f"<li{line}")).split()) for line in lines[1:])
    return "\n".join(words) + "\n"


if __name__ == "__main__":
    for one_case, one_form in FILES:
        golden_file(one_case, one_form).write_text(rendered(one_case, one_form), "utf-8", newline="")
