"""A local stand-in for a Pushgateway that records the requests it gets."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class Receiver:
    """Records requests, and answers with these statuses in order; the last one repeats."""

    statuses: list[int] = field(default_factory=lambda: [200])
    requests: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    """Method, path, headers and body of each request."""
    url: str = ""
    retry_after: str = "0"
    is_answering: threading.Event = field(default_factory=threading.Event)
    """Cleared while requests wait for their answer."""

    def __post_init__(self) -> None:
        self.is_answering.set()

    def answer(self) -> int:
        """Returns the status of the next answer."""
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


@contextmanager
def receive() -> Iterator[Receiver]:
    """Yields a receiver that listens until the context ends."""
    received = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.requests.append((self.command, self.path, dict(self.headers), body))
            received.is_answering.wait()
            self.send_response(received.answer())
            self.send_header("Location", f"{received.url}/elsewhere")
            self.send_header("Retry-After", received.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield received
        finally:
            received.is_answering.set()
            server.shutdown()
            thread.join()
