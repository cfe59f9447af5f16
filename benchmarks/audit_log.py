"""Measures what an audit log adds to ``drift report``: ``python -m benchmarks.audit_log [MEGABYTES]``.

Three logs of the same size: nine reads for each write; only writes; only writes with bodies. They are about 5,000
Deployments. Twenty of them drifted. Each log is also read with one object missing, which a user or the garbage
collector deleted. If it was the garbage collector, the log is read twice, and all deletions count.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.measure import Cost, peak_memory, run

#: The share of writes, and whether the level is RequestResponse.
LOGS: Final = {"reads and writes": (0.1, False), "only writes": (1.0, False), "writes with bodies": (1.0, True)}
OBJECTS: Final = 5000
DRIFTED: Final = 20
RUNS: Final = 3
#: How many objects are missing, and whether the garbage collector deleted them.
MISSING: Final = {"none": (0, False), "one": (1, False), "one, with its owner": (1, True)}
VERBS: Final = ("patch", "patch", "update", "delete")
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
            "verb": choose.choice(VERBS) if choose.random() < writes else "get",
            "user": {"username": f"user-{choose.randrange(20)}@example.com", "groups": ["system:authenticated"]},
            "userAgent": "kubectl/v1.36.3 (linux/amd64) kubernetes/0000000",
            "objectRef": {
                "resource": "deployments",
                "namespace": "shop",
                "name": name,
                "apiGroup": "apps",
                "apiVersion": "v1",
            },
            "responseStatus": {"metadata": {}, "code": 200},
            **({"requestObject": {"spec": {"replicas": 5}}, "responseObject": BODY} if bodies else {}),
            "requestReceivedTimestamp": "2026-01-31T12:00:00.123456Z",
            "stageTimestamp": "2026-01-31T12:00:00.234567Z",
        }
        yield json.dumps(event, separators=(",", ":")).encode() + b"\n"


def collection() -> bytes:
    """Returns a line of a log: the garbage collector deletes the first object."""
    event = json.loads(next(events(1.0, bodies=False)))
    user = {"username": "system:serviceaccount:kube-system:generic-garbage-collector"}
    changed = {"verb": "delete", "user": user, "objectRef": {**event["objectRef"], "name": "web-0"}}
    return json.dumps({**event, **changed}, separators=(",", ":")).encode() + b"\n"


def write_log(file: Path, size: int, writes: float, *, bodies: bool) -> None:
    """Writes a log of at least some bytes."""
    with file.open("wb") as out:
        for line in events(writes, bodies=bodies):
            if out.tell() >= size:
                break
            out.write(line)


def _deployment(number: int, image: str) -> dict[str, Any]:
    labels = {"app": f"web-{number}"}
    pod = {"containers": [{"name": "web", "image": image}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"web-{number}", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def _write_list(file: Path, items: Sequence[Any]) -> str:
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}), "utf-8")
    return str(file)


def _median(command: Sequence[str]) -> Cost:
    costs = [run(command, os.environ) for _ in range(RUNS)]
    return Cost(statistics.median(cost.wall for cost in costs), statistics.median(cost.cpu for cost in costs))


def main() -> int:
    """Prints a Markdown table.

    Returns:
        0.
    """
    parser = argparse.ArgumentParser(prog="benchmarks.audit_log")
    parser.add_argument("megabytes", nargs="?", type=int, default=1000)
    size = parser.parse_args().megabytes
    print("| log | missing | seconds more | of a processor | peak memory |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name, "audit.log")
        git = _write_list(folder / "git.json", [_deployment(number, "web:1") for number in range(DRIFTED)])
        for what, (writes, bodies) in LOGS.items():
            write_log(log, size * 1_000_000, writes, bodies=bodies)
            for missing, (first, is_collected) in MISSING.items():
                live = _write_list(folder / "live.json", [_deployment(it, "web:2") for it in range(first, DRIFTED)])
                if is_collected:
                    with log.open("ab") as out:
                        out.write(collection())
                report = [sys.executable, "-m", "drift", "report", git, "--live", live, "--unmanaged=off", "--quiet"]
                joined = [*report, "--audit-log", str(log)]
                before, after = _median(report), _median(joined)
                memory = peak_memory(joined, os.environ) / 1e6
                seconds = f"{after.wall - before.wall:.1f} s | {after.cpu - before.cpu:.1f} s"
                print(f"| {size} MB, {what} | {missing} | {seconds} | {memory:.0f} MB |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
