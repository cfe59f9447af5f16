"""Schemas are requested only from the API server, whatever URLs it returns."""

from typing import TYPE_CHECKING, Any, cast
from unittest import mock

import pytest

from drift.errors import RequestError
from drift.kube.connection import Connection
from drift.kube.openapi import SchemaSource
from drift.kube.requests import Requests
from drift.kube.resources import Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

VERBS = frozenset({"get", "list"})
ROUTE = Resource("example.com", "v1", "Route", "routes", namespaced=True, verbs=VERBS)
ELSEWHERE = (
    "@evil.example.com/openapi/v3/x",
    "//evil.example.com/x",
    "https://evil.example.com/",
    ":80/x",
    "/version",
    "",
)


class RecordedRequests:
    """Returns an index of schemas, and records the other requests."""

    server = "https://good.example.com"

    def __init__(self, address: object) -> None:
        self.paths: list[str] = []
        self._address = address

    def get(self, path: str) -> dict[str, Any]:
        assert path == "/openapi/v3"
        return {"paths": {"apis/example.com/v1": {"serverRelativeURL": self._address}}}

    def get_bytes(self, path: str, parameters: "Mapping[str, str]") -> bytes:
        self.paths.append(f"{path} {parameters}")
        return b'{"components": {}}'


@pytest.mark.parametrize("address", [*ELSEWHERE, None, 7, ["/openapi/v3/x"]])
def test_a_schema_url_on_another_host_is_not_requested(address: object) -> None:
    requests = RecordedRequests(address)

    assert SchemaSource(cast("Requests", requests)).document(ROUTE) is None
    assert requests.paths == []


def test_a_schema_url_on_the_server_is_requested() -> None:
    requests = RecordedRequests("/openapi/v3/apis/example.com/v1?a=b")

    assert SchemaSource(cast("Requests", requests)).document(ROUTE) == {"components": {}}
    assert requests.paths == ["/openapi/v3/apis/example.com/v1 {'a': 'b'}"]


@pytest.mark.parametrize("path", ["@evil.example.com/x", ":80/x", ".evil.example.com", ""])
def test_a_request_needs_a_path(path: str) -> None:
    client = mock.Mock()
    connection = Connection(client, None, "https://good.example.com", "default", lambda: connection)

    with pytest.raises(RequestError, match="is not a path of an API server"):
        Requests(connection).get(path)

    assert client.rest_client.pool_manager.request.call_count == 0
