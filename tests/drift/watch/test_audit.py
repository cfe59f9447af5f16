"""A watch names the users behind findings, from a log that is rotated or from the API server's webhook."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from drift.watch.audit_follower import LogFollower
from drift.watch.audit_receiver import AuditReceiver
from tests.drift.conftest import Application
from tests.drift.watch.conftest import CONFIG, Process, Start, eventually
from tools.sandbox.cluster import PEOPLE

A, B, *_ = PEOPLE


def edit(workspace: Application, person: str, value: str, *flags: str) -> None:
    kubeconfig = workspace.cluster.kubeconfig_of(person)
    patch = json.dumps({"data": {"a": value}})
    place = (*flags, "--namespace", workspace.namespace)
    workspace.cluster.kubectl(*place, "patch", "configmap", "config", "--patch", patch, kubeconfig=kubeconfig)


def users(running: Process) -> list[str]:
    return [
        actor["user"]
        for item in running.report()["objects"]
        for finding in item["findings"]
        for actor in finding["actors"]
        if "user" in actor
    ]


def test_a_followed_log_names_who_edits_also_after_it_is_rotated(workspace: Application, start: Start) -> None:
    workspace.write(CONFIG)
    workspace.sync()
    mark = workspace.cluster.audit_mark()
    log = workspace.scratch / "audit.log"
    edit(workspace, A, "edited")
    log.write_bytes(workspace.cluster.audit_lines(mark))
    running = start("--audit-log", str(log))
    eventually(lambda: users(running) == [A], running.report)

    log.rename(log.with_name("audit-2026-01-31T12-00-00.000.log"))
    mark = workspace.cluster.audit_mark()
    edit(workspace, B, "edited again")
    log.write_bytes(workspace.cluster.audit_lines(mark))

    eventually(lambda: B in users(running), running.report)


def test_an_api_server_sends_who_edits_to_the_webhook_over_tls(
    workspace: Application, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = secrets.token_hex(8)
    monkeypatch.setenv("DRIFT_AUDIT_TOKEN", token)
    workspace.write(CONFIG)
    workspace.sync()
    certificate, key = workspace.cluster.key_pair
    running = start("--audit-webhook=0", f"--audit-tls-cert={certificate}", f"--audit-tls-key={key}")
    url = next(line for line in running.err if "audit events at" in line).split(" at ")[1].strip()
    with urllib3.PoolManager(ca_certs=str(certificate), retries=False) as client:
        refused = [
            client.request("POST", url, body="{}", headers={"Authorization": f"Bearer {given}"}).status
            for given in ("other", token)
        ]
    with workspace.cluster.auditing_to(url, token) as server:
        edit(workspace, A, "edited", f"--server={server}")

        eventually(lambda: users(running) == [A], running.report)

    # It got a wrong token, and what is not an audit event.
    assert refused == [401, 400]
    assert "drift: --audit-webhook: skipped what is not an audit event\n" in running.err


@pytest.fixture
def followed(tmp_path: Path) -> Iterator[tuple[Path, LogFollower, list[bytes]]]:
    log, taken = tmp_path / "audit.log", list[bytes]()
    log.write_text("before\n")
    follower = LogFollower(str(log), taken.append)
    yield log, follower, taken
    follower.close()


def test_only_complete_and_new_lines_are_taken(followed: tuple[Path, LogFollower, list[bytes]]) -> None:
    log, follower, taken = followed
    with log.open("a") as out:
        out.write("one\ntw")
    follower.poll()
    with log.open("a") as out:
        out.write("o\n")
    follower.poll()

    assert taken == [b"one\n", b"two\n"]


def test_no_line_is_lost_when_a_log_is_rotated_or_truncated(followed: tuple[Path, LogFollower, list[bytes]]) -> None:
    log, follower, taken = followed
    with log.open("a") as out:
        out.write("last\n")
    log.rename(log.with_suffix(".1"))
    follower.poll()
    log.write_text("first\n")
    follower.poll()
    log.write_text("")
    follower.poll()
    log.write_text("new\n")
    follower.poll()

    assert b"".join(taken) == b"last\nfirst\nnew\n"


@pytest.mark.parametrize(
    ("method", "headers", "status"),
    [
        ("GET", {"Authorization": "Bearer t"}, 501),
        ("POST", {}, 401),
        ("POST", {"Authorization": "Bearer é"}, 401),
        ("POST", {"Authorization": "Bearer t", "Content-Length": "99999999999"}, 413),
        ("POST", {"Authorization": "Bearer t", "Content-Length": "-1"}, 411),
    ],
)
def test_other_requests_are_refused(method: str, headers: dict[str, str], status: int) -> None:
    taken: list[bytes] = []
    receiver = AuditReceiver("127.0.0.1", 0, "t", lambda data: not taken.append(data))  # type: ignore[func-returns-value]
    receiver.start()
    try:
        encoded = {name: value.encode() for name, value in headers.items()}
        answer = urllib3.request(method, receiver.url, headers=encoded, retries=False)  # type: ignore[arg-type]
    finally:
        receiver.stop()

    assert (answer.status, taken) == (status, [])
