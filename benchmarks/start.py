"""How long a user waits for a small report: ``python -m benchmarks.start``.

Measures whole processes, start-up included, against a sandbox cluster into which ``dist/prod`` was synced.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.sandbox.cluster import Cluster
from tests.sandbox.syncers import Syncer, sync

REPOSITORY = Path(__file__).parents[1]
MANIFESTS = "dist/prod"
RUNS = 9


def main() -> None:
    """Measures and prints a Markdown table."""
    with Cluster.start() as cluster:
        sync(cluster, Syncer.FLUX, REPOSITORY / "rescan/crds")
        sync(cluster, Syncer.FLUX, REPOSITORY / MANIFESTS)
        kubeconfig = str(cluster.kubeconfig)
        kubectl = str(Path(cluster.environment["PATH"].partition(":")[0]) / "kubectl")
        drift = [sys.executable, "-m", "drift"]
        rows = [
            ("drift --help", [*drift, "--help"], 0.2),
            (f"drift report {MANIFESTS}", [*drift, "report", MANIFESTS, "--kubeconfig", kubeconfig], 1.2),
            ("kubectl diff", [kubectl, "diff", "--kubeconfig", kubeconfig, "-k", MANIFESTS], None),
            (
                "kubectl diff --server-side",
                [kubectl, "diff", "--server-side", "--kubeconfig", kubeconfig, "-k", MANIFESTS],
                None,
            ),
        ]
        print(f"| command | median of {RUNS} | fastest | goal |\n|---|---|---|---|")
        for name, command, goal in rows:
            seconds = [_seconds(command) for _ in range(RUNS)]
            print(
                f"| `{name}` | {statistics.median(seconds):.2f} s | {min(seconds):.2f} s | "
                f"{'' if goal is None else f'{goal} s'} |"
            )


def _seconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, cwd=REPOSITORY, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
