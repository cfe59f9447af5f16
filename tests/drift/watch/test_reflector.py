"""The watch while the server is unreachable or permissions are missing, and while many events wait."""

import base64
import gc
import json
import sys
import time
from collections.abc import Iterator
from typing import cast

import pytest
import urllib3
import yaml

from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.limits import Limits
from drift.kube.list_watch import Event, Listing, ListScope, Watch
from drift.kube.resources import Resource
from drift.watch.reflector import Backlog, EventReceived, Reflector, ReflectorMessage, Timing, backoff
from tests.drift.conftest import Application
from tests.drift.watch.conftest import CONFIG, PATIENCE, SHORT, Begin, InProcess, eventually

# Python's ssl module does not close a socket that is reset between connect and handshake.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def config(workspace: Application) -> Application:
    workspace.write(CONFIG)
    workspace.sync()
    return workspace


def _edit(workspace: Application, value: str) -> None:
    workspace.kubectl("patch", "configmap", "config", "--patch", json.dumps({"data": {"a": value}}))


@pytest.fixture
def restarted(workspace: Application) -> Iterator[Application]:
    yield workspace
    if "kube-apiserver" not in workspace.cluster.pids:
        workspace.cluster.start_api_server()


def test_an_unreachable_server_makes_the_report_incomplete_until_it_returns(
    config: Application, restarted: Application, watch: Begin
) -> None:
    watching = watch()
    eventually(lambda: watching.is_healthy, watching.state)
    assert "in sync" in watching.text("/report.txt")

    restarted.cluster.stop_api_server()
    eventually(lambda: not watching.is_healthy, watching.state)
    eventually(lambda: watching.report()["summary"]["objects"]["inSync"] == 0, watching.state)

    assert watching.report()["summary"]["verdict"] == "incomplete"
    assert "the watch has been interrupted" in watching.text("/healthz")
    assert "drift_watch_up 0" in watching.text("/metrics")
    assert 'drift_verdict{verdict="incomplete"} 1' in watching.text("/metrics")
    eventually(lambda: any("incomplete: configmaps" in message for message in watching.log), watching.state)

    restarted.cluster.start_api_server()
    _edit(config, "edited while it was away")
    eventually(lambda: watching.is_healthy, lambda: watching.text("/healthz"))
    eventually(lambda: len(watching.findings()) == 1, watching.findings)
    eventually(lambda: "complete again" in watching.log, watching.state)
    eventually(lambda: watching.happened == [("opened", "data.a")], watching.state)


def test_a_short_interruption_does_not_make_the_report_incomplete(
    config: Application, restarted: Application, watch: Begin
) -> None:
    watching = watch(timing=Timing(stale_after=600, min_backoff=0.05, max_backoff=0.5))

    restarted.cluster.stop_api_server()
    restarted.cluster.start_api_server()
    _edit(config, "edited")
    eventually(lambda: len(watching.findings()) == 1, watching.findings)

    assert not any("incomplete" in message for message in watching.log)


class _Forgetful(ApiServer):
    """Starts the first watch of each place at an expired resourceVersion."""

    def watch(self, place: ListScope, version: str, *, seconds: int, idle_seconds: float) -> Watch:
        seen: set[ListScope] = self.__dict__.setdefault("seen", set())
        version = version if place in seen else "1"
        seen.add(place)
        return super().watch(place, version, seconds=seconds, idle_seconds=idle_seconds)


def test_an_expired_resource_version_leads_to_a_new_list(config: Application, watch: Begin) -> None:
    watching = watch(server_class=_Forgetful)

    eventually(lambda: 'drift_watch_relists_total{kind="ConfigMap"} 1' in watching.text("/metrics"))
    _edit(config, "edited")
    eventually(lambda: len(watching.findings()) == 1, watching.findings)

    eventually(lambda: watching.is_healthy, watching.state)


def test_changes_between_two_lists_are_found(config: Application, restarted: Application, watch: Begin) -> None:
    watching = watch(timing=Timing(stale_after=600, min_backoff=1, max_backoff=1))
    config.kubectl("create", "configmap", "debug", "--from-literal=a=b")
    eventually(lambda: len(watching.findings()) == 1, watching.findings)

    _edit(config, "edited")
    restarted.cluster.stop_api_server()
    restarted.cluster.start_api_server()
    config.kubectl("delete", "configmap", "debug", "config")
    eventually(lambda: watching.findings() == [("ConfigMap/config", "missing", "", "unknown")], watching.findings)

    assert watching.happened[-1] == ("opened", "") or ("resolved", "data.a") in watching.happened


def _account(workspace: Application, verbs: list[str]) -> str:
    """Creates a service account with these verbs on all resources."""
    name = f"watcher-{workspace.namespace}"
    workspace.cluster.kubectl("create", "serviceaccount", name, "--namespace=default")
    rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": verbs}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}}
    workspace.kubectl("create", "-f", "-", stdin=json.dumps({**role, "rules": [rule]}))
    workspace.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", f"--serviceaccount=default:{name}")
    return name


def test_an_account_without_the_watch_permission_polls_and_the_report_says_so(
    config: Application, watch: Begin
) -> None:
    account = _account(config, ["get", "list"])
    watching = watch(kubeconfig=config.cluster.kubeconfig_for(config.cluster.token(account)))

    eventually(lambda: any("may not watch them" in note for note in watching.report()["notes"]))
    _edit(config, "edited")
    eventually(lambda: len(watching.findings()) == 1, watching.findings)
    _edit(config, "1")
    eventually(lambda: not watching.findings(), watching.findings)

    eventually(lambda: watching.is_healthy, watching.state)
    said = "may not watch them, so they are listed every 0.3 s"
    eventually(lambda: any(said in message for message in watching.log), watching.state)
    eventually(lambda: watching.happened == [("opened", "data.a"), ("resolved", "data.a")], watching.state)


def test_an_account_without_the_list_permission_makes_the_report_incomplete(config: Application, watch: Begin) -> None:
    account = _account(config, ["get"])
    watching = watch(kubeconfig=config.cluster.kubeconfig_for(config.cluster.token(account)))

    assert watching.report()["summary"]["verdict"] == "incomplete"
    assert "may not be read by this account" in watching.text("/healthz")

    rule = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]}]}
    config.kubectl("patch", "clusterrole", account, "--patch", json.dumps(rule))
    eventually(lambda: watching.is_healthy, lambda: watching.text("/healthz"))


def test_refused_credentials_are_read_again(config: Application, watch: Begin) -> None:
    account = _account(config, ["get", "list", "watch"])
    kubeconfig = config.cluster.kubeconfig_for(config.cluster.token(account))
    # Watches end soon, and the next ones need valid credentials.
    watching = watch(
        kubeconfig=kubeconfig, timing=Timing(watch_timeout=2, stale_after=1, min_backoff=0.05, max_backoff=0.5)
    )
    eventually(lambda: watching.is_healthy, watching.state)

    # A token is bound to the UID of its account, not to the name.
    for verb in ("delete", "create"):
        config.cluster.kubectl(verb, "serviceaccount", account, "--namespace=default")
    eventually(lambda: "the credentials were refused" in watching.text("/healthz"), watching.state)
    renewed = config.cluster.kubeconfig_for(config.cluster.token(account))
    renewed.rename(kubeconfig)
    eventually(lambda: watching.is_healthy, lambda: watching.text("/healthz"))
    _edit(config, "edited")
    eventually(lambda: len(watching.findings()) == 1, watching.findings)


def test_a_kind_that_is_installed_later_is_watched(config: Application, watch: Begin) -> None:
    group = f"{config.namespace}.example.com"
    thing = f"apiVersion: {group}/v1\nkind: Thing\nmetadata: {{name: t, namespace: NAMESPACE}}\nspec: {{a: b}}\n"
    config.write(CONFIG + "---\n" + thing)
    watching = watch(timing=SHORT)
    assert watching.findings() == [("Thing/t", "missing", "", "unknown")]

    names = {"kind": "Thing", "plural": "things"}
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [version]},
    }
    config.kubectl("create", "-f", "-", stdin=json.dumps(definition))
    try:
        config.cluster.kubectl("wait", "--for=condition=Established", "--timeout=180s", f"crd/things.{group}")
        config.sync()
        eventually(lambda: not watching.findings() and watching.is_healthy, watching.findings)
        config.kubectl("patch", "thing", "t", "--type=merge", "--patch", json.dumps({"spec": {"a": "c"}}))
        eventually(lambda: watching.findings() == [("Thing/t", "changed", "spec.a", "manual")], watching.findings)
    finally:
        config.cluster.kubectl("delete", "crd", f"things.{group}", "--wait=false")


# -- many events

WARM = 100
EDITS = 300
STEP = 50
BLOCKS_OF_AN_EDIT = 8
ROUNDS = 3


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


@pytest.fixture
def few_objects_to_search() -> Iterator[None]:
    """Leaves what exists already, such as all tests, out of the garbage collections, which take 0.17 s each with it."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("few_objects_to_search")
def test_memory_does_not_grow_with_the_number_of_edits(
    workspace: Application, watch: Begin, caplog: pytest.LogCaptureFixture
) -> None:
    # pytest keeps every log record of a test.
    caplog.set_level("ERROR", "urllib3")
    workspace.write(CONFIG)
    workspace.sync()
    watching, editor = watch(), Editor(workspace)
    _edit_often(editor, watching, WARM)
    blocks = [_blocks(watching)]

    # What is kept of each edit grows in every round. A cache that fills, or a schema that is read again because another
    # test's custom resources are gone, takes many blocks once.
    for _ in range(ROUNDS):
        _edit_often(editor, watching, EDITS)
        blocks.append(_blocks(watching))
        if blocks[-1] - blocks[-2] < BLOCKS_OF_AN_EDIT * EDITS:
            break

    # A live object or a finding that is kept takes dozens of blocks.
    assert blocks[-1] - blocks[-2] < BLOCKS_OF_AN_EDIT * EDITS, blocks


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
    assert reflector.wait(PATIENCE)
    editor = Editor(workspace)

    def events() -> list[EventReceived]:
        return [one for one in list(messages) if isinstance(one, EventReceived)]

    editor.edit(a="0")
    eventually(lambda: len(events()) == 1)
    for number in range(1, 50):
        editor.edit(a=str(number))
    largest = max(one.event.size for one in events())
    eventually(lambda: backlog._used + largest > 2_000, lambda: backlog._used)  # noqa: SLF001
    assert backlog._used <= 2_000  # noqa: SLF001
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
    assert reflector.wait(PATIENCE)
    editor = Editor(workspace)
    for number in range(5):
        editor.edit(a=str(number))
    eventually(lambda: any(isinstance(one, EventReceived) for one in list(messages)))

    reflector.stop()

    reflector._thread.join(PATIENCE)  # noqa: SLF001 - the only sign that it has ended
    assert not reflector._thread.is_alive()  # noqa: SLF001


TIMING = Timing(min_backoff=1, max_backoff=10)


def test_the_backoff_doubles_up_to_a_maximum() -> None:
    for waits, longest in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 10), (5, 10), (5000, 10)]:
        drawn = [backoff(waits, TIMING) for _ in range(100)]

        assert all(longest / 2 <= seconds <= longest for seconds in drawn)
        # Clients that lost the same server do not all return at once.
        assert len({*drawn}) > 1


class _Brief:
    """Has no objects, and ends each watch at once."""

    def __init__(self) -> None:
        self.seconds: list[int] = []

    def list_scope(self, place: ListScope, *, at_most: int | None = None) -> Listing:
        del place, at_most
        return Listing((), "1")

    def watch(self, place: ListScope, version: str, *, seconds: int, idle_seconds: float) -> "_Brief":
        del place, version, idle_seconds
        self.seconds.append(seconds)
        return self

    def __iter__(self) -> Iterator[Event]:
        return iter(())

    def stop(self) -> None:
        """Does nothing: the watch has ended already."""


def test_watches_that_begin_together_end_at_different_times() -> None:
    server, timing = _Brief(), Timing(watch_timeout=300, min_backoff=0, max_backoff=0)
    place = ListScope(Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset({"watch"})), None)
    reflector = Reflector(cast("ApiServer", server), place, timing, lambda _: None)
    reflector.start()
    eventually(lambda: len(server.seconds) > 20)
    reflector.stop()

    assert all(300 <= seconds <= 600 for seconds in server.seconds)
    assert len({*server.seconds[:20]}) > 1
