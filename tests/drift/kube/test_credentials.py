"""Credentials that expire during a scan are renewed. If that fails, the report is incomplete."""

import json
import logging
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from drift.cli import main
from drift.kube import connection
from drift.kube.connection import Connection
from tests.drift.conftest import Application
from tests.drift.faulty import DRIFT, drift_of
from tools.sandbox.cluster import Cluster
from tools.sandbox.proxy import FOREVER, Exchange, Fault, Proxy, proxy

Proxied = tuple[Application, Proxy]
#: Requests late in a scan: the second page of a list, and the last kind.
LATE = "continue=|/services/"


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
    monkeypatch.setattr(f"{config}.SERVICE_CERT_FILENAME", str(cluster.folder / "certificates" / "apiserver.crt"))
    monkeypatch.setattr(connection, "_SERVICE_ACCOUNT", tmp_path)
    report = application.scratch / "in-cluster.json"
    with proxy(cluster, tls=True) as running:
        running.on(LATE, _refuse(tokens[0], lambda: file.write_text(tokens[1])), times=FOREVER)
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", running.url.rpartition(":")[2])

        status = main(["report", str(application.manifests), "--unmanaged", "off", "--output", f"json={report}"])

        assert {token.removeprefix("bearer ") for token in running.tokens if token} == {*tokens}
    assert status == 1
    assert drift_of(json.loads(report.read_text())) == DRIFT


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


@pytest.mark.parametrize("given", [0, 1])
def test_a_plugin_that_hangs_is_stopped_by_the_deadline(
    proxied: Proxied, tokens: list[str], tmp_path: Path, given: int, stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on(LATE, _refuse(tokens[0]), times=FOREVER)
    user = _plugin(tmp_path, tokens[:given], otherwise="sleep 60")
    kubeconfig = running.kubeconfig(tmp_path, user=user)

    if given:
        scanned = application.report("--deadline", "4s", "--unmanaged", "off", kubeconfig=kubeconfig)
        assert scanned.status == 3
        assert "did not finish within 4s" in scanned.document["errors"][0]
    else:
        with pytest.raises(FileNotFoundError):
            application.report("--deadline", "1s", kubeconfig=kubeconfig)
        (line,) = stderr().splitlines()
        assert line.startswith("drift: no credentials were had before the --deadline")


def test_errors_logged_by_another_thread_are_ignored() -> None:
    def authenticate(headers: dict[str, str], *_: object) -> None:
        other = threading.Thread(target=logging.getLogger().error, args=("exec: the other cluster's plugin failed",))
        other.start()
        other.join()
        headers["authorization"] = "Bearer mine"

    client = mock.Mock(update_params_for_auth=authenticate)
    mine = Connection(client, None, "https://mine.example.com", "default", lambda: mine)
    before = list(logging.getLogger().handlers)

    assert mine.credentials() == {"authorization": "Bearer mine"}
    assert logging.getLogger().handlers == before
