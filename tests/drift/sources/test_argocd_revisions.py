"""A source of an Application that follows a branch is read as it is checked out, any other at its commit."""

import json
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.drift.sources.conftest import URL
from tests.drift.sources.synced_repository import CONFIG, SyncedRepository
from tests.git import git


class Repository(SyncedRepository):
    """What Argo CD says about it."""

    def report(
        self, *sources: dict[str, Any], compared: Any = None, live: str = "1", checkout: str = ".", hydrator: Any = None
    ) -> tuple[int, list[Any], str]:
        """Returns the status, the path and cause of each finding, and the messages of the sources.

        Args:
            sources: The sources of the Application.
            compared: The sources that Argo CD compared last, which it found at the pinned commit; None if it did not.
            live: data.a in the cluster.
            checkout: The checkout to name.
            hydrator: The sourceHydrator of the Application, which takes the place of its source.
        """
        destination = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
        revisions = [self.pinned] * len(sources)
        ours: dict[str, Any]
        recorded: dict[str, Any]
        if len(sources) == 1:
            ours, recorded = {"source": sources[0]}, {"source": sources[0], "revision": self.pinned}
        else:
            ours, recorded = {"sources": sources}, {"sources": sources, "revisions": revisions}
        status: dict[str, Any] = {"history": [{"id": 0, "deployedAt": "2026-11-29T10:00:05Z", **recorded}]}
        if compared is not None:
            key = {"source": compared} if len(sources) == 1 else {"sources": compared}
            status["sync"] = {"status": "Synced", "comparedTo": key, "revision": self.pinned}
            if len(sources) > 1:
                status["sync"] |= {"revision": "", "revisions": revisions}
        if hydrator is not None:
            ours = {"sourceHydrator": hydrator}
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "web", "namespace": "argocd"},
            "spec": {"project": "default", "destination": destination, **ours},
            "status": status,
        }
        (self.root / "live.yaml").write_text(f"{CONFIG % live}---\n{json.dumps(application)}\n")
        flags = ("--live", "live.yaml", "--unmanaged", "off", "--output", "json=report.json")
        code = main(["report", "--argocd", "argocd/web", "--checkout", checkout, *flags])
        report = json.loads((self.root / "report.json").read_text())
        found = [(one["path"], one["cause"]) for item in report["objects"] for one in item["findings"]]
        return code, found, " ".join(source["message"] or "" for source in report["sources"])


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    return Repository(tmp_path)


def source(revision: str, **more: Any) -> dict[str, Any]:
    return {"repoURL": URL, "path": "dir", "targetRevision": revision, **more}


@pytest.mark.parametrize("form", ["v1", "refs/tags/v1", "team/v1", "SHORT", "UPPER", "FULL"])
def test_a_pinned_source_is_read_at_its_commit(repository: Repository, form: str) -> None:
    for tag in ("v1", "team/v1"):
        git(repository.root, "tag", "--annotate", "--message=x", tag, repository.pinned)
    short = repository.pinned[:8]
    revision = {"SHORT": short, "UPPER": short.upper(), "FULL": repository.pinned}.get(form, form)

    assert repository.report(source(revision))[:2] == (0, [])
    assert repository.report(source(revision), live="2")[:2] == (1, [("data.a", "manual")])


@pytest.mark.parametrize("revision", ["", "HEAD", "main", "refs/heads/main", "v2", "release/1.x", "abcdef1"])
def test_a_source_that_follows_a_branch_is_read_as_it_is_checked_out(repository: Repository, revision: str) -> None:
    # As in Argo CD, a branch comes before a tag and before the beginning of a hash.
    git(repository.root, "tag", "v2", repository.pinned)
    for branch in ("v2", "release/1.x", "abcdef1"):
        git(repository.root, "update-ref", f"refs/remotes/origin/{branch}", repository.newest)
    compared = source(revision)

    assert repository.report(source(revision), compared=compared)[:2] == (1, [("data.a", "pending-sync")])
    assert repository.report(source(revision), compared=compared, live="2")[:2] == (0, [])


@pytest.mark.parametrize("revision", ["prod", "refs/heads/prod"])
@pytest.mark.parametrize("where", ["refs/remotes/origin", "refs/heads"])
def test_a_branch_that_is_not_checked_out_is_read_at_its_newest_commit(
    repository: Repository, revision: str, where: str
) -> None:
    git(repository.root, "checkout", "--quiet", "--detach", repository.pinned)
    git(repository.root, "update-ref", f"{where}/prod", repository.commit(3))
    git(repository.root, "checkout", "--quiet", "main")

    assert repository.report(source(revision))[:2] == (1, [("data.a", "pending-sync")])
    assert repository.report(source(revision), live="3")[:2] == (0, [])
    assert repository.report(source(revision), live="2")[0] == 1
    notes = json.loads((repository.root / "report.json").read_text())["notes"]
    assert any(note.startswith("Application argocd/web: it follows the branch prod, and ") for note in notes)
    # A branch on top of it is what will be deployed.
    git(repository.root, "checkout", "--quiet", "-b", "pull-request", f"{where}/prod")
    repository.commit(4)
    assert repository.report(source(revision), live="4")[:2] == (0, [])
    git(repository.root, "checkout", "--quiet", "--detach", "main")
    assert repository.report(source(revision), live="2")[:2] == (0, [])


@pytest.mark.parametrize("revision", ["", "HEAD"])
def test_the_default_branch_is_that_of_the_remote_repository(repository: Repository, revision: str) -> None:
    git(repository.root, "update-ref", "refs/remotes/origin/main", repository.newest)
    git(repository.root, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    git(repository.root, "checkout", "--quiet", "-b", "pull-request")
    repository.commit(3)
    assert repository.report(source(revision), live="3")[:2] == (0, [])

    git(repository.root, "checkout", "--quiet", "-b", "other", repository.pinned)
    repository.commit(4)

    assert repository.report(source(revision), live="2")[:2] == (0, [])
    assert repository.report(source(revision))[:2] == (1, [("data.a", "pending-sync")])
    # One that is behind its own remote branch is only to be updated.
    git(repository.root, "checkout", "--quiet", "main")
    git(repository.root, "reset", "--quiet", "--hard", repository.pinned)
    assert repository.report(source(revision))[:2] == (0, [])


@pytest.mark.parametrize("revision", ["main", "HEAD"])
@pytest.mark.parametrize("ours", ["origin", "upstream", "team/apps"])
def test_a_branch_is_that_of_the_repository_of_the_source(repository: Repository, revision: str, ours: str) -> None:
    git(repository.root, "config", "--rename-section", "remote.origin", f"remote.{ours}")
    git(repository.root, "update-ref", f"refs/remotes/{ours}/main", repository.newest)
    git(repository.root, "symbolic-ref", f"refs/remotes/{ours}/HEAD", f"refs/remotes/{ours}/main")
    git(repository.root, "checkout", "--quiet", "-b", "feature")
    repository.fork(9, "main", remote="bob" if ours == "origin" else "origin")
    # Checked out is what the source follows, so that nothing of the other person matters.
    assert repository.report(source(revision), live="2")[:2] == (0, [])

    repository.fork(8, "other", remote="bob" if ours == "origin" else "origin")
    git(repository.root, "checkout", "--quiet", "-b", "behind", repository.pinned)

    assert repository.report(source(revision), live="2")[:2] == (0, [])
    assert repository.report(source(revision))[:2] == (1, [("data.a", "pending-sync")])


@pytest.mark.parametrize("is_recorded", [True, False])
def test_a_repository_without_a_recorded_default_branch_has_that_of_its_fork(
    repository: Repository, *, is_recorded: bool
) -> None:
    git(repository.root, "config", "--rename-section", "remote.origin", "remote.upstream")
    git(repository.root, "update-ref", "refs/remotes/upstream/main", repository.newest)
    repository.fork(9, "main", remote="origin")
    git(repository.root, "checkout", "--quiet", "-b", "other", repository.pinned)
    repository.commit(4)
    assert repository.report(source("HEAD"), live="2")[:2] == (0, [])

    if is_recorded:
        # A name that is not recorded as that of another branch says nothing.
        git(repository.root, "update-ref", "--no-deref", "refs/remotes/upstream/HEAD", repository.newest)
        assert repository.report(source("HEAD"), live="2")[:2] == (0, [])
    else:
        git(repository.root, "symbolic-ref", "--delete", "refs/remotes/origin/HEAD")
        assert repository.report(source("HEAD"), live="4")[:2] == (0, [])


def test_a_branch_that_only_another_person_has_is_not_that_of_the_source(repository: Repository) -> None:
    git(repository.root, "tag", "prod", repository.pinned)
    repository.fork(9, "prod")

    assert repository.report(source("prod"))[:2] == (0, [])
    git(repository.root, "tag", "--delete", "prod")
    code, _, message = repository.report(source("prod"))
    assert (code, "its revision prod is not in the checkout" in message) == (3, True)


def test_in_a_checkout_of_a_mirror_origin_comes_first_and_then_any_remote(repository: Repository) -> None:
    mirrored = source("prod", repoURL="https://git.example.com/mirrored/apps")
    checkout = f"{mirrored['repoURL']}=."
    repository.fork(9, "prod")
    assert repository.report(mirrored, live="9", checkout=checkout)[:2] == (0, [])

    repository.fork(3, "prod", remote="origin")
    repository.fork(9, "prod")
    assert repository.report(mirrored, live="3", checkout=checkout)[:2] == (0, [])


@pytest.mark.parametrize("revision", ["v1", "refs/tags/v1", "v1.*", "feature", "refs/heads/feature", "0123456"])
def test_a_revision_that_the_checkout_lacks_is_read_as_argocd_found_it(repository: Repository, revision: str) -> None:
    git(repository.root, "update-ref", "refs/remotes/origin/team/v1", repository.newest)

    assert repository.report(source(revision), compared=source(revision))[:2] == (0, [])
    assert repository.report(source(revision), compared=source(revision), live="2")[0] == 1


@pytest.mark.parametrize("revision", ["main", "refs/heads/main", "production"])
def test_a_checkout_without_branches_is_read_as_it_is(repository: Repository, revision: str) -> None:
    git(repository.root, "checkout", "--quiet", "--detach")
    git(repository.root, "branch", "--quiet", "--delete", "--force", "main")

    assert repository.report(source(revision), compared=source(revision))[:2] == (1, [("data.a", "pending-sync")])


@pytest.mark.parametrize("revision", ["v1.2.3", "1.2", "refs/tags/main", "0123456"])
def test_in_a_checkout_without_branches_a_version_is_no_branch(repository: Repository, revision: str) -> None:
    git(repository.root, "checkout", "--quiet", "--detach")
    git(repository.root, "branch", "--quiet", "--delete", "--force", "main")

    assert repository.report(source(revision), compared=source(revision))[:2] == (0, [])


@pytest.mark.parametrize("compared", [None, source("v0")])
def test_a_revision_that_is_not_known_is_a_failure(repository: Repository, compared: Any) -> None:
    code, found, message = repository.report(source("v1"), compared=compared, live="2")

    assert (code, found) == (3, [])
    assert "its revision v1 is not in the checkout" in message
    assert f"git -C {repository.root} fetch --all --tags" in message
    assert "has not looked up yet" in repository.report(source("v1.*"), compared=compared)[2]


def test_values_of_a_revision_that_is_not_known_are_not_taken_from_the_work_tree(repository: Repository) -> None:
    (repository.root / "dir/Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    chart = source("main", helm={"valueFiles": ["$values/values.yaml"]})

    code, _, message = repository.report(chart, {"repoURL": URL, "targetRevision": "v9", "ref": "values"})

    assert code == 3
    assert "its revision v9 is not in the checkout" in message


@pytest.mark.parametrize("is_inside", [False, True])
def test_a_folder_that_is_no_work_tree_is_read_as_it_is(
    repository: Repository, tmp_path_factory: pytest.TempPathFactory, *, is_inside: bool
) -> None:
    unpacked = tmp_path_factory.mktemp("unpacked") if not is_inside else repository.root / "unpacked"
    unpacked.mkdir(exist_ok=True)
    (unpacked / "dir").mkdir()
    (unpacked / "dir/a.yaml").write_text(CONFIG % 1)
    url = "https://git.example.com/acme/unpacked"

    assert repository.report(source("v9", repoURL=url), checkout=f"{url}={unpacked}")[:2] == (0, [])


def hydrated(repository: Repository, live: str, *, compared: bool = False, **synced: str) -> tuple[int, list[Any], str]:
    """Reports an Application with hydrated manifests in the branch env/prod.

    Args:
        repository: The repository.
        live: data.a in the cluster.
        compared: Whether Argo CD has found the branch, at the pinned commit.
        synced: Fields of syncSource.
    """
    dry = {"repoURL": URL, "path": "charts/web", "targetRevision": "main"}
    hydrator = {"drySource": dry, "syncSource": {"targetBranch": "env/prod", "path": "dir", **synced}}
    ours = source("env/prod")
    return repository.report(ours, compared=ours if compared else None, live=live, hydrator=hydrator)


def test_hydrated_manifests_are_read_from_their_branch(repository: Repository) -> None:
    git(repository.root, "branch", "env/prod", repository.pinned)

    assert hydrated(repository, "1")[:2] == (0, [])
    assert hydrated(repository, "x")[:2] == (1, [("data.a", "manual")])
    assert hydrated(repository, "1", repoURL=URL)[:2] == (0, [])
    code, _, message = hydrated(repository, "1", repoURL="https://git.example.com/acme/hydrated")
    assert (code, "no local checkout of https://git.example.com/acme/hydrated" in message) == (3, True)

    git(repository.root, "branch", "--force", "env/prod", repository.newest)
    assert hydrated(repository, "1")[:2] == (1, [("data.a", "pending-sync")])


def test_a_branch_of_hydrated_manifests_is_read_as_it_was_fetched_or_checked_out(repository: Repository) -> None:
    git(repository.root, "branch", "env/prod", repository.newest)
    git(repository.root, "update-ref", "refs/remotes/origin/env/prod", repository.pinned)
    git(repository.root, "update-ref", "refs/remotes/fork/env/prod", repository.newest)
    assert hydrated(repository, "1")[:2] == (0, [])

    git(repository.root, "checkout", "--quiet", "env/prod")
    assert hydrated(repository, "1")[:2] == (1, [("data.a", "pending-sync")])
    (repository.root / "dir/a.yaml").write_text(CONFIG % 1)
    assert hydrated(repository, "1")[:2] == (0, [])


def test_a_branch_of_hydrated_manifests_is_that_of_the_repository_of_the_source(repository: Repository) -> None:
    git(repository.root, "config", "--rename-section", "remote.origin", "remote.upstream")
    git(repository.root, "update-ref", "refs/remotes/upstream/env/prod", repository.newest)
    repository.fork(1, "env/prod", remote="origin")

    assert hydrated(repository, "2")[:2] == (0, [])
    assert hydrated(repository, "1")[:2] == (1, [("data.a", "pending-sync")])


def test_a_branch_of_hydrated_manifests_that_is_behind_is_read_as_synced_last(repository: Repository) -> None:
    git(repository.root, "update-ref", "refs/remotes/origin/env/prod", repository.pinned)
    repository.pinned = repository.newest

    assert hydrated(repository, "2")[:2] == (0, [])
    assert hydrated(repository, "1")[:2] == (1, [("data.a", "manual")])


def test_in_a_checkout_without_branches_hydrated_manifests_are_not_those_they_are_made_from(
    repository: Repository,
) -> None:
    git(repository.root, "checkout", "--quiet", "--detach")
    git(repository.root, "branch", "--quiet", "--delete", "--force", "main")

    assert hydrated(repository, "1", compared=True)[:2] == (0, [])
    assert hydrated(repository, "2", compared=True)[:2] == (1, [("data.a", "manual")])
    code, found, message = hydrated(repository, "2")
    assert (code, found, "its revision env/prod is not in the checkout" in message) == (3, [], True)

    # Argo CD may not have seen the newest commit yet. This file is at the top of each commit that it hydrates.
    (repository.root / "hydrator.metadata").write_text("{}")
    assert hydrated(repository, "1", compared=True)[:2] == (1, [("data.a", "pending-sync")])
    (repository.root / "hydrator.metadata").unlink()
    git(repository.root, "checkout", "--quiet", repository.pinned)
    (repository.root / "dir/a.yaml").write_text(CONFIG % "3")
    assert hydrated(repository, "3", compared=True)[:2] == (0, [])


def test_an_application_without_a_repository_is_a_failure(repository: Repository) -> None:
    code, _, message = repository.report({"path": "dir"})

    assert (code, "it names no repository (spec.source.repoURL)" in message) == (3, True)
