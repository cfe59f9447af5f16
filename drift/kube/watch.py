"""Watches: the changes since a list, as events.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import orjson

from drift.errors import RequestError
from drift.kube.http_get import STATUS_REASONS
from drift.kube.live import LiveObject, check_object, read_live
from drift.kube.messages import MALFORMED
from drift.kube.paging import ListScope
from drift.kube.requests import Requests
from drift.kube.resources import Resource
from drift.model import Object

_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_FULL: Final = "application/json"
#: Longer than any object that etcd can store, including its managed fields.
_MAX_LINE_BYTES: Final = 16 * 1024 * 1024


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
        accept = _METADATA if scope.metadata_only else _FULL
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
