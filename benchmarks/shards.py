"""Measures a scan in shards on one machine: ``python -m benchmarks.shards [--objects N] [--shards N]``, five minutes.

Runs one ``drift report`` per shard, all at the same time, as the workers of an Indexed Job do on machines of their own,
and merges their reports. Prints what each worker takes, and what follows for an Indexed Job with a million objects.
"""

import argparse
import math
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.fleet import NAMESPACES, Fleet, Syncing, namespace_of, prepare, write_manifests
from benchmarks.installed import install_reporter
from benchmarks.measure import progress, raise_file_limit
from benchmarks.memory import MemoryWatch
from tools.sandbox.cluster import Cluster

OBJECTS: Final = 100_000
SHARDS: Final = 4
MILLION: Final = 1_000_000
_ALLOWED: Final = (0, 1)


@dataclass(frozen=True, slots=True)
class Worker:
    """What one shard took.

    Attributes:
        wall: Seconds from the start of all shards to its end.
        cpu: Seconds of processor time.
        memory: Peak memory in bytes, including child processes.
    """

    wall: float
    cpu: float
    memory: int


def main() -> None:
    """Measures and prints Markdown tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shards", description=__doc__)
    parser.add_argument("--objects", type=int, default=OBJECTS)
    parser.add_argument("--shards", type=int, default=SHARDS)
    options = parser.parse_args()
    raise_file_limit()
    with tempfile.TemporaryDirectory() as name, Cluster.start() as cluster:
        folder = Path(name)
        drift = str(install_reporter(folder / "installed") / "drift")
        prepare(cluster, [namespace_of(number) for number in range(NAMESPACES)])
        write_manifests(options.objects, folder / "manifests")
        progress(f"creating {options.objects:,} objects")
        Fleet(cluster, Syncing.SERVER_SIDE).load(options.objects)
        manifests = folder / "manifests"
        [least], _ = scan(drift, cluster, next(manifests.rglob("*.yaml")), folder, 1)
        [whole], _ = scan(drift, cluster, manifests, folder, 1)
        workers, wall = scan(drift, cluster, manifests, folder, options.shards)
        merging = merge(drift, folder, options.shards)
    print(f"| {options.objects:,} objects | time | CPU | memory |\n|---|--:|--:|--:|")
    rows = {"one file": least, "one process": whole, **{f"shard {i}": one for i, one in enumerate(workers, start=1)}}
    for title, one in rows.items():
        print(f"| {title} | {one.wall:.1f} s | {one.cpu:.1f} s | {one.memory / 1e6:.0f} MB |")
    print(f"| {options.shards} shards at the same time, {os.cpu_count()} processors | {wall:.1f} s | | |")
    print(f"| merging their reports | {merging:.1f} s | | |")
    print_plan(options.objects, least, whole, workers)


def scan(drift: str, cluster: Cluster, manifests: Path, folder: Path, shards: int) -> tuple[list[Worker], float]:
    """Scans all shards at the same time. Returns what each took, and the seconds until the last one ended.

    Raises:
        RuntimeError: A shard ended without a report.
    """
    environment = {**cluster.environment, "KUBECONFIG": str(cluster.kubeconfig)}
    began = time.perf_counter()
    running = []
    for number in range(1, shards + 1):
        output = folder / f"shard-{number}.json"
        flags = ["--shard", f"{number}/{shards}"] if shards > 1 else []
        command = [drift, "report", str(manifests), "--output", f"json={output}", "--quiet", *flags]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        memory = MemoryWatch(process.pid)
        memory.__enter__()
        running.append((process, memory))
    workers = []
    for process, memory in running:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        memory.__exit__()
        if process.returncode not in _ALLOWED:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        workers.append(Worker(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, memory.peak))
    return workers, time.perf_counter() - began


def merge(drift: str, folder: Path, shards: int) -> float:
    """Merges the reports of the shards. Returns the seconds."""
    reports = [str(folder / f"shard-{number}.json") for number in range(1, shards + 1)]
    began = time.perf_counter()
    done = subprocess.run([drift, "render", *reports, "--output", f"json={folder / 'all.json'}"], check=False)
    if done.returncode not in _ALLOWED:
        raise RuntimeError(f"drift render ended with {done.returncode}")
    return time.perf_counter() - began


def print_plan(objects: int, least: Worker, whole: Worker, workers: list[Worker]) -> None:
    """Prints what the workers of an Indexed Job for a million objects need.

    Each worker reads all manifests, but compares only its own objects, so its cost has two parts.
    """
    own = objects / len(workers)
    costs: dict[str, tuple[float, float, float]] = {}
    largest = max(workers, key=lambda one: one.memory)
    for name, unit in (("memory", 1e6), ("cpu", 1)):
        base, all_, part = (getattr(one, name) / unit for one in (least, whole, largest))
        compared = max(all_ - part, 0) / (objects - own)
        costs[name] = (base, max(part - base - compared * own, 0) / objects, compared)
    print("\nAn Indexed Job for a million objects (each worker reads all manifests):\n")
    print("| completions | memory of a worker | CPU of a worker |\n|--:|--:|--:|")
    for completions in (math.ceil(MILLION / own) * factor for factor in (1, 2, 4)):
        memory, cpu = (
            base + read * MILLION + compared * MILLION / completions for base, read, compared in costs.values()
        )
        print(f"| {completions} | {memory:,.0f} MB | {cpu:,.0f} s |")


if __name__ == "__main__":
    main()
