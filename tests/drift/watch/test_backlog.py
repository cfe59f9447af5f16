"""However many edits come, few of them wait in memory, none is lost, and nothing is kept of what is over."""

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
from drift.kube.watch import WatchScope
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
    """Edits the ConfigMap of the workspace, one HTTP request for each edit."""

    def __init__(self, workspace: Application) -> None:
        config = yaml.safe_load(workspace.cluster.kubeconfig.read_text(encoding="utf-8"))
        authority = base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()
        self._headers = {
            "Authorization": f"Bearer {config['users'][0]['user']['token']}",
            "Content-Type": "application/merge-patch+json",
        }
        self._http = urllib3.PoolManager(ca_cert_data=authority)
        self._url = f"{workspace.cluster.server}/api/v1/namespaces/{workspace.namespace}/configmaps/config"
        self.made = 0

    def edit(self, **data: str | None) -> None:
        url = f"{self._url}?fieldManager=kubectl-edit"
        answer = self._http.request("PATCH", url, body=json.dumps({"data": data}), headers=self._headers)
        assert answer.status == 200
        self.made += 1


def _edit_often(editor: Editor, watching: InProcess, count: int) -> None:
    """Every second edit reverts the one before, so that each one opens or ends a finding."""
    for _ in range(count):
        if editor.made % 2:
            editor.edit(a="1", b="2", added=None)
        else:
            editor.edit(a=f"edited-{editor.made}", b="3", added="x")
        if editor.made % STEP == 0:
            _wait_for(watching, 3 * editor.made)


def _wait_for(watching: InProcess, turns: int) -> None:
    def seen() -> int:
        assert watching.watcher is not None
        counts = watching.watcher.status.counts
        return counts.opened + counts.resolved

    eventually(lambda: seen() >= turns, seen)


def _blocks(watching: InProcess) -> int:
    """How many blocks of memory Python objects hold, at a quiet moment.

    Not by listing the objects: a tuple that another thread is making must not be referenced.
    """
    # The fixture keeps all that it is told.
    watching.changes.clear()
    counts = []
    for _ in range(20):
        gc.collect()
        counts.append(sys.getallocatedblocks())
        time.sleep(0.05)
    return min(counts)


def test_nothing_is_kept_of_edits_that_are_over(workspace: Application, watch: Begin) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    watching, editor = watch(), Editor(workspace)
    _edit_often(editor, watching, WARM)
    before = _blocks(watching)

    _edit_often(editor, watching, EDITS)

    # A live object or a finding that is kept takes dozens of blocks; caches that still fill take some in all.
    assert _blocks(watching) - before < BLOCKS_OF_AN_EDIT * EDITS


def test_a_feed_waits_while_its_events_are_not_compared_and_then_tells_all_of_them(workspace: Application) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    server = ApiServer(connect(str(workspace.cluster.kubeconfig), None), Limits(scan_seconds=None))
    resource = server.resources.find("v1", "ConfigMap")
    assert resource is not None
    told: list[ReflectorMessage] = []
    backlog = Backlog(2_000)
    feed = Reflector(server, WatchScope(resource, workspace.namespace), Timing(), told.append, backlog=backlog)
    feed.start()
    assert feed.wait(30)
    editor = Editor(workspace)

    def events() -> list[EventReceived]:
        return [one for one in list(told) if isinstance(one, EventReceived)]

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
    feed.stop()


def test_a_feed_that_waits_can_be_stopped(workspace: Application) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    server = ApiServer(connect(str(workspace.cluster.kubeconfig), None), Limits(scan_seconds=None))
    resource = server.resources.find("v1", "ConfigMap")
    assert resource is not None
    told: list[ReflectorMessage] = []
    feed = Reflector(server, WatchScope(resource, workspace.namespace), Timing(), told.append, backlog=Backlog(1))
    feed.start()
    assert feed.wait(30)
    editor = Editor(workspace)
    for number in range(5):
        editor.edit(a=str(number))
    eventually(lambda: any(isinstance(one, EventReceived) for one in list(told)))

    feed.stop()

    feed._thread.join(30)  # noqa: SLF001 - nothing else tells that it has ended
    assert not feed._thread.is_alive()  # noqa: SLF001


def test_an_episode_names_its_first_and_its_latest_field_managers() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC).isoformat()
    actors: tuple[Actor, ...] = ()
    for number in range(1_000):
        actors = merge_actors(actors, [Actor(f"manager-{number}", "Update", None, time)])

    assert [actors[0].manager, actors[-1].manager, len(actors)] == ["manager-0", "manager-999", 20]
