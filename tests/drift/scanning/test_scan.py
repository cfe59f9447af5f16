"""The requests that a scan sends, and its report if some of them fail."""

from typing import Any

import pytest

from drift import errors
from drift.compare.objects import ObjectComparison, compare_object
from drift.errors import ConnectError, RequestError
from drift.kube.resources import Resource, Resources
from drift.model import Status, Unmanaged, Verdict
from drift.objects import Object
from drift.scanning import ComparisonCache, Options, pairs, scan_manifests
from tests.drift.scanning.memory import CONFIG_MAP, INFO, VERBS, Memory, body, manifests, scan, statuses


def test_objects_are_reported_in_the_order_of_their_keys() -> None:
    bodies = [
        body("b", "y"),
        body("a", "y"),
        body("z", "x"),
        body("x", None, "Namespace"),
        body("a", "x", "Service"),
    ]

    assert [key for key, _ in statuses(scan(Memory(*bodies), *bodies))] == [
        "Namespace x",
        *("ConfigMap x/z", "Service x/a"),
        *("ConfigMap y/a", "ConfigMap y/b"),
    ]


def test_few_objects_are_read_one_by_one_and_many_as_a_list() -> None:
    few, many = Memory(), Memory()

    scan(few, body("a"), body("b"))
    scan(many, *(body(f"a{number}") for number in range(6)))

    assert few.asked == ["get configmaps n/a", "get configmaps n/b"]
    assert many.asked == ["list configmaps n"]


def test_a_manifest_without_a_namespace_is_in_the_default_namespace() -> None:
    source = Memory()

    report = scan(source, body("a", None))

    assert source.asked == ["get configmaps default/a"]
    assert report.objects[0].key.namespace == "default"


def test_the_namespace_of_a_cluster_scoped_object_is_ignored() -> None:
    source = Memory(body("a", None, "Namespace"))

    assert statuses(scan(source, body("a", "n", "Namespace"))) == [("Namespace a", "in-sync")]


def test_two_manifests_of_one_object_leave_it_unchecked_and_hide_no_other() -> None:
    objects = [body("a", None), body("b"), body("a", "default")]

    report = scan(Memory(*objects), *objects)

    assert statuses(report) == [("ConfigMap default/a", "unchecked"), ("ConfigMap n/b", "in-sync")]
    assert report.objects[0].reason == "also defined in f.yaml:5; remove one of them"
    assert report.unread == ("f.yaml:5:1: ConfigMap default/a is also defined in f.yaml:1; remove one of them",)


def test_objects_that_a_failed_list_did_not_return_are_unchecked() -> None:
    bodies = [body(f"a{number}") for number in range(7)]
    source = Memory(*bodies, refuses={"configmaps": 500}, after=3)

    report = scan(source, *bodies)

    assert [item.status for item in report.objects] == [Status.IN_SYNC] * 3 + [Status.UNCHECKED] * 4
    assert report.verdict is Verdict.INCOMPLETE
    assert report.errors == ("configmaps in n: GET configmaps: 500",)


class VanishingServer(Memory):
    """A cluster that can no longer be reached once a comparison needs a schema."""

    def schema(self, resource: Resource) -> None:
        raise ConnectError(f"no schema of {resource.plural}: the server is gone")


def test_every_manifest_is_reported_if_the_server_vanishes_during_a_comparison() -> None:
    bodies = [body("a"), body("b"), body("c", kind="Service")]
    source = VanishingServer(*bodies)

    report = scan(source, *bodies)

    assert statuses(report) == [(key, "unchecked") for key in ("ConfigMap n/a", "ConfigMap n/b", "Service n/c")]
    assert source.asked == ["get configmaps n/a"]


WIDGET = Resource("example.com", "v1", "Widget", "widgets", namespaced=True, verbs=VERBS)


class ServerWithoutSchemas(Memory):
    """Has custom resources, and does not return its schemas while it fails."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        super().__init__(*bodies)
        self.resources = Resources([CONFIG_MAP, WIDGET])
        self.fails = True

    def schema(self, resource: Resource) -> None:
        if self.fails:
            raise RequestError(f"GET {resource.root}: 503", status=503, reason="ServiceUnavailable")


def test_custom_resources_are_unchecked_while_their_schema_cannot_be_read() -> None:
    widget = {**body("a", kind="Widget"), "apiVersion": "example.com/v1"}
    source = ServerWithoutSchemas({**widget, "spec": {"a": 1}})

    failed = scan(source, widget)
    source.fails = False

    why = "the schema of example.com/v1 could not be read: GET /apis/example.com/v1: 503"
    assert statuses(failed) == [("Widget.example.com n/a", "unchecked")]
    assert (failed.objects[0].reason, failed.errors, failed.verdict) == (why, (why,), Verdict.INCOMPLETE)
    assert statuses(scan(source, widget)) == [("Widget.example.com n/a", "drifted")]


def test_the_shipped_schema_stands_in_for_one_that_cannot_be_read() -> None:
    live = body("a", data={"k": "live"})
    source, git, cache = ServerWithoutSchemas(live), manifests(live), ComparisonCache()

    report = scan_manifests(git, source, info=INFO, options=Options(unmanaged=Unmanaged.OFF), cache=cache)

    assert statuses(report) == [("ConfigMap n/a", "in-sync")]
    assert any("the schema of v1 could not be read: GET /api/v1: 503; using" in note for note in report.notes)
    # A later scan compares with the schema of the server.
    found = source.get(CONFIG_MAP, "n", "a")
    assert found is not None
    assert cache.find(git[0].key, found) is None


def test_an_error_after_the_last_object_still_makes_the_scan_incomplete() -> None:
    bodies = [body(f"a{number}") for number in range(7)]

    report = scan(Memory(*bodies, refuses={"configmaps": 410}, after=99), *bodies)

    assert report.verdict is Verdict.INCOMPLETE


def test_a_forbidden_kind_names_the_missing_permission() -> None:
    report = scan(Memory(refuses={"configmaps": 403}), body("a"), body("b", kind="Service"))

    assert statuses(report) == [("ConfigMap n/a", "unchecked"), ("Service n/b", "missing")]
    assert report.objects[0].reason == "may not be read by this account (get, list configmaps in n)"


def test_an_incomplete_scan_still_reports_drift() -> None:
    source = Memory(body("a", data={"k": "live"}), refuses={"services": 403})

    report = scan(source, body("a", data={"k": "git"}), body("b", kind="Service"))

    assert report.verdict is Verdict.INCOMPLETE
    assert report.has_drift


def test_a_version_that_is_not_served_names_the_version_to_use() -> None:
    manifest = {**body("a", kind="HorizontalPodAutoscaler"), "apiVersion": "autoscaling/v2beta1"}

    item = scan(Memory(), manifest).objects[0]

    assert item.status is Status.UNCHECKED
    assert item.reason == "autoscaling/v2beta1 is not served here; move the manifest to autoscaling/v2"


def test_an_object_of_an_unknown_kind_is_missing() -> None:
    item = scan(Memory(), {**body("a", kind="Widget"), "apiVersion": "example.com/v1"}).objects[0]

    assert (item.status, item.findings[0].change) == (Status.MISSING, "missing")


def test_objects_of_an_api_that_does_not_answer_are_unchecked() -> None:
    item = scan(Memory(), {**body("a", kind="Widget"), "apiVersion": "broken.example.com/v1"}).objects[0]

    assert item.status is Status.UNCHECKED


def test_an_object_nested_too_deeply_does_not_prevent_the_report_of_others() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = {"a": deep}
    source = Memory(body("a", data={"k": "live"}), {**body("deep"), "data": deep})

    report = scan(source, body("a", data={"k": "git"}), body("deep", data={"a": "x"}))

    assert statuses(report) == [("ConfigMap n/a", "drifted"), ("ConfigMap n/deep", "unchecked")]
    assert report.objects[1].reason == "nested too deeply to compare"


def test_an_internal_error_does_not_prevent_the_report_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> ObjectComparison:
        return dict[str, ObjectComparison]()["a value that may be secret"]

    def compare(desired: Object, *args: Any, **kwargs: Any) -> ObjectComparison:
        return (fail if desired["metadata"]["name"] == "broken" else compare_object)(desired, *args, **kwargs)

    monkeypatch.setattr(pairs, "compare_object", compare)
    source = Memory(*(body(name, data={"k": "live"}) for name in ("a", "broken")))
    manifests = [body(name, data={"k": "git"}) for name in ("a", "broken")]

    with pytest.raises(KeyError):
        scan(source, *manifests)
    monkeypatch.setattr(errors, "UNEXPECTED", (KeyError,))
    report = scan(source, *manifests)

    assert statuses(report) == [("ConfigMap n/a", "drifted"), ("ConfigMap n/broken", "unchecked")]
    assert report.verdict is Verdict.INCOMPLETE
    assert str(report.objects[1].reason).startswith("internal error (KeyError in test_scan.py, line ")
    assert "secret" not in str(report.objects[1].reason)


def test_a_dump_without_managed_fields_has_a_note() -> None:
    dump = Memory(body("a"), body("b"))
    dump.info = None

    report = scan(dump, body("a"), body("b"))

    assert report.notes[0].startswith("live objects have no managedFields")


@pytest.mark.parametrize(
    ("count", "note"),
    [
        (1, "one live object has no managedFields, so drift cannot tell who changed it"),
        (2, "2 live objects have no managedFields, so drift cannot tell who changed them"),
    ],
)
def test_a_dump_where_some_objects_lack_managed_fields_has_a_note_with_their_number(count: int, note: str) -> None:
    entry = {"manager": "m", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {}}
    owned = body("owned")
    owned["metadata"]["managedFields"] = [entry]
    others = [body(f"other-{number}") for number in range(count)]
    dump = Memory(owned, *others)
    dump.info = None

    assert scan(dump, body("owned"), *others).notes == (note,)


def test_server_set_metadata_is_not_drift_without_schema_and_managed_fields() -> None:
    widget = {**body("a", kind="Widget"), "apiVersion": "example.com/v1"}
    live = {**widget, "metadata": {**widget["metadata"]}}
    live["metadata"] |= {
        "uid": "u",
        "resourceVersion": "7",
        "generation": 2,
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    live["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    dump = Memory(live)
    dump.info = None
    dump.resources = Resources([Resource("example.com", "v1", "Widget", "widgets", namespaced=True, verbs=VERBS)])

    assert statuses(scan(dump, widget)) == [("Widget.example.com n/a", "in-sync")]


def test_the_report_has_the_duration_and_the_number_of_requests() -> None:
    source = Memory()
    source.request_count = 7

    report = scan(source)

    assert report.api_requests == 7
    assert report.duration_seconds is not None
    assert report.duration_seconds >= 0
