"""A live API server as a source of live objects."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from drift.cluster.connection import Connection
from drift.cluster.live import LiveObject, read_live
from drift.cluster.requests import Requests
from drift.cluster.resources import Resource, Resources, discover
from drift.cluster.schemas import SchemaSource
from drift.errors import RequestError, TooManyObjectsError
from drift.model import ClusterInfo, Json

_PAGE: Final = "500"
_NOT_FOUND: Final = 404
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"


class ApiServer:
    """Reads objects with get and list, and nothing else.

    Attributes:
        info: The server's address and version.
        resources: What it serves.
        default_namespace: Where objects live that name no namespace.
    """

    def __init__(self, connection: Connection) -> None:
        """Asks the server for its version and for what it serves.

        Raises:
            ConnectError: No API server, or no credentials for it.
            RequestError: It refuses discovery.
        """
        self._requests = Requests(connection)
        self._schemas = SchemaSource(self._requests)
        version = self._requests.get("/version").get("gitVersion")
        self.info = ClusterInfo(connection.context, connection.server, str(version))
        self.resources: Resources = discover(self._requests)
        self.default_namespace = connection.namespace

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
        try:
            body = self._requests.get(resource.path(namespace, name))
        except RequestError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
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
        accept = _METADATA_ONLY if metadata_only else "application/json"
        path = resource.path(namespace)
        page = self._requests.get(path, {"limit": _PAGE}, accept)
        _check_number(page, at_most, resource)
        with ThreadPoolExecutor(1) as fetcher:
            while True:
                token: str | None = (page.get("metadata") or {}).get("continue")
                query = {"limit": _PAGE, "continue": token or ""}
                # No thread is started before there is something to submit.
                coming = fetcher.submit(self._requests.get, path, query, accept) if token else None
                for body in page.get("items") or ():
                    yield read_live(body, resource.api_version, resource.kind)
                if coming is None:
                    return
                page = coming.result()


def _check_number(page: Json, at_most: int | None, resource: Resource) -> None:
    metadata = page.get("metadata") or {}
    if at_most is None or not metadata.get("continue"):
        return
    remaining = metadata.get("remainingItemCount")
    if not isinstance(remaining, int) or len(page.get("items") or ()) + remaining > at_most:
        raise TooManyObjectsError(f"there are more than {at_most} {resource.plural}", status=0, reason="TooMany")
