"""The report has a change at once: before the next scan, and also while a scan runs."""

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

import pytest

from drift.api import read_manifests
from drift.config.settings import Settings
from drift.errors import ConnectError
from drift.kube.list_watch import Event, Listing, ListScope
from drift.kube.live import read_live
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo, ManifestsInfo, ObjectReport, Report, Unmanaged, Verdict
from drift.sources.resolve import from_files
from drift.watch import loop
from drift.watch.comparison import Comparison, DesiredState
from drift.watch.findings import FindingChange
from drift.watch.loop import Watcher
from drift.watch.manifest_files import GitInfoChanged, ManifestsReloaded
from drift.watch.reflector import Timing
from drift.watch.responses import WatchStatus
from tests.drift.watch.conftest import eventually

if TYPE_CHECKING:
    from drift.kube.api_server import ApiServer
    from drift.watch.watched_cluster import ObjectChange

CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset({"get", "list", "watch"}))
INFO = ManifestsInfo(("manifests.yaml",), None, None)
OBJECTS = 250
#: No scan follows a change in the time of a test.
NEVER = 100_000.0


def _config_map(number: int, value: str = "1") -> dict[str, Any]:
    owned: dict[str, Any] = {"f:data": {"f:a": {}}}
    entry = {"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "v1", "fieldsV1": owned}
    metadata = {"name": f"config-{number}", "namespace": "shop", "managedFields": [entry]}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": value}}


class Server:
    """Has the ConfigMaps, and sends the events that a test puts in."""

    info = ClusterInfo(None, "https://server", "v1.36.3")
    resources = Resources([CONFIG_MAPS])
    default_namespace = "default"
    request_count = 0

    def __init__(self) -> None:
        self.events: SimpleQueue[Event | None] = SimpleQueue()

    def schema(self, resource: Resource) -> None:
        del resource

    def list_scope(self, place: ListScope, *, at_most: int | None = None) -> Listing:
        del place, at_most
        return Listing(tuple(read_live(_config_map(number), "v1", "ConfigMap") for number in range(OBJECTS)), "1")

    def watch(self, place: ListScope, version: str, *, seconds: int, idle_seconds: float) -> "Server":
        del place, version, seconds, idle_seconds
        return self

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events.get, None)

    def stop(self) -> None:
        self.events.put(None)

    def edit(self, number: int, value: str, version: str | None = None) -> None:
        edited = _config_map(number, value)
        edited["metadata"] |= {} if version is None else {"resourceVersion": version}
        self.events.put(Event("2", read_live(edited, "v1", "ConfigMap")))


class Output:
    def __init__(self) -> None:
        self.changes: list[FindingChange] = []
        self.messages: list[str] = []

    def findings_changed(self, changes: Sequence[FindingChange]) -> None:
        self.changes += changes

    def log(self, message: str, *, is_detail: bool = False) -> None:
        if not is_detail:
            self.messages.append(message)


def _desired(folder: Path) -> DesiredState:
    (folder / "manifests.json").write_text(
        "\n".join(json.dumps(_config_map(number)) for number in range(OBJECTS)), "utf-8"
    )
    return DesiredState(from_files(read_manifests([folder])), INFO, Settings(unmanaged=Unmanaged.OFF))


@contextmanager
def _watching(
    server: Server, output: Output, folder: Path, debounce: float, discovery_interval: float = NEVER
) -> Iterator[Watcher]:
    desired = _desired(folder)
    timing = Timing(debounce=debounce, rescan_interval=NEVER, discovery_interval=discovery_interval)
    watcher = Watcher(cast("ApiServer", server), desired, output=output, timing=timing)
    thread = threading.Thread(target=watcher.run)
    thread.start()
    try:
        eventually(lambda: watcher.status.report() is not None)
        yield watcher
    finally:
        watcher.stop()
        thread.join()


def _live_values(watcher: Watcher) -> list[tuple[str, Any]]:
    report = watcher.status.report()
    assert report is not None
    return [(item.key.name, finding.live) for item in report.objects for finding in item.findings]


def test_a_change_is_in_the_report_before_the_next_scan(tmp_path: Path) -> None:
    server, output = Server(), Output()
    with _watching(server, output, tmp_path, NEVER) as watcher:
        first, revision = watcher.status.report(), watcher.status.revision
        server.edit(7, "2")
        eventually(lambda: _live_values(watcher) == [("config-7", "2")])
        assert watcher.status.revision != revision

        # The same finding, with another value.
        server.edit(7, "3")
        eventually(lambda: _live_values(watcher) == [("config-7", "3")])
        server.edit(7, "1")
        eventually(lambda: _live_values(watcher) == [])

        last = watcher.status.report()
        assert first is not None
        assert last is not None
        assert [item.key for item in last.objects] == [item.key for item in first.objects]
        assert watcher.status.counts.scans == 1
    assert [str(change.transition) for change in output.changes] == ["opened", "resolved"]


def test_a_new_version_with_the_same_findings_waits_for_the_next_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, published, compared = Server(), list[list[tuple[str, str | None]]](), list[str | None]()
    set_report, compare_change = WatchStatus.set_report, Comparison.compare_change

    def publish(status: WatchStatus, report: Report, *arguments: Any, is_scan: bool) -> None:
        published.append([(item.key.name, item.resource_version) for item in report.objects if item.findings])
        set_report(status, report, *arguments, is_scan=is_scan)

    def compare(comparison: Comparison, change: "ObjectChange") -> ObjectReport | None:
        item = compare_change(comparison, change)
        compared.append(None if item is None else item.resource_version)
        return item

    monkeypatch.setattr(WatchStatus, "set_report", publish)
    monkeypatch.setattr(Comparison, "compare_change", compare)
    monkeypatch.setattr(loop, "_PUBLISH_INTERVAL", 0)
    with _watching(server, Output(), tmp_path, NEVER):
        server.edit(7, "2", "10")
        eventually(lambda: len(published) == 2)
        # As after writes of the status.
        for version in range(11, 21):
            server.edit(7, "2", str(version))
        eventually(lambda: compared[-1:] == ["20"])
        server.edit(8, "2", "30")
        eventually(lambda: ("config-8", "30") in published[-1])
        assert published == [[], [("config-7", "10")], [("config-7", "20"), ("config-8", "30")]]


@pytest.mark.parametrize(("value", "scans"), [("2", 0), ("3", 1)])
def test_only_a_new_finding_makes_a_scan_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, scans: int
) -> None:
    server, requested = Server(), list[object]()
    with _watching(server, Output(), tmp_path, NEVER) as watcher:
        server.edit(7, "2", "10")
        eventually(lambda: _live_values(watcher) == [("config-7", "2")])
        monkeypatch.setattr(watcher, "_request_scan", requested.append)
        server.edit(7, value, "11")
        server.edit(8, "2", "12")
        eventually(lambda: ("config-8", "2") in _live_values(watcher))
        assert len(requested) == scans + 1


def test_a_change_during_a_scan_does_not_wait_for_its_end_and_is_not_undone_by_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, output, compare_all, steps = Server(), Output(), Comparison.compare_all, list[int]()

    def compare(comparison: Comparison, handle_events: Callable[[], object]) -> Report:
        steps.append(0)

        def step() -> None:
            handle_events()
            steps[-1] += 1
            # In the second scan, after the first hundred objects have been compared.
            if len(steps) > 1 and steps[-1] > 1 and not output.changes:
                server.edit(0, "2")
                eventually(lambda: (handle_events(), bool(output.changes))[1])

        return compare_all(comparison, step)

    monkeypatch.setattr(Comparison, "compare_all", compare)
    with _watching(server, output, tmp_path, 0) as watcher:
        watcher.enqueue(GitInfoChanged(INFO))
        eventually(lambda: watcher.status.counts.scans >= 2)
        assert _live_values(watcher) == [("config-0", "2")]
    assert [str(change.transition) for change in output.changes] == ["opened"]


def test_the_log_explains_a_reloaded_report_before_the_watch_collects_garbage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server, output, logged = Server(), Output(), list[Sequence[str]]()
    monkeypatch.setattr("drift.watch.loop.gc.collect", lambda: logged.append([*output.messages]))
    with _watching(server, output, tmp_path, NEVER) as watcher:
        eventually(lambda: len(logged) == 1)
        desired = _desired(tmp_path)
        unread = replace(desired.sources.rendered[0], errors=("broken.yaml:1:1: not YAML",))
        watcher.enqueue(ManifestsReloaded(replace(desired, sources=replace(desired.sources, rendered=(unread,)))))
        eventually(lambda: len(logged) == 2)

    assert logged[0] == []
    assert logged[1] == ["reloaded the manifests", "incomplete: broken.yaml:1:1: not YAML"]


@pytest.mark.parametrize("is_reload", [False, True])
def test_a_scan_that_fails_makes_the_last_report_incomplete_until_the_next_one(
    is_reload: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_RETRY_SECONDS", 0.05)
    server, output, compare_all = Server(), Output(), Comparison.compare_all
    fails = threading.Event()

    def compare(comparison: Comparison, handle_events: Callable[[], object]) -> Report:
        if fails.is_set():
            raise ConnectError("no answer")
        return compare_all(comparison, handle_events)

    monkeypatch.setattr(Comparison, "compare_all", compare)
    with _watching(server, output, tmp_path, 0) as watcher:
        fails.set()
        watcher.enqueue(ManifestsReloaded(_desired(tmp_path)) if is_reload else GitInfoChanged(INFO))
        eventually(lambda: watcher.status.problems() == ["the last scan failed: no answer"])
        last = watcher.status.report()
        assert last is not None
        assert last.verdict is Verdict.INCOMPLETE
        eventually(lambda: "incomplete: the last scan failed: no answer" in output.messages)

        fails.clear()
        eventually(lambda: watcher.status.problems() == [])
        eventually(lambda: "complete again" in output.messages)
        server.edit(7, "2")
        eventually(lambda: _live_values(watcher) == [("config-7", "2")])


def test_a_first_scan_that_fails_ends_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(comparison: Comparison, handle_events: Callable[[], object]) -> Report:
        raise ConnectError(f"no answer for {comparison} and {handle_events}")

    monkeypatch.setattr(Comparison, "compare_all", fail)
    watcher = Watcher(cast("ApiServer", Server()), _desired(tmp_path), output=Output())

    with pytest.raises(ConnectError, match="no answer"):
        watcher.run()


def test_a_change_that_cannot_be_compared_is_found_by_the_next_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(comparison: Comparison, change: "ObjectChange") -> None:
        raise ConnectError(f"no answer for {comparison} and {change}")

    monkeypatch.setattr(Comparison, "compare_change", fail)
    server, output = Server(), Output()
    with _watching(server, output, tmp_path, 0) as watcher:
        server.edit(7, "2")
        eventually(lambda: _live_values(watcher) == [("config-7", "2")])


def test_a_discovery_with_an_unexpected_error_is_a_problem_until_the_next_one(tmp_path: Path) -> None:
    class DiscoveringServer(Server):
        fails = True

        def discover_again(self) -> bool:
            if self.fails:
                raise RecursionError
            return False

    server = DiscoveringServer()
    with _watching(server, Output(), tmp_path, NEVER, discovery_interval=0.01) as watcher:
        eventually(lambda: watcher.status.problems() == ["discovery: the response cannot be used (RecursionError)"])
        server.fails = False
        eventually(lambda: watcher.status.problems() == [])
