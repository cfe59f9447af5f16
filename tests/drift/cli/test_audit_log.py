"""The flags of the audit log: mistakes in them, standard input, and what users see of a log that is no log."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from drift.cli import main
from tests.drift.audit.test_events import EVENT

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {b: '1'}\n"
DELETION = {
    **EVENT,
    "verb": "delete",
    "objectRef": {"resource": "configmaps", "namespace": "shop", "name": "a", "apiVersion": "v1"},
    "requestObject": None,
    "responseObject": {"kind": "Status", "apiVersion": "v1", "status": "Success"},
}


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Arguments for a report on a ConfigMap that is missing in a dump."""
    (tmp_path / "a.yaml").write_text(MANIFEST)
    (tmp_path / "live.yaml").write_text(MANIFEST.replace("name: a", "name: other"))
    return ["report", str(tmp_path / "a.yaml"), "--live", str(tmp_path / "live.yaml"), "--unmanaged=off"]


def test_the_log_may_be_on_standard_input(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(json.dumps(DELETION).encode())))

    status = main([*arguments, "--audit-log", "-"])

    out, err = capsys.readouterr()
    assert (status, err) == (1, "")
    assert "changed in the cluster: kubectl-set by jane@example.com, " in out
    assert "(2026-01-31T12:00:00Z)" in out


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        (["--audit-log", "/nonexistent.log"], "--audit-log: /nonexistent.log does not exist"),
        (["--audit-users", "some"], "'some' is not a valid value"),
    ],
)
def test_a_mistake_in_the_flags_is_an_error(
    flags: list[str], problem: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main([*arguments, *flags])
    except SystemExit as error:
        status = int(str(error.code))

    assert status == 2
    assert problem in capsys.readouterr().err


def test_manifests_and_log_cannot_both_be_on_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "-", "--audit-log", "-"]) == 2
    assert "standard input cannot hold both the manifests and the audit log" in capsys.readouterr().err


def test_the_log_of_one_cluster_is_not_for_several(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    contexts = ["--context", "a", "--context", "b"]

    assert main(["report", str(tmp_path), *contexts, "--audit-log", str(tmp_path)]) == 2
    assert "--audit-log is the log of one cluster" in capsys.readouterr().err


def test_a_file_that_is_no_log_is_noted(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*arguments, "--audit-log", arguments[1]]) == 1

    out = capsys.readouterr().out
    assert "note: audit log: 4 lines are not an audit event" in out
    assert "note: audit log: it has no audit events, so it names no one" in out


TLS = ["--audit-tls-cert=a", "--audit-tls-key=b"]


@pytest.mark.parametrize(
    ("command", "flags", "problem"),
    [
        ("report", ["--syncer=ci"], "--syncer needs --audit-log"),
        ("watch", ["--syncer=ci"], "--syncer needs --audit-log or --audit-webhook"),
        ("watch", ["--audit-listen=::1"], "--audit-listen needs --audit-webhook PORT"),
        ("watch", TLS, "--audit-tls-cert needs --audit-webhook PORT"),
        ("watch", ["--audit-webhook=0", *TLS[:1]], "--audit-tls-cert and --audit-tls-key need each other"),
        ("watch", ["--audit-webhook=0", *TLS[1:]], "--audit-tls-cert and --audit-tls-key need each other"),
        ("watch", ["--audit-webhook=0", "--audit-listen=0.0.0.0"], "give --audit-tls-cert and --audit-tls-key"),
        ("watch", ["--audit-webhook=0", "--audit-listen=example.com"], "without TLS, the network can read the token"),
        ("watch", ["--audit-log=/nonexistent"], "--audit-log: /nonexistent is not a file"),
    ],
    ids=str,
)
def test_flags_that_do_not_go_together_are_refused_before_anything_is_read(
    command: str,
    flags: list[str],
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DRIFT_AUDIT_TOKEN", "t")

    assert main([command, "/nonexistent", *flags]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert problem in line


@pytest.mark.parametrize("token", ["", "\n"])
def test_the_webhook_needs_a_token(
    token: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFT_AUDIT_TOKEN", token)

    assert main(["watch", "/nonexistent", "--audit-webhook=0"]) == 2
    assert "--audit-webhook: DRIFT_AUDIT_TOKEN is not set" in capsys.readouterr().err
