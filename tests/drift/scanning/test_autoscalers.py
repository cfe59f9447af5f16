"""Reading autoscalers takes few requests, and works without the permission to list all namespaces."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

import pytest

from drift.errors import RequestError, TooManyObjectsError
from drift.kube.live import LiveObject, read_live
from drift.kube.resources import Resource, Resources
from drift.scanning.autoscalers import Autoscalers

if TYPE_CHECKING:
    from drift.kube.live import LiveSource

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
    """A cluster with one autoscaler in each namespace. It can claim to have more, and can refuse lists."""

    def __init__(self, *refused: str | None, count: int = len(NAMESPACES)) -> None:
        self.requests: list[str | None] = []
        self._refused = refused
        self._count = count

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        assert resource is KIND
        assert not metadata_only
        assert (at_most is None) == (namespace is not None), "a list of all namespaces has a limit"
        self.requests.append(namespace)
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


def _autoscalers(cluster: Cluster, resources: Resources | None = None) -> Autoscalers:
    return Autoscalers(cast("LiveSource", cluster), Resources([KIND]) if resources is None else resources)


def _targets(autoscalers: Autoscalers) -> list[str]:
    return [found.target.name for name in NAMESPACES for found in autoscalers.in_namespace(name)]


ALL = [f"web-of-{name}" for name in NAMESPACES]


def test_each_of_few_namespaces_is_listed_once() -> None:
    cluster = Cluster()
    autoscalers = _autoscalers(cluster)

    assert [found.target.name for _ in range(2) for found in autoscalers.in_namespace("n1")] == ["web-of-n1"] * 2
    assert cluster.requests == ["n1"]


def test_all_namespaces_are_listed_with_the_second_request() -> None:
    cluster = Cluster()
    autoscalers = _autoscalers(cluster)

    assert _targets(autoscalers) == ALL
    assert _targets(autoscalers) == ALL
    assert cluster.requests == ["n0", None]


def test_with_too_many_autoscalers_all_namespaces_are_listed_again_only_after_ten() -> None:
    cluster = Cluster(count=501)
    autoscalers = _autoscalers(cluster)

    for number in range(12):
        autoscalers.in_namespace(f"n{number}")

    assert cluster.requests == ["n0", None, *(f"n{number}" for number in range(1, 10)), None]


def test_an_account_without_cluster_wide_permissions_tries_to_list_all_namespaces_only_once() -> None:
    cluster = Cluster(None)
    autoscalers = _autoscalers(cluster)

    assert _targets(autoscalers) == ALL
    assert _targets(autoscalers) == ALL
    assert cluster.requests == ["n0", None, "n1", "n2", "n3", "n4"]
    assert autoscalers.notes == []


def test_each_namespace_that_cannot_be_read_is_noted_once() -> None:
    cluster = Cluster(None, "n1", "n4")
    autoscalers = _autoscalers(cluster)

    assert _targets(autoscalers) == ["web-of-n0", "web-of-n2", "web-of-n3"]
    assert _targets(autoscalers) == ["web-of-n0", "web-of-n2", "web-of-n3"]
    assert [note.partition(",")[0] for note in autoscalers.notes] == [
        "cannot read autoscalers in n1",
        "cannot read autoscalers in n4",
    ]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_server_without_the_kind_gets_no_request(namespace: str) -> None:
    cluster = Cluster()

    assert _autoscalers(cluster, Resources([])).in_namespace(namespace) == ()
    assert cluster.requests == []
