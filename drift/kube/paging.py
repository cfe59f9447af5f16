"""Reads a list page by page. Handles expired continue tokens and pages that are too large."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.limits import call_in_background
from drift.kube.request_errors import TOO_LARGE, malformed
from drift.kube.requests import Requests
from drift.kube.resources import Resource
from drift.kube.validation import check_list
from drift.model import Object

#: Objects per page, as with kubectl.
PAGE: Final = 500
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_FULL: Final = "application/json"
#: How often the continue token of one list may expire. A server keeps each for minutes.
_MAX_EXPIRIES: Final = 5


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

    def __init__(
        self,
        requests: Requests,
        resource: Resource,
        namespace: str | None,
        *,
        metadata_only: bool,
        selector: Mapping[str, str] | None = None,
    ) -> None:
        self._requests = requests
        self._resource = resource
        self._namespace = namespace
        self._metadata_only = metadata_only
        self._selector = selector or {}
        self._path = resource.path(namespace)
        self._limit = PAGE
        self._expiries = 0
        self.has_restarted = False

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

    def fetch_first(self, at_most: int | None) -> _Page:
        """Fetches the first page; raises TooManyObjectsError if the list has more than ``at_most`` objects."""
        page = self.fetch("")
        if at_most is None or not page.continue_token:
            return page
        if page.remaining is None or len(page.items) + page.remaining > at_most:
            message = f"GET {self._path}: there are more than {at_most} objects"
            raise TooManyObjectsError(message, status=0, reason="TooMany")
        return page

    def _read(self, token: str) -> _Page:
        query = {"limit": str(self._limit), **self._selector, **({"continue": token} if token else {})}
        body = self._requests.get(self._path, query, _METADATA if self._metadata_only else _FULL)
        items = check_list(body, self._resource, self._namespace, self._path, metadata_only=self._metadata_only)
        metadata = body.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise malformed(self._path, "the response is not a list of objects")
        next_token, remaining = metadata.get("continue") or "", metadata.get("remainingItemCount")
        if not isinstance(next_token, str) or next_token == token != "":
            raise malformed(self._path, "the server sent the same continue token again")
        resource_version = str(metadata.get("resourceVersion") or "")
        return _Page(items, next_token, remaining if isinstance(remaining, int) else None, resource_version)


def read_pages(
    requests: Requests,
    resource: Resource,
    namespace: str | None,
    *,
    metadata_only: bool = False,
    at_most: int | None = None,
) -> Iterator[Object]:
    """The items of a list, each once. The next page is fetched while the caller works on the current one.

    If a continue token expires (410), the server offers another one that continues after the last item, at a newer
    resourceVersion. Objects that exist during the whole scan are then still seen exactly once, which is enough to
    compare single objects. If the server offers no token, the list starts again, without the items already seen.

    Args:
        requests: Sends the requests.
        resource: The kind.
        namespace: None for all namespaces, or for a cluster-scoped kind.
        metadata_only: Whether to request only the metadata.
        at_most: The maximum number of items; None for no maximum.

    Raises:
        ConnectError: The server is gone.
        TooManyObjectsError: There are more than ``at_most``. It is raised before the first item.
        RequestError: The list cannot be read to its end. The caller may already have received some items.
    """
    pager = _Pager(requests, resource, namespace, metadata_only=metadata_only)
    seen: set[tuple[str | None, str]] = set()
    page = pager.fetch_first(at_most)
    while True:
        # No thread for lists of one page.
        next_page = call_in_background(partial(pager.fetch, page.continue_token)) if page.continue_token else None
        for item in page.items:
            key = _key(item)
            if not (pager.has_restarted and key in seen):
                yield item
            if next_page is not None:
                seen.add(key)
        if next_page is None:
            return
        page = next_page(math.inf)


def read_list(
    requests: Requests,
    resource: Resource,
    namespace: str | None,
    selector: Mapping[str, str],
    *,
    metadata_only: bool = False,
    at_most: int | None = None,
) -> tuple[list[Object], str]:
    """All items of a list, and the resourceVersion from which a watch can start.

    This is the resourceVersion of the first page. If a continue token expired, later pages are newer; the watch then
    repeats changes that they already contain, which does no harm.

    Args:
        requests: Sends the requests.
        resource: The kind.
        namespace: None for all namespaces, or for a cluster-scoped kind.
        selector: Query parameters that select the objects.
        metadata_only: Whether to request only the metadata.
        at_most: The maximum number of items; None for no maximum.

    Raises:
        ConnectError: The server is gone.
        TooManyObjectsError: There are more than ``at_most``.
        RequestError: The list cannot be read to its end.
    """
    pager = _Pager(requests, resource, namespace, metadata_only=metadata_only, selector=selector)
    page = pager.fetch_first(at_most)
    resource_version, items = page.resource_version, {_key(item): item for item in page.items}
    while page.continue_token:
        page = pager.fetch(page.continue_token)
        items.update((_key(item), item) for item in page.items)
    return list(items.values()), resource_version


def _key(item: Object) -> tuple[str | None, str]:
    return item["metadata"].get("namespace"), item["metadata"]["name"]
