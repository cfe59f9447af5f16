"""Drift that other tools miss, on a real API server."""

import json
import re
import time
from typing import Any

import pytest

from tests.drift.conftest import Application
from tests.drift.samples import WIDGETS, deployment, wait_for_schema, widget
from tools.sandbox.syncers import Syncer

POD = "spec.template.spec"
WEB = f"{POD}.containers[name=web]"


def _patch_pod(spec: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"template": {"spec": spec}}}


def _patch_web(container: dict[str, Any]) -> dict[str, Any]:
    return _patch_pod({"containers": [{"name": "web", **container}]})


ADDITIONS: list[tuple[dict[str, Any], str]] = [
    (_patch_web({"env": [{"name": "DEBUG", "value": "1"}]}), f"{WEB}.env[name=DEBUG]"),
    ({"metadata": {"labels": {"team": "x"}}}, "metadata.labels.team"),
    ({"metadata": {"annotations": {"note": "x"}}}, "metadata.annotations.note"),
    (_patch_web({"ports": [{"containerPort": 9229}]}), f"{WEB}.ports[containerPort=9229,protocol=TCP]"),
    (_patch_pod({"volumes": [{"name": "host", "hostPath": {"path": "/"}}]}), f"{POD}.volumes[name=host]"),
    (_patch_pod({"containers": [{"name": "debug", "image": "busybox:1"}]}), f"{POD}.containers[name=debug]"),
    (_patch_pod({"hostNetwork": True}), f"{POD}.hostNetwork"),
    (_patch_pod({"tolerations": [{"operator": "Exists"}]}), f"{POD}.tolerations"),
    (_patch_pod({"serviceAccountName": "admin"}), f"{POD}.serviceAccountName"),
    (_patch_web({"securityContext": {"runAsUser": 0}}), f"{WEB}.securityContext.runAsUser"),
    ({"spec": {"strategy": {"rollingUpdate": {"maxSurge": 3}}}}, "spec.strategy.rollingUpdate.maxSurge"),
]
RICH = deployment(
    metadata="labels: {app: web}\nannotations: {a: b}",
    container="""
env: [{name: MODE, value: fast}]
ports: [{containerPort: 80}]
securityContext: {runAsNonRoot: true}
""",
    pod="volumes: [{name: scratch, emptyDir: {}}]",
    spec="strategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 0}}",
)


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ARGOCD])
def test_m1_a_field_added_by_hand_is_found_with_its_manager(workspace: Application, syncer: Syncer) -> None:
    workspace.write(RICH)
    workspace.sync(syncer)
    for patch, _ in ADDITIONS:
        workspace.patch("deployment", "web", patch)

    scanned = workspace.report()

    expected = {(path, "manual") for _, path in ADDITIONS}
    # With hostNetwork, the API server also sets the hostPort of each port.
    found = {(path, cause) for _, _, path, cause in scanned.findings if "hostPort" not in path}
    assert found == expected
    assert set(scanned.managers) == {"kubectl-patch"}


@pytest.mark.parametrize("flags", [(), ("--server-side", "--force-conflicts", "--field-manager=kustomize-controller")])
def test_m1_kubectl_diff_does_not_show_the_added_field(workspace: Application, flags: tuple[str, ...]) -> None:
    workspace.write(deployment(spec="replicas: 2"))
    workspace.sync()
    workspace.kubectl("set", "env", "deployment/web", "DEBUG=1")
    workspace.kubectl("create", "configmap", "notes")
    workspace.kubectl("scale", "deployment/web", "--replicas=5")

    done = workspace.cluster.kubectl("diff", *flags, "--recursive", "--filename", str(workspace.manifests), check=False)

    changed = [line[1:].strip() for line in done.stdout.splitlines() if re.match(r"[+-] ", line)]
    assert "replicas: 5" in changed
    assert not any("DEBUG" in line or "notes" in line for line in changed)
    assert [(kind, path) for kind, _, path, _ in workspace.report().findings] == [
        ("ConfigMap/notes", ""),
        ("Deployment/web", "spec.replicas"),
        ("Deployment/web", f"{WEB}.env"),
    ]


def test_m1_a_config_map_key_added_by_hand_is_found(workspace: Application) -> None:
    workspace.write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: NAMESPACE}\ndata: {a: b}\n")
    workspace.sync()
    workspace.patch("configmap", "c", {"data": {"extra.conf": "on"}})

    assert workspace.report().findings == [("ConfigMap/c", "added", 'data["extra.conf"]', "manual")]


def test_m1_a_manager_that_took_over_every_field_is_not_the_applier(workspace: Application) -> None:
    workspace.write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: NAMESPACE}\ndata: {a: b}\n")
    workspace.sync()
    # The only field has a new owner, so managedFields no longer has the applier.
    workspace.patch("configmap", "c", {"data": {"a": "c", "extra": "on"}})

    scanned = workspace.report()

    assert scanned.findings == [
        ("ConfigMap/c", "changed", "data.a", "manual"),
        ("ConfigMap/c", "added", "data.extra", "manual"),
    ]
    assert scanned.managers == ["kubectl-patch", "kubectl-patch"]


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ARGOCD, Syncer.KUBECTL])
def test_m2_a_field_that_git_dropped_is_pending(workspace: Application, syncer: Syncer) -> None:
    workspace.write(RICH)
    workspace.sync(syncer)
    workspace.write(RICH.replace("env: [{name: MODE, value: fast}]", "").replace(", runAsNonRoot: true", ""))

    assert workspace.report().findings == [("Deployment/web", "added", f"{WEB}.env", "pending-sync")]


def test_m2_an_item_that_git_dropped_from_an_atomic_list_is_pending(workspace: Application) -> None:
    both = "tolerations: [{key: a, operator: Exists, effect: NoExecute, tolerationSeconds: 60}]"
    workspace.write(deployment(pod=both))
    workspace.sync()
    workspace.write(deployment(pod=both.replace(", tolerationSeconds: 60", "")))

    assert workspace.report().findings == [("Deployment/web", "changed", f"{POD}.tolerations", "pending-sync")]


def test_m3_an_edited_custom_resource_is_found(workspace: Application) -> None:
    workspace.write(WIDGETS)
    workspace.sync()
    try:
        wait_for_schema(workspace)
        workspace.write(WIDGETS + "---\n" + widget("{size: big, tags: [a, b], options: {x: why}}"))
        workspace.sync()
        # managedFields has times in whole seconds.
        time.sleep(1.1)
        patch = {"spec": {"size": "small", "options": {"z": "1"}, "tags": ["b", "c"], "retries": 9}}
        workspace.kubectl("patch", "widget", "gadget", "--type=merge", "--patch", json.dumps(patch))

        assert workspace.report().findings == [
            ("Widget/gadget", "added", "spec.options.z", "manual"),
            ("Widget/gadget", "added", "spec.retries", "manual"),
            ("Widget/gadget", "changed", "spec.size", "manual"),
            ("Widget/gadget", "removed", "spec.tags[=a]", "manual"),
            ("Widget/gadget", "added", "spec.tags[=c]", "manual"),
        ]
    finally:
        workspace.cluster.kubectl("delete", "crd", f"widgets.{workspace.namespace}.example.com", "--wait=false")


def test_m4_only_the_leaves_that_a_controller_owns_are_set_aside(workspace: Application) -> None:
    workspace.write(RICH)
    workspace.sync()
    workspace.kubectl(
        *("patch", "deployment", "web", "--field-manager=vpa-updater"),
        *("--patch", json.dumps(_patch_web({"resources": {"requests": {"cpu": "50m"}}}))),
    )
    workspace.patch("deployment", "web", _patch_web({"env": [{"name": "DEBUG", "value": "1"}]}))

    assert workspace.report().findings == [
        ("Deployment/web", "added", f"{WEB}.env[name=DEBUG]", "manual"),
        ("Deployment/web", "added", f"{WEB}.resources.requests", "controller"),
    ] or workspace.report().findings == [
        ("Deployment/web", "added", f"{WEB}.env[name=DEBUG]", "manual"),
        ("Deployment/web", "added", f"{WEB}.resources", "controller"),
    ]


def test_m5_unmanaged_objects_are_distinguished_from_the_clusters_own(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync(owner="apps")
    workspace.kubectl("create", "secret", "generic", "stray", "--from-literal=password=hunter2")
    workspace.kubectl("create", "serviceaccount", "intruder")
    workspace.kubectl("run", "shell", "--image=busybox:1")
    token = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "t", "annotations": {"kubernetes.io/service-account.name": "default"}},
        "type": "kubernetes.io/service-account-token",
    }
    release = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "sh.helm.release.v1.web.v1", "labels": {"owner": "helm"}},
        "type": "helm.sh/release.v1",
    }
    forgotten = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "forgotten",
            "labels": {
                "kustomize.toolkit.fluxcd.io/name": "apps",
                "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
            },
        },
    }
    workspace.kubectl("create", "--field-manager=kube-controller-manager", "-f", "-", stdin=json.dumps(token))
    by_hand = {
        **token,
        "metadata": {"name": "by-hand", "annotations": {"kubernetes.io/service-account.name": "default"}},
    }
    for body in (by_hand, release):
        workspace.kubectl("create", "-f", "-", stdin=json.dumps(body))
    workspace.kubectl("create", "--field-manager=kustomize-controller", "-f", "-", stdin=json.dumps(forgotten))

    scanned = workspace.report()

    assert sorted(scanned.findings) == [
        ("ConfigMap/forgotten", "unmanaged", "", "pending-sync"),
        ("Pod/shell", "unmanaged", "", "manual"),
        ("Secret/by-hand", "unmanaged", "", "manual"),
        ("Secret/stray", "unmanaged", "", "manual"),
        # It has no field that can be owned, so managedFields does not say who created it.
        ("ServiceAccount/intruder", "unmanaged", "", "unknown"),
    ]
    notes = {item["name"]: item["findings"][0]["note"] for item in scanned.document["objects"]}
    assert "should have pruned it" in notes["forgotten"]
    assert "hunter2" not in json.dumps(scanned.document)


TWO_KEYS = """
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: NAMESPACE}
stringData: {password: hunter2, user: admin}
"""


def test_m6_a_deleted_object_is_missing_even_if_it_is_a_secret(workspace: Application) -> None:
    workspace.write(TWO_KEYS)
    workspace.sync()
    workspace.kubectl("delete", "secret", "s")

    assert workspace.report().findings == [("Secret/s", "missing", "", "unknown")]


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.KUBECTL])
def test_m7_a_changed_secret_is_found_and_no_value_is_shown(
    workspace: Application, syncer: Syncer, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace.write(TWO_KEYS)
    workspace.sync(syncer)
    workspace.kubectl("patch", "secret", "s", "--patch", '{"stringData": {"password": "swordfish", "more": "hush"}}')

    scanned = workspace.report("--output", "text", "-v")

    assert scanned.findings == [
        ("Secret/s", "added", "data.more", "manual"),
        ("Secret/s", "changed", "data.password", "manual"),
    ]
    printed = json.dumps(scanned.document) + "".join(capsys.readouterr())
    for value in ("hunter2", "swordfish", "hush", "aHVudGVyMg", "c3dvcmRmaXNo", "aHVzaA"):
        assert value not in printed
    assert all(finding["redacted"] for item in scanned.document["objects"] for finding in item["findings"])


@pytest.mark.parametrize("replicas", ["replicas: 2", ""])
def test_m8_replicas_scaled_by_hand_without_an_autoscaler_are_drift(workspace: Application, replicas: str) -> None:
    workspace.write(deployment(spec=replicas))
    workspace.sync()
    workspace.kubectl("scale", "deployment/web", "--replicas=5")

    scanned = workspace.report()

    assert [path for _, _, path, _ in scanned.findings] == ["spec.replicas"]
    assert scanned.status == 1


def test_m8_replicas_outside_of_the_autoscalers_range_are_drift(workspace: Application) -> None:
    autoscaler = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NAMESPACE}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3}
"""
    workspace.write(deployment(spec="replicas: 2") + "---\n" + autoscaler)
    workspace.sync()
    # Zero replicas switch the autoscaler off. managedFields has no owner for the field then.
    workspace.kubectl("scale", "deployment/web", "--replicas=0")

    scanned = workspace.report()

    assert [(path, cause) for _, _, path, cause in scanned.findings] == [("spec.replicas", "unknown")]
    assert "outside [1, 3]" in scanned.document["objects"][0]["findings"][0]["note"]


def test_an_edit_through_another_api_version_is_found(workspace: Application) -> None:
    workspace.write(
        """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NAMESPACE}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 3}
"""
    )
    workspace.sync()
    assert workspace.report().findings == []
    older = """
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  targetCPUUtilizationPercentage: 11
"""
    workspace.kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=older)

    scanned = workspace.report()

    # managedFields names a field of autoscaling/v1, which has another name in v2.
    assert scanned.findings == [("HorizontalPodAutoscaler/web", "added", "spec.metrics", "manual")]
    assert scanned.managers == ["other"]


def test_m10_cluster_scoped_objects_crds_and_rbac_are_compared(workspace: Application) -> None:
    role = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAMESPACE}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
"""
    space = "apiVersion: v1\nkind: Namespace\nmetadata: {name: NAMESPACE, labels: {team: a}}\n"
    workspace.write(f"{role}---\n{WIDGETS}---\n{space}")
    workspace.sync()
    crd = f"widgets.{workspace.namespace}.example.com"
    try:
        patch = [{"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}]
        workspace.kubectl("patch", "clusterrole", workspace.namespace, "--type=json", "--patch", json.dumps(patch))
        workspace.kubectl("patch", "crd", crd, "--patch", '{"spec": {"names": {"shortNames": ["w"]}}}')
        workspace.kubectl("label", "--overwrite", "namespace", workspace.namespace, "team=b")

        assert workspace.report().findings == [
            ("CustomResourceDefinition/" + crd, "added", "spec.names.shortNames", "manual"),
            (f"ClusterRole/{workspace.namespace}", "changed", "rules", "manual"),
            (f"Namespace/{workspace.namespace}", "changed", "metadata.labels.team", "manual"),
        ] or {path for _, _, path, _ in workspace.report().findings} == {
            "rules",
            "spec.names.shortNames",
            "metadata.labels.team",
        }
    finally:
        workspace.cluster.kubectl("delete", "clusterrole", workspace.namespace)
        workspace.cluster.kubectl("delete", "crd", crd, "--wait=false")


def test_an_object_of_another_applier_in_the_same_namespace_is_not_unmanaged(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync(owner="apps")
    labels = {
        "kustomize.toolkit.fluxcd.io/name": "monitoring",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other", "labels": labels}}
    workspace.kubectl("create", "--field-manager=kustomize-controller", "-f", "-", stdin=json.dumps(other))
    assert workspace.report().findings == []

    # A label alone does not make an applier.
    workspace.kubectl("create", "configmap", "stray", "--from-literal=a=b")
    workspace.kubectl("label", "configmap", "stray", *(f"{name}={value}" for name, value in labels.items()))

    assert workspace.report().findings == [("ConfigMap/stray", "unmanaged", "", "manual")]


def test_n26_an_object_with_another_owners_tracking_label_is_reported(workspace: Application) -> None:
    config = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: NAMESPACE}\ndata: {a: b}\n"
    workspace.write(deployment() + config % "one" + config % "two")
    workspace.sync(owner="apps")
    workspace.kubectl("label", "--overwrite", "configmap/two", "kustomize.toolkit.fluxcd.io/name=thieves")

    scanned = workspace.report()

    assert scanned.findings == [("ConfigMap/two", "added", "metadata.labels", "manual")]
    (note,) = scanned.document["notes"]

    assert f"ConfigMap {workspace.namespace}/two belongs to thieves " in note
    assert "apps" in note


def test_m5_an_unmanaged_object_in_kube_system_is_found_if_git_has_that_namespace(workspace: Application) -> None:
    workspace.write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ours, namespace: kube-system}\ndata: {a: b}\n")
    workspace.sync()
    rogue = f"rogue-{workspace.namespace}"
    workspace.cluster.kubectl("create", "configmap", rogue, "--namespace=kube-system", "--from-literal=a=b")
    try:
        assert workspace.report().findings == [(f"ConfigMap/{rogue}", "unmanaged", "", "manual")]
    finally:
        workspace.cluster.kubectl("delete", "configmap", rogue, "ours", "--namespace=kube-system")


def test_m8_a_custom_resource_scaled_through_its_subresource_is_found(workspace: Application) -> None:
    scale = "      subresources: {scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}\n"
    definition = WIDGETS.replace("      schema:\n", f"{scale}      schema:\n", 1).replace(
        "mode: {type", "replicas: {type: integer, default: 3}\n                mode: {type"
    )
    workspace.write(definition)
    workspace.sync()
    try:
        wait_for_schema(workspace)
        workspace.write(definition + "---\n" + widget("{size: big}"))
        workspace.sync()
        assert workspace.report().findings == []
        patch = '{"spec": {"replicas": 9}}'
        workspace.kubectl("patch", "widget", "gadget", "--subresource=scale", "--type=merge", "--patch", patch)

        assert [(path, cause) for _, _, path, cause in workspace.report().findings] == [("spec.replicas", "unknown")]
    finally:
        workspace.cluster.kubectl("delete", "crd", f"widgets.{workspace.namespace}.example.com", "--wait=false")


def test_an_opt_out_annotation_added_to_the_live_object_is_drift(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync()
    workspace.kubectl("annotate", "deployment/web", "kustomize.toolkit.fluxcd.io/reconcile=disabled")
    workspace.kubectl("set", "image", "deployment/web", "web=evil:1")

    scanned = workspace.report()

    assert scanned.status == 1
    (item,) = scanned.document["objects"]
    ignored = {finding["path"]: finding["ignored"] is not None for finding in item["findings"]}
    assert ignored == {f"{WEB}.image": True, "metadata.annotations": False}


def test_an_object_that_is_being_deleted_is_not_in_sync(workspace: Application) -> None:
    config = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: NAMESPACE, finalizers: [example.com/hold]}\n"
    )
    workspace.write(config)
    workspace.sync()
    workspace.kubectl("delete", "configmap", "c", "--wait=false")
    try:
        assert workspace.report().findings == [("ConfigMap/c", "added", "metadata.deletionTimestamp", "unknown")]
    finally:
        workspace.kubectl("patch", "configmap", "c", "--type=merge", "--patch", '{"metadata": {"finalizers": null}}')


def test_an_annotation_written_through_the_status_is_manual_drift(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync()
    patch = '{"metadata": {"annotations": {"evil": "1"}}}'
    workspace.kubectl("patch", "deployment", "web", "--subresource=status", "--type=merge", "--patch", patch)

    assert workspace.report().findings == [("Deployment/web", "added", "metadata.annotations", "manual")]


def test_m7_an_annotation_added_to_a_secret_is_named_and_not_shown(workspace: Application) -> None:
    workspace.write(TWO_KEYS)
    workspace.sync()
    workspace.kubectl("annotate", "secret", "s", "note=hunter3")

    scanned = workspace.report()

    assert scanned.findings == [("Secret/s", "added", "metadata.annotations.note", "manual")]
    assert "hunter3" not in json.dumps(scanned.document)


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.KUBECTL])
def test_a_service_that_stays_headless_when_git_gives_that_up_is_found(workspace: Application, syncer: Syncer) -> None:
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: NAMESPACE}\nspec: {%sports: [{port: 80}]}\n"
    )
    workspace.write(service % "clusterIP: None, ")
    workspace.sync(syncer)
    workspace.write(service % "")
    workspace.sync(syncer)

    # The API server keeps the address of a Service.
    assert workspace.report().findings == [("Service/web", "added", "spec.clusterIP", "unknown")]
