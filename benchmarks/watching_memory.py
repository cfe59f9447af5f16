"""Measures the memory of ``drift watch`` over many edits: ``python -m benchmarks.watching_memory [EDITS]``.

Runs ``drift watch`` with a history as a process, and edits the ConfigMaps of a small fleet in a sandbox cluster EDITS
times (default 100,000, about half an hour; every second edit of a ConfigMap reverts the one before). Prints the
resident memory of the process ten times, each time after the watch has seen all edits so far. The memory must not grow
once the caches are full.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Final

import urllib3

from benchmarks.fleet import NAMESPACES, Fleet, Syncing, namespace_of, prepare, write_manifests
from benchmarks.watching import counter, resident, wait_until_current, watching
from tools.sandbox.cluster import Cluster

EDITS: Final = 100_000
#: How often the memory is printed.
ROWS: Final = 10
OBJECTS: Final = 500
_APPLICATIONS: Final = OBJECTS // 5
#: What Git has.
_IN_SYNC: Final = "info"


def main() -> None:
    """Measures and prints a Markdown table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.watching_memory", description=__doc__)
    parser.add_argument("edits", metavar="EDITS", type=int, nargs="?", default=EDITS)
    edits = parser.parse_args().edits
    if edits < ROWS:
        parser.error(f"EDITS must be at least {ROWS}")
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as name:
        manifests = Path(name) / "manifests"
        prepare(cluster, [namespace_of(number) for number in range(NAMESPACES)])
        write_manifests(OBJECTS, manifests)
        fleet = Fleet(cluster, Syncing.SERVER_SIDE)
        fleet.load(OBJECTS)
        with watching(cluster, manifests, f"--history={Path(name) / 'history.db'}") as (process, url):
            wait_until_current(url)
            _measure(process.pid, url, fleet, edits)


def _measure(process: int, url: str, fleet: Fleet, edits: int) -> None:
    http = urllib3.PoolManager()
    print("| edits | memory | behind by |\n|--:|--:|--:|", flush=True)
    for number in range(edits + 1):
        if number % (edits // ROWS) == 0:
            # Each edit opens or resolves a finding.
            behind = number - counter(http, url, "opened_findings", "resolved_findings")
            while counter(http, url, "opened_findings", "resolved_findings") < number:
                time.sleep(0.05)
            print(f"| {number:,} | {resident(process):.1f} MB | {behind:,} edits |", flush=True)
        is_revert = number // _APPLICATIONS % 2
        fleet.edit_config_map(number % _APPLICATIONS, _IN_SYNC if is_revert else f"edited-{number}")


if __name__ == "__main__":
    main()
