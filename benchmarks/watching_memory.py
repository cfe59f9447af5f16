"""Measures the memory of ``drift watch`` over many edits: ``python -m benchmarks.watching_memory [EDITS]``.

Runs ``drift watch`` with a history as a process, and edits one ConfigMap of a sandbox cluster EDITS times (default
20,000; every second edit reverts the one before). Prints the resident memory of the process, each time after the watch
has seen all edits so far. The memory must not grow once the caches are full.
"""

import base64
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3
import yaml

from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

REPOSITORY = Path(__file__).parents[1]
EDITS = 20_000
PRINTED_AFTER = (0, 100, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 20_000)
OK = 200
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config, namespace: default}\ndata: {a: '1', b: '2'}\n"
PATH = "/api/v1/namespaces/default/configmaps/config?fieldManager=kubectl-edit"


def main() -> None:
    """Measures and prints a Markdown table."""
    edits = int(sys.argv[1]) if len(sys.argv) > 1 else EDITS
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as folder:
        manifests = Path(folder) / "manifests.yaml"
        manifests.write_text(CONFIG, encoding="utf-8")
        sync(cluster, Syncer.FLUX, manifests)
        with _watching(cluster, manifests, Path(folder) / "history.db") as (process, url):
            _measure(process, url, _Editor(cluster), edits)


@contextmanager
def _watching(cluster: Cluster, manifests: Path, history: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    command = [sys.executable, "-m", "drift", "watch", str(manifests), "--metrics-port=0", "--quiet"]
    with subprocess.Popen(
        [*command, f"--kubeconfig={cluster.kubeconfig}", f"--history={history}"],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            if process.stderr is None:
                raise TypeError("no standard error")
            yield process, next(line for line in process.stderr if "see http" in line).split("see ")[1].strip()
        finally:
            process.terminate()


class _Editor:
    """Edits the ConfigMap with one HTTP request per edit."""

    def __init__(self, cluster: Cluster) -> None:
        config = yaml.safe_load(cluster.kubeconfig.read_text(encoding="utf-8"))
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        token = config["users"][0]["user"]["token"]
        self._http = urllib3.PoolManager(ca_cert_data=authority)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/merge-patch+json"}
        self._url = cluster.server + PATH

    def edit(self, value: str) -> None:
        body = json.dumps({"data": {"a": value}})
        response = self._http.request("PATCH", self._url, body=body, headers=self._headers)
        if response.status != OK:
            raise RuntimeError(f"the edit failed: {response.status}")


def _measure(process: "subprocess.Popen[str]", url: str, editor: _Editor, edits: int) -> None:
    http = urllib3.PoolManager()
    while http.request("GET", f"{url}healthz").status != OK:
        time.sleep(0.1)
    print("| edits | memory | behind by |\n|---|---|---|", flush=True)
    for number in range(edits + 1):
        if number in PRINTED_AFTER or number == edits:
            behind = number - _seen(http, url)
            while _seen(http, url) < number:
                time.sleep(0.05)
            print(f"| {number:,} | {_resident(process.pid):.1f} MB | {behind:,} edits |", flush=True)
        editor.edit("1" if number % 2 else f"edited-{number}")


def _seen(http: urllib3.PoolManager, url: str) -> int:
    """Returns the number of opened and resolved findings that the watch has counted: one for each edit."""
    text = http.request("GET", f"{url}metrics").data.decode()
    counts = re.findall(r"^drift_watch_(?:opened|resolved)_findings_total (\d+)", text, re.MULTILINE)
    return sum(map(int, counts))


def _resident(process: int) -> float:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
