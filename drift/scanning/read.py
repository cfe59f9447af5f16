"""Reads the live objects of a kind: one by one, namespace by namespace, or all namespaces at once."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.live import LiveObject, LiveSource
from drift.kube.resources import Resource
from drift.redaction import is_secret

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
        # Set if the account may list a kind in its namespaces, but not in all: the other kinds will be no different.
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
