"""Reading a list page by page to its end, whatever becomes of its pages: expired tokens, pages that are too large."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.limits import call_in_background
from drift.kube.requests import TOO_LARGE, Requests
from drift.kube.resources import Resource
from drift.kube.validation import check_list, malformed
from drift.model import Object

#: Objects on a page, as with kubectl.
PAGE: Final = 500
_GONE: Final = 410
_METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_EVERYTHING: Final = "application/json"
#: So often may the token of one list expire. A server keeps each for minutes.
_EXPIRIES: Final = 5


@dataclass(frozen=True, slots=True)
class _Page:
    """Some items of a list, the token of the next page ("" where it is the last one), how many there are, and when."""

    items: list[Object]
    following: str
    remaining: int | None
    version: str

    @property
    def count(self) -> int:
        """How many items there are from this page on, as far as the server says."""
        return len(self.items) + (self.remaining or 0)


class _Pages:
    """Fetches page by page."""

    def __init__(
        self,
        requests: Requests,
        resource: Resource,
        namespace: str | None,
        *,
        metadata_only: bool,
        selection: Mapping[str, str] | None = None,
    ) -> None:
        self._requests = requests
        self._resource = resource
        self._namespace = namespace
        self._metadata_only = metadata_only
        self._selection = selection or {}
        self._path = resource.path(namespace)
        self._limit = PAGE
        self._expiries = 0
        self.starts_again = False

    def fetch(self, token: str) -> _Page:
        """The page of a token; another one where that has expired."""
        while True:
            try:
                return self._read(token)
            except RequestError as error:
                if error.reason == TOO_LARGE and self._limit > 1:
                    self._limit = max(1, self._limit // 10)
                elif error.status == _GONE and token and self._expiries < _EXPIRIES:
                    self._expiries += 1
                    token = error.continue_token or ""
                    self.starts_again |= not token
                else:
                    raise

    def first(self, at_most: int | None) -> _Page:
        """The first page, if there are no more items than these."""
        page = self.fetch("")
        if at_most is not None and page.following and (page.remaining is None or page.count > at_most):
            raise TooManyObjectsError(f"GET {self._path}: there are more than {at_most}", status=0, reason="TooMany")
        return page

    def _read(self, token: str) -> _Page:
        query = {"limit": str(self._limit), **self._selection, **({"continue": token} if token else {})}
        answer = self._requests.get(self._path, query, _METADATA_LIST if self._metadata_only else _EVERYTHING)
        items = check_list(answer, self._resource, self._namespace, self._path, metadata_only=self._metadata_only)
        metadata = answer.get("metadata") or {}
        if not isinstance(metadata, dict):
            raise malformed(self._path, "the answer is not a list of objects")
        following, remaining = metadata.get("continue") or "", metadata.get("remainingItemCount")
        if not isinstance(following, str) or following == token != "":
            raise malformed(self._path, "the same page comes again and again")
        version = str(metadata.get("resourceVersion") or "")
        return _Page(items, following, remaining if isinstance(remaining, int) else None, version)


def read_pages(
    requests: Requests,
    resource: Resource,
    namespace: str | None,
    *,
    metadata_only: bool = False,
    at_most: int | None = None,
) -> Iterator[Object]:
    """The items of a list, each once; while one page is worked on, the next one is fetched.

    A token that has expired (410) comes with another, which goes on behind the last item, with what is there by now.
    Each object that was there all the time is then seen once, as it was at some time of the scan, and that is all that
    a comparison of single objects needs. Without such a token the list starts again, and what was seen is left out.

    Args:
        requests: What sends them.
        resource: The kind.
        namespace: None for all namespaces, or for a cluster-scoped kind.
        metadata_only: Whether nothing but the metadata is asked for.
        at_most: With more items than these, nothing is read after the first page; None for any number.

    Raises:
        ConnectError: The server is gone.
        TooManyObjectsError: There are more than ``at_most``; no item has come.
        RequestError: The list cannot be read to its end. Items may have come already.
    """
    pages = _Pages(requests, resource, namespace, metadata_only=metadata_only)
    seen: set[tuple[str | None, str]] = set()
    page = pages.first(at_most)
    while True:
        # No thread is started before there is something to do for it.
        coming = call_in_background(partial(pages.fetch, page.following)) if page.following else None
        for item in page.items:
            key = _key(item)
            if not (pages.starts_again and key in seen):
                yield item
            if coming is not None:
                seen.add(key)
        if coming is None:
            return
        page = coming(math.inf)


def read_list(
    requests: Requests,
    resource: Resource,
    namespace: str | None,
    selection: Mapping[str, str],
    *,
    metadata_only: bool = False,
    at_most: int | None = None,
) -> tuple[list[Object], str]:
    """All items of a list, and the resource version from which a watch of it goes on.

    That is the version of the first page. Where a token expired meanwhile, later pages are newer; the watch then tells
    once more what they have already, which does no harm.

    Args:
        requests: What sends them.
        resource: The kind.
        namespace: None for all namespaces, or for a cluster-scoped kind.
        selection: Parameters that choose among the objects of the path.
        metadata_only: Whether nothing but the metadata is asked for.
        at_most: With more items than these, nothing is read after the first page; None for any number.

    Raises:
        ConnectError: The server is gone.
        TooManyObjectsError: There are more than ``at_most``.
        RequestError: The list cannot be read to its end.
    """
    pages = _Pages(requests, resource, namespace, metadata_only=metadata_only, selection=selection)
    page = pages.first(at_most)
    version, items = page.version, {_key(item): item for item in page.items}
    while page.following:
        page = pages.fetch(page.following)
        items.update((_key(item), item) for item in page.items)
    return list(items.values()), version


def _key(item: Object) -> tuple[str | None, str]:
    return item["metadata"].get("namespace"), item["metadata"]["name"]
