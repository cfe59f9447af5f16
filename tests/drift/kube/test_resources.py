"""Kinds, their versions and their paths."""

import json
import os
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from drift.errors import ConnectError, RequestError
from drift.kube import resources
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.limits import RESPONSE_BYTES
from drift.kube.resources import Resource, Resources, SchemaSource
from drift.schema.types import built_in_kinds
from tests.drift.kube.hostile_server import hostile, kubeconfig, requests, send

if TYPE_CHECKING:
    from collections.abc import Mapping

    from drift.kube.requests import Requests


def _resource(group: str, version: str, kind: str = "Widget") -> Resource:
    return Resource(group, version, kind, f"{kind.lower()}s", namespaced=True, verbs=frozenset())


@pytest.mark.parametrize(
    ("api_version", "kind", "suggestions"),
    [
        ("apps/v1", "Deploymnet", ["Deployment in apps/v1"]),
        ("apps/v1", "deployment", ["Deployment in apps/v1"]),
        ("app/v1", "Deployment", ["Deployment in apps/v1"]),
        ("v1", "Deployment", ["Deployment in apps/v1"]),
        ("app/v1", "Deploymnet", ["Deployment in apps/v1"]),
        ("extensions/v1beta1", "Ingress", ["Ingress in networking.k8s.io/v1"]),
        ("example.com/v1", "Nothing", []),
    ],
)
def test_suggestions_for_a_kind_that_is_not_served(api_version: str, kind: str, suggestions: list[str]) -> None:
    resources = Resources(Resource.from_data(kind) for kind in built_in_kinds())

    assert resources.similar(api_version, kind) == suggestions


def test_the_first_version_is_the_preferred_one() -> None:
    resources = Resources([_resource("example.com", "v1"), _resource("example.com", "v1beta1")], ["down/v1"])

    preferred = resources.preferred("example.com", "Widget")

    assert preferred is not None
    assert preferred.version == "v1"
    assert resources.find("example.com/v1beta1", "Widget") == _resource("example.com", "v1beta1")
    assert resources.find("example.com/v2", "Widget") is None
    assert resources.preferred("", "Widget") is None
    assert resources.all_preferred() == [preferred]
    assert "down/v1" in resources.broken


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        (_resource("", "v1"), None, None, "/api/v1/widgets"),
        (_resource("", "v1"), "n", "a", "/api/v1/namespaces/n/widgets/a"),
        (_resource("example.com", "v1"), "n", None, "/apis/example.com/v1/namespaces/n/widgets"),
        (_resource("", "v1"), None, "system:node", "/api/v1/widgets/system:node"),
        (_resource("", "v1"), "n", "../secrets/a", "/api/v1/namespaces/n/widgets/..%2Fsecrets%2Fa"),
        (_resource("", "v1"), "n", "..", "/api/v1/namespaces/n/widgets/%2E%2E"),
        (_resource("", "v1"), "n", "a?watch=1#b", "/api/v1/namespaces/n/widgets/a%3Fwatch%3D1%23b"),
    ],
)
def test_a_name_cannot_change_the_path(resource: Resource, namespace: str | None, name: str, path: str) -> None:
    assert resource.path(namespace, name) == path


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


class FailingRequests(RecordedRequests):
    """Fails the request for the index, or for a schema."""

    def __init__(self, error: RequestError, *, fails_index: bool) -> None:
        super().__init__("/openapi/v3/apis/example.com/v1")
        self._error = error
        self._fails_index = fails_index

    def get(self, path: str) -> dict[str, Any]:
        if self._fails_index:
            raise self._error
        return super().get(path)

    def get_bytes(self, path: str, parameters: "Mapping[str, str]") -> bytes:
        del path, parameters
        raise self._error


@pytest.mark.parametrize("fails_index", [True, False])
@pytest.mark.parametrize(("status", "is_failure"), [(0, True), (429, True), (503, True), (404, False), (403, False)])
def test_a_request_that_failed_does_not_mean_that_there_is_no_schema(
    status: int, is_failure: bool, fails_index: bool
) -> None:
    failing = FailingRequests(RequestError("GET: failed", status=status, reason="A"), fails_index=fails_index)
    schemas = SchemaSource(cast("Requests", failing))

    if is_failure:
        for _ in range(2):
            with pytest.raises(RequestError, match="GET: failed"):
                schemas.document(ROUTE)
    else:
        assert schemas.document(ROUTE) is None


CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset())
SCHEMA: dict[str, Any] = {"components": {"schemas": {}}}


def _schemas(handler: BaseHTTPRequestHandler) -> None:
    index = {"paths": {"api/v1": {"serverRelativeURL": "/openapi/v3/api/v1?hash=1"}}}
    send(handler, 200, json.dumps(index if handler.path == "/openapi/v3" else SCHEMA).encode())


def test_a_discovery_without_the_index_of_schemas_fails_and_keeps_the_schemas(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drift.kube.requests.time.sleep", lambda _: None)
    statuses = {"/openapi/v3": 200}
    kind = {"resource": "configmaps", "responseKind": {"kind": "ConfigMap"}, "scope": "Namespaced"}
    groups = {"/api": [{"metadata": {}, "versions": [{"version": "v1", "resources": [kind]}]}], "/apis": []}

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path == "/version":
            send(handler, 200, b'{"gitVersion": "v1.36.3"}')
        elif handler.path in groups:
            send(handler, 200, json.dumps({"kind": "APIGroupDiscoveryList", "items": groups[handler.path]}).encode())
        elif handler.path in statuses and statuses[handler.path] != 200:
            send(handler, statuses[handler.path])
        else:
            _schemas(handler)

    with hostile(answer) as url:
        server = ApiServer(connect(kubeconfig(tmp_path, server=url), None))
        (resource,) = server.resources.all()
        assert server.schema(resource) == SCHEMA
        assert not server.discover_again()

        statuses["/openapi/v3"] = 503
        with pytest.raises(RequestError, match="GET /openapi/v3"):
            server.discover_again()
        assert server.schema(resource) == SCHEMA

        statuses["/openapi/v3"] = 200
        assert not server.discover_again()


@pytest.mark.parametrize("knows_any", [True, False])
def test_a_schema_that_has_changed_since_the_index_was_read_is_requested_without_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, knows_any: bool
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    asked = list[str]()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.append(handler.path)
        if handler.path == "/openapi/v3" or (knows_any and handler.path == "/openapi/v3/api/v1"):
            _schemas(handler)
        else:
            # As kube-openapi does.
            send(handler, 301, Location="/openapi/v3/api/v1?hash=2")

    with hostile(answer) as server:
        found = SchemaSource(requests(tmp_path, server)).document(CONFIG_MAPS)

    assert found == (SCHEMA if knows_any else None)
    assert asked == ["/openapi/v3", "/openapi/v3/api/v1?hash=1", "/openapi/v3/api/v1"]
    # It is not the document with this hash.
    assert not list((tmp_path / "cache").rglob("*.json"))


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


def test_the_cache_keeps_the_documents_that_were_used_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(resources, "_MAX_CACHED", 2)

    with hostile(_schemas) as one, hostile(_schemas) as two, hostile(_schemas) as three:
        for age, server in enumerate((one, two)):
            assert SchemaSource(requests(tmp_path, server)).document(CONFIG_MAPS) == SCHEMA
            newest = max(tmp_path.rglob("*.json"), key=lambda file: file.stat().st_mtime)
            os.utime(newest, (age, age))
        first, second = sorted(tmp_path.rglob("*.json"), key=lambda file: file.stat().st_mtime)
        for server in (one, three):
            assert SchemaSource(requests(tmp_path, server)).document(CONFIG_MAPS) == SCHEMA

    assert first.exists()
    assert not second.exists()
    assert len(list(tmp_path.rglob("*.json"))) == 2


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
