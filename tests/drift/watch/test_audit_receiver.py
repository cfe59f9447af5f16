"""The receiver of audit events over TLS: renewed certificates, files that do not go together, clients without TLS."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drift.errors import UsageError
from drift.watch.audit_receiver import AuditReceiver, KeyPair

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
