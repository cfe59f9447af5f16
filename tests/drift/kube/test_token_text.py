"""Tokens in files, and errors of the official client: neither its messages nor the token are shown."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from drift.cli import main
from drift.errors import ConnectError
from drift.kube.connection import connect
from drift.sources import load
from tools.sandbox.cluster import Cluster

TOKEN = "pl4ntedToken"  # noqa: S105
MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n"


def kubeconfig(folder: Path, user: dict[str, Any], server: str = "https://127.0.0.1:1", **more: Any) -> str:
    content = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": server}}],
        "users": [{"name": "a", "user": user}],
        **more,
    }
    (folder / "kubeconfig").write_text(json.dumps(content))
    return str(folder / "kubeconfig")


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n\n"])
def test_a_token_file_may_end_with_a_newline(end: str, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(f"{TOKEN}{end}".encode())

    connection = connect(kubeconfig(tmp_path, {"tokenFile": str(tmp_path / "token")}), None)

    assert connection.credentials() == {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("text", [f"{TOKEN}\nmore", f"x\r\nHeader: {TOKEN}", f"{TOKEN}\x07.", f"{TOKEN}\N{DIAERESIS}"])
@pytest.mark.parametrize("field", ["token", "tokenFile"])
def test_a_token_with_other_characters_is_one_clear_line(
    text: str, field: str, tmp_path: Path, stderr: Callable[[], str]
) -> None:
    (tmp_path / "token").write_bytes(text.encode())
    (tmp_path / "a.yaml").write_text(MANIFEST)
    user = {field: text if field == "token" else str(tmp_path / "token")}

    assert main(["report", str(tmp_path / "a.yaml"), "--kubeconfig", kubeconfig(tmp_path, user)]) == 3

    (line,) = stderr().splitlines()
    assert "the token holds a character that no token has" in line
    assert TOKEN not in line


def test_a_token_file_with_a_newline_is_accepted_by_the_api_server(
    cluster: Cluster, tmp_path: Path, stderr: Callable[[], str]
) -> None:
    used = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json").stdout)
    cluster.kubectl("create", "serviceaccount", "newline", "--namespace=default")
    token = cluster.kubectl("create", "token", "newline", "--namespace=default").stdout.strip()
    (tmp_path / "token").write_text(f"{token}\n")
    file = kubeconfig(tmp_path, {"tokenFile": str(tmp_path / "token")}, clusters=used["clusters"])
    content = json.loads(Path(file).read_text())
    content["contexts"][0]["context"]["cluster"] = used["clusters"][0]["name"]
    Path(file).write_text(json.dumps(content))
    (tmp_path / "a.yaml").write_text(MANIFEST)

    # This account may not read ConfigMaps. The server says so only after it has accepted the token.
    assert main(["report", str(tmp_path / "a.yaml"), "--kubeconfig", file, "--unmanaged=off"]) == 3
    assert "401" not in stderr()
    assert "Bearer" not in stderr()


def plugin(script: str) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contexts": [{"name": "a", "context": {"cluster": {"token": TOKEN}, "user": "a"}}]}, "kubeconfig"),
        ({"users": [{"name": "a", "user": plugin(f"echo {TOKEN}")}]}, "is not JSON"),
        ({"users": [{"name": "a", "user": plugin(f'echo \'{{"token": "{TOKEN}"}}\'')}]}, "is not an ExecCredential"),
        (
            {
                "users": [
                    {
                        "name": "a",
                        "user": plugin(
                            f'echo \'{{"apiVersion": "{TOKEN}", "kind": 1, "status": {{"token": "{TOKEN}"}}}}\''
                        ),
                    }
                ]
            },
            "is not of the apiVersion",
        ),
        ({"users": [{"name": "a", "user": plugin("echo log in first >&2; exit 7")}]}, "status 7: log in first"),
    ],
)
def test_errors_of_the_client_are_reworded(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match=message) as error:
        connect(kubeconfig(tmp_path, {}, **change), None).credentials()

    assert TOKEN not in str(error.value)


def test_an_internal_error_names_its_position_but_not_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    def fail(*_: object) -> NoReturn:
        raise ValueError(f"Invalid header value b'Bearer {TOKEN}'")

    monkeypatch.setattr(load, "files_below", fail)

    assert main(["report", str(tmp_path), "--live", str(tmp_path)]) == 3

    text = stderr()
    assert "internal error (ValueError)" in text
    assert "in fail" in text
    assert TOKEN not in text
