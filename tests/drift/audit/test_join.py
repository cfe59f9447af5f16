"""Deletions and causes, from logs that are written here."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from drift.api import open_dump, scan
from drift.audit import join
from drift.audit.events import AuditEvent, ReadTally, Wanted, read_events
from drift.audit.join import AuditOptions
from drift.audit.users import Syncers
from drift.audit.writes import Place, Write, WriteLog
from drift.config.settings import Settings
from drift.gitops.managers import Managers
from drift.globs import Glob
from drift.model import Finding, Report

GARBAGE_COLLECTOR: Final = "system:serviceaccount:kube-system:generic-garbage-collector"
NAMESPACE_CONTROLLER: Final = "system:serviceaccount:kube-system:namespace-controller"
CI: Final = "system:serviceaccount:ci:deployer"
APPLY: Final = "kubectl-client-side-apply"
JANE, SAM = "jane@example.com", "sam@example.com"
BROKER: Final = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "broker", "uid": "u-1"}
QUEUE: Final = {"apiVersion": "v1", "kind": "ConfigMap", "name": "queue", "uid": "u-2"}


def config_map(name: str, data: Mapping[str, str] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "shop", **metadata},
        "data": data or {"a": "1"},
    }


def event(second: int, user: str, verb: str, what: str, manager: str = "kubectl", **more: Any) -> dict[str, Any]:
    """Returns an event about ``GROUP/RESOURCE/NAME``, or ``RESOURCE/NAME`` of the core group."""
    *group, resource, name = what.split("/")
    reference = {"apiGroup": "".join(group), "apiVersion": "v1", "resource": resource, "name": name or None}
    return {
        "stage": "ResponseComplete",
        "verb": verb,
        "user": {"username": user},
        "userAgent": "kubectl/v1.36.3",
        "requestURI": f"/?fieldManager={manager}",
        "objectRef": {**reference, **({} if resource == "namespaces" else {"namespace": "shop"})},
        "responseStatus": {"code": 201 if verb == "create" else 200},
        "requestReceivedTimestamp": f"2026-01-31T12:{second // 60:02}:{second % 60:02}.1Z",
        "stageTimestamp": f"2026-01-31T12:{second // 60:02}:{second % 60:02}.2Z",
        **more,
    }


class Joined:
    """A report on one folder of manifests and a dump, with an audit log."""

    def __init__(self, folder: Path, git: Sequence[Any], live: Sequence[Any]) -> None:
        self._folder, self._manifests = folder, folder / "git"
        self._manifests.mkdir()
        self._write("git/manifests.json", git)
        self._dump = self._write("live.json", live)

    def _write(self, name: str, items: Sequence[Any]) -> str:
        file = self._folder / name
        file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        return str(file)

    def report(self, *events: dict[str, Any], log: str | None = None, **options: Any) -> Report:
        file = self._folder / "audit.log"
        file.write_text("".join(f"{json.dumps(one)}\n" for one in events))
        return scan([self._manifests], open_dump([self._dump]), audit=AuditOptions((log or str(file),)), **options)

    def finding(self, *events: dict[str, Any], **options: Any) -> Finding:
        report = self.report(*events, **options)
        (finding,) = [finding for item in report.objects if item.name == "web" for finding in item.findings]
        return finding


def users(finding: Finding) -> list[tuple[str | None, str | None]]:
    return [(actor.user, actor.evidence) for actor in finding.actors]


@pytest.fixture
def deleted(tmp_path: Path) -> Joined:
    """A ConfigMap ``web`` that Git has and the cluster lacks."""
    return Joined(tmp_path, [config_map("web")], [config_map("other")])


CREATED = event(0, CI, "create", "configmaps/web")
COLLECTED = event(20, GARBAGE_COLLECTOR, "delete", "configmaps/web")


def created_with(*owners: dict[str, str]) -> dict[str, Any]:
    return {**CREATED, "responseObject": config_map("web", ownerReferences=list(owners))}


OF_BROKER = event(19, JANE, "delete", "apps/deployments/broker")
OF_QUEUE = event(18, SAM, "delete", "configmaps/queue")
OTHER = event(17, SAM, "delete", "configmaps/other")


@pytest.mark.parametrize(
    ("events", "expected", "note"),
    [
        ([created_with(BROKER), OF_BROKER, OTHER, COLLECTED], [(JANE, "exact")], "deleted with its owner broker"),
        ([created_with(QUEUE), OF_QUEUE, OF_BROKER, COLLECTED], [(SAM, "exact")], "deleted with its owner queue"),
        (
            [created_with(BROKER, QUEUE), OF_QUEUE, OF_BROKER, COLLECTED],
            [(SAM, "candidate"), (JANE, "candidate")],
            "deleted with its owner broker, queue",
        ),
        (
            # Of two that were named so, the uid tells the owner.
            [
                created_with(BROKER),
                event(10, SAM, "delete", "apps/deployments/broker", responseObject={"details": {"uid": "u-0"}}),
                {**OF_BROKER, "responseObject": {"kind": "Status", "details": {"uid": "u-1"}}},
                COLLECTED,
            ],
            [(JANE, "exact")],
            "deleted with its owner broker",
        ),
        (
            # The owner of the owner: the log does not tell it.
            [created_with(QUEUE), OF_BROKER, event(19, GARBAGE_COLLECTOR, "delete", "configmaps/queue"), COLLECTED],
            [(JANE, "candidate")],
            "deleted with its owner queue",
        ),
        # Without bodies, the log does not tell what the owner was.
        ([CREATED, OF_BROKER, COLLECTED], [(JANE, "likely")], "deleted by the garbage collector, as its owner was"),
        (
            [CREATED, OF_QUEUE, OF_BROKER, COLLECTED],
            [(SAM, "candidate"), (JANE, "candidate")],
            "deleted by the garbage collector, as its owner was",
        ),
        ([OF_BROKER, COLLECTED], [(JANE, "candidate")], "deleted by the garbage collector, as its owner was"),
        # Of another namespace, of the namespace of another team, after the deletion, before the creation, long before.
        (
            [
                {**OF_BROKER, "objectRef": {**OF_BROKER["objectRef"], "namespace": "other"}},
                event(19, JANE, "delete", "namespaces/other"),
                COLLECTED,
                event(30, JANE, "delete", "apps/deployments/late"),
            ],
            [(GARBAGE_COLLECTOR, "exact")],
            None,
        ),
        ([OF_BROKER, event(100, GARBAGE_COLLECTOR, "delete", "configmaps/web")], [(GARBAGE_COLLECTOR, "exact")], None),
        # The log lacks the deletion of the owner.
        ([created_with(BROKER), OTHER, COLLECTED], [(GARBAGE_COLLECTOR, "exact")], None),
        (
            [
                CREATED,
                event(10, JANE, "delete", "namespaces/shop"),
                event(11, NAMESPACE_CONTROLLER, "deletecollection", "configmaps/"),
            ],
            [(JANE, "exact")],
            "deleted with the namespace shop",
        ),
        (
            [CREATED, event(10, JANE, "delete", "configmaps/web"), COLLECTED],
            [(JANE, "exact")],
            None,
        ),
    ],
)  # fmt: skip
def test_what_the_cluster_deletes_is_the_work_of_who_deleted_what_it_belonged_to(
    events: list[dict[str, Any]], expected: list[tuple[str, str]], note: str | None, deleted: Joined
) -> None:
    finding = deleted.finding(*events)

    assert (users(finding), finding.note) == (expected, note)


@pytest.mark.parametrize("more", [{}, {"responseObject": config_map("web-x7k2p")}], ids=["no body", "body"])
def test_a_creation_with_a_generated_name_is_no_deletion(more: dict[str, Any], deleted: Joined) -> None:
    generated = event(10, JANE, "create", "configmaps/", **more)
    removed = event(15, SAM, "deletecollection", "configmaps/")

    assert users(deleted.finding(CREATED, generated)) == []
    assert users(deleted.finding(CREATED, generated, OF_QUEUE, event(20, SAM, "delete", "configmaps/web"))) == [
        (SAM, "exact")
    ]
    assert users(deleted.finding(CREATED, generated, removed)) == [(SAM, "exact")]


def test_an_unmanaged_object_with_a_generated_name_has_its_creator(tmp_path: Path) -> None:
    joined = Joined(tmp_path, [config_map("other")], [config_map("other"), config_map("web")])
    created = event(10, JANE, "create", "configmaps/", responseObject=config_map("web"))
    another = event(11, SAM, "create", "configmaps/", responseObject=config_map("web-x7k2p"))

    assert users(joined.finding(created, another)) == [(JANE, "exact")]


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ([], [(JANE, "exact")]),
        ([event(20, SAM, "delete", "configmaps/other")], [(JANE, "exact")]),
        ([event(20, SAM, "delete", "configmaps/web")], []),
        ([event(20, SAM, "delete", "configmaps/web"), event(21, SAM, "create", "configmaps/web")], [(SAM, "exact")]),
        ([event(5, SAM, "delete", "configmaps/web")], [(JANE, "exact")]),
        ([event(20, SAM, "deletecollection", "configmaps/")], []),
        # The collection may be a part that the object was not in.
        ([event(20, SAM, "deletecollection", "configmaps/", requestURI="/?labelSelector=a")], [(JANE, "candidate")]),
    ],
)
def test_an_object_that_was_made_again_outside_of_the_log_has_not_its_first_creator(
    tmp_path: Path, later: list[dict[str, Any]], expected: list[tuple[str, str]]
) -> None:
    joined = Joined(tmp_path, [config_map("other")], [config_map("other"), config_map("web")])
    finding = joined.finding(event(10, JANE, "create", "configmaps/web"), *later)

    assert [(actor.user, actor.evidence) for actor in finding.actors if actor.user] == expected


def test_a_log_is_read_again_only_for_what_the_garbage_collector_deleted(
    deleted: Joined, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Wanted] = []

    def watched(files: Sequence[str], wanted: Wanted, tally: ReadTally) -> Iterator[AuditEvent]:
        read.append(wanted)
        return read_events(files, wanted, tally)

    monkeypatch.setattr(join, "read_events", watched)
    by_hand = event(20, JANE, "delete", "configmaps/web")

    assert users(deleted.finding(CREATED, OF_BROKER, by_hand)) == [(JANE, "exact")]
    assert [wanted.deletions_in for wanted in read] == [None]
    assert users(deleted.finding(CREATED, OF_BROKER, COLLECTED)) == [(JANE, "likely")]
    assert [wanted.deletions_in for wanted in read[1:]] == [None, {"shop"}]


def test_standard_input_is_read_once(deleted: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = {**OTHER, "objectRef": {**OTHER["objectRef"], "namespace": "elsewhere"}}
    log = b"".join(json.dumps(one).encode() + b"\n" for one in (CREATED, elsewhere, OF_BROKER, COLLECTED))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(log)))

    assert users(deleted.finding(log="-")) == [(JANE, "likely")]


def test_a_cluster_scoped_object_may_have_been_the_owner(deleted: Joined) -> None:
    cluster_scoped = {"resource": "clusterroles", "apiGroup": "rbac.authorization.k8s.io", "name": "admin"}
    removed = {**OTHER, "objectRef": cluster_scoped}

    assert users(deleted.finding(CREATED, removed, COLLECTED)) == [(SAM, "likely")]
    assert users(deleted.finding(CREATED, removed, OF_BROKER, COLLECTED)) == [(SAM, "candidate"), (JANE, "candidate")]


def test_no_name_is_certain_if_the_log_forgot_deletions(deleted: Joined, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(join, "MAX_OTHER_DELETIONS", 2)
    first = event(10, SAM, "delete", "configmaps/first")

    assert users(deleted.finding(CREATED, first, OF_QUEUE, OF_BROKER, COLLECTED)) == [(JANE, "candidate")]


def test_the_garbage_collector_is_known_by_its_user_agent_if_controllers_share_a_user(deleted: Joined) -> None:
    agent = "kube-controller-manager/v1.36.3 (linux/amd64) kubernetes/0000000/generic-garbage-collector"
    collected = event(20, "system:kube-controller-manager", "delete", "configmaps/web", userAgent=agent)

    finding = deleted.finding(created_with(BROKER), OF_BROKER, collected)

    assert users(finding) == [(JANE, "exact")]


def test_owners_that_own_each_other_end_the_search(deleted: Joined) -> None:
    web = {"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "uid": "u-9"}

    finding = deleted.finding(created_with(web), COLLECTED)

    assert users(finding) == [(GARBAGE_COLLECTOR, "exact")]


def test_a_deleted_namespace_is_the_work_of_who_deleted_it(tmp_path: Path) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
    joined = Joined(tmp_path, [namespace], [config_map("other")])
    finalized = event(5, NAMESPACE_CONTROLLER, "update", "namespaces/web")
    finalized["objectRef"]["subresource"] = "finalize"
    # Older releases delete it once more.
    again = event(6, NAMESPACE_CONTROLLER, "delete", "namespaces/web")

    finding = joined.finding(event(4, JANE, "delete", "namespaces/web"), finalized, again)

    assert (users(finding), finding.cause) == ([(JANE, "exact")], "manual")


def test_each_part_of_what_was_added_is_by_who_set_it_last(tmp_path: Path) -> None:
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    metadata = {"name": "web", "namespace": "shop"}
    git = {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}

    def live(seconds: int) -> dict[str, Any]:
        affinity = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}}
        return {**git, "spec": {**spec, **affinity}}

    def written(second: int, user: str, verb: str, body: dict[str, Any]) -> dict[str, Any]:
        return event(second, user, verb, "services/web", "editor", responseObject=body)

    fields: dict[str, Any] = {"f:spec": {"f:sessionAffinityConfig": {"f:clientIP": {"f:timeoutSeconds": {}}}}}
    owner = {
        "manager": "editor",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    joined = Joined(tmp_path, [git], [{**live(7), "metadata": {**metadata, "managedFields": [owner]}}])
    events = [written(0, JANE, "create", live(10800)), written(1, SAM, "patch", live(7))]

    report = joined.report(*events)

    named = {finding.path: users(finding) for item in report.objects for finding in item.findings}
    assert named["spec.sessionAffinityConfig"] == [(SAM, "exact")]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (
            [
                (SAM, {"op": "add", "path": "/stringData", "value": {"other": "x"}}),
                (JANE, {"op": "remove", "path": "/data/password"}),
            ],
            JANE,
        ),
        (
            [
                (SAM, {"op": "remove", "path": "/data/password"}),
                (SAM, {"op": "add", "path": "/stringData", "value": {"password": "x"}}),
                (JANE, {"op": "replace", "path": "/data", "value": {"other": "eA=="}}),
            ],
            JANE,
        ),
    ],
)
def test_a_json_patch_of_a_secret_tells_its_keys(
    steps: list[tuple[str, dict[str, Any]]], expected: str, tmp_path: Path
) -> None:
    metadata = {"name": "web", "namespace": "shop"}
    git = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"password": "eA=="}}
    joined = Joined(tmp_path, [git], [{**git, "data": {"other": "eA=="}}])

    def patched(second: int, user: str, step: dict[str, Any]) -> dict[str, Any]:
        return event(second, user, "patch", "secrets/web", "editor", requestObject=[step])

    patches = [patched(second, user, step) for second, (user, step) in enumerate(steps, 1)]
    report = joined.report(event(0, CI, "create", "secrets/web"), *patches)

    [named] = [users(one) for item in report.objects for one in item.findings if one.path == "data.password"]
    assert named == [(expected, "exact")]


def applied(value: str, manager: str = APPLY, second: str = "01") -> dict[str, Any]:
    """Returns a live ConfigMap that was applied with a value, as ``kubectl apply`` leaves it."""
    git = config_map("web", {"a": value})
    fields = {
        "f:data": {"f:a": {}},
        "f:metadata": {"f:annotations": {"f:kubectl.kubernetes.io/last-applied-configuration": {}}},
    }
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": "v1",
        "time": f"2026-01-31T12:00:{second}Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(git)}
    return {**git, "metadata": {**git["metadata"], "annotations": annotations, "managedFields": [entry]}}


def apply(second: int, user: str, manager: str = APPLY, value: str | None = None) -> dict[str, Any]:
    body = {} if value is None else {"requestObject": {"data": {"a": value}}}
    return event(second, user, "create" if second == 0 else "patch", "configmaps/web", manager, **body)


@pytest.fixture
def edited(tmp_path: Path) -> Joined:
    """A ConfigMap ``web`` that was applied in second 1 with a value that Git does not have."""
    return Joined(tmp_path, [config_map("web", {"a": "1"})], [applied("2")])


@pytest.mark.parametrize(
    ("events", "syncers", "cause", "expected"),
    [
        ([apply(0, CI), apply(1, JANE)], [], "manual", [(JANE, "likely")]),
        ([apply(0, CI, value="1"), apply(1, JANE, value="2")], [], "manual", [(JANE, "exact")]),
        # The pipeline applied it, so Git had it.
        ([apply(0, JANE), apply(1, CI)], [], "pending-sync", [(CI, "likely")]),
        # Which of them is the pipeline is not known until the settings name it.
        ([apply(0, SAM), apply(1, JANE)], [], "pending-sync", [(SAM, "candidate"), (JANE, "candidate")]),
        ([apply(0, SAM), apply(1, JANE)], [SAM], "manual", [(JANE, "likely")]),
        ([apply(0, SAM), apply(1, JANE)], ["j*@example.com"], "pending-sync", [(JANE, "likely")]),
        ([apply(1, JANE)], ["ci@example.com"], "pending-sync", [(JANE, "candidate")]),
        # A service account that the settings do not name is no syncer, if they name any.
        ([apply(0, SAM), apply(1, CI)], [SAM], "manual", [(CI, "likely")]),
        # It is certain that Flux impersonates it.
        (
            [
                apply(0, CI),
                apply(1, "system:serviceaccount:flux-system:kustomize-controller")
                | {"impersonatedUser": {"username": JANE}},
            ],
            [],
            "pending-sync",
            [(JANE, "likely")],
        ),
    ],
)  # fmt: skip
def test_what_another_user_than_the_syncer_applies_is_manual(
    events: list[dict[str, Any]], syncers: list[str], cause: str, expected: list[tuple[str, str]], edited: Joined
) -> None:
    finding = edited.finding(*events, settings=Settings(syncers=tuple(map(Glob, syncers))))

    assert (finding.cause, users(finding)) == (cause, expected)


def test_a_recorded_sync_is_not_overruled() -> None:
    managers = ("helm", "kubectl", "kubectl-client-side-apply", "ours", "kustomize-controller", "argocd-controller")

    def overruled(*, is_revision_known: bool) -> list[str]:
        syncers = Syncers(Managers(("ours",)), (), is_revision_known)
        return [manager for manager in managers if syncers.records_no_revision(manager)]

    assert overruled(is_revision_known=False) == ["helm", "kubectl", "kubectl-client-side-apply", "ours"]
    assert overruled(is_revision_known=True) == []


def test_a_log_of_writes_forgets_the_oldest_ones() -> None:
    log, place = WriteLog(4), Place("", "configmaps", "shop", "web")
    times = [datetime(2026, 1, 31, 12, 0, second, tzinfo=UTC) for second in (3, 1, 5, 2, 4, 6)]

    for time in times:
        one: dict[str, Any] = {
            "verb": "patch",
            "subresource": None,
            "manager": "editor",
            "is_manager_given": True,
            "user": JANE,
        }
        log.add(place, Write(received=time, completed=time, **one))

    assert [write.received.second for write in log.of(place)] == [4, 5, 6]
