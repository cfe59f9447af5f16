"""Lists with their version, and watches from there: what the API server sends, line by line, as events.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from drift.errors import RequestError
from drift.kube.live_object import LiveObject, read_live
from drift.kube.paging import read_list
from drift.kube.requests import MALFORMED, REASONS, Requests
from drift.kube.resources import Resource
from drift.kube.validation import check_object

_GONE: Final = 410
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
_EVERYTHING: Final = "application/json"
#: Longer than any object that etcd holds, managed fields and all; a line that never ends is no event.
_LONGEST_LINE: Final = 16 * 1024 * 1024


class ExpiredError(Exception):
    """The version to go on from is not known to the server any more (410 Gone): everything has to be listed anew."""


@dataclass(frozen=True, slots=True)
class WatchScope:
    """What is listed and watched together.

    Attributes:
        resource: The kind.
        namespace: None for all namespaces, or for a cluster-scoped kind.
        name: None for all of them.
        metadata_only: Whether nothing but the metadata is asked for.
    """

    resource: Resource
    namespace: str | None
    name: str | None = None
    metadata_only: bool = False

    def __str__(self) -> str:
        """For messages: ``deployments in shop``."""
        named = f" named {self.name}" if self.name is not None else ""
        return f"{self.resource.plural}{named}" + (f" in {self.namespace}" if self.namespace is not None else "")

    @property
    def path(self) -> str:
        """Of its requests."""
        return self.resource.path(self.namespace)

    @property
    def selection(self) -> dict[str, str]:
        """The parameters that choose among the objects of the path."""
        return {} if self.name is None else {"fieldSelector": f"metadata.name={self.name}"}


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a place at one moment.

    Attributes:
        objects: In the server's order.
        resource_version: The resourceVersion of the list, from which a watch can start.
    """

    objects: tuple[LiveObject, ...]
    resource_version: str


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch.

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


def list_for_watch(requests: Requests, place: WatchScope, at_most: int | None) -> Listing:
    """Lists a place, page by page.

    Args:
        requests: Where to send them.
        place: What to list.
        at_most: How many objects are wanted; None for any number.

    Raises:
        TooManyObjectsError: There are more than ``at_most``, or the server does not say how many there are.
        ConnectError: No usable answer.
        RequestError: It cannot be read.
    """
    resource = place.resource
    items, version = read_list(
        requests, resource, place.namespace, place.selection, metadata_only=place.metadata_only, at_most=at_most
    )
    return Listing(tuple(read_live(body, resource.api_version, resource.kind) for body in items), version)


class Watch:
    """A watch of a place from a version on. Ends when the server ends it, which is usual after ``seconds``.

    Iterated over once, it gives first a bookmark with the version it was made with, as soon as the server has accepted
    the watch; then what the server sends.

    Args:
        requests: Where to send it.
        place: What to watch.
        version: Where to go on from.
        seconds: How long the server is asked to keep it up.
        silence: Seconds without a byte after which the connection counts as broken.
    """

    def __init__(self, requests: Requests, place: WatchScope, version: str, *, seconds: int, silence: float) -> None:
        self._requests = requests
        self._place = place
        self._version = version
        self._seconds = seconds
        self._silence = silence
        self._interrupt: Callable[[], None] | None = None

    def stop(self) -> None:
        """Ends it soon, from any thread."""
        interrupt = self._interrupt
        if interrupt is not None:
            interrupt()

    def __iter__(self) -> Iterator[Event]:
        """The events as they come.

        Raises:
            ExpiredError: The version is too old.
            ConnectError: No usable answer, it broke off, or nothing came for too long.
            RequestError: The account may not watch, or the server ended the watch with an error.
        """
        place = self._place
        parameters = {
            "watch": "1",
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(self._seconds),
            **place.selection,
        }
        accept = _METADATA if place.metadata_only else _EVERYTHING
        try:
            # A server that keeps to `timeoutSeconds` ends it first.
            longest = self._seconds + self._silence
            with self._requests.stream(
                place.path, parameters, accept, silence=self._silence, seconds=longest
            ) as stream:
                self._interrupt = stream.interrupt
                yield Event(self._version, None)
                for line in split_lines(stream.chunks):
                    event = read_event(line, place.resource, metadata_only=place.metadata_only)
                    if event.live is not None:
                        _check_place(event.live, place)
                    yield event
        except RequestError as error:
            if error.status == _GONE:
                raise ExpiredError from None
            raise
        finally:
            self._interrupt = None


def _check_place(live: LiveObject, place: WatchScope) -> None:
    if place.namespace not in {None, live.namespace} or place.name not in {None, live.name}:
        raise RequestError(f"a watch of {place} sent an object of another place", status=0, reason=MALFORMED)


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a stream, whatever pieces it comes in. A last one without its end was cut off and is left out.

    Raises:
        RequestError: A line does not end.
    """
    rest = bytearray()
    for chunk in chunks:
        rest += chunk
        if b"\n" not in chunk:
            if len(rest) > _LONGEST_LINE:
                raise RequestError("a watch sent a line without an end", status=0, reason=MALFORMED)
            continue
        *lines, last = rest.split(b"\n")
        rest = bytearray(last)
        yield from (bytes(line) for line in lines if line.strip())


def read_event(line: bytes, resource: Resource, *, metadata_only: bool = False) -> Event:
    """One line of a watch; a Secret's values are redacted before anything else sees it.

    Raises:
        RequestError: The server says that the watch failed (its status says why), or the line is no event.
    """
    try:
        document = orjson.loads(line)
        kind, body = document["type"], document["object"]
        if kind == "ERROR":
            code = body.get("code")
            status = code if isinstance(code, int) else 0
            # The server's message is not passed on: it may quote any part of an object.
            word = body.get("reason") if body.get("reason") in REASONS else "error"
            raise RequestError(f"the watch of {resource.plural} ended: {status} {word}", status=status, reason=word)
        version = str(body["metadata"]["resourceVersion"])
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise RequestError(f"a watch of {resource.plural} sent no event", status=0, reason=MALFORMED) from None
    if kind == "BOOKMARK":
        return Event(version, None)
    if kind not in {"ADDED", "MODIFIED", "DELETED"}:
        raise RequestError(f"a watch of {resource.plural} sent no event", status=0, reason=MALFORMED)
    check_object(body, resource, None, None, resource.path(None), metadata_only=metadata_only)
    return Event(
        version, read_live(body, resource.api_version, resource.kind), deleted=kind == "DELETED", size=len(line)
    )
