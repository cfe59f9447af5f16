"""Objects that people made in a real cluster are adopted: their new manifests say what they said, and no more."""

import subprocess

import pytest
import yaml

from drift.cli import main
from tests.drift.conftest import Application

CREATED = (
    "create deployment web --image=nginx --replicas=2 --port=80",
    "expose deployment web --type=NodePort --port=80",
    "create configmap settings --from-literal=mode=fast",
    "create job once --image=busybox -- true",
    "create cronjob nightly --image=busybox --schedule=@daily",
    "run debug --image=busybox --env=A=1 --labels=app=debug,tier=x -- sleep 1d",
    "create role reader --verb=get --resource=pods",
    "create rolebinding readers --role=reader --user=jane",
    "create ingress web --rule=example.com/*=web:80",
    "create poddisruptionbudget web --selector=app=web --min-available=1",
    "autoscale deployment web --max=3 --cpu=80%",
    "create serviceaccount robot",
    "create service clusterip headless --clusterip=None",
)
KEPT = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept, namespace: NAMESPACE}\ndata: {a: '1'}\n"


def test_unmanaged_objects_become_manifests_without_a_difference(
    workspace: Application, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace.manifests)
    workspace.write(KEPT)
    workspace.sync()
    for command in CREATED:
        workspace.kubectl(*command.split())
    report = workspace.report()
    assert len(report.findings) == len(CREATED)
    capsys.readouterr()

    assert main(["adopt", str(workspace.scratch / "report.json")]) == 0
    subprocess.run(["git", "apply"], input=capsys.readouterr().out, text=True, check=True)  # noqa: S607

    assert workspace.report().findings == []
    workspace.sync()
    assert workspace.report().findings == []
    service = yaml.safe_load((workspace.manifests / "service-web.yaml").read_text())
    assert service == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": workspace.namespace, "labels": {"app": "web"}},
        "spec": {"ports": [{"port": 80}], "selector": {"app": "web"}, "type": "NodePort"},
    }
