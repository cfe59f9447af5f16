"""What a scan reads of a cluster or dump: live objects, the types of their kinds, and autoscalers."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.live import LiveObject, LiveSource
from drift.kube.resources import Resource, Resources
from drift.objects import Object
from drift.policy.findings import Autoscaler, read_autoscaler
from drift.redaction import is_secret
from drift.schema.types import (
    UNKNOWN,
    SchemaDocument,
    Type,
    built_in_types,
    compact_schemas,
    defined_kind,
    openapi_document,
    schema_version,
)

#: From this many namespaces on, try to list all namespaces at once.
_MANY_NAMESPACES: Final = 3
#: Up to this many objects are read one by one, unless the scan also searches for unmanaged ones.
_FEW_OBJECTS: Final = 5
#: How many objects of other namespaces a list of all namespaces may return, for each request that it saves.
_UNRELATED_PER_REQUEST: Final = 100


@dataclass(frozen=True, slots=True)
class Unread:
    """A request for the objects of a kind that failed.

    Attributes:
        namespaces: The namespaces that could not be read completely; None for a cluster-scoped kind or all namespaces.
        error: Why.
    """

    namespaces: tuple[str | None, ...]
    error: RequestError


class Reader:
    """Reads the objects of kinds, with as few requests as permissions and numbers of objects allow."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        # Set once the account may list a kind in single namespaces, but not in all: other kinds will be no different.
        self._has_namespaced_rights_only = False

    def get_or_list(
        self, resource: Resource, names: Mapping[str | None, Collection[str]], *, metadata_only: bool = False
    ) -> Iterator[LiveObject | Unread]:
        """Reads objects by name. If a list is cheaper, it also yields other objects.

        Args:
            resource: The kind.
            names: The names by namespace.
            metadata_only: Whether metadata is enough, as in `LiveSource.list`.
        """
        if sum(map(len, names.values())) > _FEW_OBJECTS:
            yield from self.list(resource, names, metadata_only=metadata_only)
            return
        for namespace in names:
            yield from self._get_each(resource, namespace, names[namespace])

    def list(
        self, resource: Resource, names: Mapping[str | None, Collection[str]], *, metadata_only: bool = False
    ) -> Iterator[LiveObject | Unread]:
        """Reads all objects of some namespaces.

        Args:
            resource: The kind.
            names: The namespaces, each with the names of the manifests.
            metadata_only: As in `LiveSource.list`.
        """
        is_forbidden_for_all = False
        if self._may_list_all_namespaces(resource, names, metadata_only=metadata_only):
            try:
                yield from self._list_all_namespaces(resource, names, metadata_only=metadata_only)
            except TooManyObjectsError:
                pass
            except RequestError as error:
                if error.status != HTTPStatus.FORBIDDEN:
                    yield Unread(tuple(names), error)
                    return
                is_forbidden_for_all = True
            else:
                return
        for namespace in names:
            try:
                yield from self._source.list(resource, namespace, metadata_only=metadata_only)
            except RequestError as error:
                yield Unread((namespace,), error)
            else:
                self._has_namespaced_rights_only |= is_forbidden_for_all

    def _list_all_namespaces(
        self, resource: Resource, names: Mapping[str | None, Collection[str]], *, metadata_only: bool
    ) -> Iterator[LiveObject]:
        at_most = 2 * sum(map(len, names.values())) + _UNRELATED_PER_REQUEST * len(names)
        for live in self._source.list(resource, None, metadata_only=metadata_only, at_most=at_most):
            if live.namespace in names:
                yield live

    def list_everywhere(self, resource: Resource, *, metadata_only: bool = False) -> Iterator[LiveObject | Unread]:
        """Reads all objects of a kind, in all namespaces."""
        try:
            yield from self._source.list(resource, None, metadata_only=metadata_only)
        except RequestError as error:
            yield Unread((None,), error)

    def _may_list_all_namespaces(
        self, resource: Resource, namespaces: Collection[str | None], *, metadata_only: bool
    ) -> bool:
        # Never read Secrets of other namespaces.
        is_allowed = metadata_only or not is_secret(resource.api_version, resource.kind)
        return is_allowed and len(namespaces) >= _MANY_NAMESPACES and not self._has_namespaced_rights_only

    def _get_each(
        self, resource: Resource, namespace: str | None, names: Collection[str]
    ) -> Iterator[LiveObject | Unread]:
        try:
            for name in names:
                live = self._source.get(resource, namespace, name)
                if live is not None:
                    yield live
        except RequestError as error:
            yield Unread((namespace,), error)


def _minor(version: str) -> tuple[int, int]:
    """Returns (1, 36) for ``v1.36.3-gke.1``."""
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


class Types:
    """Looks up types, and reads each schema document once.

    Args:
        source: The cluster or dump.
        manifests: The desired objects. With a dump, CRDs among them give the types of custom resources.

    Attributes:
        notes: One sentence for each schema that is missing or too old, or that another one stands in for.
        errors: One sentence for each other schema that could not be read.
    """

    def __init__(self, source: LiveSource, manifests: Iterable[Object]) -> None:
        self._source = source
        self._documents: dict[str, SchemaDocument | None] = {}
        self._types: dict[Resource, Type] = {}
        self._unread: dict[str, RequestError] = {}
        self._crds = self._read_crds(manifests)
        self.notes: list[str] = []
        self.errors: list[str] = []
        if source.info is not None and _minor(source.info.version) > _minor(schema_version()):
            self.notes.append(
                f"the server runs Kubernetes {source.info.version}, newer than {schema_version()}, the newest version "
                "that this release of drift knows: defaults of newer fields may be reported as changes"
            )

    def type(self, resource: Resource) -> Type:
        """Returns the type of a kind, or `UNKNOWN` if no schema has it.

        Raises:
            ConnectError: The API server can no longer be reached.
            RequestError: The schema could not be read, and no other one can stand in for it.
        """
        found = self._types.get(resource)
        if found is None:
            found = self._types[resource] = self._find_type(resource)
        return found

    def is_from_source(self, resource: Resource) -> bool:
        """Returns whether the type is what a later scan finds, too: the schema of the kind could be read."""
        return resource.root not in self._unread

    def _find_type(self, resource: Resource) -> Type:
        if resource.root not in self._documents:
            self._documents[resource.root] = self._document(resource)
        document = self._documents[resource.root]
        described = document and document.kind(resource.group, resource.version, resource.kind)
        if described is None and resource.root in self._unread:
            # Guessing how its lists are merged would find drift that is none.
            raise self._unread[resource.root].with_traceback(None)
        return described or self._custom_type(resource) or self._newest_shipped(resource) or UNKNOWN

    def _newest_shipped(self, resource: Resource) -> Type | None:
        """Returns the newest version's type, for a dump in a version that Kubernetes has removed: few fields differ."""
        return built_in_types().newest_kind(resource.group, resource.kind) if self._source.info is None else None

    def _document(self, resource: Resource) -> SchemaDocument | None:
        why = f"the server has no schema for {resource.api_version}"
        try:
            document = self._source.schema(resource)
        except RequestError as error:
            document = None
            self._unread[resource.root] = error
            why = f"the schema of {resource.api_version} could not be read: {error}"
        if document is not None:
            return SchemaDocument(document)
        shipped = built_in_types()
        if self._source.info is None:
            return shipped
        if shipped.kind(resource.group, resource.version, resource.kind) is not None:
            self.notes.append(f"{why}; using that of Kubernetes {schema_version()}")
            return shipped
        if resource.root in self._unread:
            self.errors.append(why)
        else:
            self.notes.append(f"{why}, so each of its lists is compared as one value")
        return None

    def _custom_type(self, resource: Resource) -> Type | None:
        """Returns the type of a custom resource from its CRD, live or in Git. Only for dumps."""
        crd = self._crds.get((resource.group, resource.kind))
        document = None if crd is None else openapi_document(crd, resource.version, compact_schemas())
        if document is None:
            return None
        return SchemaDocument(document).kind(resource.group, resource.version, resource.kind)

    def _read_crds(self, manifests: Iterable[Object]) -> dict[tuple[str, str], Object]:
        resource = self._source.resources.find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        if self._source.info is not None or resource is None:
            return {}
        # The live CRD comes last and wins, because the API server took the live object's defaults from it.
        bodies = [*manifests, *(live.body for live in self._source.list(resource, None))]
        return {kind: body for body in bodies if (kind := defined_kind(body)) is not None}


#: Pairs (namespaces, autoscalers): after this many namespaces have been listed one by one, try to list all of them at
#: once, but give up if there are more than this many autoscalers.
_LIST_ALL_AFTER: Final = ((1, 500), (10, 5000))


class Autoscalers:
    """Finds the autoscalers of a namespace, with few requests.

    Args:
        source: The cluster or dump.
        resources: The kinds that the scan may read.

    Attributes:
        notes: One sentence for each namespace whose autoscalers could not be read.
    """

    def __init__(self, source: LiveSource, resources: Resources) -> None:
        self.notes: list[str] = []
        self._source = source
        self._resource = resources.preferred("autoscaling", "HorizontalPodAutoscaler")
        self._listed: dict[str | None, tuple[Autoscaler, ...]] = {}
        self._by_namespace: dict[str | None, tuple[Autoscaler, ...]] | None = None
        self._attempts = list(_LIST_ALL_AFTER)

    def in_namespace(self, namespace: str | None) -> tuple[Autoscaler, ...]:
        """Returns the autoscalers of a namespace, or () if there are none or they cannot be read."""
        is_new = namespace not in self._listed
        if is_new and self._attempts and len(self._listed) >= self._attempts[0][0]:
            self._by_namespace = self._list_everywhere(at_most=self._attempts.pop(0)[1])
        if self._by_namespace is not None:
            return self._by_namespace.get(namespace, ())
        if is_new:
            try:
                self._listed[namespace] = tuple(found for _, found in self._list(namespace))
            except RequestError as error:
                self._listed[namespace] = ()
                self.notes.append(f"cannot read autoscalers in {namespace}, which may have set replicas: {error}")
        return self._listed[namespace]

    def _list_everywhere(self, at_most: int) -> dict[str | None, tuple[Autoscaler, ...]] | None:
        """Returns the autoscalers of all namespaces, or None if the account may not list them or there are too many."""
        everywhere: dict[str | None, tuple[Autoscaler, ...]] = {}
        try:
            for namespace, autoscaler in self._list(None, at_most=at_most):
                everywhere[namespace] = (*everywhere.get(namespace, ()), autoscaler)
        except TooManyObjectsError:
            return None
        except RequestError:
            # From now on, list one namespace after the other; each failure gets a note of its own.
            self._attempts.clear()
            return None
        return everywhere

    def _list(self, namespace: str | None, at_most: int | None = None) -> Iterator[tuple[str | None, Autoscaler]]:
        if self._resource is None:
            return
        for live in self._source.list(self._resource, namespace, at_most=at_most):
            autoscaler = read_autoscaler(live.body)
            if autoscaler is not None:
                yield live.namespace, autoscaler
