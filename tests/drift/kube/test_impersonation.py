"""Impersonation works as in kubectl: the --as flags and the `as` fields of a kubeconfig."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from urllib3 import HTTPHeaderDict

from drift.cli import main
from drift.errors import ConnectError, UsageError
from drift.kube.connection import connect
from drift.kube.kubeconfig import Impersonation
from tests.drift.conftest import Application

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NAMESPACE}\ndata: {key: value}\n"
SCOPES = "example.org/scopes"


@pytest.fixture
def impersonator(workspace: Application) -> Iterator[Path]:
    """The kubeconfig of an account that may impersonate a few identities but cannot read anything itself."""
    name = f"impersonator-{workspace.namespace}"
    rules = [
        {"apiGroups": [""], "resources": ["users"], "verbs": ["impersonate"], "resourceNames": ["jane", "jäne"]},
        {"apiGroups": [""], "resources": ["groups"], "verbs": ["impersonate"], "resourceNames": ["readers", "others"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": ["uids"], "verbs": ["impersonate"]},
        {"apiGroups": ["authentication.k8s.io"], "resources": [f"userextras/{SCOPES}"], "verbs": ["impersonate"]},
    ]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name},
        "rules": rules,
    }
    workspace.kubectl("create", "-f", "-", stdin=json.dumps(role))
    workspace.kubectl("create", "serviceaccount", name)
    account = f"--serviceaccount={workspace.namespace}:{name}"
    workspace.kubectl("create", "clusterrolebinding", name, f"--clusterrole={name}", account)
    workspace.kubectl("create", "rolebinding", "readers", "--clusterrole=view", "--group=readers")
    yield workspace.cluster.kubeconfig_for(workspace.cluster.token(name, workspace.namespace))
    workspace.kubectl("delete", "clusterrole,clusterrolebinding", name)


def with_user(kubeconfig: Path, folder: Path, **fields: Any) -> Path:
    """Adds fields to the user of a kubeconfig."""
    config = yaml.safe_load(kubeconfig.read_text())
    config["users"][0]["user"].update({name.replace("_", "-"): value for name, value in fields.items()})
    file = folder / "impersonating.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def synced(workspace: Application) -> None:
    workspace.write(CONFIG_MAP)
    workspace.sync()


@pytest.mark.parametrize("user", ["jane", "jäne"])
def test_a_scan_has_the_permissions_of_the_impersonated_groups(
    workspace: Application, impersonator: Path, user: str
) -> None:
    synced(workspace)
    flags = ("--unmanaged", "off", "--as", user, "--as-group", "others")

    assert workspace.report("--unmanaged", "off", kubeconfig=impersonator).status == 3
    assert workspace.report(*flags, kubeconfig=impersonator).status == 3
    assert workspace.report(*flags, "--as-group", "readers", "--as-uid", "7", kubeconfig=impersonator).status == 0


def test_the_kubeconfig_can_name_a_user_to_impersonate(
    workspace: Application, impersonator: Path, tmp_path: Path
) -> None:
    synced(workspace)
    extra = {SCOPES: ["view", "all"]}

    named = with_user(
        impersonator, tmp_path, as_="jane", as_groups=["readers", "others"], as_uid="7", as_user_extra=extra
    )
    text = named.read_text().replace("as-: ", "as: ")
    named.write_text(text)

    assert workspace.report("--unmanaged", "off", kubeconfig=named).status == 0
    # A flag takes precedence over the kubeconfig.
    assert workspace.report("--unmanaged", "off", "--as-group", "others", kubeconfig=named).status == 3


def test_an_administrator_who_impersonates_has_fewer_permissions(workspace: Application, tmp_path: Path) -> None:
    synced(workspace)
    file = with_user(workspace.cluster.kubeconfig, tmp_path)
    file.write_text(file.read_text().replace("token: ", "as: jane\n    token: "))

    scanned = workspace.report("--unmanaged", "off", kubeconfig=file)

    assert scanned.status == 3
    (error,) = scanned.document["errors"]
    assert "may not be read by the impersonated user jane (get, list configmaps in" in error


def test_an_impersonated_user_can_be_an_administrator(
    workspace: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    synced(workspace)

    scanned = workspace.report("-v", "--as", "jane", "--as-group", "system:masters")

    assert scanned.status == 0
    assert ", as jane\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flags", [("--as", "joe"), ("--as", "jane", "--as-group", "system:masters"), ("--as", "system:serviceaccount:a:b")]
)
def test_an_account_that_may_not_impersonate_is_one_clear_line(
    workspace: Application, impersonator: Path, flags: tuple[str, ...], stderr: Callable[[], str]
) -> None:
    workspace.write(CONFIG_MAP)

    assert main(["report", str(workspace.manifests), "--kubeconfig", str(impersonator), *flags]) == 3

    (line,) = stderr().splitlines()
    assert f"this account may not impersonate {flags[1]!r}" in line


@pytest.mark.parametrize("flags", [["--as-group", "a"], ["--as-uid", "7"], ["--as", ""], ["--as", "a\nX-Header: b"]])
@pytest.mark.parametrize("command", ["report", "watch"])
def test_invalid_flag_values_are_a_usage_error(
    tmp_path: Path, command: str, flags: list[str], stderr: Callable[[], str]
) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)
    file = kubeconfig(tmp_path)

    assert main([command, str(tmp_path / "a.yaml"), "--kubeconfig", file, *flags]) == 2

    (line,) = stderr().splitlines()
    assert "--as" in line


def test_impersonation_flags_do_not_apply_to_a_dump(tmp_path: Path, stderr: Callable[[], str]) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)

    assert main(["report", str(tmp_path), "--live", str(tmp_path), "--as", "jane"]) == 2
    assert "--as" in stderr()


def kubeconfig(folder: Path, **user: Any) -> str:
    file = folder / "kubeconfig"
    config = {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "a", "user": {"token": "t", **user}}],
    }
    file.write_text(json.dumps(config))
    return str(file)


def test_the_headers_are_those_of_client_go(tmp_path: Path) -> None:
    """https://github.com/kubernetes/client-go/blob/master/transport/round_trippers.go"""
    extra = {"Example.org/Über": ["a", "b"]}
    file = kubeconfig(tmp_path, **{"as": "jane", "as-groups": ["g"], "as-user-extra": extra})

    sent = connect(file, None, Impersonation(groups=("x, y", "z"), uid="7")).credentials()

    assert isinstance(sent, HTTPHeaderDict)
    assert list(sent.iteritems()) == [
        ("authorization", "Bearer t"),
        ("Impersonate-User", "jane"),
        ("Impersonate-Uid", "7"),
        ("Impersonate-Group", "x, y"),
        ("Impersonate-Group", "z"),
        ("Impersonate-Extra-example.org%2F%C3%BCber", "a"),
        ("Impersonate-Extra-example.org%2F%C3%BCber", "b"),
    ]


@pytest.mark.parametrize("user", [{"as-groups": ["g"]}, {"as-uid": "7"}, {"as-user-extra": {"k": ["v"]}}])
def test_groups_need_a_user_as_with_kubectl(tmp_path: Path, user: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="need a user to impersonate"):
        connect(kubeconfig(tmp_path, **user), None)


@pytest.mark.parametrize(
    "user",
    [
        {"as": 7},
        {"as": ["jane"]},
        {"as": "jane\r\nX: y"},
        {"as": "jane", "as-groups": "readers"},
        {"as": "jane", "as-groups": [7]},
        {"as": "jane", "as-user-extra": ["a"]},
        {"as": "jane", "as-user-extra": {"a": "b"}},
    ],
)
def test_malformed_settings_are_an_error(tmp_path: Path, user: dict[str, Any]) -> None:
    with pytest.raises(ConnectError, match="user 'a': as"):
        connect(kubeconfig(tmp_path, **user), None)
