"""How long a fleet takes, and what it costs: ``python -m benchmarks.fleets``, about an hour.

Puts fleets of growing size into a sandbox cluster, synced server-side and client-side, with nothing, one in a hundred
and everything edited by hand, and runs the reporter, ``kubectl diff`` and the floor over them. It writes a table and a
plot to ``docs/benchmarks.md``. A shorter one: ``python -m benchmarks.fleets --sizes 100,1000 --no-write``.
"""

import argparse
import json
import os
import platform
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import NAMESPACES, Fleet, Syncing, namespace_of, prepare, write_manifests
from benchmarks.installed import install_reporter
from benchmarks.measure import Cost, Traffic, median_of, peak_memory, progress, raise_file_limit, run
from benchmarks.page import write_page
from benchmarks.results import Drifted, Result
from tests.sandbox.cluster import Cluster

SIZES = (100, 1_000, 10_000, 50_000)
RUNS = 5
#: kubectl takes minutes from here on, so it is measured at most up to so many objects.
KUBECTL_SIZES = 1_000
_EVERY = {Drifted.NONE: 0, Drifted.ONE_PERCENT: 100, Drifted.ALL: 1}


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    command: Sequence[str]


@dataclass(frozen=True, slots=True)
class _State:
    manifests: Path
    syncing: Syncing
    size: int
    drifted: Drifted


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints what came out, and writes the page."""
    options = _parser().parse_args(arguments)
    results = [Result.from_json(json.loads(line)) for line in options.results or ()] or _measure_all(options)
    if not options.no_write:
        write_page(results, machine=f"{os.cpu_count()} cores, Python {platform.python_version()}")


def _measure_all(options: argparse.Namespace) -> list[Result]:
    raise_file_limit()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        python = install_reporter(Path(folder))
        for syncing in Syncing:
            for result in _measure(syncing, python, options):
                print(json.dumps(result.as_json()), flush=True)
                results.append(result)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleets", description=__doc__)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=SIZES)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--kubectl-up-to", type=int, default=KUBECTL_SIZES, metavar="OBJECTS")
    parser.add_argument("--results", type=argparse.FileType("r"), help="what it printed before, instead of measuring")
    parser.add_argument("--no-write", action="store_true", help="leave docs/benchmarks.md as it is")
    return parser


def _measure(syncing: Syncing, python: str, options: argparse.Namespace) -> Iterator[Result]:
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as folder:
        prepare(cluster, [namespace_of(number) for number in range(NAMESPACES)])
        fleet = Fleet(cluster, syncing)
        for size in sorted(options.sizes):
            manifests = Path(folder) / str(size)
            write_manifests(size, manifests)
            progress(f"syncing {size} objects {syncing.value}")
            fleet.sync(size)
            states = [_State(manifests, syncing, size, drifted) for drifted in Drifted]
            # What a little drift costs is less than what a machine varies by in a minute: these two take turns.
            yield from _run_in_turns(cluster, fleet, states[:2], python, options)
            # Editing everything takes minutes, so that is done once.
            yield from _run_in_turns(cluster, fleet, states[2:], python, options)


def _run_in_turns(
    cluster: Cluster, fleet: Fleet, states: Sequence[_State], python: str, options: argparse.Namespace
) -> Iterator[Result]:
    """Runs every tool over every state once, and so many times again: whatever else the machine does meets all."""
    costs = defaultdict[tuple[Drifted, str], list[Cost]](list)
    for _ in range(options.runs):
        for state in states:
            _bring_about(fleet, state)
            for tool in _tools(cluster.kubeconfig, state, python, options):
                costs[state.drifted, tool.name].append(run(tool.command, cluster.environment))
    for state in states:
        _bring_about(fleet, state)
        for tool in _tools(cluster.kubeconfig, state, python, options):
            cost = median_of(costs[state.drifted, tool.name])
            mark = cluster.audit_mark()
            with Traffic(cluster.kubeconfig) as traffic:
                direct, counted = str(cluster.kubeconfig), str(traffic.kubeconfig)
                command = [counted if part == direct else part for part in tool.command]
                memory = peak_memory(command, cluster.environment)
                received = traffic.received
            yield Result(
                tool.name,
                state.syncing.value,
                state.size,
                state.drifted,
                cost.wall,
                cost.cpu,
                memory,
                requests=len(cluster.audit(mark)),
                received=received,
                runs=options.runs,
            )


def _bring_about(fleet: Fleet, state: _State) -> None:
    progress(f"{state.size} objects, {state.syncing.value}, {state.drifted.value} drifted")
    fleet.drift(state.size, _EVERY[state.drifted])


def _tools(kubeconfig: Path, state: _State, python: str, options: argparse.Namespace) -> Iterator[_Tool]:
    report = [python, "-m", "drift", "report", str(state.manifests), "--kubeconfig", str(kubeconfig)]
    yield _Tool("drift report", report)
    yield _Tool("floor", [python, "-m", "benchmarks.floor", str(kubeconfig)])
    if state.size <= options.kubectl_up_to and state.drifted is Drifted.NONE:
        diff = ["kubectl", "diff", "--recursive", "--filename", str(state.manifests), "--kubeconfig", str(kubeconfig)]
        yield _Tool("kubectl diff --server-side", [*diff, "--server-side", "--force-conflicts"])
        yield _Tool("kubectl diff", diff)


if __name__ == "__main__":
    main()
