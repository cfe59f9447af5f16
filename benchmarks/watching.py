"""Measures how soon ``drift watch`` reports an edit: ``python -m benchmarks.watching [OBJECTS]``.

Runs ``drift watch`` as a process against a sandbox cluster with OBJECTS objects in sync (default 10,000), and measures
the time from the API server's response to the edit until ``/report.json`` has it.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import urllib3

from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

REPOSITORY = Path(__file__).parents[1]
OBJECTS = 10_000
PER_NAMESPACE = 1_000
EDITS = 20
OK = 200


def main() -> None:
    """Measures and prints a Markdown table."""
    objects = int(sys.argv[1]) if len(sys.argv) > 1 else OBJECTS
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as folder:
        manifests = Path(folder) / "manifests.yaml"
        manifests.write_text("---\n".join(json.dumps(item) + "\n" for item in _objects(objects)))
        sync(cluster, Syncer.FLUX, manifests)
        command = [sys.executable, "-m", "drift", "watch", str(manifests), "--metrics-port=0", "--quiet"]
        begin = time.perf_counter()
        with subprocess.Popen(
            [*command, f"--kubeconfig={cluster.kubeconfig}"], cwd=REPOSITORY, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                _measure(process, cluster, objects, begin)
            finally:
                process.terminate()


def _objects(count: int) -> Iterator[dict[str, object]]:
    for number in range(-(-count // PER_NAMESPACE)):
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"load-{number}"}}
    for number in range(count):
        yield _object(number, {"name": f"item-{number}", "namespace": f"load-{number // PER_NAMESPACE}"})


def _object(number: int, metadata: dict[str, object]) -> dict[str, object]:
    if number % 2:
        labels = {"app": str(metadata["name"])}
        container = {
            "name": "web",
            "image": "web:1",
            "env": [{"name": "A", "value": "1"}],
            "ports": [{"containerPort": 80}],
        }
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1", "b": "2"}}


def _measure(process: "subprocess.Popen[str]", cluster: Cluster, objects: int, begin: float) -> None:
    if process.stderr is None:
        raise TypeError("no standard error")
    url = next(line for line in process.stderr if "see http" in line).split("see ")[1].strip()
    http = urllib3.PoolManager()
    while http.request("GET", f"{url}healthz").status != OK:
        time.sleep(0.1)
    start = time.perf_counter() - begin
    seconds = []
    for number in range(EDITS):
        name, value = f"item-{number * 2}", f"edited-{number}"
        patch = json.dumps({"data": {"a": value}})
        where = ("--namespace", f"load-{number * 2 // PER_NAMESPACE}")
        cluster.kubectl("patch", "configmap", name, *where, "--type=merge", "--patch", patch)
        done = time.perf_counter()
        while value.encode() not in http.request("GET", f"{url}report.json").data:
            time.sleep(0.01)
        seconds.append(time.perf_counter() - done)
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) // 1024
    print("| objects | start | edit to report: median | slowest | memory |\n|---|---|---|---|---|")
    print(f"| {objects:,} | {start:.1f} s | {statistics.median(seconds):.2f} s | {max(seconds):.2f} s | {memory} MB |")


if __name__ == "__main__":
    main()
