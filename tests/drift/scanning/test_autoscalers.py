"""How autoscalers are asked for: with few requests, and without rights to all namespaces too."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.live_object import LiveObject, read_live
from drift.kube.resources import Resource, Resources
from drift.scanning.autoscalers import Autoscalers

if TYPE_CHECKING:
    from drift.kube.live_source import LiveSource

KIND = Resource(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    namespaced=True,
    verbs=frozenset({"get", "list"}),
)
NAMESPACES = ["n0", "n1", "n2", "n3", "n4"]


class Cluster:
    """A live side with one autoscaler in each namespace, and as if there were more; may refuse lists."""

    def __init__(self, *refused: str | None, count: int = len(NAMESPACES)) -> None:
        self.asked: list[str | None] = []
        self._refused = refused
        self._count = count

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        assert resource is KIND
        assert not metadata_only
        assert (at_most is None) == (namespace is not None), "a list of all namespaces is bounded"
        self.asked.append(namespace)
        if namespace in self._refused:
            raise RequestError("403 Forbidden", status=403, reason="Forbidden")
        if at_most is not None and at_most < self._count:
            raise TooManyObjectsError("too many", status=0, reason="TooMany")
        for name in NAMESPACES:
            if namespace in {None, name}:
                yield _autoscaler(name)


def _autoscaler(namespace: str) -> LiveObject:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"web-of-{namespace}"}
    body = {
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"minReplicas": 1, "maxReplicas": 3, "scaleTargetRef": target},
    }
    return read_live(body, KIND.api_version, KIND.kind)


def _autoscalers_of(cluster: Cluster, resources: Resources | None = None) -> Autoscalers:
    return Autoscalers(cast("LiveSource", cluster), Resources([KIND]) if resources is None else resources)


def _targets(autoscalers: Autoscalers) -> list[str]:
    return [one.target.name for name in NAMESPACES for one in autoscalers.in_namespace(name)]


ALL = [f"web-of-{name}" for name in NAMESPACES]


def test_those_of_a_few_namespaces_are_asked_for_there() -> None:
    cluster = Cluster()
    autoscalers = _autoscalers_of(cluster)

    assert [one.target.name for _ in range(2) for one in autoscalers.in_namespace("n1")] == ["web-of-n1"] * 2
    assert cluster.asked == ["n1"]


def test_those_of_many_namespaces_come_with_one_more_request() -> None:
    cluster = Cluster()
    autoscalers = _autoscalers_of(cluster)

    assert _targets(autoscalers) == ALL
    assert _targets(autoscalers) == ALL
    assert cluster.asked == ["n0", None]


def test_where_there_are_many_of_them_more_namespaces_are_asked_before_all_are_listed() -> None:
    cluster = Cluster(count=501)
    autoscalers = _autoscalers_of(cluster)

    for number in range(12):
        autoscalers.in_namespace(f"n{number}")

    assert cluster.asked == ["n0", None, *(f"n{number}" for number in range(1, 10)), None]


def test_an_account_that_may_list_its_namespaces_alone_is_refused_once() -> None:
    cluster = Cluster(None)
    autoscalers = _autoscalers_of(cluster)

    assert _targets(autoscalers) == ALL
    assert _targets(autoscalers) == ALL
    assert cluster.asked == ["n0", None, "n1", "n2", "n3", "n4"]
    assert autoscalers.notes == []


def test_what_cannot_be_read_is_noted_once() -> None:
    cluster = Cluster(None, "n1", "n4")
    autoscalers = _autoscalers_of(cluster)

    assert _targets(autoscalers) == ["web-of-n0", "web-of-n2", "web-of-n3"]
    assert _targets(autoscalers) == ["web-of-n0", "web-of-n2", "web-of-n3"]
    assert [note.partition(" cannot")[0] for note in autoscalers.notes] == [
        "whether an autoscaler sets replicas in n1",
        "whether an autoscaler sets replicas in n4",
    ]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_server_without_autoscalers_is_asked_for_none(namespace: str) -> None:
    cluster = Cluster()

    assert _autoscalers_of(cluster, Resources([])).in_namespace(namespace) == ()
    assert cluster.asked == []
