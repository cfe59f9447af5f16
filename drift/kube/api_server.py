"""A live API server as a source of live objects."""

from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from drift.errors import RequestError, not_an_api_server
from drift.kube.connection import Connection
from drift.kube.limits import Deadline, Limits
from drift.kube.list_watch import Listing, ListScope, Watch, read_list, read_pages
from drift.kube.live import LiveObject, check_object, read_live
from drift.kube.requests import Requests
from drift.kube.resources import Resource, Resources, SchemaSource, discover
from drift.model import ClusterInfo
from drift.objects import Object


class ApiServer:
    """Reads objects with get, list and watch. It cannot write.

    Attributes:
        info: The server's address and version.
        resources: The kinds that it serves.
        default_namespace: The namespace of objects that name none.
        deadline: When the scan must end.
    """

    def __init__(
        self,
        connection: Connection,
        limits: Limits | None = None,
        deadline: Deadline | None = None,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Asks the server for its version and the kinds that it serves.

        By default, the limits count from now on. ``notify`` is called with a sentence for each retry.

        Raises:
            ConnectError: The server is unreachable or refuses the credentials.
            RequestError: Discovery failed.
        """
        self._requests = Requests(connection, limits, deadline, notify)
        self.deadline = self._requests.deadline
        self._schemas = SchemaSource(self._requests)
        self.info = ClusterInfo(
            connection.context,
            connection.server,
            self._version(),
            connection.impersonated.user,
            connection.cluster_id,
        )
        self.resources: Resources = discover(self._requests)
        self.default_namespace = connection.namespace

    def _version(self) -> str:
        version = self._requests.get("/version").get("gitVersion")
        if not isinstance(version, str):
            raise not_an_api_server("/version")
        return version

    @property
    def request_count(self) -> int:
        """Requests sent so far."""
        return self._requests.count

    def schema(self, resource: Resource) -> dict[str, Any] | None:
        """Returns the OpenAPI v3 document of the resource's group and version, or None if there is none.

        Raises:
            ConnectError: No usable response.
            RequestError: The server did not return it this time.
        """
        return self._schemas.document(resource)

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """Returns one object, or None if it does not exist.

        Raises:
            RequestError: It cannot be read.
        """
        body = self.get_stored(resource, namespace, name)
        return None if body is None else read_live(body, resource.api_version, resource.kind)

    def get_stored(self, resource: Resource, namespace: str | None, name: str) -> Object | None:
        """Returns one object as it is stored, with the values of a Secret, or None if it does not exist.

        Only for what a program keeps in an object, such as Helm its releases. The caller must not pass it on.

        Raises:
            RequestError: It cannot be read.
        """
        path = resource.path(namespace, name)
        try:
            body = self._requests.get(path)
        except RequestError as error:
            # A proxy may answer 404 as well, but it does not know the object and gives no reason.
            if error.status == HTTPStatus.NOT_FOUND and error.reason == "NotFound":
                return None
            raise
        check_object(body, resource, namespace, name, path)
        return body

    def list_labelled(self, resource: Resource, namespace: str | None, labels: str) -> Iterator[LiveObject]:
        """The metadata of the objects that a label selector matches.

        Raises:
            RequestError: They cannot be read.
        """
        return read_pages(self._requests, ListScope(resource, namespace, metadata_only=True, labels=labels), None)

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        """The objects of a kind, page by page. The next page is fetched while the caller works on the current one.

        With ``metadata_only``, the values of Secrets never leave the server.

        Raises:
            TooManyObjectsError: There are more than ``at_most``, or the server does not say how many there are.
            RequestError: They cannot be read. The caller may already have received some objects.
        """
        return read_pages(self._requests, ListScope(resource, namespace, metadata_only=metadata_only), at_most)

    def list_scope(self, scope: ListScope, *, at_most: int | None = None) -> Listing:
        """Lists all objects of a scope, with the resourceVersion to watch it from.

        Raises:
            TooManyObjectsError: There are more than ``at_most``, or the server does not say how many there are.
            ConnectError: No usable response.
            RequestError: It cannot be listed.
        """
        return read_list(self._requests, scope, at_most)

    def watch(self, scope: ListScope, resource_version: str, *, seconds: int, idle_seconds: float) -> Watch:
        """Watches a scope from a resourceVersion on. The request is sent when the caller starts to iterate."""
        return Watch(self._requests, scope, resource_version, seconds=seconds, idle_seconds=idle_seconds)

    def discover_again(self) -> bool:
        """Asks again which kinds and schemas the server has. Keeps those that are known if this fails.

        Returns:
            Whether anything changed.

        Raises:
            ConnectError: No usable response.
            RequestError: Discovery failed.
        """
        resources = discover(self._requests)
        schemas = SchemaSource(self._requests)
        unchanged = schemas.addresses == self._schemas.index and resources == self.resources
        self.resources, self._schemas = resources, schemas
        return not unchanged
