"""Measures what an audit log adds to a report: ``python -m benchmarks.audit_log [MEGABYTES]``.

Three logs of the same size: nine reads for each write; only writes; only writes with bodies. The report has twenty
objects with findings of five thousand that are written.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from drift.audit.events import ReadTally, Wanted, read_events

LOGS: Final = {"reads and writes": (0.1, False), "writes": (1.0, False), "writes with bodies": (1.0, True)}
OBJECTS: Final = 5000
WANTED: Final = frozenset(f"web-{number}" for number in range(20))
SIDECAR: Final = {"image": "registry.example.com/web:1", "env": [{"name": f"E{i}", "value": "v"} for i in range(8)]}
BODY: Final = {"metadata": {"labels": {f"l{i}": "v" for i in range(20)}}, "spec": {"containers": [SIDECAR] * 3}}


def events(writes: float, *, bodies: bool) -> Iterator[bytes]:
    """Yields lines of a log without end.

    Args:
        writes: The share of writes.
        bodies: Whether the level is RequestResponse.
    """
    choose = random.Random(1)  # noqa: S311 - must be repeatable
    while True:
        name = f"web-{choose.randrange(OBJECTS)}"
        event: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "RequestResponse" if bodies else "Metadata",
            "stage": "ResponseComplete",
            "requestURI": f"/apis/apps/v1/namespaces/shop/deployments/{name}?fieldManager=kubectl-set",
            "verb": "patch" if choose.random() < writes else "get",
            "user": {"username": f"user-{choose.randrange(20)}@example.com", "groups": ["system:authenticated"]},
            "userAgent": "kubectl/v1.36.3 (linux/amd64) kubernetes/0000000",
            "objectRef": {"resource": "deployments", "namespace": "shop", "name": name, "apiGroup": "apps"},
            "responseStatus": {"metadata": {}, "code": 200},
            **({"requestObject": {"spec": {"replicas": 5}}, "responseObject": BODY} if bodies else {}),
            "requestReceivedTimestamp": "2026-01-31T12:00:00.123456Z",
            "stageTimestamp": "2026-01-31T12:00:00.234567Z",
        }
        yield json.dumps(event, separators=(",", ":")).encode() + b"\n"


def main() -> int:
    """Prints one line for each log.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(prog="benchmarks.audit_log")
    parser.add_argument("megabytes", nargs="?", type=int, default=100)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        # In a process of its own, so that its memory is its own.
        began = time.process_time()
        found = sum(1 for _ in read_events([options.read], Wanted(WANTED), ReadTally()))
        seconds = time.process_time() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        speed = options.megabytes / seconds
        print(f"{found} events, {speed:.0f} MB per second of one processor, {memory} MB of memory")
        return 0
    for name, (writes, bodies) in LOGS.items():
        with tempfile.NamedTemporaryFile(suffix=".log") as log:
            size = 0
            for line in events(writes, bodies=bodies):
                size += log.write(line)
                if size >= options.megabytes * 1_000_000:
                    break
            log.flush()
            command = [sys.executable, "-m", "benchmarks.audit_log", str(options.megabytes), "--read", log.name]
            print(f"{name}:", subprocess.check_output(command, text=True, cwd=Path(__file__).parents[1]).strip())
    return 0


if __name__ == "__main__":
    sys.exit(main())
