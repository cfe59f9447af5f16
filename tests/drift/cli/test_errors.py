"""Errors that a user can cause are one line that says what to do, with the documented exit status."""

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from drift.cli import main

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"


def _kubeconfig(folder: Path, server: str, user: dict[str, object] | None = None) -> str:
    file = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user or {}}],
    }
    file.write_text(json.dumps(content))
    return str(file)


@pytest.fixture
def manifest(tmp_path: Path) -> str:
    file = tmp_path / "manifest.yaml"
    file.write_text(CONFIG_MAP)
    return str(file)


@pytest.fixture
def fails(stderr: Callable[[], str]) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        status = main(["report", *arguments])
        lines = stderr().splitlines()
        assert len(lines) == 1, lines
        return status, lines[0]

    return run


Fails = Callable[..., tuple[int, str]]


def test_an_unreachable_cluster_exits_with_3(fails: Fails, manifest: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        server = f"http://127.0.0.1:{taken.getsockname()[1]}"
        status, line = fails(manifest, "--kubeconfig", _kubeconfig(tmp_path, server))

    assert status == 3
    assert (
        line == f"drift: {server}: the connection was refused; is the server running, and is this the right --context?"
    )


def test_no_kubeconfig_at_all_exits_with_3(fails: Fails, manifest: str) -> None:
    status, line = fails(manifest)

    assert status == 3
    assert "no kubeconfig found at /nonexistent/kubeconfig" in line


def test_a_missing_kubeconfig_exits_with_2(fails: Fails, manifest: str) -> None:
    assert fails(manifest, "--kubeconfig", "/nonexistent") == (2, "drift: --kubeconfig /nonexistent: no such file")


def test_a_kubeconfig_that_is_not_yaml_exits_with_3(fails: Fails, manifest: str, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text("a: [")

    status, line = fails(manifest, "--kubeconfig", str(file))

    assert status == 3
    assert "kubeconfig:2:1: did not find expected node content" in line


def test_a_failing_exec_plugin_exits_with_3(fails: Fails, manifest: str, tmp_path: Path) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/false", "interactiveMode": "Never"}

    status, line = fails(manifest, "--kubeconfig", _kubeconfig(tmp_path, "http://127.0.0.1:1", {"exec": plugin}))

    assert status == 3
    assert "no credentials" in line


def test_a_missing_folder_exits_with_2(fails: Fails) -> None:
    assert fails("nowhere") == (2, "drift: nowhere: no such file or folder")


def test_a_folder_without_manifests_exits_with_2(fails: Fails, tmp_path: Path) -> None:
    status, line = fails(str(tmp_path))

    assert status == 2
    assert line.startswith(f"drift: no manifest found in {tmp_path}")


def test_broken_yaml_exits_with_2_and_its_place(fails: Fails, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n bad: 1\n")

    status, line = fails(str(file))

    assert status == 2
    assert line.startswith(f"drift: {file}:5:2: ")


def test_a_missing_dump_exits_with_2(fails: Fails, manifest: str) -> None:
    assert fails(manifest, "--live", "nowhere") == (2, "drift: --live nowhere: no such file or folder")


def test_a_cluster_together_with_a_dump_exits_with_2(fails: Fails, manifest: str) -> None:
    status, line = fails(manifest, "--live", manifest, "--context", "prod")

    assert status == 2
    assert "--live" in line


def test_a_report_that_cannot_be_written_exits_with_2(fails: Fails, manifest: str) -> None:
    status, line = fails(manifest, "--live", manifest, "--output", "json=/nonexistent/report.json")

    assert status == 2
    assert line == "drift: --output json=/nonexistent/report.json: cannot be written: No such file or directory"


@pytest.mark.parametrize("command", ["report", "watch"])
def test_without_any_source_the_error_names_the_choices(command: str, stderr: Callable[[], str]) -> None:
    assert main([command]) == 2

    (line,) = stderr().splitlines()
    assert line.startswith("drift: no source of manifests: name files, folders, kustomizations or charts, or use ")


def test_an_internal_error_does_not_exit_like_drift(
    manifest: str, monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    def fail(*_: object) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr("drift.cli.scan.run", fail)

    assert main(["report", manifest]) == 3
    assert "ZeroDivisionError" in stderr()
