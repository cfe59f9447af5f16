"""Manifests for many tests: a Deployment, a Service, and a custom resource with its CRD."""

import time

from tests.drift.conftest import Application

#: How long a test waits for the schema of a new custom resource.
SCHEMA_SECONDS = 180.0


def deployment(spec: str = "", container: str = "", pod: str = "", metadata: str = "") -> str:
    """A small Deployment, with these lines added."""
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


def web(container: str, metadata: str = "name: web") -> str:
    """A Deployment of two replicas, with these lines in its container, and without a namespace by default."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{{metadata}}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      containers:
        - name: web
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
    """Waits for the schema of a new custom resource, which the API server publishes after it serves the kind."""
    deadline = time.monotonic() + SCHEMA_SECONDS
    while f"{workspace.namespace}.example.com" not in workspace.kubectl("get", "--raw", "/openapi/v3"):
        assert time.monotonic() < deadline, "the schema was not published in time"
        time.sleep(0.1)


SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec: {selector: {app: web}, ports: [{port: 80}]%s}
"""
