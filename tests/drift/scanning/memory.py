"""A cluster in memory, and scans of it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from drift.errors import RequestError
from drift.kube.live import LiveObject, read_live
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo, ManifestsInfo, Report, Unmanaged
from drift.objects import Manifest
from drift.scanning import Options, scan_manifests
from drift.sources.load import load_texts

VERBS = frozenset({"get", "list"})
CONFIG_MAP = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=VERBS)
SERVICE = Resource("", "v1", "Service", "services", namespaced=True, verbs=VERBS)
SECRET = Resource("", "v1", "Secret", "secrets", namespaced=True, verbs=VERBS)
NAMESPACE = Resource("", "v1", "Namespace", "namespaces", namespaced=False, verbs=VERBS)
AUTOSCALER = Resource("autoscaling", "v2", "HorizontalPodAutoscaler", "hpas", namespaced=True, verbs=VERBS)
INFO = ManifestsInfo(("-",), None, None)


def body(name: str, namespace: str | None = "n", kind: str = "ConfigMap", data: Any = None) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **({"data": data} if data else {})}


class Memory:
    """A cluster in memory that records requests, and can refuse some kinds."""

    default_namespace = "default"
    request_count: int | None = None

    def __init__(
        self,
        *bodies: dict[str, Any],
        refuses: Mapping[str, int] | None = None,
        refuses_get: Mapping[str, int] | None = None,
        after: int = 0,
    ) -> None:
        self.info: ClusterInfo | None = ClusterInfo(None, "https://example.com", "v1.36.3")
        self.resources = Resources(
            [CONFIG_MAP, SERVICE, SECRET, NAMESPACE, AUTOSCALER], broken=["broken.example.com/v1"]
        )
        self.asked: list[str] = []
        self._objects = [read_live(body, body["apiVersion"], body["kind"]) for body in bodies]
        self._refuses = refuses or {}
        self._refuses_get = refuses_get or self._refuses
        self._after = after

    def schema(self, resource: Resource) -> None:
        del resource

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        self.asked.append(f"get {resource.plural} {namespace}/{name}")
        self._refuse(resource, self._refuses_get)
        return next((live for live in self._of(resource, namespace) if live.name == name), None)

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        del at_most
        self.asked.append(f"{'names' if metadata_only else 'list'} {resource.plural} {namespace}")
        for count, live in enumerate(self._of(resource, namespace)):
            if count >= self._after:
                self._refuse(resource, self._refuses)
            # As in the items of a list of a server.
            body = {name: value for name, value in live.body.items() if name not in {"apiVersion", "kind"}}
            yield replace(live, body=body)
        self._refuse(resource, self._refuses)

    def _of(self, resource: Resource, namespace: str | None) -> "Sequence[LiveObject]":
        return [
            live
            for live in self._objects
            if live.kind == resource.kind and (namespace is None or live.namespace == namespace)
        ]

    def _refuse(self, resource: Resource, statuses: Mapping[str, int]) -> None:
        status = statuses.get(resource.plural)
        if status:
            raise RequestError(f"GET {resource.plural}: {status}", status=status, reason="Refused")


def manifests(*bodies: dict[str, Any]) -> tuple[Manifest, ...]:
    return load_texts([("f.yaml", "\n---\n".join(map(json.dumps, bodies)).encode())]).manifests


def scan(source: Memory, *bodies: dict[str, Any], unmanaged: Unmanaged = Unmanaged.OFF) -> Report:
    return scan_manifests(manifests(*bodies), source, info=INFO, options=Options(unmanaged=unmanaged))


def statuses(report: Report) -> list[tuple[str, str]]:
    return [(str(item.key), item.status.value) for item in report.objects]
