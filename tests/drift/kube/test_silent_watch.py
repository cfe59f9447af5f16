"""A watch on which the server sends nothing ends with an error, so that a dead connection is noticed."""

from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event

import pytest

from drift.errors import RequestError
from drift.watch.timing import Timing
from tests.drift.kube.test_hostile_connection import hostile, requests


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
