"""What a pull request changes, as Markdown."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rescan.review import LIMIT, main

# Simulates gh for the comments in a file, each with an id, a type of user and a body.
GH = """\
#!{python}
import json, pathlib, re, sys
call, file = sys.argv[1:], pathlib.Path("comments.json")
comments = json.loads(file.read_text())
if "--paginate" in call:
    marker = re.search(r'user.type == "Bot" and .*startswith\\("(.*)"\\)', call[call.index("--jq") + 1])[1]
    for number, user, body in comments:
        if user == "Bot" and body.startswith(marker):
            print(number)
    sys.exit()
path = next(word for word in call if word.startswith("repos/"))
body = pathlib.Path(next(word for word in call if word.startswith("body=@")).removeprefix("body=@")).read_text()
if "POST" in call:
    assert path == "repos/{{owner}}/{{repo}}/issues/5/comments", path
    comments.append([99, "Bot", body])
else:
    assert "PATCH" in call
    changed = int(path.removeprefix("repos/{{owner}}/{{repo}}/issues/comments/"))
    comments = [[number, user, body if number == changed else old] for number, user, old in comments]
file.write_text(json.dumps(comments))
"""


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


def test_the_workflow_keeps_one_comment_and_no_other_changes(repository: Path, tmp_path: Path) -> None:
    workflow = yaml.safe_load((repository / ".github/workflows/manifests.yml").read_text())
    (step,) = workflow["jobs"]["comment"]["steps"]
    program, file = tmp_path / "gh", tmp_path / "comments.json"
    program.write_text(GH.format(python=sys.executable))
    program.chmod(0o755)
    others = [[1, "User", "<!-- rescan: manifests -->"], [2, "Bot", "<!-- drift: prod -->"]]
    file.write_text(json.dumps(others))

    for review in ("first `$x`", "second"):
        environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NUMBER": "5", "REVIEW": review}
        # As GitHub runs a step without `shell`.
        subprocess.run(["bash", "-e", "-c", step["run"]], cwd=tmp_path, env=environment, check=True)  # noqa: S607
        expected = [*others, [99, "Bot", f"<!-- rescan: manifests -->\n{review}\n"]]
        assert json.loads(file.read_text()) == expected
