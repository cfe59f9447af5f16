"""Runs ``drift watch`` against the sandbox: as a process, or in this process with short timeouts."""

import json
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3

from drift.api import read_manifests
from drift.config.settings import Settings
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.limits import Limits
from drift.sources.git import manifests_info
from drift.sources.resolve import from_files
from drift.watch.comparison import DesiredState
from drift.watch.findings import FindingChange
from drift.watch.http_server import HttpServer
from drift.watch.loop import Watcher
from drift.watch.manifest_files import InputState, ManifestWatcher, fingerprint
from drift.watch.reflector import Timing
from drift.watch.responses import WatchStatus
from tests.drift.conftest import Application

#: Seconds until a test fails. No test asserts a duration.
PATIENCE = 180.0
SHORT = Timing(
    stale_after=1,
    poll_interval=0.3,
    refused_retry=2,
    min_backoff=0.05,
    max_backoff=0.5,
    discovery_interval=1,
    files_interval=0.1,
)
REPOSITORY = Path(__file__).parents[3]
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config, namespace: NAMESPACE}\ndata: {a: '1', b: '2'}\n"


def eventually(holds: Callable[[], bool], what: object = "") -> None:
    """Waits until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.02)


@dataclass(slots=True)
class Client:
    """An HTTP client of a watch."""

    url: str
    _http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def get(self, path: str, method: str = "GET", **headers: str) -> urllib3.BaseHTTPResponse:
        return self._http.request(method, f"{self.url}{path}", headers=headers)

    def text(self, path: str, **headers: str) -> str:
        return self.get(path, **headers).data.decode()

    def report(self) -> dict[str, Any]:
        answer = self.get("/report.json")
        return json.loads(answer.data) if answer.status == 200 else {"objects": [], "notes": []}

    @property
    def is_healthy(self) -> bool:
        return self.get("/healthz").status == 200

    def findings(self) -> list[tuple[str, str, str, str]]:
        return [
            (f"{item['kind']}/{item['name']}", finding["change"], finding["path"], finding["cause"])
            for item in self.report()["objects"]
            for finding in item["findings"]
        ]


@dataclass(slots=True)
class Process(Client):
    """``drift watch`` as a process."""

    process: "subprocess.Popen[str] | None" = None
    out: list[str] = field(default_factory=list)
    err: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out]


@dataclass(slots=True)
class InProcess(Client):
    """A watcher in this process, with its output."""

    watcher: Watcher | None = None
    changes: list[FindingChange] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    @property
    def happened(self) -> list[tuple[str, str]]:
        return [(str(one.transition), one.tracked.finding.path) for one in self.changes]

    def state(self) -> str:
        """Returns what helps to debug a timeout: reflectors, log messages and the stack of each thread."""
        reflectors = () if self.watcher is None else self.watcher.status.reflectors
        names = {thread.ident: thread.name for thread in threading.enumerate()}
        stacks = [
            f"{names.get(ident, ident)}:\n{''.join(traceback.format_stack(frame))}"
            for ident, frame in sys._current_frames().items()  # noqa: SLF001 - the documented way to get every stack
        ]
        conditions = [f"{one.place}: {one.condition}" for one in reflectors]
        return "\n".join([self.text("/healthz"), f"now {time.monotonic()}", *conditions, *self.log, *stacks])


class _Output:
    def __init__(self, watched: InProcess) -> None:
        self._watched = watched

    def findings_changed(self, changes: Sequence[FindingChange]) -> None:
        self._watched.changes += changes

    def log(self, message: str, *, is_detail: bool = False) -> None:
        del is_detail
        self._watched.log.append(message)


Start = Callable[..., Process]
Begin = Callable[..., InProcess]


@pytest.fixture
def start(workspace: Application) -> Iterator[Start]:
    """Starts ``drift watch`` with the workspace's manifests, and ends it after the test."""
    with ExitStack() as stack:
        yield lambda *flags, **options: stack.enter_context(_process(workspace, *flags, **options))


@contextmanager
def _process(workspace: Application, *flags: str, kubeconfig: Path | None = None) -> Iterator[Process]:
    command = [sys.executable, "-m", "drift", "watch", str(workspace.manifests), "--metrics-port=0", "--output=json"]
    place = [f"--kubeconfig={kubeconfig or workspace.cluster.kubeconfig}", f"--namespace={workspace.namespace}"]
    with subprocess.Popen(
        [*command, *place, *flags], cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        started = Process("", process=process)
        for stream, lines in ((process.stdout, started.out), (process.stderr, started.err)):
            threading.Thread(target=_collect, args=(stream, lines), daemon=True).start()
        try:
            eventually(lambda: any("see http" in line for line in started.err), lambda: started.err)
            started.url = next(line for line in started.err if "see http" in line).split("see ")[1].strip().rstrip("/")
            eventually(lambda: started.is_healthy, lambda: (started.text("/healthz"), started.err))
            yield started
        finally:
            process.terminate()


def _collect(stream: Any, lines: list[str]) -> None:
    lines.extend(stream)


@pytest.fixture
def watch(workspace: Application) -> Iterator[Begin]:
    """Watches the workspace's manifests in this process with short timeouts, until the test ends."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(_in_process(workspace, **options))


@contextmanager
def _in_process(
    workspace: Application,
    *,
    timing: Timing = SHORT,
    kubeconfig: Path | None = None,
    settings: Settings | None = None,
    server_class: Callable[..., ApiServer] = ApiServer,
) -> Iterator[InProcess]:
    def load() -> DesiredState:
        loaded = read_manifests([workspace.manifests])
        sources, info = from_files(loaded), manifests_info(loaded.paths)
        return DesiredState(sources, info, settings or Settings(), workspace.namespace)

    credentials = str(kubeconfig or workspace.cluster.kubeconfig)
    paths = [str(workspace.manifests)]
    seen, desired = InputState(fingerprint(paths)), load()
    server = server_class(connect(credentials, None), Limits(scan_seconds=None))
    watched = InProcess("")
    watcher = watched.watcher = Watcher(
        server,
        desired,
        output=_Output(watched),
        timing=timing,
    )
    service = HttpServer(watcher.status, "127.0.0.1", 0)
    watched.url = service.url
    files = ManifestWatcher(
        lambda: InputState(fingerprint(paths)),
        seen=seen,
        desired=desired,
        load=load,
        timing=timing,
        emit=watcher.enqueue,
    )
    thread = threading.Thread(target=watcher.run)
    for part in (service, files, thread):
        part.start()
    try:
        eventually(lambda: watcher.status.report() is not None)
        yield watched
    finally:
        watcher.stop()
        files.stop()
        service.stop()
        thread.join()


@pytest.fixture
def status() -> WatchStatus:
    return WatchStatus(Timing())


@pytest.fixture
def client(status: WatchStatus) -> Iterator[Client]:
    service = HttpServer(status, "127.0.0.1", 0)
    service.start()
    yield Client(service.url)
    service.stop()
