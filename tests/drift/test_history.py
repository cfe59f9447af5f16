"""A history of a real cluster: who changed what, until when, and which objects could not be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.drift.conftest import Application, Scanned

MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: NAMESPACE}
data: {key: git}
---
apiVersion: v1
kind: Service
metadata: {name: b, namespace: NAMESPACE}
spec: {ports: [{port: 80}], selector: {app: b}}
"""


def lifecycles(scanned: Scanned) -> dict[str, str | None]:
    return {
        finding["path"] or item["name"]: finding["lifecycle"]
        for item in scanned.document["objects"]
        for finding in item["findings"]
    }


def resolved(scanned: Scanned) -> list[tuple[str, str]]:
    return [(gone["kind"], gone["path"]) for gone in scanned.document["resolved"]]


def _reader(application: Application, *resources: str) -> Path:
    """Returns the kubeconfig of an account that can read these resources in the namespace."""
    name = "-".join(["reader", *resources])
    application.kubectl("create", "serviceaccount", name)
    application.kubectl("create", "role", name, "--verb=get,list", f"--resource={','.join(resources)}")
    account = f"--serviceaccount={application.namespace}:{name}"
    application.kubectl("create", "rolebinding", name, f"--role={name}", account)
    token = application.kubectl("create", "token", name).strip()
    return application.cluster.kubeconfig_for(token)


def test_an_edit_is_new_then_open_and_resolved_when_it_is_synced(
    workspace: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.write(MANIFESTS)
    workspace.sync()
    history = ("--history", str(workspace.scratch / "history.db"))

    assert workspace.report(*history).status == 0
    workspace.patch("configmap", "a", {"data": {"key": "edited", "more": "x"}})
    assert lifecycles(workspace.report(*history)) == {"data.key": "new", "data.more": "new"}
    workspace.patch("service", "b", {"spec": {"ports": [{"port": 80, "appProtocol": "http"}]}})
    assert set(lifecycles(workspace.report(*history)).values()) == {"new", "ongoing"}
    workspace.sync()
    workspace.kubectl("patch", "configmap", "a", "--type=json", '--patch=[{"op": "remove", "path": "/data/more"}]')
    last = workspace.report(*history)

    assert ("ConfigMap", "data.key") in resolved(last)
    assert ("ConfigMap", "data.more") in resolved(last)
    assert [past["open"] for past in last.document["past"]][:2] == [0, 2]
    capsys.readouterr()
    assert main(["history", history[1], "--output", "json", "--object", "ConfigMap/a"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert {it["actors"][0]["manager"] for it in told["episodes"]} == {"kubectl-patch"}
    assert {it["state"] for it in told["episodes"]} == {"resolved"}


def test_a_finding_stays_open_if_its_object_cannot_be_read(workspace: Application) -> None:
    workspace.write(MANIFESTS)
    workspace.sync()
    workspace.patch("configmap", "a", {"data": {"key": "edited"}})
    flags = ("--history", str(workspace.scratch / "history.db"), "--unmanaged", "off")
    workspace.report(*flags)
    services = _reader(workspace, "services")

    blind = workspace.report(*flags, kubeconfig=services)
    assert (blind.status, resolved(blind)) == (3, [])
    seeing = workspace.report(*flags)

    assert lifecycles(seeing) == {"data.key": "ongoing"}
    assert [past["complete"] for past in seeing.document["past"]] == [True, False, True]
