"""Folders that the real kustomize builds: what is compared, where it comes from, and what goes wrong."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from drift.api import read_manifests
from drift.cli import main
from drift.model import Source
from drift.sources.kustomize import build, read_built
from tests.drift.conftest import Application

FILES = {
    "base/kustomization.yaml": (
        "resources: [web.yaml, more.yaml]\nconfigMapGenerator:\n- {name: other}\n- name: conf\n  literals: [a=1]\n"
    ),
    "base/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n"
    "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n"
    "    spec: {containers: [{name: web, image: 'nginx:1', envFrom: [{configMapRef: {name: conf}}]}]}\n",
    "base/more.yaml": "# more\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n---\n"
    "apiVersion: v1\nkind: Secret\nmetadata: {name: key, annotations: {example.com/kept: 'yes'}}\n"
    "stringData: {key: planted-in-git}\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\nsecretGenerator:\n- name: token\n"
    "  literals: [token=planted-in-generator]\npatches:\n- target: {kind: Deployment}\n"
    '  patch: \'[{"op": "add", "path": "/spec/replicas", "value": 3}]\'\n',
}
#: A dump of a cluster without objects.
EMPTY = "apiVersion: v1\nkind: List\nitems: []\n"


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a base and an overlay."""
    write(tmp_path, {**FILES, "live.yaml": EMPTY})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_object_has_the_file_and_line_that_people_edit(folder: Path, kustomize: Path) -> None:
    del folder, kustomize

    sources = {f"{m.kind}/{m.name}": m.source for m in read_built(build(Path("prod")), Path("prod"), "prod")}

    assert {name: str(source) for name, source in sources.items()} == {
        "ConfigMap/prod-conf-h29d89cmmt": "base/kustomization.yaml:4",
        "ConfigMap/prod-other-6ct58987ht": "base/kustomization.yaml:3",
        "Deployment/prod-web": "base/web.yaml:1",
        "Secret/prod-key": "base/more.yaml:7",
        "Secret/prod-token-6ktmm8cb95": "prod/kustomization.yaml:4",
        "Service/prod-web": "base/more.yaml:2",
    }
    assert sources["Secret/prod-key"] == Source("base/more.yaml", 2, 7)


@pytest.mark.parametrize("metadata", ["", "buildMetadata: [originAnnotations, managedByLabel]\n"])
def test_the_objects_are_those_that_kustomize_build_prints(folder: Path, kustomize: Path, metadata: str) -> None:
    with (folder / "prod/kustomization.yaml").open("a") as file:
        file.write(metadata)
    subprocess.run([kustomize, "build", "prod", "-o", "plain.yaml"], check=True)

    found = {(m.kind, m.name): m.body for m in read_built(build(Path("prod")), Path("prod"), "prod")}

    assert found == {(m.kind, m.name): m.body for m in read_manifests(["plain.yaml"]).manifests}


@pytest.fixture
def synced(workspace: Application, kustomize: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """The overlay, synced."""
    write(workspace.manifests, FILES)
    output = subprocess.run([kustomize, "build", workspace.manifests / "prod"], check=True, capture_output=True)
    (workspace.scratch / "built.yaml").write_bytes(output.stdout)
    workspace.kubectl(
        *("apply", "--server-side", "--field-manager=kustomize-controller", "-f", str(workspace.scratch / "built.yaml"))
    )
    monkeypatch.chdir(workspace.manifests)
    return workspace


def report(workspace: Application, *arguments: str) -> tuple[int, dict[str, Any]]:

    file = workspace.scratch / "report.json"
    flags = ("--kubeconfig", str(workspace.cluster.kubeconfig), "--namespace", workspace.namespace)
    status = main(["report", *arguments, *flags, "--output", f"json={file}", "--output", "text"])
    return status, json.loads(file.read_text())


def test_an_overlay_is_in_sync_until_a_generated_config_map_is_deleted(synced: Application) -> None:
    status, document = report(synced, "prod")

    assert (status, document["summary"]["verdict"]) == (0, "in-sync")
    assert [(source["kind"], source["name"], source["objects"]) for source in document["sources"]] == [
        ("kustomize", "prod", 6)
    ]

    synced.kubectl("delete", "configmap", "prod-conf-h29d89cmmt")
    status, document = report(synced, "prod")

    assert status == 1
    [missing] = [item for item in document["objects"] if item["status"] == "missing"]
    assert (missing["name"], missing["origins"]) == ("prod-conf-h29d89cmmt", ["prod"])
    assert missing["source"] == {"file": "base/kustomization.yaml", "document": 1, "line": 4}
