"""Without a folder for temporary files, each source ends in one line that says what to do."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from drift.errors import SourceError
from drift.sources.checkouts import Checkouts
from drift.sources.git import Git, copy_at, load_manifests_at
from drift.sources.kustomize import build
from drift.sources.programs import Program, Runner
from drift.sources.scratch import new_folder, temporary_file, temporary_folder
from tests.git import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "a.yaml").write_text("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}\n")
    (folder / "kustomization.yaml").write_text("resources: [a.yaml]\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=all")
    return folder


def _copy(repository: Path) -> None:
    with copy_at("HEAD", repository, Git()):
        pass


def _checkouts(repository: Path) -> None:
    with Checkouts([str(repository)]):
        pass


def _build(repository: Path) -> None:
    runner = Runner()
    vars(runner)["find"] = lambda *names: Program(names[0], "/bin/true")
    build(repository, runner)


@pytest.mark.parametrize(
    "read",
    [
        lambda repository: load_manifests_at("HEAD", [str(repository)]),
        _copy,
        _checkouts,
        _build,
        lambda _: Runner().run(Program("true", "/bin/true"), []),
    ],
    ids=["revision", "copy", "checkouts", "kustomize", "program"],
)
def test_without_a_temporary_folder_a_source_fails_in_one_line(
    read: Callable[[Path], object], repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read(repository)
    monkeypatch.setattr(tempfile, "tempdir", str(repository / "gone"))

    with pytest.raises(SourceError) as raised:
        read(repository)

    (line,) = raised.value.lines
    assert line == (
        "cannot create a temporary file: No such file or directory; set TMPDIR to a folder that drift may write to"
    )


def test_the_path_of_a_temporary_folder_has_no_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "link"))

    with temporary_folder() as folder, temporary_file() as file:
        assert folder.parent == new_folder().parent == tmp_path / "real"
        assert file.write(b"x") == 1

    assert not folder.exists()
