"""A list is read to its end and each object once, whatever becomes of its pages, or the scan is incomplete."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from drift.errors import RequestError
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.limits import Limits
from tests.drift.conftest import Application
from tests.drift.faulty import CONFIG_MAPS, DRIFT, drift_of, names
from tools.sandbox.proxy import FOREVER, Answer, Exchange, Proxy, after, changed, status

Proxied = tuple[Application, Proxy]
NEXT = "/configmaps[?].*continue="
GONE = {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410}


def _expire(exchange: Exchange) -> None:
    """As an API server does: it says where the list goes on, with what is there by now."""
    (token,) = parse_qs(urlsplit(exchange.handler.path).query)["continue"]
    place = json.loads(base64.urlsafe_b64decode(token + "=="))
    latest = base64.urlsafe_b64encode(json.dumps({**place, "rv": -1}).encode()).rstrip(b"=").decode()
    exchange.send(410, json.dumps({**GONE, "metadata": {"continue": latest}}).encode())


def _expire_for_good(exchange: Exchange) -> None:
    exchange.send(410, json.dumps({**GONE, "metadata": {}}).encode())


@pytest.mark.parametrize("nth", [1, 2])
def test_a_list_whose_token_has_expired_goes_on_where_it_was(proxied: Proxied, nth: int) -> None:
    application, running = proxied
    running.on(NEXT, _expire, nth=nth)

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT
    assert names(scanned.document["inSync"]) == ["b", "c", "d", "f"]
    assert sum(target.endswith("limit=2") for target in running.asked) == 1


@pytest.mark.parametrize("nth", [1, 2])
def test_a_list_that_cannot_go_on_starts_again_and_nothing_is_reported_twice(proxied: Proxied, nth: int) -> None:
    application, running = proxied
    running.on(NEXT, _expire_for_good, nth=nth)

    scanned = application.report(kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT
    assert names(scanned.document["inSync"]) == ["b", "c", "d", "f"]
    assert scanned.document["summary"]["objects"]["checked"] == 7


@pytest.mark.parametrize("answer", [_expire, _expire_for_good])
def test_tokens_that_expire_again_and_again_leave_the_scan_incomplete(proxied: Proxied, answer: object) -> None:
    application, running = proxied
    running.on(NEXT, answer, times=FOREVER)  # type: ignore[arg-type]

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert "410 Expired" in scanned.document["errors"][0]
    assert drift_of(scanned.document) == DRIFT - {("ConfigMap/e", "data.key")}


def test_a_page_that_comes_again_and_again_leaves_the_scan_incomplete(proxied: Proxied) -> None:
    application, running = proxied

    def same(answer: Answer) -> Answer:
        page = json.loads(answer.body)
        page["metadata"]["continue"] = "same"
        return Answer(answer.status, answer.headers, json.dumps(page).encode())

    running.on("/configmaps[?]limit=2$", changed(same))
    again = b'{"kind": "ConfigMapList", "apiVersion": "v1", "items": [], "metadata": {"continue": "same"}}'
    running.on(NEXT, lambda exchange: exchange.send(200, again), times=9)

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert "the same page comes again and again" in scanned.document["errors"][0]
    assert drift_of(scanned.document) == DRIFT - {("ConfigMap/e", "data.key")}


@pytest.fixture
def passing_object(proxied: Proxied) -> Iterator[str]:
    """An object that nobody has in Git, and that other tests must not find."""
    application, _ = proxied
    yield "between"
    application.kubectl("delete", "configmap", "between", "--ignore-not-found")


def test_objects_that_come_between_pages_do_not_disturb_the_others(proxied: Proxied, passing_object: str) -> None:
    application, running = proxied
    running.on(NEXT, after(lambda: application.kubectl("create", "configmap", passing_object)))
    running.on(NEXT, _expire, nth=2)

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT


def test_objects_that_change_or_go_between_pages_are_reported_as_they_were_at_some_time(proxied: Proxied) -> None:
    application, running = proxied

    def change() -> None:
        application.kubectl("delete", "configmap", "b", "f")
        application.kubectl("patch", "configmap", "c", "--patch", '{"data": {"key": "changed"}}')

    running.on(NEXT, after(change))
    running.on(NEXT, _expire, nth=2)
    try:
        scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))
    finally:
        application.sync()
        for name in "ae":
            application.kubectl("patch", "configmap", name, "--patch", '{"data": {"key": "other"}}')
        application.kubectl("patch", "service", "web", "--patch", '{"spec": {"selector": {"app": "other"}}}')

    assert scanned.status == 1
    # The first two pages are of one moment, before the change; the third is of another, after it.
    assert drift_of(scanned.document) == DRIFT | {("ConfigMap/f", "")}
    assert names(scanned.document["inSync"]) == ["b", "c", "d"]


def test_a_token_that_an_api_server_calls_too_old_costs_no_object(proxied: Proxied) -> None:
    application, running = proxied
    events = [
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"event-{number}", "namespace": application.namespace},
            "involvedObject": {"namespace": application.namespace},
        }
        for number in range(5)
    ]
    application.kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": events}))
    server = ApiServer(connect(str(running.kubeconfig(application.scratch)), None))
    kind = server.resources.find("v1", "Event")
    assert kind is not None
    running.on("/events[?].*continue=", after(application.cluster.compact))
    path, query = kind.path(application.namespace), {"limit": "2"}
    token = server._requests.get(path, query)["metadata"]["continue"]  # noqa: SLF001

    seen = [live.name for live in server.list(kind, application.namespace)]

    assert seen == [f"event-{number}" for number in range(5)]
    with pytest.raises(RequestError) as expired:
        server._requests.get(path, {**query, "continue": token})  # noqa: SLF001
    assert (expired.value.status, bool(expired.value.continue_token)) == (410, True)
    assert sum("/events?" in asked and "continue=" in asked for asked in running.asked) == 4


def test_pages_that_are_too_large_are_asked_for_in_smaller_parts(
    proxied: Proxied, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, running = proxied
    monkeypatch.setattr("drift.kube.paging.PAGE", 100)
    server = ApiServer(connect(str(running.kubeconfig(application.scratch)), None))
    config_maps = server.resources.find("v1", "ConfigMap")
    assert config_maps is not None
    whole = [live.name for live in server.list(config_maps, application.namespace)]
    monkeypatch.setattr(server._requests, "_limits", Limits(response_bytes=4000))  # noqa: SLF001

    assert [live.name for live in server.list(config_maps, application.namespace)] == whole
    assert {*CONFIG_MAPS} < {*whole}
    assert all(any(part in asked for asked in running.asked) for part in ("limit=100", "limit=10", "limit=1&"))
    assert running.asked[-1].partition("?")[2].startswith("limit=1&continue=")


def test_a_refusal_half_way_is_as_clear_as_one_at_the_start(proxied: Proxied) -> None:
    application, running = proxied
    running.on(NEXT, status(403), times=FOREVER)

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert "may not be read by this account" in scanned.document["errors"][0]
