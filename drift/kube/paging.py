"""Reads a list page by page. Handles expired continue tokens and pages that are too large.

https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.limits import call_in_background
from drift.kube.live import LiveObject, check_list, read_live
from drift.kube.messages import TOO_LARGE, malformed
from drift.kube.requests import Requests
from drift.kube.resources import Resource
from drift.model import Object

#: Objects per page, as with kubectl.
PAGE: Final = 500
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_FULL: Final = "application/json"
#: How often the continue token of one list may expire. A server keeps each for minutes.
_MAX_EXPIRIES: Final = 5


@dataclass(frozen=True, slots=True)
class ListScope:
    """The objects that one list covers, and the watch that continues it.

    Attributes:
        resource: The kind.
        namespace: None for all namespaces, or for a cluster-scoped kind.
        name: None for all names.
        metadata_only: Whether only the metadata is requested.
        labels: A label selector; None for all labels.
    """

    resource: Resource
    namespace: str | None
    name: str | None = None
    metadata_only: bool = False
    labels: str | None = None

    def __str__(self) -> str:
        """For messages: ``deployments in shop``."""
        name = f" named {self.name}" if self.name is not None else ""
        return f"{self.resource.plural}{name}" + (f" in {self.namespace}" if self.namespace is not None else "")

    @property
    def path(self) -> str:
        """The path of the requests."""
        return self.resource.path(self.namespace)

    @property
    def selector(self) -> dict[str, str]:
        """The query parameters that select the objects."""
        by_name = {} if self.name is None else {"fieldSelector": f"metadata.name={self.name}"}
        return by_name if self.labels is None else {**by_name, "labelSelector": self.labels}


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a scope at one moment.

    Attributes:
        objects: In the server's order.
        resource_version: The resourceVersion of the list, from which a watch can start.
    """

    objects: tuple[LiveObject, ...]
    resource_version: str


def read_pages(requests: Requests, scope: ListScope, at_most: int | None) -> Iterator[LiveObject]:
    """The objects of a scope, each once. The next page is fetched while the caller works on the current one.

    If a continue token expires (410), the server offers another one that continues after the last item, at a newer
    resourceVersion. Objects that exist during the whole scan are then still seen exactly once, which is enough to
    compare single objects. If the server offers no token, the list starts again, without the items already seen.

    Raises:
        ConnectError: The server is gone.
        TooManyObjectsError: There are more than ``at_most``. It is raised before the first object.
        RequestError: The list cannot be read to its end. The caller may already have received some objects.
    """
    pager = _Pager(requests, scope)
    seen: set[tuple[str | None, str]] = set()
    page = pager.fetch_first(at_most)
    while True:
        # No thread for lists of one page.
        next_page = call_in_background(partial(pager.fetch, page.continue_token)) if page.continue_token else None
        for item in page.items:
            key = _key(item)
            if not (pager.has_restarted and key in seen):
                yield read_live(item, scope.resource.api_version, scope.resource.kind)
            if next_page is not None:
                seen.add(key)
        if next_page is None:
            return
        page = next_page(math.inf)


def read_list(requests: Requests, scope: ListScope, at_most: int | None) -> Listing:
    """All objects of a scope, with the resourceVersion of the first page.

    If a continue token expired, later pages are newer; a watch then repeats changes that they already contain, which
    does no harm.

    Raises:
        ConnectError: The server is gone.
        TooManyObjectsError: There are more than ``at_most``.
        RequestError: The list cannot be read to its end.
    """
    pager = _Pager(requests, scope)
    page = pager.fetch_first(at_most)
    resource_version, items = page.resource_version, {_key(item): item for item in page.items}
    while page.continue_token:
        page = pager.fetch(page.continue_token)
        items.update((_key(item), item) for item in page.items)
    resource = scope.resource
    objects = tuple(read_live(item, resource.api_version, resource.kind) for item in items.values())
    return Listing(objects, resource_version)


def _key(item: Object) -> tuple[str | None, str]:
    return item["metadata"].get("namespace"), item["metadata"]["name"]


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of a list.

    Attributes:
        items: The objects.
        continue_token: The token of the next page; "" on the last page.
        remaining: ``remainingItemCount``, or None if the server does not send it.
        resource_version: The resourceVersion of the list.
    """

    items: list[Object]
    continue_token: str
    remaining: int | None
    resource_version: str


class _Pager:
    """Fetches the pages of one list."""

    def __init__(self, requests: Requests, scope: ListScope) -> None:
        self._requests = requests
        self._scope = scope
        self._limit = PAGE
        self._expiries = 0
        self.has_restarted = False

    def fetch_first(self, at_most: int | None) -> _Page:
        """Fetches the first page; raises TooManyObjectsError if the list has more than ``at_most`` objects."""
        page = self.fetch("")
        if at_most is None or not page.continue_token:
            return page
        if page.remaining is None or len(page.items) + page.remaining > at_most:
            message = f"GET {self._scope.path}: there are more than {at_most} objects"
            raise TooManyObjectsError(message, status=0, reason="TooMany")
        return page

    def fetch(self, token: str) -> _Page:
        """Fetches the page of a continue token. If the token has expired, uses the one that the server offers."""
        while True:
            try:
                return self._read(token)
            except RequestError as error:
                if error.reason == TOO_LARGE and self._limit > 1:
                    self._limit = max(1, self._limit // 10)
                elif error.status == HTTPStatus.GONE and token and self._expiries < _MAX_EXPIRIES:
                    self._expiries += 1
                    token = error.continue_token or ""
                    self.has_restarted |= not token
                else:
                    raise

    def _read(self, token: str) -> _Page:
        scope, path = self._scope, self._scope.path
        query = {"limit": str(self._limit), **scope.selector, **({"continue": token} if token else {})}
        body = self._requests.get(path, query, _METADATA if scope.metadata_only else _FULL)
        items = check_list(body, scope.resource, scope.namespace, path, metadata_only=scope.metadata_only)
        metadata = body.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise malformed(path, "the response is not a list of objects")
        next_token, remaining = metadata.get("continue") or "", metadata.get("remainingItemCount")
        if not isinstance(next_token, str) or next_token == token != "":
            raise malformed(path, "the server sent the same continue token again")
        resource_version = str(metadata.get("resourceVersion") or "")
        return _Page(items, next_token, remaining if isinstance(remaining, int) else None, resource_version)
