"""Which kinds an API server serves, how they are listed and in which versions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from drift.errors import RequestError
from drift.kube.requests import MALFORMED, Requests
from drift.model import Json
from drift.spelling import closest

_MOST_SIMILAR: Final = 3
_DISCOVERY: Final = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
_OK: Final = 200
#: What servers older than 1.26 answer with.
_PLAIN: Final = {"/api": "APIVersions", "/apis": "APIGroupList"}
_AGGREGATED: Final = f"{_DISCOVERY.format('v2')},{_DISCOVERY.format('v2beta1')},application/json"


@dataclass(frozen=True, slots=True)
class Resource:
    """One kind in one version.

    Attributes:
        group: "" for the core group.
        version: For instance ``v1``.
        kind: For instance ``Deployment``.
        plural: As in URLs, for instance ``deployments``.
        namespaced: Whether its objects live in namespaces.
        verbs: What the server lets clients do with it at all, rights aside.
    """

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    verbs: frozenset[str]

    @classmethod
    def from_data(cls, data: Mapping[str, Json]) -> "Resource":
        """A resource from its fields as they are kept in data files."""
        return cls(**{**data, "verbs": frozenset(data["verbs"])})

    @property
    def api_version(self) -> str:
        """As in a manifest."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """As kubectl takes it, for instance ``deployments.apps``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def root(self) -> str:
        """The path of its group and version."""
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"

    def path(self, namespace: str | None, name: str | None = None) -> str:
        """The path of a list (None: of all namespaces), or of one object."""
        scope = f"/namespaces/{_segment(namespace)}" if namespace is not None else ""
        return f"{self.root}{scope}/{self.plural}" + (f"/{_segment(name)}" if name is not None else "")


def _segment(name: str) -> str:
    """A name as one segment of a path, whatever a manifest may hold; ``..`` would lead elsewhere."""
    return "%2E" * len(name) if name in {".", ".."} else quote(name, safe=":")


class Resources:
    """Everything that an API server serves.

    Attributes:
        broken: Groups and versions whose discovery failed (an aggregated API that is down), as ``group/version``.
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
        """The kind in this version; None if it is not served."""
        group, _, version = api_version.rpartition("/")
        return self._by_gvk.get((group, version, kind))

    def preferred(self, group: str, kind: str) -> Resource | None:
        """The kind in the version that the server prefers; None if it is served in none."""
        versions = self._versions.get((group, kind))
        return self._by_gvk[(group, versions[0], kind)] if versions else None

    def all_preferred(self) -> list[Resource]:
        """Every kind once, in its preferred version."""
        return [self._by_gvk[(group, versions[0], kind)] for (group, kind), versions in self._versions.items()]

    def without(self, left_out: Callable[[str, str], bool]) -> "Resources":
        """The same without some kinds.

        Args:
            left_out: Of a group and a kind.
        """
        kept = [item for item in self._by_gvk.values() if not left_out(item.group, item.kind)]
        return self if len(kept) == len(self._by_gvk) else Resources(kept, self.broken)

    def similar(self, api_version: str, kind: str) -> list[str]:
        """Up to three kinds that may be meant by one that is not served, as ``Deployment in apps/v1``."""
        if (api_version, kind) not in self._similar:
            self._similar[api_version, kind] = self._search_similar(api_version, kind)
        return self._similar[api_version, kind]

    def _search_similar(self, api_version: str, kind: str) -> list[str]:
        preferred = self.all_preferred()
        found = [resource for resource in preferred if resource.kind == kind]
        if not found:
            group = api_version.rpartition("/")[0]
            here = [resource for resource in preferred if resource.group == group]
            for resources in (here, preferred):
                close = closest(kind, {resource.kind for resource in resources})
                found = [resource for name in close for resource in resources if resource.kind == name]
                if found:
                    break
        as_asked = [self.find(api_version, resource.kind) or resource for resource in found[:_MOST_SIMILAR]]
        return [f"{resource.kind} in {resource.api_version}" for resource in as_asked]

    def is_broken(self, api_version: str) -> bool:
        """Whether it is unknown what the server has in this group and version."""
        return api_version in self.broken


def discover(requests: Requests) -> Resources:
    """Asks an API server what it serves: two requests, more where it is older than 1.26.

    Raises:
        ConnectError: No API server, or no credentials for it.
        RequestError: It refuses discovery.
    """
    found: list[Resource] = []
    broken: list[str] = []
    for root in ("/api", "/apis"):
        answer = requests.get(root, accept=_AGGREGATED)
        try:
            if answer.get("kind") == "APIGroupDiscoveryList":
                for group in answer.get("items") or ():
                    _read_aggregated(group, found, broken)
            elif answer.get("kind") == _PLAIN[root]:
                _read_plain(requests, root, answer, found, broken)
            else:
                raise _no_discovery(root)
        except (AttributeError, KeyError, TypeError):
            raise _no_discovery(root) from None
    return Resources(found, broken)


def _no_discovery(root: str) -> RequestError:
    return RequestError(
        f"GET {root}: the answer is not what an API server answers with; is this the right --context?",
        status=_OK,
        reason=MALFORMED,
    )


def _read_aggregated(group: Mapping[str, Json], found: list[Resource], broken: list[str]) -> None:
    name = group["metadata"].get("name", "")
    for version in group.get("versions") or ():
        if version.get("freshness") == "Stale":
            broken.append(f"{_text(name)}/{_text(version['version'])}" if name else _text(version["version"]))
        for resource in version.get("resources") or ():
            kind = (resource.get("responseKind") or {}).get("kind")
            if kind:
                found.append(
                    Resource(
                        group=_text(name),
                        version=_text(version["version"]),
                        kind=_text(kind),
                        plural=_text(resource["resource"]),
                        namespaced=resource.get("scope") == "Namespaced",
                        verbs=frozenset(map(_text, resource.get("verbs") or ())),
                    )
                )


def _read_plain(
    requests: Requests, root: str, answer: Mapping[str, Json], found: list[Resource], broken: list[str]
) -> None:
    if root == "/api":
        versions = list(answer.get("versions") or ())
    else:
        versions = [version["groupVersion"] for group in answer.get("groups") or () for version in group["versions"]]
    for api_version in versions:
        group, _, version = _text(api_version).rpartition("/")
        try:
            listed = requests.get(f"{root}/{api_version}")
        except RequestError:
            listed = {}
        if listed.get("kind") != "APIResourceList":
            broken.append(api_version)
            continue
        found += [
            Resource(
                group=group,
                version=version,
                kind=_text(resource["kind"]),
                plural=_text(resource["name"]),
                namespaced=bool(resource.get("namespaced")),
                verbs=frozenset(map(_text, resource.get("verbs") or ())),
            )
            for resource in listed.get("resources") or ()
            if "/" not in resource["name"]
        ]


def _text(value: Json) -> str:
    """What has to be a text and may be anything, as it comes from outside.

    Raises:
        TypeError: It is none.
    """
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return value
