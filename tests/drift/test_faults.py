"""What cannot be read is said to be unchecked, or compared without: never a crash, and never in sync."""

import json
from collections.abc import Iterator

import pytest

from tests.drift.conftest import Application
from tests.drift.test_noise import WIDGETS, deployment, wait_for_schema, widget
from tests.sandbox.syncers import Syncer


@pytest.fixture
def broken_group(workspace: Application) -> Iterator[str]:
    """An API group whose server is down. It must go before any namespace can be deleted."""
    group = f"{workspace.namespace}.example.org"
    service = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": f"v1.{group}"},
        "spec": {
            "group": group,
            "version": "v1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": workspace.namespace, "name": "down", "port": 443},
        },
    }
    workspace.kubectl("create", "-f", "-", stdin=json.dumps(service))
    yield group
    workspace.kubectl("delete", "apiservice", f"v1.{group}")


def test_an_api_that_is_down_leaves_its_objects_unchecked(workspace: Application, broken_group: str) -> None:
    thing = f"apiVersion: {broken_group}/v1\nkind: Thing\nmetadata: {{name: t, namespace: NAMESPACE}}\n"
    workspace.write(deployment())
    workspace.sync()
    workspace.write(deployment() + "---\n" + thing)

    scanned = workspace.report()

    assert scanned.status == 3
    assert scanned.document["summary"]["objects"]["inSync"] == 1
    (unchecked,) = scanned.document["objects"]
    assert (unchecked["kind"], unchecked["status"]) == ("Thing", "unchecked")
    assert "does not answer" in unchecked["reason"]


def test_a_misspelt_kind_says_what_may_be_meant(workspace: Application) -> None:
    workspace.write("apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: t, namespace: NAMESPACE}\n")

    (missing,) = workspace.report().document["objects"]

    assert missing["reason"].endswith("is its CRD installed, or did you mean Deployment in apps/v1?")


def test_a_kind_that_the_server_does_not_know_is_missing_and_says_why(workspace: Application) -> None:
    workspace.write("apiVersion: nowhere.example.org/v1\nkind: Thing\nmetadata: {name: t, namespace: NAMESPACE}\n")

    scanned = workspace.report()

    assert scanned.findings == [("Thing/t", "missing", "", "unknown")]
    assert "is its CRD installed?" in scanned.document["objects"][0]["reason"]
    assert scanned.document["objects"][0]["namespace"] == workspace.namespace


OPEN = "type: object, x-kubernetes-preserve-unknown-fields: true"


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ARGOCD])
def test_a_custom_resource_without_a_schema_is_compared_field_by_field(workspace: Application, syncer: Syncer) -> None:
    definition, _, _ = WIDGETS.partition("          type: object")
    definition += f"          {{{OPEN}}}\n" if definition.endswith("openAPIV3Schema:\n") else ""
    spec = "{a: {b: c}, list: [{name: x, value: 1}], empty: {}, resources: {requests: {cpu: 1000m}}}"
    workspace.write(definition)
    workspace.sync(syncer)
    try:
        wait_for_schema(workspace)
        workspace.write(definition + "---\n" + widget(spec))
        workspace.sync(syncer)
        assert workspace.report().findings == []
        patch = {"spec": {"a": {"b": "d", "e": "f"}, "list": [{"name": "x", "value": 2}]}}
        workspace.kubectl("patch", "widget", "gadget", "--type=merge", "--patch", json.dumps(patch))

        assert workspace.report().findings == [
            ("Widget/gadget", "changed", "spec.a.b", "manual"),
            ("Widget/gadget", "added", "spec.a.e", "manual"),
            ("Widget/gadget", "changed", "spec.list", "manual"),
        ]
    finally:
        workspace.cluster.kubectl("delete", "crd", f"widgets.{workspace.namespace}.example.com", "--wait=false")


@pytest.mark.parametrize(
    "managed_fields",
    [
        "nonsense",
        [{"manager": 7}],
        [{"manager": "m", "operation": "Update", "fieldsV1": {"x:nonsense": {}}}],
        [{"manager": "m", "operation": "Update", "fieldsV1": {"k:{": {}}}],
        [{"manager": "m", "operation": "Update", "fieldsV1": {"f:data": 3}}],
        [None],
    ],
)
def test_managed_fields_that_cannot_be_read_are_said_and_the_rest_is_compared(
    workspace: Application, managed_fields: object
) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": workspace.namespace}}
    workspace.write(json.dumps({**config, "data": {"a": "1"}}))
    metadata = {**config["metadata"], "managedFields": managed_fields}  # type: ignore[dict-item]
    dump = workspace.scratch / "dump.json"
    dump.write_text(json.dumps({**config, "metadata": metadata, "data": {"a": "2"}}))

    scanned = workspace.report("--live", str(dump))

    assert scanned.findings == [("ConfigMap/c", "changed", "data.a", "unknown")]
    assert "managedFields cannot be read" in scanned.document["objects"][0]["reason"]


def test_a_dump_without_managed_fields_says_once_how_to_make_a_better_one(workspace: Application) -> None:
    workspace.write(deployment(spec="replicas: 2"))
    workspace.sync()
    workspace.kubectl("scale", "deployment/web", "--replicas=3")
    dump = workspace.scratch / "dump.yaml"
    dump.write_text(workspace.kubectl("get", "deployment", "-o", "yaml"))

    scanned = workspace.report("--live", str(dump))

    assert scanned.findings == [("Deployment/web", "changed", "spec.replicas", "unknown")]
    (note,) = scanned.document["notes"]
    assert "--show-managed-fields" in note


def test_a_server_that_goes_away_ends_the_scan_with_3(
    workspace: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.write(deployment())
    workspace.cluster.stop_api_server()
    try:
        with pytest.raises(FileNotFoundError):
            workspace.report()
    finally:
        workspace.cluster.start_api_server()

    assert "the connection was refused" in capsys.readouterr().err
