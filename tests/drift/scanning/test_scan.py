"""Who is asked for what, and what is said where no answer comes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from drift.errors import ManifestError, RequestError
from drift.kube.live_object import LiveObject, read_live
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo, Manifest, ManifestsInfo, Report, Status, Unmanaged, Verdict
from drift.scanning import Options, scan_manifests
from drift.sources.load import load_texts

VERBS = frozenset({"get", "list"})
CONFIG_MAP = Resource("", "v1", "ConfigMap", "configmaps", namespaced=True, verbs=VERBS)
SERVICE = Resource("", "v1", "Service", "services", namespaced=True, verbs=VERBS)
NAMESPACE = Resource("", "v1", "Namespace", "namespaces", namespaced=False, verbs=VERBS)
AUTOSCALER = Resource("autoscaling", "v2", "HorizontalPodAutoscaler", "hpas", namespaced=True, verbs=VERBS)
INFO = ManifestsInfo(("-",), None, None)


def body(name: str, namespace: str | None = "n", kind: str = "ConfigMap", data: Any = None) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **({"data": data} if data else {})}


class Memory:
    """A live side that keeps count of what it is asked for, and may refuse some of it."""

    default_namespace = "default"
    request_count: int | None = None

    def __init__(self, *bodies: dict[str, Any], refuses: Mapping[str, int] | None = None, after: int = 0) -> None:
        self.info: ClusterInfo | None = ClusterInfo(None, "https://example.com", "v1.36.3")
        self.resources = Resources([CONFIG_MAP, SERVICE, NAMESPACE, AUTOSCALER], broken=["broken.example.com/v1"])
        self.asked: list[str] = []
        self._objects = [read_live(body, "v1", body["kind"]) for body in bodies]
        self._refuses = refuses or {}
        self._after = after

    def schema(self, resource: Resource) -> None:
        del resource

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        self.asked.append(f"get {resource.plural} {namespace}/{name}")
        self._refuse(resource)
        return next((live for live in self._of(resource, namespace) if live.name == name), None)

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        del at_most
        self.asked.append(f"{'names' if metadata_only else 'list'} {resource.plural} {namespace}")
        for count, live in enumerate(self._of(resource, namespace)):
            if count >= self._after:
                self._refuse(resource)
            yield live
        self._refuse(resource)

    def _of(self, resource: Resource, namespace: str | None) -> "Sequence[LiveObject]":
        return [
            live
            for live in self._objects
            if live.kind == resource.kind and (namespace is None or live.namespace == namespace)
        ]

    def _refuse(self, resource: Resource) -> None:
        status = self._refuses.get(resource.plural)
        if status:
            raise RequestError(f"GET {resource.plural}: {status}", status=status, reason="Refused")


def manifests(*bodies: dict[str, Any]) -> tuple[Manifest, ...]:
    import json  # noqa: PLC0415

    return load_texts([("f.yaml", "\n---\n".join(map(json.dumps, bodies)).encode())]).manifests


def _scan(source: Memory, *bodies: dict[str, Any], unmanaged: Unmanaged = Unmanaged.OFF) -> Report:
    return scan_manifests(manifests(*bodies), source, info=INFO, options=Options(unmanaged=unmanaged))


def _statuses(report: Report) -> list[tuple[str, str]]:
    return [(str(item.key), item.status.value) for item in report.objects]


def test_objects_are_reported_in_the_order_of_their_keys() -> None:
    bodies = [
        body("b", "y"),
        body("a", "y"),
        body("z", "x"),
        body("x", None, "Namespace"),
        body("a", "x", "Service"),
    ]

    assert [key for key, _ in _statuses(_scan(Memory(*bodies), *bodies))] == [
        "Namespace x",
        *("ConfigMap x/z", "Service x/a"),
        *("ConfigMap y/a", "ConfigMap y/b"),
    ]


def test_few_objects_are_read_one_by_one_and_many_as_a_list() -> None:
    few, many = Memory(), Memory()

    _scan(few, body("a"), body("b"))
    _scan(many, *(body(f"a{number}") for number in range(6)))

    assert few.asked == ["get configmaps n/a", "get configmaps n/b"]
    assert many.asked == ["list configmaps n"]


def test_an_object_without_a_namespace_is_looked_for_in_the_default_one() -> None:
    source = Memory()

    report = _scan(source, body("a", None))

    assert source.asked == ["get configmaps default/a"]
    assert report.objects[0].key.namespace == "default"


def test_a_namespace_on_a_cluster_scoped_object_is_disregarded() -> None:
    source = Memory(body("a", None, "Namespace"))

    assert _statuses(_scan(source, body("a", "n", "Namespace"))) == [("Namespace a", "in-sync")]


def test_one_object_in_two_manifests_is_an_error() -> None:
    with pytest.raises(ManifestError, match=r"f\.yaml:3: ConfigMap default/a is also defined in f\.yaml:1"):
        _scan(Memory(), body("a", None), body("a", "default"))


def test_what_was_not_listed_before_an_error_is_neither_missing_nor_in_sync() -> None:
    bodies = [body(f"a{number}") for number in range(7)]
    source = Memory(*bodies, refuses={"configmaps": 500}, after=3)

    report = _scan(source, *bodies)

    assert [item.status for item in report.objects] == [Status.IN_SYNC] * 3 + [Status.UNCHECKED] * 4
    assert report.verdict is Verdict.INCOMPLETE
    assert report.errors == ("configmaps in n: GET configmaps: 500",)


def test_an_error_after_the_last_object_still_makes_the_scan_incomplete() -> None:
    bodies = [body(f"a{number}") for number in range(7)]

    report = _scan(Memory(*bodies, refuses={"configmaps": 410}, after=99), *bodies)

    assert report.verdict is Verdict.INCOMPLETE


def test_a_kind_of_the_manifests_that_is_refused_names_the_right_that_lacks() -> None:
    report = _scan(Memory(refuses={"configmaps": 403}), body("a"), body("b", kind="Service"))

    assert _statuses(report) == [("ConfigMap n/a", "unchecked"), ("Service n/b", "missing")]
    assert report.objects[0].reason == "may not be read by this account (get, list configmaps in n)"


def test_drift_is_reported_though_the_scan_is_incomplete() -> None:
    source = Memory(body("a", data={"k": "live"}), refuses={"services": 403})

    report = _scan(source, body("a", data={"k": "git"}), body("b", kind="Service"))

    assert report.verdict is Verdict.INCOMPLETE
    assert report.has_drift


def test_a_version_that_is_not_served_names_the_one_to_move_to() -> None:
    manifest = {**body("a", kind="HorizontalPodAutoscaler"), "apiVersion": "autoscaling/v2beta1"}

    item = _scan(Memory(), manifest).objects[0]

    assert item.status is Status.UNCHECKED
    assert item.reason == "autoscaling/v2beta1 is not served here; move the manifest to autoscaling/v2"


def test_a_kind_that_is_not_served_at_all_is_missing() -> None:
    item = _scan(Memory(), {**body("a", kind="Widget"), "apiVersion": "example.com/v1"}).objects[0]

    assert (item.status, item.findings[0].change) == (Status.MISSING, "missing")


def test_an_api_that_does_not_answer_leaves_its_objects_unchecked() -> None:
    item = _scan(Memory(), {**body("a", kind="Widget"), "apiVersion": "broken.example.com/v1"}).objects[0]

    assert item.status is Status.UNCHECKED


def test_strays_are_looked_for_in_the_manifests_namespaces_by_name_alone() -> None:
    source = Memory(body("a"), body("stray"), body("stray", kind="Service"), body("far", "elsewhere"))

    report = _scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert [key for key, status in _statuses(report) if status == "unmanaged"] == [
        "ConfigMap n/stray",
        "Service n/stray",
    ]
    assert source.asked == ["list configmaps n", "names services n", "names hpas n"]


@pytest.mark.parametrize("count", [1, 9])
def test_cluster_scoped_strays_are_for_the_whole_cluster_alone(count: int) -> None:
    bodies = [body(f"a{number}", None, "Namespace") for number in range(count)]
    source = Memory(*bodies, body("stray", None, "Namespace"))

    near = _scan(source, *bodies, unmanaged=Unmanaged.NAMESPACE)
    far = _scan(source, *bodies, unmanaged=Unmanaged.CLUSTER)

    assert near.count_by_status()[Status.UNMANAGED] == 0
    assert far.count_by_status()[Status.UNMANAGED] == 1


@pytest.mark.parametrize(
    ("status", "verdict"), [(403, Verdict.IN_SYNC), (405, Verdict.IN_SYNC), (500, Verdict.INCOMPLETE)]
)
def test_a_refused_list_of_another_kind_is_a_note_and_a_failed_one_an_error(status: int, verdict: Verdict) -> None:
    source = Memory(body("a"), refuses={"services": status})

    report = _scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert report.verdict is verdict
    assert any(
        "services in n that Git does not have were not looked for" in text for text in report.notes + report.errors
    )


def test_an_object_that_nests_without_end_costs_nobody_elses_report() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = {"a": deep}
    source = Memory(body("a", data={"k": "live"}), {**body("deep"), "data": deep})

    report = _scan(source, body("a", data={"k": "git"}), body("deep", data={"a": "x"}))

    assert _statuses(report) == [("ConfigMap n/a", "drifted"), ("ConfigMap n/deep", "unchecked")]
    assert report.objects[1].reason == "nested too deep to be compared"


def test_a_dump_with_objects_without_owners_says_so_in_a_note() -> None:
    dump = Memory(body("a"), body("b"))
    dump.info = None

    report = _scan(dump, body("a"), body("b"))

    assert report.notes[0].startswith("live objects have no managedFields")


@pytest.mark.parametrize(
    ("ownerless", "note"),
    [
        (1, "one live object has no managedFields, so who changed it cannot be told"),
        (2, "2 live objects have no managedFields, so who changed them cannot be told"),
    ],
)
def test_a_dump_with_some_owners_was_made_well_and_the_others_are_counted(ownerless: int, note: str) -> None:
    entry = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    owned = body("owned")
    owned["metadata"]["managedFields"] = [entry]
    others = [body(f"other-{number}") for number in range(ownerless)]
    dump = Memory(owned, *others)
    dump.info = None

    assert _scan(dump, body("owned"), *others).notes == (note,)


def test_the_servers_own_metadata_is_no_drift_where_neither_a_schema_nor_an_owner_says_so() -> None:
    live = body("a")
    live["metadata"] |= {
        "uid": "u",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    live["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    dump = Memory(live)
    dump.info = None

    assert _statuses(_scan(dump, body("a"))) == [("ConfigMap n/a", "in-sync")]


def test_the_report_says_how_long_it_took_and_how_many_requests_were_sent() -> None:
    source = Memory()
    source.request_count = 7

    report = _scan(source)

    assert report.api_requests == 7
    assert report.duration_seconds is not None
    assert report.duration_seconds >= 0
