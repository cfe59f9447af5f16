"""Scopes depend on the cluster and the path in the repository, not on the checkout folder."""

import subprocess
from pathlib import Path

import pytest

from drift.errors import UsageError
from drift.history.scope import scope_of
from drift.model import ClusterInfo

PROD = ClusterInfo("prod", "https://prod.example.com", "v1.36.3")


def clone(folder: Path, origin: str | None) -> Path:
    (folder / "apps").mkdir(parents=True)
    commands = [["init", "--quiet"], *([["remote", "add", "origin", origin]] if origin is not None else [])]
    for command in commands:
        git = ["git", "-C", str(folder), *command]
        subprocess.run(git, check=True)
    return folder / "apps"


def name(path: Path | str, namespace: str = "shop") -> str:
    return scope_of(PROD, [str(path)], namespace, None).name


def test_clusters_have_different_scopes() -> None:
    assert scope_of(PROD, ["a"], "n", None) != scope_of(None, ["a"], "n", None)


def test_default_namespaces_and_paths_have_different_scopes(tmp_path: Path) -> None:
    assert len({name(tmp_path, "a"), name(tmp_path, "b"), name(tmp_path / "x", "a")}) == 3


def test_a_relative_path_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("dev", "prod"):
        (tmp_path / place).mkdir()
    monkeypatch.chdir(tmp_path / "dev")
    dev = name(".")
    monkeypatch.chdir(tmp_path / "prod")

    assert name(".") != dev
    assert name(".") == name(tmp_path / "prod") == name("../prod/")


@pytest.mark.parametrize(
    "origin",
    [
        "https://example.com/shop/gitops.git",
        "https://user:t0ken@example.com/shop/gitops",
        "git@example.com:shop/gitops.git",
        "ssh://git@example.com:2222/shop/gitops/",
    ],
)
def test_a_clone_is_identified_by_its_repository(origin: str, tmp_path: Path) -> None:
    assert name(clone(tmp_path / "build-17", origin)) == "shop/gitops:apps (namespace shop)"


def test_the_scope_does_not_contain_a_password_from_the_url(tmp_path: Path) -> None:
    assert "t0ken" not in name(clone(tmp_path / "a", "https://user:t0ken@example.com/gitops"))
    assert "t0ken" not in name(clone(tmp_path / "b", "https://t0ken@example.com/gitops"))


def test_a_work_tree_without_a_remote_is_identified_by_the_path_in_it(tmp_path: Path) -> None:
    apps = clone(tmp_path / "here", None)

    assert name(apps) == name(clone(tmp_path / "there", None)) == "apps (namespace shop)"
    assert name(apps.parent) == ". (namespace shop)"


def test_manifests_from_standard_input_need_a_scope_name() -> None:
    with pytest.raises(UsageError, match="add --history-scope NAME"):
        scope_of(PROD, ["-"], "n", None)

    assert scope_of(PROD, ["-"], "n", "prod").name == "prod"
