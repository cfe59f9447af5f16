"""``drift watch``: runs until SIGTERM or SIGINT, and keeps the report current, with users from audit logs."""

import argparse
import math
import os
import select
import signal
import sys
import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Final

from drift.api import open_cluster, read_sources, source_context
from drift.cli.choices import audit_options, chosen_settings, chosen_sources, scope_names
from drift.cli.console import is_terminal, say, write_stdout
from drift.config.reader import DEFAULT_FILE
from drift.config.settings import Settings, SourceRequest
from drift.documents.files import is_file
from drift.errors import UsageError
from drift.history.store import History, scope_of
from drift.kube.api_server import ApiServer
from drift.kube.kubeconfig import from_flags, is_loopback
from drift.kube.limits import Limits
from drift.sources.git import manifests_info
from drift.sources.load import LoadedManifests, load_manifests
from drift.sources.resolve import cluster_states, file_paths, ref_folders, rendered_files
from drift.watch.audit import AuditReceiver, AuditWindow, KeyPair, LogFollower
from drift.watch.comparison import DesiredState
from drift.watch.findings import FindingChange, Recorder, to_json_line, to_text_line
from drift.watch.http_server import HttpServer
from drift.watch.loop import Watcher
from drift.watch.manifest_files import InputState, ManifestWatcher, fingerprint
from drift.watch.reflector import Timing

#: Seconds to make the last report after a signal to stop. A second signal ends the process at once.
_GRACE: Final = 5.0
#: Messages to the main thread, through a pipe: the number of a signal, or that the watching thread has ended.
_RELOAD: Final = bytes([signal.SIGHUP])
_ENDED: Final = b"\0"
#: Seconds between two checks whether sources in the cluster, such as Helm releases, have changed.
_CHECK_SECONDS: Final = 10.0

_LOOPBACK: Final = "127.0.0.1"
_TOKEN: Final = "DRIFT_AUDIT_TOKEN"  # noqa: S105 - the name of a variable


def run_watch(options: argparse.Namespace) -> int:
    """Watches until SIGTERM or SIGINT; SIGHUP reloads the manifests.

    Returns:
        0.

    Raises:
        DriftError: The watch could not start.
    """
    # There is nothing to reload yet.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    settings = chosen_settings(options)
    requests = chosen_sources(options, settings)
    if any(request.target == "-" for request in requests):
        raise UsageError("drift watch reloads manifests when they change, so it cannot read them from standard input")
    audit = _audit_window(options)
    # Read before the server is contacted: mistakes in manifests do not need a cluster.
    loaded = _read_files(requests, settings)
    if options.verbose and loaded is not None:
        for note in loaded.skipped:
            say(f"skipped {note}")
    server = open_cluster(
        options.kubeconfig,
        options.context,
        impersonate=from_flags(options.as_user, options.as_group, options.as_uid),
        limits=Limits(scan_seconds=None),
        tell=say if options.verbose else lambda _: None,
        warn=say,
    )
    inputs = _Inputs(options, requests, server)
    seen = inputs.state()
    desired = inputs.load()
    watcher = Watcher(
        server, desired, output=_Output(options), recorder=_recorder(options, server, requests), audit=audit
    )
    sources = _audit_sources(options, audit, watcher)
    service = HttpServer(watcher.status, options.listen, options.metrics_port)
    # From here on threads run, which an exception in the main thread would not end.
    signals = _Signals()
    say(f"watching; see {service.url}/")
    service.start()
    manifests = ManifestWatcher(
        inputs.state, seen=seen, desired=desired, load=inputs.load, timing=Timing(), emit=watcher.enqueue
    )
    manifests.start()
    for source in sources:
        source.start()
    try:
        _run_until_stopped(watcher, manifests.reload, signals)
    finally:
        manifests.stop()
        service.stop()
        for source in sources:
            source.stop()
    return 0


def _read_files(requests: Sequence[SourceRequest], settings: Settings) -> LoadedManifests | None:
    paths = file_paths(requests)
    return load_manifests(paths, exclude=settings.exclude) if paths else None


class _Inputs:
    """The sources and the settings, which may change at any time.

    Args:
        options: The flags.
        requests: The sources, as the settings name them now.
        server: The cluster.
    """

    def __init__(self, options: argparse.Namespace, requests: Sequence[SourceRequest], server: ApiServer) -> None:
        self._options = options
        self._server = server
        self._requests = requests
        self._settings: Settings | None = None
        self._rendered = rendered_files(requests, options.checkout)
        self._refs = ref_folders(requests, options.checkout)
        self._states: Mapping[SourceRequest, Hashable] = {}
        self._checked_at = -math.inf

    def load(self) -> DesiredState:
        """Reads the settings and the sources."""
        options = self._options
        settings = chosen_settings(options)
        requests = chosen_sources(options, settings)
        sources = read_sources(
            requests,
            self._server,
            namespace=options.namespace,
            settings=settings,
            checkouts=options.checkout,
            loaded=_read_files(requests, settings),
        )
        self._settings = settings
        self._requests, self._rendered = requests, rendered_files(requests, options.checkout)
        self._refs = ref_folders(requests, options.checkout)
        return DesiredState(
            sources, manifests_info(sources.paths), settings, options.namespace, options.synced_revision
        )

    def state(self) -> InputState:
        """Returns the state of the settings and of all that sources are made of: files, and objects in the cluster."""
        paths = [*scope_names(self._requests), *self._rendered, self._options.config or DEFAULT_FILE]
        return InputState(fingerprint(paths, self._refs), self._states_in_cluster())

    def _states_in_cluster(self) -> tuple[Hashable, ...]:
        """Reads the states of sources now and then. A source whose state cannot be read counts as unchanged."""
        if monotonic() - self._checked_at > _CHECK_SECONDS:
            self._checked_at = monotonic()
            context = source_context(self._server, self._options.namespace, settings=self._settings)
            self._states = {**self._states, **dict(cluster_states(self._requests, context))}
        return tuple(self._states.get(request) for request in self._requests)


def _recorder(options: argparse.Namespace, server: ApiServer, requests: Sequence[SourceRequest]) -> Recorder | None:
    if options.history is None:
        if options.history_scope is not None:
            raise UsageError("--history-scope needs --history FILE")
        return None
    namespace = options.namespace or server.default_namespace
    scope = scope_of(server.info, scope_names(requests), namespace, options.history_scope)
    return Recorder(History(Path(options.history), say), scope, say)


class _Signals:
    """Writes the number of each signal to a pipe from now on.

    Python itself writes it, as soon as any thread gets the signal. A handler in Python would wait until the main thread
    returns from the read that the signal should end.

    Attributes:
        receive: The end of the pipe to read from.
        send: The end to write to.
        has_terminal: Whether standard error was a terminal at the start. A terminal that closes also sends SIGHUP.
    """

    def __init__(self) -> None:
        self.has_terminal = is_terminal(sys.stderr)
        self.receive, self.send = os.pipe()
        os.set_blocking(self.send, False)
        signal.set_wakeup_fd(self.send, warn_on_full_buffer=False)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _do_nothing)


def _do_nothing(number: int, frame: FrameType | None) -> None:
    del number, frame


def _run_until_stopped(watcher: Watcher, reload: Callable[[], None], signals: _Signals) -> None:
    """Runs the watcher in a thread, so that the main thread can handle signals at once.

    Raises:
        DriftError: The watch could not start.
    """
    failure: list[Exception] = []

    def watch() -> None:
        try:
            watcher.run()
        except Exception as error:  # noqa: BLE001
            failure.append(error)
        os.write(signals.send, _ENDED)

    threading.Thread(target=watch, name="watch", daemon=True).start()
    while (message := os.read(signals.receive, 1)) == _RELOAD:
        if signals.has_terminal and not is_terminal(sys.stderr):
            break
        say("SIGHUP: reloading the manifests")
        reload()
    if message != _ENDED:
        watcher.stop()
        # Before the first report there is nothing to finish.
        if watcher.status.report() is not None:
            _wait_for_last_report(signals.receive)
    if failure:
        raise failure[0]


def _wait_for_last_report(receive: int) -> None:
    """Waits for the last report, or for another signal to stop."""
    until = monotonic() + _GRACE
    while select.select([receive], [], [], max(until - monotonic(), 0))[0]:
        if os.read(receive, 1) != _RELOAD:
            return


class _Output:
    """Prints findings to standard output and everything else to standard error."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._line = to_json_line if options.output == "json" else to_text_line
        self._quiet = options.quiet
        self._verbose = options.verbose

    def findings_changed(self, changes: Sequence[FindingChange]) -> None:
        if not self._quiet:
            write_stdout("".join(f"{self._line(change)}\n" for change in changes))

    def log(self, message: str, *, is_detail: bool = False) -> None:
        if self._verbose or not is_detail:
            say(message)


def _audit_window(options: argparse.Namespace) -> AuditWindow | None:
    """Returns what names users from the audit events that the flags choose; None without any."""
    _check_webhook(options)
    for path in options.audit_log:
        if not is_file(Path(path)):
            raise UsageError(f"--audit-log: {path} is not a file; drift watch follows files")
    if not options.audit_log and options.audit_webhook is None:
        if options.syncer:
            raise UsageError("--syncer needs --audit-log or --audit-webhook")
        return None
    return AuditWindow(audit_options(options))


def _check_webhook(options: argparse.Namespace) -> None:
    flags = {
        "--audit-listen": options.audit_listen,
        "--audit-tls-cert": options.audit_tls_cert,
        "--audit-tls-key": options.audit_tls_key,
    }
    given = [flag for flag, value in flags.items() if value is not None]
    if options.audit_webhook is None:
        if given:
            raise UsageError(f"{given[0]} needs --audit-webhook PORT")
        return
    if not _token():
        raise UsageError(f"--audit-webhook: {_TOKEN} is not set; set it to the token of the API server")
    if (options.audit_tls_cert is None) != (options.audit_tls_key is None):
        raise UsageError("--audit-tls-cert and --audit-tls-key need each other")
    if options.audit_tls_cert is None and not is_loopback(options.audit_listen or _LOOPBACK):
        raise UsageError(
            f"--audit-listen {options.audit_listen}: without TLS, the network can read the token and the events; "
            "give --audit-tls-cert and --audit-tls-key"
        )


def _token() -> str:
    """Returns the token of the API server; "" if there is none. One from a Secret may end with a line break."""
    return os.environ.get(_TOKEN, "").strip()


def _audit_sources(
    options: argparse.Namespace, audit: AuditWindow | None, watcher: Watcher
) -> Sequence[LogFollower | AuditReceiver]:
    """Returns a follower for each log, and the receiver of the webhook. Their threads tell the watcher."""
    if audit is None:
        return ()
    warned = set[str]()

    def take(origin: str, data: bytes) -> bool:
        events = audit.add(data)
        watcher.enqueue(events)
        if events.has_unreadable and origin not in warned:
            warned.add(origin)
            say(f"{origin}: skipped what is not an audit event")
        return not events.has_unreadable

    followers = [
        LogFollower(file, partial(take, name), partial(watcher.status.set_problem, name))
        for file in options.audit_log
        if (name := f"--audit-log {file}")
    ]
    if options.audit_webhook is None:
        return followers
    is_tls = options.audit_tls_cert is not None
    receiver = AuditReceiver(
        options.audit_listen or _LOOPBACK,
        options.audit_webhook,
        _token(),
        partial(take, "--audit-webhook"),
        KeyPair(options.audit_tls_cert, options.audit_tls_key) if is_tls else None,
    )
    say(f"receiving audit events at {receiver.url}")
    return [*followers, receiver]
