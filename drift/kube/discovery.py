"""Discovery: asks an API server which kinds it serves, and for their OpenAPI v3 documents.

Documents are cached on disk for good, because their URLs contain their hashes.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson

from drift.errors import RequestError
from drift.kube.limits import RESPONSE_BYTES
from drift.kube.messages import not_an_api_server
from drift.kube.requests import Requests
from drift.kube.resources import Resource, Resources
from drift.model import Json

_DISCOVERY: Final = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
#: Servers before 1.26 have no aggregated discovery and return these kinds.
_UNAGGREGATED: Final = {"/api": "APIVersions", "/apis": "APIGroupList"}
_AGGREGATED: Final = f"{_DISCOVERY.format('v2')},{_DISCOVERY.format('v2beta1')},application/json"
_INDEX: Final = "/openapi/v3"


def discover(requests: Requests) -> Resources:
    """Asks an API server which kinds it serves. This takes two requests, and more before Kubernetes 1.26.

    Raises:
        ConnectError: The server is unreachable or refuses the credentials.
        RequestError: Discovery failed.
    """
    resources: list[Resource] = []
    broken: list[str] = []
    for root in ("/api", "/apis"):
        body = requests.get(root, accept=_AGGREGATED)
        try:
            if body.get("kind") == "APIGroupDiscoveryList":
                for group in body.get("items") or ():
                    _read_aggregated(group, resources, broken)
            elif body.get("kind") == _UNAGGREGATED[root]:
                _read_unaggregated(requests, root, body, resources, broken)
            else:
                raise not_an_api_server(root)
        except (AttributeError, KeyError, TypeError):
            raise not_an_api_server(root) from None
    return Resources(resources, broken)


def _read_aggregated(group: Mapping[str, Json], resources: list[Resource], broken: list[str]) -> None:
    name = group["metadata"].get("name", "")
    for version in group.get("versions") or ():
        if version.get("freshness") == "Stale":
            broken.append(f"{_string(name)}/{_string(version['version'])}" if name else _string(version["version"]))
        for resource in version.get("resources") or ():
            kind = (resource.get("responseKind") or {}).get("kind")
            if kind:
                resources.append(
                    Resource(
                        group=_string(name),
                        version=_string(version["version"]),
                        kind=_string(kind),
                        plural=_string(resource["resource"]),
                        namespaced=resource.get("scope") == "Namespaced",
                        verbs=frozenset(map(_string, resource.get("verbs") or ())),
                    )
                )


def _read_unaggregated(
    requests: Requests, root: str, body: Mapping[str, Json], resources: list[Resource], broken: list[str]
) -> None:
    if root == "/api":
        versions = list(body.get("versions") or ())
    else:
        versions = [version["groupVersion"] for group in body.get("groups") or () for version in group["versions"]]
    for api_version in versions:
        group, _, version = _string(api_version).rpartition("/")
        try:
            resource_list = requests.get(f"{root}/{api_version}")
        except RequestError:
            resource_list = {}
        if resource_list.get("kind") != "APIResourceList":
            broken.append(api_version)
            continue
        resources += [
            Resource(
                group=group,
                version=version,
                kind=_string(resource["kind"]),
                plural=_string(resource["name"]),
                namespaced=bool(resource.get("namespaced")),
                verbs=frozenset(map(_string, resource.get("verbs") or ())),
            )
            for resource in resource_list.get("resources") or ()
            if "/" not in resource["name"]
        ]


def _string(value: Json) -> str:
    """Returns a string that a server sent.

    Raises:
        TypeError: It is not a string.
    """
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value


class SchemaSource:
    """Fetches OpenAPI v3 documents by group and version."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._addresses: dict[str, str] | None = None

    def document(self, resource: Resource) -> dict[str, Any] | None:
        """Returns the document that describes a resource, or None if the server has none or does not return it.

        Raises:
            ConnectError: The server is gone.
        """
        address = self.addresses.get(resource.root.removeprefix("/"))
        if address is None:
            return None
        file = _cache_file(self._requests.server, address)
        cached = None if file is None else _read(file)
        return self._fetch(address, file) if cached is None else cached

    @property
    def addresses(self) -> dict[str, str]:
        """The URL of each document by group and version. A document that changes gets another URL.

        Raises:
            ConnectError: The server is gone.
        """
        if self._addresses is None:
            self._addresses = self._read_index()
        return self._addresses

    def _read_index(self) -> dict[str, str]:
        try:
            paths = self._requests.get(_INDEX).get("paths") or {}
            addresses = {path: str(entry["serverRelativeURL"]) for path, entry in paths.items()}
            # Another prefix could lead to another host, with the credentials.
            return {path: address for path, address in addresses.items() if address.startswith(f"{_INDEX}/")}
        except (RequestError, AttributeError, KeyError, TypeError):
            return {}

    def _fetch(self, address: str, file: Path | None) -> dict[str, Any] | None:
        parts = urlsplit(address)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            body = self._requests.get_bytes(parts.path, parameters)
            document = orjson.loads(body)
        except (RequestError, orjson.JSONDecodeError):
            return None
        if not isinstance(document, dict):
            return None
        if file is not None:
            _write(file, body)
        return document


def _cache_file(server: str, address: str) -> Path | None:
    """Returns the cache file of a document, or None for a URL without a hash, whose content may change.

    Servers do not share files: a server that sends a wrong hash must not affect others.
    """
    if not parse_qs(urlsplit(address).query).get("hash"):
        return None
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - Path's raises without a home
    name = hashlib.sha256(f"{server}{address}".encode()).hexdigest()
    return Path(root) / "drift" / "openapi" / f"{name}.json" if Path(root).is_absolute() else None


def _read(file: Path) -> dict[str, Any] | None:
    """Returns a cached document, or None if it cannot be used. Anything may be in its place."""
    try:
        # Reading a pipe or a device may never end.
        if not file.is_file() or file.stat().st_size > RESPONSE_BYTES:
            return None
        document = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return document if isinstance(document, dict) else None


def _write(file: Path, body: bytes | bytearray) -> None:
    """Writes a file atomically. Errors are ignored, because the cache is optional."""
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as opened:
            temporary = Path(opened.name)
            opened.write(body)
        temporary.replace(file)
    except OSError:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
