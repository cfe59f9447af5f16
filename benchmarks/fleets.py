"""Measures scans of whole fleets: ``python -m benchmarks.fleets``, about an hour and a half.

Applies fleets of growing size to a sandbox cluster, server-side and client-side, with no object, one in a hundred and
all objects edited by hand, and runs the reporter, ``kubectl diff`` and the floor on them. Writes tables and a plot to
``docs/benchmarks.md``. For a shorter run: ``python -m benchmarks.fleets --sizes 100,1000 --no-write``.
"""

import argparse
import json
import os
import platform
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fleet import NAMESPACES, Fleet, Syncing, namespace_of, prepare, write_manifests
from benchmarks.installed import install_reporter
from benchmarks.measure import (
    Cost,
    Load,
    Traffic,
    median_cost,
    median_load,
    peak_memory,
    progress,
    raise_file_limit,
    run,
)
from benchmarks.page import table, write_page
from benchmarks.results import Drifted, Result
from tools.sandbox.cluster import Cluster

SIZES = (100, 1_000, 10_000, 50_000)
RUNS = 5
#: kubectl takes minutes for larger fleets, so it is measured only up to this size.
KUBECTL_SIZES = 1_000
#: The size at which kubectl is also measured with drift. Drift does not change its requests, so one size is enough.
_KUBECTL_DRIFTED = 100
_EVERY = {Drifted.NONE: 0, Drifted.ONE_PERCENT: 100, Drifted.ALL: 1}


@dataclass(frozen=True, slots=True)
class _Tool:
    """A program to measure.

    Attributes:
        name: For the tables.
        command: Its arguments, too.
        parses_all: Whether it finds no manifests that an earlier run has parsed.
    """

    name: str
    command: Sequence[str]
    parses_all: bool = False


@dataclass(frozen=True, slots=True)
class _State:
    manifests: Path
    syncing: Syncing
    size: int
    drifted: Drifted


#: Returns the tools to run on a state.
_Tools = Callable[[_State], list[_Tool]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, prints the results, and writes the page."""
    options = _parser().parse_args(arguments)
    results = [Result.from_json(json.loads(line)) for line in options.results or ()] or _measure_all(options)
    for syncing in options.syncing:
        print(f"\nSynced {syncing.value}:\n\n" + table([one for one in results if one.syncing == syncing.value]))
    if not options.no_write:
        write_page(results, machine=f"{os.cpu_count()} cores, Python {platform.python_version()}")


def _measure_all(options: argparse.Namespace) -> list[Result]:
    raise_file_limit()
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as folder:
        programs = install_reporter(Path(folder))
        for syncing in options.syncing:
            for result in _measure(syncing, programs, options):
                print(json.dumps(result.as_json()), flush=True)
                results.append(result)
    return results


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleets", description=__doc__)
    parser.add_argument("--sizes", type=lambda text: [int(size) for size in text.split(",")], default=SIZES)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--kubectl-up-to", type=int, default=KUBECTL_SIZES, metavar="OBJECTS")
    parser.add_argument("--syncing", type=lambda text: [Syncing(text)], default=list(Syncing), metavar="HOW")
    parser.add_argument(
        "--results", type=argparse.FileType("r"), help="the output of an earlier run, instead of measuring"
    )
    parser.add_argument("--no-write", action="store_true", help="do not write docs/benchmarks.md")
    return parser


def _measure(syncing: Syncing, programs: Path, options: argparse.Namespace) -> Iterator[Result]:
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as folder:
        prepare(cluster, [namespace_of(number) for number in range(NAMESPACES)])
        fleet, fast = Fleet(cluster, syncing), _fast_tools(programs)
        for size in sorted(options.sizes):
            manifests = Path(folder) / str(size)
            write_manifests(size, manifests)
            progress(f"syncing {size} objects {syncing.value}")
            fleet.sync(size)
            none, little, everything = (_State(manifests, syncing, size, drifted) for drifted in Drifted)
            # The cost of a little drift is smaller than the noise of the machine, so these two states take turns.
            yield from _run_in_turns(cluster, fleet, (none, little), fast, options.runs)
            if size <= options.kubectl_up_to:
                states = (none, little, everything) if size <= _KUBECTL_DRIFTED else (none,)
                yield from _run_in_turns(cluster, fleet, states, _kubectl, options.runs)
            # Editing all objects takes minutes, so do it only once.
            yield from _run_in_turns(cluster, fleet, (everything,), fast, options.runs)


def _run_in_turns(
    cluster: Cluster, fleet: Fleet, states: Sequence[_State], tools: _Tools, runs: int
) -> Iterator[Result]:
    """Runs every tool on every state, ``runs`` times in turns, so that other load on the machine affects all alike."""
    costs = defaultdict[tuple[Drifted, str], list[Cost]](list)
    for number in range(runs):
        for state in states:
            _edit_objects(fleet, state)
            # Alternate the order, so that the server's work after the edits does not always slow the same tool.
            for tool in tools(state)[:: -1 if number % 2 else 1]:
                environment = _environment(cluster, cluster.kubeconfig, tool)
                costs[state.drifted, tool.name].append(run(tool.command, environment))
    # Measuring memory and counting bytes takes time, so do it in separate runs.
    for state in states:
        _edit_objects(fleet, state)
        for tool in tools(state):
            cost = median_cost(costs[state.drifted, tool.name])
            load = median_load([_load(cluster, tool) for _ in range(runs)])
            yield Result(
                tool.name,
                state.syncing.value,
                state.size,
                state.drifted,
                cost.wall,
                cost.cpu,
                load.memory,
                load.requests,
                load.received,
                runs,
            )


def _load(cluster: Cluster, tool: _Tool) -> Load:
    mark = cluster.audit_mark()
    with Traffic(cluster.kubeconfig) as traffic:
        memory = peak_memory(tool.command, _environment(cluster, traffic.kubeconfig, tool))
        received = traffic.received
    return Load(memory, len(cluster.audit(mark)), received)


def _environment(cluster: Cluster, kubeconfig: Path, tool: _Tool) -> dict[str, str]:
    cache = cluster.folder / "cache-of-drift"
    if tool.parses_all:
        shutil.rmtree(cache / "drift" / "manifests", ignore_errors=True)
    return {**cluster.environment, "KUBECONFIG": str(kubeconfig), "XDG_CACHE_HOME": str(cache)}


def _edit_objects(fleet: Fleet, state: _State) -> None:
    progress(f"{state.size} objects, {state.syncing.value}, {state.drifted.value} drifted")
    fleet.drift(state.size, _EVERY[state.drifted])


def _fast_tools(programs: Path) -> _Tools:
    """Returns the reporter and the floor, which are fast enough for fleets of any size."""

    def tools(state: _State) -> list[_Tool]:
        report = [str(programs / "drift"), "report", str(state.manifests)]
        return [
            _Tool("drift report", report, parses_all=True),
            _Tool("drift report, again", report),
            _Tool("floor", [str(programs / "python"), "-m", "benchmarks.floor"]),
        ]

    return tools


def _kubectl(state: _State) -> list[_Tool]:
    diff = ["kubectl", "diff", "--recursive", "--filename", str(state.manifests)]
    return [
        _Tool("kubectl diff --server-side", [*diff, "--server-side", "--force-conflicts"]),
        _Tool("kubectl diff", diff),
    ]


if __name__ == "__main__":
    main()
