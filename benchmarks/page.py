"""Writes the benchmarks page of the documentation from the results."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.results import Drifted, Result

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "benchmarks.md"
PLOT = DOCS / "images" / "benchmarks.svg"
_MEGA = 1_000_000
_COLORS = {
    "drift report": "#2563eb",
    "drift report, again": "#93c5fd",
    "floor": "#6b7280",
    "kubectl diff --server-side": "#d97706",
    "kubectl diff": "#dc2626",
}

_HEAD = """\
# Benchmarks

`python -m benchmarks.fleets` writes this page. Measured at the commit {commit}. All numbers are medians of {runs} runs
on one machine ({machine}), which also ran the API server. *Times the floor* compares them with the fastest possible
program. The reporter and the floor took turns, and so did no drift and one percent drift. Memory, requests and bytes
come from {runs} more runs, because measuring them takes time. Memory is the peak of all processes of a tool together,
sampled every hundredth of a second; shared pages count once.

A fleet has Deployments (two in five), ConfigMaps, Services and custom resources (one in five each) in 50 namespaces,
and one YAML file per application. `drift report, again` finds these files parsed in the cache folder of the user, as
the first run leaves them. *Floor* is a program that lists the same kinds and only parses the JSON.
`kubectl diff` sends requests for each object and takes minutes for ten thousand objects, so it was measured up to
{kubectl:,} objects, and with drift only at the smallest size, because drift does not change its requests. Requests are
counted in the API server's audit log, and bytes on the wire.

![Seconds by number of objects, both axes logarithmic](images/benchmarks.svg)
"""


def write_page(results: Sequence[Result], machine: str) -> None:
    """Writes the page and its plot, for results of the commit that is checked out."""
    git = ["git", "-C", str(DOCS), "log", "-1", "--format=%h of %cs"]
    text = _HEAD.format(
        commit=subprocess.run(git, check=True, capture_output=True, text=True).stdout.strip(),
        runs=min(result.runs for result in results),
        machine=machine,
        kubectl=max((result.objects for result in results if result.tool.startswith("kubectl")), default=0),
    )
    for syncing in dict.fromkeys(result.syncing for result in results):
        text += f"\n## Synced {syncing}\n\n" + table([result for result in results if result.syncing == syncing])
    PAGE.write_text(text, "utf-8")
    _plot(results)


def table(results: Sequence[Result]) -> str:
    """Returns a Markdown table of results that were synced in the same way. Each state has a floor."""
    floors = {(result.objects, result.drifted): result.wall for result in results if result.tool == "floor"}
    rows = [
        f"| {result.objects:,} | {result.drifted.value} | {result.tool} | {result.wall:.2f} s "
        f"| {result.wall / floors[result.objects, result.drifted]:.1f} | {result.cpu:.2f} s "
        f"| {result.memory / _MEGA:.0f} MB | {result.requests:,} | {result.received / _MEGA:.1f} MB |"
        # The sort is stable, so the tools stay in the order of measurement.
        for result in sorted(results, key=lambda result: (result.objects, list(Drifted).index(result.drifted)))
    ]
    head = (
        "| objects | drifted | tool | time | times the floor | CPU | memory | requests | received |\n"
        "|--:|--:|---|--:|--:|--:|--:|--:|--:|\n"
    )
    return head + "\n".join(rows) + "\n"


def _plot(results: Sequence[Result]) -> None:
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("svg")
    # The same results must give the same bytes.
    mpl.rcParams["svg.hashsalt"] = "benchmarks"
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(7, 4.2))
    for tool, color in _COLORS.items():
        points = sorted(
            (result.objects, result.wall)
            for result in results
            if result.tool == tool and result.drifted is Drifted.NONE and result.syncing == "server-side"
        )
        if points:
            axes.loglog(*zip(*points, strict=True), marker="o", color=color, label=tool)
    axes.set_xlabel("objects without drift, synced server-side")
    axes.set_ylabel("seconds")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False)
    PLOT.parent.mkdir(exist_ok=True)
    figure.savefig(PLOT, metadata={"Date": None}, bbox_inches="tight")
