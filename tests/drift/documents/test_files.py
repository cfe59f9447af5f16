"""Special files: those that may never end are an error, pipes that the user names are read."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drift.cli import main
from drift.documents import files
from drift.documents.files import document_files, read_file
from drift.documents.parse import read_documents
from drift.globs import FileGlob
from tests.fuzz.limits import clear_errors_only

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"


@pytest.fixture
def endless(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with a file that may never end."""
    folder = tmp_path / "folder"
    folder.mkdir()
    target: str = request.param
    if target == "pipe":
        os.mkfifo(folder / "a.yaml")
    elif target == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        (folder / "a.yaml").symlink_to(tmp_path / "pipe")
    else:
        (folder / "a.yaml").symlink_to(target)
    return folder


ENDLESS = ["pipe", "link to a pipe", "/dev/zero", "/proc/self/status", "/dev/tty"]


@pytest.mark.parametrize("endless", ENDLESS, indirect=True)
def test_special_files_in_a_folder_are_an_error(endless: Path, stderr: Callable[[], str]) -> None:
    good = endless.parent / "good.yaml"
    good.write_text(MANIFEST)

    with clear_errors_only():
        for arguments in ([str(endless), "--live", str(good)], [str(good), "--live", str(endless)]):
            assert main(["report", *arguments]) == 2
            (line,) = stderr().splitlines()
            assert f"{endless / 'a.yaml'}: cannot be read: " in line


@pytest.mark.parametrize("endless", [name for name in ENDLESS if name != "pipe"], indirect=True)
def test_a_link_to_a_special_file_is_an_error(endless: Path, stderr: Callable[[], str]) -> None:
    named = str(endless / "a.yaml")
    good = endless.parent / "good.yaml"
    good.write_text(MANIFEST)

    with clear_errors_only():
        for arguments in ([named, "--live", str(good)], [str(good), "--live", named], [str(good), "--config", named]):
            assert main(["report", *arguments]) == 2
            assert "cannot be read: " in stderr()


def test_pipes_of_the_shell_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(MANIFEST)
    command = f"{sys.executable} -m drift report <(cat a.yaml) --live <(cat a.yaml)"

    done = subprocess.run(
        ["/bin/bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_named_pipe_is_read_if_the_user_names_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen(["/bin/sh", "-c", "echo a: 1 > pipe"], cwd=tmp_path)

    assert read_file(tmp_path / "pipe", named=True) == b"a: 1\n"
    assert writer.wait(timeout=600) == 0


def test_the_lock_of_an_editor_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".#a.yaml").symlink_to("nowhere")
    (tmp_path / "b.yaml").write_text("")

    assert document_files(tmp_path) == [tmp_path / "b.yaml"]


def test_another_broken_link_is_a_manifest_that_cannot_be_read(tmp_path: Path, stderr: Callable[[], str]) -> None:
    (tmp_path / "a.yaml").symlink_to("nowhere.yaml")
    (tmp_path / "b.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b, namespace: shop}\n")
    (tmp_path / "live.json").write_text('{"kind": "List", "items": []}')
    (tmp_path / "c").symlink_to("nowhere")

    status = main(["report", str(tmp_path), "--exclude", "live.json", "--live", f"{tmp_path}/live.json", "--quiet"])

    assert status == 2
    assert stderr() == f"drift: {tmp_path}/a.yaml: cannot be read: No such file or directory\n"


def test_links_to_folders_are_not_followed_and_a_note_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("apps/a.yaml", "shared/b.yaml", "apps/..2026/c.yaml", "apps/left-out/d.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n")
    Path("apps/shared").symlink_to("../shared")
    Path("apps/..data").symlink_to("..2026")
    Path("apps/excluded").symlink_to("left-out")

    status = main(["report", "apps", "--exclude=left-out", "--exclude=excluded", "--live=shared/b.yaml"])

    assert status == 0
    (note,) = [line for line in capsys.readouterr().out.splitlines() if "link" in line]
    assert note.startswith("note: as with kubectl, one link to a folder was not followed: apps/shared; ")


def test_folders_may_be_nested_deeper_than_calls(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(os.open("a.yaml", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    os.close(folder)

    try:
        assert [str(file.relative_to(tmp_path)) for file in document_files(tmp_path)] == ["d/" * 1200 + "a.yaml"]
    finally:
        # shutil.rmtree, with which pytest cleans up, is recursive.
        subprocess.run(["rm", "-r", str(tmp_path / "d")], check=True)  # noqa: S607


def test_folders_that_begin_with_a_dot_are_left_out(tmp_path: Path) -> None:
    for name in (".github/a.yaml", "..2026_11_29/b.yaml", "x/.git/c.yaml", ".d.yaml", "x/e.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "f.yaml").symlink_to("..2026_11_29/b.yaml")

    assert document_files(tmp_path) == [tmp_path / name for name in (".d.yaml", "f.yaml", "x/e.yaml")]
    assert document_files(tmp_path / ".github") == [tmp_path / ".github" / "a.yaml"]


@pytest.mark.parametrize(
    ("glob", "left"),
    [
        ("a.yaml", ["x/b.yaml", "x/y/c.yaml"]),
        ("x", ["a.yaml"]),
        ("x/", ["a.yaml"]),
        ("x/*.yaml", ["a.yaml", "x/y/a.yaml", "x/y/c.yaml"]),
        ("**/y/*", ["a.yaml", "x/a.yaml", "x/b.yaml"]),
        ("repo/x/y", ["a.yaml", "x/a.yaml", "x/b.yaml"]),
        ("./repo/x/?.yaml", ["a.yaml", "x/y/a.yaml", "x/y/c.yaml"]),
        ("y/c.yaml", ["a.yaml", "x/a.yaml", "x/b.yaml", "x/y/a.yaml", "x/y/c.yaml"]),
    ],
)
def test_a_glob_excludes_files_and_folders(
    glob: str, left: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.yaml", "x/a.yaml", "x/b.yaml", "x/y/a.yaml", "x/y/c.yaml"):
        (tmp_path / "repo" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repo" / name).write_text("")
    monkeypatch.chdir(tmp_path)

    assert document_files(Path("repo"), [FileGlob(glob)]) == [Path("repo", name) for name in left]


def test_a_glob_excludes_a_named_file_too() -> None:
    assert document_files(Path("apps/a.yaml"), [FileGlob("apps/*.yaml")]) == []


def test_a_file_that_is_too_large_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(files.MAX_FILE_BYTES + 1)
    with pytest.raises(OSError, match="larger than 1024 MiB"):
        read_file(tmp_path / "a.yaml")

    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    os.mkfifo(tmp_path / "pipe")
    with (
        subprocess.Popen(["/bin/sh", "-c", "exec 2>&-; yes > pipe"], cwd=tmp_path),
        pytest.raises(OSError, match="larger"),
    ):
        read_file(tmp_path / "pipe", named=True)


def test_reading_counts_against_the_deadline(tmp_path: Path, stderr: Callable[[], str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.yaml").write_text(MANIFEST)

    for arguments in (["pipe", "--live", "a.yaml"], ["a.yaml", "--live", "pipe"]):
        paths = [argument if argument.startswith("-") else str(tmp_path / argument) for argument in arguments]
        assert main(["report", *paths, "--deadline", "0.5s"]) == 3
        assert "could not be read within 0.5s; give it more time with --deadline" in stderr()


MANY = 200_000


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "1_" * MANY + "x",
        "a: " + "_1" * MANY + " x",
        "a: " + "[+1" * 4000 + "1" * MANY + " x",
        "a: +" + "1." * MANY + " x",
        "a: " + "1" * MANY + "x",
        "a: 0" + "0x" * MANY + "z",
        "a: 1" + "e1" * MANY + "x",
        "a: " + " " * MANY + "x",
        "---" + " " * MANY + "#",
        "1" * MANY + " " * MANY + "x: y",
    ],
)
def test_reading_time_does_not_grow_quadratically_with_the_line(text: str) -> None:
    with clear_errors_only(timed=True):
        list(read_documents(text.encode(), "a.yaml"))
