"""Charts, rendered and installed by the real Helm 3 and Helm 4."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.drift.conftest import Application
from tests.drift.sources.test_kustomize import write

CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.3\n",
    "web/values.yaml": "image: nginx:1\nreplicas: 2\ngreeting: hello\n",
    "web/templates/web.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\nspec:\n"
        "  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n"
        "    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: {{ .Values.image }}}]}\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
        "data: {greeting: {{ .Values.greeting }}, kube: {{ .Capabilities.KubeVersion.Version }}}\n"
    ),
    "web/templates/secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\n"
        "stringData: {password: {{ randAlphaNum 16 }}, fixed: planted-in-chart}\n"
    ),
    "web/templates/hook.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n"
    ),
}


@pytest.fixture
def installed(workspace: Application, helm: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """A chart in the working directory, installed as the release shop."""
    write(workspace.manifests, CHART)
    monkeypatch.chdir(workspace.manifests)
    run_helm(workspace, helm, "install", "shop", "web")
    return workspace


def run_helm(workspace: Application, helm: Path, *arguments: str) -> None:
    place = ("--kubeconfig", str(workspace.cluster.kubeconfig), "--namespace", workspace.namespace)
    subprocess.run([helm, *arguments, *place], check=True, capture_output=True)


def report(workspace: Application, *arguments: str) -> tuple[int, dict[str, Any]]:
    file = workspace.scratch / "report.json"
    flags = ("--kubeconfig", str(workspace.cluster.kubeconfig), "--namespace", workspace.namespace)
    status = main(["report", *arguments, *flags, "--output", f"json={file}", "--output", "text"])
    return status, json.loads(file.read_text())


def findings(document: dict[str, Any]) -> list[tuple[str, str, str, str, list[str]]]:
    return [
        (
            f"{item['kind']}/{item['name']}",
            finding["change"],
            finding["path"],
            finding["cause"],
            [actor["manager"] for actor in finding["actors"]],
        )
        for item in document["objects"]
        for finding in item["findings"]
    ]


@pytest.mark.parametrize("sources", [["--helm-release", "shop"], ["web", "--release", "shop"]])
def test_a_release_is_in_sync_until_it_is_edited_by_hand(installed: Application, sources: list[str]) -> None:
    status, document = report(installed, *sources)

    assert (status, findings(document), document["errors"]) == (0, [], [])
    assert document["summary"]["objects"]["inSync"] == 3

    installed.patch("deployment", "shop", {"spec": {"replicas": 5}})
    status, document = report(installed, *sources)

    assert status == 1
    assert findings(document) == [("Deployment/shop", "changed", "spec.replicas", "manual", ["kubectl-patch"])]
