"""Faults of the server or the network: no traceback, no hang, and "in sync" only for objects that were read."""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from drift.cli import main
from tests.drift.conftest import Application
from tests.drift.faulty import CONFIG_MAPS, DRIFT, drift_of, within
from tools.sandbox import proxy as faults
from tools.sandbox.cluster import Cluster
from tools.sandbox.proxy import FOREVER, Fault, Proxy, body, proxy, status

#: The stages at which a fault happens: a pattern of the requests, and the drift that is still found if the fault lasts.
STAGES: dict[str, tuple[str, set[tuple[str, str]] | None]] = {
    "connecting": ("^/version", None),
    "discovery": ("^/apis$", None),
    "list": ("/configmaps[?]limit=[0-9]+$", {("Service/web", "spec.selector")}),
    "page": ("/configmaps[?].*continue=", DRIFT - {("ConfigMap/e", "data.key")}),
    "object": ("/services/web$", DRIFT - {("Service/web", "spec.selector")}),
}
#: Only a request without an answer needs a short timeout; a loaded machine answers the others in time.
SHORT = ("--request-timeout", "2s", "--unmanaged", "off")
LONG = ("--request-timeout", "60s", "--unmanaged", "off")


@dataclass(frozen=True, slots=True)
class Case:
    """One fault, and the message if it lasts."""

    fault: Fault
    said: str

    @property
    def flags(self) -> tuple[str, ...]:
        return SHORT if self.said == "--request-timeout" else LONG


#: Faults that are retried.
PASSING = {
    "reset": Case(faults.reset, "connection was lost"),
    "half the body": Case(faults.half, "connection was lost"),
    "no answer": Case(faults.stall, "--request-timeout"),
    "no body": Case(faults.stall_after_head, "--request-timeout"),
    "a body byte by byte": Case(faults.drip, "--request-timeout"),
    "a header byte by byte": Case(faults.drip_head, "--request-timeout"),
    "429": Case(status(429, Retry_After="0"), "429"),
    "500": Case(status(500), "500"),
    "502": Case(status(502, b"<html>"), "502"),
    "503": Case(status(503), "503"),
    "504": Case(status(504), "504"),
}
#: Faults that are not retried.
FINAL = {
    "403": Case(status(403), ""),
    "a redirect": Case(status(302, Location="http://elsewhere.example.org/"), "redirects to 'elsewhere.example.org'"),
    "418": Case(status(418), "418"),
    "429 for an hour": Case(status(429, Retry_After="3600"), "asks to wait 60m"),
    "nothing": Case(body(b""), "JSON"),
    "HTML": Case(body(b"<html>Please log in</html>"), "JSON"),
    "a list": Case(body(b"[]"), "not the response of an API server"),
    "no UTF-8": Case(body(b'{"items": ["\xff\xfe"]}'), "JSON"),
    "deeply nested JSON": Case(body(b'{"items":' * 100_000 + b"1" + b"}" * 100_000), "JSON"),
    "odd items": Case(body(b'{"kind": "APIGroupDiscoveryList", "items": [1], "metadata": 7}'), "the response"),
    "bad compression": Case(body(b"no gzip", Content_Encoding="gzip"), "connection was lost"),
}
#: Each takes a whole request timeout, so they are tried at one stage only.
_SLOW = {"no body", "a body byte by byte", "a header byte by byte"}


def cases(*names: str) -> list[tuple[str, str]]:
    """Returns every fault at every stage."""
    return [(name, stage) for name in names for stage in STAGES if name not in _SLOW or stage == "page"]


@pytest.mark.parametrize(("name", "stage"), cases(*PASSING))
def test_a_temporary_fault_is_retried_and_changes_nothing(
    proxied: tuple[Application, Proxy], stage: str, name: str, stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on(STAGES[stage][0], PASSING[name].fault)

    scanned = application.report("-v", *PASSING[name].flags, kubeconfig=running.kubeconfig(application.scratch))

    said = stderr()
    assert (scanned.status, scanned.document["summary"]["verdict"]) == (1, "drifted"), said
    assert drift_of(scanned.document) == DRIFT
    assert scanned.document["summary"]["objects"]["inSync"] == 4
    (line,) = (line for line in said.splitlines() if "retrying" in line)
    assert line.startswith("drift: GET /")
    assert PASSING[name].said in line


@pytest.mark.parametrize(("name", "stage"), cases(*PASSING, *FINAL))
def test_a_lasting_fault_makes_the_scan_incomplete_and_keeps_what_was_read(
    proxied: tuple[Application, Proxy], stage: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    application, running = proxied
    case = {**PASSING, **FINAL}[name]
    pattern, seen = STAGES[stage]
    running.on(pattern, case.fault, times=FOREVER)
    file = application.scratch / "report.json"
    file.unlink(missing_ok=True)
    kubeconfig = str(running.kubeconfig(application.scratch))

    outputs = ("--output", "text", "--output", f"json={file}")

    ended = main(["report", str(application.manifests), "--kubeconfig", kubeconfig, *case.flags, *outputs])

    out, err = capsys.readouterr()
    assert ended == 3
    assert "Traceback" not in err + out
    if seen is None:
        (line,) = err.splitlines()
        assert line.startswith("drift: ")
        assert case.said in line
        assert not file.exists()
        return
    assert err == ""
    document = json.loads(file.read_text())
    (error,) = document["errors"]
    assert case.said in error
    assert "incomplete: " in out
    assert document["summary"]["verdict"] == "incomplete"
    assert drift_of(document) == seen
    known = {item["name"] for item in document["inSync"]} | {name.rpartition("/")[2] for name, _ in seen}
    unchecked = {item["name"] for item in document["objects"] if item["status"] == "unchecked"}
    assert unchecked == {*CONFIG_MAPS, "web"} - known


@pytest.mark.parametrize("stage", STAGES)
def test_a_server_that_vanishes_ends_the_scan_with_what_was_read(
    proxied: tuple[Application, Proxy], cluster: Cluster, stage: str, stderr: Callable[[], str]
) -> None:
    application, _ = proxied
    pattern, seen = STAGES[stage]
    with proxy(cluster) as running:

        def vanish(exchange: faults.Exchange) -> None:
            running.vanish()
            exchange.close()

        running.on(pattern, vanish)
        kubeconfig = running.kubeconfig(application.scratch)
        if seen is None:
            assert main(["report", str(application.manifests), "--kubeconfig", str(kubeconfig), *LONG]) == 3
            (line,) = stderr().splitlines()
            assert "the connection was refused" in line
            return
        scanned = application.report(*LONG, kubeconfig=kubeconfig)

    assert scanned.status == 3
    assert drift_of(scanned.document) <= seen
    assert all("the connection was refused" in error for error in scanned.document["errors"])
    assert scanned.document["summary"]["objects"]["missing"] == 0


def test_the_scan_gives_up_after_three_requests_without_an_answer(
    proxied: tuple[Application, Proxy], stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on("/namespaces/", faults.reset, times=FOREVER)

    scanned = application.report(kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert scanned.document["summary"]["objects"]["unchecked"] == 7
    assert len({target for target in running.asked if "/namespaces/" in target}) <= 3
    assert stderr() == ""


def test_the_deadline_ends_a_slow_scan(proxied: tuple[Application, Proxy], stderr: Callable[[], str]) -> None:
    application, running = proxied
    running.on("continue=", faults.stall, times=FOREVER)

    deadline, scanned = within(
        lambda deadline: application.report("--deadline", deadline, kubeconfig=running.kubeconfig(application.scratch)),
        stderr,
    )

    assert scanned.status == 3
    assert any(f"did not finish within {deadline}" in error for error in scanned.document["errors"])
    assert scanned.document["summary"]["objects"]["unchecked"] > 0
    assert stderr() == ""


def endless() -> Fault:
    return faults.endless


def bomb() -> Fault:
    """150 MiB of spaces in as many KiB."""
    return body(gzip.compress(b" " * (150 * 1024 * 1024)), Content_Encoding="gzip")


@pytest.mark.parametrize("huge", [endless, bomb], ids=["endless", "compressed"])
def test_a_huge_response_is_read_only_up_to_the_limit(
    proxied: tuple[Application, Proxy], huge: Callable[[], Fault], stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on("/services/web$", huge())

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert "larger than 128 MiB" in scanned.document["errors"][0]
    assert stderr() == ""


def test_credentials_do_not_follow_a_redirect(proxied: tuple[Application, Proxy], cluster: Cluster) -> None:
    application, running = proxied
    with proxy(cluster) as elsewhere:
        running.on("/configmaps", status(307, Location=f"{elsewhere.url}/api/v1/configmaps"), times=FOREVER)

        scanned = application.report(*LONG, kubeconfig=running.kubeconfig(application.scratch))

        assert scanned.status == 3
        assert elsewhere.asked == []


def test_a_404_page_of_another_server_does_not_mean_missing(proxied: tuple[Application, Proxy]) -> None:
    application, running = proxied
    running.on("/services/web$", status(404, b"<html>not found</html>"), times=FOREVER)

    scanned = application.report(*LONG, kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert scanned.document["summary"]["objects"]["missing"] == 0


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (body(b'{"paths": {"api/v1": 3}}'), "the server has no schema for v1"),
        (status(503), "the schema of v1 could not be read"),
    ],
    ids=["none", "503"],
)
def test_the_shipped_schemas_are_used_without_those_of_the_server(
    proxied: tuple[Application, Proxy], fault: Fault, said: str
) -> None:
    application, running = proxied
    running.on("^/openapi", fault, times=FOREVER)

    scanned = application.report(*LONG, kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT
    assert any(said in note for note in scanned.document["notes"])


def test_faults_with_tls_end_in_the_same_clear_errors(
    proxied: tuple[Application, Proxy], cluster: Cluster, stderr: Callable[[], str]
) -> None:
    application, _ = proxied
    with proxy(cluster, tls=True) as running:
        running.on(STAGES["page"][0], faults.half)
        running.on(STAGES["object"][0], faults.reset, times=FOREVER)

        scanned = application.report("-v", *LONG, kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert drift_of(scanned.document) == DRIFT - {("Service/web", "spec.selector")}
    assert sum("retrying" in line for line in stderr().splitlines()) == 6
