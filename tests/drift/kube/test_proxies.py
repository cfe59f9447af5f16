"""Proxies: which one is used, and the errors when it fails."""

import base64
import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml

from drift.cli import main
from drift.errors import UsageError
from drift.kube.kubeconfig import choose_proxy, proxy_credentials
from tests.drift.conftest import Application
from tools.sandbox.cluster import Cluster

PROXY = "http://proxy.example.com:3128"
VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "NO_PROXY", "no_proxy")


@pytest.mark.parametrize(
    "server",
    [
        "https://localhost:6443",
        "https://127.0.0.1:6443",
        "https://127.9.9.9",
        "https://[::1]:6443",
        "https://LOCALHOST",
    ],
)
def test_a_loopback_address_needs_no_proxy(server: str) -> None:
    assert choose_proxy(server, None, {"HTTPS_PROXY": PROXY}) is None


@pytest.mark.parametrize(
    ("server", "no_proxy", "is_direct"),
    [
        # From https://cs.opensource.google/go/x/net/+/master:http/httpproxy/proxy_test.go
        ("https://example.com", "", False),
        ("https://example.com", "*", True),
        ("https://example.com", "example.com", True),
        ("https://www.example.com", "example.com", True),
        ("https://www.example.com", ".example.com", True),
        ("https://example.com", ".example.com", False),
        ("https://example.com", "*.example.com", False),
        ("https://www.example.com", "*.example.com", True),
        ("https://notexample.com", "example.com", False),
        ("https://example.com:6443", "example.com:6443", True),
        ("https://example.com:6443", "example.com:443", False),
        ("https://example.com", "example.com:443", True),
        ("https://EXAMPLE.com", "foo, Example.COM ,bar", True),
        ("https://10.1.2.3:6443", "10.0.0.0/8", True),
        ("https://11.1.2.3:6443", "10.0.0.0/8", False),
        ("https://10.1.2.3:6443", "10.1.2.3", True),
        ("https://10.1.2.3:6443", "10.1.2.3:6443", True),
        ("https://10.1.2.3:6443", "10.1.2.3:443", False),
        ("https://10.1.2.3:6443", "1.2.30", False),
        ("https://[fd00::7]:6443", "fd00::/8", True),
        ("https://[fd00::7]:6443", "fd00::7", True),
        ("https://[fd00::7]:6443", "[fd00::7]:6443", True),
        ("https://[fd00::7]:6443", "[fd00::7]:443", False),
        ("https://example.com", "10.0.0.0/99, :443, /, ,[", False),
    ],
)
def test_no_proxy_works_as_in_kubectl(server: str, no_proxy: str, is_direct: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        chosen = choose_proxy(server, None, {"HTTPS_PROXY": PROXY, name: no_proxy})

        assert chosen == (None if is_direct else PROXY)


@pytest.mark.parametrize(
    ("user", "sent"),
    [
        ("me:pw", "me:pw"),
        ("me", "me:"),
        ("me:a%3Ab%40", "me:a:b@"),
        ("me:%E2%82%AC", "me:€"),
        ("me:€", "me:€"),
        ("m%C3%A9:", "mé:"),
    ],
)
def test_credentials_of_a_proxy_are_sent_in_utf8(user: str, sent: str) -> None:
    header = f"Basic {base64.b64encode(sent.encode()).decode()}"

    assert proxy_credentials(f"http://{user}@proxy.example.com:3128") == {"proxy-authorization": header}


def test_a_proxy_without_a_user_gets_no_credentials() -> None:
    assert proxy_credentials(PROXY) is None


@pytest.mark.parametrize(
    ("server", "environment", "chosen"),
    [
        ("https://a.example.com", {"https_proxy": PROXY}, PROXY),
        ("https://a.example.com", {"https_proxy": "http://other", "HTTPS_PROXY": PROXY}, PROXY),
        ("https://a.example.com", {"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128"),
        ("https://a.example.com", {"HTTP_PROXY": PROXY, "ALL_PROXY": PROXY, "all_proxy": PROXY}, None),
        ("http://a.example.com", {"http_proxy": PROXY, "HTTPS_PROXY": "http://other"}, PROXY),
    ],
)
def test_the_environment_variables_work_as_in_kubectl(
    server: str, environment: dict[str, str], chosen: str | None
) -> None:
    assert choose_proxy(server, None, environment) == chosen


def test_proxy_url_takes_precedence_and_ignores_no_proxy() -> None:
    environment = {"HTTPS_PROXY": "http://other", "NO_PROXY": "*"}

    assert choose_proxy("https://127.0.0.1:6443", PROXY, environment) == PROXY


@pytest.mark.parametrize(
    "value", ["ftp://proxy", "http://", "http://user:planted@[::1", "http://h:99999", 7, "a b", "\n"]
)
def test_an_invalid_proxy_is_one_line_without_its_password(value: Any) -> None:
    with pytest.raises(UsageError, match="proxy-url in the kubeconfig is not the URL of a proxy") as error:
        choose_proxy("https://a.example.com", value, {})

    assert "planted" not in str(error.value)
    assert "\n" not in str(error.value)


@dataclass(slots=True)
class Tunnel:
    """A local proxy that forwards every CONNECT to one server, or refuses it."""

    url: str
    target: tuple[str, int]
    refusal: bytes | None = None
    heads: list[str] = field(default_factory=list)

    def serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1) or b"\r\n\r\n"
        self.heads.append(head.decode())
        if self.refusal is not None:
            client.sendall(self.refusal)
            client.close()
            return
        with client, socket.create_connection(self.target) as server:
            client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            upload = threading.Thread(target=_pump, args=(client, server), daemon=True)
            upload.start()
            _pump(server, client)
            upload.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def tunnel(cluster: Cluster) -> Iterator[Tunnel]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(cluster.server.rpartition(":")[2])
        running = Tunnel(f"http://user:planted@127.0.0.1:{listener.getsockname()[1]}", ("127.0.0.1", port))

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    threading.Thread(target=running.serve, args=(client,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield running
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def _no_proxy_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def kubeconfig(workspace: Application, **cluster: str) -> Path:
    config = yaml.safe_load(workspace.cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"].update({name.replace("_", "-"): value for name, value in cluster.items()})
    file = workspace.scratch / "proxied.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def synced(workspace: Application) -> None:
    workspace.write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NAMESPACE}\n")
    workspace.sync()


def test_a_scan_works_through_proxy_url_with_its_credentials(workspace: Application, tunnel: Tunnel) -> None:
    synced(workspace)

    assert workspace.report(kubeconfig=kubeconfig(workspace, proxy_url=tunnel.url)).status == 0

    (head, *_) = tunnel.heads
    assert head.startswith(f"CONNECT {workspace.cluster.server.removeprefix('https://')} ")
    assert "Basic dXNlcjpwbGFudGVk" in head
    assert "Bearer" not in "".join(tunnel.heads)


def test_a_scan_works_through_the_proxy_of_the_environment(workspace: Application, tunnel: Tunnel) -> None:
    synced(workspace)
    # This name is in the server's certificate, but only the proxy can reach it.
    proxied_only = kubeconfig(workspace, server="https://kubernetes.default.svc:443")

    with mock.patch.dict(os.environ, {"HTTPS_PROXY": tunnel.url}):
        assert workspace.report(kubeconfig=proxied_only).status == 0
        count = len(tunnel.heads)
        assert count
        assert workspace.report().status == 0
        assert len(tunnel.heads) == count


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        (b"HTTP/1.1 407 planted reason\r\n\r\n", "the proxy refused the connection (407)"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refused the connection (403)"),
        (b"", "the proxy"),
        (b"planted nonsense\r\n\r\n", "the proxy"),
    ],
)
def test_a_proxy_that_refuses_is_named_without_its_password(
    workspace: Application, tunnel: Tunnel, refusal: bytes, message: str, stderr: Callable[[], str]
) -> None:
    synced(workspace)
    tunnel.refusal = refusal

    status = main(
        ["report", str(workspace.manifests), "--kubeconfig", str(kubeconfig(workspace, proxy_url=tunnel.url))]
    )

    (line,) = stderr().splitlines()
    assert status == 3
    assert f"through the proxy {tunnel.url.replace('user:planted@', '')}" in line
    assert message in line
    assert "planted" not in line


def test_a_proxy_that_does_not_answer_is_named(workspace: Application, stderr: Callable[[], str]) -> None:
    synced(workspace)
    file = kubeconfig(workspace, server="https://kubernetes.default.svc:443")

    with mock.patch.dict(os.environ, {"HTTPS_PROXY": "http://user:planted@127.0.0.1:1"}):
        status = main(["report", str(workspace.manifests), "--kubeconfig", str(file)])

    (line,) = stderr().splitlines()
    assert status == 3
    assert "https://kubernetes.default.svc:443 through the proxy http://127.0.0.1:1: the proxy does not answer" in line
    assert "planted" not in line
