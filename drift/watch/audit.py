"""Names the users behind the findings of a watch, from the latest audit events.

They come from a log, also after it is rotated, or the API server sends them to a webhook as ``EventList`` in JSON.

https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#webhook-backend
"""

import hmac
import io
import os
import ssl
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socket import socket
from time import monotonic
from typing import Any, BinaryIO, Final

from drift.audit.events import AuditEvent, ReadTally, Wanted, read_stream
from drift.audit.join import AuditJoin, AuditOptions, join_log
from drift.audit.users import Syncers
from drift.errors import UsageError
from drift.kube.resources import Resources
from drift.model import Change, Evidence, Finding, Report
from drift.watch.http_server import REQUEST_TIMEOUT, BoundedServer

#: Events that are kept, and how many of the latest keep their bodies, for how many seconds.
_MAX_EVENTS: Final = 20_000
_MAX_BODIES: Final = 200
_BODY_SECONDS: Final = 60.0
#: By evidence, 0 for the best. A finding without a user has the last rank.
_RANKS: Final = {evidence: rank for rank, evidence in enumerate(Evidence)}
_NOT_NAMED: Final = len(_RANKS)
#: Seconds between two looks at the end of a log, the bytes of one read, and the longest line that is taken.
_POLL_SECONDS: Final = 0.5
_CHUNK: Final = 4 * 1024 * 1024
_MAX_LINE: Final = 32 * 1024 * 1024
#: The largest webhook request. By default an API server sends 400 events at once, of at most 10 MiB.
_MAX_REQUEST: Final = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EventsArrived:
    """Audit events have arrived.

    Attributes:
        names: The names of the objects that were written.
        has_unreadable: Whether something arrived that is no audit event.
    """

    names: frozenset[str]
    has_unreadable: bool = False


class AuditWindow:
    """The latest writes to the API server, for any thread. Bodies, without values of Secrets, are kept for a minute.

    Args:
        options: The log that exists when the watch begins, and what to show of users.
    """

    def __init__(self, options: AuditOptions) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._events: deque[AuditEvent] = deque(maxlen=_MAX_EVENTS)
        self._recent: deque[tuple[float, AuditEvent]] = deque()
        self._is_first = True
        #: By finding: as it was without users, and with them.
        self._named: dict[str, tuple[Finding, Finding]] = {}

    def add(self, data: bytes) -> EventsArrived:
        """Takes in lines of a log or the body of a request."""
        tally = ReadTally()
        events = list(read_stream(io.BytesIO(data), "", Wanted(everything=True), tally))
        with self._lock:
            now = monotonic()
            self._recent += [(now, event) for event in events if event.subresource != "status"]
            self._forget_bodies(now)
        names = frozenset(event.name for event in events if event.name is not None)
        return EventsArrived(names, has_unreadable=tally.unreadable > 0)

    def _forget_bodies(self, now: float) -> None:
        while self._recent and (len(self._recent) > _MAX_BODIES or now - self._recent[0][0] > _BODY_SECONDS):
            self._events.append(replace(self._recent.popleft()[1], request=None, response=None))

    def join(self, report: Report, resources: Resources, syncers: Syncers, *, is_whole: bool) -> Report:
        """Returns a report with the users of its findings.

        Args:
            report: The result of a scan, or of one object.
            resources: The kinds that the cluster serves.
            syncers: The users whose writes are syncs of Git.
            is_whole: Whether the report has all findings; the users of others are then forgotten.
        """
        if self._is_first and is_whole and self._options.paths:
            self._is_first = False
            joined = join_log(report, self._options, resources, syncers)
        else:
            join = AuditJoin(report, resources, syncers, self._options.pseudonyms)
            with self._lock:
                self._forget_bodies(monotonic())
                events = [*self._events, *(event for _, event in self._recent)]
            for event in events:
                join.add(event)
            joined = join.apply(report)
        return self._remember(report, joined, is_whole=is_whole)

    def _remember(self, report: Report, joined: Report, *, is_whole: bool) -> Report:
        """Returns the report in which unchanged findings keep the users found before if the log forgot their events."""
        named: dict[str, tuple[Finding, Finding]] = {}
        plain = {finding.id: finding for finding in report.findings}

        def best(finding: Finding) -> Finding:
            bare = plain[finding.id]
            before = self._named.get(finding.id)
            if before is not None and before[0] == bare and _is_kept(before[1], finding):
                finding = before[1]
            if _rank(finding) < _NOT_NAMED:
                named[finding.id] = (bare, finding)
            return finding

        objects = tuple(
            replace(item, findings=tuple(map(best, item.findings))) if item.findings else item
            for item in joined.objects
        )
        self._named = named if is_whole else {**self._named, **named}
        return replace(joined, objects=objects)


def _is_kept(before: Finding, now: Finding) -> bool:
    """Returns whether a finding keeps the users that an earlier join found."""
    if _rank(before) > _rank(now):
        return False
    others = Counter(_people(now)) - Counter(_people(before))
    is_proved_by_verb = now.change in {Change.MISSING, Change.UNMANAGED} or now.is_being_deleted
    # Exact evidence for an edit comes from bodies, which are forgotten first. Without them, others may have made it.
    return not others or (_rank(before) == _RANKS[Evidence.EXACT] and not is_proved_by_verb)


def _people(finding: Finding) -> Iterable[tuple[str | None, str | None]]:
    """Returns the users of a finding with who impersonated them, which are None if users are not shown."""
    return [(actor.user, actor.impersonated_by) for actor in finding.actors if actor.evidence]


def _rank(finding: Finding) -> int:
    """Returns 0 for the best evidence that a finding has."""
    return min((_RANKS[actor.evidence] for actor in finding.actors if actor.evidence), default=_NOT_NAMED)


class LogFollower(threading.Thread):
    """Reads what is appended to a log from now on, also after it is rotated.

    Args:
        file: The log.
        take: Called with complete lines.
        set_problem: Called with why the log cannot be read now, and with None once it can.
    """

    def __init__(
        self,
        file: str,
        take: Callable[[bytes], object],
        set_problem: Callable[[str | None], object] = lambda _: None,
    ) -> None:
        super().__init__(name=f"audit {file}", daemon=True)
        self._path = Path(file)
        self._take = take
        self._set_problem = set_problem
        self._stopped = threading.Event()
        self._rest = b""
        try:
            self._stream: BinaryIO = self._path.open("rb")
            self._opened = _identity(os.fstat(self._stream.fileno()))
        except OSError as error:
            raise UsageError(f"--audit-log: {file} cannot be read: {error.strerror or error}") from None
        #: How far the file has been read.
        self._position = self._stream.seek(0, os.SEEK_END)

    def run(self) -> None:
        """Reads until it is stopped."""
        while not self._stopped.wait(_POLL_SECONDS):
            try:
                self.poll()
            except Exception as error:  # noqa: BLE001
                # A log may hold anything. If the thread ended here, the rest of the log would not be read.
                self._set_problem(f"its events cannot be used ({type(error).__name__})")
        self.close()

    def close(self) -> None:
        """Closes the log."""
        self._stream.close()

    def stop(self) -> None:
        """Ends the thread soon."""
        self._stopped.set()

    def poll(self) -> None:
        """Reads what has been appended."""
        is_broken = False
        try:
            self._read()
        except OSError:
            # For example a stale file handle of NFS.
            is_broken = True
        try:
            current = self._path.stat()
            if _identity(current) != self._opened:
                following = self._path.open("rb")
                if not is_broken:
                    # The last lines may have been written since.
                    self._read()
                self._replace(following, 0)
                self._read()
            elif is_broken:
                self._replace(self._path.open("rb"), self._position)
                self._read()
            elif current.st_size < self._position:
                # Truncated in place.
                self._position = self._stream.seek(0)
                self._rest = b""
        except FileNotFoundError:
            # Between two files of a rotation there may be none.
            return
        except OSError as error:
            self._set_problem(f"it cannot be read: {error.strerror or error}")
            return
        self._set_problem(None)

    def _replace(self, following: BinaryIO, position: int) -> None:
        """Continues at a position of a newly opened file. Drops an incomplete line unless it is the same file."""
        self._stream.close()
        self._stream = following
        identity = _identity(os.fstat(following.fileno()))
        if identity != self._opened:
            self._rest = b""
        self._opened = identity
        self._position = following.seek(position)

    def _read(self) -> None:
        while chunk := self._stream.read(_CHUNK):
            self._position += len(chunk)
            lines, end, self._rest = (self._rest + chunk).rpartition(b"\n")
            if len(self._rest) > _MAX_LINE:
                self._rest = b""
            if lines:
                self._take(lines + end)


def _identity(stat: os.stat_result) -> tuple[int, int]:
    return stat.st_dev, stat.st_ino


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, in files that may be renewed.

    Attributes:
        certificate: The file of the certificate, with those of its issuers, in PEM.
        key: The file of the private key, in PEM, not encrypted.
    """

    certificate: str
    key: str

    def load(self) -> ssl.SSLContext:
        """Returns a context for a server.

        Raises:
            UsageError: The files cannot be used.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a password here, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except OSError as error:
            # An SSLError is one, too.
            is_absent = isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError)
            reason = error.strerror if is_absent else "not a certificate and its private key in PEM, without a password"
            raise UsageError(
                f"--audit-tls-cert {self.certificate}, --audit-tls-key {self.key}: cannot be used: {reason}"
            ) from None
        return context

    def state(self) -> tuple[int, ...]:
        """Returns what changes when the files are renewed.

        Raises:
            OSError: A file is gone.
        """
        stats = [Path(file).stat() for file in (self.certificate, self.key)]
        return tuple(part for stat in stats for part in (stat.st_ino, stat.st_mtime_ns, stat.st_size))


class AuditReceiver:
    """The server of an audit webhook.

    Args:
        address: The address to listen on.
        port: The port; 0 chooses a free one.
        token: What a request must have as its bearer token.
        take: Called with the body of each request. Returns whether it has nothing but audit events.
        key_pair: For TLS; None for plain HTTP.

    Raises:
        UsageError: The address, the port or the certificate cannot be used.
    """

    def __init__(
        self, address: str, port: int, token: str, take: Callable[[bytes], bool], key_pair: KeyPair | None = None
    ) -> None:
        expected = f"Bearer {token}".encode()

        class Handler(BaseHTTPRequestHandler):
            server: _Server
            timeout = REQUEST_TIMEOUT

            def version_string(self) -> str:
                return "drift"

            def do_POST(self) -> None:
                given = self.headers.get("Authorization", "").encode("utf-8", "replace")
                length = self.headers.get("Content-Length", "")
                if not hmac.compare_digest(given, expected):
                    self._answer(HTTPStatus.UNAUTHORIZED)
                elif not length.isdecimal():
                    self._answer(HTTPStatus.LENGTH_REQUIRED)
                elif int(length) > _MAX_REQUEST:
                    self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
                else:
                    body = self.rfile.read(int(length))
                    self.server.request_received(self.connection)
                    is_whole = len(body) == int(length)
                    self._answer(HTTPStatus.OK if is_whole and take(body) else HTTPStatus.BAD_REQUEST)

            def _answer(self, status: HTTPStatus) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Logs nothing: a request may hold anything."""

        try:
            self._server = _Server(address, port, Handler, key_pair)
        except OSError as error:
            place = f"--audit-listen {address} --audit-webhook {port}"
            raise UsageError(f"{place}: cannot listen there: {error.strerror or error}") from None
        #: The address that requests go to.
        self.url = f"{'http' if key_pair is None else 'https'}://{self._server.place}/"

    def start(self) -> None:
        """Serves in a thread."""
        self._server.start()

    def stop(self) -> None:
        """Stops serving."""
        self._server.stop()


class _Server(BoundedServer):
    def __init__(
        self, address: str, port: int, handler: type[BaseHTTPRequestHandler], key_pair: KeyPair | None
    ) -> None:
        self._key_pair = key_pair
        self._context = None if key_pair is None else key_pair.load()
        self._state = None if key_pair is None else key_pair.state()
        super().__init__(address, port, handler)

    def get_request(self) -> tuple[socket, Any]:
        """Accepts a connection. The handshake follows in the thread of the client, with its timeout."""
        connection, address = super().get_request()
        self._renew()
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def _renew(self) -> None:
        """Reads the certificate again if it was renewed. Keeps the old one while the files do not go together."""
        if self._key_pair is not None:
            with suppress(OSError, UsageError):
                state = self._key_pair.state()
                if state != self._state:
                    self._context, self._state = self._key_pair.load(), state
