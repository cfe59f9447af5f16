"""What a scan asks of the live side, be it an API server or a dump."""

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from drift.kube.live_object import LiveObject
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo


class LiveSource(Protocol):
    """Where live objects come from: an API server or a dump."""

    @property
    def info(self) -> ClusterInfo | None:
        """The API server; None for a dump."""

    @property
    def resources(self) -> Resources:
        """The kinds it has."""

    @property
    def default_namespace(self) -> str:
        """Where objects live that name no namespace."""

    @property
    def request_count(self) -> int | None:
        """Requests sent so far; None where none are sent."""

    def schema(self, resource: Resource) -> Mapping[str, Any] | None:
        """The OpenAPI v3 document of a resource; None where there is none."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """One object; None if it does not exist. Raises RequestError."""

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        """The objects of a kind. Raises RequestError, TooManyObjectsError."""
