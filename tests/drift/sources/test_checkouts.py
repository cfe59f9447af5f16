"""A repository is found by any form of its URL, and its files are copied without running anything of it."""

import os
import subprocess
from pathlib import Path

import pytest

from drift.errors import SourceError, UsageError
from drift.sources.checkouts import Checkouts, checkout_files, repository_id
from tests.git import git

URL = "https://github.com/acme/apps"


def repository(folder: Path, files: dict[str, str], remote: str = URL) -> str:
    """Creates a work tree with one commit, and returns that."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "--quiet")
    git(folder, "remote", "add", "origin", remote)
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=first")
    return git(folder, "rev-parse", "HEAD")


def files_in(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): file.read_text() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/acme/apps",
        "https://github.com/acme/apps.git",
        "https://github.com/acme/apps/",
        "https://user:password@GitHub.com/acme/apps.git",
        "http://github.com:80/acme/apps",
        "ssh://git@github.com/acme/apps.git",
        "ssh://git@github.com:22/acme/apps",
        "ssh://git@ssh.github.com:443/acme/apps.git",
        "git@github.com:acme/apps.git",
        "github.com:acme/apps",
        "git@github.com:/acme/apps",
    ],
)
def test_every_form_of_a_url_names_the_same_repository(url: str) -> None:
    assert repository_id(url) == ("github.com", "acme/apps")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("git@ssh.dev.azure.com:v3/org/project/apps", "https://org@dev.azure.com/org/project/_git/apps"),
        ("file:///srv/git/apps.git", "/srv/git/apps"),
        ("https://example.com/a%20b.git", "git@example.com:a b"),
    ],
)
def test_other_hosts_have_other_forms(one: str, other: str) -> None:
    assert repository_id(one) == repository_id(other)


@pytest.mark.parametrize(
    "url", ["https://gitlab.com/acme/apps", "https://github.com/acme/Apps", "https://github.com/apps"]
)
def test_another_host_or_path_is_another_repository(url: str) -> None:
    assert repository_id(url) != ("github.com", "acme/apps")


def test_a_work_tree_is_found_by_its_remotes_or_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = repository(tmp_path / "apps", {"a.yaml": "a", "below/b.yaml": "b"})
    git(tmp_path / "apps", "remote", "add", "fork", "git@example.com:someone/apps.git")
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/c.yaml").write_text("c")
    elsewhere = f"oci://registry.example.com/apps={tmp_path}/plain"

    with Checkouts([str(tmp_path / "apps/below"), elsewhere]) as checkouts:
        tree = checkouts.find("ssh://git@github.com/acme/apps")
        assert (tree.root, tree.commit, tree.is_dirty) == (tmp_path / "apps", commit, False)
        assert checkouts.find("https://example.com/someone/apps") == tree
        plain = checkouts.find("oci://registry.example.com/apps")
        assert plain.commit is None
        with checkouts.copy(plain, None) as copy:
            assert files_in(copy.root) == {"c.yaml": "c"}
        with pytest.raises(SourceError, match=r"^no local checkout of https://github.com/acme/other; .* --checkout"):
            checkouts.find("https://user:password@github.com/acme/other")

    monkeypatch.chdir(tmp_path / "apps/below")
    with Checkouts([]) as checkouts:
        assert checkouts.find(URL) == tree


def test_a_work_tree_is_found_by_a_url_that_insteadof_makes(tmp_path: Path) -> None:
    commit = repository(tmp_path / "apps", {"a.yaml": "a"}, remote="work:apps")
    git(tmp_path / "apps", "config", "url.https://github.com/acme/.insteadOf", "work:")
    git(tmp_path / "apps", "remote", "add", "bob", "https://github.com/bob/apps")
    git(tmp_path / "apps", "checkout", "--quiet", "--orphan", "other")
    git(tmp_path / "apps", "commit", "--quiet", "--message=other")
    for remote, newest in (("origin", commit), ("bob", "HEAD")):
        git(tmp_path / "apps", "update-ref", f"refs/remotes/{remote}/main", newest)

    with Checkouts([str(tmp_path / "apps")]) as checkouts:
        tree = checkouts.find(URL)
        assert checkouts.find("work:apps") == tree
        for url in (URL, "work:apps"):
            assert checkouts.other_branch(tree, "main", url) == commit


def test_of_several_remotes_of_a_repository_the_newest_commit_of_a_branch_counts(tmp_path: Path) -> None:
    apps = tmp_path / "apps"
    old = repository(apps, {"a.yaml": "a"})
    git(apps, "commit", "--quiet", "--allow-empty", "--message=second", when="2026-11-30T10:00:00Z")
    new = git(apps, "rev-parse", "HEAD")
    git(apps, "checkout", "--quiet", "--orphan", "other")
    git(apps, "commit", "--quiet", "--message=other")
    git(apps, "remote", "add", "ssh", "git@github.com:acme/apps.git")

    for commits in ((old, new), (new, old)):
        for remote, commit in zip(("origin", "ssh"), commits, strict=True):
            git(apps, "update-ref", f"refs/remotes/{remote}/main", commit)
        with Checkouts([str(apps)]) as checkouts:
            assert checkouts.other_branch(checkouts.find(URL), "main", URL) == new


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\u2029"])
def test_a_branch_with_any_name_that_git_allows_is_read(tmp_path: Path, separator: str) -> None:
    apps = tmp_path / "apps"
    commit = repository(apps, {"a.yaml": "a"})
    git(apps, "checkout", "--quiet", "--orphan", "other")
    git(apps, "commit", "--quiet", "--message=other")
    name = f"fix{separator}typo"
    git(apps, "update-ref", f"refs/remotes/origin/{name}", commit)

    with Checkouts([str(apps)]) as checkouts:
        assert checkouts.other_branch(checkouts.find(URL), name, URL) == commit


def test_a_folder_with_a_url_is_itself_and_not_the_work_tree_around_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository(tmp_path / "apps", {"a.yaml": "a", "charts/web/Chart.yaml": "c", ".gitignore": "*.tgz\n"})
    (tmp_path / "apps/charts/web/redis.tgz").write_text("r")
    (tmp_path / "current").symlink_to(tmp_path / "apps")
    monkeypatch.chdir(tmp_path / "apps/charts")
    charts, mirror = "https://charts.example.com", "https://git.example.com/mirror"

    with Checkouts(
        [f"{charts}=../charts/", f"{mirror}={tmp_path}/current", ".", "https://other.example.com=.."]
    ) as them:
        plain = them.find(charts)
        assert (plain.root, plain.commit) == (tmp_path / "apps/charts", None)
        with them.copy(plain, None) as copy:
            assert files_in(copy.root) == {"web/Chart.yaml": "c", "web/redis.tgz": "r"}
        for url in (mirror, URL, "https://other.example.com"):
            assert (them.find(url).root, them.find(url).commit) == (tmp_path / "apps", commit)

    Path("export").mkdir()
    with Checkouts([f"{URL}=export"]) as them:
        assert them.find(URL).root == tmp_path / "apps/charts/export"
    with Checkouts([f"{URL}=web"]) as them:
        assert (them.find(URL).root, them.find(URL).commit) == (tmp_path / "apps", commit)

    watched = {*checkout_files([f"{charts}=web"])}
    assert watched == {"web", "web/Chart.yaml", "web/redis.tgz"}
    assert {"../a.yaml"} < {*checkout_files([f"{mirror}=.."])}


@pytest.mark.parametrize("url", ["", f"{URL}=", "https://git.example.com/mirror="])
def test_a_checkout_that_git_does_not_read_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    repository(tmp_path, {"a.yaml": ""})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    argument = f"{url}{tmp_path}"
    with Checkouts([argument]) as checkouts, pytest.raises(UsageError, match="which another user owns") as error:
        checkouts.find(URL)
    assert str(error.value).startswith(f"--checkout {argument}: ")

    monkeypatch.setenv("PATH", "/none")
    with Checkouts([argument]) as checkouts, pytest.raises(UsageError, match="is not installed"):
        checkouts.find(URL)


def test_an_artifact_in_a_work_tree_that_git_does_not_read_is_a_plain_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(tmp_path, {"artifact/a.yaml": ""})
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    url = "oci://registry.example.com/apps"

    with Checkouts([f"{url}={tmp_path}/artifact"]) as checkouts:
        assert (checkouts.find(url).root, checkouts.find(url).commit) == (tmp_path / "artifact", None)


def test_a_checkout_that_is_none_is_an_error(tmp_path: Path) -> None:
    with Checkouts([str(tmp_path)]) as checkouts, pytest.raises(UsageError, match="is not a Git work tree"):
        checkouts.find(URL)
    with Checkouts([f"{URL}={tmp_path}/none"]) as checkouts, pytest.raises(UsageError, match="is not a folder"):
        checkouts.find(URL)


def test_a_copy_has_the_files_as_they_are_or_as_they_were(tmp_path: Path) -> None:
    first = repository(tmp_path / "apps", {"a.yaml": "old", "gone.yaml": "g", ".gitignore": "ignored.yaml\n"})
    (tmp_path / "apps/a.yaml").write_text("new")
    (tmp_path / "apps/gone.yaml").unlink()
    (tmp_path / "apps/ignored.yaml").write_text("i")
    (tmp_path / "apps/added.yaml").write_text("+")

    with Checkouts([str(tmp_path / "apps")]) as checkouts:
        tree = checkouts.find(URL)
        assert tree.is_dirty
        with checkouts.copy(tree, None) as now, checkouts.copy(tree, first) as then:
            assert files_in(now.root) == {"a.yaml": "new", "added.yaml": "+", ".gitignore": "ignored.yaml\n"}
            assert files_in(then.root) == {"a.yaml": "old", "gone.yaml": "g", ".gitignore": "ignored.yaml\n"}
            with checkouts.copy(tree, first) as other:
                assert other.root != then.root
        with checkouts.copy(tree, first) as again:
            assert again.root in {then.root, other.root}
    assert not any(copy.root.exists() for copy in (now, then, other))


def test_a_commit_that_is_not_there_is_an_error_with_the_command(tmp_path: Path) -> None:
    repository(tmp_path / "origin", {"a.yaml": "1"})
    missing = git(tmp_path / "origin", "rev-parse", "HEAD")
    (tmp_path / "origin/a.yaml").write_text("2")
    git(tmp_path / "origin", "commit", "--quiet", "--all", "--message=second")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{tmp_path}/origin", "shallow")

    with Checkouts([f"{URL}={tmp_path}/shallow"]) as checkouts:
        tree = checkouts.find(URL)
        message = f"`git -C {tmp_path}/shallow fetch origin {missing}` gets it"
        with pytest.raises(SourceError, match=message), checkouts.copy(tree, missing):
            pass


def test_commits_behind_are_counted(tmp_path: Path) -> None:
    first = repository(tmp_path / "apps", {"a.yaml": "1"})
    (tmp_path / "apps/a.yaml").write_text("2")
    git(tmp_path / "apps", "commit", "--quiet", "--all", "--message=second")
    second = git(tmp_path / "apps", "rev-parse", "HEAD")
    git(tmp_path / "apps", "checkout", "--quiet", first)

    with Checkouts([str(tmp_path / "apps")]) as checkouts:
        tree = checkouts.find(URL)
        assert checkouts.commits_behind(tree, second) == 1
        assert checkouts.commits_behind(tree, first) == 0


def test_links_out_of_the_repository_and_submodules_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    apps = tmp_path / "apps"
    repository(apps, {"a.yaml": "a", "lfs.yaml": "version https://git-lfs.github.com/spec/v1\noid sha256:0\n"})
    repository(tmp_path / "other", {"b.yaml": "b"})
    git(apps, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(tmp_path / "other"), "sub")
    (apps / "inside").symlink_to("a.yaml")
    (apps / "outside").symlink_to("../secret")
    (apps / "absolute").symlink_to(tmp_path / "secret")
    git(apps, "add", "--all")
    git(apps, "commit", "--quiet", "--message=links")
    head = git(apps, "rev-parse", "HEAD")

    with Checkouts([str(apps)]) as checkouts:
        tree = checkouts.find(URL)
        for commit in (None, head):
            with checkouts.copy(tree, commit) as copy:
                assert files_in(copy.root).keys() == {"a.yaml", "inside", "lfs.yaml", ".gitmodules"}
            assert "sub is a submodule" in copy.left_out
            assert "absolute (and 1 more) leads out of the repository" in copy.left_out
        with checkouts.copy(tree, head) as copy:
            assert "lfs.yaml is a pointer of Git LFS" in copy.left_out


def _object(repository: Path, kind: str, content: bytes) -> str:
    """Writes an object that Git would not write, and returns its hash."""
    command = ["git", "-C", str(repository), "hash-object", "-w", "-t", kind, "--literally", "--stdin"]
    return subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode().strip()


def _tree(repository: Path, *entries: tuple[str, str, str]) -> str:
    content = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(id_) for mode, name, id_ in entries)
    return _object(repository, "tree", content)


@pytest.mark.parametrize(
    "case",
    [
        "a link through a link",
        "a link and a folder",
        "a file and a folder",
        "..",
        ".git",
        "long",
        "NUL",
        "empty",
        "deep",
    ],
)
def test_a_tree_that_git_would_not_make_is_one_clear_error_and_writes_nothing_elsewhere(
    tmp_path: Path, case: str
) -> None:
    apps, outside = tmp_path / "apps", tmp_path / "outside"
    repository(apps, {"a.yaml": "a"})
    outside.mkdir()
    file = _object(apps, "blob", b"a")
    link, nul, empty = (_object(apps, "blob", content) for content in (str(outside).encode(), b"a\0b", b""))
    folder = _tree(apps, ("100644", "b.yaml", file))
    deep = folder
    for _ in range(210 if case == "deep" else 0):
        deep = _tree(apps, ("40000", "d", deep))
    tree = {
        "a link through a link": (
            ("120000", "a", link),
            ("40000", "a", _tree(apps, ("120000", "b.yaml", link))),
        ),
        "a link and a folder": (("120000", "a", link), ("40000", "a", folder)),
        "a file and a folder": (("100644", "a", file), ("40000", "a", folder)),
        "..": (("40000", "..", folder), ("100644", "a.yaml", file)),
        ".git": (("40000", ".git", folder), ("100644", "a.yaml", file)),
        "long": (("100644", "x" * 300, file),),
        "NUL": (("120000", "a.yaml", nul),),
        "empty": (("120000", "a.yaml", empty),),
        "deep": (("40000", "d", deep),),
    }[case]
    commit = git(apps, "commit-tree", _tree(apps, *tree), "-m", case)

    with Checkouts([str(apps)]) as checkouts:
        message = f"^{apps}: the files of the commit {commit} cannot be written: .*; `git -C {apps} fsck` checks them$"
        with pytest.raises(SourceError, match=message), checkouts.copy(checkouts.find(URL), commit):
            pass
    assert [*outside.iterdir()] == []


def test_a_link_in_place_of_a_tracked_folder_is_copied_alone(tmp_path: Path) -> None:
    apps = tmp_path / "apps"
    repository(apps, {"old/a.yaml": "a", "new/a.yaml": "b"})
    (apps / "old/a.yaml").unlink()
    (apps / "old").rmdir()
    (apps / "old").symlink_to("new")

    with Checkouts([str(apps)]) as checkouts, checkouts.copy(checkouts.find(URL), None) as copy:
        assert (copy.root / "old").readlink() == Path("new")
        assert (copy.root / "old/a.yaml").read_text() == "b"


def test_git_runs_nothing_of_the_repository(tmp_path: Path) -> None:
    apps = tmp_path / "apps"
    commit = repository(apps, {"a.yaml": "a", ".gitattributes": "*.yaml filter=evil diff=evil export-ignore\n"})
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    program.chmod(0o755)
    for key in ("filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv", "core.fsmonitor"):
        git(apps, "config", key, str(program))
    hooks = apps / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    for hook in ("post-checkout", "post-index-change"):
        (hooks / hook).symlink_to(program)
    os.utime(apps / "a.yaml", (0, 0))

    with Checkouts([str(apps)]) as checkouts:
        tree = checkouts.find(URL)
        for version in (None, commit):
            with checkouts.copy(tree, version) as copy:
                assert files_in(copy.root)["a.yaml"] == "a"
    assert not (tmp_path / "ran").exists()
