"""What a checkout of Flux or Argo CD lacks is read from Git, or else the report is incomplete."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.sources.checkouts import Checkouts
from tests.drift.sources.conftest import URL
from tests.git import git

SYNCED_AT = "2026-11-29T10:00:05Z"


def config(name: str, value: int = 1) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\ndata: {{a: '{value}'}}\n"


def argocd(commit: str, path: str = "apps", **options: Any) -> dict[str, Any]:
    source = {"repoURL": URL, "path": path, "targetRevision": "HEAD", **options}
    destination = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "gitops"},
        "spec": {"project": "default", "destination": destination, "source": source},
        "status": {"history": [{"id": 0, "deployedAt": SYNCED_AT, "source": source, "revision": commit}]},
    }


def flux(commit: str, **source: Any) -> list[dict[str, Any]]:
    metadata = {"name": "web", "namespace": "gitops"}
    applied = {"lastAppliedRevision": f"main@sha1:{commit}"}
    spec = {"path": "./apps", "prune": True, "interval": "5m", "sourceRef": {"kind": "GitRepository", "name": "web"}}
    return [
        {"apiVersion": f"{group}.toolkit.fluxcd.io/v1", "kind": kind, "metadata": metadata, **rest}
        for group, kind, rest in (
            ("source", "GitRepository", {"spec": {"url": URL, "interval": "5m", **source}}),
            ("kustomize", "Kustomization", {"spec": spec, "status": applied}),
        )
    ]


RECURSE: dict[str, Any] = {"directory": {"recurse": True}}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with two applications below ``apps``."""
    made = tmp_path / "origin"
    for name in ("web", "db"):
        (made / "apps" / name).mkdir(parents=True)
        (made / "apps" / name / f"{name}.yaml").write_text(config(name))
    (made / "apps/db/link.yml").symlink_to("../web/web.yaml")
    git(made, "init", "--quiet", "--initial-branch=main")
    git(made, "add", "--all")
    git(made, "commit", "--quiet", "--message=first")
    git(made, "config", "uploadpack.allowFilter", "true")
    monkeypatch.chdir(tmp_path)
    return made


def sparse(root: Path, *flags: str) -> str:
    """Clones a repository to ``clone`` with only one application, and returns the commit."""
    git(root.parent, "clone", "--quiet", "--sparse", *flags, f"file://{root}", "clone")
    git(Path("clone"), "sparse-checkout", "set", "apps/web")
    git(Path("clone"), "remote", "set-url", "origin", URL)
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands for a kustomize that builds what it finds."""
    program = tmp_path / "bin/kustomize"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nprintf '%s' \"{config('web')}\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def report(flag: str, *objects: dict[str, Any], db: int = 1) -> tuple[int, list[str], str]:
    """Returns the status, the objects with findings, and the messages of the sources."""
    live = [config("web"), config("db", db), *map(json.dumps, objects)]
    Path("live.yaml").write_text("\n---\n".join(live))
    flags = ("--checkout", "clone", "--live", "live.yaml", "--unmanaged", "off", "--output", "json=report.json")
    status = main(["report", flag, "gitops/web", *flags])
    found = json.loads(Path("report.json").read_text())
    names = [item["name"] for item in found["objects"] if item["findings"]]
    return status, names, " ".join(source["message"] or "" for source in found["sources"])


def test_a_file_outside_a_sparse_checkout_is_copied_from_git(root: Path) -> None:
    sparse(root)
    (root.parent / "clone/apps/web/new.yaml").write_text("new")

    with Checkouts(["clone"]) as checkouts, checkouts.copy(checkouts.find(URL), None) as copy:
        files = {file.relative_to(copy.root / "apps").as_posix(): file for file in copy.root.rglob("*.y*ml")}
        assert files.keys() == {"db/db.yaml", "db/link.yml", "web/new.yaml", "web/web.yaml"}
        assert files["db/db.yaml"].read_text() == config("db")
        assert files["db/link.yml"].read_text() == config("web")
        assert (copy.left_out, copy.missing) == ((), ())


def test_an_edit_of_what_a_sparse_checkout_leaves_out_is_reported_for_argocd(root: Path) -> None:
    (root / "apps/db/link.yml").unlink()
    git(root, "commit", "--quiet", "--all", "--message=second")
    application = argocd(sparse(root), **RECURSE)

    assert report("--argocd", application)[:2] == (0, [])
    assert report("--argocd", application, db=2)[:2] == (1, ["db"])


def test_an_edit_of_what_a_sparse_checkout_leaves_out_is_reported_for_flux(root: Path, kustomize: Path) -> None:
    del kustomize
    objects = flux(sparse(root))

    assert report("--flux", *objects)[:2] == (0, [])
    assert report("--flux", *objects, db=2)[:2] == (1, ["db"])


@pytest.mark.usefixtures("builder")
def test_what_a_partial_clone_lacks_is_a_failure_only_where_it_is_read(root: Path) -> None:
    commit = sparse(root, "--filter=blob:none")
    reason = "is outside the sparse checkout, and this partial clone does not have it"

    status, names, message = report("--argocd", argocd(commit, **RECURSE), db=2)
    assert (status, names) == (3, [])
    assert "db/db.yaml, db/link.yml below its path cannot be read; apps/db/db.yaml (and 1 more) " + reason in message
    status, names, message = report("--flux", *flux(commit), db=2)
    assert (status, names) == (3, [])
    assert reason in message
    # These do not read it.
    for application in (
        argocd(commit, "apps/web"),
        argocd(commit, directory={"recurse": True, "include": "web/*"}),
        argocd(commit, directory={"recurse": True, "exclude": "db/*"}),
    ):
        assert report("--argocd", application, db=2)[:2] == (0, [])


def test_values_that_may_be_missing_are_a_failure_if_only_the_checkout_lacks_them(root: Path) -> None:
    (root / "apps/web/Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message=chart")
    helm = {"valueFiles": ["/apps/db/db.yaml"], "ignoreMissingValueFiles": True}

    status, _, message = report("--argocd", argocd(sparse(root, "--filter=blob:none"), "apps/web", helm=helm))

    assert status == 3
    assert "the values file /apps/db/db.yaml cannot be read; apps/db/db.yaml (and 1 more) is outside" in message


def submodule(root: Path) -> str:
    """Adds a submodule to a repository, clones that to ``clone`` without the submodule, and returns the commit."""
    other = root.parent / "other"
    other.mkdir()
    (other / "db.yaml").write_text(config("db"))
    git(other, "init", "--quiet")
    git(other, "add", "--all")
    git(other, "commit", "--quiet", "--message=first")
    git(root, "rm", "--quiet", "-r", "apps/db")
    git(root, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(other), "apps/db")
    git(root, "commit", "--quiet", "--all", "--message=submodule")
    git(root.parent, "clone", "--quiet", f"file://{root}", "clone")
    git(Path("clone"), "remote", "set-url", "origin", URL)
    return git(root, "rev-parse", "HEAD")


@pytest.mark.usefixtures("builder")
def test_a_submodule_is_a_failure_only_where_it_is_read(root: Path) -> None:
    commit = submodule(root)

    status, names, message = report("--argocd", argocd(commit, **RECURSE), db=2)
    assert (status, names) == (3, [])
    assert "db/ below its path cannot be read; apps/db is a submodule" in message
    for path in ("apps", "apps/web"):
        assert report("--argocd", argocd(commit, path), db=2)[:2] == (0, [])

    # Flux leaves submodules out, unless the source says otherwise.
    assert report("--flux", *flux(commit), db=2)[:2] == (0, [])
    status, names, message = report("--flux", *flux(commit, recurseSubmodules=True), db=2)
    assert (status, names) == (3, [])
    assert "apps/db is a submodule" in message


def test_a_template_of_a_chart_in_a_submodule_is_a_failure(root: Path) -> None:
    (root / "apps/Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    git(root, "add", "--all")
    commit = submodule(root)

    status, _, message = report("--argocd", argocd(commit))

    assert status == 3
    assert "db/ below its path cannot be read" in message
