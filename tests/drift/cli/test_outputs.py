"""Reports are written completely or not at all, and a failure is one line."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drift.cli import main

ROOT = Path(__file__).parents[3]
MANIFEST = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "b"}}


@pytest.fixture
def comparison(tmp_path: Path) -> list[str]:
    """The arguments of a comparison with a dump that finds drift."""
    manifest, dump = tmp_path / "manifest.json", tmp_path / "dump.json"
    manifest.write_text(json.dumps({**MANIFEST, "data": {"key": "value"}}))
    dump.write_text(json.dumps({**MANIFEST, "data": {"key": "other"}}))
    return ["report", str(manifest), "--live", str(dump)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "reports"
    made.mkdir()
    return made


@pytest.fixture
def disk(folder: Path) -> Iterator[Path]:
    """A small file system."""
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "drift", str(folder)],  # noqa: S607
        check=False,
        capture_output=True,
    ).returncode:
        pytest.skip("no right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def _run(arguments: list[str], **options: object) -> "subprocess.CompletedProcess[str]":
    # Does not write .pyc files: with a limit on file sizes they would be truncated, and break later runs.
    command = [sys.executable, "-B", "-m", "drift", *arguments]
    return subprocess.run(command, check=False, text=True, cwd=ROOT, **options)  # type: ignore[call-overload, no-any-return]


def _only(folder: Path, content: str = "old") -> None:
    """Checks that the folder has the old report and nothing else."""
    (file,) = folder.iterdir()
    assert (file.name, file.read_text()) == ("report.json", content)


def test_a_full_disk_leaves_the_old_report(comparison: list[str], disk: Path, stderr: Callable[[], str]) -> None:
    (disk / "report.json").write_text("old")
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(bytes(1024 * 1024))

    assert main([*comparison, "--quiet", "--output", f"json={disk}/report.json"]) == 2

    filler.unlink()
    _only(disk)
    assert stderr() == f"drift: --output json={disk}/report.json: cannot be written: No space left on device\n"


def test_a_read_only_folder_leaves_the_old_report(comparison: list[str], disk: Path, stderr: Callable[[], str]) -> None:
    (disk / "report.json").write_text("old")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)  # noqa: S607

    assert main([*comparison, "--quiet", "--output", f"json={disk}/report.json"]) == 2

    _only(disk)
    assert stderr() == f"drift: --output json={disk}/report.json: cannot be written: Read-only file system\n"


def test_a_file_size_limit_leaves_the_old_report(comparison: list[str], folder: Path) -> None:
    (folder / "report.json").write_text("old")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    ended = _run(
        [*comparison, "--quiet", "--output", f"json={folder}/report.json"], capture_output=True, preexec_fn=limit
    )

    assert ended.returncode == 2
    assert ended.stderr == f"drift: --output json={folder}/report.json: cannot be written: File too large\n"
    _only(folder)


def test_sigterm_during_a_write_leaves_the_old_report(
    comparison: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    (folder / "report.json").write_text("old")

    def terminated(_: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(os, "fsync", terminated)

    assert main([*comparison, "--quiet", "--output", f"json={folder}/report.json"]) == 143

    _only(folder)
    assert stderr() == "drift: stopped by SIGTERM before it was done\n"


def test_no_temporary_file_is_left_in_the_folder(comparison: list[str], folder: Path) -> None:
    (folder / "report.json").write_text("old")

    assert main([*comparison, "--quiet", "--output", f"json={folder}/report.json"]) == 1

    (file,) = folder.iterdir()
    assert json.loads(file.read_text())["summary"]["verdict"] == "drifted"


def test_other_reports_are_written_if_one_fails(
    comparison: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = ("--output", "json=/dev/full", "--output", f"json={folder}/b", "--output", "text")

    assert main([*comparison, *outputs]) == 2

    out, err = capsys.readouterr()
    assert (folder / "b").exists()
    assert "1 drifted" in out
    assert err == "drift: --output json=/dev/full: cannot be written: No space left on device\n"


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing/a", "No such file or directory"), ("reports", "Is a directory"), ("dump.json/a", "Not a directory")],
)
def test_a_wrong_folder_is_found_before_the_scan(
    path: str, reason: str, comparison: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = ("--output", "text", "--output", f"json={folder}/b", "--output", f"json={folder.parent / path}")

    assert main([*comparison, *outputs]) == 2

    assert capsys.readouterr() == (
        "",
        f"drift: --output json={folder.parent / path}: cannot be written: {reason}\n",
    )
    assert not list(folder.iterdir())


@pytest.mark.parametrize("command", [None, ["explain"], ["report"]])
def test_a_full_standard_output_exits_with_2_and_one_line(comparison: list[str], command: list[str] | None) -> None:
    arguments = [*comparison, "--suggest-ignores"] if command == ["report"] else command or comparison
    with Path("/dev/full").open("w") as full:
        ended = _run(arguments, stdout=full, stderr=subprocess.PIPE)

    assert ended.returncode == 2
    assert ended.stderr == "drift: standard output cannot be written: No space left on device\n"


def test_a_closed_standard_output_exits_with_2_and_one_line(comparison: list[str]) -> None:
    command = ["sh", "-c", 'exec "$@" >&-', "sh", sys.executable, "-m", "drift", *comparison]

    ended = subprocess.run(command, check=False, text=True, cwd=ROOT, stderr=subprocess.PIPE)

    assert ended.returncode == 2
    assert ended.stderr == "drift: standard output is closed; give --output a file: --output text=FILE\n"


def test_a_full_standard_error_keeps_the_exit_status() -> None:
    with Path("/dev/full").open("w") as full:
        assert _run(["report", "/nonexistent"], stdout=subprocess.PIPE, stderr=full).returncode == 2


def test_a_closed_pipe_exits_silently_with_141(comparison: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    ended = _run(comparison, stdout=writing, stderr=subprocess.PIPE)

    os.close(writing)
    assert (ended.returncode, ended.stderr) == (141, "")
