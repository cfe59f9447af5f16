"""Merging the reports of all shards gives the report of the whole scan."""

import itertools
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.cli import main
from drift.model import Report, Shard, Status, Unmanaged, Verdict
from drift.report.formats import Format, Style, render
from drift.report.json_report import read_report
from drift.report.merge import merge
from drift.scanning import Options, scan_manifests
from tests.drift.conftest import Application
from tests.drift.gitops.test_revisions import forget_revision, record_revision
from tests.drift.scanning.memory import INFO, Memory, body, manifests
from tests.drift.test_access import account
from tests.git import git
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

COUNTS = [1, 2, 3, 7]
#: The permissions of the service account. Secrets are left out, so the scan is incomplete.
READABLE = {
    "": ["configmaps", "namespaces", "serviceaccounts", "services"],
    "apps": ["deployments"],
    "kustomize.toolkit.fluxcd.io": ["kustomizations"],
    "rbac.authorization.k8s.io": ["clusterroles"],
}
CONFIG = (
    "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {namespace}}}\ndata: {{key: git}}\n"
)
SETTINGS = """\
ignore:
  - {kind: ConfigMap, name: ignored, path: "data.**", reason: not ours}
  - {kind: ConfigMap, name: no-such-object, path: "data.**", reason: matches no object}
unchecked:
  - {kind: ServiceAccount, reason: on purpose}
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Several namespaces with objects of every status."""

    application: Application
    kubeconfig: Path
    settings: Path

    def report(self, *flags: str, name: str = "report.json") -> tuple[int, Report]:
        file = self.application.scratch / name
        status = main(
            [
                *("report", str(self.application.manifests), "--kubeconfig", str(self.kubeconfig)),
                *("--config", str(self.settings), "--namespace", self.application.namespace),
                *("--output", f"json={file}", *flags),
            ]
        )
        return status, read_report(file.read_bytes(), name)


@pytest.fixture(scope="module")
def fleet(cluster: Cluster, custom_resources: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Six namespaces, synced by two owners, that people and Git have changed since. The tests only read them."""
    del custom_resources
    folder = tmp_path_factory.mktemp("fleet")
    (folder / "manifests").mkdir()
    own = f"fleet-{secrets.token_hex(4)}"
    workspace = Application(cluster, own, folder / "manifests", folder)
    names = _namespaces(own)
    for name in names:
        cluster.create_namespace(name)
    role = f"---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {{name: {own}}}\nrules: []\n"
    secret = f"---\napiVersion: v1\nkind: Secret\nmetadata: {{name: unread, namespace: {own}}}\n"
    account_manifest = f"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: chosen, namespace: {own}}}\n"
    everywhere = ("same", "changed", "deleted", "ignored", "gone-from-git")
    synced = "".join(CONFIG.format(name=name, namespace=namespace) for namespace in names for name in everywhere)
    workspace.write(synced + role + secret + account_manifest)
    git(workspace.manifests, "init", "--quiet")
    git(workspace.manifests, "add", "--all")
    git(workspace.manifests, "commit", "--quiet", "--message=synced")
    workspace.sync(Syncer.FLUX, owner="apps")
    for owner in ("apps", "second"):
        record_revision(cluster, owner, git(workspace.manifests, "rev-parse", "HEAD"))
    now = "".join(
        CONFIG.format(name=name, namespace=namespace)
        for namespace in names
        for name in (*everywhere[:-1], "not-synced-yet")
    )
    nowhere = f"---\napiVersion: example.com/v1\nkind: Nothing\nmetadata: {{name: a, namespace: {names[2]}}}\n"
    workspace.write(now + role + secret + account_manifest + nowhere)
    for number, name in enumerate(names):
        _kubectl(workspace, name, "delete", "configmap", "deleted")
        for changed in ("changed", "ignored")[: 1 + number % 2]:
            _kubectl(workspace, name, "patch", "configmap", changed, "--patch", '{"data": {"key": "live"}}')
        _kubectl(workspace, name, "create", "configmap", "by-hand")
    workspace.kubectl(
        "patch", "clusterrole", own, "--type=merge", "--patch", json.dumps({"metadata": {"labels": {"a": "b"}}})
    )
    _sync_unmanaged(workspace, names)
    configuration = workspace.scratch / "drift.yaml"
    configuration.write_text(SETTINGS)
    yield Fleet(workspace, account(workspace, READABLE), configuration)
    for owner in ("apps", "second"):
        forget_revision(cluster, owner)
    cluster.kubectl("delete", "clusterrole", own)


def _namespaces(own: str) -> list[str]:
    """Returns six names; the first two are in different shards, for each of the counts.

    A shard is chosen by a hash of the name, and `own` is random, so any six names could be in the same shard.
    """
    others = (f"{own}-{number}" for number in itertools.count())
    apart = next(name for name in others if not any(_share_a_shard(own, name, count) for count in COUNTS[1:]))
    return [own, apart, *itertools.islice(others, 4)]


def _share_a_shard(one: str, other: str, count: int) -> bool:
    return any(Shard(index, count).owns(one) and Shard(index, count).owns(other) for index in range(1, count + 1))


def _kubectl(application: Application, namespace: str, *arguments: str) -> None:
    application.cluster.kubectl("--namespace", namespace, *arguments)


def _sync_unmanaged(workspace: Application, names: list[str]) -> None:
    """Syncs objects of one owner that has a manifest in one namespace only, and of one that has none."""
    folder = workspace.scratch / "others"
    folder.mkdir()
    file = folder / "kept.yaml"
    # The owner "second" applies this one manifest, so its other objects belong to the manifests in all namespaces.
    file.write_text(CONFIG.format(name="same", namespace=names[1]))
    sync(workspace.cluster, Syncer.FLUX, folder, owner="second")
    file.write_text("".join(CONFIG.format(name="of-second", namespace=name) for name in names))
    sync(workspace.cluster, Syncer.FLUX, folder, owner="second")
    file.write_text("".join(CONFIG.format(name="of-unknown", namespace=name) for name in names))
    sync(workspace.cluster, Syncer.FLUX, folder, owner="unknown")


@pytest.mark.parametrize("unmanaged", Unmanaged)
def test_shards_merged_are_the_whole_scan(fleet: Fleet, unmanaged: Unmanaged) -> None:
    status, whole = fleet.report("--unmanaged", unmanaged)

    assert status == 3
    assert {item.status for item in whole.objects} >= set(Status) - (
        {Status.UNMANAGED} if unmanaged is Unmanaged.OFF else set()
    )
    # The whole cluster holds the objects of all tests before.
    for count in [3] if unmanaged is Unmanaged.CLUSTER else COUNTS:
        shards, whole = _unchanged_cluster(fleet, unmanaged, count, whole)

        assert_same(merge(shards), whole)
        if count > 1:
            assert sum(bool(shard.objects) for shard in shards) > 1
            assert [shard.shard for shard in shards] == [Shard(index, count) for index in range(1, count + 1)]


def _unchanged_cluster(fleet: Fleet, unmanaged: Unmanaged, count: int, before: Report) -> tuple[list[Report], Report]:
    """Returns the shards and the whole scan, taken while no other test changed the cluster."""
    for _ in range(20):
        shards = [
            fleet.report("--unmanaged", unmanaged, "--shard", f"{index}/{count}")[1] for index in range(1, count + 1)
        ]
        after = fleet.report("--unmanaged", unmanaged)[1]
        if before.objects == after.objects:
            return shards, after
        before = after
    pytest.fail("the cluster keeps changing")


def assert_same(merged: Report, whole: Report) -> None:
    """Compares the two in every format, except for time and number of requests."""
    timed = replace(
        merged,
        generated_at=whole.generated_at,
        duration_seconds=whole.duration_seconds,
        api_requests=whole.api_requests,
    )
    for form in Format:
        assert render(timed, form, Style()) == render(whole, form, Style())


def test_the_fleet_has_findings_that_depend_on_other_shards(fleet: Fleet) -> None:
    whole = fleet.report()[1]
    findings = {(item.key.name, finding.cause, finding.note) for item in whole.objects for finding in item.findings}

    # An owner that applies a manifest in one namespace only.
    assert any(name == "of-second" for name, _, _ in findings)
    assert not any(name == "of-unknown" for name, _, _ in findings)
    # Absent objects, whose cause depends on the last synced revision.
    assert {str(cause) for name, cause, _ in findings if name == "not-synced-yet"} == {"pending-sync"}
    assert {str(cause) for name, cause, _ in findings if name == "deleted"} == {"manual"}
    assert any("ignore rule 2" in note and "matched no finding" in note for note in whole.notes)


def test_a_shard_in_sync_reads_no_namespace_of_other_shards() -> None:
    bodies = [body("a", f"n{number}") for number in range(12)]
    shard = Shard(2, 5)
    source = Memory(*bodies)

    report = scan_manifests(
        manifests(*bodies), source, info=INFO, options=Options(unmanaged=Unmanaged.OFF, shard=shard)
    )

    own = [one["metadata"]["namespace"] for one in bodies if shard.owns(one["metadata"]["namespace"])]
    assert 0 < len(own) < len(bodies)
    assert sorted(str(item.key.namespace) for item in report.objects) == sorted(own)
    assert source.asked == [f"get configmaps {name}/a" for name in own]


NAMES = st.sampled_from("abcdef")
NAMESPACES = st.sampled_from(["", "one", "two", "three", "four", "five"])
OWNERS = st.sampled_from([None, "us", "them"])


@st.composite
def objects(draw: st.DrawFn) -> list[dict[str, Any]]:
    keys = draw(st.lists(st.tuples(NAMES, NAMESPACES), unique=True, max_size=14))
    bodies = []
    for name, namespace in keys:
        kind = draw(st.sampled_from(["ConfigMap", "Service"])) if namespace else "Namespace"
        one = body(name, namespace or None, kind, data={"key": draw(NAMES)})
        owner = draw(OWNERS)
        if owner is not None:
            one["metadata"]["labels"] = {"app.kubernetes.io/instance": owner, "argocd.argoproj.io/instance": owner}
        bodies.append(one)
    return bodies


@settings(deadline=None)
@given(desired=objects(), live=objects(), count=st.integers(2, 9), unmanaged=st.sampled_from(Unmanaged))
def test_merged_shards_of_any_objects_are_the_whole_scan(
    desired: list[dict[str, Any]], live: list[dict[str, Any]], count: int, unmanaged: Unmanaged
) -> None:
    def scan(shard: Shard | None) -> Report:
        options = Options(unmanaged=unmanaged, shard=shard)
        report = scan_manifests(manifests(*desired), Memory(*live), info=INFO, options=options)
        return replace(report, notes=tuple(sorted(set(report.notes))))

    merged = merge([scan(Shard(index, count)) for index in range(1, count + 1)])

    assert_same(merged, scan(None))
    assert merged.verdict is not Verdict.INCOMPLETE
