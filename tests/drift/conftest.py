"""Fixtures that sync manifests into a namespace of the sandbox and report their drift."""

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.kube import list_watch, requests
from tests.drift.faulty import deploy
from tools.sandbox.cluster import Cluster
from tools.sandbox.proxy import Proxy, proxy
from tools.sandbox.syncers import Syncer, sync

DIST = Path(__file__).parents[2] / "dist" / "prod"


@dataclass(frozen=True, slots=True)
class Scanned:
    """The exit status and the JSON report of ``drift report``."""

    status: int
    document: dict[str, Any]

    @property
    def findings(self) -> list[tuple[str, str, str, str]]:
        """Object, change, path and cause of each finding."""
        return [
            (f"{item['kind']}/{item['name']}", finding["change"], finding["path"], finding["cause"])
            for item in self.document["objects"]
            for finding in item["findings"]
        ]

    @property
    def managers(self) -> list[str]:
        return [
            actor["manager"]
            for item in self.document["objects"]
            for finding in item["findings"]
            for actor in finding["actors"]
        ]


def forget_versions(document: dict[str, Any]) -> None:
    """Removes the resourceVersions of a report, to compare it with another: a controller may write a status between."""
    for item in document["objects"]:
        item["resourceVersion"] = None


@dataclass(frozen=True, slots=True)
class Application:
    """A namespace of the sandbox, and the folder of its manifests."""

    cluster: Cluster
    namespace: str
    manifests: Path
    scratch: Path

    def write(self, text: str, name: str = "manifests.yaml") -> None:
        """Writes a file of manifests, with the namespace in place of NAMESPACE."""
        (self.manifests / name).write_text(text.replace("NAMESPACE", self.namespace))

    def sync(self, syncer: Syncer = Syncer.FLUX, owner: str | None = None, **marking: str) -> None:
        """Syncs the manifests; see `tools.sandbox.syncers.sync` for the arguments about tracking."""
        sync(self.cluster, syncer, self.manifests, owner=owner, namespace=self.namespace, **marking)

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, stdin=stdin).stdout

    def patch(self, what: str, name: str, patch: dict[str, Any]) -> None:
        self.kubectl("patch", what, name, "--patch", json.dumps(patch))

    def report(self, *flags: str, kubeconfig: Path | None = None) -> Scanned:
        file = self.scratch / "report.json"
        file.unlink(missing_ok=True)
        connection = () if "--live" in flags else ("--kubeconfig", str(kubeconfig or self.cluster.kubeconfig))
        place = ("--namespace", self.namespace)
        status = main(["report", str(self.manifests), *connection, *place, "--output", f"json={file}", *flags])
        return Scanned(status, json.loads(file.read_text()))


@pytest.fixture
def workspace(cluster: Cluster, namespace: str, tmp_path: Path) -> Application:
    """An empty folder of manifests and an empty namespace."""
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    return Application(cluster, namespace, manifests, tmp_path)


@pytest.fixture
def application(workspace: Application, custom_resources: None) -> Application:
    """The manifests of ``dist/prod``, in the namespace of the test.

    `tests/rescan/test_drift_job.py` covers the drift job, which is left out here.
    """
    del custom_resources  # only installs the CRDs
    for file in DIST.glob("*.yaml"):
        if file.name != "kustomization.yaml" and "rescan-drift" not in file.name:
            workspace.write(file.read_text().replace("rescan-prod", "NAMESPACE"), file.name)
    return workspace


@pytest.fixture(scope="module")
def _faulty(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Application, Proxy]]:
    folder = tmp_path_factory.mktemp("faults")
    (folder / "manifests").mkdir()
    application = Application(cluster, f"faults-{secrets.token_hex(4)}", folder / "manifests", folder)
    cluster.create_namespace(application.namespace)
    deploy(application)
    with proxy(cluster) as running, pytest.MonkeyPatch.context() as patch:
        # Fills the schema cache for all tests of the module.
        patch.setenv("HOME", str(tmp_path_factory.getbasetemp()))
        assert application.report("--quiet", kubeconfig=running.kubeconfig(folder)).status == 1
        yield application, running


@pytest.fixture
def short_retry_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries a request as often as ever, after milliseconds."""
    monkeypatch.setattr(requests, "_BACKOFF", requests._BACKOFF.new(backoff_factor=0.001, backoff_jitter=0))  # noqa: SLF001


@pytest.fixture
def proxied(
    _faulty: tuple[Application, Proxy], monkeypatch: pytest.MonkeyPatch, short_retry_delays: None
) -> tuple[Application, Proxy]:
    """The application of `tests.drift.faulty`, behind a proxy, with pages of two objects and short retry delays.

    All tests of a module share it, and change only the rules of the proxy.
    """
    del short_retry_delays
    application, running = _faulty
    running.forget()
    monkeypatch.setattr(list_watch, "PAGE", 2)
    return application, running


@pytest.fixture(autouse=True)
def _developer_kubeconfig_is_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps tests away from the developer's own clusters and cache."""
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/kubeconfig")
    monkeypatch.setenv("HOME", str(tmp_path_factory.getbasetemp()))
    for name in ("KUBERNETES_SERVICE_HOST", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """A function that returns the new text on standard error."""
    return lambda: capsys.readouterr().err
