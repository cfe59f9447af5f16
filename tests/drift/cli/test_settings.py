"""``drift.yaml`` with a real API server: ignored findings are counted, shown with -v, and are not drift."""

import json
from pathlib import Path

import pytest

from drift.cli import main
from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

IMAGE = "spec.template.spec.containers[name=web].image"
SHOP = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'nginx:1.29'}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
data: {mode: fast, colour: red}
---
apiVersion: v1
kind: Secret
metadata: {name: password, namespace: NAMESPACE}
stringData: {password: hunter2}
"""


@pytest.fixture
def shop(workspace: Application) -> Application:
    workspace.write(SHOP)
    workspace.sync(Syncer.FLUX)
    return workspace


def _edit(shop: Application) -> None:
    shop.kubectl("set", "image", "deployment/web", "web=nginx:hotfix")
    shop.patch("configmap", "settings", {"data": {"mode": "slow", "extra": "1"}})
    shop.kubectl("create", "configmap", "stray")
    shop.kubectl("delete", "secret", "password")


def _config(shop: Application, text: str) -> str:
    file = shop.scratch / "drift.yaml"
    file.write_text(text)
    return str(file)


def _text(shop: Application, capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, str]:
    place = ("--kubeconfig", str(shop.cluster.kubeconfig), "--namespace", shop.namespace)
    capsys.readouterr()
    status = main(["report", str(shop.manifests), *place, *flags])
    return status, capsys.readouterr().out


def test_an_ignored_finding_is_in_the_report_but_is_not_drift(
    shop: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.kubectl("set", "image", "deployment/web", "web=nginx:hotfix")
    config = _config(shop, "ignore: [{kind: Deployment, path: '**.image', manager: kubectl*, reason: a hotfix}]")

    scanned = shop.report("--config", config)

    assert scanned.status == 0
    assert scanned.document["summary"]["findings"]["ignored"] == 1
    (item,) = scanned.document["objects"]
    assert item["status"] == "in-sync"
    assert item["findings"][0]["path"] == IMAGE
    assert item["findings"][0]["ignored"] == {
        "rule": "ignore rule 1 (kind: Deployment, path: **.image, manager: kubectl*)",
        "reason": "a hotfix",
    }
    assert "hotfix" not in _text(shop, capsys, "--config", config)[1]
    assert "ignored by ignore rule 1" in _text(shop, capsys, "--config", config, "-v")[1]


def test_expired_and_unused_rules_are_named(shop: Application) -> None:
    shop.kubectl("set", "image", "deployment/web", "web=nginx:hotfix")
    rules = "[{name: web, expires: 2020-01-01, reason: past}, {name: absent, reason: gone}]"

    scanned = shop.report("--config", _config(shop, f"ignore: {rules}"))

    assert scanned.status == 1
    assert [note.partition(")")[2] for note in scanned.document["notes"]] == [
        " expired on 2020-01-01",
        " matched no finding; remove it if it is no longer needed",
    ]


def test_suggested_rules_make_the_report_in_sync_once_they_have_reasons(
    shop: Application, capsys: pytest.CaptureFixture[str], stderr: object
) -> None:
    del stderr
    _edit(shop)
    status, suggested = _text(shop, capsys, "--suggest-ignores")

    assert status == 1
    assert main(["report", str(shop.manifests), "--config", _config(shop, suggested)]) == 2
    assert "ignore[0].reason: is empty; give a reason" in capsys.readouterr().err
    scanned = shop.report("--config", _config(shop, suggested.replace('reason: ""', "reason: accepted")))
    assert (scanned.status, scanned.document["summary"]["verdict"]) == (0, "in-sync")
    assert scanned.document["summary"]["findings"]["ignored"] == len(scanned.findings) == 5
    assert scanned.document["notes"] == []


def test_suggestions_and_a_report_cannot_share_standard_output(
    shop: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _text(shop, capsys, "--suggest-ignores", "--output", "json") == (2, "")


def test_a_skipped_kind_is_reported_and_not_requested(shop: Application, capsys: pytest.CaptureFixture[str]) -> None:
    name = f"no-secrets-{shop.namespace}"
    rules = [
        {"apiGroups": [group], "resources": resources, "verbs": ["get", "list"]}
        for group, resources in (("", ["configmaps"]), ("apps", ["deployments"]))
    ]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": rules,
    }
    shop.kubectl("create", "-f", "-", stdin=json.dumps(role))
    shop.kubectl("create", "serviceaccount", name)
    shop.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={shop.namespace}:{name}")
    account = shop.cluster.kubeconfig_for(shop.cluster.token(name, shop.namespace))
    config = _config(shop, "unchecked: [{group: '', kind: Secret, reason: another team reviews them}]")

    assert shop.report("--unmanaged", "off", kubeconfig=account).status == 3
    scanned = shop.report("--config", config, kubeconfig=account)

    assert (scanned.status, scanned.document["summary"]["verdict"]) == (0, "in-sync")
    assert scanned.document["summary"]["objects"]["unchecked"] == 1
    (secret,) = (item for item in scanned.document["objects"] if item["kind"] == "Secret")
    assert (secret["status"], secret["byChoice"], secret["namespace"]) == ("unchecked", True, shop.namespace)
    assert secret["reason"] == "another team reviews them"
    # Notes name kinds that the account may not list. This kind was not requested.
    assert not [note for note in scanned.document["notes"] if "secrets" in note]
    assert "1 skipped" in _text(shop, capsys, "--config", config, "--unmanaged", "off")[1]


def test_a_configured_controller_makes_no_drift(shop: Application) -> None:
    patch = json.dumps({"spec": {"template": {"spec": {"priorityClassName": "system-node-critical"}}}})
    shop.kubectl("patch", "deployment/web", "--field-manager=my-operator-1", "--patch", patch)
    shop.kubectl("create", "configmap", "made", "--from-literal=a=b", "--field-manager=my-operator-1")
    assert shop.report().status == 1

    scanned = shop.report("--config", _config(shop, "controllers: [my-operator-*]"))

    assert scanned.status == 0
    assert {cause for *_, cause in scanned.findings} == {"controller"}


def test_a_configured_applier_is_recognized(shop: Application) -> None:
    shop.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=my-syncer", "-f", str(shop.manifests))
    shop.write(SHOP.replace("nginx:1.29", "nginx:1.30"))

    scanned = shop.report("--config", _config(shop, "appliers: [my-syncer]"))

    assert scanned.findings == [("Deployment/web", "changed", IMAGE, "pending-sync")]


def test_settings_choose_the_causes_that_set_the_exit_status(shop: Application) -> None:
    shop.kubectl("set", "image", "deployment/web", "web=nginx:hotfix")

    assert shop.report("--config", _config(shop, "exit: {causes: [manual]}")).status == 1
    scanned = shop.report("--config", _config(shop, "exit: {causes: [pending-sync, unknown]}"))
    assert (scanned.status, scanned.document["summary"]["verdict"]) == (0, "drifted")


def test_settings_choose_the_severity_that_sets_the_exit_status(shop: Application) -> None:
    shop.kubectl("set", "image", "deployment/web", "web=nginx:hotfix")

    assert shop.report("--config", _config(shop, "exit: {severity: high}")).status == 1
    scanned = shop.report("--config", _config(shop, "exit: {severity: critical}"))
    assert (scanned.status, scanned.document["summary"]["verdict"]) == (0, "drifted")


def test_the_unmanaged_flag_overrides_the_setting(shop: Application) -> None:
    shop.kubectl("create", "configmap", "stray")
    config = _config(shop, "unmanaged: off")

    assert shop.report("--config", config).status == 0
    assert shop.report("--config", config, "--unmanaged", "namespace").status == 1


def test_a_configured_severity_is_in_the_report(shop: Application) -> None:
    shop.kubectl("set", "image", "deployment/web", "web=nginx:hotfix")

    scanned = shop.report("--config", _config(shop, "severity: [{path: '**.image', severity: critical}]"))

    assert scanned.document["objects"][0]["findings"][0]["severity"] == "critical"


def test_drift_yaml_in_the_current_folder_is_used(
    shop: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.kubectl("create", "configmap", "stray")
    (tmp_path / "drift.yaml").write_text("ignore: [{name: stray, reason: of the developers}]")
    monkeypatch.chdir(tmp_path)

    assert shop.report().status == 0


def test_a_missing_settings_file_exits_with_2(shop: Application, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = _text(shop, capsys, "--config", "nowhere.yaml")

    assert (status, out) == (2, "")
