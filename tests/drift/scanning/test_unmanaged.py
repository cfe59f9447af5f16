"""Which live objects the search finds, and what it says of kinds that it cannot search."""

from typing import Any, NoReturn

import pytest

from drift import errors
from drift.kube.resources import Resource, Resources
from drift.model import Cause, Status, Unmanaged, Verdict
from drift.scanning import unmanaged
from tests.drift.scanning.memory import CONFIG_MAP, NAMESPACE, VERBS, Memory, body, scan, statuses

WIDGET = Resource("example.com", "v1", "Widget", "widgets", namespaced=True, verbs=VERBS)


def test_the_search_lists_metadata_in_the_manifests_namespaces_and_reads_only_unmanaged_objects_as_a_whole() -> None:
    owned = body("owned", kind="Service")
    owned["metadata"]["ownerReferences"] = [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}]
    source = Memory(body("a"), body("by-hand"), body("by-hand", kind="Service"), owned, body("far", "elsewhere"))

    report = scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert [key for key, status in statuses(report) if status == "unmanaged"] == [
        "ConfigMap n/by-hand",
        "Service n/by-hand",
    ]
    assert source.asked == [
        *("list configmaps n", "names secrets n", "names services n", "names hpas n"),
        *("get configmaps n/by-hand", "get services n/by-hand"),
    ]


def test_an_unmanaged_object_says_what_it_is() -> None:
    source = Memory(body("a"), body("by-hand", data={"color": "red"}))

    report = scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert [item.digest for item in report.objects] == [None, "1 key: color"]


@pytest.mark.parametrize("count", [1, 9])
def test_the_manifest_of_an_unmanaged_object_has_its_kind_however_it_was_read(count: int) -> None:
    source = Memory(body("a"), *(body(f"b{number}", kind="Service") for number in range(count)))

    report = scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert [item.manifest for item in report.objects if item.status is Status.UNMANAGED] == [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"b{number}", "namespace": "n"}}
        for number in range(count)
    ]


@pytest.mark.parametrize("depth", [100, 330, 900])
def test_an_unmanaged_object_that_is_nested_too_deeply_does_not_end_the_scan(depth: int) -> None:
    deep: Any = "x"
    for _ in range(depth):
        deep = {"a": deep}
    source = Memory(body("a"), body("deep", data=deep), body("later", data={"color": "red"}))

    report = scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert [(item.key.name, item.status) for item in report.objects] == [
        ("a", Status.IN_SYNC),
        ("deep", Status.UNMANAGED),
        ("later", Status.UNMANAGED),
    ]
    assert [item.manifest is not None for item in report.objects] == [False, depth == 100, True]


@pytest.mark.parametrize(
    "function", ["judge_unmanaged", "digest", "export"], ids=["why it is unmanaged", "what it is", "its manifest"]
)
@pytest.mark.parametrize("error", [RecursionError, KeyError])
def test_a_malformed_unmanaged_object_is_still_reported(
    function: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(unmanaged, function, fail)
    monkeypatch.setattr(errors, "UNEXPECTED", (KeyError,))

    report = scan(Memory(body("a"), body("b", data={"color": "red"})), body("a"), unmanaged=Unmanaged.NAMESPACE)

    [found] = [item for item in report.objects if item.status is Status.UNMANAGED]
    assert (found.digest is None, found.manifest is None) == (function == "digest", function == "export")


def test_an_unmanaged_secret_is_not_read_again() -> None:
    source = Memory(body("a"), body("s", kind="Secret", data={"password": "aGk="}))

    report = scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert [item.digest for item in report.objects] == [None, "Secret with 1 key"]
    assert [item.manifest for item in report.objects] == [None, None]
    assert [asked for asked in source.asked if "secrets" in asked] == ["names secrets n"]


def test_an_unmanaged_object_that_cannot_be_read_as_a_whole_is_still_reported() -> None:
    source = Memory(body("a"), body("by-hand", kind="Service"), refuses_get={"services": 403})

    report = scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert [(item.status, item.digest) for item in report.objects][1:] == [(Status.UNMANAGED, None)]
    assert report.verdict is Verdict.DRIFTED
    assert report.notes[1:] == ("could not read what unmanaged services are: GET services: 403",)


@pytest.mark.parametrize("count", [1, 9])
def test_unmanaged_cluster_scoped_objects_are_found_only_in_cluster_mode(count: int) -> None:
    bodies = [body(f"a{number}", None, "Namespace") for number in range(count)]
    source = Memory(*bodies, body("by-hand", None, "Namespace"))

    in_namespaces = scan(source, *bodies, unmanaged=Unmanaged.NAMESPACE)
    in_cluster = scan(source, *bodies, unmanaged=Unmanaged.CLUSTER)

    assert in_namespaces.count_by_status()[Status.UNMANAGED] == 0
    assert in_cluster.count_by_status()[Status.UNMANAGED] == 1


@pytest.mark.parametrize(
    ("status", "verdict"), [(403, Verdict.IN_SYNC), (405, Verdict.IN_SYNC), (500, Verdict.INCOMPLETE)]
)
def test_a_forbidden_search_is_a_note_and_a_failed_search_an_error(status: int, verdict: Verdict) -> None:
    source = Memory(body("a"), refuses={"services": status})

    report = scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)

    assert report.verdict is verdict
    assert any("did not search for unmanaged services" in text for text in report.notes + report.errors)


def test_kinds_that_the_account_may_not_list_are_one_note() -> None:
    source = Memory(body("a"), body("b", "m"), refuses={"services": 403, "secrets": 403, "hpas": 403})

    report = scan(source, body("a"), body("b", "m"), unmanaged=Unmanaged.NAMESPACE)

    assert [note for note in report.notes if "did not search" in note] == [
        "did not search for unmanaged secrets, services, hpas in some namespaces: this account may not list them"
    ]


@pytest.mark.parametrize("status", [403, 405, 503])
def test_a_kind_of_the_manifests_that_cannot_be_searched_makes_the_scan_incomplete(status: int) -> None:
    source = Memory(body("a"), refuses={"configmaps": status})

    report = scan(source, body("a"), unmanaged=Unmanaged.CLUSTER)

    assert report.verdict is Verdict.INCOMPLETE
    assert any("did not search for unmanaged configmaps" in error for error in report.errors)
    assert source.asked[:2] == ["list configmaps None", "list configmaps n"]


@pytest.mark.parametrize(("kind", "verdict"), [("services", Verdict.INCOMPLETE), ("widgets", Verdict.IN_SYNC)])
def test_only_an_api_of_kubernetes_itself_that_is_down_makes_the_scan_incomplete(kind: str, verdict: Verdict) -> None:
    source = Memory(body("a"), refuses={kind: 503})
    source.resources = Resources([*source.resources.all_preferred(), WIDGET])

    report = scan(source, body("a"), unmanaged=Unmanaged.CLUSTER)

    assert report.verdict is verdict
    assert any(f"did not search for unmanaged {kind}: " in text for text in report.notes + report.errors)


def test_an_api_that_does_not_answer_is_a_note_in_cluster_mode_only() -> None:
    note = "did not search for unmanaged objects of broken.example.com/v1: that API does not answer"

    assert note in scan(Memory(body("a")), body("a"), unmanaged=Unmanaged.CLUSTER).notes
    assert note not in scan(Memory(body("a")), body("a"), unmanaged=Unmanaged.NAMESPACE).notes


def test_a_kind_that_cannot_be_listed_is_not_searched() -> None:
    source = Memory(body("a"), body("by-hand", None, "Namespace"))
    without_list = Resource("", "v1", "Namespace", "namespaces", namespaced=False, verbs=frozenset({"get"}))
    source.resources = Resources([CONFIG_MAP, without_list])

    report = scan(source, body("a"), unmanaged=Unmanaged.CLUSTER)

    assert NAMESPACE.kind not in {item.key.kind for item in report.objects}
    assert not any("namespaces" in asked for asked in source.asked)


def test_objects_that_the_cluster_creates_for_itself_are_left_out() -> None:
    owned = body("owned", kind="Service")
    owned["metadata"]["ownerReferences"] = [
        {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u", "controller": True}
    ]
    source = Memory(body("a"), owned, body("kube-root-ca.crt"))

    assert statuses(scan(source, body("a"), unmanaged=Unmanaged.NAMESPACE)) == [("ConfigMap n/a", "in-sync")]


def test_an_unmanaged_object_has_one_finding_of_the_whole_object() -> None:
    report = scan(Memory(body("a"), body("by-hand")), body("a"), unmanaged=Unmanaged.NAMESPACE)

    (unmanaged,) = (item for item in report.objects if item.status is Status.UNMANAGED)
    (finding,) = unmanaged.findings
    assert (finding.path, finding.cause, finding.live) == ("", Cause.UNKNOWN, None)
