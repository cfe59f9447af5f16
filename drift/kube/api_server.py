"""A live API server as a source of live objects."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from drift.errors import RequestError
from drift.kube.connection import Connection
from drift.kube.limits import Deadline, Limits
from drift.kube.live_object import LiveObject, read_live
from drift.kube.openapi import SchemaSource
from drift.kube.paging import read_pages
from drift.kube.requests import MALFORMED, Requests, ignore_message
from drift.kube.resources import Resource, Resources, discover
from drift.kube.validation import check_object
from drift.kube.watch import Listing, Watch, WatchScope, list_for_watch
from drift.model import ClusterInfo

_OK: Final = 200
_NOT_FOUND: Final = 404


class ApiServer:
    """Reads objects with get and list, and nothing else.

    Attributes:
        info: The server's address and version.
        resources: What it serves.
        default_namespace: Where objects live that name no namespace.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
        deadline: Deadline | None = None,
        tell: Callable[[str], None] = ignore_message,
    ) -> None:
        """Asks the server for its version and for what it serves.

        Args:
            connection: With the credentials.
            limits: How long a request may take, and how large an answer may be.
            deadline: When to stop asking; None: as the limits say, from now on.
            tell: Hears of every request that is tried again, a sentence each.

        Raises:
            ConnectError: No API server, or no credentials for it.
            RequestError: It refuses discovery.
        """
        self._requests = Requests(connection, limits, deadline, tell)
        self._schemas = SchemaSource(self._requests)
        self.info = ClusterInfo(connection.context, connection.server, self._version(), connection.impersonated.user)
        self.resources: Resources = discover(self._requests)
        self.default_namespace = connection.namespace

    def _version(self) -> str:
        version = self._requests.get("/version").get("gitVersion")
        if not isinstance(version, str):
            raise RequestError(
                "GET /version: the answer is not what an API server answers with; is this the right --context?",
                status=_OK,
                reason=MALFORMED,
            )
        return version

    @property
    def request_count(self) -> int:
        """Requests sent so far."""
        return self._requests.count

    def schema(self, resource: Resource) -> dict[str, Any] | None:
        """The OpenAPI v3 document of the resource's group and version; None where there is none."""
        return self._schemas.document(resource)

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """One object; None if it does not exist.

        Raises:
            RequestError: It cannot be read.
        """
        path = resource.path(namespace, name)
        try:
            body = self._requests.get(path)
        except RequestError as error:
            # What merely stands in front of an API server says "not found" too, and knows nothing of the object.
            if error.status == _NOT_FOUND and error.reason == "NotFound":
                return None
            raise
        check_object(body, resource, namespace, name, path)
        return read_live(body, resource.api_version, resource.kind)

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        """The objects of a kind, page by page; while one page is worked on, the next one is fetched.

        Args:
            resource: The kind.
            namespace: None for all namespaces, or for a cluster-scoped kind.
            metadata_only: Leaves out everything but the metadata; a Secret's values then never leave the server.
            at_most: How many objects are wanted; None for any number.

        Raises:
            TooManyObjectsError: There are more than ``at_most``, or the server does not say how many there are.
            RequestError: They cannot be read. Objects may have come already.
        """
        for body in read_pages(self._requests, resource, namespace, metadata_only=metadata_only, at_most=at_most):
            yield read_live(body, resource.api_version, resource.kind)

    def list_scope(self, place: WatchScope, *, at_most: int | None = None) -> Listing:
        """All objects of a place, and the version to watch it from.

        Args:
            place: Where to look.
            at_most: How many objects are wanted; None for any number.

        Raises:
            TooManyObjectsError: There are more than ``at_most``, or the server does not say how many there are.
            ConnectError: No usable answer.
            RequestError: It cannot be read.
        """
        return list_for_watch(self._requests, place, at_most)

    def watch(self, place: WatchScope, version: str, *, seconds: int, silence: float) -> Watch:
        """What happens in a place from a version on; nothing is sent before it is iterated over."""
        return Watch(self._requests, place, version, seconds=seconds, silence=silence)

    def discover_again(self) -> bool:
        """Asks anew what the server serves and which schemas it has.

        Returns:
            Whether anything is not as it was.

        Raises:
            ConnectError: No usable answer.
            RequestError: It refuses discovery.
        """
        resources = discover(self._requests)
        schemas = SchemaSource(self._requests)
        unchanged = resources == self.resources and schemas.addresses == self._schemas.addresses
        self.resources, self._schemas = resources, schemas
        return not unchanged
