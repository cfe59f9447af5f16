"""Responses of hostile servers end in one clear line, in little memory, and in time."""

import gzip
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from drift.errors import RequestError
from tests.drift.kube.hostile_server import hostile, kubeconfig, requests, send

LIMIT = 32 * 1024 * 1024


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
from drift.kube.list_watch import ListScope, read_list
source = Requests(connect(sys.argv[1], None), Limits(response_bytes=int(sys.argv[2])))
kind = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for _ in range(2):
    try:
        read_list(source, ListScope(kind, None), None)
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


@pytest.mark.slow
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
        source = requests(tmp_path, server, request_seconds=0.2)
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
