"""Which list requests the reads of a scan cause, with a fake server."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import pytest

from drift.errors import RequestError
from drift.kube.list_watch import Event, Listing, ListScope
from drift.kube.live import read_live
from drift.kube.resources import Resource
from drift.watch.reflector import Timing
from drift.watch.watched_cluster import WatchedCluster

if TYPE_CHECKING:
    from drift.kube.api_server import ApiServer

VERBS = frozenset({"get", "list", "watch"})
CONFIG_MAPS = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=VERBS)
NAMESPACES = ("n0", "n1", "n2")


class Silence:
    """A watch without events."""

    def __iter__(self) -> Iterator[Event]:
        return iter(())

    def stop(self) -> None:
        """Does nothing: the watch has ended already."""


class Server:
    """Has one object in each namespace, and records list requests."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.schemas: list[dict[str, Any] | RequestError | None] = []

    def schema(self, resource: Resource) -> dict[str, Any] | None:
        del resource
        found = self.schemas.pop(0)
        if isinstance(found, RequestError):
            raise found
        return found

    def list_scope(self, place: ListScope, *, at_most: int | None = None) -> Listing:
        del at_most
        self.listed.append(str(place))
        chosen = [name for name in (*NAMESPACES, "elsewhere") if place.namespace in {None, name}]
        bodies = [{"metadata": {"name": "a", "namespace": name}} for name in chosen]
        return Listing(tuple(read_live(body, "v1", "ConfigMap") for body in bodies), "7")

    def watch(self, place: ListScope, version: str, *, seconds: int, idle_seconds: float) -> Silence:
        del place, version, seconds, idle_seconds
        return Silence()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def cluster(server: Server) -> Iterator[WatchedCluster]:
    cluster = WatchedCluster(cast("ApiServer", server), Timing(min_backoff=60, max_backoff=60), lambda _: None)
    cluster.begin_scan(NAMESPACES)
    yield cluster
    cluster.stop()


def test_a_kind_watched_in_all_namespaces_is_not_listed_in_one(cluster: WatchedCluster, server: Server) -> None:
    everywhere = cluster.list(CONFIG_MAPS, None, at_most=100)
    assert [live.namespace for live in everywhere] == list(NAMESPACES)

    assert [live.namespace for live in cluster.list(CONFIG_MAPS, "n2")] == ["n2"]
    assert cluster.get(CONFIG_MAPS, "n1", "a") is not None
    assert server.listed == ["configmaps"]


def test_a_namespace_that_is_not_kept_is_listed_separately(cluster: WatchedCluster, server: Server) -> None:
    list(cluster.list(CONFIG_MAPS, None, at_most=100))

    assert [live.namespace for live in cluster.list(CONFIG_MAPS, "elsewhere")] == ["elsewhere"]
    assert server.listed == ["configmaps", "configmaps in elsewhere"]


def test_a_namespace_is_listed_once(cluster: WatchedCluster, server: Server) -> None:
    for _ in range(2):
        assert [live.name for live in cluster.list(CONFIG_MAPS, "n1")] == ["a"]
        assert cluster.get(CONFIG_MAPS, "n1", "b") is None

    assert server.listed == ["configmaps in n1"]


UNAVAILABLE = RequestError("GET /openapi/v3: 503", status=503, reason="ServiceUnavailable")


@pytest.mark.parametrize("found", [{"components": {}}, None])
def test_a_schema_that_could_not_be_read_is_read_again_and_its_absence_is_not(
    found: dict[str, Any] | None, server: Server
) -> None:
    cluster = WatchedCluster(cast("ApiServer", server), Timing(discovery_interval=0), lambda _: None)
    server.schemas = [UNAVAILABLE, found]

    with pytest.raises(RequestError, match="503"):
        cluster.schema(CONFIG_MAPS)

    assert [cluster.schema(CONFIG_MAPS) for _ in range(2)] == [found, found]


def test_a_schema_that_could_not_be_read_is_not_requested_for_each_object(
    cluster: WatchedCluster, server: Server
) -> None:
    server.schemas = [UNAVAILABLE]

    for _ in range(2):
        with pytest.raises(RequestError, match="503"):
            cluster.schema(CONFIG_MAPS)
