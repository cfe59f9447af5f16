"""Fixtures for edits that several people make in a real cluster, with its real audit log."""

import json
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from tests.drift.conftest import Application
from tools.sandbox.cluster import AUDITED_NAMESPACES, PEOPLE, Cluster, audited_namespace

A, B, C, D, E = PEOPLE
#: Of the audited namespaces. The first ones are for other tests.
_NUMBERS = cycle(range(3, AUDITED_NAMESPACES + 1))
MANIFESTS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: registry.example.com/web:1
        env: [{name: MODE, value: prod}, {name: LEVEL, value: info}]
      - {name: side, image: "registry.example.com/side:1"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
data: {a: "1", b: "2"}
---
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: NAMESPACE}
stringData: {password: planted-in-git}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec: {selector: {app: web}, ports: [{port: 80}]}
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """An application that Flux synced, and the audit log since just before that."""

    application: Application
    mark: int

    @property
    def cluster(self) -> Cluster:
        return self.application.cluster

    def kubectl(self, person: str, *arguments: str, stdin: str | None = None) -> None:
        """Runs kubectl as one of the people."""
        self.cluster.kubectl(
            "--namespace",
            self.application.namespace,
            *arguments,
            stdin=stdin,
            kubeconfig=self.cluster.kubeconfig_of(person),
        )

    def service_account(self, name: str) -> Path:
        """Creates a service account that may do everything in the namespace. Returns its kubeconfig."""
        namespace = self.application.namespace
        self.application.kubectl("create", "serviceaccount", name)
        role = ("create", "rolebinding", name, "--clusterrole=cluster-admin")
        self.application.kubectl(*role, f"--serviceaccount={namespace}:{name}")
        return self.cluster.kubeconfig_for(self.cluster.token(name, namespace), namespace)

    def log(self, since: int | None = None) -> Path:
        file = self.application.scratch / "audit.log"
        file.write_bytes(self.cluster.audit_lines(self.mark if since is None else since))
        return file

    def findings(self, *flags: str, log: Path | None = None) -> dict[str, dict[str, Any]]:
        """Returns the findings by kind, name and path."""
        scanned = self.application.report("--audit-log", str(log or self.log()), "--quiet", *flags)
        return {
            f"{item['kind']}/{item['name']} {finding['path']}".rstrip(): finding
            for item in scanned.document["objects"]
            for finding in item["findings"]
        }

    def people(self, *flags: str, log: Path | None = None) -> dict[str, list[tuple[str, str]]]:
        """Returns user and evidence of each actor that has evidence, by finding."""
        return {
            name: [(actor["user"], actor["evidence"]) for actor in finding["actors"] if "evidence" in actor]
            for name, finding in self.findings(*flags, log=log).items()
        }


@pytest.fixture
def scene(cluster: Cluster, namespace: str, tmp_path: Path) -> Scene:
    """A scene whose requests are audited at level Metadata."""
    return _synced(cluster, namespace, tmp_path)


@pytest.fixture(params=["Request", "RequestResponse"])
def scene_with_bodies(request: pytest.FixtureRequest, cluster: Cluster, tmp_path: Path) -> Scene:
    """A scene whose requests are audited with bodies."""
    namespace = audited_namespace(request.param, next(_NUMBERS))
    cluster.create_namespace(namespace)
    return _synced(cluster, namespace, tmp_path)


@pytest.fixture
def audited(cluster: Cluster, tmp_path: Path) -> Scene:
    """A scene that nothing is synced to, whose requests are audited at level RequestResponse."""
    namespace, manifests = audited_namespace("RequestResponse", next(_NUMBERS)), tmp_path / "manifests"
    manifests.mkdir()
    mark = cluster.audit_mark()
    cluster.create_namespace(namespace)
    return Scene(Application(cluster, namespace, manifests, tmp_path), mark)


def without_bodies(log: Path) -> Path:
    """Returns the log as level Metadata has it."""
    events = [json.loads(line) for line in log.read_bytes().splitlines()]
    kept = [
        {name: event[name] for name in event if name not in {"requestObject", "responseObject"}} for event in events
    ]
    file = log.with_name("metadata.log")
    file.write_text("".join(f"{json.dumps(event)}\n" for event in kept))
    return file


def _synced(cluster: Cluster, namespace: str, scratch: Path) -> Scene:
    mark = cluster.audit_mark()
    manifests = scratch / "manifests"
    manifests.mkdir()
    application = Application(cluster, namespace, manifests, scratch)
    application.write(MANIFESTS)
    application.sync()
    return Scene(application, mark)
