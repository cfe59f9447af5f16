"""Measures how soon ``drift watch`` reports an edit: ``python -m benchmarks.watching [OBJECTS]``, two minutes.

Runs ``drift watch`` as a process against a sandbox cluster with OBJECTS objects in sync (default 10,000, at least
1,000), and measures the time from the API server's response to an edit until ``/report.json`` has it: one edit after
the other, and then while other edits keep full scans running.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import urllib3

from benchmarks.fleet import NAMESPACES, Fleet, Syncing, namespace_of, prepare, write_manifests
from tools.sandbox.cluster import Cluster

OBJECTS: Final = 10_000
MIN_OBJECTS: Final = 1_000
EDITS: Final = 50
#: Seconds between two of the other edits.
OTHER_EDITS: Final = 0.1
_ROOT: Final = Path(__file__).parents[1]
_OK: Final = 200


def main() -> None:
    """Measures and prints a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watching", description=__doc__)
    parser.add_argument("objects", metavar="OBJECTS", type=int, nargs="?", default=OBJECTS)
    objects = parser.parse_args().objects
    if objects < MIN_OBJECTS:
        parser.error(f"OBJECTS must be at least {MIN_OBJECTS:,}")
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(cluster, [namespace_of(number) for number in range(NAMESPACES)])
        write_manifests(objects, folder)
        fleet = Fleet(cluster, Syncing.SERVER_SIDE)
        fleet.load(objects)
        begin = time.perf_counter()
        with watching(cluster, folder) as (process, url):
            wait_until_current(url)
            start = time.perf_counter() - begin
            alone, scans = _measure(fleet, url, range(EDITS))
            print("| edits | full scans | edit to report: median | slowest |\n|---|--:|--:|--:|")
            _print("one by one", alone, scans)
            with _other_edits(fleet, range(2 * EDITS, objects // 5)):
                busy, scans = _measure(fleet, url, range(EDITS, 2 * EDITS))
            _print(f"with {1 / OTHER_EDITS:.0f} others a second", busy, scans)
            print(f"\n{objects:,} objects: complete after {start:.1f} s, {resident(process.pid):.0f} MB in the end")


def _print(title: str, seconds: Sequence[float], scans: int) -> None:
    print(f"| {title} | {scans} | {statistics.median(seconds):.2f} s | {max(seconds):.2f} s |", flush=True)


@contextmanager
def watching(cluster: Cluster, manifests: Path, *flags: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Runs ``drift watch``. Yields the process and its URL, which ends in a slash.

    Raises:
        RuntimeError: It ended at once.
    """
    command = [sys.executable, "-m", "drift", "watch", str(manifests), "--metrics-port=0", "--quiet", *flags]
    with subprocess.Popen(
        [*command, f"--kubeconfig={cluster.kubeconfig}"],
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            url = next((line for line in process.stderr or () if "see http" in line), None)
            if url is None:
                raise RuntimeError("drift watch ended at once")
            yield process, url.split("see ")[1].strip()
        finally:
            process.terminate()


def wait_until_current(url: str) -> None:
    """Waits until the report is complete and current."""
    while urllib3.request("GET", f"{url}healthz").status != _OK:
        time.sleep(0.1)


def resident(process: int) -> float:
    """Returns the resident memory of a process, in MB of 1024 * 1024 bytes."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def counter(http: urllib3.PoolManager, url: str, *names: str) -> int:
    """Returns the sum of some counters of the watch."""
    text = http.request("GET", f"{url}metrics").data.decode()
    return sum(map(int, re.findall(rf"^drift_watch_(?:{'|'.join(names)})_total (\d+)", text, re.MULTILINE)))


def _measure(fleet: Fleet, url: str, applications: range) -> tuple[list[float], int]:
    """Edits the ConfigMaps of some applications. Returns the seconds of each edit, and how many full scans ran."""
    http = urllib3.PoolManager()
    before = counter(http, url, "scans")
    seconds = []
    for number in applications:
        value = f"edited-{number}-{time.time_ns()}"
        fleet.edit_config_map(number, value)
        done = time.perf_counter()
        revision = None
        while True:
            # The page asks for this, too. Rendering the report at each poll would delay the watch.
            current = json.loads(http.request("GET", f"{url}live.json").data)["revision"]
            if current != revision and value.encode() in http.request("GET", f"{url}report.json").data:
                break
            revision = current
            time.sleep(0.01)
        seconds.append(time.perf_counter() - done)
        # So that edits hit every part of a scan.
        time.sleep(0.05 * (number % 10))
    return seconds, counter(http, url, "scans") - before


@contextmanager
def _other_edits(fleet: Fleet, applications: range) -> Iterator[None]:
    stopped = threading.Event()

    def edit() -> None:
        number = 0
        while not stopped.wait(OTHER_EDITS):
            fleet.edit_config_map(applications[number % len(applications)], f"other-{number}")
            number += 1

    thread = threading.Thread(target=edit)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


if __name__ == "__main__":
    main()
