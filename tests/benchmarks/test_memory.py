"""The memory of a process and its children; shared memory counts once."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.memory import MemoryWatch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="needs /proc of Linux"),
]
SIZE = 100_000_000
#: More than two Python processes need, and less than SIZE.
TOLERANCE = 50_000_000

HOLD = f"held = bytearray(b'x') * {SIZE}\n"
FORK = "child = os.fork()\n"
#: Each process reports that it runs, and waits for the end of its input.
STAY = "os.write(1, b'x')\nsys.stdin.read()\n"
FILE = f"held = os.memfd_create('held')\nos.ftruncate(held, {SIZE})\n"


def _peak(script: str, processes: int) -> int:
    command = [sys.executable, "-I", "-c", f"import os, sys\n{script}{STAY}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.read(processes) == b"x" * processes
        with MemoryWatch(process.pid) as watch:
            pass
        process.stdin.close()
    return watch.peak


@pytest.mark.parametrize(
    ("script", "processes", "times"),
    [
        ("", 1, 0),
        (HOLD, 1, 1),
        (HOLD + FORK, 2, 1),
        (FORK + HOLD, 2, 2),
        (FORK + f"if not child:\n    child = os.fork()\n    if not child:\n        {HOLD}", 3, 1),
        (FILE, 1, 1),
        (FILE + FORK, 2, 1),
    ],
    ids=["nothing", "one process", "shared", "in each", "in a grandchild", "a file without a name", "a shared one"],
)
def test_all_memory_counts_once(script: str, processes: int, times: int) -> None:
    assert _peak(script, processes) == pytest.approx(times * SIZE, abs=TOLERANCE)
