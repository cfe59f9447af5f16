"""The commit of the manifests, and manifests at another revision."""

from pathlib import Path

import pytest

from drift.errors import UsageError
from drift.sources.git import manifests_info
from drift.sources.git_revision import load_manifests_at
from tests.git import git


def _config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "apps").mkdir(parents=True)
    (folder / "apps" / "a.yaml").write_text(_config_map("first"))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


def test_the_commit_of_a_clean_folder(repository: Path) -> None:
    info = manifests_info([str(repository / "apps")])

    assert (info.git_commit, info.git_dirty) == (git(repository, "rev-parse", "HEAD"), False)


def test_an_untracked_file_makes_the_folder_dirty(repository: Path) -> None:
    (repository / "apps" / "b.yaml").write_text(_config_map("second"))

    assert manifests_info([str(repository / "apps" / "a.yaml")]).git_dirty is False
    assert manifests_info([str(repository / "apps")]).git_dirty is True


@pytest.mark.parametrize("path", ["-", "."])
def test_without_a_work_tree_there_is_no_commit(path: str, tmp_path: Path) -> None:
    info = manifests_info([path if path == "-" else str(tmp_path)])

    assert (info.git_commit, info.git_dirty) == (None, None)


def test_manifests_are_read_at_a_revision(repository: Path) -> None:
    (repository / "apps" / "a.yaml").write_text(_config_map("second"))
    git(repository, "commit", "--quiet", "--all", "--message=second")

    then = load_manifests_at("HEAD~1", [str(repository / "apps")])

    assert [manifest.name for manifest in then.manifests] == ["first"]


def test_a_path_that_did_not_exist_had_no_manifests(repository: Path) -> None:
    (repository / "later").mkdir()
    (repository / "later" / "b.yaml").write_text(_config_map("b"))

    assert load_manifests_at("HEAD", [str(repository / "later")]).manifests == ()


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", "deadbeef"])
def test_an_unknown_revision_is_an_error(repository: Path, revision: str) -> None:
    with pytest.raises(UsageError, match=revision):
        load_manifests_at(revision, [str(repository / "apps")])


def test_a_folder_outside_of_git_has_no_revisions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a Git work tree"):
        load_manifests_at("HEAD", [str(tmp_path)])
