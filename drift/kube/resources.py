"""The kinds that an API server serves, with their versions and paths."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from drift.model import Json
from drift.spelling import closest

_MAX_SIMILAR: Final = 3


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

    def is_broken(self, api_version: str) -> bool:
        """Whether discovery failed for this group and version."""
        return api_version in self.broken
