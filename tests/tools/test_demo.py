"""``make demo`` prints the report that the README shows."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_tutorial import settled

pytestmark = pytest.mark.sandbox

REPOSITORY = Path(__file__).parents[2]
BEGIN, END = "$ drift report dist/prod\n", "exit status 1\n"


def last_report(text: str) -> str:
    return text.rpartition(BEGIN)[2].partition(END)[0]


def test_the_demo_writes_what_the_readme_shows() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    shown = "".join(line.removeprefix("    ") for line in readme.splitlines(keepends=True))

    done = subprocess.run(
        [sys.executable, "-m", "tools.demo"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "in sync: 14 objects checked" in done.stdout
    assert settled(last_report(done.stdout)) == settled(last_report(shown))
