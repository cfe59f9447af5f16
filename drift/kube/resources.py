"""The kinds that an API server serves, their paths and their OpenAPI v3 documents, and how to ask for them.

Documents are cached on disk for good, because their URLs contain their hashes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import orjson

from drift.cache_folder import cache_file, keep_newest, mark_as_used, read_cache_file, write_cache_file
from drift.errors import RequestError, not_an_api_server
from drift.kube.limits import RESPONSE_BYTES
from drift.objects import Json, ObjectKey
from drift.words import closest

if TYPE_CHECKING:
    from drift.kube.requests import Requests

_MAX_SIMILAR: Final = 3

_DISCOVERY: Final = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
#: Servers before 1.26 have no aggregated discovery and return these kinds.
_UNAGGREGATED: Final = {"/api": "APIVersions", "/apis": "APIGroupList"}
_AGGREGATED: Final = f"{_DISCOVERY.format('v2')},{_DISCOVERY.format('v2beta1')},application/json"
#: Documents of some 15 clusters.
_MAX_CACHED: Final = 300
_INDEX: Final = "/openapi/v3"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind in one version, as in ``kubectl api-resources``.

    Attributes:
        group: "" for the core group.
        version: For example ``v1``.
        kind: For example ``Deployment``.
        plural: As in URLs, for example ``deployments``.
        namespaced: Whether its objects live in namespaces.
        verbs: The verbs that the server supports, regardless of permissions.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    @classmethod
    def from_data(cls, data: Mapping[str, Json]) -> "Resource":
        """A resource from the fields of a data file."""
        return cls(**{**data, "verbs": frozenset(data["verbs"])})

    @property
    def api_version(self) -> str:
        """As in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As on kubectl's command line, for example ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def root(self) -> str:
        """The path of the group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def key(self, namespace: str | None, name: str) -> ObjectKey:
        """The key of one of its objects."""
        return ObjectKey(self.group, self.kind, namespace, name)

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """The path of a list (in all namespaces if the namespace is None), or of one object."""
        scope = f"/namespaces/{_segment(namespace)}" if namespace is not None else ""
        return f"{self.root}{scope}/{self.plural}" + (f"/{_segment(name)}" if name is not None else "")


def _segment(name: str) -> str:
    """Escapes a name as one segment of a path. A manifest may contain any name, even ``..``."""
    return "%2E" * len(name) if name in {".", ".."} else quote(name, safe=":")


class Resources:
    """All kinds that an API server serves.

    Attributes:
        broken: Each ``group/version`` whose discovery failed, usually because an aggregated API is down.
    """

    def __init__(self, resources: Iterable[Resource], broken: Iterable[str] = ()) -> None:
        self._by_gvk: dict[tuple[str, str, str], Resource] = {}
        self._versions: dict[tuple[str, str], list[str]] = {}
        self._similar: dict[tuple[str, str], list[str]] = {}
        for resource in resources:
            self._by_gvk.setdefault((resource.group, resource.version, resource.kind), resource)
            self._versions.setdefault((resource.group, resource.kind), []).append(resource.version)
        self.broken = tuple(broken)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self._by_gvk == other._by_gvk and self.broken == other.broken

    __hash__ = None  # type: ignore[assignment]

    def find(self, api_version: str, kind: str) -> Resource | None:
        """Returns the kind in this version, or None if it is not served."""
        group, _, version = api_version.rpartition("/")
        return self._by_gvk.get((group, version, kind))

    def preferred(self, group: str, kind: str) -> Resource | None:
        """Returns the kind in the version that the server prefers, or None if the kind is not served."""
        versions = self._versions.get((group, kind))
        return self._by_gvk[(group, versions[0], kind)] if versions else None

    def all(self) -> list[Resource]:
        """Every kind in every version that is served."""
        return [*self._by_gvk.values()]

    def all_preferred(self) -> list[Resource]:
        """Every kind once, in its preferred version."""
        return [self._by_gvk[(group, versions[0], kind)] for (group, kind), versions in self._versions.items()]

    def without(self, is_excluded: Callable[[str, str], bool]) -> "Resources":
        """Returns the same without some kinds.

        ``is_excluded`` is called with a group and a kind.
        """
        kept = [resource for resource in self._by_gvk.values() if not is_excluded(resource.group, resource.kind)]
        return self if len(kept) == len(self._by_gvk) else Resources(kept, self.broken)

    def similar(self, api_version: str, kind: str) -> list[str]:
        """Suggests up to three served kinds for one that is not served, as ``Deployment in apps/v1``."""
        if (api_version, kind) not in self._similar:
            self._similar[api_version, kind] = self._find_similar(api_version, kind)
        return self._similar[api_version, kind]

    def _find_similar(self, api_version: str, kind: str) -> list[str]:
        preferred = self.all_preferred()
        found = [resource for resource in preferred if resource.kind == kind]
        if not found:
            group = api_version.rpartition("/")[0]
            same_group = [resource for resource in preferred if resource.group == group]
            for resources in (same_group, preferred):
                close = closest(kind, {resource.kind for resource in resources})
                found = [resource for name in close for resource in resources if resource.kind == name]
                if found:
                    break
        in_version = [self.find(api_version, resource.kind) or resource for resource in found[:_MAX_SIMILAR]]
        return [f"{resource.kind} in {resource.api_version}" for resource in in_version]


def discover(requests: "Requests") -> Resources:
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
    requests: "Requests", root: str, body: Mapping[str, Json], resources: list[Resource], broken: list[str]
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

    def __init__(self, requests: "Requests") -> None:
        self._requests = requests

    def document(self, resource: Resource) -> dict[str, Any] | None:
        """Returns the document that describes a resource, or None if the server has none that this account can use.

        Raises:
            ConnectError: The server is gone.
            RequestError: The server may have one, but did not return it this time.
        """
        address = self.addresses.get(resource.root.removeprefix("/"))
        if address is None:
            return None
        file = _cache_file(self._requests.server, address)
        cached = None if file is None else _read(file)
        if file is None or cached is None:
            return self._fetch(address, file)
        mark_as_used(file)
        return cached

    @property
    def addresses(self) -> dict[str, str]:
        """The URL of each document by group and version. A document that changes gets another URL.

        Raises:
            ConnectError: The server is gone.
            RequestError: The server did not return them this time.
        """
        if isinstance(self.index, RequestError):
            # The same exception is raised many times. Without this, it would collect a traceback each time.
            raise self.index.with_traceback(None)
        return self.index

    @cached_property
    def index(self) -> dict[str, str] | RequestError:
        """The `addresses`, or why the server did not return them.

        Raises:
            ConnectError: The server is gone.
        """
        try:
            paths = self._requests.get(_INDEX).get("paths") or {}
            addresses = {path: str(entry["serverRelativeURL"]) for path, entry in paths.items()}
            # Another prefix could lead to another host, with the credentials.
            return {path: address for path, address in addresses.items() if address.startswith(f"{_INDEX}/")}
        except RequestError as error:
            return error if error.is_temporary else {}
        except (AttributeError, KeyError, TypeError):
            return {}

    def _fetch(self, address: str, file: Path | None) -> dict[str, Any] | None:
        try:
            body, is_current = self._request(address)
            document = orjson.loads(body)
        except RequestError as error:
            if error.is_temporary:
                raise
            return None
        except orjson.JSONDecodeError:
            return None
        if not isinstance(document, dict):
            return None
        if file is not None and is_current:
            write_cache_file(file, body)
            keep_newest(file.parent, _MAX_CACHED)
        return document

    def _request(self, address: str) -> tuple[bytes | bytearray, bool]:
        """Returns a document, and whether it is the one that the index lists."""
        parts = urlsplit(address)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            return self._requests.get_bytes(parts.path, parameters), True
        except RequestError as error:
            if error.status != HTTPStatus.MOVED_PERMANENTLY or parameters.pop("hash", None) is None:
                raise
        # The server redirects from a hash that it does not have: a CRD has changed since the index was read, or the
        # index came from an API server of another version. Without a hash, it returns what it has.
        return self._requests.get_bytes(parts.path, parameters), False


def _cache_file(server: str, address: str) -> Path | None:
    """Returns the cache file of a document, or None for a URL without a hash, whose content may change.

    Servers do not share files: a server that sends a wrong hash must not affect others.
    """
    has_hash = bool(parse_qs(urlsplit(address).query).get("hash"))
    return cache_file("openapi", f"{server}{address}", ".json") if has_hash else None


def _read(file: Path) -> dict[str, Any] | None:
    """Returns a cached document, or None if it cannot be used."""
    try:
        document = orjson.loads(read_cache_file(file, RESPONSE_BYTES) or b"")
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None
