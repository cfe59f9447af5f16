"""Reading a list page by page to its end, whatever becomes of its pages: expired tokens, pages that are too large."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from drift.cluster.attempt import begin
from drift.cluster.requests import MALFORMED, TOO_LARGE, Requests
from drift.errors import RequestError, TooManyObjectsError
from drift.model import Json, Object

#: Objects on a page, as with kubectl.
PAGE: Final = 500
_GONE: Final = 410
_OK: Final = 200
#: So often may the token of one list expire. A server keeps each for minutes.
_EXPIRIES: Final = 5


@dataclass(frozen=True, slots=True)
class _Page:
    """Some items of a list, the token of the next page ("" where it is the last one) and how many there are."""

    items: list[Object]
    following: str
    remaining: int | None

    @property
    def count(self) -> int:
        """How many items there are from this page on, as far as the server says."""
        return len(self.items) + (self.remaining or 0)


class _Pages:
    """Fetches page by page."""

    def __init__(self, requests: Requests, path: str, accept: str) -> None:
        self._requests = requests
        self._path = path
        self._accept = accept
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
                    token = error.resume or ""
                    self.starts_again |= not token
                else:
                    raise

    def _read(self, token: str) -> _Page:
        query = {"limit": str(self._limit), **({"continue": token} if token else {})}
        answer = self._requests.get(self._path, query, self._accept)
        items, metadata = answer.get("items", ()), answer.get("metadata") or {}
        if items is None:
            items = []
        if not isinstance(items, list) or not isinstance(metadata, dict) or not all(map(is_object, items)):
            raise self.malformed("the answer is not a list of objects")
        following, remaining = metadata.get("continue") or "", metadata.get("remainingItemCount")
        if not isinstance(following, str) or following == token != "":
            raise self.malformed("the same page comes again and again")
        return _Page(items, following, remaining if isinstance(remaining, int) else None)

    def malformed(self, what: str) -> RequestError:
        return RequestError(f"GET {self._path}: {what}", status=_OK, reason=MALFORMED)


def read_pages(requests: Requests, path: str, accept: str, at_most: int | None = None) -> Iterator[Object]:
    """The items of a list, each once; while one page is worked on, the next one is fetched.

    A token that has expired (410) comes with another, which goes on behind the last item, with what is there by now.
    Each object that was there all the time is then seen once, as it was at some time of the scan, and that is all that
    a comparison of single objects needs. Without such a token the list starts again, and what was seen is left out.

    Args:
        requests: What sends them.
        path: Of the list.
        accept: The media types that are welcome.
        at_most: With more items than these, nothing is read after the first page; None for any number.

    Raises:
        ConnectError: The server is gone.
        TooManyObjectsError: There are more than ``at_most``; no item has come.
        RequestError: The list cannot be read to its end. Items may have come already.
    """
    pages = _Pages(requests, path, accept)
    seen: set[tuple[str | None, str]] = set()
    page = pages.fetch("")
    if at_most is not None and page.following and (page.remaining is None or page.count > at_most):
        raise TooManyObjectsError(f"GET {path}: there are more than {at_most}", status=0, reason="TooMany")
    while True:
        # No thread is started before there is something to do for it.
        coming = begin(partial(pages.fetch, page.following)) if page.following else None
        for item in page.items:
            key = item["metadata"].get("namespace"), item["metadata"]["name"]
            if not (pages.starts_again and key in seen):
                yield item
            if coming is not None:
                seen.add(key)
        if coming is None:
            return
        page = coming(math.inf)


def is_object(item: Json) -> bool:
    """Whether an answer has what every Kubernetes object has: metadata with a name."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return (
        isinstance(metadata, dict)
        and isinstance(metadata.get("name"), str)
        and isinstance(metadata.get("namespace"), str | None)
    )
