"""A fleet for the benchmarks: many applications in fifty namespaces, as manifests and as live objects.

An application is two Deployments, a ConfigMap, a Service and a custom resource. They depend only on the application's
number, so all runs measure the same objects.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

from tools.sandbox.cluster import Cluster

OBJECTS_PER_APPLICATION = 5
NAMESPACES = 50
_WRITERS = 8
_BAD_REQUEST = 400
_CONFLICT = 409
#: Objects that one request to etcd writes; at most 128.
_PER_WRITE = 100
_GROUP = "bench.example.com"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

CUSTOM_RESOURCE_DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"routes.{_GROUP}"},
    "spec": {
        "group": _GROUP,
        "scope": "Namespaced",
        "names": {"kind": "Route", "listKind": "RouteList", "plural": "routes", "singular": "route"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "host": {"type": "string"},
                                    "timeout": {"type": "string", "default": "30s"},
                                    "backends": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["name"],
                                        "items": {
                                            "type": "object",
                                            "required": ["name"],
                                            "properties": {
                                                "name": {"type": "string"},
                                                "port": {"type": "integer"},
                                                "weight": {"type": "integer", "default": 1},
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


class Syncing(Enum):
    """How the fleet is applied."""

    SERVER_SIDE = "server-side"
    CLIENT_SIDE = "client-side"


@dataclass(frozen=True, slots=True)
class _Kind:
    root: str
    plural: str
    etcd: str


_KINDS = {
    "Deployment": _Kind("/apis/apps/v1", "deployments", "/registry/deployments"),
    "ConfigMap": _Kind("/api/v1", "configmaps", "/registry/configmaps"),
    "Service": _Kind("/api/v1", "services", "/registry/services/specs"),
    "Route": _Kind(f"/apis/{_GROUP}/v1", "routes", f"/registry/{_GROUP}/routes"),
}


def applications(objects: int) -> Iterator[list[dict[str, Any]]]:
    """Yields the objects of each application, ``objects`` in total. ``objects`` is a multiple of five."""
    for number in range(objects // OBJECTS_PER_APPLICATION):
        yield _application(_name_of(number), namespace_of(number))


def _name_of(number: int) -> str:
    return f"app-{number:05}"


def namespace_of(number: int) -> str:
    """Returns the namespace of an application."""
    return f"team-{number % NAMESPACES:02}"


def _application(name: str, namespace: str) -> list[dict[str, Any]]:
    metadata = {
        "namespace": namespace,
        "labels": {"app.kubernetes.io/name": name, "app.kubernetes.io/part-of": "fleet", "team": namespace},
    }
    return [
        _deployment(name, metadata),
        _deployment(f"{name}-worker", metadata),
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, **metadata},
            "data": {
                "LOG_LEVEL": "info",
                "DATABASE_HOST": f"{name}.database.svc",
                "FEATURES": "search,export,audit",
                "settings.yaml": "".join(f"option{index}: value {index} of {name}\n" for index in range(10)),
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, **metadata},
            "spec": {
                "selector": {"app.kubernetes.io/name": name},
                "ports": [{"name": "http", "port": 80, "targetPort": "http"}],
            },
        },
        {
            "apiVersion": f"{_GROUP}/v1",
            "kind": "Route",
            "metadata": {"name": name, **metadata},
            "spec": {"host": f"{name}.example.com", "backends": [{"name": name, "port": 80}]},
        },
    ]


def _deployment(name: str, metadata: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **metadata},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {
                "metadata": {"labels": {"app.kubernetes.io/name": name}},
                "spec": {
                    "serviceAccountName": "default",
                    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                    "containers": [
                        {
                            "name": "main",
                            "image": f"registry.example.com/{name}:1.4.2",
                            "ports": [{"name": "http", "containerPort": 8080}],
                            "env": [
                                {"name": "PORT", "value": "8080"},
                                {"name": "LOG_LEVEL", "valueFrom": {"configMapKeyRef": {"name": name, "key": "LOG"}}},
                            ],
                            "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
                            "livenessProbe": {"httpGet": {"path": "/live", "port": "http"}},
                            "resources": {
                                "requests": {"cpu": "100m", "memory": "128Mi"},
                                "limits": {"memory": "256Mi"},
                            },
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "volumeMounts": [{"name": "config", "mountPath": "/etc/app", "readOnly": True}],
                        }
                    ],
                    "volumes": [{"name": "config", "configMap": {"name": name}}],
                },
            },
        },
    }


def write_manifests(objects: int, folder: Path) -> None:
    """Writes one file per application, in one folder per namespace."""
    for bodies in applications(objects):
        metadata = bodies[0]["metadata"]
        directory = folder / metadata["namespace"]
        directory.mkdir(parents=True, exist_ok=True)
        text = yaml.dump_all(bodies, Dumper=yaml.CSafeDumper, sort_keys=False, default_flow_style=False)
        (directory / f"{metadata['name']}.yaml").write_text(text, "utf-8")


class Fleet:
    """A fleet in a cluster whose controllers are stopped, so that nothing else changes the objects."""

    def __init__(self, cluster: Cluster, syncing: Syncing) -> None:
        config = yaml.safe_load(cluster.kubeconfig.read_text("utf-8"))
        self._cluster = cluster
        self._server = cluster.server
        self._syncing = syncing
        self._drifted = (0, 0)
        self._http = urllib3.PoolManager(
            maxsize=_WRITERS,
            cert_reqs="CERT_NONE",
            assert_hostname=False,
            headers={"Authorization": f"Bearer {config['users'][0]['user']['token']}"},
            retries=False,
        )
        urllib3.disable_warnings()

    def load(self, objects: int) -> None:
        """Creates a fleet of this size, a hundred times as fast as `sync`.

        Applies one application, and copies it in etcd under the names of the others, which are as long.

        Raises:
            RuntimeError: The server refused a request.
        """
        [first] = applications(OBJECTS_PER_APPLICATION)
        for body in first:
            self._apply(body)
        stored = [self._stored(body) for body in first]
        copies = [
            _copy(key, value, uid, number)
            for number in range(1, objects // OBJECTS_PER_APPLICATION)
            for key, value, uid in stored
        ]
        for start in range(0, len(copies), _PER_WRITE):
            puts = [{"requestPut": copy} for copy in copies[start : start + _PER_WRITE]]
            self._cluster.ask_etcd("/v3/kv/txn", {"success": puts})

    def _stored(self, body: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
        """Returns the key and the value of an object in etcd, and its UID."""
        metadata = body["metadata"]
        key = f"{_KINDS[body['kind']].etcd}/{metadata['namespace']}/{metadata['name']}".encode()
        found = self._cluster.ask_etcd("/v3/kv/range", {"key": base64.b64encode(key).decode()})["kvs"][0]
        response = self._http.request("GET", self._server + _path(body))
        return key, base64.b64decode(found["value"]), response.json()["metadata"]["uid"].encode()

    def sync(self, objects: int) -> None:
        """Applies a fleet of this size, which reverts all edits.

        Raises:
            RuntimeError: The server refused a request.
        """
        self._for_all(objects, 1, self._apply)
        self._drifted = (0, 0)

    def drift(self, objects: int, every: int) -> None:
        """Edits one in every ``every`` objects by hand, each kind in turn; 0 edits none.

        Earlier edits are reverted first, unless they are the same.
        """
        if (objects, every) == self._drifted:
            return
        self._for_all(*self._drifted, self._apply)
        self._for_all(objects, every, self._edit)
        self._drifted = (objects, every)

    def _for_all(self, objects: int, every: int, act: Callable[[dict[str, Any]], None]) -> None:
        bodies = [body for application in applications(objects) for body in application]
        with ThreadPoolExecutor(_WRITERS) as pool:
            list(pool.map(act, _one_in(every, bodies)))

    def _apply(self, body: dict[str, Any]) -> None:
        path = _path(body)
        if self._syncing is Syncing.SERVER_SIDE:
            query = {"fieldManager": "kustomize-controller", "force": "true"}
            self._send("PATCH", path, body, query, "application/apply-patch+yaml")
        else:
            text = json.dumps(body, separators=(",", ":"))
            annotated = {**body, "metadata": {**body["metadata"], "annotations": {_LAST_APPLIED: text}}}
            query = {"fieldManager": "argocd-controller"}
            if (
                self._send("POST", path.rpartition("/")[0], annotated, query, "application/json", may_exist=True)
                == _CONFLICT
            ):
                self._send("PATCH", path, annotated, query, "application/merge-patch+json")
        if body["kind"] == "Deployment":
            status = {
                "metadata": {"annotations": {"deployment.kubernetes.io/revision": "1"}},
                "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2},
            }
            query = {"fieldManager": "kube-controller-manager"}
            self._send("PATCH", f"{path}/status", status, query, "application/merge-patch+json")

    def _edit(self, body: dict[str, Any]) -> None:
        edits: dict[str, dict[str, Any]] = {
            "Deployment": {"spec": {"replicas": 5}},
            "ConfigMap": {"data": {"LOG_LEVEL": "debug"}},
            "Service": {"spec": {"selector": {"app.kubernetes.io/name": "other"}}},
            "Route": {"spec": {"host": "other.example.com"}},
        }
        query = {"fieldManager": "kubectl-edit"}
        self._send("PATCH", _path(body), edits[body["kind"]], query, "application/merge-patch+json")

    def edit_config_map(self, number: int, value: str) -> None:
        """Sets a value in the ConfigMap of an application by hand.

        Raises:
            RuntimeError: The server refused it.
        """
        path = f"/api/v1/namespaces/{namespace_of(number)}/configmaps/{_name_of(number)}"
        query = {"fieldManager": "kubectl-edit"}
        self._send("PATCH", path, {"data": {"LOG_LEVEL": value}}, query, "application/merge-patch+json")

    def _send(
        self,
        method: str,
        path: str,
        body: dict[str, Any],
        query: dict[str, str],
        media: str,
        *,
        may_exist: bool = False,
    ) -> int:
        response = self._http.request(
            method,
            f"{self._server}{path}?{urlencode(query)}",
            body=json.dumps(body).encode(),
            headers={**self._http.headers, "Content-Type": media},
        )
        if response.status >= _BAD_REQUEST and not (may_exist and response.status == _CONFLICT):
            raise RuntimeError(f"{method} {path}: {response.status} {response.data[:500]!r}")
        return response.status


def _copy(key: bytes, value: bytes, uid: bytes, number: int) -> dict[str, str]:
    """Returns what the first application has at a key in etcd, for another application. The lengths stay the same."""
    replaced = (
        (namespace_of(0), namespace_of(number)),
        (_name_of(0), _name_of(number)),
        (uid[:8].decode(), f"{number:08x}"),
    )
    for old, new in replaced:
        key, value = (text.replace(old.encode(), new.encode()) for text in (key, value))
    return {"key": base64.b64encode(key).decode(), "value": base64.b64encode(value).decode()}


def _one_in(every: int, bodies: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields one of every ``every`` objects: the first of the first group, the second of the second, and so on."""
    for number, start in enumerate(range(0, len(bodies), every) if every else ()):
        group = bodies[start : start + every]
        yield group[number % len(group)]


def _path(body: dict[str, Any]) -> str:
    kind = _KINDS[body["kind"]]
    metadata = body["metadata"]
    return f"{kind.root}/namespaces/{metadata['namespace']}/{kind.plural}/{metadata['name']}"


def prepare(cluster: Cluster, namespaces: Sequence[str]) -> None:
    """Creates the namespaces and the CRD, then stops the cluster's controllers."""
    for name in namespaces:
        cluster.create_namespace(name)
    cluster.kubectl("apply", "--filename=-", stdin=json.dumps(CUSTOM_RESOURCE_DEFINITION))
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd", "--all")
    cluster.stop_controller_manager()
