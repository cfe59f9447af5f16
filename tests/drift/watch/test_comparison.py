"""An event on an object is compared as a scan of everything compares the object, which knows all of them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from drift.api import read_manifests
from drift.config.settings import Settings
from drift.errors import RequestError
from drift.gitops.flux_values import ENCRYPTED_FILE
from drift.gitops.opt_outs import flux_ignores
from drift.kube.list_watch import Event, Listing, ListScope
from drift.kube.live import read_live
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo, ManifestsInfo, ObjectReport, SourceInfo, SourceKind, Status, Unmanaged
from drift.objects import Manifest
from drift.scanning.pairs import PairComparer, PairResult
from drift.scanning.plan import Pair
from drift.sources.git import Revisions
from drift.sources.load import load_texts
from drift.sources.model import Desired, Rendered, with_origin
from drift.sources.resolve import from_files
from drift.watch.comparison import Comparison, DesiredState
from drift.watch.reflector import Timing
from drift.watch.watched_cluster import ObjectChange, WatchedCluster
from tests.git import git

if TYPE_CHECKING:
    from drift.kube.api_server import ApiServer

VERBS = frozenset({"get", "list", "watch"})
KINDS = (
    Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=VERBS),
    Resource("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", namespaced=True, verbs=VERBS),
    Resource("", "v1", "Namespace", "namespaces", namespaced=False, verbs=VERBS),
    Resource("apps", "v1", "Deployment", "deployments", namespaced=True, verbs=VERBS),
    Resource("autoscaling", "v2", "HorizontalPodAutoscaler", "hpas", namespaced=True, verbs=VERBS),
    Resource("batch", "v1", "Job", "jobs", namespaced=True, verbs=VERBS),
    Resource("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations", namespaced=True, verbs=VERBS),
    Resource("argoproj.io", "v1alpha1", "Application", "applications", namespaced=True, verbs=VERBS),
)
INFO = ManifestsInfo(("manifests",), None, None)
INSTANCE = "app.kubernetes.io/instance"

Body = dict[str, Any]


class Silence:
    """A watch without events."""

    def __iter__(self) -> Iterator[Event]:
        return iter(())

    def stop(self) -> None:
        """Does nothing: the watch has ended already."""


class Server:
    """Has some objects. It never sends an event, because the tests do."""

    info = ClusterInfo(None, "https://server", "v1.36.3")
    resources = Resources(KINDS)
    default_namespace = "default"
    request_count = 0

    def __init__(self, bodies: Sequence[Body]) -> None:
        self.bodies = list(bodies)
        self.is_down = False

    def schema(self, resource: Resource) -> None:
        del resource

    def list_scope(self, place: ListScope, *, at_most: int | None = None) -> Listing:
        del at_most
        if self.is_down:
            raise RequestError("GET: 500", status=500, reason="InternalError")
        found = [
            body
            for body in self.bodies
            if body["kind"] == place.resource.kind
            and place.namespace in {None, body["metadata"].get("namespace")}
            and place.name in {None, body["metadata"]["name"]}
        ]
        return Listing(tuple(read_live(body, body["apiVersion"], body["kind"]) for body in found), "1")

    def watch(self, place: ListScope, version: str, *, seconds: int, idle_seconds: float) -> Silence:
        del place, version, seconds, idle_seconds
        return Silence()


def config_map(name: str, data: str = "1", **metadata: Any) -> Body:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _named(name, metadata), "data": {"a": data}}


def _named(name: str, metadata: Body) -> Body:
    return {"name": name, "namespace": "shop", **metadata}


def _fields(value: Any) -> Body:
    if not isinstance(value, dict):
        return {}
    return {f"f:{name}": _fields(below) for name, below in value.items() if name not in {"name", "namespace", "status"}}


def live(body: Body, manager: str = "kustomize-controller", **changed: Any) -> Body:
    """The live object after a manager has applied a manifest, and something in its metadata was changed."""
    content = {name: value for name, value in body.items() if name not in {"apiVersion", "kind"}}
    owned = {
        "manager": manager,
        "operation": "Apply",
        "apiVersion": body["apiVersion"],
        "fieldsV1": _fields(content | {"metadata": {**body["metadata"], **changed}}),
    }
    metadata = {**body["metadata"], **changed, "uid": body["metadata"]["name"], "resourceVersion": "1"}
    return {**body, "metadata": {**metadata, "managedFields": [owned]}}


def edited(body: Body, data: str, manager: str = "kubectl-edit") -> Body:
    entry = {"manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsV1": {"f:data": {"f:a": {}}}}
    metadata = body["metadata"] | {"managedFields": [*body["metadata"]["managedFields"], entry]}
    return {**body, "metadata": metadata, "data": {"a": data}}


def manifests(*bodies: Body, file: str = "a.yaml") -> tuple[Manifest, ...]:
    return load_texts([(file, "\n---\n".join(map(json.dumps, bodies)).encode())]).manifests


def source(found: Sequence[Manifest], name: str = "manifests", **rendered: Any) -> Rendered:
    kind = SourceKind.FILES if name == "manifests" else SourceKind.KUSTOMIZE
    return with_origin(Rendered(SourceInfo(kind, name), tuple(found), **rendered))


def state(*sources: Rendered) -> DesiredState:
    return DesiredState(Desired(sources), INFO, Settings(unmanaged=Unmanaged.OFF))


@contextmanager
def watched(server: Server, first_list_timeout: float = 60) -> Iterator[WatchedCluster]:
    timing = Timing(min_backoff=60, max_backoff=60, first_list_timeout=first_list_timeout)
    cluster = WatchedCluster(cast("ApiServer", server), timing, lambda _: None)
    try:
        yield cluster
    finally:
        cluster.stop()


def change(before: Body | None, after: Body | None) -> ObjectChange:
    body = after or before or {}
    resource = next(kind for kind in KINDS if kind.kind == body["kind"])
    objects = [None if one is None else read_live(one, one["apiVersion"], one["kind"]) for one in (before, after)]
    metadata = body["metadata"]
    return ObjectChange(ListScope(resource, None), metadata.get("namespace"), metadata["name"], *objects)


def by_event(comparison: Comparison, bodies: Sequence[Body]) -> list[ObjectReport]:
    """The reports after an event on each object that a manifest describes. An event does not change the object."""
    changes = [change(body, body) for body in bodies]
    return [item for one in changes if (item := comparison.compare_change(one)) is not None]


def by_scan(comparison: Comparison, *kept: str) -> list[ObjectReport]:
    """The reports of a scan, of all objects or some."""
    return [item for item in comparison.compare_all(lambda: None).objects if not kept or item.key.name in kept]


def _elsewhere() -> list[Body]:
    """Six objects in three namespaces without manifests."""
    return [
        live(config_map(f"{number}-{namespace}", namespace=namespace), "kubectl-create")
        for namespace in ("x", "y", "z")
        for number in range(2)
    ]


def test_objects_that_git_dropped_are_found_in_namespaces_without_manifests() -> None:
    bodies = _elsewhere()
    dropped = [one.key for one in manifests(*bodies)]
    former = manifests(*bodies[:3])
    for sources in (
        [source(manifests(*GIT), "one", applied=frozenset(dropped))],
        [source(manifests(*GIT), "one", base=former), source((), "two", base=manifests(*bodies[3:]))],
    ):
        desired = replace(state(*sources), settings=Settings(unmanaged=Unmanaged.NAMESPACE))
        with watched(Server([*bodies, *(live(body) for body in GIT)])) as cluster:
            found = by_scan(Comparison(desired, cluster))

        assert {item.key for item in found if item.status is Status.UNMANAGED} == {*dropped}
        assert all(item.digest for item in found if item.status is Status.UNMANAGED)


@pytest.mark.parametrize(("unmanaged", "found"), [(Unmanaged.CLUSTER, 6), (Unmanaged.NAMESPACE, 0)])
def test_unmanaged_objects_of_the_whole_cluster_are_read_whole(unmanaged: Unmanaged, found: int) -> None:
    desired = replace(state(source(manifests(*GIT))), settings=Settings(unmanaged=unmanaged))
    # No manifest is of this kind, so that the search reads only its metadata.
    claims = [{**body, "kind": "PersistentVolumeClaim"} for body in _elsewhere()]
    bodies = [*claims, *(live(body) for body in GIT)]
    with watched(Server(bodies)) as cluster:
        comparison = Comparison(desired, cluster)
        for _ in range(2):
            items = [item for item in by_scan(comparison) if item.status is Status.UNMANAGED]
            assert [item.manifest is not None and item.digest is not None for item in items] == [True] * found


NAMES = ("a", "b", "c")
GIT = [config_map(name) for name in NAMES]
LABEL = {"labels": {"example.com/app": "shop"}}


def _tracked(name: str) -> Body:
    return {"annotations": {"argocd.argoproj.io/tracking-id": f"shop:/ConfigMap:shop/{name}"}}


def _autoscaled() -> tuple[Body, Body, Body]:
    workload = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": 2},
    }
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "minReplicas": 1, "maxReplicas": 9},
    }
    scaled = live(workload) | {"spec": {"replicas": 5}}
    return workload, scaled, live(autoscaler, "kubectl-create")


def _application() -> Body:
    rule = {"kind": "ConfigMap", "name": "b", "jsonPointers": ["/data"]}
    spec = {"project": "default", "ignoreDifferences": [rule]}
    metadata = {"name": "shop", "namespace": "argocd"}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": metadata, "spec": spec}


WORKLOAD, SCALED, AUTOSCALER = _autoscaled()
APPLICATION = _application()
VARIED = {
    "a label of Argo CD that only all objects show": (
        GIT,
        [live(body, "argocd-controller", **LABEL) for body in GIT],
    ),
    "one label of a user beside Argo CD's annotations": (
        GIT,
        [
            live(GIT[0], "argocd-controller", labels={INSTANCE: "shop"}, **_tracked("a")),
            *(live(body, "argocd-controller", **_tracked(body["metadata"]["name"])) for body in GIT[1:]),
        ],
    ),
    "Argo CD's label beside its annotations": (
        GIT,
        [
            live(body, "argocd-controller", labels={INSTANCE: "shop"}, **_tracked(body["metadata"]["name"]))
            for body in GIT
        ],
    ),
    "an applier that only all objects show": (
        [config_map(name, "2") for name in NAMES],
        [live(body, "in-house-deployer") for body in GIT],
    ),
    "drift, and an ignored difference": (
        [*GIT, APPLICATION],
        [*(edited(live(body), "2") for body in GIT), live(APPLICATION)],
    ),
    "replicas that an autoscaler sets": ([WORKLOAD], [SCALED, AUTOSCALER]),
    "a name with a variable": (
        [*GIT, config_map("${name}")],
        [*(live(body) for body in GIT), live(config_map("${name}"))],
    ),
}


@pytest.mark.parametrize("case", VARIED)
def test_an_event_that_changes_nothing_gives_the_report_of_the_scan(case: str) -> None:
    git, bodies = VARIED[case]
    with watched(Server(bodies)) as cluster:
        comparison = Comparison(state(source(manifests(*git))), cluster)
        scanned = {item.key: item for item in by_scan(comparison)}
        touched = by_event(comparison, bodies)

    assert touched
    assert touched == [scanned[item.key] for item in touched]


@pytest.mark.parametrize("case", VARIED)
def test_the_same_event_gives_it_after_discovery_and_while_new_manifests_are_scanned(case: str) -> None:
    git, bodies = VARIED[case]
    desired = state(source(manifests(*git)))
    with watched(Server(bodies)) as cluster:
        first = Comparison(desired, cluster)
        scanned = {item.key: item for item in by_scan(first)}
        first.clear_cache()
        rediscovered = by_event(first, bodies)
        reloaded = by_event(Comparison(desired, cluster, None, first.inferred), bodies)

    assert rediscovered == reloaded == [scanned[item.key] for item in reloaded]


def test_the_label_of_argocd_is_no_drift_after_an_event_and_others_are() -> None:
    bodies = [live(body, "argocd-controller", **LABEL) for body in GIT]
    with watched(Server(bodies)) as cluster:
        comparison = Comparison(state(source(manifests(*GIT))), cluster)
        comparison.compare_all(lambda: None)
        more = live(GIT[0], "argocd-controller", labels={**LABEL["labels"], "by": "hand"})

        assert [item.findings for item in by_event(comparison, bodies)] == [(), (), ()]
        assert [finding.live for item in by_event(comparison, [more]) for finding in item.findings] == [{"by": "hand"}]


def test_an_event_on_an_object_that_is_defined_twice_only_makes_a_scan_due() -> None:
    found = [*manifests(*GIT), *manifests(config_map("b", "2"), file="b.yaml")]
    with watched(Server([live(body) for body in GIT])) as cluster:
        comparison = Comparison(state(source(found)), cluster)
        (scanned,) = by_scan(comparison, "b")
        touched = change(live(GIT[1]), edited(live(GIT[1]), "3"))

        assert "also defined in b.yaml" in str(scanned.reason)
        assert not comparison.has_manifest(touched)
        assert comparison.compare_change(touched) is None
        assert comparison.has_manifest(change(None, live(GIT[0])))


def test_an_object_of_two_sources_has_both_in_an_event() -> None:
    ignored, _ = flux_ignores("one", [{"paths": ["/data"]}])
    bodies = [edited(live(body), "2") for body in GIT]
    desired = state(source(manifests(*GIT), "one", ignore_differences=tuple(ignored)), source(manifests(*GIT), "two"))
    with watched(Server(bodies)) as cluster:
        comparison = Comparison(desired, cluster)
        scanned = by_scan(comparison)
        touched = by_event(comparison, bodies)

    assert touched == scanned
    assert {item.origins for item in touched} == {("one", "two")}
    assert all(finding.ignored is not None for item in touched for finding in item.findings)


def test_a_later_scan_uses_the_reports_of_objects_of_two_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = list[str]()
    compare = PairComparer._new_result  # noqa: SLF001

    def record(comparer: PairComparer, pair: Pair, *arguments: Any) -> PairResult:
        compared.append(pair.key.name)
        return compare(comparer, pair, *arguments)

    monkeypatch.setattr(PairComparer, "_new_result", record)
    desired = state(source(manifests(*GIT), "one"), source(manifests(*GIT[:2]), "two"))
    with watched(Server([live(body) for body in GIT])) as cluster:
        comparison = Comparison(desired, cluster)
        reports = [by_scan(comparison) for _ in range(3)]

    assert reports[0] == reports[1] == reports[2]
    assert sorted(compared) == [*NAMES]


def test_names_with_the_hash_of_an_encrypted_file_are_not_compared_in_an_event() -> None:
    (hashed,) = manifests(config_map("settings-bcdfghkmt2"))
    hashed = replace(hashed, content={**hashed.body, "data": {"a": ENCRYPTED_FILE}})
    mounts = config_map("mounts", "settings-bcdfghkmt2")
    bodies = [live(config_map("mounts", "settings-2456789bcd"))]
    with watched(Server(bodies)) as cluster:
        comparison = Comparison(state(source([hashed, *manifests(mounts)])), cluster)
        scanned = by_scan(comparison, "mounts")
        touched = by_event(comparison, bodies)

    assert touched == scanned
    assert [item.findings for item in touched] == [()]


def test_a_hook_that_is_deleted_is_missing_at_once_if_its_applier_runs_none() -> None:
    hook = config_map("hook", annotations={"helm.sh/hook": "pre-install"})
    others = [live(body) for body in GIT]
    with watched(Server([*others, live(hook)])) as cluster:
        comparison = Comparison(state(source(manifests(*GIT, hook))), cluster)
        comparison.compare_all(lambda: None)
        deleted = comparison.compare_change(change(live(hook), None))
    with watched(Server(others)) as cluster:
        (scanned,) = by_scan(Comparison(state(source(manifests(*GIT, hook))), cluster), "hook")

    assert deleted is not None
    assert deleted.findings
    assert (deleted.status, deleted.findings) == (scanned.status, scanned.findings)


def test_what_was_inferred_holds_while_the_cluster_is_out_of_reach() -> None:
    bodies = [live(body, "argocd-controller", **LABEL) for body in GIT]
    server = Server(bodies)
    with watched(server) as cluster:
        first = Comparison(state(source(manifests(*GIT))), cluster)
        first.compare_all(lambda: None)
        inferred = first.inferred
    server.is_down = True
    with watched(server, first_list_timeout=0) as cluster:
        comparison = Comparison(state(source(manifests(*GIT))), cluster, None, inferred)
        assert comparison.compare_all(lambda: None).errors
        assert [item.findings for item in by_event(comparison, bodies)] == [(), (), ()]


def test_a_new_object_that_argocd_labels_is_judged_by_the_settings_of_argocd() -> None:
    """Before, no object showed the label, so that the scan needed no settings."""
    settings = config_map("argocd-cm", namespace="argocd")
    settings["data"] = {"application.instanceLabelKey": "example.com/app"}
    body = live(GIT[0], "argocd-controller", **LABEL)
    with watched(Server([settings])) as cluster:
        comparison = Comparison(state(source(manifests(*GIT))), cluster)
        comparison.compare_all(lambda: None)
        created = comparison.compare_change(change(None, body))

    assert created is not None
    assert created.findings == ()


def test_a_kind_that_is_no_longer_served_has_no_result() -> None:
    body = {**config_map("a"), "apiVersion": "example.com/v1", "kind": "Widget"}
    widget = Resource("example.com", "v1", "Widget", "widgets", namespaced=True, verbs=VERBS)
    server = Server([])
    server.resources = Resources([*KINDS, widget])
    without_namespace = {**body, "metadata": {"name": "a"}}
    with watched(server) as cluster:
        comparison = Comparison(state(source(manifests(without_namespace))), cluster)
        comparison.compare_all(lambda: None)
        server.resources = Resources(KINDS)
        read = read_live(
            {**without_namespace, "metadata": {"name": "a", "namespace": "default"}}, "example.com/v1", "Widget"
        )

        assert comparison.compare_change(ObjectChange(ListScope(widget, None), "default", "a", None, read)) is None


@pytest.fixture
def checkout(tmp_path: Path) -> tuple[Path, str]:
    """A folder at the first of two commits, and the second commit, which was fetched and is live."""
    file = tmp_path / "a.yaml"
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    commits = []
    for data in ("1", "2"):
        file.write_text(json.dumps(config_map("a", data)))
        git(tmp_path, "add", "--all")
        git(tmp_path, "commit", "--quiet", f"--message={data}")
        commits.append(git(tmp_path, "rev-parse", "HEAD"))
    git(tmp_path, "update-ref", "refs/remotes/origin/main", commits[1])
    git(tmp_path, "reset", "--quiet", "--hard", commits[0])
    return tmp_path, commits[1]


def _synced_at(commit: str) -> list[Body]:
    """A ConfigMap, and the Kustomization that has synced it from a commit."""
    owner = {f"kustomize.toolkit.fluxcd.io/{name}": value for name, value in (("name", "shop"), ("namespace", "flux"))}
    kustomization = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "shop", "namespace": "flux"},
        "status": {f"last{what}Revision": f"main@sha1:{commit}" for what in ("Applied", "Attempted")},
    }
    return [live(config_map("a", "2"), labels=owner), kustomization]


def test_a_checkout_that_is_behind_is_compared_as_it_is_and_a_note_says_so(
    checkout: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, commit = checkout
    server = Server(_synced_at(commit))
    asked = list[str]()
    behind = Revisions.commits_behind

    def commits_behind(revisions: Revisions, revision: str) -> int:
        asked.append(revision)
        return behind(revisions, revision)

    monkeypatch.setattr(Revisions, "commits_behind", commits_behind)
    behind_what = f"{commit[:12]}, which Kustomization flux/shop synced last"
    note = f"the checkout is one commit behind {behind_what}; update the checkout"
    with watched(server) as cluster:
        comparison = Comparison(replace(state(), sources=from_files(read_manifests([folder]))), cluster)
        for _ in range(3):
            report = comparison.compare_all(lambda: None)
            assert [item.status for item in report.objects] == [Status.DRIFTED]
            assert note in report.notes
        # Scans may follow each other quickly, so that Git is not asked for each.
        assert len(asked) == 1

        git(folder, "merge", "--quiet", "--ff-only", commit)
        comparison.set_manifests_info(INFO)
        report = comparison.compare_all(lambda: None)
        assert not any("behind" in note for note in report.notes)


def test_a_checkout_of_what_was_synced_has_no_note(checkout: tuple[Path, str]) -> None:
    folder, _ = checkout
    with watched(Server(_synced_at(git(folder, "rev-parse", "HEAD")))) as cluster:
        desired = replace(state(), sources=from_files(read_manifests([folder])))
        assert not any("behind" in note for note in Comparison(desired, cluster).compare_all(lambda: None).notes)
