"""Which failures are retried, and how credentials that expire during a scan are renewed."""

import json
import stat
from collections.abc import Callable
from datetime import timedelta
from email.utils import formatdate
from hashlib import sha256
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from unittest import mock

import pytest

from drift.cli import main
from drift.errors import ConnectError, RequestError
from drift.kube import connection
from drift.kube.connection import Connection, connect
from drift.kube.http_get import FailureReason, Response
from drift.kube.limits import Deadline
from drift.kube.requests import AttemptError, Requests, retries_for, retry_after, with_retries
from tests.drift.conftest import Application
from tests.drift.faulty import DRIFT, drift_of, within
from tests.drift.kube.hostile_server import hostile, kubeconfig, send
from tools.sandbox.cluster import Cluster
from tools.sandbox.proxy import FOREVER, Exchange, Fault, Proxy, proxy, status

Proxied = tuple[Application, Proxy]
#: Requests late in a scan: the second page of a list, and the last kind.
LATE = "continue=|/services/"


def _response(status_code: int, **headers: str) -> Response:
    return Response(status_code, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_temporary_failures_are_retried(code: int) -> None:
    assert retries_for(_response(code)) == 5


@pytest.mark.parametrize(
    "outcome", [_response(400), _response(403), _response(404), FailureReason.UNTRUSTED, FailureReason.TOO_LARGE]
)
def test_permanent_failures_are_not_retried(outcome: Response | FailureReason) -> None:
    assert retries_for(outcome) == 0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0), ("7", 7), (" 7 ", 7), ("soon", None), ("", None), ("-1", None), (formatdate(0, usegmt=True), 0)],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(_response(429, Retry_After=value)) == seconds


def test_retry_after_is_respected_and_reported(proxied: tuple[Application, Proxy], stderr: Callable[[], str]) -> None:
    application, running = proxied
    running.on("/services/web$", status(429, Retry_After="1"))

    scanned = application.report("-v", "--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert drift_of(scanned.document) == DRIFT
    (line,) = (line for line in stderr().splitlines() if "GET" in line)
    assert line.endswith("/services/web: 429; retrying in 1s (1 of 5)")


def test_retries_are_silent_without_verbose(proxied: tuple[Application, Proxy], stderr: Callable[[], str]) -> None:
    application, running = proxied
    running.on("/services/web$", status(500))

    assert application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch)).status == 1
    assert stderr() == ""


def test_the_number_of_retries_is_limited(proxied: tuple[Application, Proxy]) -> None:
    del proxied  # shortens the backoff
    messages: list[str] = []

    def fail() -> None:
        raise AttemptError(RequestError("GET /x: 500", status=500, reason="HTTP 500"), "500", 5)

    with pytest.raises(RequestError, match="500"):
        with_retries(fail, "/x", max_retries=None, deadline=Deadline(None), notify=messages.append)

    assert [message.partition("(")[2] for message in messages] == [f"{number} of 5)" for number in range(1, 6)]


def test_there_is_no_wait_beyond_the_deadline() -> None:
    def fail() -> None:
        raise AttemptError(ConnectError("gone"), "gone", 5, retry_after=60)

    with pytest.raises(ConnectError, match="asks to wait 1m, longer than --deadline leaves"):
        with_retries(fail, "/x", max_retries=None, deadline=Deadline(5), notify=pytest.fail)


@pytest.mark.parametrize(("seconds", "waits"), [(None, 60), (7200, 3600)])
def test_without_a_deadline_a_server_may_ask_to_wait_for_a_minute(
    seconds: float | None, waits: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("drift.kube.requests.time.sleep", waited.append)

    def fail() -> None:
        raise AttemptError(RequestError("GET /x: 429", status=429, reason="TooManyRequests"), "429", 1, 3600)

    with pytest.raises(RequestError, match="429"):
        with_retries(fail, "/x", max_retries=None, deadline=Deadline(seconds), notify=lambda _: None)

    assert waited == [waits]


@pytest.mark.parametrize("path", ["@evil.example.com/x", ":80/x", ".evil.example.com", ""])
def test_a_request_needs_a_path(path: str) -> None:
    client = mock.Mock()
    server = Connection(client, None, "https://good.example.com", "default", lambda: server)

    with pytest.raises(RequestError, match="is not a path of an API server"):
        Requests(server).get(path)

    assert client.pool_manager.request.call_count == 0


def _refuse(token: str, first: Callable[[], object] = lambda: None) -> Fault:
    """Refuses a token as if it had expired. Calls a function on the first refusal."""
    refused: list[bool] = []

    def fault(exchange: Exchange) -> None:
        if exchange.handler.headers["Authorization"].removeprefix("Bearer ").removeprefix("bearer ") != token:
            exchange.pass_on()
            return
        if not refused:
            refused.append(True)
            first()
        exchange.send(401, b'{"kind": "Status", "reason": "Unauthorized"}')

    return fault


@pytest.fixture
def tokens(proxied: Proxied) -> list[str]:
    """Two tokens of a service account that may read everything."""
    application, _ = proxied
    name = f"reader-{application.namespace}"
    application.cluster.kubectl("create", "serviceaccount", name, "--namespace=default", check=False)
    binding = ("clusterrolebinding", name, "--clusterrole=cluster-admin", f"--serviceaccount=default:{name}")
    application.cluster.kubectl("create", *binding, check=False)
    return [application.cluster.token(name) for _ in range(2)]


def _plugin(folder: Path, tokens: list[str], otherwise: str = "exit 1") -> dict[str, object]:
    """A user with a credential plugin that returns one token after the other."""
    script, count = folder / "plugin", folder / "runs"
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
    cases = "\n".join(
        f"{number}) echo '{json.dumps({**credential, 'status': {'token': token}})}';;"
        for number, token in enumerate(tokens)
    )
    script.write_text(
        f"#!/bin/sh\nruns=$(cat {count} 2>/dev/null || echo 0)\necho $((runs + 1)) > {count}\n"
        f"case $runs in\n{cases}\n*) {otherwise};;\nesac\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(script),
            "interactiveMode": "Never",
        }
    }


def test_a_plugin_runs_again_when_its_token_is_refused(
    proxied: Proxied, tokens: list[str], tmp_path: Path, stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on(LATE, _refuse(tokens[0]), times=FOREVER)
    kubeconfig = running.kubeconfig(tmp_path, user=_plugin(tmp_path, tokens))

    scanned = application.report("-v", "--unmanaged", "off", kubeconfig=kubeconfig)

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT
    assert (tmp_path / "runs").read_text() == "2\n"
    assert "the credentials were refused (401); retrying with new ones" in stderr()


def test_a_token_file_is_read_again_when_its_token_is_refused(
    proxied: Proxied, tokens: list[str], tmp_path: Path
) -> None:
    application, running = proxied
    file = tmp_path / "token"
    file.write_text(tokens[0])
    running.on(LATE, _refuse(tokens[0], lambda: file.write_text(tokens[1])), times=FOREVER)

    scanned = application.report(
        "--unmanaged", "off", kubeconfig=running.kubeconfig(tmp_path, user={"tokenFile": str(file)})
    )

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT


def test_the_token_of_a_pod_is_read_again_when_it_is_refused(
    proxied: Proxied, cluster: Cluster, tokens: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, _ = proxied
    file = tmp_path / "token"
    file.write_text(tokens[0])
    (tmp_path / "namespace").write_text(application.namespace)
    config = "kubernetes.config.incluster_config"
    monkeypatch.setattr(f"{config}.SERVICE_TOKEN_FILENAME", str(file))
    authority = cluster.folder / "certificates" / "apiserver.crt"
    monkeypatch.setattr(f"{config}.SERVICE_CERT_FILENAME", str(authority))
    (tmp_path / "ca.crt").write_bytes(authority.read_bytes())
    monkeypatch.setattr(connection, "_SERVICE_ACCOUNT", tmp_path)
    report = application.scratch / "in-cluster.json"
    with proxy(cluster, tls=True) as running:
        running.on(LATE, _refuse(tokens[0], lambda: file.write_text(tokens[1])), times=FOREVER)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", running.url.rpartition(":")[2])

        exit_status = main(["report", str(application.manifests), "--unmanaged", "off", "--output", f"json={report}"])

        assert {token.removeprefix("bearer ") for token in running.tokens if token} == {*tokens}
    assert exit_status == 1
    document = json.loads(report.read_text())
    assert drift_of(document) == DRIFT
    assert document["cluster"]["id"] == f"sha256:{sha256(authority.read_bytes()).hexdigest()}"


def test_a_token_that_cannot_be_renewed_makes_the_scan_incomplete(
    proxied: Proxied, tokens: list[str], stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on(LATE, _refuse(tokens[0]), times=FOREVER)

    scanned = application.report(
        "--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch, token=tokens[0])
    )

    assert scanned.status == 3
    assert drift_of(scanned.document) == {("ConfigMap/a", "data.key")}
    assert all("the credentials were refused (401" in error for error in scanned.document["errors"])
    assert scanned.document["summary"]["objects"]["unchecked"] == 5
    # Refused credentials are not sent again for every kind.
    assert sum("continue=" in asked for asked in running.asked) == 2
    assert not any("/services/" in asked for asked in running.asked)
    assert stderr() == ""


def test_a_plugin_that_fails_the_second_time_is_reported(proxied: Proxied, tokens: list[str], tmp_path: Path) -> None:
    application, running = proxied
    running.on(LATE, _refuse(tokens[0]), times=FOREVER)
    user = _plugin(tmp_path, tokens[:1], otherwise="echo login first >&2; exit 1")

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(tmp_path, user=user))

    assert scanned.status == 3
    assert drift_of(scanned.document) == {("ConfigMap/a", "data.key")}
    assert "getting new ones failed" in scanned.document["errors"][0]


@pytest.mark.parametrize("token_count", [0, 1])
def test_a_plugin_that_hangs_is_stopped_by_the_deadline(
    proxied: Proxied, tokens: list[str], tmp_path: Path, token_count: int, stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on(LATE, _refuse(tokens[0]), times=FOREVER)
    user = _plugin(tmp_path, tokens[:token_count], otherwise="sleep 60")
    kubeconfig = running.kubeconfig(tmp_path, user=user)

    if token_count:
        deadline, scanned = within(
            lambda deadline: application.report("--deadline", deadline, "--unmanaged", "off", kubeconfig=kubeconfig),
            stderr,
        )
        assert scanned.status == 3
        assert f"did not finish within {deadline}" in scanned.document["errors"][0]
    else:
        with pytest.raises(FileNotFoundError):
            application.report("--deadline", "1s", kubeconfig=kubeconfig)
        (line,) = stderr().splitlines()
        assert line.startswith("drift: timed out getting credentials (--deadline)")


def _contexts(folder: Path, current: str, **servers: str) -> str:
    """A kubeconfig with a context for each server, whose token is the name of the current context."""
    named = [{"name": name, "cluster": {"server": server}} for name, server in servers.items()]
    config = {
        "current-context": current,
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in servers],
        "clusters": named,
        "users": [{"name": "me", "user": {"token": f"token-{current}"}}],
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return str(folder / "kubeconfig")


def _accepting(token: str, version: str, refused: Callable[[], object]) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.headers["Authorization"] == f"Bearer {token}":
            send(handler, 200, json.dumps({"gitVersion": version}).encode())
        else:
            refused()
            send(handler, 401)

    return answer


def _certificate_plugin(folder: Path, expiry: str) -> dict[str, object]:
    """A user with a plugin that returns a certificate, and counts its runs."""
    certificate = {"clientCertificateData": "certificate", "clientKeyData": "key", "expirationTimestamp": expiry}
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": certificate}
    (folder / "credential").write_text(json.dumps(credential))
    script = f"echo run >> {folder}/runs; cat {folder}/credential"
    api_version = credential["apiVersion"]
    return {"exec": {"apiVersion": api_version, "command": "sh", "args": ["-c", script], "interactiveMode": "Never"}}


@pytest.mark.parametrize("new", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
def test_a_certificate_of_a_plugin_is_renewed_once_it_has_expired(
    new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = list[str]()
    with hostile(lambda handler: send(handler, 200, b"{}")) as server:
        file = kubeconfig(tmp_path, _certificate_plugin(tmp_path, "2020-01-01T00:00:00Z"), server=server)
        sent = Requests(connect(file, None), notify=notes.append)
        sent.get("/version")
        # A clock that is ahead does not make the plugin run before each request.
        assert (tmp_path / "runs").read_text() == "run\n"

        _certificate_plugin(tmp_path, new)
        monkeypatch.setattr(connection, "_LEAST_VALIDITY", timedelta())
        sent.get("/version")
        monkeypatch.undo()
        for _ in range(3):
            sent.get("/version")
        with sent.stream("/version", {}, "application/json", idle_seconds=5, seconds=5) as stream:
            assert b"".join(stream.chunks) == b"{}"

    assert (tmp_path / "runs").read_text() == "run\n" * 2
    assert notes == [f"{server}: the certificate of the exec plugin has expired; continuing with new ones"]


def test_a_certificate_that_cannot_be_renewed_is_an_error_until_the_plugin_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_LEAST_VALIDITY", timedelta())
    with hostile(lambda handler: send(handler, 200, b"{}")) as server:
        file = kubeconfig(tmp_path, _certificate_plugin(tmp_path, "2020-01-01T00:00:00Z"), server=server)
        sent = Requests(connect(file, None))
        (tmp_path / "credential").unlink()
        message = "certificate of the exec plugin has expired; getting new ones failed: .* exited with status 1"
        with pytest.raises(ConnectError, match=message):
            sent.get("/version")
        with pytest.raises(ConnectError, match=message), sent.stream("/x", {}, "", idle_seconds=5, seconds=5):
            pass

        _certificate_plugin(tmp_path, "2999-01-01T00:00:00Z")
        assert sent.get("/version") == {}


@pytest.mark.parametrize("expiry", ["2999-01-01T00:00:00Z", None])
def test_a_certificate_that_has_not_expired_is_kept(expiry: str | None, tmp_path: Path) -> None:
    user = _certificate_plugin(tmp_path, "2999-01-01T00:00:00Z")
    if expiry is None:
        credential = json.loads((tmp_path / "credential").read_text())
        del credential["status"]["expirationTimestamp"]
        (tmp_path / "credential").write_text(json.dumps(credential))
    with hostile(lambda handler: send(handler, 200, b"{}")) as server:
        sent = Requests(connect(kubeconfig(tmp_path, user, server=server), None))
        for _ in range(3):
            sent.get("/version")

    assert (tmp_path / "runs").read_text() == "run\n"


def test_renewed_credentials_are_those_of_the_first_context(tmp_path: Path) -> None:
    servers: dict[str, str] = {}

    def use_stage() -> None:
        # As `kubectl config use-context stage` while a watch runs.
        _contexts(tmp_path, "stage", **servers)

    with (
        hostile(_accepting("token-stage", "production", use_stage)) as servers["production"],
        hostile(_accepting("token-stage", "stage", pytest.fail)) as servers["stage"],
    ):
        sent = Requests(connect(_contexts(tmp_path, "production", **servers), None))

        assert sent.get("/version") == {"gitVersion": "production"}
        assert sent.server == servers["production"]


def test_renewed_credentials_are_not_used_for_another_server(tmp_path: Path) -> None:
    servers: dict[str, str] = {}

    def move() -> None:
        _contexts(tmp_path, "moved", moved=servers["elsewhere"])

    with (
        hostile(_accepting("new", "here", move)) as servers["moved"],
        hostile(_accepting("token-moved", "elsewhere", pytest.fail)) as servers["elsewhere"],
    ):
        sent = Requests(connect(_contexts(tmp_path, "moved", moved=servers["moved"]), None))

        for _ in range(2):
            with pytest.raises(ConnectError, match="the kubeconfig now names another server for this context, http://"):
                sent.get("/version")
        with (
            pytest.raises(ConnectError, match="now names another server"),
            sent.stream("/version", {}, "application/json", idle_seconds=5, seconds=5),
        ):
            pass
        assert sent.server == servers["moved"]
