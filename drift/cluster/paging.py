"""Reading a list page by page to its end, whatever becomes of its pages: expired tokens, pages that are too large."""

from collections.abc import Iterator
from typing import Final

from drift.cluster.requests import MALFORMED, TOO_LARGE, Requests
from drift.errors import RequestError
from drift.model import Json, Object

#: Objects on a page, as with kubectl.
PAGE: Final = 500
_GONE: Final = 410
_OK: Final = 200
#: So often may the token of one list expire. A server keeps each for minutes.
_EXPIRIES: Final = 5


def read_pages(requests: Requests, path: str, accept: str) -> Iterator[Object]:
    """The items of a list, each once.

    A token that has expired (410) comes with another, which goes on behind the last item, with what is there by now.
    Each object that was there all the time is then seen once, as it was at some time of the scan, and that is all that
    a comparison of single objects needs. Without such a token the list starts again, and what was seen is left out.

    Args:
        requests: What sends them.
        path: Of the list.
        accept: The media types that are welcome.

    Raises:
        ConnectError: The server is gone.
        RequestError: The list cannot be read to its end. Items may have come already.
    """
    limit, token, expiries = PAGE, "", 0
    tokens: set[str] = set()
    seen: set[tuple[str | None, str]] = set()
    again = False
    while True:
        try:
            items, following = _read_page(requests, path, accept, limit, token)
        except RequestError as error:
            if error.reason == TOO_LARGE and limit > 1:
                limit = max(1, limit // 10)
            elif error.status == _GONE and token and expiries < _EXPIRIES:
                expiries += 1
                token = error.resume or ""
                again = again or not token
                tokens.clear()
            else:
                raise
            continue
        for item in items:
            key = _key(item)
            if not (again and key in seen):
                yield item
            if following:
                seen.add(key)
        if not following:
            return
        if following in tokens:
            raise _malformed(path, "the same page comes again and again")
        tokens.add(following)
        token = following


def _read_page(requests: Requests, path: str, accept: str, limit: int, token: str) -> tuple[list[Object], str]:
    """The items of a page, and the token of the next; "" where it is the last."""
    answer = requests.get(path, {"limit": str(limit), **({"continue": token} if token else {})}, accept)
    items, metadata = answer.get("items", ()), answer.get("metadata") or {}
    following = metadata.get("continue") or "" if isinstance(metadata, dict) else None
    if items is None:
        items = []
    if not isinstance(items, list) or not isinstance(following, str) or not all(map(is_object, items)):
        raise _malformed(path, "the answer is not a list of objects")
    return items, following


def is_object(item: Json) -> bool:
    """Whether an answer has what every Kubernetes object has: metadata with a name."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return (
        isinstance(metadata, dict)
        and isinstance(metadata.get("name"), str)
        and isinstance(metadata.get("namespace"), str | None)
    )


def _key(item: Object) -> tuple[str | None, str]:
    return item["metadata"].get("namespace"), item["metadata"]["name"]


def _malformed(path: str, what: str) -> RequestError:
    return RequestError(f"GET {path}: {what}", status=_OK, reason=MALFORMED)
