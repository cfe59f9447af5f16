"""A response with status 200 counts only if it has the requested kind, namespace and name."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from drift.errors import RequestError
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.list_watch import ListScope, read_event
from drift.kube.live import check_list, check_object
from drift.kube.resources import Resource
from tests.drift.conftest import Application
from tests.drift.faulty import CONFIG_MAPS, DRIFT, drift_of
from tools.sandbox.cluster import Cluster
from tools.sandbox.proxy import FOREVER, Answer, Proxy, body, changed

CONFIG_MAP = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=frozenset({"get", "list", "watch"}))
WIDGET = Resource("example.org", "v1", "Widget", "widgets", namespaced=True, verbs=frozenset({"list"}))
METADATA = {"name": "a", "namespace": "shop", "resourceVersion": "7"}
FLAGS = ("--unmanaged", "off")


def a_list(kind: str = "ConfigMapList", api_version: str = "v1", *items: Any, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": api_version, "metadata": {}, "items": list(items), **more}


def an_object(kind: str = "ConfigMap", api_version: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"kind": kind, "apiVersion": api_version, "metadata": {**METADATA, **metadata}}


#: Responses to a request for the ConfigMaps of one namespace.
WRONG_LISTS: dict[str, Any] = {
    "another kind": a_list("PodList"),
    "a kind of another group": a_list("DeploymentList", "apps/v1"),
    "the kind in another group": a_list("ConfigMapList", "example.org/v1"),
    "a table": {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "rows": []},
    "a status": {"kind": "Status", "apiVersion": "v1", "status": "Success", "items": []},
    "one object": an_object(),
    "no kind": {"items": []},
    "nothing": {},
    "no items": {"kind": "ConfigMapList", "apiVersion": "v1", "metadata": {}},
    "metadata only": a_list("PartialObjectMetadataList", "meta.k8s.io/v1"),
    "items of another kind": a_list("ConfigMapList", "v1", an_object("Secret")),
    "items of metadata only": a_list("ConfigMapList", "v1", an_object("PartialObjectMetadata", "meta.k8s.io/v1")),
    "items of another namespace": a_list("ConfigMapList", "v1", an_object(namespace="elsewhere")),
    "items without a name": a_list("ConfigMapList", "v1", {"metadata": {}}),
    "items that are not objects": a_list("ConfigMapList", "v1", 7),
    "a list of wrong type": {**a_list(), "items": {"a": 1}},
    "a kind of wrong type": {**a_list(), "kind": ["ConfigMapList"]},
}


@pytest.mark.parametrize("case", WRONG_LISTS)
def test_a_list_that_was_not_requested_is_an_error(case: str) -> None:
    with pytest.raises(RequestError, match=r"^GET /configmaps: the (response|list)"):
        check_list(WRONG_LISTS[case], CONFIG_MAP, "shop", "/configmaps")


@pytest.mark.parametrize("case", WRONG_LISTS)
def test_a_wrong_list_makes_the_scan_incomplete_and_no_object_missing(
    proxied: tuple[Application, Proxy], case: str, stderr: Callable[[], str]
) -> None:
    application, running = proxied
    running.on("/configmaps[?]", body(json.dumps(WRONG_LISTS[case]).encode()), times=FOREVER)

    scanned = application.report(*FLAGS, kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert scanned.document["summary"]["objects"]["missing"] == 0
    unchecked = [item["name"] for item in scanned.document["objects"] if item["status"] == "unchecked"]
    assert unchecked == [*CONFIG_MAPS]
    (error,) = scanned.document["errors"]
    assert error.count("\n") == 0
    assert drift_of(scanned.document) == {("Service/web", "spec.selector")}
    assert stderr() == ""


def test_lists_as_servers_send_them_are_accepted() -> None:
    bare = {"metadata": METADATA}
    partial = a_list(
        "PartialObjectMetadataList", "meta.k8s.io/v1", an_object("PartialObjectMetadata", "meta.k8s.io/v1")
    )
    custom_list_kind = a_list("Widgets", "example.org/v1", an_object("Widget", "example.org/v1"))

    assert check_list(a_list("ConfigMapList", "v1", bare), CONFIG_MAP, "shop", "") == [bare]
    assert check_list({**a_list(), "items": None}, CONFIG_MAP, "shop", "") == []
    assert len(check_list(partial, CONFIG_MAP, "shop", "", metadata_only=True)) == 1
    # A CustomResourceDefinition may set `listKind` to anything.
    assert len(check_list(custom_list_kind, WIDGET, None, "")) == 1
    assert check_list(a_list("Widgets", "example.org/v1"), WIDGET, None, "") == []


def test_every_list_of_a_real_server_is_accepted(cluster: Cluster, custom_resources: None) -> None:
    del custom_resources
    server = ApiServer(connect(str(cluster.kubeconfig), None))
    listed = [resource for resource in server.resources.all_preferred() if "list" in resource.verbs]

    assert len(listed) > 50
    for resource in listed:
        whole = {live.name for live in server.list(resource, None)}
        partial = {live.name for live in server.list(resource, None, metadata_only=True)}
        # Events and Leases may change between the two lists.
        assert whole <= partial or resource.kind in {"Event", "Lease"}


WRONG_OBJECTS: dict[str, Any] = {
    "another kind": an_object("Secret"),
    "another group": an_object("ConfigMap", "example.org/v1"),
    "another name": an_object(name="b"),
    "another namespace": an_object(namespace="elsewhere"),
    "no namespace": {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a"}},
    "no kind": {"metadata": METADATA},
    "a status": {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"},
    "a table": {"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": METADATA},
    "metadata only": an_object("PartialObjectMetadata", "meta.k8s.io/v1"),
    "a list": a_list(),
    "nothing": {},
}


@pytest.mark.parametrize("case", WRONG_OBJECTS)
def test_an_object_that_was_not_requested_is_an_error(case: str) -> None:
    with pytest.raises(RequestError, match=r"^GET /a: the response is"):
        check_object(WRONG_OBJECTS[case], CONFIG_MAP, "shop", "a", "/a")


@pytest.mark.parametrize(
    "change",
    [
        lambda body: {**body, "kind": "Pod"},
        lambda body: {**body, "apiVersion": "v2"},
        lambda body: {**body, "metadata": {**body["metadata"], "name": "other"}},
        lambda body: {**body, "metadata": {**body["metadata"], "namespace": "other"}},
        lambda _: {"kind": "Status", "apiVersion": "v1", "status": "Success"},
    ],
)
def test_a_wrong_object_is_unchecked_with_one_clear_error(
    proxied: tuple[Application, Proxy], change: Callable[[dict[str, Any]], Any]
) -> None:
    application, running = proxied

    def change_body(original: Answer) -> Answer:
        return Answer(original.status, original.headers, json.dumps(change(json.loads(original.body))).encode())

    running.on("/services/web$", changed(change_body), times=FOREVER)

    scanned = application.report(*FLAGS, kubeconfig=running.kubeconfig(application.scratch))

    assert scanned.status == 3
    assert drift_of(scanned.document) == DRIFT - {("Service/web", "spec.selector")}
    assert scanned.document["summary"]["objects"]["unchecked"] == 1
    (error,) = scanned.document["errors"]
    assert "/services/web: the response is" in error


@pytest.mark.parametrize("root", ["/api", "/apis"])
@pytest.mark.parametrize(
    "response", [{}, {"kind": "Status", "apiVersion": "v1"}, {"kind": "PodList", "apiVersion": "v1", "items": []}]
)
def test_a_discovery_response_without_kinds_is_an_error(
    proxied: tuple[Application, Proxy], root: str, response: Any
) -> None:
    application, running = proxied
    running.on(f"^{root}$", body(json.dumps(response).encode()), times=FOREVER)

    with pytest.raises(RequestError, match=f"GET {root}: this is not the response of an API server"):
        ApiServer(connect(str(running.kubeconfig(application.scratch)), None))


@pytest.mark.parametrize(
    "event", [an_object("Secret"), an_object("ConfigMap", "v2"), {"metadata": METADATA}, an_object("Status")]
)
def test_a_watch_event_of_another_kind_is_an_error(event: Any) -> None:
    with pytest.raises(RequestError, match="the response is"):
        read_event(json.dumps({"type": "MODIFIED", "object": event}).encode(), CONFIG_MAP)


@pytest.mark.parametrize("metadata", [{"namespace": "elsewhere"}, {"name": "b"}])
def test_a_watch_event_outside_of_the_scope_is_an_error(
    proxied: tuple[Application, Proxy], metadata: dict[str, str]
) -> None:
    application, running = proxied
    line = json.dumps({"type": "ADDED", "object": an_object(**metadata)}).encode()
    running.on("watch=1", body(line + b"\n"))
    server = ApiServer(connect(str(running.kubeconfig(application.scratch)), None))
    events = iter(server.watch(ListScope(CONFIG_MAP, "shop", "a"), "1", seconds=5, idle_seconds=5))

    assert next(events).live is None
    with pytest.raises(RequestError, match="sent an object that was not requested"):
        next(events)


@pytest.mark.parametrize("kind", ["x" * 101, "a b", "<b>", 7, None, "dmFsdWU="])
def test_the_kind_of_a_response_is_quoted_only_if_it_is_valid(kind: Any) -> None:
    with pytest.raises(RequestError, match="the response is without a kind, not") as error:
        check_list({"kind": kind, "apiVersion": "planted value"}, CONFIG_MAP, None, "/configmaps")

    assert "planted" not in str(error.value)
