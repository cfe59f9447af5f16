"""A watch names the users behind findings, from a log that is rotated or from the API server's webhook."""

import errno
import io
import json
import os
import secrets
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import urllib3

from drift.errors import UsageError
from drift.watch.audit import AuditReceiver, KeyPair, LogFollower
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
    skipped = "drift: --audit-webhook: skipped what is not an audit event\n"
    eventually(lambda: skipped in running.err, lambda: running.err)


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


class StaleFile(io.BytesIO):
    """An open file whose handle has become stale."""

    def read(self, size: int | None = -1, /) -> bytes:
        del size
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))


@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_log_that_cannot_be_read_is_opened_again(tmp_path: Path, is_replaced: bool) -> None:
    log, taken, problems = tmp_path / "audit.log", list[bytes](), list[str | None]()
    log.write_text("before\n")
    follower = LogFollower(str(log), taken.append, problems.append)
    with log.open("a") as out:
        out.write("one\ntw")
    follower.poll()
    follower._stream.close()  # noqa: SLF001
    follower._stream = StaleFile()  # noqa: SLF001
    if is_replaced:
        log.rename(log.with_suffix(".1"))
        log.write_text("new\n")
    else:
        with log.open("a") as out:
            out.write("o\n")
    follower.poll()
    follower.close()

    assert (taken, problems) == ([b"one\n", b"new\n" if is_replaced else b"two\n"], [None, None])


def test_a_log_that_may_not_be_read_any_more_is_a_problem_until_it_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, problems = tmp_path / "audit.log", list[str | None]()
    log.touch()
    follower = LogFollower(str(log), lambda _: None, problems.append)
    log.rename(log.with_suffix(".1"))
    follower.poll()
    assert problems == []

    log.touch()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", StaleFile.read)
        follower.poll()
    follower.poll()
    follower.close()

    assert problems == [f"it cannot be read: {os.strerror(errno.ESTALE)}", None]


def test_an_unexpected_error_does_not_end_the_reading_of_a_log(tmp_path: Path) -> None:
    log, taken, problems = tmp_path / "audit.log", list[bytes](), list[str | None]()
    log.touch()

    def take(lines: bytes) -> None:
        taken.append(lines)
        if len(taken) == 1:
            raise RecursionError

    follower = LogFollower(str(log), take, problems.append)
    follower.start()
    for line in (b"first\n", b"second\n"):
        with log.open("ab") as out:
            out.write(line)
        eventually(lambda: taken[-1:] == [line])  # noqa: B023
    follower.stop()
    follower.join()

    assert "its events cannot be used (RecursionError)" in problems
    assert problems[-1] is None


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


OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="needs openssl to make certificates")


def make(folder: Path, name: str, flags: tuple[str, ...] = ("-nodes",)) -> KeyPair:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    subprocess.run(
        [str(OPENSSL), "req", "-x509", *curve, *flags, "-subj", f"/CN={name}", "-out", certificate, "-keyout", key],
        check=True,
        capture_output=True,
    )
    return KeyPair(str(certificate), str(key))


@pytest.fixture
def pair(tmp_path: Path) -> KeyPair:
    return make(tmp_path, "first")


@pytest.fixture
def receiver(pair: KeyPair) -> Iterator[AuditReceiver]:
    receiver = AuditReceiver("127.0.0.1", 0, "t", lambda _: True, pair)
    receiver.start()
    yield receiver
    receiver.stop()


def served(receiver: AuditReceiver) -> str:
    return ssl.get_server_certificate(address(receiver)).strip()


def address(receiver: AuditReceiver) -> tuple[str, int]:
    return "127.0.0.1", int(receiver.url.rstrip("/").rpartition(":")[2])


def test_a_renewed_certificate_is_served(receiver: AuditReceiver, pair: KeyPair, tmp_path: Path) -> None:
    second = make(tmp_path, "second")
    first_text, second_text = (Path(one.certificate).read_text().strip() for one in (pair, second))
    before = served(receiver)
    # Only one of the two files is new yet.
    shutil.copy(second.key, pair.key)
    between = served(receiver)
    shutil.copy(second.certificate, pair.certificate)

    assert [before, between, served(receiver)] == [first_text, first_text, second_text]


def test_a_client_without_tls_gets_nothing_and_causes_no_traceback(
    receiver: AuditReceiver, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(socket.create_connection(address(receiver), 60)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nAuthorization: Bearer t\r\nContent-Length: 2\r\n\r\n{}")
        # A TLS alert, or a closed connection.
        answer = client.recv(100)

    assert b"HTTP" not in answer
    assert served(receiver)
    assert capfd.readouterr().err == ""


def test_files_that_cannot_be_used_end_in_one_line(pair: KeyPair, tmp_path: Path) -> None:
    locked = make(tmp_path, "locked", ("-passout", "pass:secret"))
    no_pair = "not a certificate and its private key in PEM, without a password"
    pairs = (
        ("No such file or directory", KeyPair(pair.certificate, str(tmp_path / "none.key"))),
        ("Is a directory", KeyPair(str(tmp_path), pair.key)),
        (no_pair, KeyPair(pair.certificate, locked.key)),
        (no_pair, locked),
        (no_pair, KeyPair(pair.key, pair.certificate)),
    )
    for problem, one in pairs:
        with pytest.raises(UsageError, match=f"^--audit-tls-cert {one.certificate}, --audit-tls-key .*{problem}$"):
            one.load()
