"""What other tools report though nothing is wrong: each row here must stay silent, on a real API server."""

import base64
import json
import time
from collections.abc import Callable

import pytest

from tests.drift.conftest import Application
from tests.sandbox.syncers import Syncer

Finding = tuple[str, str, str, str]


def deployment(spec: str = "", container: str = "", pod: str = "", metadata: str = "") -> str:
    """A small Deployment, with more lines where they are given."""
    return f"""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: NAMESPACE
{_indent(metadata, 2)}
spec:
  selector: {{matchLabels: {{app: web}}}}
{_indent(spec, 2)}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
{_indent(pod, 6)}
      containers:
        - name: web
          image: nginx:1.29
{_indent(container, 10)}
"""


def _indent(text: str, columns: int) -> str:
    return "\n".join(" " * columns + line for line in text.strip("\n").splitlines())


WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.NAMESPACE.example.com}
spec:
  group: NAMESPACE.example.com
  scope: Namespaced
  names: {plural: widgets, kind: Widget}
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties:
                mode: {type: string, default: fast}
                retries: {type: integer, default: 3}
                size: {type: string}
                options: {type: object, additionalProperties: {type: string}}
                resources: {type: object, x-kubernetes-preserve-unknown-fields: true}
                timeout: {type: string, format: duration}
                tags: {type: array, items: {type: string}, x-kubernetes-list-type: set}
                rules:
                  type: array
                  items:
                    type: object
                    properties: {host: {type: string}, port: {type: integer, default: 80}}
"""


def widget(spec: str) -> str:
    return f"""
apiVersion: NAMESPACE.example.com/v1
kind: Widget
metadata: {{name: gadget, namespace: NAMESPACE}}
spec: {spec}
"""


def wait_for_schema(workspace: Application) -> None:
    """The API server publishes the schema of a new custom resource a moment after it serves it."""
    for _ in range(100):
        if f"{workspace.namespace}.example.com" in workspace.kubectl("get", "--raw", "/openapi/v3"):
            return
        time.sleep(0.1)
    pytest.fail("the schema was not published in time")


@pytest.fixture
def quiet(workspace: Application) -> Callable[..., None]:
    """Asserts that manifests are in sync after a sync in each of the given ways."""

    def check(*documents: str, syncers: tuple[Syncer, ...] = (Syncer.FLUX,), after: str = "") -> None:
        workspace.write("---\n".join(documents))
        for syncer in syncers:
            workspace.sync(syncer)
            if after:
                workspace.kubectl(*after.split())
            scanned = workspace.report()
            assert scanned.findings == []
            assert scanned.status == 0

    return check


Quiet = Callable[..., None]
#: Both ways in which defaults come to have an owner or none.
BOTH = (Syncer.FLUX, Syncer.ARGOCD)


@pytest.fixture
def crd(workspace: Application) -> object:
    """Custom resource definitions are the cluster's, so they are removed behind each test."""
    yield None
    workspace.cluster.kubectl(
        "delete", "crd", f"widgets.{workspace.namespace}.example.com", "--ignore-not-found", "--wait=false"
    )


def test_n1_quantities_are_equal_across_forms(quiet: Quiet) -> None:
    resources = """
resources:
  limits: {cpu: 1000m, memory: 0.5Gi, ephemeral-storage: 1e9}
  requests: {cpu: 0.5, memory: 512Mi, ephemeral-storage: "1000000k"}
"""
    quiet(deployment(container=resources), syncers=BOTH)


@pytest.mark.usefixtures("crd")
def test_n1_quantities_are_equal_in_custom_resources_too(workspace: Application) -> None:
    workspace.write(WIDGETS)
    workspace.sync()
    wait_for_schema(workspace)
    workspace.write(WIDGETS + "---\n" + widget("{resources: {requests: {cpu: 1000m}}, size: 1000m}"))
    workspace.sync()
    workspace.write(WIDGETS + "---\n" + widget("{resources: {requests: {cpu: 1}}, size: '1'}"))

    # A string that only looks like a quantity is a string.
    assert [path for _, _, path, _ in workspace.report().findings] == ["spec.size"]


@pytest.mark.usefixtures("crd")
def test_n3_durations_are_equal_across_forms_where_the_schema_says_duration(workspace: Application) -> None:
    workspace.write(WIDGETS)
    workspace.sync()
    wait_for_schema(workspace)
    workspace.write(WIDGETS + "---\n" + widget("{timeout: 8760h, size: 8760h}"))
    workspace.sync()
    workspace.write(WIDGETS + "---\n" + widget("{timeout: 8760h0m0s, size: 8760h0m0s}"))

    assert [path for _, _, path, _ in workspace.report().findings] == ["spec.size"]


def test_n4_zero_values_in_git_are_equal_to_absent_where_zero_is_the_default(quiet: Quiet) -> None:
    quiet(deployment(pod="hostNetwork: false\nhostPID: false", spec="minReadySeconds: 0\npaused: false"), syncers=BOTH)


def test_n4_zero_replicas_are_not_absent(workspace: Application) -> None:
    workspace.write(deployment(spec="replicas: 0"))
    workspace.sync()
    workspace.kubectl("scale", "deployment/web", "--replicas=1")

    assert [path for _, _, path, _ in workspace.report().findings] == ["spec.replicas"]


def test_n5_null_empty_and_absent_are_equal(quiet: Quiet) -> None:
    spec = "minReadySeconds: null"
    pod = "nodeSelector: {}\ntolerations: []\ninitContainers: []\nsecurityContext: {}"
    container = "env: []\nargs: []\nresources: {}\nlifecycle: null"
    quiet(deployment(spec, container, pod, "annotations: {}"), syncers=BOTH)


def test_n5_empty_counts_where_it_has_a_meaning(workspace: Application) -> None:
    policy = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: allow, namespace: NAMESPACE}
spec:
  podSelector: {}
  ingress: [{from: [{podSelector: {}}]}]
"""
    workspace.write(policy)
    workspace.sync()
    assert workspace.report().findings == []
    workspace.write(policy.replace("{from: [{podSelector: {}}]}", "{}"))

    assert workspace.report().findings == [("NetworkPolicy/allow", "changed", "spec.ingress", "pending-sync")]


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


def test_n8_what_the_server_adds_to_claim_templates_is_silent(quiet: Quiet) -> None:
    quiet(CLAIMS, syncers=BOTH)


def test_n8_the_size_of_a_claim_template_still_counts(workspace: Application) -> None:
    workspace.write(CLAIMS)
    workspace.sync()
    workspace.write(CLAIMS.replace("1Gi", "2Gi"))

    assert [path for _, _, path, _ in workspace.report().findings] == ["spec.volumeClaimTemplates"]


def test_n9_a_null_creation_timestamp_is_silent(quiet: Quiet) -> None:
    quiet(
        deployment(metadata="creationTimestamp: null").replace(
            "{labels: {app: web}}", "{labels: {app: web}, creationTimestamp: null}"
        )
    )


def test_n10_what_the_server_keeps_in_metadata_never_counts(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync(Syncer.KUBECTL)
    live = json.loads(workspace.kubectl("get", "deployment", "web", "-o", "json", "--show-managed-fields"))
    # Somebody committed what `kubectl get -o yaml` printed, and the object has moved on since.
    live["metadata"]["generation"] = 77
    live["metadata"]["uid"] = "0"
    workspace.write(json.dumps(live))

    assert workspace.report().findings == []


def test_n11_the_order_of_autoscaler_metrics_is_silent(workspace: Application) -> None:
    metric = "{type: Resource, resource: {name: %s, target: {type: Utilization, averageUtilization: 50}}}"
    autoscaler = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NAMESPACE}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 3
  metrics: [%s, %s]
"""
    memory, cpu = metric % "memory", metric % "cpu"
    workspace.write(autoscaler % (memory, cpu))
    workspace.sync()
    workspace.write(autoscaler % (cpu, memory))

    assert workspace.report().findings == []


def test_n12_the_order_of_endpoints_is_silent(workspace: Application) -> None:
    endpoints = """
apiVersion: v1
kind: Endpoints
metadata: {name: outside, namespace: NAMESPACE}
subsets: [{addresses: [%s, %s], ports: [{port: 443}]}]
"""
    one, two = "{ip: 10.9.0.1}", "{ip: 10.9.0.2}"
    workspace.write(endpoints % (two, one))
    workspace.sync()
    assert workspace.report().findings == []
    workspace.write(endpoints % (one, two))

    assert workspace.report().findings == []


def test_n13_another_order_of_env_is_one_low_finding(workspace: Application) -> None:
    workspace.write(deployment(container="env: [{name: A, value: a}, {name: B, value: b}, {name: C, value: c}]"))
    workspace.sync()
    workspace.write(deployment(container="env: [{name: C, value: c}, {name: A, value: a}, {name: B, value: b}]"))

    scanned = workspace.report()

    path = "spec.template.spec.containers[name=web].env"
    assert scanned.findings == [("Deployment/web", "reordered", path, "unknown")]
    assert scanned.document["objects"][0]["findings"][0]["severity"] == "low"


def test_n14_string_data_is_equal_to_the_data_it_becomes(quiet: Quiet) -> None:
    encoded = base64.b64encode(b"beta").decode()
    secret = f"""
apiVersion: v1
kind: Secret
metadata: {{name: s, namespace: NAMESPACE}}
data: {{a: {base64.b64encode(b"overwritten").decode()}, b: {encoded}}}
stringData: {{a: alpha}}
"""
    quiet(secret, syncers=BOTH)


AUTOSCALER = """
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web, namespace: NAMESPACE}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 2, maxReplicas: 5}
"""


@pytest.mark.parametrize("replicas", ["replicas: 1", ""])
def test_n15_replicas_within_an_autoscalers_range_are_its_business(workspace: Application, replicas: str) -> None:
    workspace.write(deployment(spec=replicas) + "---\n" + AUTOSCALER)
    workspace.sync()
    workspace.kubectl("scale", "deployment/web", "--replicas=4")

    scanned = workspace.report()

    assert [(path, cause) for _, _, path, cause in scanned.findings] == [("spec.replicas", "controller")]
    assert scanned.status == 0


WEBHOOK = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: NAMESPACE}
webhooks:
  - name: check.example.com
    admissionReviewVersions: [v1]
    sideEffects: None
    failurePolicy: Ignore
    objectSelector: {matchLabels: {nothing-has: this-label}}
    clientConfig: {service: {name: check, namespace: NAMESPACE, path: /}%s}
    rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
"""
ONE_CA, OTHER_CA = (
    base64.b64encode(f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n".encode()).decode()
    for text in ("one", "other")
)


@pytest.fixture
def webhook(workspace: Application) -> object:
    yield None
    workspace.cluster.kubectl("delete", "validatingwebhookconfiguration", workspace.namespace, "--ignore-not-found")


def _inject_ca(workspace: Application, bundle: str) -> None:
    patch = [{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": bundle}]
    workspace.cluster.kubectl(
        *("patch", "validatingwebhookconfiguration", workspace.namespace, "--type=json", "--field-manager=cainjector"),
        *("--patch", json.dumps(patch)),
    )


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("bundle", ["", ", caBundle: Cg=="])
def test_n16_a_ca_bundle_that_git_leaves_open_may_be_filled_in(workspace: Application, bundle: str) -> None:
    workspace.write(WEBHOOK % (bundle if bundle != ", caBundle: Cg==" else f", caBundle: {ONE_CA}"))
    workspace.sync()
    workspace.write(WEBHOOK % bundle)
    _inject_ca(workspace, OTHER_CA)

    assert workspace.report().findings == []


@pytest.mark.usefixtures("webhook")
def test_n16_two_real_ca_bundles_that_differ_are_drift(workspace: Application) -> None:
    workspace.write(WEBHOOK % f", caBundle: {ONE_CA}")
    workspace.sync()
    patch = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle", "value": OTHER_CA}]
    workspace.cluster.kubectl(
        "patch", "validatingwebhookconfiguration", workspace.namespace, "--type=json", "--patch", json.dumps(patch)
    )

    assert [(path, cause) for _, _, path, cause in workspace.report().findings] == [
        ("webhooks[name=check.example.com].clientConfig.caBundle", "manual")
    ]


@pytest.mark.usefixtures("webhook")
def test_n17_what_an_operator_rewrites_in_its_webhook_is_its_business(workspace: Application) -> None:
    workspace.write(WEBHOOK % "")
    workspace.sync()
    patch = [{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]
    workspace.cluster.kubectl(
        *("patch", "validatingwebhookconfiguration", workspace.namespace, "--type=json"),
        *("--field-manager=kyverno-admission-controller", "--patch", json.dumps(patch)),
    )

    scanned = workspace.report()

    assert [cause for *_, cause in scanned.findings] == ["controller"]
    assert scanned.managers == ["kyverno-admission-controller"]
    assert scanned.status == 0


@pytest.mark.usefixtures("crd")
def test_n18_what_the_server_adds_to_a_crd_is_silent(quiet: Quiet) -> None:
    explicit = "  preserveUnknownFields: false\n  conversion: {strategy: None}\n"
    names = "names: {plural: widgets, kind: Widget, singular: widget, listKind: WidgetList}"
    quiet(WIDGETS, syncers=BOTH)
    quiet(
        WIDGETS.replace("names: {plural: widgets, kind: Widget}", names).replace(
            "  versions:", f"{explicit}  versions:"
        )
    )


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec: {selector: {app: web}, ports: [{port: 80}]%s}
"""


@pytest.mark.parametrize("syncer", Syncer)
@pytest.mark.parametrize(
    "spec", ["", ", type: NodePort", ", type: LoadBalancer", ", clusterIP: ''", ", clusterIP: None"]
)
def test_n19_what_is_allocated_to_a_service_is_silent_where_git_is(
    workspace: Application, spec: str, syncer: Syncer
) -> None:
    workspace.write(SERVICE % spec)
    workspace.sync(syncer)

    assert workspace.report().findings == []


def test_n19_what_git_says_of_a_service_is_compared(workspace: Application) -> None:
    workspace.write(SERVICE % ", sessionAffinity: None, type: NodePort")
    workspace.sync()
    workspace.kubectl("patch", "service", "web", "--patch", '{"spec": {"sessionAffinity": "ClientIP"}}')

    assert [path for _, _, path, _ in workspace.report().findings] == ["spec.sessionAffinity"]


def test_n20_what_a_claim_is_bound_to_is_silent(workspace: Application) -> None:
    claim = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NAMESPACE}
spec: {accessModes: [ReadWriteOnce], storageClassName: "", resources: {requests: {storage: 1Gi}}}
"""
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": workspace.namespace},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/nowhere"},
            "claimRef": {"namespace": workspace.namespace, "name": "data"},
        },
    }
    workspace.kubectl("create", "-f", "-", stdin=json.dumps(volume))
    try:
        workspace.write(
            claim.replace('storageClassName: "", ', "").replace(
                "ReadWriteOnce]", 'ReadWriteOnce], storageClassName: ""'
            )
        )
        workspace.sync()
        workspace.kubectl("wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=60s")

        assert workspace.report().findings == []
    finally:
        workspace.cluster.kubectl("delete", "persistentvolume", workspace.namespace, "--wait=false")


def test_n21_the_tokens_of_a_service_account_are_silent_and_other_entries_are_not(workspace: Application) -> None:
    workspace.write("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: robot, namespace: NAMESPACE}\n")
    workspace.sync()
    tokens = [{"name": "robot-token-x7k2p"}, {"name": "robot-dockercfg-9vq4d"}]
    workspace.patch("serviceaccount", "robot", {"secrets": tokens, "imagePullSecrets": tokens[1:]})
    assert workspace.report().findings == []
    workspace.patch("serviceaccount", "robot", {"secrets": [*tokens, {"name": "stolen"}]})

    # Git sets no field of it, so the API server does not track who does.
    assert workspace.report().findings == [("ServiceAccount/robot", "added", "secrets", "unknown")]


def test_n22_the_rules_of_an_aggregated_role_are_silent_and_its_labels_are_not(workspace: Application) -> None:
    role = """
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: NAMESPACE}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {kubernetes.io/bootstrapping: rbac-defaults}}]}
rules: []
"""
    workspace.write(role)
    try:
        workspace.sync()
        workspace.kubectl("wait", "clusterrole", workspace.namespace, "--for=jsonpath={.rules}", "--timeout=60s")
        assert workspace.report().findings == []
        workspace.kubectl("label", "clusterrole", workspace.namespace, "team=somebody")

        assert [path for _, _, path, _ in workspace.report().findings] == ["metadata.labels"]
    finally:
        workspace.cluster.kubectl("delete", "clusterrole", workspace.namespace)


def test_n23_an_env_name_given_twice_is_a_remark_and_no_crash(workspace: Application) -> None:
    workspace.write(deployment(container="env: [{name: A, value: a}]"))
    workspace.sync(Syncer.KUBECTL)
    workspace.write(deployment(container="env: [{name: A, value: other}, {name: A, value: a}]"))

    scanned = workspace.report()

    assert scanned.findings == []
    assert "given twice" in scanned.document["objects"][0]["reason"]


def test_n24_one_port_of_two_protocols_is_two_ports(quiet: Quiet) -> None:
    ports = "ports: [{name: dns, containerPort: 53}, {name: dns-udp, containerPort: 53, protocol: UDP}]"
    service = (SERVICE % "").replace("[{port: 80}]", "[{name: a, port: 53}, {name: b, port: 53, protocol: UDP}]")
    quiet(deployment(container=ports), service, syncers=BOTH)


def test_n25_an_edited_port_number_is_one_change(workspace: Application) -> None:
    workspace.write((SERVICE % "").replace("{port: 80}", "{name: http, port: 81, targetPort: web}"))
    workspace.sync()
    patch = [{"op": "replace", "path": "/spec/ports/0/port", "value": 80}]
    workspace.kubectl("patch", "service", "web", "--type=json", "--patch", json.dumps(patch))

    assert workspace.report().findings == [
        ("Service/web", "changed", "spec.ports[port=81,protocol=TCP].port", "manual")
    ]


@pytest.mark.parametrize("syncer", [syncer for syncer in Syncer if syncer is not Syncer.KUBECTL])
def test_n26_the_marks_of_syncers_are_silent(workspace: Application, syncer: Syncer) -> None:
    workspace.write(deployment())
    workspace.sync(syncer, owner="apps")

    assert workspace.report().findings == []


def test_n27_a_child_that_bears_its_parents_mark_is_not_unmanaged(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync(owner="apps")
    uid = workspace.kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.uid}")
    child = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "child",
            "labels": {"kustomize.toolkit.fluxcd.io/name": "apps"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid}],
        },
    }
    workspace.kubectl("create", "-f", "-", stdin=json.dumps(child))

    assert workspace.report().findings == []


def test_a_port_that_host_networking_fills_in_is_silent_where_git_says_0(workspace: Application) -> None:
    workspace.write(deployment(container="ports: [{containerPort: 80, hostPort: 0}]", pod="hostNetwork: true"))
    workspace.sync(Syncer.HELM)

    assert workspace.report().findings == []


def test_what_helm_3_made_is_not_in_sync_with_a_false_in_git_that_is_true(workspace: Application) -> None:
    workspace.write(deployment(pod="hostPID: true"))
    workspace.sync(Syncer.HELM)
    workspace.write(deployment(pod="hostPID: false"))

    (finding,) = workspace.report().findings
    assert finding[2:] == ("spec.template.spec.hostPID", "pending-sync")


def test_n28_a_restart_is_low_and_said_in_words(workspace: Application) -> None:
    workspace.write(deployment())
    workspace.sync()
    workspace.kubectl("rollout", "restart", "deployment/web")

    scanned = workspace.report()

    (finding,) = scanned.document["objects"][0]["findings"]
    assert finding["severity"] == "low"
    assert "rollout restart" in finding["note"]


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
def test_n29_what_is_made_of_a_jobs_uid_is_silent(workspace: Application, syncer: Syncer) -> None:
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
def test_n30_what_admission_adds_to_the_appliers_request_is_silent(workspace: Application, syncer: Syncer) -> None:
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


def test_a_pods_requests_that_the_server_copied_from_its_limits_are_silent(workspace: Application) -> None:
    workspace.write(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: alone, namespace: NAMESPACE}\nspec: {containers: [{name: c, "
        "image: 'busybox:1', resources: {limits: {memory: 128Mi, cpu: 1}, requests: {cpu: 100m}}}]}\n"
    )
    workspace.sync(Syncer.ADOPTED)

    assert workspace.report().findings == []


@pytest.mark.usefixtures("crd")
@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.ADOPTED])
def test_n7_a_default_object_and_the_defaults_inside_it_are_silent(workspace: Application, syncer: Syncer) -> None:
    nested = "extra: {type: object, default: {z: 1}, properties: {z: {type: integer}, w: {type: string, default: ww}}}"
    definition = WIDGETS.replace(
        "                mode: {type", f"                {nested}\n                mode: {{type"
    )
    workspace.write(definition)
    workspace.sync()
    wait_for_schema(workspace)
    workspace.write(definition + "---\n" + widget("{size: big}"))
    workspace.sync(syncer)

    assert workspace.report().findings == []


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


def test_n32_the_api_groups_of_rbac_subjects_are_filled_in(quiet: Quiet) -> None:
    binding = """
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: NAMESPACE}
roleRef: {kind: ClusterRole, name: view}
subjects:
  - {kind: User, name: somebody}
  - {kind: Group, name: readers}
  - {kind: ServiceAccount, name: robot, namespace: NAMESPACE}
"""
    quiet(
        binding.replace("{kind: ClusterRole,", "{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole,"), syncers=BOTH
    )


def test_n33_the_claim_that_a_volume_is_bound_to_is_silent(workspace: Application) -> None:
    volume = """
apiVersion: v1
kind: PersistentVolume
metadata: {name: NAMESPACE}
spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: NAMESPACE, hostPath: {path: /nowhere}}
"""
    claim = """
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: NAMESPACE}
spec: {accessModes: [ReadWriteOnce], storageClassName: NAMESPACE, resources: {requests: {storage: 1Gi}}}
"""
    workspace.write(volume + "---\n" + claim)
    try:
        workspace.sync()
        workspace.kubectl("wait", "pvc/data", "--for=jsonpath={.status.phase}=Bound", "--timeout=60s")

        assert workspace.report().findings == []
    finally:
        workspace.cluster.kubectl("delete", "persistentvolume", workspace.namespace, "--wait=false")


def test_n34_status_in_git_is_ignored(quiet: Quiet) -> None:
    quiet(deployment() + "status: {replicas: 17, conditions: []}\n")


def test_n35_a_namespace_on_a_cluster_scoped_object_is_ignored(workspace: Application) -> None:
    workspace.write("apiVersion: v1\nkind: Namespace\nmetadata: {name: NAMESPACE, namespace: elsewhere}\n")

    scanned = workspace.report()

    assert scanned.findings == []
    assert scanned.document["summary"]["objects"]["inSync"] == 1


def test_n2_a_field_that_is_newer_than_the_schema_is_compared_as_it_is_and_the_rest_is_normalized(
    workspace: Application,
) -> None:
    newer = "fromTheFuture: {cpu: 1000m}\nresources: {limits: {cpu: %s}}"
    workspace.write(deployment(container=newer % "1000m"))
    live = workspace.scratch / "live.yaml"
    live.write_text(deployment(container=newer % "1").replace("NAMESPACE", workspace.namespace))
    assert workspace.report("--live", str(live)).findings == []
    live.write_text(live.read_text().replace("fromTheFuture: {cpu: 1000m}", "fromTheFuture: {cpu: 1}"))

    assert [path for _, _, path, _ in workspace.report("--live", str(live)).findings] == [
        "spec.template.spec.containers[name=web].fromTheFuture.cpu"
    ]
