"""The troubleshooting page quotes messages exactly, so that a search for a message finds it."""

import re
from pathlib import Path

import pytest

from drift.cli import main
from drift.kube.limits import REQUEST_SECONDS, RESPONSE_BYTES, SCAN_SECONDS
from drift.model import NOT_SEARCHED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/troubleshooting.md").read_text()
#: The code, with string literals of several lines joined.
CODE = re.sub(r'"\s*f?"', "", "".join(file.read_text() for file in sorted((ROOT / "drift").rglob("*.py")))).replace(
    "{NOT_SEARCHED}", NOT_SEARCHED
)
#: Messages of the operating system or a library.
OTHERS = {"No space left on device", "Read-only file system", "Permission denied", "Recursion limit reached"}
#: Placeholders for a name, a number or the rest of a sentence.
VARIABLE = re.compile(r"\.\.\.|'|\d+\w*|[()]|: |configmaps in shop")
SYMPTOMS = sorted(
    {
        quoted
        for row in re.findall(r"^\| (.*?[^\\]) \|", PAGE, re.MULTILINE)
        for quoted in re.findall("`([^`]+)`", row)
        if " " in quoted
    }
)


@pytest.mark.parametrize("symptom", SYMPTOMS)
def test_every_symptom_is_in_the_words_of_the_code(symptom: str) -> None:
    parts = {part.strip(" ,:;") for part in VARIABLE.split(symptom)}

    assert {part for part in parts - OTHERS if len(part) > 3 and part not in CODE} == set()


def test_the_page_and_the_help_say_what_the_limits_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    text = " ".join(capsys.readouterr().out.split())

    for flag, seconds, written in (
        ("--request-timeout", REQUEST_SECONDS, "60s"),
        ("--deadline", SCAN_SECONDS, "10m"),
    ):
        assert seconds == {"60s": 60, "10m": 600}[written]
        assert re.search(rf"^\| `{flag}` \|.*\| {written} \|$", PAGE, re.MULTILINE)
        assert re.search(rf"{flag} DURATION [^-]*\(default: {written}\)", text)
    assert f"larger than {RESPONSE_BYTES // 1024 // 1024} MiB" in PAGE
