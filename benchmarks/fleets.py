"""How long a fleet takes, and what it costs: ``python -m benchmarks.fleets``, about an hour and a half.

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
from benchmarks.page import write_page
from benchmarks.results import Drifted, Result
from tools.sandbox.cluster import Cluster

SIZES = (100, 1_000, 10_000, 50_000)
RUNS = 5
#: kubectl takes minutes from here on, so it is measured at most up to so many objects.
KUBECTL_SIZES = 1_000
#: What has drifted makes no difference to its requests, so that is shown once.
_KUBECTL_DRIFTED = 100
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


#: The tools to run over a state.
_Tools = Callable[[_State], list[_Tool]]


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
        programs = install_reporter(Path(folder))
        for syncing in Syncing:
            for result in _measure(syncing, programs, options):
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
            # What a little drift costs is less than what a machine varies by in a minute: these two take turns.
            yield from _run_in_turns(cluster, fleet, (none, little), fast, options.runs)
            if size <= options.kubectl_up_to:
                states = (none, little, everything) if size <= _KUBECTL_DRIFTED else (none,)
                yield from _run_in_turns(cluster, fleet, states, _kubectl, options.runs)
            # Editing everything takes minutes, so that is done once.
            yield from _run_in_turns(cluster, fleet, (everything,), fast, options.runs)


def _run_in_turns(
    cluster: Cluster, fleet: Fleet, states: Sequence[_State], tools: _Tools, runs: int
) -> Iterator[Result]:
    """Runs every tool over every state once, and so many times again: whatever else the machine does meets all."""
    costs = defaultdict[tuple[Drifted, str], list[Cost]](list)
    for number in range(runs):
        for state in states:
            _bring_about(fleet, state)
            # What the server still has to do for the edits before is not always in the same one's way.
            for tool in tools(state)[:: -1 if number % 2 else 1]:
                costs[state.drifted, tool.name].append(run(tool.command, _environment(cluster, cluster.kubeconfig)))
    # To look at memory and to count bytes takes time, so that is done in runs of their own.
    for state in states:
        _bring_about(fleet, state)
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
        memory = peak_memory(tool.command, _environment(cluster, traffic.kubeconfig))
        received = traffic.received
    return Load(memory, len(cluster.audit(mark)), received)


def _environment(cluster: Cluster, kubeconfig: Path) -> dict[str, str]:
    return {**cluster.environment, "KUBECONFIG": str(kubeconfig)}


def _bring_about(fleet: Fleet, state: _State) -> None:
    progress(f"{state.size} objects, {state.syncing.value}, {state.drifted.value} drifted")
    fleet.drift(state.size, _EVERY[state.drifted])


def _fast_tools(programs: Path) -> _Tools:
    """The reporter and the floor, which are quick enough for fleets of any size."""

    def tools(state: _State) -> list[_Tool]:
        return [
            _Tool("drift report", [str(programs / "drift"), "report", str(state.manifests)]),
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
