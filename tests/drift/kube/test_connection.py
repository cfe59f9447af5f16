"""How a server, credentials and addresses are configured. No message quotes credentials."""

import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import pytest
import yaml

from drift.cli import main
from drift.errors import ConnectError, UsageError
from drift.kube import connection as client_connection
from drift.kube.connection import Connection, connect
from drift.kube.requests import Requests
from drift.sources import load
from tests.drift.conftest import Application
from tests.drift.kube.hostile_server import TOKEN, kubeconfig
from tools.sandbox.cluster import Cluster

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NAMESPACE}\n"
PASSWORD = {"username": "admin", "password": "planted-password"}
PROVIDER = {"auth-provider": {"name": "gcp", "config": {"cmd-path": "/bin/false", "access-token": "planted-token"}}}


@pytest.mark.parametrize(
    ("user", "named"),
    [
        (PASSWORD, "username and password"),
        ({"password": "planted-password"}, "password"),
        (PROVIDER, "auth-provider"),
        ({**PASSWORD, **PROVIDER, "token": ""}, "username and password and auth-provider"),
    ],
)
def test_unsupported_authentication_is_one_line_with_alternatives(
    tmp_path: Path, user: dict[str, Any], named: str, stderr: Callable[[], str]
) -> None:
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)

    assert main(["report", str(tmp_path / "a.yaml"), "--kubeconfig", kubeconfig(tmp_path, user)]) == 2

    (line,) = stderr().splitlines()
    assert f"user 'a': {named} cannot be used" in line
    assert "exec plugin" in line
    assert "planted" not in line


@pytest.mark.parametrize("other", [PASSWORD, PROVIDER])
def test_unsupported_authentication_is_ignored_if_there_is_a_token(tmp_path: Path, other: dict[str, Any]) -> None:
    headers = connect(kubeconfig(tmp_path, {"token": TOKEN, **other}), None).credentials()

    assert dict(headers) == {"authorization": f"Bearer {TOKEN}"}


def test_unused_users_are_not_checked(tmp_path: Path) -> None:
    file = Path(kubeconfig(tmp_path))
    config = json.loads(file.read_text())
    config["users"].append({"name": "b", "user": PASSWORD})
    file.write_text(json.dumps(config))

    assert connect(str(file), None).context == "a"


@pytest.mark.parametrize(
    "server", ["", "127.0.0.1:6443", "example.com", "ftp://example.com", "https://", "https://h:99999", "https://a\n"]
)
def test_a_server_address_must_be_a_url(tmp_path: Path, server: str) -> None:
    with pytest.raises(ConnectError, match="of the kubeconfig is not a URL"):
        connect(kubeconfig(tmp_path, server=server), None)


def test_no_credentials_are_sent_unencrypted_to_another_machine(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no credentials are sent over http://"):
        connect(kubeconfig(tmp_path, server="http://api.example.com"), None)

    connect(kubeconfig(tmp_path, {}, server="http://api.example.com"), None)
    connect(kubeconfig(tmp_path, server="http://127.0.0.1:8001"), None)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("insecure-skip-tls-verify", "false"),
        ("insecure-skip-tls-verify", 1),
        ("tls-server-name", 7),
        ("server", ["https://a"]),
    ],
)
def test_a_setting_of_the_wrong_type_is_an_error(tmp_path: Path, setting: str, value: Any) -> None:
    with pytest.raises(ConnectError, match=f"{setting} is not "):
        connect(kubeconfig(tmp_path, **{setting: value}), None)


@pytest.mark.parametrize("token", [f"{TOKEN}\r\nX-Header: b", f"{TOKEN}\x00", f"{TOKEN}\u20ac"])
def test_a_token_with_invalid_characters_is_not_quoted(tmp_path: Path, token: str) -> None:
    with pytest.raises(ConnectError) as error:
        Requests(connect(kubeconfig(tmp_path, {"token": token}), None)).get("/version")

    assert TOKEN not in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unverified_certificate_is_one_warning(workspace: Application, stderr: Callable[[], str]) -> None:
    workspace.write(CONFIG_MAP)
    workspace.sync()
    config = yaml.safe_load(workspace.cluster.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    del cluster["certificate-authority-data"]
    cluster["insecure-skip-tls-verify"] = True
    file = workspace.scratch / "insecure.kubeconfig"
    file.write_text(yaml.safe_dump(config))

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        status = workspace.report(kubeconfig=file).status
        (line,) = stderr().splitlines()
        several = main(
            [
                "report",
                str(workspace.manifests),
                "--kubeconfig",
                str(file),
                "--kubeconfig",
                str(workspace.cluster.kubeconfig),
            ]
        )
        (again,) = stderr().splitlines()
        quiet = workspace.report("--quiet", kubeconfig=file).status

    assert (status, several, quiet) == (0, 0, 0)
    assert line == again
    assert line.startswith(
        f"drift: {workspace.cluster.server}: its certificate is not verified (insecure-skip-tls-verify)"
    )
    assert stderr() == ""


def _kubeconfig(folder: Path, user: dict[str, Any], server: str = "https://127.0.0.1:1", **more: Any) -> str:
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
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)
    user = {field: text if field == "token" else str(tmp_path / "token")}

    assert main(["report", str(tmp_path / "a.yaml"), "--kubeconfig", kubeconfig(tmp_path, user)]) == 3

    (line,) = stderr().splitlines()
    assert "the token contains an invalid character" in line
    assert TOKEN not in line


def test_a_token_file_with_a_newline_is_accepted_by_the_api_server(
    cluster: Cluster, tmp_path: Path, stderr: Callable[[], str]
) -> None:
    used = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json").stdout)
    cluster.kubectl("create", "serviceaccount", "newline", "--namespace=default")
    token = cluster.kubectl("create", "token", "newline", "--namespace=default").stdout.strip()
    (tmp_path / "token").write_text(f"{token}\n")
    file = _kubeconfig(tmp_path, {"tokenFile": str(tmp_path / "token")}, clusters=used["clusters"])
    content = json.loads(Path(file).read_text())
    content["contexts"][0]["context"]["cluster"] = used["clusters"][0]["name"]
    Path(file).write_text(json.dumps(content))
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)

    # This account may not read ConfigMaps. The server says so only after it has accepted the token.
    assert main(["report", str(tmp_path / "a.yaml"), "--kubeconfig", file, "--unmanaged=off"]) == 3
    assert "401" not in stderr()
    assert "Bearer" not in stderr()


def plugin(script: str) -> dict[str, Any]:
    return {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script]}}


class Clock(datetime):
    """A clock that a test sets ahead."""

    ahead = timedelta()

    @classmethod
    def now(cls, tz: Any = None) -> "Clock":
        return super().now(tz) + cls.ahead


class Plugin:
    """An exec plugin that counts its runs and returns what a test says."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.user = plugin(f"echo run >> {folder}/runs; cat {folder}/credential")

    def returns(self, expires_in: float | None, **status: str) -> None:
        if expires_in is not None:
            expiry = datetime.now(UTC) + timedelta(seconds=expires_in)
            status["expirationTimestamp"] = expiry.strftime("%Y-%m-%dT%H:%M:%SZ")
        credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status}
        (self._folder / "credential").write_text(json.dumps(credential))

    def fails(self) -> None:
        (self._folder / "credential").unlink()

    @property
    def runs(self) -> int:
        return len((self._folder / "runs").read_text().splitlines())


@pytest.fixture
def exec_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plugin:
    monkeypatch.setattr(client_connection, "datetime", Clock)
    monkeypatch.setattr(Clock, "ahead", timedelta())
    return Plugin(tmp_path)


def _tokens(connection: Connection, threads: int) -> list[str]:
    """The tokens of requests that begin at the same moment."""
    barrier = threading.Barrier(threads)

    def request(_: int) -> str:
        barrier.wait()
        return connection.credentials()["authorization"]

    with ThreadPoolExecutor(threads) as pool:
        return [*pool.map(request, range(threads))]


@pytest.mark.parametrize("seconds", [240, 5, -3600, None])
def test_a_new_token_is_used_for_several_requests_however_soon_it_expires(
    seconds: float | None, tmp_path: Path, exec_plugin: Plugin
) -> None:
    exec_plugin.returns(seconds, token="first")  # noqa: S106
    connection = connect(_kubeconfig(tmp_path, exec_plugin.user), None)

    assert {*_tokens(connection, 5)} == {"Bearer first"}
    assert exec_plugin.runs == 1


@pytest.mark.parametrize("seconds", [240, 3600])
def test_a_token_that_expires_is_replaced_once_for_all_threads(
    seconds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exec_plugin: Plugin
) -> None:
    exec_plugin.returns(seconds, token="first")  # noqa: S106
    connection = connect(_kubeconfig(tmp_path, exec_plugin.user), None)
    for turn, token in enumerate(("second", "third"), start=1):
        exec_plugin.returns(seconds * (turn + 1), token=token)
        # The client, whose clock is not set ahead, replaces a token five minutes before it expires.
        monkeypatch.setattr("kubernetes.config.kube_config._is_expired", lambda _: True)
        monkeypatch.setattr(Clock, "ahead", timedelta(seconds=seconds * turn))

        assert {*_tokens(connection, 15)} == {f"Bearer {token}"}
        assert exec_plugin.runs == turn + 1


def test_a_plugin_that_failed_is_tried_again_by_the_next_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exec_plugin: Plugin
) -> None:
    exec_plugin.returns(240, token="first")  # noqa: S106
    connection = connect(_kubeconfig(tmp_path, exec_plugin.user), None)
    exec_plugin.fails()
    monkeypatch.setattr(Clock, "ahead", timedelta(seconds=240))
    with pytest.raises(ConnectError, match="no credentials: the exec plugin exited"):
        connection.credentials()

    exec_plugin.returns(480, token="second")  # noqa: S106
    assert connection.credentials()["authorization"] == "Bearer second"


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
        connect(_kubeconfig(tmp_path, {}, **change), None).credentials()

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


def test_errors_logged_by_another_thread_are_ignored() -> None:
    def authenticate() -> Any:
        other = threading.Thread(target=logging.getLogger().error, args=("exec: the other cluster's plugin failed",))
        other.start()
        other.join()
        return {"BearerToken": {"key": "authorization", "value": "Bearer mine"}}

    client = mock.Mock()
    client.configuration.auth_settings = authenticate
    mine = Connection(client, None, "https://mine.example.com", "default", lambda: mine)
    before = list(logging.getLogger().handlers)

    assert mine.credentials() == {"authorization": "Bearer mine"}
    assert logging.getLogger().handlers == before


CONFIG = {
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "a"}}],
    "clusters": [{"name": "a", "cluster": {"server": "https://127.0.0.1:6443"}}],
}


def _printed(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_the_client_is_imported_without_its_models_and_other_ways_to_log_in() -> None:
    heavy = ("kubernetes.dynamic", "kubernetes.client.api_client", "pydantic", "requests", "oauthlib.oauth2", "yaml")
    code = (
        "import sys\nfrom drift.kube.connection import load_client\nload_client()\n"
        f"print('kubernetes.config.kube_config' in sys.modules, [name for name in {heavy} if name in sys.modules])"
    )

    assert _printed(code) == "True []"


def test_other_programs_get_all_of_the_client() -> None:
    code = (
        "import sys\nfrom drift.kube.connection import load_client\nload_client()\n"
        "import kubernetes\n"
        f"client = kubernetes.config.new_client_from_config_dict({CONFIG})\n"
        "import io, oauthlib.oauth2, requests_oauthlib\n"
        "kubernetes.config.kube_config.KubeConfigMerger(io.StringIO('{}'))\n"
        "print(kubernetes.config is sys.modules['kubernetes.config'], type(client) is kubernetes.client.ApiClient,"
        " kubernetes.dynamic.DynamicClient.__name__, kubernetes.client.V1Pod.__name__, kubernetes.__version__,"
        " oauthlib.oauth2.rfc6749.__name__, requests_oauthlib.OAuth2Session.__name__,"
        " kubernetes.config.kube_config.yaml.loader.SafeLoader.__name__)"
    )

    expected = f"True True DynamicClient V1Pod {version('kubernetes')} oauthlib.oauth2.rfc6749 OAuth2Session SafeLoader"
    assert _printed(code) == expected


def test_a_client_that_other_programs_have_imported_is_used_as_it_is() -> None:
    code = (
        "import kubernetes.client\nbefore = kubernetes.client.ApiClient\n"
        "from drift.kube.connection import load_client\nload_client()\n"
        "print(kubernetes.client.ApiClient is before, kubernetes.config.kube_config.ApiClient is before)"
    )

    assert _printed(code) == "True True"


def test_a_client_that_needs_everything_is_imported_as_usual() -> None:
    code = (
        "from drift.kube import connection as client\n"
        # The client subscripts names of this module while it is imported.
        "client._UNUSED = ('typing_extensions',)\nclient.load_client()\n"
        "import typing_extensions, kubernetes.config.kube_config as used\n"
        "print(type(typing_extensions.Self) is not type(client.load_client), used.Configuration().verify_ssl)"
    )

    assert _printed(code) == "True True"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Authorization: Bearer hunter2 was refused", "Authorization: Bearer ... was refused"),
        ("refresh_token=hunter2 has expired", "refresh_token... has expired"),
        ('{"access_token": "hunter2"}', '{"access_token...'),
        ("got eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2ln back", "got ... back"),
        ("https://me:hunter2@login.example.com is down", "https://login.example.com is down"),
        ("aws: the token has expired; run aws sso login", "aws: the token has expired; run aws sso login"),
        ("open https://login.example.com/?user_code=ABCD-EFGH", "open https://login.example.com/?user_code=ABCD-EFGH"),
    ],
)
def test_what_an_exec_plugin_says_is_shown_without_credentials(
    tmp_path: Path, stderr: Callable[[], str], said: str, shown: str
) -> None:
    file = _kubeconfig(tmp_path, plugin(f"echo '{said}' >&2; exit 1"))
    (tmp_path / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")

    assert main(["report", str(tmp_path / "a.yaml"), "--kubeconfig", str(file)]) == 3
    assert stderr() == f"drift: kubeconfig {file}: no credentials: the exec plugin exited with status 1: {shown}\n"


@pytest.mark.parametrize("contexts", [["production"], ["production", "staging"]])
def test_a_pod_without_a_kubeconfig_has_no_contexts(
    contexts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]
) -> None:
    for variable, value in (("HOST", "127.0.0.1"), ("PORT", "1")):
        monkeypatch.setenv(f"KUBERNETES_SERVICE_{variable}", value)
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)
    flags = [f"--context={context}" for context in contexts]

    assert main(["report", str(tmp_path / "a.yaml"), *flags]) == 2

    assert stderr() == (
        "drift: --context production: there is no kubeconfig (looked at /nonexistent/kubeconfig); "
        "the pod's service account has no contexts\n"
    )
    with pytest.raises(ConnectError, match="the pod's service account cannot be used"):
        connect(None, None)


def test_a_pod_knows_its_cluster_by_the_certificate_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_connection, "_SERVICE_ACCOUNT", tmp_path)
    for name, file in (("TOKEN", "token"), ("CERT", "ca.crt")):
        monkeypatch.setattr(f"kubernetes.config.incluster_config.SERVICE_{name}_FILENAME", str(tmp_path / file))
    for variable, value in (("HOST", "10.96.0.1"), ("PORT", "443")):
        monkeypatch.setenv(f"KUBERNETES_SERVICE_{variable}", value)
    (tmp_path / "token").write_text(TOKEN)
    ids = []
    for authority in (b"east", b"west", b"east"):
        (tmp_path / "ca.crt").write_bytes(authority)
        made = connect(None, None)
        ids.append(made.cluster_id)

        assert (made.server, made.context) == ("https://10.96.0.1:443", None)

    assert ids[0] == ids[2] == f"sha256:{sha256(b'east').hexdigest()}"
    assert ids[1] == f"sha256:{sha256(b'west').hexdigest()}"
    assert connect(kubeconfig(tmp_path, {"token": TOKEN}), None).cluster_id is None


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("no-such-plugin", "the exec plugin 'no-such-plugin' was not found; is it installed?"),
        ("/opt/it's mine", 'the exec plugin "/opt/it\'s mine" was not found; is it installed?'),
        (
            f"/opt/{'folder/' * 20}plugin",
            f"the exec plugin '/opt/{'folder/' * 20}plugin' was not found; is it installed?",
        ),
        ("/etc", "the exec plugin '/etc' cannot be started: Permission denied"),
    ],
)
def test_an_exec_plugin_that_cannot_be_started_is_named(
    command: str, message: str, tmp_path: Path, stderr: Callable[[], str]
) -> None:
    file = _kubeconfig(tmp_path, {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": command}})
    (tmp_path / "a.yaml").write_text(CONFIG_MAP)

    assert main(["report", str(tmp_path / "a.yaml"), "--kubeconfig", file]) == 3

    assert stderr() == f"drift: kubeconfig {file}: no credentials: {message}\n"


def test_a_missing_token_file_is_no_exec_plugin(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="/token: No such file or directory") as error:
        connect(_kubeconfig(tmp_path, {"tokenFile": "token"}), None)

    assert "plugin" not in str(error.value)
