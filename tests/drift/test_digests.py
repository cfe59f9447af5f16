"""What unmanaged and missing objects are, and what drift does to security, with the objects of a real API server."""

import json

from tests.drift.conftest import Application

MANIFESTS = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: narrowed}
spec: {podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress, Egress]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      automountServiceAccountToken: false
      containers: [{name: web, image: "nginx:1.27", securityContext: {capabilities: {drop: [ALL]}}}]
"""
POLICY = {"spec": {"podSelector": {"matchLabels": {"a": "b"}}, "ingress": [{}]}}
DEPLOYMENT = [
    {"op": "remove", "path": "/spec/template/spec/automountServiceAccountToken"},
    {"op": "replace", "path": "/spec/template/spec/containers/0/securityContext", "value": {"runAsNonRoot": True}},
]


def test_unmanaged_and_missing_objects_say_what_they_are_and_findings_what_they_do_to_security(
    workspace: Application,
) -> None:
    workspace.write(MANIFESTS)
    workspace.sync()
    workspace.patch("networkpolicy", "narrowed", POLICY)
    workspace.kubectl("patch", "deployment", "web", "--type=json", "-p", json.dumps(DEPLOYMENT))
    workspace.patch("role", "reader", {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})
    workspace.kubectl("delete", "networkpolicy", "deny")
    workspace.kubectl("create", "rolebinding", "debug", "--clusterrole=cluster-admin", "--user=jane")
    workspace.kubectl("create", "secret", "generic", "token", "--from-literal=a=planted", "--from-literal=b=planted")
    workspace.kubectl("create", "service", "clusterip", "closed", "--tcp=443:8443")
    workspace.kubectl("create", "job", "import", "--image=perl")

    document = workspace.report().document

    whole = {
        f"{item['kind']}/{item['name']}": (
            item["digest"],
            item["findings"][0]["severity"],
            item["findings"][0]["security"],
        )
        for item in document["objects"]
        if item["status"] in {"missing", "unmanaged"}
    }
    fields = {
        f"{item['kind']} {finding['path'].rpartition('.')[2]}": (finding["severity"], finding["security"])
        for item in document["objects"]
        for finding in item["findings"]
        if finding["path"]
    }
    assert whole == {
        "Job/import": ("runs perl", "high", None),
        "NetworkPolicy/deny": ("all pods: denies all ingress; denies all egress", "high", "loosens"),
        "RoleBinding/debug": ("grants ClusterRole cluster-admin to User jane", "critical", "loosens"),
        "Secret/token": ("Secret with 2 keys", "high", None),
        "Service/closed": ("ClusterIP, ports 443/TCP to 8443", "high", None),
    }
    assert fields == {
        "Deployment automountServiceAccountToken": ("high", "loosens"),
        "Deployment capabilities": ("high", "loosens"),
        "Deployment runAsNonRoot": ("high", "tightens"),
        "NetworkPolicy ingress": ("high", "loosens"),
        "NetworkPolicy podSelector": ("high", None),
        "Role rules": ("critical", "loosens"),
    }
