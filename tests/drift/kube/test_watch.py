"""Watch events are parsed, and a watch on which nothing comes ends with an error."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import RequestError
from drift.kube.paging import ListScope
from drift.kube.resources import Resource
from drift.kube.watch import read_event, split_lines
from drift.redaction import Redacted
from drift.watch.timing import Timing
from tests.drift.kube.hostile_server import hostile, requests

SECRETS = Resource("", "v1", "Secret", "secrets", namespaced=True, verbs=frozenset({"list", "watch"}))


def _line(kind: str, body: object) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode()


@given(lines=st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line and line.strip())), data=st.data())
def test_lines_do_not_depend_on_the_chunks(lines: list[bytes], data: st.DataObject) -> None:
    text = b"".join(line + b"\n" for line in lines)
    ends = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {len(text)})

    def pieces() -> Iterator[bytes]:
        begin = 0
        for end in ends:
            yield text[begin:end]
            begin = end

    assert list(split_lines(pieces())) == lines


def test_an_incomplete_last_line_is_dropped() -> None:
    assert list(split_lines([b'{"a": 1}\n{"b"', b": 2"])) == [b'{"a": 1}']


def test_the_values_of_a_secret_are_redacted() -> None:
    metadata = {"name": "s", "namespace": "n", "resourceVersion": "7"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"key": "dmFsdWU="}}

    event = read_event(_line("MODIFIED", body), SECRETS)

    assert event.live is not None
    assert (event.resource_version, event.live.namespace, event.live.name, event.deleted) == ("7", "n", "s", False)
    assert isinstance(event.live.body["data"]["key"], Redacted)


def test_a_bookmark_advances_the_resource_version() -> None:
    event = read_event(_line("BOOKMARK", {"kind": "Secret", "metadata": {"resourceVersion": "9"}}), SECRETS)

    assert (event.resource_version, event.live) == ("9", None)


def test_an_error_event_names_its_status_but_not_its_message() -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "may quote anything"}

    with pytest.raises(RequestError) as caught:
        read_event(_line("ERROR", status), SECRETS)

    assert (caught.value.status, caught.value.reason) == (410, "Expired")
    assert "quote" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b'{"type": "ADDED"}',
        b'{"type": "ADDED", "object": {"metadata": {}}}',
        b'{"type": "ADDED", "object": []}',
        b'{"type": "ERROR", "object": 7}',
        b'{"type": "NEWS", "object": {"metadata": {"resourceVersion": "1"}}}',
    ],
)
def test_a_line_that_is_not_an_event_is_an_error(line: bytes) -> None:
    with pytest.raises(RequestError, match="not an event"):
        read_event(line, SECRETS)


def test_a_scope_has_a_readable_name() -> None:
    assert str(ListScope(SECRETS, "shop")) == "secrets in shop"
    assert str(ListScope(SECRETS, "shop", "s")) == "secrets named s in shop"
    assert ListScope(SECRETS, "shop", "s").selector == {"fieldSelector": "metadata.name=s"}


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_a_silent_watch_ends_with_an_error(tmp_path: Path, sent: bytes) -> None:
    over = Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(sent)
        over.wait(60)

    with hostile(answer) as server:
        source = requests(tmp_path, server).stream("/watch", {}, "application/json", idle_seconds=0.5, seconds=60)
        with pytest.raises(RequestError, match=r"no data for 0\.5s"), source as stream:
            next(iter(stream.chunks))
        over.set()


def test_the_limit_is_longer_than_a_minute_in_which_servers_send_a_bookmark() -> None:
    assert 60 < Timing().idle_timeout <= 75
