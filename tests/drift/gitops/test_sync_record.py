"""What Argo CD and Flux synced last, according to the status of an Application or a Kustomization."""

from collections.abc import Callable
from typing import Any

import pytest

from drift.gitops.sync_record import kustomization_record
from drift.objects import ObjectKey
from tests.drift.conftest import Application, Scanned
from tests.drift.gitops.argocd import CHART, SOURCE, VALUES, Operation, Sources, at, history, record
from tests.drift.samples import deployment
from tests.git import git
from tools.sandbox.syncers import Syncer

CONFIG = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: NAMESPACE}\ndata: {%s}\n"
OLD = deployment(spec="replicas: 2") + CONFIG % ("one", "key: old") + CONFIG % ("two", "key: old")
NEW = (
    deployment(spec="replicas: 3").replace("nginx:1.29", "nginx:1.30")
    + CONFIG % ("one", "key: new, more: new")
    + CONFIG % ("two", "key: new, more: new")
)
IMAGE = "spec.template.spec.containers[name=web].image"
PENDING = [
    ("ConfigMap/one", "changed", "data.key", "pending-sync"),
    ("ConfigMap/one", "removed", "data.more", "pending-sync"),
    ("ConfigMap/two", "changed", "data.key", "pending-sync"),
    ("ConfigMap/two", "removed", "data.more", "pending-sync"),
    ("Deployment/web", "changed", "spec.replicas", "pending-sync"),
    ("Deployment/web", "changed", IMAGE, "pending-sync"),
]
OUT_OF_SYNC = dict.fromkeys(("ConfigMap/one", "ConfigMap/two", "Deployment/web"), "OutOfSync")
EVERYTHING = dict.fromkeys(OUT_OF_SYNC, "Synced")

Record = Callable[..., None]


def commit(workspace: Application, text: str) -> str:
    workspace.write(text)
    if not (workspace.manifests / ".git").exists():
        git(workspace.manifests, "init", "--quiet")
    git(workspace.manifests, "add", "--all")
    git(workspace.manifests, "commit", "--quiet", "--message=change")
    return git(workspace.manifests, "rev-parse", "HEAD")


def sync(workspace: Application, syncer: Syncer = Syncer.ARGOCD_SERVER_SIDE) -> None:
    workspace.sync(syncer, owner=workspace.namespace)


@pytest.fixture
def say(workspace: Application) -> Record:
    """Returns a function that writes the status of the Application. It has the name of the namespace."""

    def say(compared: Sources, synced: list[dict[str, object]], **more: object) -> None:
        record(workspace.cluster, workspace.namespace, workspace.namespace, compared=compared, synced=synced, **more)  # type: ignore[arg-type]

    return say


def reasons(scanned: Scanned) -> dict[str, str | None]:
    return {f"{item['kind']}/{item['name']}": item["reason"] for item in scanned.document["objects"]}


@pytest.mark.parametrize("syncer", [Syncer.ARGOCD, Syncer.ARGOCD_SERVER_SIDE])
def test_a_refresh_without_a_sync_leaves_later_commits_pending(
    workspace: Application, say: Record, syncer: Syncer
) -> None:
    old = commit(workspace, OLD)
    sync(workspace, syncer)
    done = Operation(at(old), EVERYTHING, day=1)
    say(at(old), history(at(old)), operation=done, resources=EVERYTHING)
    assert workspace.report().findings == []

    new = commit(workspace, NEW)
    say(at(new), history(at(old)), operation=done, resources=OUT_OF_SYNC)

    scanned = workspace.report()
    assert scanned.status == 1
    assert scanned.findings == PENDING


@pytest.mark.parametrize("syncer", [Syncer.ARGOCD, Syncer.ARGOCD_SERVER_SIDE])
def test_a_manual_edit_is_manual_while_other_fields_are_pending(
    workspace: Application, say: Record, syncer: Syncer
) -> None:
    old = commit(workspace, OLD)
    sync(workspace, syncer)
    new = commit(workspace, OLD.replace("nginx:1.29", "nginx:1.30"))
    say(at(new), history(at(old)), resources=OUT_OF_SYNC)
    workspace.kubectl("scale", "deployment/web", "--replicas=5")
    workspace.patch("configmap", "one", {"data": {"key": None, "added": "by hand"}})

    scanned = workspace.report()

    assert scanned.findings == [
        ("ConfigMap/one", "added", "data.added", "manual"),
        ("ConfigMap/one", "removed", "data.key", "manual"),
        ("Deployment/web", "changed", "spec.replicas", "manual"),
        ("Deployment/web", "changed", IMAGE, "pending-sync"),
    ]
    assert "kubectl-patch" in scanned.managers


def test_after_a_selective_sync_each_object_has_its_own_base(workspace: Application, say: Record) -> None:
    old = commit(workspace, OLD)
    sync(workspace)
    new = commit(workspace, NEW)
    # A sync of one ConfigMap only, from which a person then removes a key.
    workspace.write(OLD.replace(CONFIG % ("one", "key: old"), CONFIG % ("one", "key: new, more: new")))
    sync(workspace)
    workspace.write(NEW)
    workspace.patch("configmap", "one", {"data": {"more": None}})
    selective = Operation(at(new), {"ConfigMap/one": "Synced"}, selected=("ConfigMap/one",))
    say(at(new), history(at(old)), operation=selective, resources=OUT_OF_SYNC)

    assert workspace.report().findings == [("ConfigMap/one", "removed", "data.more", "manual"), *PENDING[2:]]


@pytest.mark.parametrize(
    "operation",
    [
        {"results": dict.fromkeys(EVERYTHING, "SyncFailed"), "phase": "Failed"},
        {"results": EVERYTHING, "dry_run": True},
        {"results": {}, "phase": "Error"},
        {"results": {}, "phase": "Running"},
    ],
    ids=["failed", "dry-run", "error", "running"],
)
def test_an_operation_that_synced_nothing_does_not_change_the_base(
    workspace: Application, say: Record, operation: dict[str, object]
) -> None:
    old = commit(workspace, OLD)
    sync(workspace)
    new = commit(workspace, NEW)
    say(
        at(new),
        history(at("1" * 40), at(old)),
        operation=Operation(at(new), **operation),  # type: ignore[arg-type]
        resources=OUT_OF_SYNC,
    )

    assert workspace.report().findings == PENDING


def test_an_object_that_a_failed_sync_applied_has_its_revision(workspace: Application, say: Record) -> None:
    old = commit(workspace, OLD)
    sync(workspace)
    new = commit(workspace, NEW)
    sync(workspace)
    workspace.patch("configmap", "one", {"data": {"more": None}})
    results = {**EVERYTHING, "ConfigMap/two": "SyncFailed"}
    say(at(new), history(at(old)), operation=Operation(at(new), results, phase="Failed"))

    assert workspace.report().findings == [("ConfigMap/one", "removed", "data.more", "manual")]


@pytest.mark.parametrize("beside", [CHART, VALUES], ids=["chart", "values"])
def test_the_source_with_these_manifests_is_chosen_among_several(
    workspace: Application, say: Record, beside: dict[str, str]
) -> None:
    old = commit(workspace, OLD)
    sync(workspace)
    new = commit(workspace, NEW)
    both = (beside, SOURCE)
    other = "1.2.3" if "chart" in beside else "2" * 40
    say(
        at(other, new, sources=both),
        history(at(other, old, sources=both)),
        operation=Operation(at(other, new, sources=both), {"ConfigMap/one": "SyncFailed"}, phase="Failed"),
        resources=OUT_OF_SYNC,
    )

    scanned = workspace.report()

    assert scanned.findings == PENDING
    assert scanned.document["notes"] == []


def test_the_version_of_a_chart_is_not_a_revision(workspace: Application, say: Record) -> None:
    commit(workspace, OLD)
    sync(workspace)
    commit(workspace, OLD.replace("key: old", "other: old"))
    chart = at("1.2.3", sources=(CHART,))
    say(chart, history(chart))

    assert not any("revision" in note for note in workspace.report().document["notes"])


@pytest.mark.parametrize(
    ("phase", "result", "reason"),
    [
        ("Running", {}, "Application argocd/%s is still syncing and has not applied it yet"),
        ("Failed", {}, "the last sync of Application argocd/%s failed before it applied it"),
        ("Failed", {"ConfigMap/two": "SyncFailed"}, "the last sync of Application argocd/%s failed to apply it"),
    ],
)
def test_an_object_that_the_first_sync_has_not_applied_is_pending(
    workspace: Application, say: Record, phase: str, result: dict[str, str], reason: str
) -> None:
    workspace.write(CONFIG % ("one", "key: old"))
    sync(workspace)
    only = commit(workspace, CONFIG % ("one", "key: old") + CONFIG % ("two", "key: old"))
    first = Operation(at(only), {"ConfigMap/one": "Synced", **result}, phase=phase)
    say(at(only), [], operation=first, resources={"ConfigMap/one": "Synced", "ConfigMap/two": "OutOfSync"})

    scanned = workspace.report()

    assert scanned.findings == [("ConfigMap/two", "missing", "", "pending-sync")]
    assert reasons(scanned)["ConfigMap/two"] == reason % workspace.namespace


def test_a_missing_object_that_the_first_sync_applied_was_deleted(workspace: Application, say: Record) -> None:
    only = commit(workspace, CONFIG % ("one", "key: old") + CONFIG % ("two", "key: old"))
    sync(workspace)
    workspace.kubectl("delete", "configmap", "two")
    say(at(only), [], operation=Operation(at(only), dict.fromkeys(list(EVERYTHING)[:2], "Synced"), phase="Running"))

    scanned = workspace.report()

    assert scanned.findings == [("ConfigMap/two", "missing", "", "manual")]
    assert reasons(scanned)["ConfigMap/two"] is None


def test_an_application_that_never_synced_gives_no_base(workspace: Application, say: Record) -> None:
    only = commit(workspace, CONFIG % ("one", "key: old") + CONFIG % ("two", "key: old"))
    sync(workspace)
    workspace.kubectl("delete", "configmap", "two")
    say(at(only), [], resources={"ConfigMap/one": "Synced", "ConfigMap/two": "OutOfSync"})

    assert workspace.report().findings == [("ConfigMap/two", "missing", "", "unknown")]


@pytest.mark.parametrize("state", ["Synced", "OutOfSync"])
def test_no_change_is_attributed_to_a_webhook_while_argo_cd_reports_out_of_sync(
    workspace: Application, say: Record, state: str
) -> None:
    only = commit(workspace, OLD)
    sync(workspace, Syncer.ARGOCD)
    # As after a mutating webhook: the applier owns the value, but sent another one.
    change = '{"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "mirror/nginx:1.29"}]}}}}'
    workspace.kubectl("patch", "deployment", "web", "--field-manager=argocd-controller", "--patch", change)
    workspace.kubectl("annotate", "deployment", "web", "--field-manager=argocd-controller", "x-", "--overwrite")
    say(at(only), history(at(only)), resources={**EVERYTHING, "Deployment/web": state})

    found = [(name, path, cause) for name, _, path, cause in workspace.report().findings]

    assert found == ([("Deployment/web", IMAGE, "unknown")] if state == "OutOfSync" else [])


# -- a checkout that is behind


def test_a_checkout_behind_the_synced_commit_is_not_compared(workspace: Application, say: Record) -> None:
    old = commit(workspace, OLD)
    commit(workspace, OLD.replace("nginx:1.29", "nginx:1.28"))
    new = commit(workspace, NEW + CONFIG % ("three", "key: new"))
    sync(workspace)
    say(at(new), history(at(new)), resources=EVERYTHING)
    git(workspace.manifests, "checkout", "--quiet", old)

    scanned = workspace.report()

    assert scanned.findings == []
    assert scanned.status == 0
    [note] = scanned.document["notes"]
    assert note.startswith(f"the checkout is 2 commits behind {new[:12]}, which Application argocd/")
    assert scanned.document["manifests"]["gitCommit"] == new

    # An edit that restores the value in the old checkout is still drift.
    workspace.patch("configmap", "one", {"data": {"key": "old"}})
    assert workspace.report().findings == [("ConfigMap/one", "changed", "data.key", "manual")]
    assert workspace.report("--synced-revision", new).findings == [("ConfigMap/one", "changed", "data.key", "manual")]


def test_uncommitted_changes_of_a_checkout_that_is_behind_are_compared(workspace: Application, say: Record) -> None:
    old = commit(workspace, OLD)
    new = commit(workspace, NEW)
    sync(workspace)
    say(at(new), history(at(new)), resources=EVERYTHING)
    git(workspace.manifests, "checkout", "--quiet", old)
    workspace.write(NEW.replace("replicas: 3", "replicas: 4"))

    scanned = workspace.report()

    assert scanned.findings == [("Deployment/web", "changed", "spec.replicas", "pending-sync")]
    assert any("one commit behind" in note and "uncommitted" in note for note in scanned.document["notes"])


def test_a_checkout_that_is_ahead_or_equal_gets_no_note(workspace: Application, say: Record) -> None:
    old = commit(workspace, OLD)
    sync(workspace)
    git(workspace.manifests, "branch", "later")
    say(at(old), history(at(old)), resources=EVERYTHING)

    assert workspace.report().document["notes"] == []
    commit(workspace, NEW)
    assert workspace.report().document["notes"] == []


def test_a_commit_that_is_not_fetched_gives_one_note_with_the_command_to_fetch_it(
    workspace: Application, say: Record
) -> None:
    commit(workspace, OLD)
    sync(workspace)
    say(at("0" * 40), history(at("0" * 40)), resources=EVERYTHING)
    assert workspace.report().document["notes"] == []

    workspace.patch("configmap", "one", {"data": {"key": "by hand"}})
    workspace.patch("configmap", "two", {"data": {"key": "by hand"}})

    scanned = workspace.report()
    [note] = scanned.document["notes"]
    assert f"fetch origin {'0' * 40}" in note
    assert [cause for *_, cause in scanned.findings] == ["manual", "manual"]


COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
DIGEST = "a" * 64
KEY = ObjectKey("apps", "Deployment", "web", "web")


def last(**status: Any) -> tuple[str, ...] | None:
    sources = kustomization_record({"kind": "Kustomization", "status": status}).sources(KEY)
    return None if sources is None else tuple(source.commit for source in sources)


@pytest.mark.parametrize(
    "revision",
    [
        f"main@sha1:{COMMIT}",
        f"main/{COMMIT}",
        f"feature/x/{COMMIT}",
        f"feature/x@y@sha1:{COMMIT}",
        f"sha1:{COMMIT}",
        f"v1.2.3@sha1:{COMMIT}",
        f"v1.2.3/{COMMIT}",
        f"refs/tags/v1.2.3@sha1:{COMMIT}",
        f"refs/pull/12/head@sha1:{COMMIT}",
        f"HEAD/{COMMIT}",
        COMMIT,
    ],
)
def test_the_commit_is_found_in_every_revision_format(revision: str) -> None:
    assert last(lastAppliedRevision=revision) == (COMMIT,)


@pytest.mark.parametrize("revision", [f"latest@sha256:{DIGEST}", f"sha256:{'a' * 64}", "a" * 64, "v1.2.3", "", "main"])
def test_a_revision_without_a_commit_gives_no_base(revision: str) -> None:
    assert last(lastAppliedRevision=revision) is None


def test_the_origin_revision_of_an_artifact_gives_the_commit() -> None:
    artifact = f"latest@sha256:{DIGEST}"

    assert last(lastAppliedRevision=artifact, lastAppliedOriginRevision=f"main@sha1:{COMMIT}") == (COMMIT,)


@pytest.mark.parametrize("status", [{}, {"lastAttemptedRevision": f"main@sha1:{COMMIT}"}, {"lastAppliedRevision": 1}])
def test_without_a_sync_nothing_is_known(status: dict[str, Any]) -> None:
    assert last(**status) is None


@pytest.mark.parametrize(("attempted", "says"), [(COMMIT, False), (OTHER, True)])
def test_an_unfinished_sync_contradicts_in_sync(attempted: str, says: bool) -> None:
    status = {"lastAppliedRevision": f"main@sha1:{COMMIT}", "lastAttemptedRevision": f"main@sha1:{attempted}"}

    assert kustomization_record({"status": status}).contradicts(KEY) is says


@pytest.mark.parametrize(("attempted", "says"), [(DIGEST, False), ("b" * 64, True)])
def test_an_unfinished_sync_of_an_artifact_contradicts_in_sync(attempted: str, says: bool) -> None:
    status = {"lastAppliedRevision": f"latest@sha256:{DIGEST}", "lastAttemptedRevision": f"latest@sha256:{attempted}"}

    assert kustomization_record({"kind": "Kustomization", "status": status}).is_syncing is says
