"""The commands for a finding: which there are, and that a shell reads each as it is meant."""

import json
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drift.advice.advisor import Advisor, Commands
from drift.advice.commands import revert_fields
from drift.model import (
    IMMUTABLE,
    NOT_KEPT,
    Actor,
    Cause,
    Change,
    ClusterInfo,
    Finding,
    ManifestsInfo,
    NotCompared,
    ObjectReport,
    Report,
    Severity,
    Shard,
    SourceInfo,
    SourceKind,
    Status,
)
from drift.objects import ObjectKey, Source

ID = "0123456789abcdef"
FINDING = Finding(
    ID,
    Change.CHANGED,
    "spec.replicas",
    "/spec/replicas",
    2,
    5,
    redacted=False,
    cause=Cause.MANUAL,
    severity=Severity.MEDIUM,
)
OBJECT = ObjectReport(
    "apps/v1",
    ObjectKey("apps", "Deployment", "shop", "web"),
    Source("apps/web.yaml", 1, 3),
    Status.DRIFTED,
    uid="u-1",
    resource_version="7",
)
FLUX = SourceInfo(
    SourceKind.FLUX_KUSTOMIZATION, "Kustomization flux-system/apps", path="./apps", suspended=False, ready=True
)
ARGOCD = SourceInfo(
    SourceKind.ARGOCD_APPLICATION, "Application argocd/apps source 2", path="./apps", suspended=False, ready=True
)
HELM = SourceInfo(SourceKind.FLUX_HELM_RELEASE, "HelmRelease flux-system/apps", suspended=False, ready=True)
HOSTILE = 'a\'; touch owned; `touch owned` $(touch owned) "b" -- *'


def _report(*objects: ObjectReport, source: SourceInfo | None = None, context: str | None = "prod") -> Report:
    cluster = ClusterInfo(context, "https://127.0.0.1", "v1.36.3")
    sources = () if source is None else (source,)
    return Report("2026-01-01T00:00:00Z", cluster, ManifestsInfo(("apps",), "c0ffee", None), objects, sources=sources)


def _commands(
    finding: Finding = FINDING,
    item: ObjectReport = OBJECT,
    *,
    source: SourceInfo | None = None,
    context: str | None = "prod",
    saved: str | None = None,
) -> Commands:
    item = replace(item, findings=(finding,), origins=() if source is None else (source.name,))
    commands = Advisor.of(_report(item, source=source, context=context), saved).commands(item, finding)
    assert commands is not None
    return commands


def _changed(change: Change, cause: Cause = Cause.MANUAL) -> Finding:
    return replace(FINDING, change=change, cause=cause, path="", pointer="", desired=None, live=None)


def test_an_edit_by_hand_can_be_looked_at_kept_and_reverted() -> None:
    patch = '[{"op":"test","path":"/spec/replicas","value":5},{"op":"replace","path":"/spec/replicas","value":2}]'

    assert _commands(saved="r.json") == Commands(
        look="kubectl get deployment.apps/web -n shop --context prod -o yaml",
        keep=f"drift adopt r.json {ID} --write",
        revert=(f"kubectl patch deployment.v1.apps/web --type=json '--patch={patch}' --namespace shop --context prod"),
    )


@pytest.mark.parametrize(
    ("path", "generation", "tested"),
    [
        ("spec.replicas", 3, '"/metadata/generation","value":3'),
        ("spec.replicas", None, '"/metadata/resourceVersion","value":"7"'),
        ("metadata.labels.a", 3, '"/metadata/resourceVersion","value":"7"'),
    ],
)
def test_what_has_no_live_value_is_reverted_if_the_object_is_unchanged(
    path: str, generation: int | None, tested: str
) -> None:
    removed = replace(FINDING, change=Change.REMOVED, path=path, live=None)

    assert f'[{{"op":"test","path":{tested}}},' in str(
        _commands(removed, replace(OBJECT, generation=generation)).revert
    )


@pytest.mark.parametrize(
    ("path", "live", "removed"),
    [
        ("metadata.annotations", {"a/b": "1", "c": "2"}, ["/metadata/annotations/c", "/metadata/annotations/a~1b"]),
        ("spec.template.metadata.labels", {"a": "1"}, ["/spec/template/metadata/labels/a"]),
        (
            "spec.jobTemplate.metadata",
            {"annotations": {"a": "1"}, "name": "x"},
            ["/spec/jobTemplate/metadata/name", "/spec/jobTemplate/metadata/annotations/a"],
        ),
        ("spec.template.spec.nodeSelector", {"a": "1"}, ["/spec/template/spec/nodeSelector/a"]),
        # Only the defaults of an object with fixed fields are not in the report.
        ("spec.strategy", {"rollingUpdate": {"maxSurge": 1}}, ["/spec/strategy"]),
        ("metadata.annotations.a", "1", ["/metadata/annotations/a"]),
    ],
)
def test_entries_of_appliers_and_controllers_stay_in_a_map(path: str, live: object, removed: list[str]) -> None:
    pointer = "/" + path.replace(".", "/")
    added = replace(FINDING, change=Change.ADDED, path=path, pointer=pointer, desired=None, live=live)

    command = _commands(added).revert

    assert command is not None
    patch = json.loads(shlex.split(command)[4].removeprefix("--patch="))
    assert [operation["path"] for operation in patch if operation["op"] == "remove"] == removed


@pytest.mark.parametrize(
    ("kind", "path", "refused"),
    [
        ("ServiceAccount", "secrets", True),
        ("ServiceAccount", "imagePullSecrets", True),
        ("ServiceAccount", "secrets[name=mine]", False),
        ("ConfigMap", "metadata.finalizers", True),
        ("ConfigMap", "secrets", False),
    ],
)
def test_a_list_that_the_report_shows_in_part_is_not_reverted(kind: str, path: str, *, refused: bool) -> None:
    item = replace(OBJECT, api_version="v1", key=ObjectKey("", kind, "shop", "a"))
    added = replace(FINDING, change=Change.ADDED, path=path, pointer="/x", desired=None, live=[{"name": "mine"}])

    assert (_commands(added, item).revert is None) is refused


@pytest.mark.parametrize(
    ("group", "kind", "path", "refused"),
    [
        ("rbac.authorization.k8s.io", "ClusterRoleBinding", "roleRef.name", True),
        ("rbac.authorization.k8s.io", "RoleBinding", "roleRef", True),
        ("rbac.authorization.k8s.io", "RoleBinding", "subjects", False),
        ("apps", "Deployment", "spec.selector.matchLabels.app", True),
        ("apps", "Deployment", "spec.replicas", False),
        ("batch", "Job", "spec.template.spec.containers[name=a].image", True),
        ("batch", "Job", "spec.suspend", False),
        ("apps", "StatefulSet", "spec.volumeClaimTemplates[metadata.name=data].spec.storageClassName", True),
        ("apps", "StatefulSet", "spec.template.spec.containers[name=a].image", False),
        ("", "PersistentVolumeClaim", "spec.accessModes", True),
        ("", "Service", "spec.clusterIP", True),
        ("", "Service", "spec.type", False),
        ("example.com", "RoleBinding", "roleRef", False),
    ],
)
def test_a_field_that_cannot_be_changed_is_not_patched(group: str, kind: str, path: str, *, refused: bool) -> None:
    item = replace(OBJECT, api_version=f"{group}/v1", key=ObjectKey(group, kind, "shop", "a"))

    assert (_commands(replace(FINDING, path=path), item).revert is None) is refused


@pytest.mark.parametrize(
    ("group", "kind", "path", "advice"),
    [
        ("", "Service", "spec.clusterIP", "back up what the object holds (data, addresses) and recreate it"),
        ("", "PersistentVolume", "spec.csi.volumeHandle", "back up what the object holds (data, addresses)"),
        ("apps", "StatefulSet", "spec.serviceName", "back up what the object holds (data, addresses)"),
        ("apps", "Deployment", "spec.selector", "delete the object, then sync it"),
    ],
)
def test_an_object_that_loses_something_is_not_to_be_deleted(group: str, kind: str, path: str, advice: str) -> None:
    item = replace(OBJECT, api_version=f"{group}/v1", key=ObjectKey(group, kind, "shop", "a"))

    assert advice in str(Advisor.of(_report(item)).why_not_reverted(item, replace(FINDING, path=path)))


def test_what_is_immutable_in_the_cluster_is_not_patched() -> None:
    secret = replace(OBJECT, api_version="v1", key=ObjectKey("", "Secret", "shop", "a"))
    edited = replace(FINDING, path="data.a", redacted=True, note=IMMUTABLE)

    reason = Advisor.of(_report(secret)).why_not_reverted(secret, edited)

    assert reason == "the API server refuses to change this field; delete the object, then sync it"
    for source in (FLUX, ARGOCD):
        assert _commands(edited, secret, source=source).sync is None
        assert _commands(replace(edited, note=None), secret, source=source).sync is not None


@pytest.mark.parametrize(
    ("label", "live", "refused"),
    [
        ("app", {"matchLabels": {"app": "web2"}}, True),
        ("tier", {"matchLabels": {"app": "web2"}}, False),
        ("tier", {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ("tier", "unknown", True),
    ],
)
def test_a_label_that_the_live_selector_needs_stays(label: str, live: object, *, refused: bool) -> None:
    selector = replace(FINDING, path="spec.selector", pointer="/spec/selector", desired={}, live=live)
    of_template = replace(FINDING, path=f"spec.template.metadata.labels.{label}", desired="web", live="web2")
    item = replace(OBJECT, findings=(selector, of_template))

    assert (Advisor.of(_report(item)).why_not_reverted(item, of_template) is not None) is refused
    alone = replace(item, findings=(of_template,))
    assert Advisor.of(_report(alone)).why_not_reverted(alone, of_template) is None


@pytest.mark.parametrize(("desired", "live", "refused"), [("1Gi", "2Gi", True), ("1Gi", "1000Mi", False)])
def test_a_volume_does_not_shrink(desired: str, live: str, *, refused: bool) -> None:
    item = replace(OBJECT, api_version="v1", key=ObjectKey("", "PersistentVolumeClaim", "shop", "a"))
    size = replace(FINDING, path="spec.resources.requests.storage", desired=desired, live=live)

    assert (_commands(size, item).revert is None) is refused


@pytest.mark.parametrize(
    ("finding", "item", "look"),
    [
        (_changed(Change.MISSING), OBJECT, "git -C apps log -p -- web.yaml"),
        (replace(FINDING, cause=Cause.PENDING_SYNC), OBJECT, "git -C apps log -p -- web.yaml"),
        (
            _changed(Change.MISSING),
            replace(OBJECT, source=Source("/srv/git/web.yaml", 1, 1)),
            "git -C /srv/git log -p -- web.yaml",
        ),
        (_changed(Change.MISSING), replace(OBJECT, source=Source("/web.yaml", 1, 1)), "git -C / log -p -- web.yaml"),
        (_changed(Change.MISSING), replace(OBJECT, source=Source("web.yaml", 1, 1)), "git log -p -- web.yaml"),
        (
            _changed(Change.UNMANAGED),
            replace(OBJECT, source=None),
            "kubectl describe deployment.apps/web -n shop --context prod",
        ),
        (
            replace(FINDING, redacted=True),
            replace(OBJECT, api_version="v1", key=ObjectKey("", "Secret", "shop", "db")),
            "kubectl describe secret/db -n shop --context prod",
        ),
        (FINDING, replace(OBJECT, key=ObjectKey("", "Node", None, "a")), "kubectl get node/a --context prod -o yaml"),
    ],
)
def test_the_look_fits_the_finding(finding: Finding, item: ObjectReport, look: str) -> None:
    assert _commands(finding, item).look == look


def test_outside_of_git_a_missing_object_has_its_events() -> None:
    missing = replace(OBJECT, findings=(_changed(Change.MISSING),))
    report = replace(_report(missing), manifests=ManifestsInfo(("apps",), None, None))

    commands = Advisor.of(report).commands(missing, missing.findings[0])

    assert commands is not None
    assert commands.look == (
        "kubectl get events -n shop --context prod "
        "--field-selector involvedObject.kind=Deployment,involvedObject.name=web"
    )


def test_a_syncer_that_does_not_sync_is_looked_at_first() -> None:
    pending = replace(FINDING, cause=Cause.PENDING_SYNC)

    assert _commands(pending, source=replace(FLUX, suspended=True)).look == (
        "flux get kustomization apps -n flux-system --context prod"
    )
    assert _commands(pending, source=replace(ARGOCD, ready=False)).look == "argocd app get apps --app-namespace argocd"


def test_the_syncer_syncs_only_where_it_is_not_suspended() -> None:
    assert (
        _commands(source=FLUX).sync == "flux reconcile kustomization apps -n flux-system --with-source --context prod"
    )
    assert _commands(source=ARGOCD).sync == (
        "argocd app sync apps --app-namespace argocd --resource apps:Deployment:shop/web"
    )
    assert _commands(source=replace(FLUX, suspended=True)).sync is None
    # An Application without automatic sync can be synced.
    assert _commands(source=replace(ARGOCD, suspended=True)).sync == _commands(source=ARGOCD).sync
    assert _commands(source=replace(ARGOCD, suspended=True, skips_reconcile=True)).sync is None
    # argocd cannot name such an object.
    colon = replace(OBJECT, key=ObjectKey("rbac.authorization.k8s.io", "ClusterRole", None, "system:metrics"))
    assert _commands(item=colon, source=ARGOCD).sync is None
    assert _commands(item=colon, source=FLUX).sync is not None
    # helm-controller upgrades a release only if its chart or its values change.
    assert _commands(source=HELM).sync is None


@pytest.mark.parametrize(
    ("source", "actors", "is_offered"),
    [
        (FLUX, [("kubectl-edit", None)], True),
        (FLUX, [("my-script", None)], False),
        (ARGOCD, [("kubectl-edit", None)], False),
        # Kubernetes has no record, as of kubectl scale.
        (FLUX, [], False),
        # Flux takes no field from who set it through a subresource.
        (FLUX, [("kubectl", "scale")], False),
        (FLUX, [("kubectl-edit", None), ("kubectl", "scale")], False),
    ],
)
def test_a_sync_is_not_offered_for_what_it_does_not_remove(
    source: SourceInfo, actors: list[tuple[str, str | None]], *, is_offered: bool
) -> None:
    added = replace(
        FINDING,
        change=Change.ADDED,
        path="metadata.labels.a",
        pointer="/metadata/labels/a",
        desired=None,
        actors=tuple(Actor(manager, "Update", subresource, None) for manager, subresource in actors),
    )

    assert (_commands(added, source=source).sync is not None) is is_offered
    assert _commands(replace(added, cause=Cause.PENDING_SYNC), source=source).sync is not None
    assert _commands(replace(added, change=Change.CHANGED), source=source).sync is not None


@pytest.mark.parametrize("source", [FLUX, ARGOCD])
def test_a_sync_does_not_stop_a_deletion(source: SourceInfo) -> None:
    deleted = replace(
        FINDING,
        change=Change.ADDED,
        path="metadata.deletionTimestamp",
        pointer="/metadata/deletionTimestamp",
        desired=None,
        actors=(Actor("kubectl", "Delete", None, None),),
    )

    assert _commands(deleted, source=source).sync is None


def _patch(finding: Finding, item: ObjectReport = OBJECT, *others: Finding) -> list[dict[str, Any]]:
    """Returns the operations of the patch that reverts one of an object's findings."""
    text = revert_fields(replace(item, findings=(finding, *others)), [finding], None)
    operations: list[dict[str, Any]] = json.loads(shlex.split(text)[4].removeprefix("--patch="))
    return operations


def _missing(path: str, pointer: str, live_pointer: str | None) -> Finding:
    of_pod, pointer_of_pod = "spec.template.spec.", "/spec/template/spec"
    return replace(
        FINDING,
        change=Change.REMOVED,
        path=of_pod + path,
        pointer=pointer_of_pod + pointer,
        desired={},
        live=None,
        live_pointer=None if live_pointer is None else pointer_of_pod + live_pointer,
    )


def _missing_variable(name: str, index: int, live_index: int) -> Finding:
    env = "/containers/0/env"
    return _missing(f"containers[name=a].env[name={name}]", f"{env}/{index}", f"{env}/{live_index}")


def test_items_are_removed_and_added_from_the_end_and_stay_in_the_order_of_git() -> None:
    # Git has A, B, C, D, E; the cluster has Z, D, A, and X, which is removed.
    b, c, e = (_missing_variable("B", 1, 3), _missing_variable("C", 2, 3), _missing_variable("E", 4, 2))
    path, pointer = "spec.template.spec.containers[name=a].env[name=X]", "/spec/template/spec/containers/0/env/3"
    x = replace(FINDING, change=Change.ADDED, path=path, pointer=pointer, desired=None, live={"name": "X"})
    whole = replace(OBJECT, findings=(b, c, e, x))

    operations = json.loads(
        shlex.split(revert_fields(whole, whole.findings, None))[4].removeprefix("--patch="),
    )

    moves = [(one["op"], one["path"].rpartition("/")[2]) for one in operations if one["op"] != "test"]
    assert moves == [("remove", "3"), ("add", "3"), ("add", "3"), ("add", "2")]
    live = ["Z", "D", "A", "X"]
    added = iter("CBE")
    for operation, index in moves:
        if operation == "remove":
            live.pop(int(index))
        else:
            live.insert(int(index), next(added))
    assert live == ["Z", "D", "E", "A", "B", "C"]


def test_a_field_is_added_to_the_item_at_its_live_place() -> None:
    field = _missing("containers[name=b].tty", "/containers/1/tty", "/containers/0/tty")

    assert [one["path"] for one in _patch(field)[1:]] == [
        "/spec/template/spec/containers/0/name",
        "/spec/template/spec/containers/0/tty",
    ]


def test_an_older_report_does_not_say_where_a_list_item_is_missing() -> None:
    for item in (
        _missing("containers[name=b].tty", "/containers/1/tty", None),
        _missing("containers[name=b]", "/containers/1", None),
    ):
        reason = Advisor.of(_report(OBJECT)).why_not_reverted(OBJECT, item)
        assert reason == "the report does not hold the place of the list item in the cluster; make it again"
    assert Advisor.of(_report(OBJECT)).why_not_reverted(OBJECT, _missing("tty", "/tty", None)) is None


def test_a_key_of_unknown_type_is_not_tested() -> None:
    item = replace(OBJECT, api_version="example.com/v1", key=ObjectKey("example.com", "Widget", "shop", "a"))
    finding = replace(FINDING, path="spec.items[id=5].size", pointer="/spec/items/0/size")

    assert [one["path"] for one in _patch(finding, item) if one["op"] == "test"] == [
        "/metadata/resourceVersion",
        "/spec/items/0/size",
    ]


@pytest.mark.parametrize(("group", "removes_copy"), [("apps", True), ("kustomize.toolkit.fluxcd.io", False)])
def test_only_pods_have_a_copy_of_the_service_account(group: str, *, removes_copy: bool) -> None:
    item = replace(OBJECT, api_version=f"{group}/v1", key=ObjectKey(group, "Any", "shop", "a"))
    added = replace(FINDING, change=Change.ADDED, path="spec.serviceAccountName", pointer="/spec/serviceAccountName")

    removed = [one["path"] for one in _patch(added, item) if one["op"] == "remove"]

    assert removed == ["/spec/serviceAccountName", *(["/spec/serviceAccount"] if removes_copy else [])]


@pytest.mark.parametrize("value", ["\N{ROCKET} caf\u00e9 'x' \u202e \U000e0041", "\N{ROCKET}" * 70_000])
def test_kubectl_reads_any_value_of_a_patch(value: str, kubectl: Path, tmp_path: Path) -> None:
    config = tmp_path / "a.json"
    config.write_text(
        json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "x"}, "metadata": {"name": "a"}})
    )
    item = replace(OBJECT, api_version="v1", key=ObjectKey("", "ConfigMap", None, "a"), findings=())
    changed = replace(FINDING, path="data.a", pointer="/data/a", desired=value, live="x")
    command = revert_fields(item, [changed], None).replace("configmap/a", f"--local -f {config} -o json", 1)

    script = command.replace("kubectl", str(kubectl), 1)
    done = subprocess.run(["sh", "-e"], input=script, capture_output=True, text=True, check=True)  # noqa: S607

    assert json.loads(done.stdout)["data"] == {"a": value}


@pytest.mark.parametrize(("source", "also"), [(FLUX, 3), (ARGOCD, 1)])
def test_a_sync_says_what_else_it_deploys(source: SourceInfo, also: int) -> None:
    pending = replace(FINDING, cause=Cause.PENDING_SYNC)
    here = replace(OBJECT, findings=(FINDING, pending), origins=(source.name,))
    other = replace(here, key=ObjectKey("", "ConfigMap", "shop", "a"), findings=(pending, pending))
    advisor = Advisor.of(_report(here, other, source=source))

    assert [advisor.commands(here, one) for one in here.findings] == [
        replace(_commands(source=source), also_deploys=also),
        replace(_commands(pending, source=source), also_deploys=also - 1),
    ]


@pytest.mark.parametrize(
    "finding",
    [
        replace(FINDING, cause=Cause.PENDING_SYNC),
        replace(FINDING, redacted=True),
        replace(FINDING, change=Change.REORDERED),
        replace(FINDING, path="metadata.deletionTimestamp"),
        replace(FINDING, path="]"),
    ],
)
def test_what_is_refused_has_no_command_that_changes_something(finding: Finding) -> None:
    assert replace(_commands(finding), look=None) == Commands()


def test_a_field_that_the_server_does_not_keep_is_not_set_again() -> None:
    typo = replace(FINDING, change=Change.REMOVED, live=None, note=f"{NOT_KEPT}; did you mean 'replicas'?")

    assert _commands(typo, source=FLUX).revert is None
    assert _commands(typo, source=FLUX).sync is None
    assert _commands(typo).keep is not None
    assert _commands(replace(typo, note=None)).revert is not None


def test_what_a_chart_renders_has_no_command_that_edits_it() -> None:
    assert _commands(source=HELM).keep is None
    assert _commands(source=replace(ARGOCD, built_as=SourceKind.HELM_CHART)).keep is None
    for read in (SourceKind.FILES, SourceKind.KUSTOMIZE, None):
        assert _commands(source=replace(ARGOCD, built_as=read)).keep is not None
    assert _commands(source=HELM).revert is not None
    assert _commands(source=FLUX).keep == f"drift adopt report.json {ID} --write"


def test_a_missing_object_is_not_created_from_a_file_that_may_hold_more() -> None:
    missing = replace(OBJECT, findings=(_changed(Change.MISSING),))
    encrypted = replace(missing, not_compared=(NotCompared("data", "encrypted with SOPS"),))
    generated = "apps/web.yaml:9: Job is not compared: it has generateName, so each sync creates another object"
    report = _report(missing)

    def revert(report: Report) -> str | None:
        commands = Advisor.of(report).commands(report.objects[0], report.objects[0].findings[0])
        return None if commands is None else commands.revert

    assert revert(report) == "kubectl create --filename=apps/web.yaml --namespace shop --context prod"
    assert revert(replace(report, notes=("apps/web.yaml.bak:1: x",))) is not None
    assert revert(replace(report, notes=(generated,))) is None
    assert revert(replace(report, shard=Shard(1, 2))) is None
    assert revert(_report(encrypted)) is None


def test_a_long_command_is_replaced_by_one_that_prints_it() -> None:
    assert _commands(replace(FINDING, desired="x" * 400)).revert == f"drift revert report.json {ID}"


def test_an_incomplete_report_and_one_on_several_clusters_only_have_commands_to_look() -> None:
    there = replace(OBJECT, cluster="west", findings=(FINDING,))
    clusters = (ClusterInfo("east", "https://1", "v1"), ClusterInfo("west", "https://2", "v1"))
    merged = replace(_report(there), cluster=None, clusters=clusters)
    incomplete = replace(_report(replace(there, cluster=None)), errors=("pods: may not be read",))

    assert Advisor.of(merged).commands(there, FINDING) == Commands(
        "kubectl get deployment.apps/web -n shop --context west -o yaml"
    )
    assert Advisor.of(merged).commands(replace(there, cluster="https://3"), FINDING) is None
    assert Advisor.of(incomplete).commands(incomplete.objects[0], FINDING) == Commands(
        "kubectl get deployment.apps/web -n shop --context prod -o yaml"
    )


@pytest.mark.parametrize("change", [Change.CHANGED, Change.MISSING, Change.UNMANAGED])
def test_a_shell_reads_hostile_names_and_values_as_one_word(change: Change) -> None:
    finding = replace(FINDING, change=change, id=HOSTILE, desired=HOSTILE, live=HOSTILE)
    finding = finding if change is Change.CHANGED else replace(finding, path="", pointer="")
    item = replace(OBJECT, key=ObjectKey("apps", HOSTILE, HOSTILE, HOSTILE), source=Source(HOSTILE, 1, 1), uid=HOSTILE)
    commands = _commands(finding, item, context=HOSTILE, saved=HOSTILE)

    found = [one for one in (commands.look, commands.keep, commands.revert) if one is not None]
    assert len(found) >= 2
    for command in found:
        # The words without the programs: a function takes the place of each.
        script = 'kubectl() { printf \'%s\\n\' "$@" >&2; }; drift() { kubectl "$@"; }; git() { kubectl "$@"; }\n'
        done = subprocess.run(["sh", "-c", script + command], capture_output=True, text=True, check=False)  # noqa: S607
        assert any(HOSTILE in word or json.dumps(HOSTILE)[1:-1] in word for word in done.stderr.splitlines())
        assert "touch: " not in done.stderr
        if change is not Change.UNMANAGED:
            assert done.stderr.splitlines() == shlex.split(command)[1:]


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\u202e", "x" * 2000])
def test_a_command_that_could_deceive_a_reader_is_not_shown(text: str) -> None:
    assert _commands(item=replace(OBJECT, key=ObjectKey("", text, "shop", "a"))).look is None
    assert _commands(saved=text).keep is None


def test_a_group_is_kept_or_reverted_by_one_command_unless_one_of_its_objects_cannot_be() -> None:
    findings = [replace(FINDING, id=f"{number:016x}") for number in range(3)]
    members = [
        (replace(OBJECT, key=replace(OBJECT.key, name=f"web-{number}"), findings=(found,)), found)
        for number, found in enumerate(findings)
    ]
    advisor = Advisor.of(_report(*(item for item, _ in members)), "r.json")
    ids = " ".join(found.id for found in findings)

    commands = advisor.commands_for_all(members)
    assert commands is not None
    assert commands.look is not None
    assert "deployment.apps/web-0" in commands.look
    assert (commands.keep, commands.revert) == (f"drift adopt r.json {ids} --write", f"drift revert r.json {ids}")
    generated = [*members[1:], (replace(members[0][0], source=None), findings[0])]
    assert getattr(advisor.commands_for_all(generated), "keep", "") is None
    many = [(OBJECT, replace(FINDING, id=f"{number:016x}")) for number in range(200)]
    assert advisor.commands_for_all(many) == Commands(commands.look.replace("web-0", "web"))


@pytest.mark.parametrize(
    ("api_version", "key", "is_reverted"),
    [
        ("v1", ObjectKey("", "ConfigMap", "shop", "notes"), True),
        ("v1", ObjectKey("", "Namespace", None, "shop"), False),
        ("v1", ObjectKey("", "PersistentVolumeClaim", "shop", "data"), False),
        (
            "apiextensions.k8s.io/v1",
            ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", None, "as.b.example.com"),
            False,
        ),
        ("argoproj.io/v1alpha1", ObjectKey("argoproj.io", "Application", "argocd", "shop"), False),
        *(
            (f"{group}/v1", ObjectKey(group, kind, "shop", "a"), False)
            for group, kind in (
                ("fluxcd.controlplane.io", "FluxInstance"),
                ("fluxcd.controlplane.io", "ResourceSet"),
                ("fluxcd.controlplane.io", "ResourceSetInputProvider"),
                ("helm.cattle.io", "HelmChart"),
                ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshot"),
                ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshotContent"),
            )
        ),
        # A kind of the same name in another group.
        ("example.com/v1", ObjectKey("example.com", "Application", "shop", "shop"), True),
    ],
)
def test_no_command_deletes_what_takes_other_objects_along(
    api_version: str, key: ObjectKey, *, is_reverted: bool
) -> None:
    item = replace(OBJECT, api_version=api_version, key=key, source=None, status=Status.UNMANAGED)

    assert (_commands(_changed(Change.UNMANAGED), item).revert is not None) is is_reverted


@pytest.mark.parametrize(
    ("policy", "is_reverted"),
    [
        (None, True),
        ({"whenScaled": "Delete"}, True),
        ({"whenDeleted": "Retain"}, True),
        ({"whenDeleted": "Delete"}, False),
    ],
)
def test_no_command_deletes_a_stateful_set_that_takes_its_claims_along(
    policy: dict[str, str] | None, *, is_reverted: bool
) -> None:
    key = ObjectKey("apps", "StatefulSet", "shop", "db")
    spec = {} if policy is None else {"persistentVolumeClaimRetentionPolicy": policy}
    item = replace(OBJECT, key=key, source=None, status=Status.UNMANAGED, manifest={"spec": spec})

    assert (_commands(_changed(Change.UNMANAGED), item).revert is not None) is is_reverted
    # The report does not say what it does with its claims.
    assert _commands(_changed(Change.UNMANAGED), replace(item, manifest=None)).revert is None


def test_what_a_report_does_not_show_of_an_object_counts() -> None:
    container = "spec.template.spec.containers[name=self]"
    key = replace(FINDING, change=Change.ADDED, path=f"{container}.name", cause=Cause.PENDING_SYNC)
    field = replace(FINDING, change=Change.ADDED, path=f"{container}.image", live="x:1")
    # The key is in a group with that of other objects, or another cause is chosen.
    shown = replace(OBJECT, findings=(field,))
    for findings, is_pending in (((key, field), True), ((field,), False)):
        advisor = Advisor.of(_report(replace(OBJECT, findings=findings)))
        commands = advisor.commands(shown, field)

        assert commands is not None
        assert (commands.revert is None, commands.keep is None) == (is_pending, is_pending)
        assert str(advisor.advice(shown, field)).startswith("sync, or" if is_pending else "remove it in the cluster")
