"""What a pull request changes, as Markdown."""

import subprocess
from pathlib import Path

import pytest

from rescan.review import LIMIT, main


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one manifest on `main`, and a branch of it checked out."""
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "tests")
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    (tmp_path / "dist").mkdir()
    (tmp_path / "dist/service.yaml").write_text("port: 3000\n")
    (tmp_path / "other.txt").write_text("1\n")
    git("add", ".")
    git("commit", "--quiet", "--message=first")
    git("checkout", "--quiet", "-b", "change")
    return tmp_path


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True)  # noqa: S607  # whichever Git there is


def test_changed_added_and_removed_files_are_listed_with_their_lines(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (checkout / "dist/service.yaml").write_text("port: 80\n")
    git("commit", "--quiet", "--all", "--message=second")
    (checkout / "dist/new.yaml").write_text("kind: Job\n")

    assert main(["main"]) == 0

    text = capsys.readouterr().out
    assert "2 changed:\n\n- added `dist/new.yaml`\n- changed `dist/service.yaml`\n" in text
    assert "-port: 3000\n+port: 80\n" in text
    assert "+kind: Job\n" in text
    staged = subprocess.run(["git", "diff", "--cached"], check=True, capture_output=True)  # noqa: S607
    assert staged.stdout == b"", "the index is the user's"


def test_what_happened_on_the_base_since_is_not_shown(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git("checkout", "--quiet", "main")
    (checkout / "dist/service.yaml").write_text("port: 1\n")
    git("commit", "--quiet", "--all", "--message=theirs")
    git("checkout", "--quiet", "change")

    main(["main"])

    assert "This changes no manifest." in capsys.readouterr().out


def test_no_change_of_a_manifest_is_said(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "other.txt").write_text("2\n")

    assert main(["main"]) == 0
    assert "This changes no manifest." in capsys.readouterr().out


def test_a_long_diff_is_cut_at_a_line_and_says_so(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "dist/long.yaml").write_text("".join(f"key-{number}: value\n" for number in range(20_000)))

    main(["main"])

    text = capsys.readouterr().out
    assert len(text) <= LIMIT
    assert "The diff is cut here, " in text
    assert text.endswith("</details>\n")


def test_backticks_in_a_value_do_not_end_the_block(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "dist/service.yaml").write_text("note: |\n  ```\n  # title\n")

    main(["main"])

    assert "````diff\n" in capsys.readouterr().out


def test_an_unknown_base_is_one_clear_line(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    del checkout

    assert main(["nowhere"]) == 2
    assert capsys.readouterr().err.startswith("git merge-base: fatal: Not a valid object name nowhere")
