"""Runs the commands of the tutorial in order, and compares their output with the page."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools.sandbox.cluster import Cluster

pytestmark = pytest.mark.sandbox

REPOSITORY = Path(__file__).parents[1]
#: A block of commands, and the output shown below it, if any.
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
SPAN = r"[\d.]+ (?:d|h|min|s)\b(?: \d+ (?:h|min|s)\b)*"
#: Text that differs from run to run.
CHANGING = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
    (re.compile(r"\d+[dhms] ago"), "AGE ago"),
    (re.compile(rf"; open for {SPAN}"), "; open for SPAN"),
    (re.compile(SPAN), "SPAN"),
    (re.compile(r"  +"), "  "),
)


def steps() -> list[tuple[str, str]]:
    return BLOCK.findall((REPOSITORY / "docs/tutorial.md").read_text())


def settled(text: str) -> list[str]:
    for pattern, word in CHANGING:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.strip().splitlines()]


def run(commands: list[str], cluster: Cluster, folder: Path) -> list[str]:
    """Runs blocks of commands in one shell, and returns the output of each block."""
    drift = folder / "bin" / "drift"
    drift.parent.mkdir()
    # No one types two scans within a second, the unit of their times.
    drift.write_text(f'#!/bin/sh\nsleep 1\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m drift "$@"\n')
    drift.chmod(0o755)
    work = folder / "work"
    work.mkdir()
    end = "--- end of a block ---"
    path = f"{drift.parent}{os.pathsep}{cluster.environment['PATH']}"
    done = subprocess.run(
        ["/usr/bin/env", "bash"],
        input="".join(f"{block}echo '{end}'\n" for block in commands),
        cwd=work,
        env={**cluster.environment, "PATH": path, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split(f"{end}\n")[:-1]


def test_its_commands_print_the_output_that_it_shows(cluster: Cluster, tmp_path: Path) -> None:
    try:
        written = run([commands for commands, _ in steps()], cluster, tmp_path)
    finally:
        cluster.kubectl("delete", "namespace", "shop", "--ignore-not-found", "--wait=false")

    assert len(written) == len(steps())
    for (commands, shown), output in zip(steps(), written, strict=True):
        if shown:
            expected, got = settled(shown), settled(output)
            if expected[-1] == "...":
                assert got[: len(expected) - 1] == expected[:-1], commands
            else:
                # "..." stands for the output of kubectl above the report.
                expected = expected[1:] if expected[0] == "..." else expected
                assert got[-len(expected) :] == expected, commands


def test_it_has_commands_with_output() -> None:
    assert len(steps()) > 10
    assert sum(bool(shown) for _, shown in steps()) > 5
