"""Annotations and ``ignoreDifferences`` that exempt an object from syncing, pruning or comparing are respected."""

import json
from dataclasses import replace
from typing import Any

import pytest

from drift.gitops.opt_outs import (
    apply_ignore_differences,
    apply_opt_outs,
    expected_absence,
    prune_opt_out,
    read_ignore_differences,
)
from drift.gitops.sync_record import application_record
from drift.model import Actor, Cause, Change, Finding, Severity
from drift.objects import Manifest, ObjectKey
from drift.sources.load import load_texts

CHANGED = Finding(
    id="0123456789abcdef",
    change=Change.CHANGED,
    path="spec.replicas",
    pointer="/spec/replicas",
    desired=1,
    live=2,
    redacted=False,
    cause=Cause.MANUAL,
    severity=Severity.MEDIUM,
)
FLUX = "kustomize.toolkit.fluxcd.io"
ARGOCD = "argocd.argoproj.io"


def _object(annotations: Any, **fields: Any) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations}, **fields}


@pytest.mark.parametrize(
    ("annotation", "value", "covered"),
    [
        (f"{FLUX}/reconcile", "disabled", set(Change)),
        (f"{FLUX}/reconcile", "Disabled", set(Change)),
        (f"{FLUX}/reconcile", "enabled", set()),
        (f"{FLUX}/ssa", "Ignore", set(Change)),
        # Flux prunes what it has created.
        (f"{FLUX}/ssa", "IfNotPresent", set(Change) - {Change.MISSING, Change.UNMANAGED}),
        (f"{FLUX}/ssa", "Merge", {Change.ADDED}),
        (f"{ARGOCD}/compare-options", "IgnoreExtraneous", {Change.UNMANAGED}),
        (f"{ARGOCD}/compare-options", "ServerSideDiff=true, IgnoreExtraneous", {Change.UNMANAGED}),
        ("example.com/reconcile", "disabled", set()),
    ],
)
@pytest.mark.parametrize("side", ["manifest", "live"])
def test_which_changes_an_annotation_covers(annotation: str, value: str, covered: set[Change], side: str) -> None:
    body = _object({annotation: value})
    manifest, live = (body, _object({})) if side == "manifest" else (_object({}), body)

    findings = apply_opt_outs(
        tuple(replace(CHANGED, change=change, cause=Cause.PENDING_SYNC) for change in Change), manifest, live
    )

    ignored = {finding.change for finding in findings if finding.ignored is not None}
    assert ignored == covered
    assert all(annotation in finding.ignored.rule for finding in findings if finding.ignored is not None)
    assert not any(finding.is_drift for finding in findings if finding.change in covered)


FLUX_HELM = "helm.toolkit.fluxcd.io"


def _managed(*managers: str, field: str = "annotations", **marks: str) -> dict[str, Any]:
    """A live object with these marks that managers wrote one after the other."""
    entries = [
        {"manager": manager, "operation": "Apply", "time": f"2026-01-01T00:00:0{number}Z", "fieldsV1": {"f:spec": {}}}
        for number, manager in enumerate(managers)
    ]
    return {"metadata": {field: marks, "managedFields": entries}}


@pytest.mark.parametrize(
    ("name", "value", "applier"),
    [
        (f"{FLUX}/reconcile", "disabled", "kustomize-controller"),
        (f"{FLUX}/ssa", "IfNotPresent", "kustomize-controller"),
        (f"{FLUX_HELM}/driftDetection", "disabled", "helm-controller"),
    ],
)
def test_only_the_applier_of_an_object_reads_its_opt_outs(name: str, value: str, applier: str) -> None:
    def is_ignored(*managers: str) -> bool:
        (found,) = apply_opt_outs((CHANGED,), None, _managed(*managers, **{name: value}))
        return found.ignored is not None

    assert is_ignored()
    assert is_ignored("kubectl-edit")
    assert is_ignored(applier, "kubectl-edit")
    # A command takes no object over.
    assert is_ignored(applier, "helm")
    assert is_ignored("argocd-controller", applier)
    assert not is_ignored("argocd-controller", "kubectl-edit")
    # Moved to Argo CD, which leaves what Flux owned.
    assert not is_ignored(applier, "argocd-controller", "kubectl-edit")


@pytest.mark.parametrize(
    ("applier", "is_kept"), [("argocd-controller", True), ("kustomize-controller", False), ("kubectl", True)]
)
def test_only_argocd_reads_its_own_opt_outs(applier: str, *, is_kept: bool) -> None:
    to_prune = replace(CHANGED, change=Change.UNMANAGED, cause=Cause.PENDING_SYNC)
    for name, value in ((f"{ARGOCD}/compare-options", "IgnoreExtraneous"), (f"{ARGOCD}/sync-options", "Prune=false")):
        (found,) = apply_opt_outs((to_prune,), None, _managed(applier, **{name: value}))

        assert (found.ignored is not None) is is_kept


@pytest.mark.parametrize(
    ("name", "value", "readers", "others"),
    [
        # For Argo CD it is `Delete=false`, not `Prune=false`: https://github.com/argoproj/argo-cd/issues/17819
        (
            "helm.sh/resource-policy",
            "keep",
            ("helm", "helm3", "terraform-provider-helm_v2.17.0_x5", "helm-controller", "fleetagent", "kluctl"),
            ("kustomize-controller", "flux", "argocd-controller", "kapp", "configsync.gke.io"),
        ),
        (
            "kapp.k14s.io/delete-strategy",
            "orphan",
            ("kapp", "kapp-server-side-apply"),
            ("kustomize-controller", "argocd-controller", "helm", "helm-controller"),
        ),
        (f"{FLUX}/prune", "disabled", ("kustomize-controller", "flux"), ("argocd-controller", "helm", "kapp")),
    ],
)
def test_only_an_applier_that_reads_an_annotation_keeps_an_object(
    name: str, value: str, readers: tuple[str, ...], others: tuple[str, ...]
) -> None:
    to_prune = replace(CHANGED, change=Change.UNMANAGED, cause=Cause.PENDING_SYNC)

    def keeps(applier: str) -> bool:
        live = _managed(applier, "kubectl-edit", **{name: value})
        (found,) = apply_opt_outs((to_prune,), None, live)
        assert (prune_opt_out(live) is not None) is (found.ignored is not None)
        return found.ignored is not None

    assert [applier for applier in readers if not keeps(applier)] == []
    assert [applier for applier in others if keeps(applier)] == []
    # A user may name any manager as the applier.
    assert keeps("our-pipeline")


@pytest.mark.parametrize("side", ["manifest", "live"])
def test_flux_reads_labels_too(side: str) -> None:
    marked, plain = _managed("kustomize-controller", field="labels", **{f"{FLUX}/reconcile": "Disabled"}), _object({})
    manifest, live = (marked, plain) if side == "manifest" else (plain, marked)

    (found,) = apply_opt_outs((CHANGED,), manifest, live)

    assert found.ignored is not None
    assert found.ignored.rule == f"label {FLUX}/reconcile: Disabled"
    kept = _managed("kustomize-controller", field="labels", **{f"{FLUX}/prune": "disabled"})
    assert prune_opt_out(kept) == f"{FLUX}/prune: disabled"
    argocd = _managed("argocd-controller", field="labels", **{f"{ARGOCD}/sync-options": "Prune=false"})
    assert prune_opt_out(argocd) is None


def test_a_label_does_not_hide_who_set_it() -> None:
    live = _managed("kustomize-controller", field="labels", **{f"{FLUX}/reconcile": "disabled"})
    added = replace(
        CHANGED, change=Change.ADDED, path=f'metadata.labels["{FLUX}/reconcile"]', desired=None, live="disabled"
    )

    assert apply_opt_outs((added,), None, live) == (added,)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (f"{FLUX}/reconcile", "disabled"),
        (f"{FLUX}/ssa", "Ignore"),
        (f"{ARGOCD}/compare-options", "IgnoreExtraneous"),
    ],
)
def test_an_annotation_does_not_hide_an_object_that_was_created_by_hand(annotation: str, value: str) -> None:
    live = _object({annotation: value})
    people = (Actor("kubectl-create", "Update", None, None),)
    by_hand = replace(CHANGED, change=Change.UNMANAGED, path="", actors=people)
    applied = replace(by_hand, actors=(*people, Actor("kustomize-controller", "Apply", None, None)))
    unknown = replace(by_hand, cause=Cause.UNKNOWN, actors=())

    assert apply_opt_outs((by_hand,), None, live) == (by_hand,)
    assert all(finding.ignored is not None for finding in apply_opt_outs((applied, unknown), None, live))


@pytest.mark.parametrize("change", [change for change in Change if change is not Change.UNMANAGED])
def test_an_edit_of_an_object_that_is_kept_when_git_drops_it_is_reported(change: Change) -> None:
    kept = {
        f"{ARGOCD}/sync-options": "Prune=false,Delete=false",
        f"{ARGOCD}/compare-options": "IgnoreExtraneous",
        f"{FLUX}/prune": "disabled",
    }
    edited = replace(CHANGED, change=change)
    dropped = replace(CHANGED, change=Change.UNMANAGED, path="", cause=Cause.PENDING_SYNC)

    assert apply_opt_outs((edited,), _object(kept), _object(kept)) == (edited,)
    assert all(finding.ignored is not None for finding in apply_opt_outs((dropped,), None, _object(kept)))


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (f"{FLUX}/prune", "disabled"),
        (f"{ARGOCD}/sync-options", "Prune=false"),
        (f"{ARGOCD}/sync-options", "Validate=false, Prune=confirm"),
        ("helm.sh/resource-policy", "keep"),
        ("kapp.k14s.io/delete-strategy", "orphan"),
    ],
)
def test_an_annotation_protects_an_object_from_pruning(annotation: str, value: str) -> None:
    live = _object({annotation: value})
    to_prune = tuple(replace(CHANGED, change=change, cause=Cause.PENDING_SYNC) for change in Change)
    by_hand = replace(CHANGED, change=Change.UNMANAGED, cause=Cause.MANUAL)

    ignored = [finding for finding in apply_opt_outs(to_prune, None, live) if finding.ignored is not None]

    assert [finding.change for finding in ignored] == [Change.UNMANAGED]
    assert prune_opt_out(live) == f"{annotation}: {value}"
    assert apply_opt_outs((by_hand,), None, live) == (by_hand,)


def test_what_applied_an_object_may_protect_it_unless_an_annotation_says_otherwise() -> None:
    finding = replace(CHANGED, change=Change.UNMANAGED, cause=Cause.PENDING_SYNC)
    setting = "Prune=false of Application argocd/web"
    other = {f"{ARGOCD}/sync-options": "ServerSideApply=true, Prune=true"}

    (ignored,) = apply_opt_outs((finding,), None, _object({}), setting)

    assert ignored.ignored is not None
    assert ignored.ignored.rule == setting
    assert prune_opt_out(_object({}), setting) == setting
    assert apply_opt_outs((CHANGED,), None, _object({}), setting) == (CHANGED,)
    assert prune_opt_out(_object(other), setting) is None
    assert apply_opt_outs((finding,), None, _object(other), setting) == (finding,)


@pytest.mark.parametrize(
    ("spec", "setting"),
    [
        ({"syncPolicy": {"syncOptions": ["CreateNamespace=true", "Prune=false"]}}, "Prune=false"),
        ({"syncPolicy": {"syncOptions": ["PruneLast=true"], "automated": {"prune": False}}}, None),
        ({"syncPolicy": None}, None),
    ],
)
def test_an_application_that_prunes_nothing_is_known(spec: Any, setting: str | None) -> None:
    assert application_record({"spec": spec}).keeps == setting


@pytest.mark.parametrize("value", ["Prune=true", "", "PruneLast=true", 7])
def test_another_sync_option_does_not_protect_from_pruning(value: object) -> None:
    live = _object({f"{ARGOCD}/sync-options": value})
    finding = replace(CHANGED, change=Change.UNMANAGED, cause=Cause.PENDING_SYNC)

    assert prune_opt_out(live) is None
    assert apply_opt_outs((finding,), None, live) == (finding,)


@pytest.mark.parametrize("annotations", [None, "nonsense", ["x"], {f"{FLUX}/reconcile": 7}])
def test_invalid_annotations_cover_nothing(annotations: Any) -> None:
    assert apply_opt_outs((CHANGED,), _object(annotations), None) == (CHANGED,)


@pytest.mark.parametrize("hook", [f"{ARGOCD}/hook", "helm.sh/hook"])
def test_a_hook_may_be_missing(hook: str) -> None:
    reason = expected_absence(_object({hook: "PreSync"}))

    assert reason is not None
    assert "hook" in reason


def test_a_crd_install_annotation_of_helm_2_does_not_make_a_hook() -> None:
    assert expected_absence(_object({"helm.sh/hook": "crd-install"})) is None


def test_a_job_may_be_missing_only_if_it_has_a_ttl() -> None:
    assert expected_absence(_object({}, kind="Job", spec={"ttlSecondsAfterFinished": 60})) is not None
    assert expected_absence(_object({}, kind="Job", spec={"ttlSecondsAfterFinished": 0})) is not None
    assert expected_absence(_object({}, kind="Job", spec={})) is None
    assert expected_absence(_object({}, kind="Deployment", spec={"ttlSecondsAfterFinished": 60})) is None


KEY = ObjectKey("apps", "Deployment", "shop", "web")
FINDING = Finding(
    id="0123456789abcdef",
    change=Change.CHANGED,
    path="spec.template.spec.containers[name=web].image",
    pointer="/spec/template/spec/containers/0/image",
    desired="a",
    live="b",
    redacted=False,
    cause=Cause.MANUAL,
    severity=Severity.HIGH,
    actors=(Actor("rollouts-controller", "Update", None, None),),
)


def _applications(*entries: Any, namespace: str | None = None) -> tuple[Manifest, ...]:
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": namespace},
        "spec": {"ignoreDifferences": list(entries)},
    }
    return load_texts([("app.json", json.dumps(body).encode())]).manifests


def _is_ignored(entry: dict[str, Any], finding: Finding = FINDING, key: ObjectKey = KEY) -> bool:
    entries, notes = read_ignore_differences(_applications(entry))
    assert notes == ()
    (found,) = apply_ignore_differences(key, (finding,), entries)
    return found.ignored is not None


@pytest.mark.parametrize(
    ("entry", "ignored"),
    [
        ({"group": "apps", "kind": "Deployment", "jsonPointers": [FINDING.pointer]}, True),
        ({"group": "*", "kind": "*", "jsonPointers": ["/spec/template"]}, True),
        ({"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/temp"]}, False),
        ({"group": "", "kind": "Deployment", "jsonPointers": [FINDING.pointer]}, False),
        ({"group": "apps", "kind": "StatefulSet", "jsonPointers": [FINDING.pointer]}, False),
        ({"group": "apps", "kind": "Deployment", "name": "web", "jsonPointers": [FINDING.pointer]}, True),
        ({"group": "apps", "kind": "Deployment", "name": "api", "jsonPointers": [FINDING.pointer]}, False),
        ({"group": "apps", "kind": "Deployment", "namespace": "bank", "jsonPointers": [FINDING.pointer]}, False),
        (
            {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.template.spec.containers[].image"]},
            True,
        ),
        (
            {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.template.spec.containers[]?.image"]},
            True,
        ),
        (
            {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.template.spec.containers[1].image"]},
            False,
        ),
        ({"group": "apps", "kind": "Deployment", "jqPathExpressions": ['.spec["template"]']}, True),
        ({"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["rollouts-controller"]}, True),
        ({"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["anyone-else"]}, False),
        ({"group": "apps", "kind": "Deployment"}, False),
    ],
)
def test_which_findings_an_entry_covers(entry: dict[str, Any], ignored: bool) -> None:
    assert _is_ignored(entry) is ignored


def _live(manager: str, **metadata: Any) -> dict[str, Any]:
    return {"metadata": {**metadata, "managedFields": [{"manager": manager, "operation": "Apply"}]}}


def _tracked(application: str) -> dict[str, Any]:
    tracking_id = f"{application}:apps/Deployment:shop/web"
    return _live("argocd-controller", annotations={f"{ARGOCD}/tracking-id": tracking_id})


@pytest.mark.parametrize(
    ("live", "namespace", "ignored"),
    [
        (_tracked("shop"), "argocd", True),
        (_tracked("shop"), None, True),
        (_tracked("team_shop"), "team", True),
        (_tracked("team_shop"), None, True),
        (_tracked("bank"), "argocd", False),
        (_tracked("shop2"), None, False),
        (_tracked("bank_shop"), "team", False),
        (_live("kustomize-controller", labels={f"{FLUX}/name": "web", f"{FLUX}/namespace": "flux"}), None, False),
        (_live("helm-controller", labels={"helm.toolkit.fluxcd.io/name": "web"}), None, False),
        (_live("argocd-controller", labels={f"{FLUX}/name": "web"}), None, True),
        (_live("argocd-controller", labels={"argocd.argoproj.io/instance": "web"}), None, False),
        (_live("argocd-controller", labels={"argocd.argoproj.io/instance": "shop"}), None, True),
        (_live("argocd-controller", labels={"argocd.argoproj.io/instance": "team_shop"}), None, True),
        (_live("argocd-controller", labels={"argocd.argoproj.io/instance": "team_shop"}), "team", True),
        (_live("argocd-controller", labels={"argocd.argoproj.io/instance": "bank_shop"}), "team", False),
        # The key of the tracking label is not known, so it may be this one.
        (_live("argocd-controller", labels={"app.kubernetes.io/instance": "web"}), None, False),
        (_live("argocd-controller", labels={"app": "bank"}), "argocd", True),
        # Argo CD did not write it, so that its label says nothing.
        (_live("kubectl", labels={"argocd.argoproj.io/instance": "web"}), None, True),
        (_live("kubectl"), None, True),
    ],
)
def test_an_application_in_git_ignores_nothing_of_another_ones_objects(
    live: dict[str, Any], namespace: str | None, ignored: bool
) -> None:
    applications = _applications({"group": "*", "kind": "*", "jsonPointers": ["/spec"]}, namespace=namespace)
    entries, _ = read_ignore_differences(applications)

    (found,) = apply_ignore_differences(KEY, (FINDING,), entries, (), live)

    assert (found.ignored is not None) is ignored


def test_the_label_of_an_application_may_have_any_key_and_is_truncated() -> None:
    long = "shop-" + "x" * 70
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": long, "namespace": "argocd"},
        "spec": {"ignoreDifferences": [{"group": "*", "kind": "*", "jsonPointers": ["/spec"]}]},
    }
    manifests = load_texts([("app.json", json.dumps(application).encode())]).manifests
    entries, _ = read_ignore_differences(manifests)

    def is_ignored(labels: dict[str, str], key: ObjectKey = KEY) -> bool:
        live = _live("argocd-controller", labels={"app.kubernetes.io/instance": "release", **labels})
        known = (*labels,) or ("app.kubernetes.io/instance",)
        (found,) = apply_ignore_differences(key, (FINDING,), entries, (), live, labels=lambda: known)
        return found.ignored is not None

    assert is_ignored({"example.com/app": long[:63]})
    assert not is_ignored({"example.com/app": "bank"})
    assert not is_ignored({})
    # Argo CD does not label it.
    assert is_ignored({}, ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", None, "as.example.com"))


def test_the_application_is_named() -> None:
    entries, _ = read_ignore_differences(_applications({"group": "*", "kind": "*", "jsonPointers": ["/spec"]}))

    (found,) = apply_ignore_differences(KEY, (FINDING,), entries)

    assert found.ignored is not None
    assert "Application shop" in found.ignored.reason


@pytest.mark.parametrize(("live", "ignored"), [({"a": "1"}, True), ({"a": "1", "b": "2"}, False)])
def test_an_added_part_is_covered_if_every_leaf_is(live: dict[str, str], ignored: bool) -> None:
    entry = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/metadata/annotations/a"]}
    added = replace(FINDING, change=Change.ADDED, pointer="/metadata/annotations", desired=None, live=live)

    assert _is_ignored(entry, added) is ignored


def test_a_finding_without_actors_matches_no_manager() -> None:
    entry = {"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["rollouts-controller"]}

    assert not _is_ignored(entry, replace(FINDING, actors=()))


def test_a_removed_field_matches_no_manager() -> None:
    entry = {"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["rollouts-controller"]}
    removed = replace(FINDING, change=Change.REMOVED)

    assert not _is_ignored(entry, removed)
    assert _is_ignored({**entry, "jsonPointers": [FINDING.pointer]}, removed)


def test_a_whole_object_is_never_covered_by_a_pointer() -> None:
    entry = {"group": "apps", "kind": "Deployment", "jsonPointers": [""]}

    assert not _is_ignored(entry, replace(FINDING, change=Change.MISSING, path="", pointer=""))


def test_a_note_names_a_jq_expression_that_is_more_than_a_path() -> None:
    expression = '.spec.template.spec.initContainers[] | select(.name == "proxy")'

    entries, notes = read_ignore_differences(
        _applications({"group": "apps", "kind": "Deployment", "jqPathExpressions": [expression]})
    )

    assert len(notes) == 1
    assert "is not supported" in notes[0]
    assert apply_ignore_differences(KEY, (FINDING,), entries) == (FINDING,)


@pytest.mark.parametrize("spec", [None, [], {"ignoreDifferences": None}, {"ignoreDifferences": ["x", None]}])
def test_an_invalid_application_covers_nothing(spec: Any) -> None:
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}, "spec": spec}
    manifests = load_texts([("app.json", json.dumps(body).encode())]).manifests

    assert read_ignore_differences(manifests) == ((), ())
