"""The endpoints of ``drift watch``, their formats, and what makes a report incomplete after its scan."""

import json
import re
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, cast

from drift.errors import ScanError
from drift.kube.list_watch import ListScope
from drift.kube.resources import Resource
from drift.model import Status, Verdict
from drift.watch import responses
from drift.watch.reflector import Reflector, ReflectorCondition, ReflectorState, Timing
from drift.watch.responses import RequestRouter, WatchStatus
from tests.drift.report.reports import finding, hostile, item, report
from tests.drift.watch.conftest import Client

if TYPE_CHECKING:
    from drift.kube.api_server import ApiServer

REPOSITORY = Path(__file__).parents[3]


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


def test_every_metric_of_a_watch_is_documented(client: Client) -> None:
    page = (REPOSITORY / "docs/watch.md").read_text()
    served = set(re.findall(r"^# TYPE (drift_watch_\w+)", client.text("/metrics"), re.MULTILINE))
    in_code = set(re.findall(r'"(drift_watch_\w+)"', Path(responses.__file__).read_text()))

    documented = set(re.findall(r"`(drift_watch_\w+)`", page))

    assert served <= documented
    # Some are served only once there is something to count.
    assert {name.removesuffix("_total") for name in documented} == in_code


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


def test_a_report_with_problems_since_its_scan_is_encoded_once() -> None:
    status = WatchStatus(Timing())
    status.set_report(report(), ())
    router = RequestRouter(status)
    bodies = [router.respond("/report.json", "").body]

    for error in ("a.yaml:1:1: broken", "b.yaml:1:1: broken"):
        status.set_manifest_error(error)
        for path in ("/report.json", "/"):
            bodies.append(router.respond(path, "").body)
            assert router.respond(path, "").body is bodies[-1]
    status.set_scan_error("refused")
    bodies.append(router.respond("/report.json", "").body)
    assert router.respond("/report.json", "").body is bodies[-1]

    assert len({*bodies}) == len(bodies)
    status.set_scan_error(None)
    status.set_reloaded()
    assert router.respond("/report.json", "").body == bodies[0]


def test_the_page_has_the_revision_that_it_asks_for(status: WatchStatus, client: Client) -> None:
    status.set_report(report(), ())
    client.text("/")

    # Not a part of the report.
    status.set_problem("discovery", "the response cannot be used")

    assert f'data-revision="{status.revision}"' in client.text("/")


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
    [drifted_object] = drifted.objects
    later = replace(drifted, generated_at="2026-01-01T12:01:00Z", api_requests=9)
    later = replace(later, objects=(replace(drifted_object, resource_version="7"),))
    for scan in (drifted, later, report()):
        status.set_report(scan, ())
        revisions.append(status.revision)
    status.set_manifest_error("a.yaml:1:1: broken")

    assert revisions[0] == revisions[1]
    assert len({*revisions, status.revision}) == 3


TIMING = Timing(stale_after=30, stuck_after=60)
SCOPE = ListScope(Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset()), "shop")


def _status(state: ReflectorState = ReflectorState.LIVE, seconds: float = 0) -> WatchStatus:
    """Returns the status after a scan whose reflector has been in a state for some seconds."""
    reflector = Reflector(cast("ApiServer", None), SCOPE, TIMING, lambda _: None)
    reflector.condition = ReflectorCondition(state, monotonic() - seconds, ScanError("no route to host"))
    status = WatchStatus(TIMING)
    status.set_report(report(), (reflector,))
    return status


def _verdict(status: WatchStatus) -> Verdict:
    shown = status.report()
    assert shown is not None
    return shown.verdict


def test_there_is_a_problem_but_no_report_before_the_first_scan() -> None:
    status = WatchStatus(TIMING)

    assert status.report() is None
    assert status.problems() == ["the first scan is not done yet"]


def test_a_watch_that_is_up_or_only_briefly_interrupted_is_no_problem() -> None:
    for status in (_status(), _status(ReflectorState.LOST, 29), _status(ReflectorState.POLLING, 999)):
        assert status.problems() == []
        assert _verdict(status) is Verdict.IN_SYNC


def test_a_watch_interrupted_for_long_makes_the_report_incomplete() -> None:
    status = _status(ReflectorState.LOST, 31)

    (problem,) = status.problems()
    assert problem.startswith("configmaps in shop: the watch has been interrupted for more than 30 s")
    assert problem.endswith("no route to host")
    assert _verdict(status) is Verdict.INCOMPLETE


def test_a_poll_that_takes_long_makes_the_report_incomplete() -> None:
    status = _status(ReflectorState.POLLING)
    (reflector,) = status.reflectors

    reflector.listed_at = monotonic() - 39
    assert status.problems() == []

    reflector.listed_at = monotonic() - 41
    assert status.problems() == ["configmaps in shop: the last list is older than 40 s"]
    assert _verdict(status) is Verdict.INCOMPLETE


def test_a_kind_that_is_not_listed_yet_makes_the_report_incomplete() -> None:
    assert _status(ReflectorState.STARTING).problems() == ["configmaps in shop: not listed yet"]


def test_a_comparison_that_is_stuck_makes_the_report_incomplete_until_it_goes_on() -> None:
    status = WatchStatus(Timing(stuck_after=-1))
    status.set_report(report(), ())

    status.set_busy()
    assert status.problems() == ["the comparison has been stuck for more than -1 s"]
    assert _verdict(status) is Verdict.INCOMPLETE

    status.set_idle()
    assert status.problems() == []


def test_unreadable_manifests_are_a_problem_until_they_are_reloaded() -> None:
    status = _status()

    status.set_manifest_error("a.yaml:1: no")
    shown = status.report()
    assert shown is not None
    assert shown.notes[-1].endswith("the last good ones are compared: a.yaml:1: no")
    assert status.problems() == ["manifests: a.yaml:1: no"]

    status.set_reloaded()
    assert status.problems() == []
    assert (status.counts.reloads, status.counts.scans) == (1, 1)
