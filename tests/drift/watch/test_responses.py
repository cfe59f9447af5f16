"""The endpoints of ``drift watch`` and their formats."""

import json
from dataclasses import replace

from drift.model import Status
from drift.watch.responses import RequestRouter
from drift.watch.status import WatchStatus
from drift.watch.timing import Timing
from tests.drift.report.reports import finding, hostile, item, report
from tests.drift.watch.conftest import Client


def test_before_the_first_scan_report_and_health_are_unavailable(client: Client) -> None:
    assert client.get("/report").status == 503
    assert client.get("/healthz").status == 503
    assert "drift_watch_up 0" in client.text("/metrics")


def test_the_report_is_served_in_the_requested_format(status: WatchStatus, client: Client) -> None:
    status.set_report(hostile("<script>\x1b[31m"), ())

    for path, accept, kind in (
        ("/report", "", "application/json"),
        ("/report", "application/json", "application/json"),
        ("/report", "text/plain;q=0.5, */*", "text/plain"),
        ("/report.json", "text/plain", "application/json"),
        ("/report", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("/report.html", "", "text/html"),
        ("/report.txt", "", "text/plain"),
        ("/report.md", "", "text/markdown"),
        ("/report?format=sarif", "", "application/sarif+json"),
    ):
        answer = client.get(path, Accept=accept)
        assert (answer.status, answer.headers["Content-Type"].partition(";")[0]) == (200, kind), path
        assert answer.data
    assert client.get("/report?format=pdf").status == 406
    assert client.get("/report.pdf").status == client.get("/etc/passwd").status == 404


def test_open_metrics_are_served_on_request(status: WatchStatus, client: Client) -> None:
    status.set_report(hostile("<script>\x1b[31m"), ())

    older = client.get("/metrics")
    newer = client.get("/metrics", Accept="application/openmetrics-text; version=1.0.0")

    assert older.headers["Content-Type"] == "text/plain; charset=utf-8; version=0.0.4"
    assert newer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert b"# TYPE drift_watch_scans counter\ndrift_watch_scans_total 1\n" in newer.data
    assert b"# TYPE drift_watch_scans_total counter\ndrift_watch_scans_total 1\n" in older.data
    assert newer.data.count(b"# EOF\n") == 1
    assert newer.data.endswith(b"# EOF\n")


def test_unreadable_manifests_are_a_problem_and_a_note(status: WatchStatus, client: Client) -> None:
    status.set_report(hostile("<script>\x1b[31m"), ())
    status.set_manifest_error("a.yaml:1:1: broken \x1b[31m")

    assert "a.yaml:1:1: broken" in client.text("/healthz")
    assert "\x1b" not in client.text("/healthz") + client.text("/report.txt")


def test_a_report_is_encoded_once_for_all_clients() -> None:
    status = WatchStatus(Timing())
    status.set_report(report(), ())
    router = RequestRouter(status)

    assert router.respond("/report.json", "").body is router.respond("/report.json", "").body


def test_the_page_waits_for_the_first_scan_and_then_asks_whether_it_is_current(
    status: WatchStatus, client: Client
) -> None:
    before = client.get("/")
    assert (before.status, before.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert b'http-equiv="refresh"' in before.data

    status.set_report(hostile("<script>\x1b[31m"), ())

    state = json.loads(client.text("/live.json"))
    assert f'data-revision="{state["revision"]}"' in client.text("/")
    assert "data-revision" not in client.text("/report.html")
    assert state["scanned"] == "2026-01-01T12:00:00Z"
    assert state["current"] is False


def test_the_revision_changes_with_the_findings_and_problems_and_not_with_each_scan(status: WatchStatus) -> None:
    drifted = report(item("ConfigMap", "a", Status.DRIFTED, finding(1)))
    revisions = []
    for scan in (drifted, replace(drifted, generated_at="2026-01-01T12:01:00Z", api_requests=9), report()):
        status.set_report(scan, ())
        revisions.append(status.revision)
    status.set_manifest_error("a.yaml:1:1: broken")

    assert revisions[0] == revisions[1]
    assert len({*revisions, status.revision}) == 3
