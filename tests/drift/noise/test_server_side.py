"""Values that the API server allocates, and its metadata, are silent."""

import json

import pytest

from tests.drift.conftest import Application
from tests.drift.noise.conftest import Quiet
from tests.drift.samples import SERVICE, deployment
from tools.sandbox.syncers import Syncer


def test_n10_server_side_metadata_in_git_is_ignored(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync(Syncer.KUBECTL)
    live = json.loads(workspace.kubectl("get", "deployment", "web", "-o", "json", "--show-managed-fields"))
    # A user committed the output of `kubectl get -o yaml`, and the object has changed since.
    live["metadata"]["generation"] = 77
    live["metadata"]["uid"] = "0"
    workspace.write(json.dumps(live))

    assert workspace.report().findings == []


@pytest.mark.parametrize("syncer", Syncer)
@pytest.mark.parametrize(
    "spec", ["", ", type: NodePort", ", type: LoadBalancer", ", clusterIP: ''", ", clusterIP: None"]
)
def test_n19_values_allocated_to_a_service_are_silent(workspace: Application, spec: str, syncer: Syncer) -> None:
    workspace.write(SERVICE % spec)
    workspace.sync(syncer)

    assert workspace.report().findings == []


def test_n19_service_fields_in_git_are_compared(workspace: Application) -> None:
    workspace.write(SERVICE % ", sessionAffinity: None, type: NodePort")
    workspace.sync()
    workspace.kubectl("patch", "service", "web", "--patch", '{"spec": {"sessionAffinity": "ClientIP"}}')

    assert [path for _, _, path, _ in workspace.report().findings] == ["spec.sessionAffinity"]


JOB = """
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: NAMESPACE}
spec:
  ttlSecondsAfterFinished: 60
  template:
    spec: {restartPolicy: Never, containers: [{name: once, image: "busybox:1"}]}
"""


@pytest.mark.parametrize("syncer", Syncer)
def test_n29_labels_made_from_a_jobs_uid_are_silent(workspace: Application, syncer: Syncer) -> None:
    workspace.write(JOB)
    workspace.sync(syncer)

    assert workspace.report().findings == []


def test_n29_a_job_that_is_gone_after_its_time_is_finished(workspace: Application) -> None:
    workspace.write(JOB)

    scanned = workspace.report()

    assert scanned.status == 0
    assert scanned.findings == []
    assert scanned.document["objects"][0]["reason"].startswith("finished")


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ARGOCD, Syncer.KUBECTL])
def test_n30_fields_that_admission_adds_to_the_appliers_request_are_silent(
    workspace: Application, syncer: Syncer
) -> None:
    limits = {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": {"name": "defaults"},
        "spec": {"limits": [{"type": "Container", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "100m"}}]},
    }
    workspace.kubectl("create", "-f", "-", stdin=json.dumps(limits))
    workspace.write(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: alone, namespace: NAMESPACE}\n"
        "spec: {containers: [{name: one, image: 'busybox:1'}], tolerations: [{key: a, operator: Exists}]}\n"
    )
    workspace.sync(syncer)

    assert workspace.report().findings == []


def test_n34_status_in_git_is_ignored(quiet: Quiet) -> None:
    quiet(deployment() + "status: {replicas: 17, conditions: []}\n")


def test_n35_a_namespace_on_a_cluster_scoped_object_is_ignored(workspace: Application) -> None:
    workspace.write("apiVersion: v1\nkind: Namespace\nmetadata: {name: NAMESPACE, namespace: elsewhere}\n")

    scanned = workspace.report()

    assert scanned.findings == []
    assert scanned.document["summary"]["objects"]["inSync"] == 1
