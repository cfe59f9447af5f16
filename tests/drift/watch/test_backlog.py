"""Under many edits, few events wait in memory, none is lost, and old ones are freed."""

import base64
import gc
import json
import sys
import time
from datetime import UTC, datetime

import urllib3
import yaml

from drift.history.episodes import merge_actors
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.limits import Limits
from drift.kube.paging import ListScope
from drift.model import Actor
from drift.watch.backlog import Backlog
from drift.watch.reflector import EventReceived, Reflector, ReflectorMessage
from drift.watch.timing import Timing
from tests.drift.conftest import Application
from tests.drift.watch.conftest import CONFIG, Begin, InProcess, eventually

WARM = 100
EDITS = 300
STEP = 50
BLOCKS_OF_AN_EDIT = 8


class Editor:
    """Edits the ConfigMap of the workspace with one HTTP request per edit."""

    def __init__(self, workspace: Application) -> None:
        config = yaml.safe_load(workspace.cluster.kubeconfig.read_text(encoding="utf-8"))
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        self._headers = {
            "Authorization": f"Bearer {config['users'][0]['user']['token']}",
            "Content-Type": "application/merge-patch+json",
        }
        self._http = urllib3.PoolManager(ca_cert_data=authority)
        self._url = f"{workspace.cluster.server}/api/v1/namespaces/{workspace.namespace}/configmaps/config"
        self.count = 0

    def edit(self, **data: str | None) -> None:
        url = f"{self._url}?fieldManager=kubectl-edit"
        answer = self._http.request("PATCH", url, body=json.dumps({"data": data}), headers=self._headers)
        assert answer.status == 200
        self.count += 1


def _edit_often(editor: Editor, watching: InProcess, count: int) -> None:
    """Reverts every edit with the next one, so that each edit opens or resolves a finding."""
    for _ in range(count):
        if editor.count % 2:
            editor.edit(a="1", b="2", added=None)
        else:
            editor.edit(a=f"edited-{editor.count}", b="3", added="x")
        if editor.count % STEP == 0:
            _wait_for(watching, 3 * editor.count)


def _wait_for(watching: InProcess, transitions: int) -> None:
    def seen() -> int:
        assert watching.watcher is not None
        counts = watching.watcher.status.counts
        return counts.opened + counts.resolved

    eventually(lambda: seen() >= transitions, seen)


def _blocks(watching: InProcess) -> int:
    """Returns the number of allocated memory blocks at a quiet moment.

    It does not list the objects, because it would reference tuples that other threads still fill.
    """
    # The fixture keeps all changes.
    watching.changes.clear()
    counts = []
    for _ in range(20):
        gc.collect()
        counts.append(sys.getallocatedblocks())
        time.sleep(0.05)
    return min(counts)


def test_memory_does_not_grow_with_the_number_of_edits(workspace: Application, watch: Begin) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching, editor = watch(), Editor(workspace)
    _edit_often(editor, watching, WARM)
    before = _blocks(watching)

    _edit_often(editor, watching, EDITS)

    # A live object or a finding that is kept takes dozens of blocks; caches that still fill take some in all.
    assert _blocks(watching) - before < BLOCKS_OF_AN_EDIT * EDITS


def test_a_reflector_waits_for_the_comparison_and_loses_no_event(workspace: Application) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    server = ApiServer(connect(str(workspace.cluster.kubeconfig), None), Limits(scan_seconds=None))
    resource = server.resources.find("v1", "ConfigMap")
    assert resource is not None
    messages: list[ReflectorMessage] = []
    backlog = Backlog(2_000)
    reflector = Reflector(server, ListScope(resource, workspace.namespace), Timing(), messages.append, backlog=backlog)
    reflector.start()
    assert reflector.wait(30)
    editor = Editor(workspace)

    def events() -> list[EventReceived]:
        return [one for one in list(messages) if isinstance(one, EventReceived)]

    editor.edit(a="0")
    eventually(lambda: len(events()) == 1)
    for number in range(1, 50):
        editor.edit(a=str(number))
    largest = max(one.event.size for one in events())
    eventually(lambda: backlog.used + largest > 2_000, lambda: backlog.used)
    assert backlog.used <= 2_000
    assert len(events()) <= 2_000 // min(one.event.size for one in events())

    taken = 0

    def take_all() -> bool:
        nonlocal taken
        for one in events()[taken:]:
            backlog.remove(one.event.size)
            taken += 1
        return taken == 50

    eventually(take_all, lambda: taken)
    values = [one.event.live.body["data"]["a"] for one in events() if one.event.live is not None]
    assert values == [str(number) for number in range(50)]
    reflector.stop()


def test_a_waiting_reflector_can_be_stopped(workspace: Application) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    server = ApiServer(connect(str(workspace.cluster.kubeconfig), None), Limits(scan_seconds=None))
    resource = server.resources.find("v1", "ConfigMap")
    assert resource is not None
    messages: list[ReflectorMessage] = []
    reflector = Reflector(
        server, ListScope(resource, workspace.namespace), Timing(), messages.append, backlog=Backlog(1)
    )
    reflector.start()
    assert reflector.wait(30)
    editor = Editor(workspace)
    for number in range(5):
        editor.edit(a=str(number))
    eventually(lambda: any(isinstance(one, EventReceived) for one in list(messages)))

    reflector.stop()

    reflector._thread.join(30)  # noqa: SLF001 - the only sign that it has ended
    assert not reflector._thread.is_alive()  # noqa: SLF001


def test_an_episode_keeps_its_first_and_latest_field_managers() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    actors: tuple[Actor, ...] = ()
    for number in range(1_000):
        actors = merge_actors(actors, [Actor(f"manager-{number}", "Update", None, time)])

    assert [actors[0].manager, actors[-1].manager, len(actors)] == ["manager-0", "manager-999", 20]
