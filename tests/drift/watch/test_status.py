"""What makes a report incomplete after its scan: interrupted watches, a stuck comparison, unreadable manifests."""

from time import monotonic
from typing import TYPE_CHECKING, cast

from drift.errors import ScanError
from drift.kube.list_watch import ListScope
from drift.kube.resources import Resource
from drift.model import Verdict
from drift.watch.reflector import Reflector, ReflectorCondition, ReflectorState
from drift.watch.status import WatchStatus
from drift.watch.timing import Timing
from tests.drift.report.reports import report

if TYPE_CHECKING:
    from drift.kube.api_server import ApiServer

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
