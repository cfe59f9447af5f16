"""Manifests in another API version than the server stores or serves."""

import pytest

from tests.drift.conftest import Application
from tests.drift.noise.conftest import BOTH, Quiet
from tests.drift.samples import deployment


def test_n31_a_version_that_is_not_served_says_which_one_to_move_to(workspace: Application) -> None:
    workspace.write(deployment().replace("apps/v1", "apps/v1beta1"))

    scanned = workspace.report()

    assert scanned.status == 3
    assert scanned.document["objects"][0]["status"] == "unchecked"
    assert "apps/v1beta1 is not served here; move the manifest to apps/v1" in scanned.document["objects"][0]["reason"]


@pytest.mark.parametrize("unmanaged", ["namespace", "cluster"])
def test_n31_two_versions_of_one_kind_do_not_make_each_other_unmanaged(workspace: Application, unmanaged: str) -> None:
    scaled = "{maxReplicas: 4, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: %s}}"
    autoscaler = (
        "apiVersion: autoscaling/%s\nkind: HorizontalPodAutoscaler\nmetadata: {name: %s, namespace: NAMESPACE}\nspec: "
    )
    workspace.write(autoscaler % ("v2", "a") + scaled % "a" + "\n---\n" + autoscaler % ("v1", "b") + scaled % "b")
    workspace.sync()

    document = workspace.report("--unmanaged", unmanaged).document

    assert [item["name"] for item in document["objects"] if item["namespace"] == workspace.namespace] == []


def test_n31_another_served_version_is_read_in_gits_version(quiet: Quiet) -> None:
    autoscaler = """
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NAMESPACE}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  targetCPUUtilizationPercentage: 50
"""
    quiet(autoscaler, syncers=BOTH)
