"""Values that the API server fills in are silent."""

import pytest

from tests.drift.conftest import Application
from tests.drift.noise.conftest import BOTH, Quiet
from tests.drift.samples import WIDGETS, deployment, wait_for_schema, widget
from tools.sandbox.syncers import Syncer


@pytest.mark.parametrize("syncer", Syncer)
def test_n6_built_in_defaults_are_silent(workspace: Application, syncer: Syncer) -> None:
    probe = "livenessProbe: {httpGet: {path: /, port: 80}}\nports: [{containerPort: 80}]"
    volumes = "volumes: [{name: a, configMap: {name: a}}, {name: b, emptyDir: {}}]"
    workspace.write(deployment(container=probe, pod=volumes))
    workspace.sync(syncer)

    assert workspace.report().findings == []


def test_n6_a_live_value_that_is_not_the_default_is_drift(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync()
    workspace.patch("deployment", "web", {"spec": {"template": {"spec": {"dnsPolicy": "Default"}}}})

    assert workspace.report().findings == [("Deployment/web", "added", "spec.template.spec.dnsPolicy", "manual")]


@pytest.mark.usefixtures("crd")
def test_n7_defaults_of_a_crds_own_schema_are_silent(workspace: Application, quiet: Quiet) -> None:
    quiet(WIDGETS)
    wait_for_schema(workspace)
    quiet(WIDGETS, widget("{size: big, rules: [{host: a}, {host: b, port: 81}]}"), syncers=BOTH)


CLAIMS = """
apiVersion: v1
kind: Service
metadata: {name: db, namespace: NAMESPACE}
spec: {clusterIP: None, selector: {app: db}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: NAMESPACE}
spec:
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "postgres:17"}]}
  volumeClaimTemplates:
    - metadata: {name: data, creationTimestamp: null}
      spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
      status: {}
"""


def test_n8_fields_that_the_server_adds_to_claim_templates_are_silent(quiet: Quiet) -> None:
    quiet(CLAIMS, syncers=BOTH)


def test_n8_the_size_of_a_claim_template_still_counts(workspace: Application) -> None:
    workspace.write(CLAIMS)
    workspace.sync()
    workspace.write(CLAIMS.replace("1Gi", "2Gi"))

    assert [path for _, _, path, _ in workspace.report().findings] == ["spec.volumeClaimTemplates"]


@pytest.mark.usefixtures("crd")
def test_n18_fields_that_the_server_adds_to_a_crd_are_silent(quiet: Quiet) -> None:
    explicit = "  preserveUnknownFields: false\n  conversion: {strategy: None}\n"
    names = "names: {plural: widgets, kind: Widget, singular: widget, listKind: WidgetList}"
    quiet(WIDGETS, syncers=BOTH)
    quiet(
        WIDGETS.replace("names: {plural: widgets, kind: Widget}", names).replace(
            "  versions:", f"{explicit}  versions:"
        )
    )


def test_a_pods_requests_that_the_server_copied_from_its_limits_are_silent(workspace: Application) -> None:
    workspace.write(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: alone, namespace: NAMESPACE}\nspec: {containers: [{name: c, "
        "image: 'busybox:1', resources: {limits: {memory: 128Mi, cpu: 1}, requests: {cpu: 100m}}}]}\n"
    )
    workspace.sync(Syncer.ADOPTED)

    assert workspace.report().findings == []


def _with_field(workspace: Application, field: str) -> str:
    """Adds a field to the CRD of widgets in the cluster, and returns the CRD."""
    definition = WIDGETS.replace(
        "                mode: {type", f"                {field}\n                mode: {{type"
    )
    workspace.write(definition)
    workspace.sync()
    wait_for_schema(workspace)
    return definition


@pytest.mark.usefixtures("crd")
@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ADOPTED])
def test_n7_a_default_object_and_the_defaults_inside_it_are_silent(workspace: Application, syncer: Syncer) -> None:
    within = "v: {type: object, properties: {u: {type: integer, default: 3}}}"
    nested = (
        "extra: {type: object, default: {z: 1, v: {}}, "
        f"properties: {{z: {{type: integer}}, w: {{type: string, default: ww}}, {within}}}}}"
    )
    definition = _with_field(workspace, nested)
    workspace.write(definition + "---\n" + widget("{size: big}"))
    workspace.sync(syncer)

    assert workspace.report().findings == []


@pytest.mark.usefixtures("crd")
@pytest.mark.parametrize("syncer", BOTH)
def test_an_empty_list_that_switches_off_the_default_of_a_crd(workspace: Application, syncer: Syncer) -> None:
    listed = "extra: {type: array, items: {type: string}, default: [x]}"
    definition = _with_field(workspace, listed)
    workspace.write(definition + "---\n" + widget("{size: big, extra: []}"))
    workspace.sync(syncer)

    assert workspace.report().findings == []

    workspace.kubectl("patch", "widget", "gadget", "--type=merge", "--patch", '{"spec": {"extra": ["x"]}}')

    assert workspace.report().findings == [("Widget/gadget", "changed", "spec.extra", "manual")]


def test_n32_the_api_groups_of_rbac_subjects_are_filled_in(quiet: Quiet) -> None:
    binding = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: NAMESPACE}
roleRef: {kind: ClusterRole, name: view}
subjects:
  - {kind: User, name: jane}
  - {kind: Group, name: readers}
  - {kind: ServiceAccount, name: robot, namespace: NAMESPACE}
"""
    quiet(
        binding.replace("{kind: ClusterRole,", "{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,"), syncers=BOTH
    )


def test_a_port_that_host_networking_fills_in_is_silent_where_git_says_0(workspace: Application) -> None:
    workspace.write(deployment(container="ports: [{containerPort: 80, hostPort: 0}]", pod="hostNetwork: true"))
    workspace.sync(Syncer.HELM)

    assert workspace.report().findings == []


def test_an_object_of_helm_3_with_true_is_not_in_sync_with_false_in_git(workspace: Application) -> None:
    workspace.write(deployment(pod="hostPID: true"))
    workspace.sync(Syncer.HELM)
    workspace.write(deployment(pod="hostPID: false"))

    (finding,) = workspace.report().findings
    assert finding[2:] == ("spec.template.spec.hostPID", "pending-sync")


#: Each asks the server to allocate a value that it has no reason to allocate, or not yet.
UNALLOCATED = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec: {clusterIP: "", healthCheckNodePort: 0, selector: {app: web}, ports: [{port: 80, nodePort: 0}]}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: web, namespace: NAMESPACE}
spec: {accessModes: [ReadWriteOnce], volumeName: "", resources: {requests: {storage: 1Gi}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web, namespace: NAMESPACE}
spec:
  serviceName: web
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: nginx}]
      volumes:
        - name: scratch
          ephemeral:
            volumeClaimTemplate:
              spec: {accessModes: [ReadWriteOnce], volumeName: "", resources: {requests: {storage: 1Gi}}}
  volumeClaimTemplates:
    - metadata: {name: data}
      spec: {accessModes: [ReadWriteOnce], volumeName: "", resources: {requests: {storage: 1Gi}}}
"""


def test_n19_n20_an_empty_value_is_silent_while_nothing_is_allocated(quiet: Quiet) -> None:
    quiet(UNALLOCATED, syncers=BOTH)
