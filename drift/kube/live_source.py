"""The interface between a scan and the live objects, which come from an API server or a dump."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from drift.kube.live_object import LiveObject
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo


class LiveSource(Protocol):
    """A source of live objects."""

    @property
    def info(self) -> ClusterInfo | None:
        """The API server; None for a dump."""

    @property
    def resources(self) -> Resources:
        """The kinds that it has."""

    @property
    def default_namespace(self) -> str:
        """The namespace of objects that name none."""

    @property
    def request_count(self) -> int | None:
        """Requests sent so far; None for a dump."""

    def schema(self, resource: Resource) -> Mapping[str, Any] | None:
        """Returns the OpenAPI v3 document of a resource, or None if there is none."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """Returns one object, or None if it does not exist. Raises RequestError."""

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        """The objects of a kind. Raises RequestError, TooManyObjectsError."""
