"""Tracking labels and annotations are not drift, they show the owner, and manual edits of them are reported."""

import json
from typing import Any

import pytest

from tests.drift.conftest import Application, Scanned
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import ARGOCD_LABEL, KAPP_ASSOCIATION, KAPP_LABEL, Syncer

CLIENT_AND_SERVER_SIDE = [Syncer.ARGOCD, Syncer.ARGOCD_SERVER_SIDE]
LABEL = {"tracking": "label"}
BOTH = {"tracking": "annotation+label"}

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NAMESPACE%s}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.29"}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE%s}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: NAMESPACE%s}
data: {a: "1"}
"""
SETTINGS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings, namespace: NAMESPACE}\ndata: {a: '1'}\n"


def web(label: str = "") -> str:
    """Three objects, all with the same label."""
    return WEB % ((f", labels: {{{label}}}",) * 3 if label else ("",) * 3)


def objects(scanned: Scanned) -> dict[str, dict[str, Any]]:
    return {f"{item['kind']}/{item['name']}": item for item in scanned.document["objects"]}


@pytest.fixture
def argocd_settings(cluster: Cluster, request: pytest.FixtureRequest) -> Any:
    """Argo CD's ConfigMap with the parametrized data."""
    cluster.kubectl("create", "namespace", "argocd", check=False)
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "argocd-cm", "namespace": "argocd"}}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps({**body, "data": request.param}))
    yield
    cluster.kubectl("delete", "configmap", "argocd-cm", "--namespace", "argocd")


METHOD = "application.resourceTrackingMethod"
KEY = "application.instanceLabelKey"


# -- Argo CD's tracking label


@pytest.mark.parametrize("syncer", CLIENT_AND_SERVER_SIDE)
@pytest.mark.parametrize("marking", [LABEL, BOTH], ids=lambda marking: marking["tracking"])
@pytest.mark.parametrize("key", [ARGOCD_LABEL, "argocd.argoproj.io/instance", "example.com/app-of-argocd"])
def test_argocds_tracking_label_is_silent(
    workspace: Application, syncer: Syncer, marking: dict[str, str], key: str
) -> None:
    workspace.write(web())
    workspace.sync(syncer, owner="shop", label=key, **marking)

    scanned = workspace.report()

    if (marking, key) == (BOTH, "example.com/app-of-argocd"):
        # Objects with the annotation need no label, so a label with an unknown key may have another origin.
        assert {finding[2] for finding in scanned.findings} <= {"metadata.labels"}
    else:
        assert (scanned.status, scanned.findings) == (0, [])


@pytest.mark.parametrize("argocd_settings", [{METHOD: "annotation+label", KEY: "example.com/app"}], indirect=True)
@pytest.mark.usefixtures("argocd_settings")
def test_the_key_of_a_label_set_with_the_annotation_is_read_from_argocds_settings(workspace: Application) -> None:
    workspace.write(web())
    workspace.sync(Syncer.ARGOCD_SERVER_SIDE, owner="shop", label="example.com/app", **BOTH)

    assert workspace.report().findings == []


@pytest.mark.parametrize("argocd_settings", [{METHOD: "label", KEY: "example.com/app"}], indirect=True)
@pytest.mark.usefixtures("argocd_settings")
def test_one_object_is_enough_if_argocds_settings_name_the_key(workspace: Application) -> None:
    workspace.write(SETTINGS)
    workspace.sync(Syncer.ARGOCD_SERVER_SIDE, owner="shop", label="example.com/app", **LABEL)

    assert workspace.report().findings == []


@pytest.mark.parametrize("argocd_settings", [{}, {METHOD: "annotation"}], indirect=True)
@pytest.mark.usefixtures("argocd_settings")
def test_a_label_removed_from_git_is_not_a_tracking_label_if_argocd_tracks_by_annotation(
    workspace: Application,
) -> None:
    workspace.write(web(f"{ARGOCD_LABEL}: shop"))
    workspace.sync(Syncer.ARGOCD_SERVER_SIDE, owner="shop")
    workspace.write(web())

    findings = workspace.report().findings

    assert {finding[0] for finding in findings} == {"Deployment/web", "Service/web", "ConfigMap/web"}
    assert {finding[3] for finding in findings} == {"pending-sync"}


@pytest.mark.parametrize("marking", [LABEL, BOTH], ids=lambda marking: marking["tracking"])
@pytest.mark.parametrize("syncer", CLIENT_AND_SERVER_SIDE)
def test_a_manual_edit_of_the_tracking_label_is_reported(
    workspace: Application, syncer: Syncer, marking: dict[str, str]
) -> None:
    workspace.write(web())
    workspace.sync(syncer, owner="shop", **marking)
    workspace.kubectl("label", "--overwrite", "service", "web", f"{ARGOCD_LABEL}=other")

    scanned = workspace.report()

    assert [(found[0], found[1], found[3]) for found in scanned.findings] == [("Service/web", "added", "manual")]
    assert scanned.managers == ["kubectl-label"]


def test_a_label_with_the_same_key_added_by_hand_is_reported(workspace: Application) -> None:
    workspace.write(web())
    workspace.sync(Syncer.ARGOCD, owner="shop")
    workspace.kubectl("label", "service", "web", f"{ARGOCD_LABEL}=shop")

    scanned = workspace.report()

    assert [(found[0], found[1], found[3]) for found in scanned.findings] == [("Service/web", "added", "manual")]
    assert scanned.managers == ["kubectl-label"]


def test_the_same_label_in_git_is_compared(workspace: Application) -> None:
    workspace.write(web(f"{ARGOCD_LABEL}: shop-chart"))
    workspace.sync(Syncer.ARGOCD_SERVER_SIDE, owner="shop")
    workspace.kubectl("label", "--overwrite", "service", "web", f"{ARGOCD_LABEL}=other")

    findings = workspace.report().findings

    assert findings == [("Service/web", "changed", f'metadata.labels["{ARGOCD_LABEL}"]', "manual")]


@pytest.mark.parametrize("syncer", CLIENT_AND_SERVER_SIDE)
def test_a_label_in_git_that_argocd_overwrites_is_silent_until_it_is_edited(
    workspace: Application, syncer: Syncer
) -> None:
    workspace.write(web(f"{ARGOCD_LABEL}: chart"))
    workspace.sync(syncer, owner="shop", **LABEL)
    assert workspace.report().findings == []
    workspace.kubectl("label", "--overwrite", "service", "web", f"{ARGOCD_LABEL}=other")

    findings = workspace.report().findings

    assert [(found[0], found[1]) for found in findings] == [("Service/web", "changed")]


@pytest.mark.parametrize("key", [ARGOCD_LABEL, "example.com/app"])
def test_another_label_removed_from_git_is_pending_next_to_the_tracking_label(workspace: Application, key: str) -> None:
    workspace.write(web("team: a"))
    workspace.sync(Syncer.ARGOCD_SERVER_SIDE, owner="shop", label=key, **LABEL)
    workspace.write(web())

    findings = workspace.report().findings

    assert {(found[0], found[3]) for found in findings} == {
        ("Deployment/web", "pending-sync"),
        ("Service/web", "pending-sync"),
        ("ConfigMap/web", "pending-sync"),
    }
    if key == ARGOCD_LABEL:
        assert all("team" in str(item["findings"]) for item in objects(workspace.report()).values())


def test_a_label_removed_everywhere_in_git_is_pending_if_git_sets_the_default_label(workspace: Application) -> None:
    workspace.write(web(f"{ARGOCD_LABEL}: shop, team: a"))
    workspace.sync(Syncer.ARGOCD_SERVER_SIDE, owner="shop", **LABEL)
    workspace.write(web(f"{ARGOCD_LABEL}: shop"))

    findings = workspace.report().findings

    assert [(found[2], found[3]) for found in findings] == [("metadata.labels.team", "pending-sync")] * 3


@pytest.mark.parametrize("syncer", CLIENT_AND_SERVER_SIDE)
@pytest.mark.parametrize("key", [ARGOCD_LABEL, "example.com/app"])
def test_an_object_with_the_tracking_label_that_is_removed_from_git_should_be_pruned(
    workspace: Application, syncer: Syncer, key: str
) -> None:
    workspace.write(web())
    workspace.write(SETTINGS, "settings.yaml")
    workspace.sync(syncer, owner="shop", label=key, **LABEL)
    (workspace.manifests / "settings.yaml").unlink()

    scanned = workspace.report()

    assert scanned.findings == [("ConfigMap/settings", "unmanaged", "", "pending-sync")]
    assert "should have pruned it" in objects(scanned)["ConfigMap/settings"]["reason"]


def test_an_object_last_synced_before_the_method_changed_should_be_pruned(workspace: Application) -> None:
    workspace.write(SETTINGS)
    workspace.sync(Syncer.ARGOCD, owner="shop", **LABEL)
    workspace.write(web())
    workspace.sync(Syncer.ARGOCD, owner="shop")

    assert workspace.report().findings == [("ConfigMap/settings", "unmanaged", "", "pending-sync")]


def test_an_object_of_another_application_is_silent_but_a_manual_copy_of_the_label_is_reported(
    workspace: Application,
) -> None:
    workspace.write(SETTINGS)
    workspace.sync(Syncer.ARGOCD, owner="other", **LABEL)
    workspace.write(web())
    workspace.sync(Syncer.ARGOCD, owner="shop", **LABEL)
    workspace.kubectl("create", "configmap", "mine", "--from-literal=a=1")
    workspace.kubectl("label", "configmap", "mine", f"{ARGOCD_LABEL}=shop")

    assert workspace.report().findings == [("ConfigMap/mine", "unmanaged", "", "manual")]


def test_a_dump_gives_the_same_result_for_tracking_labels_as_the_cluster(workspace: Application) -> None:
    workspace.write(web())
    workspace.write(SETTINGS, "settings.yaml")
    workspace.sync(Syncer.ARGOCD, owner="shop", label="example.com/app", **LABEL)
    (workspace.manifests / "settings.yaml").unlink()
    dump = workspace.scratch / "dump.yaml"
    kinds = "deployments,services,configmaps"
    dump.write_text(workspace.kubectl("get", kinds, "-o", "yaml", "--show-managed-fields"))

    findings = workspace.report("--live", str(dump)).findings

    assert findings == workspace.report().findings == [("ConfigMap/settings", "unmanaged", "", "pending-sync")]


# -- kapp

KAPPS = (
    web()
    + """
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: NAMESPACE}
spec:
  selector: {matchLabels: {app: db}}
  serviceName: db
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "postgres:18"}]}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: NAMESPACE}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: "agent:1"}]}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: NAMESPACE}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: once, image: "busybox:1"}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: NAMESPACE}
spec:
  schedule: "@daily"
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: nightly, image: "busybox:1"}]}
---
apiVersion: v1
kind: Secret
metadata: {name: token, namespace: NAMESPACE}
stringData: {a: secret}
"""
)


def records_of_kapp(manager: str) -> tuple[tuple[str, ...], str]:
    """The command and the ConfigMaps with which kapp records an app and its changes."""
    app = {"name": "shop.apps.k14s.io", "labels": {"kapp.k14s.io/is-app": ""}}
    change = {
        "name": "shop-change-x7k2p",
        "labels": {"kapp.k14s.io/is-app-change": "", "kapp.k14s.io/app-change-app": "shop"},
    }
    items = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": item} for item in (app, change)]
    return ("create", f"--field-manager={manager}", "-f", "-"), json.dumps(
        {"apiVersion": "v1", "kind": "List", "items": items}
    )


def test_kapps_labels_in_templates_and_selectors_and_its_records_are_silent(workspace: Application) -> None:
    workspace.write(KAPPS)
    workspace.sync(Syncer.KAPP, owner="shop")
    command, records = records_of_kapp("kapp")
    workspace.kubectl(*command, stdin=records)

    scanned = workspace.report()

    assert (scanned.status, scanned.findings) == (0, [])


def test_records_like_kapps_that_are_created_by_hand_are_unmanaged(workspace: Application) -> None:
    workspace.write(web())
    workspace.sync(Syncer.KAPP, owner="shop")
    command, records = records_of_kapp("kubectl-create")
    workspace.kubectl(*command, stdin=records)

    assert {(found[0], found[3]) for found in workspace.report().findings} == {
        ("ConfigMap/shop.apps.k14s.io", "manual"),
        ("ConfigMap/shop-change-x7k2p", "manual"),
    }


def test_an_object_of_the_same_kapp_app_that_is_removed_from_git_should_be_pruned(workspace: Application) -> None:
    workspace.write(web())
    workspace.write(SETTINGS, "settings.yaml")
    workspace.sync(Syncer.KAPP, owner="shop")
    (workspace.manifests / "settings.yaml").unlink()

    assert workspace.report().findings == [("ConfigMap/settings", "unmanaged", "", "pending-sync")]


@pytest.mark.parametrize(
    ("what", "path", "found"),
    [
        ("service", "/metadata/labels", "metadata.labels"),
        ("deployment", "/spec/template/metadata/labels", "spec.template.metadata.labels"),
        ("service", "/spec/selector", "spec.selector"),
    ],
)
def test_a_manual_edit_of_kapps_label_is_reported(workspace: Application, what: str, path: str, found: str) -> None:
    workspace.write(web())
    workspace.sync(Syncer.KAPP, owner="shop")
    # The selector of the Deployment prevents an edit of the app's label.
    label = KAPP_ASSOCIATION if what == "deployment" else KAPP_LABEL
    patch = [{"op": "replace", "path": f"{path}/{label.replace('/', '~1')}", "value": "7"}]
    workspace.kubectl("patch", what, "web", "--type=json", "--patch", json.dumps(patch))

    scanned = workspace.report()

    (finding,) = scanned.findings
    assert finding[2].startswith(found)
    assert finding[3] == "manual"
    assert scanned.managers == ["kubectl-patch"]


def test_only_the_other_label_in_a_selector_of_kapp_is_reported(workspace: Application) -> None:
    workspace.write(web())
    workspace.sync(Syncer.KAPP, owner="shop")
    workspace.patch("service", "web", {"spec": {"selector": {"tier": "front"}}})

    scanned = workspace.report()

    (finding,) = objects(scanned)["Service/web"]["findings"]
    assert KAPP_LABEL not in json.dumps(finding["live"])
    assert (finding["cause"], scanned.managers) == ("manual", ["kubectl-patch"])


# -- hooks and protection from pruning

HOOK = """
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  namespace: NAMESPACE
  annotations: {%s}
spec:
  template:
    spec: {restartPolicy: Never, containers: [{name: migrate, image: "busybox:1"}]}
"""
TEST_POD = """
apiVersion: v1
kind: Pod
metadata: {name: web-test, namespace: NAMESPACE, annotations: {helm.sh/hook: test}}
spec: {restartPolicy: Never, containers: [{name: test, image: "busybox:1"}]}
"""


@pytest.mark.parametrize(
    ("syncer", "hook"),
    [
        (Syncer.ARGOCD, HOOK % "argocd.argoproj.io/hook: PreSync"),
        (Syncer.ARGOCD_SERVER_SIDE, HOOK % "argocd.argoproj.io/hook: PostSync"),
        (Syncer.ARGOCD, HOOK % "helm.sh/hook: pre-install"),
        (Syncer.HELM, HOOK % '"helm.sh/hook": pre-upgrade, "helm.sh/hook-delete-policy": before-hook-creation'),
        (Syncer.HELM_SERVER_SIDE, TEST_POD),
        (Syncer.HELM, TEST_POD),
    ],
)
def test_a_hook_that_stays_in_the_cluster_should_not_be_pruned(
    workspace: Application, syncer: Syncer, hook: str
) -> None:
    # Each sync generates the name of an Argo CD hook with generateName, so it is never in Git.
    workspace.write(web())
    workspace.write(hook, "hook.yaml")
    workspace.sync(syncer, owner="shop")
    (workspace.manifests / "hook.yaml").unlink()

    scanned = workspace.report()

    assert (scanned.status, scanned.findings) == (0, [])


def test_a_hooks_finalizer_is_silent(workspace: Application) -> None:
    workspace.write(HOOK % "argocd.argoproj.io/hook: PreSync")
    workspace.sync(Syncer.ARGOCD_SERVER_SIDE, owner="shop")
    finalizer = {"metadata": {"finalizers": ["argocd.argoproj.io/hook-finalizer"]}}
    workspace.kubectl(
        *("patch", "job", "migrate", "--type=merge", "--field-manager=argocd-controller"),
        *("--patch", json.dumps(finalizer)),
    )

    findings = workspace.report().findings
    workspace.kubectl("patch", "job", "migrate", "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')

    assert findings == []


@pytest.mark.parametrize("annotation", ["argocd.argoproj.io/hook: PreSync", "helm.sh/hook: test"])
def test_an_object_created_by_hand_is_not_a_hook(workspace: Application, annotation: str) -> None:
    workspace.write(web())
    workspace.sync(Syncer.ARGOCD, owner="shop")
    workspace.kubectl("create", "-f", "-", stdin=(HOOK % annotation).replace("NAMESPACE", workspace.namespace))

    assert workspace.report().findings == [("Job/migrate", "unmanaged", "", "manual")]


def test_an_applier_without_hooks_should_prune_an_object_that_looks_like_one(workspace: Application) -> None:
    workspace.write(web())
    workspace.write(HOOK % "helm.sh/hook: test", "hook.yaml")
    workspace.sync(Syncer.FLUX, owner="shop")
    (workspace.manifests / "hook.yaml").unlink()

    assert workspace.report().findings == [("Job/migrate", "unmanaged", "", "pending-sync")]


def test_a_hook_in_git_without_a_name_is_reported_as_a_hook(workspace: Application) -> None:
    workspace.write(web())
    hook = (HOOK % "argocd.argoproj.io/hook: PreSync").replace("name: migrate\n", "generateName: migrate-\n", 1)
    workspace.write(hook, "hook.yaml")
    workspace.write((HOOK % "a: b").replace("name: migrate\n", "generateName: migrate-\n", 1), "job.yaml")
    (workspace.manifests / "hook.yaml").rename(workspace.scratch / "hook.yaml")
    (workspace.manifests / "job.yaml").rename(workspace.scratch / "job.yaml")
    workspace.sync(Syncer.ARGOCD, owner="shop")
    for file in ("hook.yaml", "job.yaml"):
        (workspace.scratch / file).rename(workspace.manifests / file)

    scanned = workspace.report()

    notes = scanned.document["notes"]
    assert scanned.status == 0
    assert any("hook.yaml" in note and "a hook (argocd.argoproj.io/hook: PreSync)" in note for note in notes)
    assert any("job.yaml" in note and "hook (" not in note for note in notes)


@pytest.mark.parametrize(
    ("syncer", "annotation"),
    [
        (Syncer.HELM, "helm.sh/resource-policy: keep"),
        (Syncer.ARGOCD, "argocd.argoproj.io/sync-options: Prune=false"),
        (Syncer.FLUX, "kustomize.toolkit.fluxcd.io/prune: disabled"),
        (Syncer.KAPP, "kapp.k14s.io/delete-strategy: orphan"),
    ],
)
@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_an_object_protected_from_pruning_is_reported_but_not_drift(
    workspace: Application, syncer: Syncer, annotation: str, kind: str
) -> None:
    workspace.write(web())
    metadata = f"metadata: {{name: kept, namespace: NAMESPACE, annotations: {{{annotation}}}}}\n"
    workspace.write(f"apiVersion: v1\nkind: {kind}\n{metadata}", "kept.yaml")
    workspace.sync(syncer, owner="shop")
    (workspace.manifests / "kept.yaml").unlink()

    scanned = workspace.report()

    kept = objects(scanned)[f"{kind}/kept"]
    assert scanned.status == 0
    assert f"kept on purpose ({annotation})" in kept["reason"]
    assert kept["findings"][0]["ignored"] is not None


@pytest.mark.parametrize("annotation", ["helm.sh/resource-policy: keep", "kustomize.toolkit.fluxcd.io/prune: disabled"])
def test_an_annotation_does_not_protect_an_object_created_by_hand(workspace: Application, annotation: str) -> None:
    workspace.write(web())
    workspace.sync(Syncer.FLUX, owner="shop")
    body = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: mine, annotations: {{{annotation}}}}}\n"
    workspace.kubectl("create", "-f", "-", stdin=body)

    scanned = workspace.report()

    assert scanned.status == 1
    assert scanned.findings == [("ConfigMap/mine", "unmanaged", "", "manual")]
