"""With the last synced revision as the base, every difference has a cause."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drift.conftest import Application
from tests.drift.samples import deployment
from tests.git import git
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

CRDS = Path(__file__).parents[3] / "rescan" / "crds"
CONTAINER = "spec.template.spec.containers[name=web]"
THEN = deployment(
    spec="replicas: 2", container="resources: {limits: {cpu: 1}, requests: {cpu: 100m}}\nenv: [{name: A, value: a}]"
)
CONFIG = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: NAMESPACE}\ndata: {key: value}\n"


@pytest.fixture
def revision(workspace: Application) -> str:
    """The commit of what is synced; afterwards Git and the cluster both move on."""
    workspace.write(THEN + CONFIG % "kept" + CONFIG % "dropped" + CONFIG % "deleted")
    git(workspace.manifests, "init", "--quiet")
    git(workspace.manifests, "add", "--all")
    git(workspace.manifests, "commit", "--quiet", "--message=synced")
    workspace.sync(Syncer.FLUX, owner="apps")
    now = THEN.replace("nginx:1.29", "nginx:1.30").replace(
        "env: [{name: A, value: a}]", "env: [{name: A, value: a}, {name: B, value: b}]"
    )
    workspace.write(now + CONFIG % "kept" + CONFIG % "deleted" + CONFIG % "created")
    git(workspace.manifests, "commit", "--quiet", "--all", "--message=not synced yet")
    workspace.kubectl("delete", "configmap", "deleted")
    remove = [{"op": "remove", "path": "/spec/template/spec/containers/0/resources/limits"}]
    workspace.kubectl("patch", "deployment", "web", "--type=json", "--patch", json.dumps(remove))
    workspace.kubectl("scale", "deployment/web", "--replicas=4")
    return git(workspace.manifests, "rev-parse", "HEAD~1")


EXPECTED = [
    ("ConfigMap/created", "missing", "", "pending-sync"),
    ("ConfigMap/deleted", "missing", "", "manual"),
    ("ConfigMap/dropped", "unmanaged", "", "pending-sync"),
    ("Deployment/web", "changed", "spec.replicas", "manual"),
    ("Deployment/web", "removed", f"{CONTAINER}.env[name=B]", "pending-sync"),
    ("Deployment/web", "changed", f"{CONTAINER}.image", "pending-sync"),
    ("Deployment/web", "removed", f"{CONTAINER}.resources.limits", "manual"),
]


def test_a_given_revision_shows_the_cause(workspace: Application, revision: str) -> None:
    assert workspace.report("--synced-revision", revision).findings == EXPECTED


def test_without_a_revision_the_cause_is_unknown_if_server_side_apply_left_no_trace(
    workspace: Application, revision: str
) -> None:
    del revision

    causes = {(name, path): cause for name, _, path, cause in workspace.report().findings}

    assert causes[("Deployment/web", f"{CONTAINER}.resources.limits")] == "unknown"
    assert causes[("ConfigMap/deleted", "")] == "unknown"


@pytest.fixture
def flux(workspace: Application, revision: str) -> Iterator[None]:
    """A Kustomization that says what it synced last, as Flux's controller writes it."""
    sync(workspace.cluster, Syncer.FLUX, CRDS)
    record_revision(workspace.cluster, "apps", revision)
    yield
    forget_revision(workspace.cluster, "apps")


def record_revision(cluster: Cluster, name: str, revision: str) -> None:
    """Makes the Kustomization if need be, and has it say that it synced a revision."""
    kustomization = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": "flux-system"},
        "spec": {
            "interval": "10m",
            "path": "./",
            "prune": True,
            "sourceRef": {"kind": "GitRepository", "name": name},
        },
    }
    cluster.kubectl("create", "namespace", "flux-system", check=False)
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(kustomization))
    patch = {"status": {"lastAppliedRevision": f"main@sha1:{revision}"}}
    cluster.kubectl(
        *("--namespace=flux-system", "patch", "kustomization", name, "--type=merge"),
        *("--subresource=status", "--patch", json.dumps(patch)),
    )


def forget_revision(cluster: Cluster, name: str) -> None:
    """Deletes the Kustomization, which other tests that sync as the same owner would find."""
    cluster.kubectl("--namespace=flux-system", "delete", "kustomization", name)


@pytest.mark.usefixtures("flux")
def test_the_revision_that_flux_records_is_found(workspace: Application) -> None:
    found = workspace.report().findings

    # An object with Flux's tracking label that is not in Git should be pruned, without a revision too.
    assert found == EXPECTED


@pytest.mark.usefixtures("flux")
def test_a_recorded_revision_that_is_not_fetched_gives_a_note(workspace: Application) -> None:
    record_revision(workspace.cluster, "apps", "0" * 40)

    scanned = workspace.report()

    assert any("has no revision" in note and f"fetch origin {'0' * 40}" in note for note in scanned.document["notes"])


def test_a_revision_that_does_not_exist_is_one_clear_line(
    workspace: Application, revision: str, capsys: pytest.CaptureFixture[str]
) -> None:
    del revision
    with pytest.raises(FileNotFoundError):
        workspace.report("--synced-revision", "nowhere")

    assert "has no revision nowhere" in capsys.readouterr().err
