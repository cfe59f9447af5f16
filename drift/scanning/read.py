"""Which requests get the live objects of a kind: one by one, namespace by namespace, or all namespaces at once."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.live_object import LiveObject
from drift.kube.live_source import LiveSource
from drift.kube.resources import Resource
from drift.redaction import is_secret

#: From so many namespaces on, one list across all of them is tried first.
_MANY_NAMESPACES: Final = 3
#: Up to so many objects of a namespace are read one by one where nothing else is of interest.
_FEW: Final = 5
#: How many objects nobody asked for may come with a list across all namespaces, for each request that it saves.
_NOT_ASKED_FOR: Final = 100
_FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class Unread:
    """What could not be read to the end.

    Attributes:
        namespaces: Where; None for a cluster-scoped kind, or where it was asked for across all namespaces.
        error: Why.
    """

    namespaces: tuple[str | None, ...]
    error: RequestError


class Reader:
    """Reads the objects of one kind after the other, with as few requests as rights and numbers allow."""

    def __init__(self, source: LiveSource) -> None:
        self._source = source
        # Learnt from a kind that may be listed in its namespaces and not across them: the others will be alike.
        self._is_bound_to_namespaces = False

    def get_or_list(
        self, resource: Resource, names: Mapping[str | None, Collection[str]], *, metadata_only: bool = False
    ) -> Iterator[LiveObject | Unread]:
        """Objects by name, and others where a list is cheaper.

        Args:
            resource: The kind.
            names: The names by namespace.
            metadata_only: Whether lists need no more, as in `LiveSource.list`.
        """
        if sum(map(len, names.values())) > _FEW:
            yield from self.list(resource, names, metadata_only=metadata_only)
            return
        for namespace in names:
            yield from self._named(resource, namespace, names[namespace])

    def list(
        self, resource: Resource, names: Mapping[str | None, Collection[str]], *, metadata_only: bool = False
    ) -> Iterator[LiveObject | Unread]:
        """All objects in some namespaces.

        Args:
            resource: The kind.
            names: The namespaces, each with the names that are known to be there.
            metadata_only: As in `LiveSource.list`.
        """
        was_refused = False
        if self._may_be_listed_at_once(resource, names, metadata_only=metadata_only):
            try:
                yield from self._list_at_once(resource, names, metadata_only=metadata_only)
            except TooManyObjectsError:
                pass
            except RequestError as error:
                if error.status != _FORBIDDEN:
                    yield Unread(tuple(names), error)
                    return
                was_refused = True
            else:
                return
        for namespace in names:
            try:
                yield from self._source.list(resource, namespace, metadata_only=metadata_only)
            except RequestError as error:
                yield Unread((namespace,), error)
            else:
                self._is_bound_to_namespaces |= was_refused

    def _list_at_once(
        self, resource: Resource, names: Mapping[str | None, Collection[str]], *, metadata_only: bool
    ) -> Iterator[LiveObject]:
        most = 2 * sum(map(len, names.values())) + _NOT_ASKED_FOR * len(names)
        for live in self._source.list(resource, None, metadata_only=metadata_only, at_most=most):
            if live.namespace in names:
                yield live

    def list_everywhere(self, resource: Resource, *, metadata_only: bool = False) -> Iterator[LiveObject | Unread]:
        """All objects of a kind."""
        try:
            yield from self._source.list(resource, None, metadata_only=metadata_only)
        except RequestError as error:
            yield Unread((None,), error)

    def _may_be_listed_at_once(
        self, resource: Resource, namespaces: Collection[str | None], *, metadata_only: bool
    ) -> bool:
        # Secrets of namespaces that nobody asked about are left where they are.
        is_open = metadata_only or not is_secret(resource.api_version, resource.kind)
        return is_open and len(namespaces) >= _MANY_NAMESPACES and not self._is_bound_to_namespaces

    def _named(
        self, resource: Resource, namespace: str | None, names: Collection[str]
    ) -> Iterator[LiveObject | Unread]:
        try:
            for name in names:
                live = self._source.get(resource, namespace, name)
                if live is not None:
                    yield live
        except RequestError as error:
            yield Unread((namespace,), error)
