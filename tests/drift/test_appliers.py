"""Who created an object: the applier, a person who recreated it by hand, or an inferred applier."""

import copy
import itertools
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.drift.conftest import Application, Scanned
from tests.drift.samples import web
from tests.mutation.server import Refused, Server
from tools.sandbox.syncers import Syncer, json_stream

SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
data: {mode: fast}
"""
WEB = "\n" + web(
    """
image: nginx:1.29
ports: [{containerPort: 80}]
env: [{name: MODE, value: fast}]
""",
    metadata="name: web, namespace: NAMESPACE, labels: {app: web}",
)
OTHERS = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: NAMESPACE}
stringData: {password: unread}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: runner, namespace: NAMESPACE}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: NAMESPACE}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: NAMESPACE}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: ServiceAccount, name: runner}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: NAMESPACE}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: NAMESPACE}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly, namespace: NAMESPACE}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: job, image: "busybox:1"}]}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store, namespace: NAMESPACE}
spec:
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: store, image: "busybox:1"}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: store, namespace: NAMESPACE}
spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: StatefulSet, name: store}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: NAMESPACE}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: v1
kind: Pod
metadata: {name: tool, namespace: NAMESPACE}
spec: {containers: [{name: tool, image: "busybox:1"}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: disk, namespace: NAMESPACE}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
"""
#: Ways to recreate an object from standard input.
AGAIN: dict[str, tuple[str, ...]] = {
    "kubectl-replace": ("replace", "--force", "--filename=-"),
    "kubectl-create": ("create", "--filename=-"),
    "kubectl-client-side-apply": ("apply", "--filename=-"),
    "node-fetch": ("create", "--field-manager=node-fetch", "--filename=-"),
    "Mozilla": ("create", "--field-manager=Mozilla", "--filename=-"),
}
WITH_OWNER = (Syncer.FLUX, Syncer.ARGOCD, Syncer.ARGOCD_SERVER_SIDE, Syncer.HELM)
Edit = Callable[[dict[str, Any]], None]


def _causes(scanned: Scanned) -> set[tuple[str, str, str]]:
    return {(path, change, cause) for _, change, path, cause in scanned.findings}


def _notes(scanned: Scanned) -> set[str | None]:
    return {finding.get("note") for item in scanned.document["objects"] for finding in item["findings"]}


def _bare(body: dict[str, Any]) -> dict[str, Any]:
    """Returns an object as a person saves it before recreating it."""
    body = copy.deepcopy(body)
    body.pop("status", None)
    for name in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        body["metadata"].pop(name, None)
    return body


def _make_again(workspace: Application, manager: str, what: str, edit: Edit | None = None) -> None:
    body = _bare(json.loads(workspace.kubectl("get", what, "--output=json", "--show-managed-fields")))
    if edit is not None:
        edit(body)
    if manager != "kubectl-replace":
        workspace.kubectl("delete", what, "--grace-period=0", "--force")
    workspace.kubectl(*AGAIN[manager], stdin=json.dumps(body))


def _open_up(body: dict[str, Any]) -> None:
    pod = body["spec"]["template"]["spec"]
    pod["hostNetwork"] = True
    pod["containers"].append({"name": "shell", "image": "busybox:1", "securityContext": {"runAsUser": 0}})


@pytest.mark.parametrize(("syncer", "manager"), list(zip(itertools.cycle(WITH_OWNER), (*AGAIN, *AGAIN), strict=False)))
def test_added_fields_of_an_object_recreated_by_hand_are_manual_drift(
    workspace: Application, syncer: Syncer, manager: str
) -> None:
    workspace.write(SETTINGS + "---" + WEB)
    workspace.sync(syncer, owner="app")
    _make_again(workspace, manager, "deployment/web")
    assert workspace.report().findings == []

    _make_again(workspace, manager, "deployment/web", _open_up)
    scanned = workspace.report()

    pod = "spec.template.spec"
    found = {finding for finding in _causes(scanned) if "hostPort" not in finding[0]}
    assert found == {
        (f"{pod}.hostNetwork", "added", "manual"),
        (f"{pod}.containers[name=shell]", "added", "manual"),
    }
    assert set(scanned.managers) == {manager}
    assert scanned.status == 1


def _kinds() -> list[str]:
    return [f"{line.split()[1].lower()}" for line in OTHERS.splitlines() if line.startswith("kind:")]


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ARGOCD], ids=lambda syncer: str(syncer.value))
def test_a_recreated_object_of_every_kind_is_in_sync_unless_it_was_edited(
    workspace: Application, syncer: Syncer
) -> None:
    workspace.write(SETTINGS + "---" + OTHERS)
    workspace.sync(syncer, owner="app")
    names = workspace.kubectl("get", ",".join(_kinds()), "--output=name").split()
    ours = [name for name in names if not name.endswith(("/default", "/kube-root-ca.crt")) and "store-" not in name]
    assert len(ours) == len(_kinds())
    for name in ours:
        _make_again(workspace, "kubectl-replace", name)
    assert workspace.report().findings == []

    for name in ours:
        _make_again(workspace, "kubectl-replace", name, lambda body: body["metadata"].update(labels={"edited": "yes"}))
    scanned = workspace.report()

    edited = [finding for finding in scanned.findings if finding[1] == "added"]
    assert len(edited) == len(ours)
    assert {cause for *_, cause in edited} == {"manual"}
    assert set(scanned.managers) == {"kubectl-replace"}


IMPERATIVE: list[tuple[str, tuple[str, ...], str]] = [
    ("kubectl-run", ("run", "tool", "--image=busybox:2"), "spec.containers[name=tool].image"),
    ("kubectl-expose", ("expose", "pod/other", "--name=web", "--port=81", "--type=NodePort"), "spec.ports"),
    ("kubectl-create", ("create", "configmap", "settings", "--from-literal=mode=slow"), "data.mode"),
]


@pytest.mark.parametrize(("manager", "command", "path"), IMPERATIVE, ids=lambda value: str(value)[:20])
def test_an_object_created_by_a_command_does_not_belong_to_the_applier(
    workspace: Application, manager: str, command: tuple[str, ...], path: str
) -> None:
    workspace.write(WEB)
    workspace.sync()
    workspace.kubectl("run", "other", "--image=busybox:1", "--labels=app=web")
    workspace.kubectl(*command)
    workspace.write(WEB + "---" + SETTINGS + "---" + OTHERS)

    scanned = workspace.report("--unmanaged", "off")

    changed = [item for item in scanned.findings if item[2].startswith(path)]
    assert changed
    assert {cause for *_, cause in changed} == {"manual"}
    assert manager in scanned.managers


@pytest.mark.parametrize("manager", ["helm", "Terraform", "HashiCorp"])
def test_a_field_of_the_applier_that_git_lacks_is_found_without_a_known_base(
    workspace: Application, manager: str
) -> None:
    workspace.write(SETTINGS + "---" + WEB + "---" + OTHERS)
    workspace.kubectl("create", "--save-config=false", f"--field-manager={manager}", f"-f={workspace.manifests}")
    assert workspace.report().findings == []

    extra = {"name": "shell", "image": "busybox:1"}
    env = {"name": "DEBUG", "value": "1"}
    pod = {"hostNetwork": True, "containers": [extra, {"name": "web", "env": [env]}]}
    patch = json.dumps({"spec": {"template": {"spec": pod}}})
    workspace.kubectl("patch", "deployment/web", f"--field-manager={manager}", "--patch", patch)
    workspace.kubectl("patch", "configmap/settings", f"--field-manager={manager}", "--patch", '{"data": {"more": "x"}}')
    scanned = workspace.report()

    found = {(path, cause) for path, change, cause in _causes(scanned) if "hostPort" not in path}
    assert found == {
        ("spec.template.spec.hostNetwork", "unknown"),
        ("spec.template.spec.containers[name=shell]", "unknown"),
        ("spec.template.spec.containers[name=web].env[name=DEBUG]", "unknown"),
        ("data.more", "unknown"),
    }
    assert set(scanned.managers) == {manager}
    assert _notes(scanned) == {"a webhook's work, or a change that Git does not have"}
    assert scanned.status == 1
    way = "--helm-release, which compares" if manager == "helm" else "does not record what it sent"
    assert any(way in note for note in scanned.document["notes"])


LISTED = ["configsync.gke.io", "kluctl", "fleetagent", "pulumi-kubernetes-1234", "Terraform"]


def _by_hand(workspace: Application, change: Callable[[str], str]) -> None:
    text = change((workspace.manifests / "manifests.yaml").read_text())
    workspace.kubectl("apply", "--filename=-", stdin=text)


def _edited(text: str) -> str:
    return text.replace("nginx:1.29", "nginx:1.30").replace("{mode: fast}", "{mode: fast, debug: 'on'}")


EDITED = {
    ("spec.template.spec.containers[name=web].image", "changed", "manual"),
    ("data.debug", "added", "manual"),
}


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ARGOCD, Syncer.HELM, Syncer.HELM_SERVER_SIDE], ids=str)
def test_an_apply_by_hand_is_an_edit(workspace: Application, syncer: Syncer) -> None:
    workspace.write(SETTINGS + "---" + WEB)
    workspace.sync(syncer, owner="app")
    _by_hand(workspace, lambda text: text)
    assert workspace.report().findings == []

    _by_hand(workspace, _edited)
    scanned = workspace.report()

    assert _causes(scanned) == EDITED
    assert set(scanned.managers) == {"kubectl-client-side-apply"}


@pytest.mark.parametrize("manager", [*LISTED, "robot"])
@pytest.mark.parametrize("mode", [("apply", "--server-side"), ("apply",)], ids=len)
def test_one_apply_by_hand_does_not_make_kubectl_the_applier(
    workspace: Application, manager: str, mode: tuple[str, ...]
) -> None:
    workspace.write(SETTINGS + "---" + WEB + "---" + OTHERS)
    workspace.kubectl(*mode, f"--field-manager={manager}", f"--filename={workspace.manifests}")
    _by_hand(workspace, lambda text: "---".join(text.split("---")[:2]))
    assert workspace.report().findings == []

    _by_hand(workspace, lambda text: _edited("---".join(text.split("---")[:2])))
    scanned = workspace.report()

    assert _causes(scanned) == EDITED
    assert set(scanned.managers) == {"kubectl-client-side-apply"}
    inferred = [note for note in scanned.document["notes"] if "counts as the applier" in note]
    assert bool(inferred) == (manager == "robot")


def test_each_string_data_key_is_attributed_to_its_own_manager(workspace: Application) -> None:
    keys = """
apiVersion: v1
kind: Secret
metadata: {name: keys, namespace: NAMESPACE}
stringData: {a: "1", b: "2", c: "3"}
"""
    workspace.write(keys)
    workspace.sync()
    assert workspace.report().findings == []

    workspace.write(keys.replace(', c: "3"', ""))
    assert _causes(workspace.report()) == {("data.c", "added", "pending-sync")}

    workspace.write(keys)
    workspace.patch("secret", "keys", {"data": {"a": "eA=="}})
    scanned = workspace.report()
    assert _causes(scanned) == {("data.a", "changed", "manual")}
    assert set(scanned.managers) == {"kubectl-patch"}

    workspace.sync()
    workspace.kubectl("patch", "secret/keys", "--type=json", '--patch=[{"op": "remove", "path": "/data/b"}]')
    assert {(path, change) for path, change, _ in _causes(workspace.report())} == {("data.b", "removed")}


def _apply_server_side(workspace: Application, manager: str) -> None:
    """Applies as a GitOps controller does; kubectl would first migrate ownership from client-side apply."""
    listed = workspace.kubectl("create", "--dry-run=client", "--output=json", f"--filename={workspace.manifests}")
    server = Server(workspace.cluster.kubeconfig)
    paths = {
        "ConfigMap": "/api/v1/namespaces/{}/configmaps/{}",
        "Service": "/api/v1/namespaces/{}/services/{}",
        "Deployment": "/apis/apps/v1/namespaces/{}/deployments/{}",
    }
    for body in json_stream(listed):
        path = paths[body["kind"]].format(workspace.namespace, body["metadata"]["name"])
        applied = server.apply(path, body, manager)
        assert not isinstance(applied, Refused), applied


@pytest.mark.parametrize("keeps_annotation", [True, False])
@pytest.mark.parametrize("manager", ["argocd-controller", "kustomize-controller", "robot"])
def test_a_field_left_over_from_client_side_apply_is_found(
    workspace: Application, manager: str, *, keeps_annotation: bool
) -> None:
    labelled = WEB.replace("labels: {app: web}}\nspec", "labels: {app: web, team: blue}}\nspec")
    full = labelled.replace("value: fast}]", "value: fast}, {name: OLD, value: x}]")
    assert full.count("team: blue") == full.count("name: OLD") == 1
    service = OTHERS.split("---", maxsplit=1)[0]
    workspace.write(SETTINGS + "---" + full + "---" + service)
    workspace.kubectl("apply", f"--field-manager={manager}", f"--filename={workspace.manifests}")
    if not keeps_annotation:
        annotation = "kubectl.kubernetes.io/last-applied-configuration-"
        for what in ("deployment/web", "service/web", "configmap/settings"):
            workspace.kubectl("annotate", what, annotation, f"--field-manager={manager}")
    _apply_server_side(workspace, manager)
    assert workspace.report().findings == []

    workspace.write(SETTINGS + "---" + WEB + "---" + service)
    _apply_server_side(workspace, manager)
    scanned = workspace.report()

    assert _causes(scanned) == {
        ("metadata.labels.team", "added", "pending-sync"),
        ("spec.template.spec.containers[name=web].env[name=OLD]", "added", "pending-sync"),
    }
    assert set(scanned.managers) == {manager}


NOT_KEPT = (
    "this server does not keep this field: a typo, a disabled feature gate, or a field of another Kubernetes version"
)


@pytest.mark.parametrize(
    "command", [("create", "--field-manager=helm"), ("apply",)], ids=lambda command: str(command[0])
)
def test_a_field_that_the_server_drops_is_not_reported_as_removed(
    workspace: Application, command: tuple[str, ...]
) -> None:
    wrong = WEB.replace("replicas: 2", "replicas: 2\n  replica: 2").replace(
        "image: nginx", "imagePullPolcy: Always\n          image: nginx"
    )
    workspace.write(SETTINGS + "---" + wrong)
    workspace.kubectl(*command, "--validate=ignore", f"--filename={workspace.manifests}")
    expected = {
        ("spec.replica", "removed", "unknown"),
        ("spec.template.spec.containers[name=web].imagePullPolcy", "removed", "unknown"),
    }
    scanned = workspace.report()
    assert _causes(scanned) == expected
    assert _notes(scanned) == {
        f"{NOT_KEPT}; did you mean 'replicas'?",
        f"{NOT_KEPT}; did you mean 'imagePullPolicy'?",
    }

    workspace.kubectl("label", "deployment/web", "team=blue")
    scanned = workspace.report()
    assert _causes(scanned) == {*expected, ("metadata.labels.team", "added", "manual")}
    removed = [
        finding
        for item in scanned.document["objects"]
        for finding in item["findings"]
        if finding["change"] == "removed"
    ]
    assert [finding["actors"] for finding in removed] == [[], []]


def test_a_field_that_git_added_since_the_object_was_made_is_not_said_to_be_removed(workspace: Application) -> None:
    workspace.write(WEB)
    workspace.sync()
    workspace.kubectl("label", "deployment/web", "team=blue")
    workspace.write(WEB.replace("replicas: 2", "replicas: 2\n  minReadySeconds: 5"))

    scanned = workspace.report()

    assert _causes(scanned) == {
        ("spec.minReadySeconds", "removed", "unknown"),
        ("metadata.labels.team", "added", "manual"),
    }
    assert any(note and "Git added it later" in note for note in _notes(scanned))


def test_a_field_removed_by_hand_is_manual_drift(workspace: Application) -> None:
    workspace.write(WEB)
    workspace.sync()
    workspace.kubectl("set", "env", "deployment/web", "MODE-")

    assert _causes(workspace.report()) <= {
        ("spec.template.spec.containers[name=web].env", "removed", "manual"),
        ("spec.template.spec.containers[name=web].env", "removed", "unknown"),
    }
