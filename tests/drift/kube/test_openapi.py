"""Where schemas are asked for: only at the server that names them, whatever it says."""

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


class Asked:
    """Answers with an index, and keeps account of what else is asked for."""

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
def test_an_address_that_could_lead_elsewhere_is_not_asked(address: object) -> None:
    asked = Asked(address)

    assert SchemaSource(cast("Requests", asked)).document(ROUTE) is None
    assert asked.paths == []


def test_an_address_of_the_server_is_asked() -> None:
    asked = Asked("/openapi/v3/apis/example.com/v1?a=b")

    assert SchemaSource(cast("Requests", asked)).document(ROUTE) == {"components": {}}
    assert asked.paths == ["/openapi/v3/apis/example.com/v1 {'a': 'b'}"]


@pytest.mark.parametrize("path", ["@evil.example.com/x", ":80/x", ".evil.example.com", ""])
def test_nothing_is_sent_to_what_is_no_path(path: str) -> None:
    client = mock.Mock()
    connection = Connection(client, None, "https://good.example.com", "default", lambda: connection)

    with pytest.raises(RequestError, match="is no path of an API server"):
        Requests(connection).get(path)

    assert client.rest_client.pool_manager.request.call_count == 0
