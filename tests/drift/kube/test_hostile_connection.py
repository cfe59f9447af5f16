"""Hostile kubeconfigs and servers end in one clear line, in little memory, and in time."""

import gzip
import json
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.cli import main
from drift.errors import ConnectError, RequestError, UsageError
from drift.kube.connection import connect
from drift.kube.limits import RESPONSE_BYTES, Deadline, Limits
from drift.kube.openapi import SchemaSource
from drift.kube.requests import Requests
from drift.kube.resources import Resource
from tests.drift.conftest import Application

TOKEN = "planted-token"  # noqa: S105
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NAMESPACE}\n"
LIMIT = 32 * 1024 * 1024


def kubeconfig(folder: Path, user: dict[str, Any] | None = None, **cluster: Any) -> str:
    file = folder / "kubeconfig"
    config = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1", **cluster}}],
        "users": [{"name": "a", "user": {"token": TOKEN} if user is None else user}],
    }
    file.write_text(json.dumps(config))
    return str(file)


# -- authentication methods

PASSWORD = {"username": "admin", "password": "planted-password"}
PROVIDER = {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/false", "access-token": "planted-token"}}}


@pytest.mark.parametrize(
    ("user", "named"),
    [
        (PASSWORD, "username and password"),
        ({"password": "planted-password"}, "password"),
        (PROVIDER, "auth-provider"),
        ({**PASSWORD, **PROVIDER, "token": ""}, "username and password and auth-provider"),
    ],
)
def test_unsupported_authentication_is_one_line_with_alternatives(
    tmp_path: Path, user: dict[str, Any], named: str, stderr: Callable[[], str]
) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)

    assert main(["report", str(tmp_path / "a.yaml"), "--kubeconfig", kubeconfig(tmp_path, user)]) == 2

    (line,) = stderr().splitlines()
    assert f"user 'a': {named} cannot be used" in line
    assert "exec plugin" in line
    assert "planted" not in line


@pytest.mark.parametrize("other", [PASSWORD, PROVIDER])
def test_unsupported_authentication_is_ignored_if_there_is_a_token(tmp_path: Path, other: dict[str, Any]) -> None:
    headers = connect(kubeconfig(tmp_path, {"token": TOKEN, **other}), None).credentials()

    assert dict(headers) == {"authorization": f"Bearer {TOKEN}"}


def test_unused_users_are_not_checked(tmp_path: Path) -> None:
    file = Path(kubeconfig(tmp_path))
    config = json.loads(file.read_text())
    config["users"].append({"name": "b", "user": PASSWORD})
    file.write_text(json.dumps(config))

    assert connect(str(file), None).context == "a"


# -- addresses


@pytest.mark.parametrize(
    "server", ["", "127.0.0.1:6443", "example.com", "ftp://example.com", "https://", "https://h:99999", "https://a\n"]
)
def test_a_server_address_must_be_a_url(tmp_path: Path, server: str) -> None:
    with pytest.raises(ConnectError, match="of the kubeconfig is not a URL"):
        connect(kubeconfig(tmp_path, server=server), None)


def test_no_credentials_are_sent_unencrypted_to_another_machine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no credentials are sent over http://"):
        connect(kubeconfig(tmp_path, server="http://api.example.com"), None)

    connect(kubeconfig(tmp_path, {}, server="http://api.example.com"), None)
    connect(kubeconfig(tmp_path, server="http://127.0.0.1:8001"), None)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("insecure-skip-tls-verify", "false"),
        ("insecure-skip-tls-verify", 1),
        ("tls-server-name", 7),
        ("server", ["https://a"]),
    ],
)
def test_a_setting_of_the_wrong_type_is_an_error(tmp_path: Path, setting: str, value: Any) -> None:
    with pytest.raises(ConnectError, match=f"{setting} is not "):
        connect(kubeconfig(tmp_path, **{setting: value}), None)


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Header: b", f"{TOKEN}\x00", f"{TOKEN}\u20ac"])
def test_a_token_with_invalid_characters_is_not_quoted(tmp_path: Path, token: str) -> None:
    with pytest.raises(ConnectError) as error:
        Requests(connect(kubeconfig(tmp_path, {"token": token}), None)).get("/version")

    assert TOKEN not in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unverified_certificate_is_one_warning(workspace: Application, stderr: Callable[[], str]) -> None:
    workspace.write(CONFIG_MAP)
    workspace.sync()
    config = yaml.safe_load(workspace.cluster.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    del cluster["certificate-authority-data"]
    cluster["insecure-skip-tls-verify"] = True
    file = workspace.scratch / "insecure.kubeconfig"
    file.write_text(yaml.safe_dump(config))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        status = workspace.report(kubeconfig=file).status
        (line,) = stderr().splitlines()
        several = main(
            [
                "report",
                str(workspace.manifests),
                "--kubeconfig",
                str(file),
                "--kubeconfig",
                str(workspace.cluster.kubeconfig),
            ]
        )
        (again,) = stderr().splitlines()
        quiet = workspace.report("--quiet", kubeconfig=file).status

    assert (status, several, quiet) == (0, 0, 0)
    assert line == again
    assert line.startswith(
        f"drift: {workspace.cluster.server}: its certificate is not verified (insecure-skip-tls-verify)"
    )
    assert stderr() == ""


# -- a hostile server on this machine


@contextmanager
def hostile(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Ignores clients that disconnect."""

    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def requests(folder: Path, server: str, **limits: Any) -> Requests:
    return Requests(connect(kubeconfig(folder, server=server), None), Limits(**limits), Deadline(20))


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("http://[::1", "elsewhere"),
        ("http://[", "elsewhere"),
        ("http://a\u2100b/", "elsewhere"),
        ("//", "elsewhere"),
        ("", "elsewhere"),
        ("http://<b>planted</b>/", "elsewhere"),
        ("https://login.example.com/?next=planted", "'login.example.com'"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_one_line_and_is_not_followed(tmp_path: Path, location: str, host: str, status: int) -> None:
    requested: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        requested.append(handler.path)
        send(handler, status, Location=location.encode().decode("latin-1"))

    with (
        hostile(answer) as server,
        pytest.raises(RequestError, match=f"redirects to {host}, where credentials") as error,
    ):
        requests(tmp_path, server).get("/version")

    assert requested == ["/version"]
    assert "planted" not in str(error.value)


def test_a_stream_does_not_follow_redirects(tmp_path: Path) -> None:
    with hostile(lambda handler: send(handler, 302, Location="http://[::1")) as server:
        source = requests(tmp_path, server).stream("/watch", {}, "application/json", idle_seconds=5, seconds=5)
        with pytest.raises(RequestError, match="redirects to elsewhere"), source:
            pass


#: Reads a huge response in a separate process. Prints the error and the peak growth of the process in MiB.
_GROWTH = """
import resource, sys
from drift.kube.connection import connect
from drift.kube.limits import Limits
from drift.kube.requests import Requests
from drift.kube.resources import Resource
from drift.kube.paging import read_list
source = Requests(connect(sys.argv[1], None), Limits(response_bytes=int(sys.argv[2])))
kind = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(2):
    try:
        read_list(source, kind, None, {})
    except Exception as error:
        message = error
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(message, (after - before) // 1024, sep="|")
"""


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def _bomb(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 200, _compressed(), Content_Encoding="gzip")


def _twofold_bomb(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 200, gzip.compress(_compressed()), Content_Encoding="gzip, gzip")


def _many_values(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 200, b'{"kind": "ConfigMapList", "apiVersion": "v1", "items": [' + b"{}," * 10_000_000 + b"{}]}")


@cache
def _compressed() -> bytes:
    return gzip.compress(b" " * (2 * LIMIT), 1)


@pytest.mark.parametrize("answer", [_endless, _bomb, _twofold_bomb, _many_values])
def test_an_endless_response_takes_little_more_memory_than_the_limit(
    tmp_path: Path, answer: Callable[[BaseHTTPRequestHandler], None]
) -> None:
    with hostile(answer) as server:
        done = subprocess.run(
            [sys.executable, "-c", _GROWTH, kubeconfig(tmp_path, server=server), str(LIMIT)],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )

    message, growth = done.stdout.rsplit("|", 1)
    assert "larger than 32 MiB" in message or (answer is _many_values and "more than 4000000 values" in message)
    assert int(growth) < 64


def _drip(handler: BaseHTTPRequestHandler, before: bytes) -> None:
    handler.wfile.write(before)
    while True:
        handler.wfile.write(b"1")
        handler.wfile.flush()
        time.sleep(0.05)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
DRIPS = {
    "a status": b"HTTP/1.1 200 ",
    "a header": b"HTTP/1.1 200 OK\r\nX-Long: ",
    "a body": HEAD,
    "a chunk's length": CHUNKED,
    "a chunk": CHUNKED + b"10000\r\n",
    "an error": b"HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n",
}


@pytest.mark.parametrize("before", DRIPS.values(), ids=DRIPS)
def test_a_response_byte_by_byte_ends_with_the_request_timeout(tmp_path: Path, before: bytes) -> None:
    with hostile(lambda handler: _drip(handler, before)) as server:
        source = requests(tmp_path, server, request_seconds=0.5)
        with pytest.raises(RequestError, match="--request-timeout"):
            source.get("/version")


@pytest.mark.parametrize("before", [DRIPS["a status"], DRIPS["a header"], DRIPS["an error"]])
def test_a_watch_that_starts_byte_by_byte_times_out(tmp_path: Path, before: bytes) -> None:
    with hostile(lambda handler: _drip(handler, before)) as server:
        source = requests(tmp_path, server).stream("/watch", {}, "application/json", idle_seconds=0.5, seconds=60)
        with pytest.raises(RequestError, match=r"no data for 0\.5s"), source:
            pass


@pytest.mark.parametrize("before", [HEAD, CHUNKED + b"10000\r\n"])
def test_a_watch_without_a_complete_line_ends_in_time(tmp_path: Path, before: bytes) -> None:
    with hostile(lambda handler: _drip(handler, before)) as server:
        source = requests(tmp_path, server).stream("/watch", {}, "application/json", idle_seconds=5, seconds=0.5)
        with source as stream:
            assert set(b"".join(stream.chunks)) == set(b"1")


# -- the schema cache


ROUTE = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset())
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
        assert SchemaSource(requests(tmp_path, server)).document(ROUTE) == SCHEMA
        (file,) = (tmp_path / "cache").rglob("*.json")
        file.unlink()
        BROKEN_FILES[case](file)

        assert SchemaSource(requests(tmp_path, server)).document(ROUTE) == SCHEMA
        assert SchemaSource(requests(tmp_path, server)).document(ROUTE) == SCHEMA

    # There are no temporary files.
    assert len(list(file.parent.iterdir())) == 1


@pytest.mark.parametrize("folder", ["/dev/null", "/proc/none", f"/{'x' * 300}", "relative"])
def test_an_unusable_cache_folder_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", folder)
    with hostile(_schemas) as server:
        assert SchemaSource(requests(tmp_path, server)).document(ROUTE) == SCHEMA

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
        assert SchemaSource(requests(tmp_path, server)).document(ROUTE) == SCHEMA
