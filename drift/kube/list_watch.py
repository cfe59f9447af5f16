"""Lists, page by page, and watches, which continue a list with the changes since.

Handles expired continue tokens and pages that are too large.
https://kubernetes.io/docs/reference/using-api/api-concepts/#retrieving-large-results-sets-in-chunks
https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Final

import orjson

from drift.errors import MALFORMED, TOO_LARGE, RequestError, TooManyObjectsError, malformed
from drift.kube.http_get import STATUS_REASONS
from drift.kube.limits import call_in_background
from drift.kube.live import LiveObject, check_list, check_object, read_live
from drift.kube.requests import Requests
from drift.kube.resources import Resource
from drift.objects import Object

#: Objects per page, as with kubectl.
PAGE: Final = 500
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
_FULL: Final = "application/json"
#: How often the continue token of one list may expire. A server keeps each for minutes.
_MAX_EXPIRIES: Final = 5
_METADATA_EVENTS: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
#: Longer than any object that etcd can store, including its managed fields.
_MAX_LINE_BYTES: Final = 16 * 1024 * 1024


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
    for page in pager.pages(at_most):
        for item in page.items:
            key = _key(item)
            if not (pager.has_restarted and key in seen):
                yield read_live(item, scope.resource.api_version, scope.resource.kind)
            if page.continue_token:
                seen.add(key)


def read_list(requests: Requests, scope: ListScope, at_most: int | None) -> Listing:
    """All objects of a scope, with the resourceVersion of the first page.

    If a continue token expired, later pages are newer; a watch then repeats changes that they already contain, which
    does no harm.

    Raises:
        ConnectError: The server is gone.
        TooManyObjectsError: There are more than ``at_most``.
        RequestError: The list cannot be read to its end.
    """
    pages = list(_Pager(requests, scope).pages(at_most))
    items = {_key(item): item for page in pages for item in page.items}
    resource = scope.resource
    objects = tuple(read_live(item, resource.api_version, resource.kind) for item in items.values())
    return Listing(objects, pages[0].resource_version)


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

    def pages(self, at_most: int | None) -> Iterator[_Page]:
        """Yields all pages. Raises TooManyObjectsError before the first if there are more than ``at_most`` objects."""
        page = self._fetch("")
        count = math.inf if page.remaining is None else len(page.items) + page.remaining
        if at_most is not None and page.continue_token and count > at_most:
            message = f"GET {self._scope.path}: there are more than {at_most} objects"
            raise TooManyObjectsError(message, status=0, reason="TooMany")
        while page.continue_token:
            next_page = call_in_background(partial(self._fetch, page.continue_token))
            yield page
            page = next_page(math.inf)
        yield page

    def _fetch(self, token: str) -> _Page:
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


class ExpiredError(Exception):
    """The server no longer knows the resourceVersion (410 Gone). List again."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a watch.

    Attributes:
        resource_version: The resourceVersion that a watch can continue from.
        live: The object as it is now, or its last state if it was deleted; None for a bookmark, which only advances
            the resourceVersion.
        deleted: Whether the object was deleted.
        size: Bytes of the line.
    """

    resource_version: str
    live: LiveObject | None
    deleted: bool = False
    size: int = 0


class Watch:
    """A watch of a scope. It ends when the server ends it, normally after ``seconds``.

    It can be iterated over once. The first event is a bookmark with the initial resourceVersion, sent as soon as the
    server has accepted the watch.

    Args:
        requests: Sends the request.
        scope: What to watch.
        resource_version: Where to start.
        seconds: How long the server is asked to keep the watch open.
        idle_seconds: The connection counts as broken after this many seconds without data.
    """

    def __init__(
        self, requests: Requests, scope: ListScope, resource_version: str, *, seconds: int, idle_seconds: float
    ) -> None:
        self._requests = requests
        self._scope = scope
        self._resource_version = resource_version
        self._seconds = seconds
        self._idle_seconds = idle_seconds
        self._interrupt: Callable[[], None] | None = None

    def stop(self) -> None:
        """Ends the watch soon, from any thread."""
        interrupt = self._interrupt
        if interrupt is not None:
            interrupt()

    def __iter__(self) -> Iterator[Event]:
        """The events as they arrive.

        Raises:
            ExpiredError: The resourceVersion is too old.
            ConnectError: No usable response.
            RequestError: This account may not watch, the server ended the watch with an error, the connection was
                lost, or no data came for too long.
        """
        scope = self._scope
        parameters = {
            "watch": "1",
            "resourceVersion": self._resource_version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(self._seconds),
            **scope.selector,
        }
        accept = _METADATA_EVENTS if scope.metadata_only else _FULL
        try:
            # Normally the server ends the watch first, after `timeoutSeconds`.
            with self._requests.stream(
                scope.path,
                parameters,
                accept,
                idle_seconds=self._idle_seconds,
                seconds=self._seconds + self._idle_seconds,
            ) as stream:
                self._interrupt = stream.interrupt
                yield Event(self._resource_version, None)
                for line in split_lines(stream.chunks):
                    event = read_event(line, scope.resource, metadata_only=scope.metadata_only)
                    if event.live is not None:
                        _check_in_scope(event.live, scope)
                    yield event
        except RequestError as error:
            if error.status == HTTPStatus.GONE:
                raise ExpiredError from None
            raise
        finally:
            self._interrupt = None


def _check_in_scope(live: LiveObject, scope: ListScope) -> None:
    if scope.namespace not in {None, live.namespace} or scope.name not in {None, live.name}:
        raise _malformed(f"the watch of {scope} sent an object that was not requested")


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream. A last line without a newline was cut off and is dropped.

    Raises:
        RequestError: A line is too long.
    """
    rest = bytearray()
    for chunk in chunks:
        rest += chunk
        if b"\n" not in chunk:
            if len(rest) > _MAX_LINE_BYTES:
                raise _malformed(f"the watch sent a line longer than {_MAX_LINE_BYTES // 1024 // 1024} MiB")
            continue
        *lines, last = rest.split(b"\n")
        rest = bytearray(last)
        yield from (bytes(line) for line in lines if line.strip())


def read_event(line: bytes, resource: Resource, *, metadata_only: bool = False) -> Event:
    """Parses one line of a watch. The values of Secrets are redacted.

    Raises:
        RequestError: The line is an ERROR event or not an event.
    """
    try:
        document = orjson.loads(line)
        kind, body = document["type"], document["object"]
        if kind == "ERROR":
            raise _watch_error(body, resource)
        resource_version = str(body["metadata"]["resourceVersion"])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise _not_an_event(resource) from None
    if kind == "BOOKMARK":
        return Event(resource_version, None)
    if kind not in {"ADDED", "MODIFIED", "DELETED"}:
        raise _not_an_event(resource)
    check_object(body, resource, None, None, resource.path(None), metadata_only=metadata_only)
    live = read_live(body, resource.api_version, resource.kind)
    return Event(resource_version, live, deleted=kind == "DELETED", size=len(line))


def _watch_error(status: Object, resource: Resource) -> RequestError:
    code = status.get("code")
    number = code if isinstance(code, int) else 0
    # The server's message may quote any part of an object, so only its reason is shown.
    reason = str(status.get("reason"))
    reason = reason if reason in STATUS_REASONS else "error"
    return RequestError(f"the watch of {resource.plural} ended: {number} {reason}", status=number, reason=reason)


def _not_an_event(resource: Resource) -> RequestError:
    return _malformed(f"the watch of {resource.plural} sent something that is not an event")


def _malformed(message: str) -> RequestError:
    return RequestError(message, status=0, reason=MALFORMED)
