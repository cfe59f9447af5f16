"""Which permissions the reporter needs, and how it ends without them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from drift.cli import main
from tests.drift.conftest import Application, forget_versions
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer

READ_VERBS = {"get", "list"}
EVERY_KIND = {
    "": [
        "configmaps",
        "namespaces",
        "persistentvolumeclaims",
        "pods",
        "replicationcontrollers",
        "secrets",
        "serviceaccounts",
        "services",
    ],
    "apps": ["daemonsets", "deployments", "replicasets", "statefulsets"],
    "autoscaling": ["horizontalpodautoscalers"],
    "batch": ["cronjobs", "jobs"],
    "external-secrets.io": ["externalsecrets", "secretstores"],
    "networking.k8s.io": ["ingresses", "networkpolicies"],
    "policy": ["poddisruptionbudgets"],
    "rbac.authorization.k8s.io": ["rolebindings", "roles"],
}
MANIFEST_KINDS = {
    "": ["configmaps", "namespaces", "persistentvolumeclaims", "serviceaccounts", "services"],
    "apps": ["deployments"],
    "external-secrets.io": ["externalsecrets", "secretstores"],
}


def account(application: Application, kinds: dict[str, list[str]]) -> Path:
    """Returns the kubeconfig of a service account that has only these verbs, in all namespaces."""
    name = f"reporter-{application.namespace}"
    rules = [{"apiGroups": [group], "resources": names, "verbs": ["get", "list"]} for group, names in kinds.items()]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }
    application.kubectl("create", "-f", "-", stdin=json.dumps(role))
    application.cluster.kubectl("create", "serviceaccount", name, "--namespace=default")
    application.kubectl(
        "create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount=default:{name}"
    )
    return application.cluster.kubeconfig_for(application.cluster.token(name))


def test_an_account_with_get_and_list_only_makes_the_same_report(application: Application) -> None:
    application.sync(Syncer.FLUX)
    application.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1")
    application.kubectl("create", "configmap", "stray")
    reader = account(application, EVERY_KIND)

    as_admin = application.report()
    mark = application.cluster.audit_mark()
    as_reader = application.report(kubeconfig=reader)

    as_admin.document["generatedAt"] = as_reader.document["generatedAt"] = None
    as_admin.document["scan"] = as_reader.document["scan"] = None
    for scanned in (as_admin, as_reader):
        forget_versions(scanned.document)
    assert as_reader.document == as_admin.document
    asked = [event for event in application.cluster.audit(mark) if event.user_agent == "drift"]
    assert asked
    assert {event.verb for event in asked} <= READ_VERBS
    assert {event.code for event in asked} == {200}


def test_kubectl_diff_is_refused_to_an_account_with_get_and_list_only(application: Application) -> None:
    application.sync(Syncer.FLUX)
    reader = account(application, EVERY_KIND)

    for flags in ((), ("--server-side",)):
        done = application.cluster.kubectl(
            "diff", *flags, "--recursive", "--filename", str(application.manifests), check=False, kubeconfig=reader
        )

        assert done.returncode > 1
        assert "cannot patch resource" in done.stderr


def test_m9_a_manifest_kind_without_read_permission_makes_the_scan_incomplete(
    application: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    application.sync(Syncer.FLUX)
    application.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1")
    readable = [name for name in EVERY_KIND[""] if name != "configmaps"]
    reader = account(application, {**EVERY_KIND, "": readable})

    scanned = application.report(kubeconfig=reader)

    assert scanned.status == 3
    assert scanned.document["summary"]["verdict"] == "incomplete"
    unchecked = [item for item in scanned.document["objects"] if item["status"] == "unchecked"]
    assert [(item["kind"], item["findings"]) for item in unchecked] == [("ConfigMap", [])]
    assert "may not be read by this account" in unchecked[0]["reason"]
    # The readable objects are still reported.
    assert [name for name, *_ in scanned.findings] == ["Deployment/rescan-app"]
    assert main(["report", str(application.manifests), "--kubeconfig", str(reader)]) == 3
    assert "incomplete: " in capsys.readouterr().out


def test_another_kind_without_list_permission_is_a_note(application: Application) -> None:
    application.sync(Syncer.FLUX)
    reader = account(application, MANIFEST_KINDS)

    scanned = application.report(kubeconfig=reader)

    assert scanned.status == 0
    assert any("secrets" in note and "may not list" in note for note in scanned.document["notes"])


def test_an_account_with_get_only_compares_the_manifests_and_skips_unmanaged_objects(application: Application) -> None:
    application.sync(Syncer.FLUX)

    assert application.report("--unmanaged", "off", kubeconfig=account(application, MANIFEST_KINDS)).status == 0


def _fails(arguments: list[str], stderr: Callable[[], str]) -> tuple[int, str]:
    status = main(["report", *arguments])
    lines = stderr().splitlines()
    assert len(lines) == 1
    return status, lines[0]


def test_an_expired_token_is_one_clear_line(application: Application, stderr: Callable[[], str]) -> None:
    application.cluster.kubectl("create", "serviceaccount", f"late-{application.namespace}", "--namespace=default")
    token = application.cluster.expired_token(f"late-{application.namespace}")
    kubeconfig = application.cluster.kubeconfig_for(token)

    status, line = _fails([str(application.manifests), "--kubeconfig", str(kubeconfig)], stderr)

    assert status == 3
    assert line.startswith(f"drift: {application.cluster.server}: the credentials were refused")
    assert "expired" in line


def test_a_kubeconfig_without_credentials_is_one_clear_line(
    application: Application, stderr: Callable[[], str], tmp_path: Path
) -> None:
    document = json.loads(application.cluster.kubectl("config", "view", "--raw", "--output=json").stdout)
    kubeconfig = tmp_path / "anonymous"
    kubeconfig.write_text(json.dumps({**document, "users": [{**user, "user": {}} for user in document["users"]]}))

    status, line = _fails([str(application.manifests), "--kubeconfig", str(kubeconfig)], stderr)

    assert status == 3
    assert "refused a request without credentials (403 Forbidden): log in" in line


def test_a_context_that_does_not_exist_is_one_clear_line(application: Application, stderr: Callable[[], str]) -> None:
    kubeconfig = str(application.cluster.kubeconfig)

    status, line = _fails([str(application.manifests), "--kubeconfig", kubeconfig, "--context", "prd"], stderr)

    assert status == 2
    assert "has no context 'prd'" in line


def test_an_untrusted_certificate_is_one_clear_line(
    cluster: Cluster, application: Application, stderr: Callable[[], str]
) -> None:
    kubeconfig = application.scratch / "kubeconfig"
    content = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json").stdout)
    content["clusters"][0]["cluster"].pop("certificate-authority", None)
    content["clusters"][0]["cluster"].pop("certificate-authority-data", None)
    kubeconfig.write_text(json.dumps(content))

    status, line = _fails([str(application.manifests), "--kubeconfig", str(kubeconfig)], stderr)

    assert status == 3
    assert "certificate is not trusted" in line
