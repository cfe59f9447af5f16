"""Tracking metadata of appliers, and restarts."""

import json

import pytest

from tests.drift.conftest import Application
from tests.drift.samples import deployment
from tools.sandbox.syncers import Syncer


@pytest.mark.parametrize("syncer", [syncer for syncer in Syncer if syncer is not Syncer.KUBECTL])
def test_n26_tracking_metadata_of_appliers_is_silent(workspace: Application, syncer: Syncer) -> None:
    workspace.write(deployment())
    workspace.sync(syncer, owner="apps")

    assert workspace.report().findings == []


def test_n27_a_child_with_its_parents_tracking_label_is_not_unmanaged(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync(owner="apps")
    uid = workspace.kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.uid}")
    child = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "child",
            "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid}],
        },
    }
    workspace.kubectl("create", "-f", "-", stdin=json.dumps(child))

    assert workspace.report().findings == []


def test_n28_a_restart_is_a_low_finding_with_a_note(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync()
    workspace.kubectl("rollout", "restart", "deployment/web")

    scanned = workspace.report()

    (finding,) = scanned.document["objects"][0]["findings"]
    assert finding["severity"] == "low"
    assert "rollout restart" in finding["note"]
