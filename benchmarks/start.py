"""Measures the time of a small report: ``python -m benchmarks.start``.

Measures whole processes, including start-up, against a sandbox cluster with ``dist/prod``. The commands take turns, so
that other load on the machine affects all alike.
"""

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.installed import install_reporter
from benchmarks.measure import run
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

REPOSITORY = Path(__file__).parents[1]
MANIFESTS = "dist/prod"
RUNS = 25
_KUBECTL_GET = f"kubectl get -k {MANIFESTS}"
#: Seconds that a report may take longer than `kubectl get` of the same objects.
_ALLOWANCE = 0.25
_CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one, namespace: shop}\ndata: {a: '1'}\n"


def main() -> None:
    """Measures and prints a Markdown table."""
    with tempfile.TemporaryDirectory() as folder, Cluster.start() as cluster:
        programs = install_reporter(Path(folder))
        drift, one = str(programs / "drift"), Path(folder) / "one.yaml"
        one.write_text(_CONFIG_MAP, "utf-8")
        sync(cluster, Syncer.FLUX, REPOSITORY / "rescan/crds")
        sync(cluster, Syncer.FLUX, REPOSITORY / MANIFESTS)
        report = [drift, "report", str(REPOSITORY / MANIFESTS)]
        kustomization = ["-k", str(REPOSITORY / MANIFESTS)]
        commands = {
            "python -c pass": [str(programs / "python"), "-c", "pass"],
            "drift --help": [drift, "--help"],
            "drift report one.yaml --live one.yaml": [drift, "report", str(one), "--live", str(one)],
            _KUBECTL_GET: ["kubectl", "get", *kustomization],
            f"drift report {MANIFESTS} --unmanaged off": [*report, "--unmanaged", "off"],
            f"drift report {MANIFESTS}": report,
            "kubectl diff --server-side": ["kubectl", "diff", "--server-side", "--force-conflicts", *kustomization],
            "kubectl diff": ["kubectl", "diff", *kustomization],
        }
        seconds = _in_turns(commands, {**cluster.environment, "KUBECONFIG": str(cluster.kubeconfig)})
    kubectl_get = statistics.median(seconds[_KUBECTL_GET])
    print(f"| command | median of {RUNS} | fastest | goal |\n|---|---|---|---|")
    for name, command in commands.items():
        goal = f"{kubectl_get + _ALLOWANCE:.2f} s" if MANIFESTS in name and "report" in command else ""
        print(f"| `{name}` | {statistics.median(seconds[name]):.2f} s | {min(seconds[name]):.2f} s | {goal} |")


def _in_turns(commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> Mapping[str, Sequence[float]]:
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(RUNS):
        for name, command in commands.items():
            seconds[name].append(run(command, environment).wall)
    return seconds


if __name__ == "__main__":
    main()
