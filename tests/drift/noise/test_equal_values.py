"""Values that mean the same in another spelling are silent."""

import base64
import json

import pytest

from tests.drift.conftest import Application
from tests.drift.noise.conftest import BOTH, Quiet
from tests.drift.samples import WIDGETS, deployment, wait_for_schema, widget


def _serve_widgets(workspace: Application) -> None:
    workspace.write(WIDGETS)
    workspace.sync()
    wait_for_schema(workspace)


def test_n1_quantities_are_equal_across_forms(quiet: Quiet) -> None:
    resources = """
resources:
  limits: {cpu: 1000m, memory: 0.5Gi, ephemeral-storage: 1e9}
  requests: {cpu: 0.5, memory: 512Mi, ephemeral-storage: "1000000k"}
"""
    quiet(deployment(container=resources), syncers=BOTH)


def test_n1_amounts_finer_than_the_server_stores_are_equal(quiet: Quiet) -> None:
    quiet(deployment(container="resources: {limits: {cpu: 0.0875}, requests: {cpu: 12.5m}}"), syncers=BOTH)


@pytest.mark.usefixtures("crd")
def test_n1_quantities_are_equal_in_custom_resources_too(workspace: Application) -> None:
    _serve_widgets(workspace)
    workspace.write(WIDGETS + "---\n" + widget("{resources: {requests: {cpu: 1000m}}, size: 1000m}"))
    workspace.sync()
    workspace.write(WIDGETS + "---\n" + widget("{resources: {requests: {cpu: 1}}, size: '1'}"))

    # A string field is not a quantity, even if its value looks like one.
    assert [path for _, _, path, _ in workspace.report().findings] == ["spec.size"]


@pytest.mark.usefixtures("crd")
def test_n3_durations_are_equal_across_forms_where_the_schema_says_duration(workspace: Application) -> None:
    _serve_widgets(workspace)
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


@pytest.mark.usefixtures("crd")
def test_n5_an_empty_list_without_a_type_is_not_absent(workspace: Application) -> None:
    _serve_widgets(workspace)
    workspace.write(WIDGETS + "---\n" + widget("{resources: {claims: [a], none: [], nothing: null}}"))
    workspace.sync()
    assert workspace.report().findings == []
    lists: dict[str, list[str]] = {"claims": [], "more": []}
    workspace.kubectl(
        "patch", "widget", "gadget", "--type=merge", "--patch", json.dumps({"spec": {"resources": lists}})
    )

    assert workspace.report().findings == [
        ("Widget/gadget", "changed", "spec.resources.claims", "manual"),
        ("Widget/gadget", "added", "spec.resources.more", "manual"),
    ]


def test_n5_null_empty_and_absent_are_equal(quiet: Quiet) -> None:
    spec = "minReadySeconds: null"
    pod = "nodeSelector: {}\ntolerations: []\ninitContainers: []\nsecurityContext: {}"
    container = "env: []\nargs: []\nresources: {}\nlifecycle: null"
    quiet(deployment(spec, container, pod, "annotations: {}"), syncers=BOTH)


def test_n5_an_empty_value_with_a_meaning_counts(workspace: Application) -> None:
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


def test_n9_a_null_creation_timestamp_is_silent(quiet: Quiet) -> None:
    quiet(
        deployment(metadata="creationTimestamp: null").replace(
            "{labels: {app: web}}", "{labels: {app: web}, creationTimestamp: null}"
        )
    )


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


def test_n2_a_field_newer_than_the_schema_is_compared_unchanged_and_the_rest_normalized(
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


BYTES = """
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: NAMESPACE}
binaryData:
  f: |
    AAEC
    AwQF
"""


def test_base64_on_several_lines_is_equal(quiet: Quiet) -> None:
    quiet(BYTES)
