"""``drift completion``: real shells complete command lines with the printed scripts."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from drift.cli import main
from drift.report.formats import Format
from tests.drift.cli.terminal import on_terminal

FORMATS = sorted(Format)
CASES = [
    ("drift re", ["render", "report", "revert"]),
    ("drift report --outp", ["--output"]),
    ("drift report --output ", FORMATS),
    ("drift report --output js", ["json"]),
    ("drift report --output json=rep", ["report.json"]),
    ("drift report --unmanaged n", ["namespace"]),
    ("drift report man", ["manifests", "manual.txt"]),
    ("drift report --live man", ["manifests", "manual.txt"]),
    ("drift report --config dri", ["drift.yaml"]),
    ("drift render re", ["report.json"]),
    ("drift explain pending", ["pending-sync"]),
    ("drift completion z", ["zsh"]),
]


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    for name in ("manual.txt", "report.json", "report.txt", "drift.yaml"):
        (tmp_path / name).touch()
    return tmp_path


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    file = folder.parent / f"{folder.name}.{shell}"
    file.write_text(capsys.readouterr().out)
    return file


def run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


@needs("bash")
@pytest.mark.parametrize(("line", "completed"), CASES)
def test_bash_completes(line: str, completed: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Like readline, which makes the equals sign a word of its own.
    words = [word for word in re.split(r" |(=)", line) if word is not None]
    code = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}\n'
        "function=$(complete -p drift | sed 's/.*-F \\([^ ]*\\).*/\\1/')\n"
        '"$function" drift "${COMP_WORDS[COMP_CWORD]}"; printf "%s\\n" "${COMPREPLY[@]}"'
    )

    out = run(folder, "bash", "--norc", "-c", code, "bash", str(script("bash", folder, capsys)), *words)

    names = out.split()
    assert sorted(set(names) - {"report.txt"} if "=" in line else names) == completed


@needs("fish")
@pytest.mark.parametrize(("line", "completed"), CASES)
def test_fish_completes(line: str, completed: list[str], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = script("fish", folder, capsys)

    out = run(folder, "fish", "--no-config", "-c", f"source {file}; complete -C '{line}'")

    names = [each.partition("\t")[0].removeprefix("json=").removesuffix("/") for each in out.splitlines()]
    assert sorted(set(names) - {"report.txt"} if "=" in line else names) == completed


@needs("zsh")
def test_zsh_completes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = script("zsh", folder, capsys)

    with on_terminal(["zsh", "--no-rcs", "--interactive"], cwd=folder, env={"PS1": "$ ", "COLUMNS": "300"}) as shell:
        shell.type(f"autoload -Uz compinit && compinit -u -D && eval \"$(<{file})\" && echo rea''dy\n")
        shell.expect("ready")
        for typed, written in (
            ("drift repo", "drift report "),
            ("drift report --unm", "--unmanaged "),
            ("drift report --output js", "--output json"),
            ("drift report --output json=report.j", "json=report.json "),
            ("drift report manif", "manifests/"),
            ("drift explain pending", "pending-sync "),
        ):
            shell.type(f"{typed}\t")
            shell.expect(written)
            shell.type("\x15")  # clears the line


@pytest.mark.parametrize("shell", ["tcsh", "sh", ""])
def test_another_shell_is_a_usage_error(shell: str) -> None:
    with pytest.raises(SystemExit) as end:
        main(["completion", shell])

    assert end.value.code == 2
