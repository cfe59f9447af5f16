"""A source of a Kustomization that follows a branch is read as it is checked out, any other at its commit."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.drift.sources.conftest import URL
from tests.drift.sources.synced_repository import CONFIG, SyncedRepository
from tests.git import git

#: Stands for a kustomize that builds a folder with one file, which is named by the kustomization that drift writes.
KUSTOMIZE = """#!/bin/sh
for root do :; done
found="$root/$(sed 's/.*"resources": \\["\\([^"]*\\)"\\].*/\\1/' "$root/kustomization.yaml")"
[ -f "$found" ] || found="$found/a.yaml"
cat "$found"
"""


class Repository(SyncedRepository):
    """What Flux says about it."""

    def report(
        self, ref: dict[str, str], kind: str = "GitRepository", artifact: Any = None, live: str = "1"
    ) -> tuple[int, list[Any], str]:
        """Returns the status, the path and cause of each finding, and the messages and notes of the report.

        Args:
            ref: What the source follows.
            kind: Its kind.
            artifact: What Flux downloaded.
            live: data.a in the cluster.
        """
        applied = {
            "lastAppliedRevision": f"main@sha1:{self.pinned}",
            "lastAttemptedRevision": f"main@sha1:{self.pinned}",
        }
        if kind == "OCIRepository":
            applied = {
                "lastAppliedRevision": "1.0.0@sha256:" + "0" * 64,
                "lastAppliedOriginRevision": f"main@sha1:{self.pinned}",
            }
        spec = {"path": "./dir", "prune": True, "interval": "5m", "sourceRef": {"kind": kind, "name": "apps"}}
        objects = [
            {
                "apiVersion": f"{group}.toolkit.fluxcd.io/v1",
                "kind": name,
                "metadata": {"name": "apps", "namespace": "flux-system"},
                **rest,
            }
            for group, name, rest in (
                ("source", kind, {"spec": {"url": URL, "ref": ref}, "status": {"artifact": artifact}}),
                ("kustomize", "Kustomization", {"spec": spec, "status": applied}),
            )
        ]
        documents = [CONFIG % live, *map(json.dumps, objects)]
        (self.root / ".git/live.yaml").write_text("\n---\n".join(documents))
        flags = ("--live", ".git/live.yaml", "--unmanaged", "off", "--output", "json=.git/report.json")
        code = main(["report", "--flux", "flux-system/apps", "--checkout", ".", *flags])
        report = json.loads((self.root / ".git/report.json").read_text())
        found = [(one["path"], one["cause"]) for item in report["objects"] for one in item["findings"]]
        return code, found, " ".join((*report["errors"], *report["notes"]))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    program, root = tmp_path / "bin/kustomize", tmp_path / "apps"
    program.parent.mkdir()
    program.write_text(KUSTOMIZE)
    program.chmod(0o755)
    root.mkdir()
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(root)
    return Repository(root)


PENDING = (1, [("data.a", "pending-sync")])


@pytest.mark.parametrize("ref", [{"branch": "main"}, {"name": "refs/heads/main"}, {"branch": "production"}])
def test_a_branch_is_read_as_it_is_checked_out(repository: Repository, ref: dict[str, str]) -> None:
    artifact = {"revision": f"main@sha1:{repository.pinned}"}

    assert repository.report(ref, artifact=artifact)[:2] == PENDING
    assert repository.report(ref, artifact=artifact, live="2")[:2] == (0, [])


def test_a_branch_that_the_checkout_does_not_know_is_named_unless_a_commit_is_checked_out(
    repository: Repository,
) -> None:
    note = "it follows the branch production, which "

    assert note in repository.report({"branch": "production"})[2]
    assert note not in repository.report({"branch": "main"})[2]
    git(repository.root, "checkout", "--quiet", "--detach")
    assert note not in repository.report({"branch": "production"})[2]


@pytest.mark.parametrize("ref", [{}, {"branch": ""}])
def test_a_source_that_names_nothing_follows_master(repository: Repository, ref: dict[str, str]) -> None:
    assert "it follows the branch master, which " in repository.report(ref, live="2")[2]

    git(repository.root, "branch", "master", repository.newest)
    git(repository.root, "checkout", "--quiet", "-b", "other", repository.pinned)
    repository.commit(3)
    code, found, notes = repository.report(ref)
    assert (code, found) == PENDING
    assert "it follows the branch master, and " in notes
    assert repository.report(ref, live="2")[:2] == (0, [])

    git(repository.root, "checkout", "--quiet", "master")
    code, found, notes = repository.report(ref, live="2")
    assert (code, found) == (0, [])
    assert "it follows the branch" not in notes


@pytest.mark.parametrize("ref", [{"branch": "prod"}, {"name": "refs/heads/prod", "branch": "main"}])
@pytest.mark.parametrize("where", ["refs/remotes/origin", "refs/heads"])
def test_a_branch_that_is_not_checked_out_is_read_at_its_newest_commit(
    repository: Repository, ref: dict[str, str], where: str
) -> None:
    git(repository.root, "checkout", "--quiet", "--detach", repository.pinned)
    git(repository.root, "update-ref", f"{where}/prod", repository.commit(3))
    git(repository.root, "checkout", "--quiet", "main")

    code, found, notes = repository.report(ref)
    assert (code, found) == PENDING
    assert "it follows the branch prod, and " in notes
    assert repository.report(ref, live="3")[:2] == (0, [])
    assert repository.report(ref, live="2")[0] == 1
    # A branch on top of it is what will be deployed.
    git(repository.root, "checkout", "--quiet", "-b", "pull-request", f"{where}/prod")
    repository.commit(4)
    assert repository.report(ref, live="4")[:2] == (0, [])


def test_a_branch_that_is_not_checked_out_is_pending_if_what_was_applied_is(repository: Repository) -> None:
    git(repository.root, "checkout", "--quiet", "-b", "other", repository.pinned)

    assert repository.report({"branch": "main"})[:2] == PENDING
    assert repository.report({"branch": "main"}, live="2")[:2] == (0, [])


@pytest.mark.parametrize("ours", ["origin", "upstream"])
def test_a_branch_is_that_of_the_repository_of_the_source(repository: Repository, ours: str) -> None:
    theirs = "bob" if ours == "origin" else "origin"
    git(repository.root, "config", "--rename-section", "remote.origin", f"remote.{ours}")
    git(repository.root, "remote", "add", theirs, "https://git.example.com/bob/apps")
    git(repository.root, "update-ref", f"refs/remotes/{ours}/main", repository.newest)
    git(repository.root, "checkout", "--quiet", "--detach")
    newer = repository.commit(9, "2026-11-30T10:00:00Z")
    for branch in ("main", "production"):
        git(repository.root, "update-ref", f"refs/remotes/{theirs}/{branch}", newer)
    git(repository.root, "checkout", "--quiet", "-b", "behind", repository.pinned)

    assert repository.report({"branch": "main"})[:2] == PENDING
    assert repository.report({"branch": "main"}, live="2")[:2] == (0, [])
    # It has that branch, but not from there.
    assert "it follows the branch production, which " in repository.report({"branch": "production"})[2]


def test_a_tag_is_read_at_the_commit_of_its_artifact(repository: Repository) -> None:
    artifact = {"revision": f"v1@sha1:{repository.pinned}"}

    assert repository.report({"tag": "v1"}, artifact=artifact)[:2] == (0, [])
    assert repository.report({"tag": "v1"}, artifact=artifact, live="2")[0] == 1
    code, _, message = repository.report({"tag": "v1"})
    assert code == 3
    assert "the commit of GitRepository apps is not known: it has no artifact" in message


@pytest.mark.parametrize("ref", [{"tag": "1.0.0"}, {"semver": "1.x"}, {"digest": "sha256:" + "0" * 64}])
@pytest.mark.parametrize("form", ["main@sha1:%s", "main/%s", "%s"])
def test_an_artifact_of_a_registry_is_read_at_the_commit_that_it_was_made_from(
    repository: Repository, ref: dict[str, str], form: str
) -> None:
    def report(live: str) -> tuple[int, list[Any]]:
        made_from = {"org.opencontainers.image.revision": form % repository.pinned}
        artifact = {"revision": "1.0.0@sha256:" + "0" * 64, "metadata": made_from}
        return repository.report(ref, "OCIRepository", artifact, live)[:2]

    assert report(live="1") == (0, [])
    assert report(live="2")[0] == 1


@pytest.mark.parametrize("ref", [{"tag": "1.0.0"}, {"semver": "1.x"}, {}])
@pytest.mark.parametrize("made_from", [None, "main@sha1:" + "0" * 40, "unknown"])
def test_an_artifact_of_a_registry_from_a_commit_that_is_not_here_is_read_as_it_is(
    repository: Repository, ref: dict[str, str], made_from: str | None
) -> None:
    artifact = {"metadata": None if made_from is None else {"org.opencontainers.image.revision": made_from}}

    assert repository.report(ref, "OCIRepository", artifact)[:2] == PENDING
    assert repository.report(ref, "OCIRepository", artifact, live="2")[:2] == (0, [])
