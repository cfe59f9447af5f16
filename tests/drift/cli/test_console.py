"""The progress bar: on a terminal, on standard error, after a second, and removed before the report."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.drift.cli.terminal import Terminal, on_terminal

# The bar appears after a second.
pytestmark = pytest.mark.slow

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"
SHOW_CURSOR, HIDE_CURSOR, CLEAR_LINE = "\x1b[?25h", "\x1b[?25l", "\x1b[2K"
#: Each step lasts until the test types a line, so nothing depends on how fast the screen is drawn.
STEPS = """
import sys
from drift.cli.console import Progress
from drift.scanning import ScanStep

with Progress("reading manifests") as progress:
    progress.observe(ScanStep("deployments.apps\\x1b[2J", 100, 20000))
    sys.stdin.readline()
    progress.observe(ScanStep("deployments.apps\\x1b[2J", 12300, 20000))
    sys.stdin.readline()
    progress.observe(ScanStep("secrets", 0, None))
    sys.stdin.readline()
    if sys.argv[1] == "fail":
        raise KeyboardInterrupt
print("the report")
"""


@pytest.fixture
def live(tmp_path: Path) -> str:
    file = tmp_path / "live.yaml"
    file.write_text(CONFIG_MAP)
    return str(file)


def finish(terminal: Terminal, manifests: str = CONFIG_MAP) -> str:
    """Types the manifests that the program waits for, and returns what the terminal shows after that."""
    before = len(terminal.seen)
    terminal.type(f"{manifests}\x04")
    terminal.wait()
    return terminal.seen[before:]


def report(*flags: str) -> list[str]:
    return [sys.executable, "-m", "drift", "report", "-", *flags]


def test_the_bar_is_removed_before_the_report(live: str) -> None:
    with on_terminal(report("--live", live), cwd=Path.cwd()) as terminal:
        terminal.expect("reading manifests")
        rest = finish(terminal)

    assert HIDE_CURSOR in terminal.seen
    left = rest.rpartition(CLEAR_LINE)[2]
    assert SHOW_CURSOR in rest
    assert "reading manifests" not in left
    assert left.endswith("in sync: 1 object checked\x1b[0m\r\n")


@pytest.mark.parametrize(("flags", "env"), [(["--quiet"], {}), ([], {"TERM": "dumb"})])
def test_there_is_no_bar_with_quiet_or_on_a_dumb_terminal(live: str, flags: list[str], env: dict[str, str]) -> None:
    with on_terminal([*report("--live", live), *flags], cwd=Path.cwd(), env=env) as terminal:
        with pytest.raises(subprocess.TimeoutExpired):
            terminal.process.wait(2)
        finish(terminal)

    assert "reading" not in terminal.seen
    assert "\x1b" not in terminal.seen.replace("\x1b[1;32m", "").replace("\x1b[2m", "").replace("\x1b[0m", "")


def test_there_is_no_bar_in_a_pipe(live: str) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(report("--live", live), stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        out, err = process.communicate(CONFIG_MAP)

    assert out.endswith("in sync: 1 object checked\n")
    assert err == ""


def test_a_redirected_report_has_no_bar_in_it(live: str, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        command = report("--live", live, "--output", "json")
        with on_terminal(command, cwd=Path.cwd(), stdout=out.fileno()) as terminal:
            terminal.expect("reading manifests")
            finish(terminal)

    assert (tmp_path / "out").read_text().startswith("{\n")


def test_the_bar_shows_what_is_read_and_how_much() -> None:
    with on_terminal([sys.executable, "-c", STEPS, "end"], cwd=Path.cwd()) as terminal:
        for shown in ("comparing deployments.apps\\x1b[2J", "12300/20000", "unmanaged objects: secrets"):
            terminal.expect(shown)
            terminal.type("\n")
        assert terminal.wait() == 0

    assert terminal.seen.rpartition(CLEAR_LINE)[2].endswith("the report\r\n")


def test_an_interrupt_restores_the_terminal() -> None:
    with on_terminal([sys.executable, "-c", STEPS, "fail"], cwd=Path.cwd()) as terminal:
        terminal.expect(HIDE_CURSOR)
        terminal.type("\n\n\n")
        terminal.wait()

    assert terminal.seen.rindex(SHOW_CURSOR) > terminal.seen.rindex(HIDE_CURSOR)
    assert "secrets" not in terminal.seen.rpartition(CLEAR_LINE)[2]


def test_a_short_scan_does_not_load_the_progress_library(live: str) -> None:
    code = (
        "import sys\nfrom drift.cli import main\n"
        f"main(['report', {live!r}, '--live', {live!r}, '--output', 'json'])\n"
        "print([name for name in ('rich.progress', 'rich.live', 'shtab') if name in sys.modules], file=sys.stderr)"
    )

    with on_terminal([sys.executable, "-c", code], cwd=Path.cwd()) as terminal:
        terminal.wait()

    assert terminal.seen.endswith("[]\r\n")
