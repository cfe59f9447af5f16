"""No secret value leaves the process, wherever it was planted."""

import base64
import contextlib
import io
import json
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.cli import main
from drift.report.formats import Format

pytestmark = pytest.mark.slow
#: The part of a value that no format escapes.
CORE = "pl4ntedS3cret"
SECRETS = st.builds(
    lambda before, after: f"{before}{CORE}{after}",
    *(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6) for _ in range(2)),
)
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def encoded(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


def holds(text: str, value: str) -> bool:
    # Base64 of the core depends on where in a group of three bytes it begins; its ends depend on what is beside it.
    forms = {base64.b64encode(b"x" * shift + CORE.encode()).decode()[4:-4] for shift in range(3)}
    return CORE in text or CORE in text.replace("\\", "") or encoded(value) in text or any(f in text for f in forms)


def secret(**parts: Any) -> dict[str, Any]:
    metadata = {"name": "db", "namespace": "shop", **parts.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, **parts}


def planted(value: str) -> st.SearchStrategy[dict[str, Any] | None]:
    """A Secret with the value in one of the usual places, or None for no Secret."""
    noted = {"name": "db", "data": {"key": encoded(value)}, "stringData": {"k": value}}
    return st.sampled_from(
        [
            None,
            secret(data={"key": "eA==", "other": "eQ=="}),
            secret(data={"key": encoded(value)}),
            secret(data={"key": value}),
            secret(data={"key": [value]}),
            secret(data=value),
            secret(stringData={"key": value, "more": value}),
            secret(unknown={"deep": [value]}),
            secret(metadata={"annotations": {LAST_APPLIED: json.dumps(secret(**noted))}}, data={"key": "eA=="}),
            secret(metadata={"annotations": {LAST_APPLIED: f"broken {value}", "of.a/tool": value}}),
            secret(metadata={"annotations": {"of.a/tool": value}}, stringData={"key": value}),
        ]
    )


def deployment(variable: dict[str, Any], image: str) -> dict[str, Any]:
    containers = [{"name": "web", "image": image, "env": [{"name": "PASSWORD", **variable}]}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"template": {"spec": {"containers": containers}}},
    }


def said(arguments: list[str]) -> tuple[int, str]:
    """Returns the exit status of a command, and the text of both streams."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            status = main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
    return status, out.getvalue()


def everything(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Returns the exit status of a scan, and the text of both streams and of every format, rendered twice."""
    files = {form: folder / f"report.{form}" for form in Format}
    outputs = [f"--output={form}={file}" for form, file in files.items()]
    status, text = said(["report", *arguments, "-v", "--output", "text", *outputs])
    for flags in (["--color=always", "-v"], ["--suggest-ignores"], ["--quiet"]):
        text += said(["report", *arguments, *flags])[1]
    if files[Format.JSON].exists():
        text += "".join(file.read_text() for file in files.values())
        text += said(["render", str(files[Format.JSON]), "-v"])[1]
    return status, text


@settings(max_examples=40, deadline=None)
@given(st.data(), SECRETS, st.booleans())
def test_a_value_of_a_secret_is_in_no_report_and_on_no_stream(data: st.DataObject, value: str, swapped: bool) -> None:
    reference = {"valueFrom": {"secretKeyRef": {"name": "db", "key": "key"}}}
    desired = [data.draw(planted(value)), deployment(reference, "nginx:1")]
    live = [data.draw(planted(value)), deployment({"value": value}, "nginx:2")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, objects in (("git", desired), ("live", live)):
            content = {"apiVersion": "v1", "kind": "List", "items": [item for item in objects if item]}
            (folder / f"{side}.json").write_text(json.dumps(content))
        sides = ["live.json", "git.json"] if swapped else ["git.json", "live.json"]

        status, text = everything([str(folder / sides[0]), "--live", str(folder / sides[1])], folder)

    assert status == 1
    assert "nginx:2" in text
    assert not holds(text, value)


CIPHER = "ENC[AES256_GCM,data:cGxhbg==,iv:aXY=,tag:dGFn,type:str]"


def values_of(name: str, place: str, value: str, more: dict[str, Any]) -> dict[str, Any]:
    """An object that holds a value in a place, beside others."""
    metadata = {"name": name, "namespace": "shop"}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
    release = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": metadata}
    container = {"name": "web", "image": "nginx"}
    return {
        "data": {**config, "data": {"key": value, **more}},
        "nested": {**release, "spec": {"values": {"db": {"password": value}, **more}}},
        "list": {**release, "spec": {"values": {"passwords": ["a", value, *more.values()]}}},
        "items": {**release, "spec": {"values": [{"name": "a", "password": value, **more}, *more.values()]}},
        "env": deployment({"value": value, **more}, "nginx:2"),
        "args": {
            **deployment({}, "nginx:2"),
            "spec": {"template": {"spec": {"containers": [{**container, "args": ["--password", value]}]}}},
        },
        "annotation": {**config, "metadata": {**metadata, "annotations": {"a.b/c": value, **more}}},
        "secret": secret(stringData={"key": value, **more}),
    }[place]


@pytest.mark.parametrize("place", ["data", "nested", "list", "items", "env", "args", "annotation", "secret"])
@pytest.mark.parametrize("is_removed", [True, False])
@settings(max_examples=3, deadline=None)
@given(value=SECRETS)
def test_the_plain_text_of_what_sops_encrypts_is_in_no_report(place: str, is_removed: bool, value: str) -> None:
    git = {**values_of("a", place, CIPHER, {"gone": CIPHER} if is_removed else {}), "sops": {"mac": CIPHER}}
    live = values_of("a", place, value, {"extra": value})
    plain = json.dumps(live)
    live["metadata"] = {**live["metadata"]}
    live["metadata"]["annotations"] = {**live["metadata"].get("annotations", {}), LAST_APPLIED: plain}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "git.json").write_text(json.dumps(git))
        (folder / "live.json").write_text(json.dumps(live))

        status, text = everything([str(folder / "git.json"), "--live", str(folder / "live.json")], folder)

    assert status in {0, 1}
    assert "encrypted with SOPS" in text
    assert not holds(text, value)


class _Talkative(BaseHTTPRequestHandler):
    """An API server that quotes a secret in every error, as an admission webhook or an aggregated API can."""

    def do_GET(self) -> None:
        answers = {
            "/version": {"gitVersion": "v1.36.3"},
            "/api": _discovery("", "v1"),
            "/apis": _discovery("apps", "v1"),
        }
        answer = answers.get(self.path.partition("?")[0])
        failed = {"kind": "Status", "message": f"denied: {CORE}", "reason": CORE, "details": {"name": CORE}}
        body = json.dumps(failed if answer is None else answer).encode()
        self.send_response(500 if answer is None else 200, None if answer else CORE)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        del arguments


def _discovery(group: str, version: str) -> dict[str, Any]:
    kinds = [("Deployment", "deployments")] if group else [("ConfigMap", "configmaps"), ("Secret", "secrets")]
    resources = [
        {"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced", "verbs": ["get", "list"]}
        for kind, plural in kinds
    ]
    items = [{"metadata": {"name": group}, "versions": [{"version": version, "resources": resources}]}]
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}


@pytest.fixture
def talkative() -> Iterator[str]:
    """Host and port of a talkative API server."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Talkative)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def kubeconfig(folder: Path, server: str, **user: str) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user}],
    }
    (folder / "kubeconfig").write_text(json.dumps(content))
    return str(folder / "kubeconfig")


@pytest.fixture
def manifests(tmp_path: Path) -> str:
    file = tmp_path / "git.json"
    file.write_text(json.dumps({"kind": "List", "items": [secret(stringData={"a": CORE}), deployment({}, "nginx")]}))
    return str(file)


@pytest.mark.usefixtures("short_retry_delays")
def test_the_error_text_of_an_api_server_is_in_no_output(talkative: str, manifests: str, tmp_path: Path) -> None:
    credentials = kubeconfig(tmp_path, f"http://admin:{CORE}@{talkative}", token=CORE)

    status, text = everything([manifests, "--kubeconfig", credentials], tmp_path)

    assert status == 3
    assert f"http://{talkative}" in text
    assert "500" in text
    assert not holds(text, CORE)


@pytest.mark.usefixtures("short_retry_delays")
@pytest.mark.parametrize(
    "server",
    [
        "http://admin:{}@127.0.0.1:1",
        "https://{}@127.0.0.1:1",
        "http://admin:{}@127.0.0.1:port",
        "https://admin:{}@[::1",
        "http://a:b@{}@127.0.0.1:1/x?y",
    ],
)
def test_a_password_in_the_servers_url_is_never_repeated(server: str, manifests: str, tmp_path: Path) -> None:
    credentials = kubeconfig(tmp_path, server.format(CORE), token=CORE)

    status, text = everything([manifests, "--kubeconfig", credentials], tmp_path)

    assert status == 3
    assert not holds(text, CORE)


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "https://me:{}@git.example.com/shop.git"],
        ["report", "x.yaml", "--live", "https://me:{}@git.example.com/dump"],
        ["report", "x.yaml", "--kubeconfig", "https://me:{}@cluster.example.com"],
        ["report", "x.yaml", "--output", "https://me:{}@hook.example.com"],
        ["report", "x.yaml", "--config", "https://me:{}@git.example.com/drift.yaml"],
        ["render", "https://me:{}@ci.example.com/report.json"],
        ["explain", "https://me:{}@git.example.com"],
        ["https://me:{}@git.example.com/shop.git"],
        ["report", "x.yaml", "--unknown=https://me:{}@git.example.com"],
    ],
)
def test_a_password_in_a_mistaken_argument_is_never_repeated(arguments: list[str]) -> None:
    status, text = said([argument.format(CORE) for argument in arguments])

    assert status in {2, 3}
    assert text
    assert not holds(text, CORE)
