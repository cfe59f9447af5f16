"""Files from which Argo CD hydrates manifests are not compared with the commit of the hydrated ones."""

import json
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.git import git

URL = "https://git.example.com/acme/apps"
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop%s}\ndata: {a: '%s', b: '%s'}\n"
TRACKING = ", annotations: {'argocd.argoproj.io/tracking-id': 'web:/ConfigMap:shop/a'}"


class Repository:
    """A work tree on main with manifests in `dry`, and a branch env/prod with what is hydrated from its commits.

    What Argo CD synced last is data.a=1, data.b=1. Git then says data.b=2, which is not hydrated yet.
    """

    def __init__(self, root: Path, hydrated: str) -> None:
        self.root = root
        self.hydrated = hydrated
        git(root, "init", "--quiet", "--initial-branch=env/prod")
        git(root, "commit", "--quiet", "--allow-empty", "--message=start")
        self.synced = self.commit(f"{hydrated}/manifest.yaml", "1", "1")
        git(root, "checkout", "--quiet", "--orphan", "main")
        git(root, "rm", "--quiet", "-r", "--force", ".")
        self.dry = self.commit("dry/a.yaml", "1", "1")
        self.commit("dry/a.yaml", "1", "2")

    def commit(self, name: str, *data: str) -> str:
        (self.root / name).parent.mkdir(exist_ok=True)
        (self.root / name).write_text(CONFIG % ("", *data))
        git(self.root, "add", name)
        git(self.root, "commit", "--quiet", "--message=change")
        return git(self.root, "rev-parse", "HEAD")

    def report(
        self, *data: str, path: str = "dry", operation: dict[str, str] | None = None, is_hydrated: bool = True
    ) -> tuple[list[Any], list[str]]:
        """Returns the path and cause of each finding, and the notes on what was synced last.

        Args:
            data: data.a and data.b in the cluster.
            path: The files.
            operation: The last successful operation of the hydrator.
            is_hydrated: Whether Argo CD hydrates the manifests.
        """
        synced = {"repoURL": URL, "path": self.hydrated, "targetRevision": "env/prod"}
        dry = {"repoURL": URL, "path": "dry", "targetRevision": "main"}
        hydrator = {"drySource": dry, "syncSource": {"targetBranch": "env/prod", "path": self.hydrated}}
        entry = {"id": 0, "deployedAt": "2026-11-29T10:00:05Z", "source": synced, "revision": self.synced}
        application = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": "web", "namespace": "argocd"},
            "spec": {"sourceHydrator": hydrator} if is_hydrated else {"source": synced},
            "status": {"history": [entry], "sourceHydrator": {"lastSuccessfulOperation": operation or {}}},
        }
        live = CONFIG % (TRACKING, *data)
        (self.root / "live.yaml").write_text(f"{live}---\n{json.dumps(application)}\n")
        main(["report", path, "--live", "live.yaml", "--unmanaged", "off", "--output", "json=report.json"])
        report = json.loads((self.root / "report.json").read_text())
        found = [(one["path"], one["cause"]) for item in report["objects"] for one in item["findings"]]
        return found, [note for note in report["notes"] if "synced last" in note]


@pytest.fixture(params=["dry", "hydrated"])
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Repository:
    monkeypatch.chdir(tmp_path)
    return Repository(tmp_path, request.param)


@pytest.mark.parametrize("repository", ["hydrated"], indirect=True)
def test_an_edit_is_not_pending_because_the_hydrated_commit_lacks_the_file(repository: Repository) -> None:
    found, notes = repository.report("9", "2")

    assert found == [("data.a", "unknown")]
    why = f"it syncs what Argo CD hydrates, and {repository.synced[:12]} does not have these files in hydrated"
    assert notes == [f"cannot find out what Application argocd/web synced last: {why}"]
    assert repository.report("1", "2") == ([], [])


@pytest.mark.parametrize("repository", ["dry"], indirect=True)
def test_hydrated_manifests_in_the_same_path_are_what_was_synced(repository: Repository) -> None:
    assert repository.report("9", "1") == ([("data.a", "manual"), ("data.b", "pending-sync")], [])
    assert repository.report("1", "2") == ([], [])


@pytest.mark.parametrize("repository", ["hydrated"], indirect=True)
def test_the_commit_from_which_the_synced_one_was_hydrated_is_what_was_synced(repository: Repository) -> None:
    operation = {"drySHA": repository.dry, "hydratedSHA": repository.synced}

    assert repository.report("9", "1", operation=operation) == ([("data.a", "manual"), ("data.b", "pending-sync")], [])
    assert repository.report("1", "2", operation=operation) == ([], [])
    # It has hydrated another commit since.
    found, notes = repository.report("9", "2", operation={**operation, "hydratedSHA": "0" * 40})
    assert (found, len(notes)) == ([("data.a", "unknown")], 1)


@pytest.mark.parametrize("repository", ["hydrated"], indirect=True)
def test_a_checkout_behind_the_commit_that_was_hydrated_is_not_compared(repository: Repository) -> None:
    operation = {"drySHA": git(repository.root, "rev-parse", "main"), "hydratedSHA": repository.synced}
    git(repository.root, "checkout", "--quiet", repository.dry)

    found, [note] = repository.report("1", "2", operation=operation)
    assert (found, "the checkout is one commit behind" in note) == ([], True)
    assert repository.report("9", "2", operation=operation)[0] == [("data.a", "manual")]


def test_the_hydrated_files_themselves_are_compared_as_before(repository: Repository) -> None:
    git(repository.root, "checkout", "--quiet", "env/prod")
    repository.commit(f"{repository.hydrated}/manifest.yaml", "1", "2")
    operation = {"drySHA": repository.dry, "hydratedSHA": repository.synced}

    for is_hydrated in (True, False):
        found = repository.report("9", "1", path=repository.hydrated, operation=operation, is_hydrated=is_hydrated)
        assert found == ([("data.a", "manual"), ("data.b", "pending-sync")], [])
