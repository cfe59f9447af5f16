"""Objects that cannot be read are unchecked: never a crash, and never in sync."""

import json
from collections.abc import Iterator

import pytest

from drift.cli import main
from drift.kube import list_watch
from tests.drift.conftest import Application
from tests.drift.samples import WIDGETS, deployment, wait_for_schema, widget
from tools.sandbox.proxy import FOREVER, Exchange, Proxy
from tools.sandbox.syncers import Syncer


@pytest.fixture
def broken_group(workspace: Application, short_retry_delays: None) -> Iterator[str]:
    """An API group whose server is down. Other namespaces cannot be deleted while it exists."""
    del short_retry_delays
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


@pytest.mark.parametrize("unmanaged", ["namespace", "cluster"])
def test_an_unused_api_that_is_down_is_a_note_if_the_whole_cluster_is_read(
    workspace: Application, broken_group: str, unmanaged: str
) -> None:
    workspace.write(deployment())
    workspace.sync()

    scanned = workspace.report("--unmanaged", unmanaged)

    assert scanned.document["summary"]["verdict"] != "incomplete"
    assert scanned.document["errors"] == []
    said = [note for note in scanned.document["notes"] if broken_group in note]
    assert said == (
        [f"did not search for unmanaged objects of {broken_group}/v1: that API does not answer"]
        if unmanaged == "cluster"
        else []
    )


def _unavailable(exchange: Exchange) -> None:
    exchange.send(503, b"service unavailable", {"Content-Type": "text/plain"})


def test_an_api_that_goes_down_after_discovery_is_a_note_unless_it_is_built_in(
    proxied: tuple[Application, Proxy], custom_resources: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del custom_resources  # only installs the CRDs
    # The whole cluster has many objects, so not in pages of two.
    monkeypatch.setattr(list_watch, "PAGE", 500)
    application, running = proxied
    running.on("^/apis/external-secrets[.]io/.*/secretstores", _unavailable, times=FOREVER)

    scanned = application.report("--unmanaged", "cluster", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.document["errors"] == []
    assert any("did not search for unmanaged secretstores" in note for note in scanned.document["notes"])

    running.on("^/api/v1/secrets", _unavailable, times=FOREVER)
    scanned = application.report("--unmanaged", "cluster", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    (error,) = scanned.document["errors"]
    assert error.startswith("did not search for unmanaged secrets: GET /api/v1/secrets: 503")


def test_an_account_with_one_namespace_can_report_that_namespace(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync()
    rules = ("--verb=get,list", "--resource=deployments.apps,configmaps,secrets,services,serviceaccounts")
    workspace.kubectl("create", "role", "reader", *rules)
    workspace.kubectl("create", "serviceaccount", "reader")
    account = f"--serviceaccount={workspace.namespace}:reader"
    workspace.kubectl("create", "rolebinding", "reader", "--role=reader", account)
    token = workspace.cluster.token("reader", workspace.namespace)
    kubeconfig = workspace.cluster.kubeconfig_for(token, workspace.namespace)

    scanned = workspace.report(kubeconfig=kubeconfig)

    assert scanned.document["errors"] == []
    assert scanned.document["inSync"] != []
    assert any("may not list" in note for note in scanned.document["notes"])


def test_objects_of_the_largest_size_that_etcd_stores_are_compared(workspace: Application) -> None:
    large = "x" * 1_040_000
    workspace.write(
        "---\n".join(
            "apiVersion: v1\nkind: ConfigMap\n"
            f"metadata: {{name: large-{number}, namespace: NAMESPACE}}\ndata: {{small: a, large: {large}}}\n"
            for number in range(6)
        )
    )
    workspace.sync()
    workspace.kubectl("patch", "configmap", "large-3", "--patch", '{"data": {"small": "b"}}')

    scanned = workspace.report()

    assert scanned.findings == [("ConfigMap/large-3", "changed", "data.small", "manual")]
    assert scanned.document["summary"]["objects"]["inSync"] == 5


def test_an_object_at_the_limit_of_an_etcd_request_is_compared(workspace: Application) -> None:
    # etcd takes 1.5 MiB: the object, its managedFields, and the overhead of etcd.
    large = "x" * 1_480_000
    workspace.write(
        "apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: large, namespace: NAMESPACE}\n"
        "spec:\n  schedule: '0 0 1 1 *'\n  suspend: true\n"
        "  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, "
        f"containers: [{{name: large, image: busybox, env: [{{name: LARGE, value: {large}}}]}}]}}}}}}}}\n"
    )
    workspace.sync()

    assert workspace.report().status == 0
    workspace.patch("cronjob", "large", {"spec": {"schedule": "1 0 1 1 *"}})

    assert workspace.report().findings == [("CronJob/large", "changed", "spec.schedule", "manual")]


def test_a_namespace_that_is_being_deleted_is_reported_and_its_objects_with_it(workspace: Application) -> None:
    name = f"{workspace.namespace}-going"
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": name}, "data": {"a": "1"}}
    kept = {**config_map, "metadata": {"name": "kept", "namespace": name}}
    gone = {**config_map, "metadata": {"name": "gone", "namespace": name}}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    workspace.write(json.dumps({"apiVersion": "v1", "kind": "List", "items": [namespace, kept, gone]}))
    workspace.sync()
    cluster = workspace.cluster
    finalizers = '{"metadata": {"finalizers": ["example.org/held"]}}'
    cluster.kubectl("patch", "configmap", "kept", "--namespace", name, "--patch", finalizers)
    cluster.kubectl("delete", "namespace", name, "--wait=false")
    cluster.kubectl("wait", "configmap/gone", "--namespace", name, "--for=delete", "--timeout=180s")
    try:
        scanned = workspace.report()
    finally:
        patch = ("--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
        cluster.kubectl("patch", "configmap", "kept", "--namespace", name, *patch)

    assert scanned.status == 1
    found = {(what, change) for what, change, _, _ in scanned.findings}
    assert ("ConfigMap/gone", "missing") in found
    assert {what for what, _ in found} >= {f"Namespace/{name}", "ConfigMap/kept", "ConfigMap/gone"}


def test_a_misspelt_kind_gets_a_suggestion(workspace: Application) -> None:
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
def test_unreadable_managed_fields_are_noted_and_the_object_is_compared(
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


def test_times_of_a_server_whose_clock_is_ahead_are_reported_unchanged(
    workspace: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c", "namespace": workspace.namespace}}
    workspace.write(json.dumps({**config, "data": {"a": "1"}}))
    edit = {"manager": "kubectl-edit", "operation": "Update", "time": "2999-01-01T00:00:00Z"}
    managed_fields = [{**edit, "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {"f:a": {}}}}]
    metadata = {**config["metadata"], "managedFields": managed_fields}  # type: ignore[dict-item]
    dump = workspace.scratch / "dump.json"
    dump.write_text(json.dumps({**config, "metadata": metadata, "data": {"a": "2"}}))

    scanned = workspace.report("--live", str(dump), "--output", "text")

    assert scanned.findings == [("ConfigMap/c", "changed", "data.a", "manual")]
    (actor,) = scanned.document["objects"][0]["findings"][0]["actors"]
    assert actor["time"] == "2999-01-01T00:00:00Z"
    assert "changed in the cluster: kubectl-edit, 2999-01-01T00:00:00Z" in capsys.readouterr().out


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
        status = main(["report", str(workspace.manifests), "--kubeconfig", str(workspace.cluster.kubeconfig)])
    finally:
        workspace.cluster.start_api_server()

    assert status == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "the connection was refused" in line
