"""Asks Git who wrote the lines of manifests that findings are about."""

import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Final

from drift.model import Change, Finding, GitLine, Report

_TIMEOUT_SECONDS: Final = 60
#: The commit of a line that is only in the work tree.
_UNCOMMITTED: Final = "0" * 40
#: A repository's own settings must not run programs, name files or change the output.
_SETTINGS: Final = (
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.quotePath=false"),
    *("-c", "protocol.allow=never"),
)
#: Lines in one command: a command line has a limited length.
_AT_ONCE: Final = 1000


def add_git_lines(report: Report) -> Report:
    """Returns the report with the last commit of the line of each finding, where Git has the field."""
    places = {
        finding.id: place
        for item in report.objects
        for finding in item.findings
        if (place := _place(finding)) is not None
    }
    lines = blame(places.values())

    def add(finding: Finding) -> Finding:
        line = lines.get(places.get(finding.id, ("", 0)))
        return finding if line is None else replace(finding, git=line)

    objects = (
        replace(item, findings=tuple(map(add, item.findings))) if item.findings else item for item in report.objects
    )
    return replace(report, objects=tuple(objects))


def _place(finding: Finding) -> tuple[str, int] | None:
    """Returns the file and line of a finding; None if only the cluster has the field."""
    if finding.change in {Change.ADDED, Change.UNMANAGED} or finding.file is None or finding.line is None:
        return None
    return finding.file, finding.line


def blame(lines: Iterable[tuple[str, int]]) -> Mapping[tuple[str, int], GitLine]:
    """Returns the last commit of each line of some files, with one call of Git for a file.

    Lines that Git does not know are left out: of files that are not committed, and lines that were edited since.

    Args:
        lines: Files and lines, counted from 1.
    """
    git = shutil.which("git")
    by_file: dict[str, set[int]] = {}
    for file, line in lines:
        by_file.setdefault(file, set()).add(line)
    found: dict[tuple[str, int], GitLine] = {}
    for file, numbers in by_file.items() if git is not None else ():
        wanted = sorted(numbers)
        for start in range(0, len(wanted), _AT_ONCE):
            output = _run(str(git), Path(file), wanted[start : start + _AT_ONCE])
            found |= {(file, line): commit for line, commit in read_porcelain(output).items()}
    return found


def _run(git: str, file: Path, lines: Sequence[int]) -> bytes:
    ranges = [f"-L{line},{line}" for line in lines]
    command = [git, "--no-optional-locks", *_SETTINGS, "-C", str(file.parent), "blame", "--porcelain", "--no-textconv"]
    try:
        done = subprocess.run(  # noqa: S603
            [*command, *ranges, "--", file.name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def read_porcelain(output: bytes) -> Mapping[int, GitLine]:
    """Returns the commit of each line from the output of ``git blame --porcelain``.

    The header of a commit comes only with its first line: https://git-scm.com/docs/git-blame#_the_porcelain_format
    """
    headers: dict[str, dict[str, str]] = {}
    found: dict[int, str] = {}
    commit = ""
    for line in output.decode("utf-8", "replace").split("\n"):
        name, _, value = line.partition(" ")
        if line.startswith("\t"):
            commit = ""
        elif not commit:
            commit = name
            headers.setdefault(commit, {})
            number = value.split(" ")[1] if value.count(" ") else ""
            if number.isdecimal():
                found[int(number)] = commit
        else:
            headers[commit][name] = value
    lines = {number: _line(commit, headers[commit]) for number, commit in found.items() if commit != _UNCOMMITTED}
    return {number: line for number, line in lines.items() if line is not None}


def _line(commit: str, header: Mapping[str, str]) -> GitLine | None:
    try:
        offset = header["author-tz"]
        minutes = int(offset[:3]) * 60 + int(offset[0] + offset[3:])
        zone = timezone(timedelta(minutes=minutes)) if minutes else UTC
        time = datetime.fromtimestamp(int(header["author-time"]), zone)
        return GitLine(commit, header["author"], time.isoformat(), header["summary"])
    except (KeyError, ValueError, IndexError, OverflowError, OSError):
        return None
