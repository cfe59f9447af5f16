"""Runs Flux's kustomize-controller in a sandbox cluster, with a server of artifacts in place of source-controller."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

from tools.sandbox.binaries import BUILD_FLAGS, Build, build_hash, build_in, cache_base
from tools.sandbox.cluster import Cluster
from tools.sandbox.processes import Processes

MODULE: Final = Path(__file__).parent / "controllers"
_NAME: Final = "kustomize-controller"
_PACKAGE: Final = "github.com/fluxcd/kustomize-controller"


def find_kustomize_controller() -> Path:
    """Returns the program, after building it if it is missing, which takes five minutes.

    Raises:
        BinariesError: The build failed.
    """
    folder = cache_base(os.environ) / f"{_NAME}-{build_hash(MODULE, '')}"
    if not os.access(folder / _NAME, os.X_OK):
        build_in(folder, [_NAME], Build(MODULE, BUILD_FLAGS, {_NAME: _PACKAGE}), os.environ, sys.stderr)
    return folder / _NAME


@contextmanager
def kustomize_controller(program: Path, cluster: Cluster) -> Iterator[Path]:
    """Runs the controller for all namespaces. Yields the file of its log.

    Raises:
        StartError: It cannot be started.
    """
    environment = ["RUNTIME_NAMESPACE=default", f"KUBECONFIG={cluster.kubeconfig}"]
    # Port 0 of the health endpoint is any free port; metrics are off.
    addresses = ("--metrics-addr=0", "--health-addr=127.0.0.1:0", "--enable-leader-election=false")
    with Processes() as processes:
        processes.start(_NAME, ["env", *environment, str(program), *addresses])
        yield processes.log(_NAME)
        processes.check(_NAME)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Writes no log."""


class Artifacts:
    """A server of the commits of a repository, on loopback.

    Args:
        folder: For the archives.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def publish(self, root: Path, commit: str) -> str:
        """Serves a commit, and returns the status of its GitRepository as JSON."""
        archive = self._folder / f"{commit}.tar.gz"
        command = ["git", "-C", str(root), "archive", "--format=tar.gz", f"--output={archive}", commit]
        subprocess.run(command, check=True, capture_output=True)
        now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        revision = f"main@sha1:{commit}"
        artifact = {
            "url": f"http://127.0.0.1:{self._server.server_port}/{archive.name}",
            "path": archive.name,
            "revision": revision,
            "digest": f"sha256:{hashlib.sha256(archive.read_bytes()).hexdigest()}",
            "lastUpdateTime": now,
            "size": archive.stat().st_size,
        }
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Succeeded",
            "message": f"stored artifact for revision '{revision}'",
            "lastTransitionTime": now,
            "observedGeneration": 1,
        }
        return json.dumps({"status": {"artifact": artifact, "conditions": [ready], "observedGeneration": 1}})
