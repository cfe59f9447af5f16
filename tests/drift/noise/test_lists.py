"""Reordered lists, and list items with similar keys."""

import json

from tests.drift.conftest import Application
from tests.drift.noise.conftest import BOTH, Quiet
from tests.drift.samples import SERVICE, deployment
from tools.sandbox.syncers import Syncer


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
