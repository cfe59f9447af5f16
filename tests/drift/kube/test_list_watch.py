"""Lists are read completely and without duplicates, or the scan is incomplete."""

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.errors import RequestError
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.limits import Limits
from drift.kube.list_watch import ListScope, read_event, split_lines
from drift.kube.resources import Resource
from drift.redaction import Redacted
from drift.watch.reflector import Timing
from tests.drift.conftest import Application
from tests.drift.faulty import CONFIG_MAPS, DRIFT, drift_of, names
from tests.drift.kube.hostile_server import hostile, requests
from tools.sandbox.proxy import FOREVER, Answer, Exchange, Proxy, after, changed, status

Proxied = tuple[Application, Proxy]
NEXT = "/configmaps[?].*continue="
GONE = {"kind": "Status", "status": "Failure", "reason": "Expired", "code": 410}


def _expire(exchange: Exchange) -> None:
    """Expires a token as an API server does: it offers another token for a newer resourceVersion."""
    (token,) = parse_qs(urlsplit(exchange.handler.path).query)["continue"]
    position = json.loads(base64.urlsafe_b64decode(token + "=="))
    latest = base64.urlsafe_b64encode(json.dumps({**position, "rv": -1}).encode()).rstrip(b"=").decode()
    exchange.send(410, json.dumps({**GONE, "metadata": {"continue": latest}}).encode())


def _expire_for_good(exchange: Exchange) -> None:
    exchange.send(410, json.dumps({**GONE, "metadata": {}}).encode())


@pytest.mark.parametrize("nth", [1, 2])
def test_a_list_continues_after_its_token_has_expired(proxied: Proxied, nth: int) -> None:
    application, running = proxied
    running.on(NEXT, _expire, nth=nth)

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT
    assert names(scanned.document["inSync"]) == ["b", "c", "d", "f"]
    assert sum(target.endswith("limit=2") for target in running.asked) == 1


@pytest.mark.parametrize("nth", [1, 2])
def test_a_list_that_cannot_continue_starts_again_without_duplicates(proxied: Proxied, nth: int) -> None:
    application, running = proxied
    running.on(NEXT, _expire_for_good, nth=nth)

    scanned = application.report(kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT
    assert names(scanned.document["inSync"]) == ["b", "c", "d", "f"]
    assert scanned.document["summary"]["objects"]["checked"] == 7


@pytest.mark.parametrize("answer", [_expire, _expire_for_good])
def test_a_scan_is_incomplete_if_tokens_keep_expiring(proxied: Proxied, answer: object) -> None:
    application, running = proxied
    running.on(NEXT, answer, times=FOREVER)  # type: ignore[arg-type]

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert "410 Expired" in scanned.document["errors"][0]
    assert drift_of(scanned.document) == DRIFT - {("ConfigMap/e", "data.key")}


def test_a_scan_is_incomplete_if_a_page_repeats(proxied: Proxied) -> None:
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
    assert "the server sent the same continue token again" in scanned.document["errors"][0]
    assert drift_of(scanned.document) == DRIFT - {("ConfigMap/e", "data.key")}


@pytest.fixture
def passing_object(proxied: Proxied) -> Iterator[str]:
    """The name of an object that is not in Git. It is deleted after the test."""
    application, _ = proxied
    yield "between"
    application.kubectl("delete", "configmap", "between", "--ignore-not-found")


def test_objects_created_between_pages_do_not_affect_others(proxied: Proxied, passing_object: str) -> None:
    application, running = proxied
    running.on(NEXT, after(lambda: application.kubectl("create", "configmap", passing_object)))
    running.on(NEXT, _expire, nth=2)

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 1
    assert drift_of(scanned.document) == DRIFT


def test_objects_that_change_between_pages_are_reported_in_one_of_their_states(proxied: Proxied) -> None:
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
    # The first two pages are from before the change, the third is from after it.
    assert drift_of(scanned.document) == DRIFT | {("ConfigMap/f", "")}
    assert names(scanned.document["inSync"]) == ["b", "c", "d"]


def test_no_object_is_lost_when_a_real_token_expires(proxied: Proxied, namespace: str) -> None:
    # Controllers write events about the application.
    application, running = proxied
    events = [
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": f"event-{number}", "namespace": namespace},
            "involvedObject": {"namespace": namespace},
        }
        for number in range(5)
    ]
    application.cluster.kubectl(
        "create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": events})
    )
    server = ApiServer(connect(str(running.kubeconfig(application.scratch)), None))
    kind = server.resources.find("v1", "Event")
    assert kind is not None
    running.on("/events[?].*continue=", after(application.cluster.compact))
    path, query = kind.path(namespace), {"limit": "2"}
    token = server._requests.get(path, query)["metadata"]["continue"]  # noqa: SLF001

    seen = [live.name for live in server.list(kind, namespace)]

    assert seen == [f"event-{number}" for number in range(5)]
    with pytest.raises(RequestError) as expired:
        server._requests.get(path, {**query, "continue": token})  # noqa: SLF001
    assert (expired.value.status, bool(expired.value.continue_token)) == (410, True)
    assert sum("/events?" in asked and "continue=" in asked for asked in running.asked) == 4


def test_pages_that_are_too_large_are_requested_in_smaller_parts(
    proxied: Proxied, monkeypatch: pytest.MonkeyPatch
) -> None:
    application, running = proxied
    monkeypatch.setattr("drift.kube.list_watch.PAGE", 100)
    server = ApiServer(connect(str(running.kubeconfig(application.scratch)), None))
    config_maps = server.resources.find("v1", "ConfigMap")
    assert config_maps is not None
    whole = [live.name for live in server.list(config_maps, application.namespace)]
    monkeypatch.setattr(server._requests, "_limits", Limits(response_bytes=4000))  # noqa: SLF001

    assert [live.name for live in server.list(config_maps, application.namespace)] == whole
    assert {*CONFIG_MAPS} < {*whole}
    assert all(any(part in asked for asked in running.asked) for part in ("limit=100", "limit=10", "limit=1&"))
    assert running.asked[-1].partition("?")[2].startswith("limit=1&continue=")


def test_an_error_on_a_later_page_is_as_clear_as_on_the_first(proxied: Proxied) -> None:
    application, running = proxied
    running.on(NEXT, status(403), times=FOREVER)

    scanned = application.report("--unmanaged", "off", kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert "may not be read by this account" in scanned.document["errors"][0]


SECRETS = Resource("", "v1", "Secret", "secrets", namespaced=True, verbs=frozenset({"list", "watch"}))


def _line(kind: str, body: object) -> bytes:
    return json.dumps({"type": kind, "object": body}).encode()


@given(lines=st.lists(st.binary(min_size=1).filter(lambda line: b"\n" not in line and line.strip())), data=st.data())
def test_lines_do_not_depend_on_the_chunks(lines: list[bytes], data: st.DataObject) -> None:
    text = b"".join(line + b"\n" for line in lines)
    ends = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {len(text)})

    def pieces() -> Iterator[bytes]:
        begin = 0
        for end in ends:
            yield text[begin:end]
            begin = end

    assert list(split_lines(pieces())) == lines


def test_an_incomplete_last_line_is_dropped() -> None:
    assert list(split_lines([b'{"a": 1}\n{"b"', b": 2"])) == [b'{"a": 1}']


def test_the_values_of_a_secret_are_redacted() -> None:
    metadata = {"name": "s", "namespace": "n", "resourceVersion": "7"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"key": "dmFsdWU="}}

    event = read_event(_line("MODIFIED", body), SECRETS)

    assert event.live is not None
    assert (event.resource_version, event.live.namespace, event.live.name, event.deleted) == ("7", "n", "s", False)
    assert isinstance(event.live.body["data"]["key"], Redacted)


def test_a_bookmark_advances_the_resource_version() -> None:
    event = read_event(_line("BOOKMARK", {"kind": "Secret", "metadata": {"resourceVersion": "9"}}), SECRETS)

    assert (event.resource_version, event.live) == ("9", None)


def test_an_error_event_names_its_status_but_not_its_message() -> None:
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "may quote anything"}

    with pytest.raises(RequestError) as caught:
        read_event(_line("ERROR", status), SECRETS)

    assert (caught.value.status, caught.value.reason) == (410, "Expired")
    assert "quote" not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b'{"type": "ADDED"}',
        b'{"type": "ADDED", "object": {"metadata": {}}}',
        b'{"type": "ADDED", "object": []}',
        b'{"type": "ERROR", "object": 7}',
        b'{"type": "NEWS", "object": {"metadata": {"resourceVersion": "1"}}}',
    ],
)
def test_a_line_that_is_not_an_event_is_an_error(line: bytes) -> None:
    with pytest.raises(RequestError, match="not an event"):
        read_event(line, SECRETS)


def test_a_scope_has_a_readable_name() -> None:
    assert str(ListScope(SECRETS, "shop")) == "secrets in shop"
    assert str(ListScope(SECRETS, "shop", "s")) == "secrets named s in shop"
    assert ListScope(SECRETS, "shop", "s").selector == {"fieldSelector": "metadata.name=s"}


@pytest.mark.parametrize(
    "sent", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
)
def test_a_silent_watch_ends_with_an_error(tmp_path: Path, sent: bytes) -> None:
    over = Event()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(sent)
        over.wait(60)

    with hostile(answer) as server:
        source = requests(tmp_path, server).stream("/watch", {}, "application/json", idle_seconds=0.5, seconds=60)
        with pytest.raises(RequestError, match=r"no data for 0\.5s"), source as stream:
            next(iter(stream.chunks))
        over.set()


def test_the_limit_is_longer_than_a_minute_in_which_servers_send_a_bookmark() -> None:
    assert 60 < Timing().idle_timeout <= 75
