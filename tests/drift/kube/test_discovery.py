"""Schemas are requested only from the API server, whatever URLs it returns, and cached."""

import json
import os
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from drift.errors import ConnectError
from drift.kube.connection import connect
from drift.kube.discovery import SchemaSource
from drift.kube.limits import RESPONSE_BYTES
from drift.kube.resources import Resource
from tests.drift.kube.hostile_server import hostile, requests, send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drift.kube.requests import Requests

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
    recorded = RecordedRequests(address)

    assert SchemaSource(cast("Requests", recorded)).document(ROUTE) is None
    assert recorded.paths == []


def test_a_schema_url_on_the_server_is_requested() -> None:
    recorded = RecordedRequests("/openapi/v3/apis/example.com/v1?a=b")

    assert SchemaSource(cast("Requests", recorded)).document(ROUTE) == {"components": {}}
    assert recorded.paths == ["/openapi/v3/apis/example.com/v1 {'a': 'b'}"]


CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset())
SCHEMA: dict[str, Any] = {"components": {"schemas": {}}}


def _schemas(handler: BaseHTTPRequestHandler) -> None:
    index = {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=1"}}}
    send(handler, 200, json.dumps(index if handler.path == "/openapi/v3" else SCHEMA).encode())


def _fifo(file: Path) -> None:
    os.mkfifo(file)


BROKEN_FILES: dict[str, Callable[[Path], object]] = {
    "a list": lambda file: file.write_text("[]"),
    "a number": lambda file: file.write_text("7"),
    "null": lambda file: file.write_text("null"),
    "half a document": lambda file: file.write_text('{"components": {'),
    "nothing": lambda file: file.write_text(""),
    "no UTF-8": lambda file: file.write_bytes(b'{"\xff": 1}'),
    "deep nesting": lambda file: file.write_text("[" * 100_000),
    "a folder": lambda file: file.mkdir(),
    "a link to itself": lambda file: file.symlink_to(file),
    "a link to a device": lambda file: file.symlink_to("/dev/zero"),
    "a pipe": _fifo,
    "a huge file": lambda file: file.open("wb").truncate(RESPONSE_BYTES + 1),
}


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("case", BROKEN_FILES)
def test_a_broken_cache_file_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with hostile(_schemas) as server:
        assert SchemaSource(requests(tmp_path, server)).document(CONFIG_MAPS) == SCHEMA
        (file,) = (tmp_path / "cache").rglob("*.json")
        file.unlink()
        BROKEN_FILES[case](file)

        assert SchemaSource(requests(tmp_path, server)).document(CONFIG_MAPS) == SCHEMA
        assert SchemaSource(requests(tmp_path, server)).document(CONFIG_MAPS) == SCHEMA

    # There are no temporary files.
    assert len(list(file.parent.iterdir())) == 1


@pytest.mark.parametrize("folder", ["/dev/null", "/proc/none", f"/{'x' * 300}", "relative"])
def test_an_unusable_cache_folder_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", folder)
    with hostile(_schemas) as server:
        assert SchemaSource(requests(tmp_path, server)).document(CONFIG_MAPS) == SCHEMA

    assert not (tmp_path / "relative").exists()


def test_a_user_without_a_home_folder_can_use_a_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_user(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("KUBECONFIG")
    monkeypatch.setattr("pwd.getpwuid", no_user)
    with pytest.raises(ConnectError, match=r"no kubeconfig found at ~/[.]kube/config"):
        connect(None, None)
    with hostile(_schemas) as server:
        assert SchemaSource(requests(tmp_path, server)).document(CONFIG_MAPS) == SCHEMA
