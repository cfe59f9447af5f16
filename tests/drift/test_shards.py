"""The shards of a scan, merged, are the scan: on a real API server, and for any objects in any namespaces."""

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
from drift.report.formats import Format
from drift.report.merge import merge
from drift.report.read_json import read_report
from drift.report.render import Style, render
from drift.scanning import Options, scan_manifests
from tests.drift.conftest import Application
from tests.drift.gitops.test_revisions import forget_revision, git, record_revision
from tests.drift.scanning.test_scan import INFO, Memory, body, manifests
from tests.drift.test_access import account
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

COUNTS = [1, 2, 3, 7]
#: What the service account may read: no Secrets, which makes the scan incomplete.
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
  - {kind: ConfigMap, name: nobody, path: "data.**", reason: covers nothing anywhere}
unchecked:
  - {kind: ServiceAccount, reason: on purpose}
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """Several namespaces with everything that a report can speak of."""

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
    """Six namespaces, synced by two owners, in which people and Git have moved on since; the tests only read them."""
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
    _sync_strays(workspace, names)
    configuration = workspace.scratch / "drift.yaml"
    configuration.write_text(SETTINGS)
    yield Fleet(workspace, account(workspace, READABLE), configuration)
    for owner in ("apps", "second"):
        forget_revision(cluster, owner)
    cluster.kubectl("delete", "clusterrole", own)
    cluster.kubectl("delete", "namespace", *names, "--wait=false")


def _namespaces(own: str) -> list[str]:
    """Six names, of which the first two share no shard, however many shards there are.

    Shards go by a hash of the name, and `own` is random: any six names may all fall to one shard.
    """
    others = (f"{own}-{number}" for number in itertools.count())
    apart = next(name for name in others if not any(_share_a_shard(own, name, count) for count in COUNTS[1:]))
    return [own, apart, *itertools.islice(others, 4)]


def _share_a_shard(one: str, other: str, count: int) -> bool:
    return any(Shard(index, count).owns(one) and Shard(index, count).owns(other) for index in range(1, count + 1))


def _kubectl(application: Application, namespace: str, *arguments: str) -> None:
    application.cluster.kubectl("--namespace", namespace, *arguments)


def _sync_strays(workspace: Application, names: list[str]) -> None:
    """Objects of owners that keep manifests in one namespace only, or none at all."""
    folder = workspace.scratch / "others"
    folder.mkdir()
    file = folder / "kept.yaml"
    # Of the manifests, the owner "second" keeps this one object, so what else it keeps is ours too, wherever it is.
    file.write_text(CONFIG.format(name="same", namespace=names[1]))
    sync(workspace.cluster, Syncer.FLUX, folder, owner="second")
    file.write_text("".join(CONFIG.format(name="of-second", namespace=name) for name in names))
    sync(workspace.cluster, Syncer.FLUX, folder, owner="second")
    file.write_text("".join(CONFIG.format(name="of-nobody", namespace=name) for name in names))
    sync(workspace.cluster, Syncer.FLUX, folder, owner="nobody")


@pytest.mark.parametrize("unmanaged", Unmanaged)
def test_shards_merged_are_the_whole_scan(fleet: Fleet, unmanaged: Unmanaged) -> None:
    status, whole = fleet.report("--unmanaged", unmanaged)

    assert status == 3
    assert {item.status for item in whole.objects} >= set(Status) - (
        {Status.UNMANAGED} if unmanaged is Unmanaged.OFF else set()
    )
    for count in COUNTS:
        shards, whole = _at_rest(fleet, unmanaged, count, whole)

        assert_same(merge(shards), whole)
        if count > 1:
            assert sum(bool(shard.objects) for shard in shards) > 1
            assert [shard.shard for shard in shards] == [Shard(index, count) for index in range(1, count + 1)]


def _at_rest(fleet: Fleet, unmanaged: Unmanaged, count: int, before: Report) -> tuple[list[Report], Report]:
    """The shards, and the whole, of a moment in which the cluster did not change: others are at work in it."""
    for _ in range(20):
        shards = [
            fleet.report("--unmanaged", unmanaged, "--shard", f"{index}/{count}")[1] for index in range(1, count + 1)
        ]
        after = fleet.report("--unmanaged", unmanaged)[1]
        if before.objects == after.objects:
            return shards, after
        before = after
    pytest.fail("the cluster does not come to rest")


def assert_same(merged: Report, whole: Report) -> None:
    """Every format has the same bytes, but for when and how the scan went."""
    timed = replace(
        merged,
        generated_at=whole.generated_at,
        duration_seconds=whole.duration_seconds,
        api_requests=whole.api_requests,
    )
    for form in Format:
        assert render(timed, form, Style()) == render(whole, form, Style())


def test_what_the_whole_has_to_say_is_the_same_in_each_shard(fleet: Fleet) -> None:
    whole = fleet.report()[1]
    said = {(item.key.name, finding.cause, finding.note) for item in whole.objects for finding in item.findings}

    # Tracking labels of an owner that owns manifests in one namespace only.
    assert any(name == "of-second" for name, _, _ in said)
    assert not any(name == "of-nobody" for name, _, _ in said)
    # The revision that was synced last, for objects that are not there to say by whom.
    assert {str(cause) for name, cause, _ in said if name == "not-synced-yet"} == {"pending-sync"}
    assert {str(cause) for name, cause, _ in said if name == "deleted"} == {"manual"}
    assert any("ignore rule 2" in note and "matched no finding" in note for note in whole.notes)


def test_a_shard_in_sync_asks_for_nothing_in_the_namespaces_of_others() -> None:
    bodies = [body("a", f"n{number}") for number in range(12)]
    shard = Shard(2, 5)
    source = Memory(*bodies)

    report = scan_manifests(
        manifests(*bodies), source, info=INFO, options=Options(unmanaged=Unmanaged.OFF, shard=shard)
    )

    mine = [one["metadata"]["namespace"] for one in bodies if shard.owns(one["metadata"]["namespace"])]
    assert 0 < len(mine) < len(bodies)
    assert sorted(str(item.key.namespace) for item in report.objects) == sorted(mine)
    assert source.asked == [f"get configmaps {name}/a" for name in mine]


NAMES = st.sampled_from("abcdef")
NAMESPACES = st.sampled_from(["", "one", "two", "three", "four", "five"])
OWNERS = st.sampled_from([None, "us", "them"])


@st.composite
def objects(draw: st.DrawFn) -> list[dict[str, Any]]:
    keys = draw(st.lists(st.tuples(NAMES, NAMESPACES), unique=True, max_size=14))
    made = []
    for name, namespace in keys:
        kind = draw(st.sampled_from(["ConfigMap", "Service"])) if namespace else "Namespace"
        one = body(name, namespace or None, kind, data={"key": draw(NAMES)})
        owner = draw(OWNERS)
        if owner is not None:
            one["metadata"]["labels"] = {"app.kubernetes.io/instance": owner, "argocd.argoproj.io/instance": owner}
        made.append(one)
    return made


@settings(deadline=None)
@given(desired=objects(), live=objects(), count=st.integers(2, 9), unmanaged=st.sampled_from(Unmanaged))
def test_any_shards_of_any_objects_are_the_whole(
    desired: list[dict[str, Any]], live: list[dict[str, Any]], count: int, unmanaged: Unmanaged
) -> None:
    def scan(shard: Shard) -> Report:
        options = Options(unmanaged=unmanaged, shard=shard)
        report = scan_manifests(manifests(*desired), Memory(*live), info=INFO, options=options)
        return replace(report, notes=tuple(sorted(set(report.notes))), shard=shard if shard.count > 1 else None)

    merged = merge([scan(Shard(index, count)) for index in range(1, count + 1)])

    assert_same(merged, scan(Shard()))
    assert merged.verdict is not Verdict.INCOMPLETE
