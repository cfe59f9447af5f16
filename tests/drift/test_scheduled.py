"""The script of the scheduled workflow, with a real cluster and a simulated GitHub."""

import base64
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / ".github/scripts"

# Simulates gh with at most one issue, and records each call with the text of its body.
GH = """\
#!{python}
import json, os, pathlib, sys
folder = pathlib.Path(os.environ["PLAYED"])
call = sys.argv[1:]
body = pathlib.Path(call[call.index("--body-file") + 1]).read_text() if "--body-file" in call else None
upload = next((word.partition("sarif=@")[2] for word in call if word.startswith("sarif=@")), None)
if upload:
    body = pathlib.Path(upload).read_text()
with open(folder / "calls", "a") as calls:
    print(json.dumps([call, body]), file=calls)
if (folder / "broken").exists():
    sys.exit("gh: HTTP 403")
state = folder / "state"
if call[:2] == ["issue", "list"]:
    if state.exists():
        print("7", state.read_text())
elif call[0] == "issue" and call[1] != "edit":
    state.write_text({{"create": "OPEN", "reopen": "OPEN", "close": "CLOSED"}}[call[1]])
"""


@dataclass(frozen=True)
class Workflow:
    """A checkout to run the script in, with a simulated ``gh``."""

    application: Application
    folder: Path

    def run(self, *flags: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Runs the script for the environment `prod`."""
        tools = self.folder / "tools"
        environment = {
            **os.environ,
            "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(REPOSITORY),
            "PLAYED": str(self.folder),
            "MANIFESTS": str(self.application.manifests),
            "KUBECONFIG": str(self.application.cluster.kubeconfig),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary.md"),
            "GITHUB_REF": "refs/heads/main",
            **variables,
        }
        command = [str(SCRIPTS / "drift.sh"), "prod", "--namespace", self.application.namespace, *flags]
        return subprocess.run(
            command, cwd=self.folder, env=environment, check=False, capture_output=True, text=True, timeout=600
        )

    def calls(self) -> list[tuple[str, str | None]]:
        """Returns the new calls of ``gh``, with the text of their bodies."""
        record = self.folder / "calls"
        lines = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return [(" ".join(call), body) for call, body in map(json.loads, lines)]

    def verbs(self) -> list[str]:
        return [" ".join(call.split()[:2]) for call, _ in self.calls()]


@pytest.fixture
def workflow(application: Application, tmp_path: Path) -> Workflow:
    folder = tmp_path / "checkout"
    tools = folder / "tools"
    tools.mkdir(parents=True)
    programs = {
        "gh": GH.format(python=sys.executable),
        "drift": f'#!/bin/sh\nexec {sys.executable} -m drift "$@"\n',
    }
    for name, text in programs.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-C", str(folder))
    for command in (("init", "--quiet"), ("commit", "--quiet", "--allow-empty", "--message=all")):
        subprocess.run([*git, *command], check=True, capture_output=True)
    application.sync(Syncer.FLUX)
    return Workflow(application, folder)


def drift_away(application: Application) -> None:
    application.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1")


def test_one_issue_is_opened_updated_closed_and_reopened(workflow: Workflow) -> None:
    assert workflow.run(DRIFT_ISSUE="1").returncode == 0
    assert workflow.verbs() == ["issue list"]

    drift_away(workflow.application)
    assert workflow.run(DRIFT_ISSUE="1").returncode == 1
    _, label, (created, body) = workflow.calls()
    assert label[0].startswith("label create drift: prod --force")
    assert created.startswith("issue create --title Drift in prod --label drift: prod --body-file ")
    assert "DEBUG" in str(body)

    workflow.run(DRIFT_ISSUE="1")
    assert workflow.verbs() == ["issue list", "issue edit"]

    workflow.application.sync(Syncer.FLUX)
    workflow.application.kubectl("set", "env", "deployment/rescan-app", "DEBUG-")
    assert workflow.run(DRIFT_ISSUE="1").returncode == 0
    assert workflow.verbs() == ["issue list", "issue edit", "issue close"]

    drift_away(workflow.application)
    workflow.run(DRIFT_ISSUE="1")
    assert workflow.verbs() == ["issue list", "issue edit", "issue reopen"]


def test_a_failed_scan_changes_no_issue_and_leaves_no_old_report(workflow: Workflow) -> None:
    drift_away(workflow.application)
    workflow.run(DRIFT_ISSUE="1")
    workflow.calls()

    done = workflow.run(DRIFT_ISSUE="1", KUBECONFIG="/nonexistent")

    assert done.returncode == 3
    assert workflow.calls() == []
    assert not list((workflow.folder / "drift-reports/prod").iterdir())


def test_an_incomplete_scan_updates_an_open_issue_and_closes_none(workflow: Workflow) -> None:
    drift_away(workflow.application)
    workflow.run(DRIFT_ISSUE="1")
    workflow.calls()
    application = workflow.application
    application.kubectl("create", "serviceaccount", "half")
    application.kubectl("create", "role", "half", "--verb=get,list", "--resource=deployments,services")
    application.kubectl(
        "create", "rolebinding", "half", "--role=half", f"--serviceaccount={application.namespace}:half"
    )
    half = application.cluster.kubeconfig_for(application.cluster.token("half", application.namespace))

    done = workflow.run(DRIFT_ISSUE="1", KUBECONFIG=str(half))

    assert done.returncode == 3
    assert workflow.verbs() == ["issue list", "issue edit"]


def test_every_report_is_kept_and_the_summary_has_all_of_it(workflow: Workflow) -> None:
    drift_away(workflow.application)

    workflow.run()

    reports = {path.name for path in (workflow.folder / "drift-reports/prod").iterdir()}
    assert reports == {"drift.json", "drift.md", "drift.sarif", "drift.html"}
    assert "DEBUG" in (workflow.folder / "summary.md").read_text()
    assert workflow.calls() == []


def test_findings_are_uploaded_in_a_category_of_the_environment(workflow: Workflow) -> None:
    drift_away(workflow.application)

    assert workflow.run(DRIFT_SARIF="1").returncode == 1

    ((call, upload),) = workflow.calls()
    assert call.startswith("api --method POST --silent repos/{owner}/{repo}/code-scanning/sarifs --field commit_sha=")
    assert "--field ref=refs/heads/main" in call
    log = json.loads(gzip.decompress(base64.b64decode(str(upload))))
    assert [run["automationDetails"] for run in log["runs"]] == [{"id": "drift/prod/"}]
    assert log["runs"][0]["results"]


def test_a_refused_upload_is_a_warning_and_keeps_the_exit_status(workflow: Workflow) -> None:
    (workflow.folder / "broken").touch()

    done = workflow.run(DRIFT_SARIF="1")

    assert done.returncode == 0
    assert "drift.sh: could not upload the findings to code scanning" in done.stderr


def test_an_issue_that_cannot_be_updated_is_a_failure_and_not_drift(workflow: Workflow) -> None:
    drift_away(workflow.application)
    (workflow.folder / "broken").touch()

    done = workflow.run(DRIFT_ISSUE="1")

    assert done.returncode == 2
    assert "drift.sh: could not update the issue of prod" in done.stderr
    assert workflow.verbs() == ["issue list"]


@pytest.mark.parametrize("name", ["../prod", "a b", "-x", "$(id)", ""])
def test_an_invalid_environment_name_is_refused(name: str, tmp_path: Path) -> None:
    done = subprocess.run([SCRIPTS / "drift.sh", name], cwd=tmp_path, check=False, capture_output=True, text=True)

    assert done.returncode in {1, 2}
    assert not list(tmp_path.iterdir())


# -- how the workflow logs in


@pytest.fixture
def issuer() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """An address that issues a token as GitHub does, and the requests that it got."""
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append((self.path, self.headers["Authorization"]))
            body = json.dumps({"value": "the.oidc.token"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/token?api-version=2.0", asked
        finally:
            server.shutdown()
            thread.join()


def log_in(folder: Path, **variables: str) -> tuple["subprocess.CompletedProcess[str]", dict[str, Any]]:
    environment = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(folder),
        "GITHUB_ENV": str(folder / "env"),
        **variables,
    }
    done = subprocess.run(
        [SCRIPTS / "kubeconfig.sh"], env=environment, check=False, capture_output=True, text=True, timeout=600
    )
    kubeconfig = folder / "kubeconfig"
    return done, yaml.safe_load(kubeconfig.read_text()) if kubeconfig.exists() else {}


def test_a_kubeconfig_secret_is_used_unchanged(tmp_path: Path) -> None:
    done, kubeconfig = log_in(tmp_path, DRIFT_KUBECONFIG="kind: Config\nusers: []")

    assert (done.returncode, done.stdout, kubeconfig) == (0, "", {"kind": "Config", "users": []})
    assert (tmp_path / "kubeconfig").stat().st_mode & 0o077 == 0
    assert (tmp_path / "env").read_text() == f"KUBECONFIG={tmp_path}/kubeconfig\n"


def test_without_a_secret_the_kubeconfig_holds_a_github_token(
    tmp_path: Path, issuer: tuple[str, list[tuple[str, str]]]
) -> None:
    address, asked = issuer

    done, kubeconfig = log_in(
        tmp_path,
        DRIFT_SERVER="https://cluster.example.com:6443",
        DRIFT_CA="-----BEGIN CERTIFICATE-----",
        DRIFT_AUDIENCE="https://cluster.example.com",
        ACTIONS_ID_TOKEN_REQUEST_URL=address,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN="request-token",  # noqa: S106  # simulated
    )

    assert done.returncode == 0, done.stderr
    ((path, authorization),) = asked
    assert parse_qs(urlsplit(path).query) == {"api-version": ["2.0"], "audience": ["https://cluster.example.com"]}
    assert authorization == "Bearer request-token"
    assert kubeconfig["users"][0]["user"] == {"token": "the.oidc.token"}
    cluster = kubeconfig["clusters"][0]["cluster"]
    assert cluster["server"] == "https://cluster.example.com:6443"
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"-----BEGIN CERTIFICATE-----"
    assert done.stdout == "::add-mask::the.oidc.token\n"


def test_missing_credentials_are_one_clear_line(tmp_path: Path) -> None:
    done, _ = log_in(tmp_path)

    assert done.returncode != 0
    assert "set the secret DRIFT_KUBECONFIG, or the variables" in done.stderr
