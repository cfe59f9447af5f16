"""A scan reads with few requests, taken from the audit log, also without the permission to list all namespaces."""

import json
import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from drift.api import open_cluster, scan
from drift.config.settings import Settings
from drift.errors import RequestError, TooManyObjectsError
from drift.kube.live import LiveObject, read_live
from drift.kube.resources import Resource, Resources
from drift.model import Report, Status, Unmanaged, Verdict
from drift.scanning.read import Autoscalers
from tools.sandbox.cluster import Cluster

if TYPE_CHECKING:
    from drift.kube.live import LiveSource


MANY_NAMESPACES = 3
ONLY_MANIFESTS = Settings(unmanaged=Unmanaged.OFF)


@pytest.fixture(scope="module")
def namespaces(cluster: Cluster) -> list[str]:
    names = [f"many-{secrets.token_hex(4)}" for _ in range(MANY_NAMESPACES)]
    for name in names:
        cluster.create_namespace(name)
    return names


def _sync(cluster: Cluster, folder: Path, kind: str, namespaces: list[str], count: int = 2) -> Path:
    bodies: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": kind, "metadata": {"name": f"{kind.lower()}-{number}", "namespace": namespace}}
        for namespace in namespaces
        for number in range(count)
    ]
    file = folder / f"{kind}.yaml"
    file.write_text("\n---\n".join(map(json.dumps, bodies)), "utf-8")
    cluster.kubectl("apply", "--server-side", "--field-manager=kustomize-controller", "--filename", str(file))
    return file


def _lists(cluster: Cluster, mark: int, plural: str) -> Counter[str]:
    """Returns how often a kind was listed, by namespace; "" for all namespaces."""
    return Counter(
        event.namespace
        for event in cluster.audit(mark)
        if event.verb == "list" and event.resource == plural and event.user == "kubernetes-admin"
    )


def _scan(cluster: Cluster, file: Path, settings: Settings, kubeconfig: Path | None = None) -> Report:
    return scan([file], open_cluster(str(kubeconfig or cluster.kubeconfig)), settings=settings)


def test_three_namespaces_are_read_with_one_list_of_all_namespaces(
    cluster: Cluster, namespaces: list[str], tmp_path: Path
) -> None:
    # Of a kind that other tests leave few objects of: with more than a page of them, the plan is another.
    file = _sync(cluster, tmp_path, "ResourceQuota", namespaces)
    mark = cluster.audit_mark()

    report = _scan(cluster, file, ONLY_MANIFESTS)

    assert report.verdict is Verdict.IN_SYNC
    assert _lists(cluster, mark, "resourcequotas") == {"": 1}


def test_secrets_of_other_namespaces_are_never_read(cluster: Cluster, namespaces: list[str], tmp_path: Path) -> None:
    file = _sync(cluster, tmp_path, "Secret", namespaces)
    mark = cluster.audit_mark()

    report = _scan(cluster, file, ONLY_MANIFESTS)

    assert report.verdict is Verdict.IN_SYNC
    assert _lists(cluster, mark, "secrets") == dict.fromkeys(namespaces, 1)


def test_a_few_objects_are_read_one_by_one(cluster: Cluster, namespaces: list[str], tmp_path: Path) -> None:
    file = _sync(cluster, tmp_path, "ServiceAccount", namespaces, count=1)
    mark = cluster.audit_mark()

    report = _scan(cluster, file, ONLY_MANIFESTS)

    assert report.verdict is Verdict.IN_SYNC
    assert not _lists(cluster, mark, "serviceaccounts")


def test_namespaces_are_listed_one_by_one_if_the_others_have_many_objects(
    cluster: Cluster, namespaces: list[str], tmp_path: Path
) -> None:
    file = _sync(cluster, tmp_path, "ConfigMap", namespaces)
    # More than a page, and more than saving three requests is worth.
    others = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"other-{number}", "namespace": "default"}}
        for number in range(520)
    ]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": others})
    cluster.kubectl("create", "--filename=-", stdin=text)
    mark = cluster.audit_mark()

    try:
        report = _scan(cluster, file, ONLY_MANIFESTS)
    finally:
        cluster.kubectl("delete", "--filename=-", "--wait=false", stdin=text)

    assert report.verdict is Verdict.IN_SYNC
    assert _lists(cluster, mark, "configmaps") == {"": 1, **dict.fromkeys(namespaces, 1)}


def test_an_account_without_cluster_wide_permissions_gets_the_same_report(
    cluster: Cluster, namespaces: list[str], tmp_path: Path
) -> None:
    file = _sync(cluster, tmp_path, "ConfigMap", namespaces)
    account = f"bound-{secrets.token_hex(4)}"
    cluster.kubectl("create", "serviceaccount", account, "--namespace=default")
    for namespace in namespaces:
        for what in (
            ("role", "--verb=get,list", "--resource=configmaps"),
            ("rolebinding", f"--role={account}", f"--serviceaccount=default:{account}"),
        ):
            cluster.kubectl("create", what[0], account, *what[1:], "--namespace", namespace)
    bound = cluster.kubeconfig_for(cluster.token(account))

    report = _scan(cluster, file, ONLY_MANIFESTS, bound)

    assert report.verdict is Verdict.IN_SYNC
    assert report.objects == _scan(cluster, file, ONLY_MANIFESTS).objects


def test_objects_in_forbidden_namespaces_are_unchecked(cluster: Cluster, namespaces: list[str], tmp_path: Path) -> None:
    file = _sync(cluster, tmp_path, "ConfigMap", namespaces)
    account = f"some-{secrets.token_hex(4)}"
    cluster.kubectl("create", "serviceaccount", account, "--namespace=default")
    readable, *refused = namespaces
    cluster.kubectl("create", "role", account, "--verb=get,list", "--resource=configmaps", "--namespace", readable)
    cluster.kubectl(
        "create",
        "rolebinding",
        account,
        f"--role={account}",
        f"--serviceaccount=default:{account}",
        "--namespace",
        readable,
    )

    report = _scan(cluster, file, ONLY_MANIFESTS, cluster.kubeconfig_for(cluster.token(account)))

    assert report.verdict is Verdict.INCOMPLETE
    assert {item.key.namespace for item in report.objects if item.status is Status.UNCHECKED} == set(refused)
    assert {item.key.namespace for item in report.objects if item.status is Status.IN_SYNC} == {readable}


def test_unmanaged_objects_are_found_only_in_the_manifests_namespaces(
    cluster: Cluster, namespaces: list[str], tmp_path: Path
) -> None:
    file = _sync(cluster, tmp_path, "ConfigMap", namespaces)
    for namespace in (namespaces[1], "default"):
        cluster.kubectl("create", "service", "clusterip", "by-hand", "--tcp=80:80", "--namespace", namespace)

    try:
        report = _scan(cluster, file, Settings())
    finally:
        cluster.kubectl("delete", "service", "by-hand", "--namespace=default")

    # Other tests leave objects of other kinds.
    unmanaged = [item.key for item in report.objects if item.status is Status.UNMANAGED and item.key.kind == "Service"]
    assert [(key.namespace, key.name) for key in unmanaged] == [(namespaces[1], "by-hand")]


KIND = Resource(
    "autoscaling",
    "v2",
    "HorizontalPodAutoscaler",
    "horizontalpodautoscalers",
    namespaced=True,
    verbs=frozenset({"get", "list"}),
)
NAMESPACES = ["n0", "n1", "n2", "n3", "n4"]


class Autoscaled:
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


def _autoscalers(cluster: Autoscaled, resources: Resources | None = None) -> Autoscalers:
    return Autoscalers(cast("LiveSource", cluster), Resources([KIND]) if resources is None else resources)


def _targets(autoscalers: Autoscalers) -> list[str]:
    return [found.target.name for name in NAMESPACES for found in autoscalers.in_namespace(name)]


ALL = [f"web-of-{name}" for name in NAMESPACES]


def test_each_of_few_namespaces_is_listed_once() -> None:
    cluster = Autoscaled()
    autoscalers = _autoscalers(cluster)

    assert [found.target.name for _ in range(2) for found in autoscalers.in_namespace("n1")] == ["web-of-n1"] * 2
    assert cluster.requests == ["n1"]


def test_all_namespaces_are_listed_with_the_second_request() -> None:
    cluster = Autoscaled()
    autoscalers = _autoscalers(cluster)

    assert _targets(autoscalers) == ALL
    assert _targets(autoscalers) == ALL
    assert cluster.requests == ["n0", None]


def test_with_too_many_autoscalers_all_namespaces_are_listed_again_only_after_ten() -> None:
    cluster = Autoscaled(count=501)
    autoscalers = _autoscalers(cluster)

    for number in range(12):
        autoscalers.in_namespace(f"n{number}")

    assert cluster.requests == ["n0", None, *(f"n{number}" for number in range(1, 10)), None]


def test_an_account_without_cluster_wide_permissions_tries_to_list_all_namespaces_only_once() -> None:
    cluster = Autoscaled(None)
    autoscalers = _autoscalers(cluster)

    assert _targets(autoscalers) == ALL
    assert _targets(autoscalers) == ALL
    assert cluster.requests == ["n0", None, "n1", "n2", "n3", "n4"]
    assert autoscalers.notes == []


def test_each_namespace_that_cannot_be_read_is_noted_once() -> None:
    cluster = Autoscaled(None, "n1", "n4")
    autoscalers = _autoscalers(cluster)

    assert _targets(autoscalers) == ["web-of-n0", "web-of-n2", "web-of-n3"]
    assert _targets(autoscalers) == ["web-of-n0", "web-of-n2", "web-of-n3"]
    assert [note.partition(",")[0] for note in autoscalers.notes] == [
        "cannot read autoscalers in n1",
        "cannot read autoscalers in n4",
    ]


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_server_without_the_kind_gets_no_request(namespace: str) -> None:
    cluster = Autoscaled()

    assert _autoscalers(cluster, Resources([])).in_namespace(namespace) == ()
    assert cluster.requests == []
