"""Kubeconfigs select the server and the credentials. No message quotes credentials."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.errors import ConnectError, UsageError
from drift.kube.connection import connect
from tests.fuzz.limits import clear_errors_only
from tests.fuzz.seeds import NASTY

TOKEN = "planted-token"  # noqa: S105


def kubeconfig(name: str = "a", server: str = "https://127.0.0.1:1", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "clusters": [{"name": name, "cluster": {"server": server}}],
        "users": [{"name": name, "user": {"token": TOKEN}}],
        **more,
    }


def written(file: Path, config: object) -> str:
    file.write_text(yaml.safe_dump(config))
    return str(file)


def written_plugin(folder: Path) -> dict[str, str]:
    """Writes an exec plugin, and returns how a kubeconfig in its folder names it."""
    api_version = "client.authentication.k8s.io/v1"
    credential = {"apiVersion": api_version, "kind": "ExecCredential", "status": {"token": TOKEN}}
    (folder / "plugin").write_text(f"#!/bin/sh\necho '{json.dumps(credential)}'\n")
    (folder / "plugin").chmod(0o755)
    return {"apiVersion": api_version, "command": "./plugin"}


def test_several_files_are_merged_and_the_first_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(tmp_path / "first", kubeconfig("a", "https://first"))
    again = written(tmp_path / "again", kubeconfig("a", "https://again", **{"current-context": "b"}))
    other = written(tmp_path / "other", kubeconfig("b", "https://other"))
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join((first, again, other)))

    assert connect(None, None).server == "https://first"
    assert connect(None, "b").server == "https://other"


def test_a_kubeconfig_that_is_named_is_one_file(tmp_path: Path) -> None:
    for name in ("ctx", "prod.yaml"):
        written(tmp_path / name, kubeconfig("a", "https://other"))
    named = f"{tmp_path}/ctx{os.pathsep}prod.yaml"
    with pytest.raises(UsageError, match="no such file"):
        connect(named, None)

    written(Path(named), kubeconfig("a", "https://named"))

    assert connect(named, None).server == "https://named"


def test_paths_are_relative_to_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "ca.pem").write_text("certificate")
    config = kubeconfig(
        clusters=[{"name": "a", "cluster": {"server": "https://a", "certificate-authority": "ca.pem"}}], users=[]
    )
    monkeypatch.chdir(tmp_path)

    connection = connect(written(folder / "config", config), None)

    assert Path(connection.client.configuration.ssl_ca_cert).read_text() == "certificate"


def test_paths_of_a_user_are_relative_to_the_file_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("clusters", "users"):
        (tmp_path / name).mkdir()
    for name in ("client.pem", "key.pem"):
        (tmp_path / "users" / name).write_text(name)
    clusters = written(tmp_path / "clusters" / "config", kubeconfig("a", "https://a", users=[]))
    user = {"client-certificate": "client.pem", "client-key": "key.pem"}
    users = written(tmp_path / "users" / "config", {"users": [{"name": "a", "user": user}]})
    used: list[Any] = []
    monkeypatch.setattr("kubernetes.client.rest.RESTClientObject", used.append)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join((clusters, users)))

    connect(None, None)

    (configuration,) = used
    assert configuration.cert_file == str(tmp_path / "users" / "client.pem")
    assert configuration.key_file == str(tmp_path / "users" / "key.pem")


def test_an_exec_plugin_with_a_slash_is_relative_to_the_file_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("clusters", "users"):
        (tmp_path / name).mkdir()
    clusters = written(tmp_path / "clusters" / "config", kubeconfig("a", users=[]))
    user = {"exec": written_plugin(tmp_path / "users")}
    users = written(tmp_path / "users" / "config", {"users": [{"name": "a", "user": user}]})
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join((clusters, users)))

    assert connect(None, None).credentials() == {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("command", ["./plugin", "plugin"])
def test_an_exec_plugin_runs_in_the_current_folder(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config", "current"):
        (tmp_path / name).mkdir()
    user = {"exec": {**written_plugin(tmp_path / "config"), "command": command}}
    with (tmp_path / "config" / "plugin").open("a") as plugin:
        plugin.write("pwd > folder\n")
    file = written(tmp_path / "config" / "config", kubeconfig(users=[{"name": "a", "user": user}]))
    monkeypatch.setenv("PATH", str(tmp_path / "config"), prepend=os.pathsep)
    monkeypatch.chdir(tmp_path / "current")

    assert connect(file, None).credentials() == {"authorization": f"Bearer {TOKEN}"}
    assert (tmp_path / "current" / "folder").read_text() == f"{tmp_path}/current\n"


def test_a_token_file_is_relative_to_the_kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "token").write_text(TOKEN)
    user = {"tokenFile": "token", "client-key": ""}
    file = written(tmp_path / "config" / "config", kubeconfig(users=[{"name": "a", "user": user}]))
    monkeypatch.chdir(tmp_path)

    assert connect(file, None).credentials() == {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize("text", [TOKEN, f"{TOKEN}\n", "", None])
def test_a_token_file_that_can_be_read_takes_precedence_over_a_token(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "token").write_text(text)
    user = {"token": "expired", "tokenFile": "token"}
    file = written(tmp_path / "config", kubeconfig(users=[{"name": "a", "user": user}]))

    assert connect(file, None).credentials() == {"authorization": f"Bearer {TOKEN if text else 'expired'}"}


@pytest.mark.parametrize("empty", ["", None])
def test_empty_data_beside_a_file_is_none(empty: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Any] = []
    monkeypatch.setattr("kubernetes.client.rest.RESTClientObject", used.append)
    files = {name: str(tmp_path / name) for name in ("certificate-authority", "client-certificate", "client-key")}
    for name in (*files, "token"):
        (tmp_path / name).write_text(TOKEN)
    data = {f"{name}-data": empty for name in files}
    cluster = {"server": "https://127.0.0.1:1", **files, **data}
    user = {**files, **data, "token": empty, "tokenFile": "token"}
    config = kubeconfig(clusters=[{"name": "a", "cluster": cluster}], users=[{"name": "a", "user": user}])

    connect(written(tmp_path / "config", config), None)

    (configuration,) = used
    assert configuration.api_key == {"BearerToken": f"Bearer {TOKEN}"}
    assert [configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file] == [*files.values()]


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_file_name_beside_data_is_none(empty: str | None, tmp_path: Path) -> None:
    user = {"token": TOKEN, "tokenFile": empty, "client-key": empty, "exec": None, "auth-provider": None}
    file = written(tmp_path / "config", kubeconfig(users=[{"name": "a", "user": user}]))

    assert connect(file, None).credentials() == {"authorization": f"Bearer {TOKEN}"}


def test_an_empty_user_name_sends_no_credentials(tmp_path: Path) -> None:
    user = {"token": "", "username": "", "password": ""}
    file = written(tmp_path / "config", kubeconfig(users=[{"name": "a", "user": user}]))

    assert connect(file, None).credentials() == {}


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_current_context_is_none(empty: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = written(tmp_path / "first", kubeconfig("a", "https://first", **{"current-context": empty}))
    other = written(tmp_path / "other", kubeconfig("b", "https://other"))

    with pytest.raises(ConnectError, match="has no current context; name one with --context"):
        connect(first, None)
    assert connect(first, "a").server == "https://first"

    monkeypatch.setenv("KUBECONFIG", os.pathsep.join((first, other)))
    assert connect(None, None).server == "https://other"


@pytest.mark.parametrize("named", [None, "~/.kube/config"])
@pytest.mark.parametrize("variable", [None, "~/.kube/config"])
def test_paths_are_relative_to_the_kubeconfig_in_the_home(
    named: str | None, variable: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home" / ".kube"
    folder.mkdir(parents=True)
    (folder / "ca.pem").write_text("certificate")
    written(
        folder / "config",
        kubeconfig(
            clusters=[{"name": "a", "cluster": {"server": "https://a", "certificate-authority": "ca.pem"}}],
            users=[{"name": "a", "user": {"exec": written_plugin(folder)}}],
        ),
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    if variable is None:
        monkeypatch.delenv("KUBECONFIG", raising=False)
    else:
        monkeypatch.setenv("KUBECONFIG", variable)

    connection = connect(named, None)

    assert connection.credentials() == {"authorization": f"Bearer {TOKEN}"}
    assert Path(connection.client.configuration.ssl_ca_cert).read_text() == "certificate"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"users": {"a": {"token": TOKEN}}}, "users is not a list"),
        ({"users": [{"user": {"token": TOKEN}}]}, "an entry of users has no name"),
        ({"users": [{"name": "a", "user": [TOKEN]}]}, "user of 'a' is not a mapping"),
        ({"users": [{"name": "a", "user": {"token": f"{TOKEN}\0"}}]}, "user of 'a' contains a NUL character"),
        ({"contexts": [{"name": "a", "context": {"cluster": "b", "user": "a"}}]}, "'b'|name b"),
        ({"contexts": [{"name": "a"}]}, "context"),
        ({"current-context": 7}, "7"),
    ],
)
def test_a_broken_kubeconfig_is_one_line_without_credentials(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    file = written(tmp_path / "config", kubeconfig(**change))

    with pytest.raises(ConnectError, match=message) as error:
        connect(file, None)

    assert TOKEN not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("case", NASTY)
def test_a_file_that_is_not_a_kubeconfig_is_an_error_at_once(case: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_bytes(NASTY[case])

    with clear_errors_only(), pytest.raises(ConnectError, match="kubeconfig"):
        connect(str(file), None)
