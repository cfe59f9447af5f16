"""Fixtures for what Flux and Argo CD apply."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.conftest import CRDS
from tests.drift.conftest import Scanned
from tests.git import git
from tools.sandbox.cluster import Cluster
from tools.sandbox.controller_crds import ARGOCD, FLUX
from tools.sandbox.flux_oracle import find_flux_oracle
from tools.sandbox.syncers import Syncer, sync, wait_for_crds

URL = "https://git.example.com/acme/apps"


@pytest.fixture(scope="session")
def flux_oracle() -> Path:
    """Flux's own rendering; found before a test changes HOME, where its cache is."""
    return find_flux_oracle()


@pytest.fixture(scope="session")
def controller_crds(cluster: Cluster) -> Iterator[None]:
    """Installs the real CRDs of Flux and Argo CD."""
    install_controller_crds(cluster)
    yield
    sync(cluster, Syncer.FLUX, CRDS)


def install_controller_crds(cluster: Cluster) -> None:
    files = [f"--filename={file}" for module in (*FLUX, *ARGOCD) for file in module.files()]
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller", *files)
    wait_for_crds(cluster, *files)


@dataclass(frozen=True, slots=True)
class GitOps:
    """A work tree whose origin is `URL`, a cluster, and a namespace of it."""

    cluster: Cluster
    namespace: str
    root: Path
    scratch: Path

    def write(self, files: dict[str, str]) -> None:
        """Writes files, with the namespace in place of NAMESPACE."""
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text.replace("NAMESPACE", self.namespace))

    def git(self, *arguments: str) -> str:
        return git(self.root, *arguments)

    def commit(self, files: dict[str, str]) -> str:
        """Writes and commits files, and returns the commit."""
        self.write(files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message=change")
        return self.git("rev-parse", "HEAD")

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin).stdout

    def create(self, body: dict[str, Any], manager: str) -> None:
        """Creates an object of a controller with its status, as the controller writes it."""
        metadata = {"namespace": self.namespace, **body["metadata"]}
        status = body.pop("status", None)
        text = json.dumps({**body, "metadata": metadata})
        self.kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", "-", stdin=text)
        if status is not None:
            kind = f"{body['kind']}.{body['apiVersion'].partition('/')[0]}"
            # Argo CD writes the status as a part of the object.
            where = () if kind.endswith("argoproj.io") else ("--subresource=status",)
            patch = (f"--field-manager={manager}", "--type=merge", "--patch", json.dumps({"status": status}))
            self.kubectl("patch", kind, metadata["name"], *where, *patch)

    def flux(self, *flags: str, names: tuple[str, ...] = ("apps",)) -> Scanned:
        """Reports on Kustomizations of the namespace."""
        named = [part for name in names for part in ("--flux", f"{self.namespace}/{name}")]
        return self.report("--unmanaged", "off", *named, *flags)

    def report(self, *flags: str) -> Scanned:
        file = self.scratch / "report.json"
        file.unlink(missing_ok=True)
        connection = ("--kubeconfig", str(self.cluster.kubeconfig), "--namespace", self.namespace)
        status = main(["report", *connection, "--output", f"json={file}", *flags])
        return Scanned(status, json.loads(file.read_text()))


@pytest.fixture
def gitops(
    cluster: Cluster, namespace: str, tmp_path: Path, kustomize: Path, monkeypatch: pytest.MonkeyPatch
) -> GitOps:
    """An empty work tree, which is the working directory, and an empty namespace."""
    del kustomize
    root = tmp_path / "apps"
    root.mkdir()
    made = GitOps(cluster, namespace, root, tmp_path)
    made.git("init", "--quiet", "--initial-branch=main")
    made.git("remote", "add", "origin", f"{URL}.git")
    monkeypatch.chdir(root)
    return made
