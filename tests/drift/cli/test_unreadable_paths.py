"""A path that the user names and that may not be looked at is one clear line, with exit status 2."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.errors import SourceError
from drift.sources.checkouts import Checkouts

LONG = "x" * 300
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"
#: The arguments with PATH in place of the path, and what the line begins with.
COMMANDS = {
    "report PATH": "PATH:",
    "report a.yaml PATH": "PATH:",
    "report PATH/kustomization.yaml": "PATH/kustomization.yaml:",
    "report PATH/Chart.yaml": "PATH/Chart.yaml:",
    "report PATH/chart.tgz": "PATH/chart.tgz:",
    "report PATH --synced-revision HEAD": "PATH:",
    "report --config sources.yaml": "PATH:",
    "report chart --values PATH": "--values PATH:",
    "report a.yaml --live PATH": "--live PATH:",
    "report a.yaml --audit-log PATH": "--audit-log: PATH",
    "watch PATH": "PATH:",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(CONFIG_MAP)
    Path("live.yaml").write_text(CONFIG_MAP)
    Path("chart").mkdir()
    Path("chart/Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")


def forbid(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets this account look at nothing in a folder, as the kernel does it for all but root."""

    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        def refuse(path: Any = ".", *arguments: Any, **options: Any) -> Any:
            if isinstance(path, str | Path) and folder in Path(os.path.abspath(path)).parents:  # noqa: PTH100
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return function(path, *arguments, **options)

        return refuse

    for name in ("stat", "lstat", "open", "scandir"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("reason", ["File name too long", "Permission denied"])
def test_a_path_that_may_not_be_looked_at_is_one_line(
    command: str, reason: str, stderr: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = LONG
    if reason == "Permission denied":
        Path("private/sub").mkdir(parents=True)
        path = "private/sub"
    Path("sources.yaml").write_text(f"sources: [{{path: {path}}}]\n")
    live = () if "watch" in command or "--live" in command else ("--live", "live.yaml")
    if reason == "Permission denied":
        forbid(Path("private").resolve(), monkeypatch)

    assert main([*command.replace("PATH", path).split(), *live]) == 2

    (line,) = stderr().splitlines()
    assert line.startswith(f"drift: {COMMANDS[command].replace('PATH', path)}")
    assert line.endswith(f"cannot be read: {reason}")


def test_a_name_with_a_nul_is_no_path(stderr: Callable[[], str]) -> None:
    Path("sources.yaml").write_text('sources: [{path: "a\\0b"}]\n')

    assert main(["report", "--config", "sources.yaml", "--live", "live.yaml"]) == 2

    assert stderr().endswith("no such file or folder\n")


@pytest.mark.parametrize("path", ["none", "a.yaml/none"])
def test_a_path_that_does_not_exist_says_so(path: str, stderr: Callable[[], str]) -> None:
    assert main(["report", path, "--live", "live.yaml"]) == 2

    assert stderr() == f"drift: {path}: no such file or folder\n"


def test_a_folder_of_a_checkout_that_may_not_be_looked_at_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("unpacked/private/sub").mkdir(parents=True)
    url = "https://git.example.com/acme/apps"
    forbid(Path("unpacked/private").resolve(), monkeypatch)

    with Checkouts([f"{url}=unpacked"]) as checkouts:
        tree = checkouts.find(url)
        with (
            pytest.raises(SourceError, match=r"private/sub: cannot be read: Permission denied"),
            checkouts.copy(tree, None),
        ):
            pass
