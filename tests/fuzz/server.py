"""A simulated API server that gives fuzzed answers to one kind of request, and valid ones to the others."""

import io
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, cast
from unittest import mock
from urllib.parse import parse_qs, urlsplit

import urllib3

from drift.api import scan
from drift.kube.api_server import ApiServer
from drift.kube.connection import Connection
from drift.kube.list_watch import read_event, split_lines
from drift.kube.resources import Resource
from drift.model import Report
from drift.sources.load import LoadedManifests, load_manifests

_NAMESPACE: Final = "shop"
_CONFIG_MAP: Final = Resource(
    "", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset({"get", "list", "watch"})
)

_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


def _discovered(group: str, version: str, *kinds: tuple[str, str]) -> dict[str, Any]:
    resources = [
        {
            "resource": plural,
            "responseKind": {"group": group, "version": version, "kind": kind},
            "scope": "Namespaced",
            "verbs": ["get", "list", "watch"],
        }
        for plural, kind in kinds
    ]
    versions = [{"version": version, "freshness": "Current", "resources": resources}]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "items": [{"metadata": {"name": group}, "versions": versions}],
    }


def _object(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    entry = {
        "manager": "kustomize-controller",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2026-01-01T12:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:key": {}}, "f:metadata": {"f:labels": {"f:team": {}}}},
    }
    metadata = {
        "name": name,
        "namespace": _NAMESPACE,
        "uid": f"uid-of-{name}",
        "resourceVersion": "7",
        "labels": {"team": "blue"},
        "managedFields": [entry],
    }
    return {"apiVersion": "apps/v1" if kind == "Deployment" else "v1", "kind": kind, "metadata": metadata, **fields}


#: Removed when the process ends.
_SCRATCH: Final = tempfile.TemporaryDirectory(prefix="drift-fuzz-")
_NAMES: Final = ("a", "b", "c", "d", "e", "f")
_LISTED: Final = [_object("ConfigMap", name, data={"key": "live" if name == "b" else "git"}) for name in _NAMES]
_DEPLOYED: Final = _object("Deployment", "web", spec={"replicas": 3, "template": {"spec": {"containers": []}}})
_SERVICE: Final = _object("Service", "stray", spec={"ports": [{"port": 80}]})
_MARKS: Final = ("uid", "resourceVersion", "managedFields")


def _manifests() -> LoadedManifests:
    bodies: list[dict[str, Any]] = []
    for live in (*_LISTED, _DEPLOYED):
        metadata = {name: value for name, value in live["metadata"].items() if name not in _MARKS}
        bodies.append({**live, "metadata": metadata, **({"data": {"key": "git"}} if "data" in live else {})})
    file = Path(_SCRATCH.name) / "manifests.yaml"
    file.write_text("\n---\n".join(map(json.dumps, bodies)))
    return load_manifests([str(file)])


#: The valid answers, by kind of request.
ANSWERS: Final[Mapping[str, Any]] = {
    "version": {"gitVersion": "v1.36.3", "major": "1"},
    "core": _discovered("", "v1", ("configmaps", "ConfigMap"), ("services", "Service")),
    "groups": _discovered("apps", "v1", ("deployments", "Deployment")),
    "schemas": {
        "paths": {
            "api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=1"},
            "apis/apps/v1": {"serverRelativeURL": "/openapi/v3/apis/apps/v1"},
        }
    },
    "schema": {
        "openapi": "3.0.0",
        "components": {
            "schemas": {
                "io.k8s.api.core.v1.ConfigMap": {
                    "type": "object",
                    "x-kubernetes-group-version-kind": [{"group": "", "kind": "ConfigMap", "version": "v1"}],
                    "properties": {
                        "data": {"type": "object", "additionalProperties": {"type": "string", "default": ""}},
                        "metadata": {"allOf": [{"$ref": f"#/components/schemas/{_OBJECT_META}"}], "default": {}},
                    },
                },
                _OBJECT_META: {
                    "type": "object",
                    "properties": {
                        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                        "finalizers": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
                        "ownerReferences": {
                            "type": "array",
                            "items": {"$ref": f"#/components/schemas/{_OBJECT_META}"},
                            "x-kubernetes-list-type": "map",
                            "x-kubernetes-list-map-keys": ["uid"],
                        },
                    },
                },
            }
        },
    },
    "list": {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": _LISTED},
    "object": _DEPLOYED,
    "others": {"kind": "ServiceList", "apiVersion": "v1", "metadata": {"remainingItemCount": 0}, "items": [_SERVICE]},
}
#: The paths of each kind of request; all other paths are "others".
_PATHS: Final = (
    ("/version", "version"),
    ("/api", "core"),
    ("/apis", "groups"),
    ("/openapi/v3", "schemas"),
    ("/openapi/v3/*", "schema"),
    ("*/configmaps", "list"),
    ("*/deployments/web", "object"),
)
#: Discovery of servers before 1.26.
GROUPS_OF_OLD: Final = {
    "kind": "APIGroupList",
    "groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]}],
}
EVENTS: Final = [
    {"type": "ADDED", "object": _LISTED[0]},
    {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}},
    {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}},
]


def scan_with(question: str, answer: bytes) -> Report:
    """Scans a server that gives this answer to one kind of request.

    Args:
        question: A key of `ANSWERS`.
        answer: The body of the answer.
    """
    pool = _Pool({**{name: json.dumps(value).encode() for name, value in ANSWERS.items()}, question: answer})
    client = mock.Mock()
    client.pool_manager = pool
    client.configuration.auth_settings.return_value = {}
    connection = Connection(client, None, "https://hostile.example.com", _NAMESPACE, lambda: connection)
    with _no_cache():
        return scan(_manifests(), ApiServer(connection))


def watch_with(stream: bytes) -> None:
    """Reads a watch stream in pieces, as from a socket."""
    pieces = (stream[start : start + 100] for start in range(0, len(stream), 100))
    for line in split_lines(pieces):
        read_event(line, _CONFIG_MAP)


class _Pool:
    """Replaces the connection pool of the client."""

    def __init__(self, answers: Mapping[str, bytes]) -> None:
        self._answers = answers

    def request(self, method: str, url: str, **_: Any) -> urllib3.HTTPResponse:
        assert method == "GET"
        parts = urlsplit(url)
        # In a real scan, the deadline ends an endless list.
        more = "continue" in parse_qs(parts.query)
        body = b'{"metadata": {}, "items": []}' if more else self._answers[_question(parts.path)]
        return urllib3.HTTPResponse(io.BytesIO(body), status=200, preload_content=False)


def _question(path: str) -> str:
    return next((question for pattern, question in _PATHS if fnmatchcase(path, pattern)), "others")


@contextmanager
def _no_cache() -> Iterator[None]:
    """Disables the schema cache, so that one answer does not affect the next."""
    with mock.patch.dict(cast("Any", os.environ), {"XDG_CACHE_HOME": os.devnull}):
        yield
