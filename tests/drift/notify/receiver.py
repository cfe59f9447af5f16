"""A local server that receives webhooks and responds as a test chooses."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Response = Callable[[BaseHTTPRequestHandler], None]


class Receiver:
    """The received requests, and the remaining responses. The last response is repeated.

    Attributes:
        url: The URL of the webhook.
        bodies: The received bodies, oldest first.
        headers: Their headers.
        paths: Their paths, with the query.
    """

    def __init__(self, url: str, responses: list[Response]) -> None:
        self.url = url
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self._responses = responses

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def receive(self, request: BaseHTTPRequestHandler) -> None:
        self.bodies.append(request.rfile.read(int(request.headers["Content-Length"])))
        self.headers.append(dict(request.headers))
        self.paths.append(request.path)
        answer = self._responses[0] if len(self._responses) == 1 else self._responses.pop(0)
        answer(request)


def status(code: int, **headers: str) -> Response:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(code)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


@contextmanager
def receiving(*responses: Response) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.receive(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/services/s3cr3t-path?sig=s3cr3t-query", list(responses))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
