"""Merging reports of shards, of clusters and of different times, in any order."""

import json
from dataclasses import replace
from itertools import islice, permutations

import jsonschema

from drift.model import ClusterInfo, ManifestsInfo, ObjectReport, Report, Status, Verdict
from drift.report.formats import Format, Style, render
from drift.report.json_report import read_report, to_json
from drift.report.json_schema import json_schema
from drift.report.merge import merge
from tests.drift.report.reports import EMPTY, HOSTILE, RICH, finding, item, report, resolved

EAST = ClusterInfo("east", "https://east.example.com", "v1.36.3")
WEST = ClusterInfo("west", "https://west.example.com", "v1.36.3")
LATER = "2026-01-01T13:00:00Z"


def pod(name: str, status: Status = Status.DRIFTED, live: int = 5) -> ObjectReport:
    findings = (finding(1, live=live),) if status in {Status.DRIFTED, Status.UNMANAGED} else ()
    return item("Pod", name, status, *findings, reason="r" if status is Status.UNCHECKED else None)


def test_a_single_report_is_unchanged() -> None:
    assert merge([RICH]) is RICH


def test_shards_of_one_cluster_are_one_report() -> None:
    one = report(pod("a"), notes=("in both", "first"), api_requests=2, duration_seconds=1.0)
    other = report(pod("b"), notes=("in both",), errors=("pods: why",), api_requests=3, duration_seconds=4.0)

    merged = merge([one, other])

    assert [shown.key.name for shown in merged.objects] == ["a", "b"]
    assert merged.cluster == one.cluster
    assert merged.clusters == ()
    assert {shown.cluster for shown in merged.objects} == {None}
    assert sorted(merged.notes) == ["first", "in both"]
    assert merged.verdict is Verdict.INCOMPLETE
    assert (merged.api_requests, merged.duration_seconds) == (5, 4.0)


def test_the_order_of_the_files_makes_no_difference() -> None:
    reports = [
        RICH,
        EMPTY,
        HOSTILE,
        report(pod("a"), cluster=EAST),
        report(pod("a", live=7), cluster=EAST),
        report(pod("a"), cluster=WEST, manifests=ManifestsInfo(("b",), "f00", git_dirty=True)),
    ]

    # A part of the 720 orders, in which each report comes first and last.
    orders = list(islice(permutations(range(len(reports))), None, None, 11))
    assert {first for first, *_ in orders} == {last for *_, last in orders} == {*range(len(reports))}
    assert len({to_json(merge([reports[number] for number in order])) for order in orders}) == 1


def test_an_object_of_one_cluster_comes_from_the_newest_report() -> None:
    old, new = report(pod("a", live=5)), report(pod("a", live=7), generated_at=LATER)

    merged = merge([new, old])

    assert [shown.findings[0].live for shown in merged.objects] == [7]
    assert merged.generated_at == LATER


def test_an_object_with_a_manifest_in_another_report_is_not_unmanaged() -> None:
    unmanaged = report(pod("a", Status.UNMANAGED), generated_at=LATER)

    assert [shown.status for shown in merge([unmanaged, report(pod("a", Status.IN_SYNC))]).objects] == [Status.IN_SYNC]
    assert [shown.status for shown in merge([unmanaged, report(pod("a", Status.UNCHECKED))]).objects] == [
        Status.UNCHECKED
    ]


def test_a_comparison_wins_over_an_unchecked_object() -> None:
    unread = report(pod("a", Status.UNCHECKED), generated_at=LATER)

    assert [shown.status for shown in merge([unread, report(pod("a"))]).objects] == [Status.DRIFTED]


def test_objects_of_several_clusters_name_their_cluster() -> None:
    east, west = report(pod("a"), cluster=EAST, notes=("n",)), report(pod("a"), cluster=WEST, notes=("n",))

    merged = merge([west, east])

    assert [(shown.cluster, shown.key.name) for shown in merged.objects] == [("east", "a"), ("west", "a")]
    assert merged.clusters == (EAST, WEST)
    assert merged.cluster is None
    assert merged.notes == ("east: n", "west: n")


def test_clusters_with_the_same_context_are_named_by_their_servers() -> None:
    merged = merge([report(pod("a"), cluster=EAST), report(pod("a"), cluster=replace(WEST, context="east"))])

    assert [shown.cluster for shown in merged.objects] == [EAST.server, WEST.server]


def test_a_dump_merged_with_a_cluster_has_a_name() -> None:
    merged = merge([report(pod("a"), cluster=None), report(pod("a"), cluster=EAST)])

    assert [shown.cluster for shown in merged.objects] == ["a dump", "east"]


def test_a_merged_report_can_be_saved_read_and_merged_again() -> None:
    both = merge([report(pod("a"), cluster=EAST, notes=("n",)), report(pod("b"), cluster=WEST)])
    read = read_report(to_json(both), "r.json")
    third = report(pod("c"), cluster=EAST)

    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(to_json(both)))
    assert read == both
    again = merge([read, third])
    assert [(shown.cluster, shown.key.name) for shown in again.objects] == [("east", "a"), ("east", "c"), ("west", "b")]
    assert again.notes == ("east: n",)


def test_the_commit_is_kept_if_all_reports_have_it() -> None:
    one = report(manifests=ManifestsInfo(("a",), "c0ffee", git_dirty=False))
    other = report(manifests=ManifestsInfo(("b",), "c0ffee", git_dirty=True))
    third = report(manifests=ManifestsInfo(("c",), "f00", git_dirty=False))

    assert merge([one, other]).manifests == ManifestsInfo(("a", "b"), "c0ffee", git_dirty=True)
    assert merge([one, third]).manifests == ManifestsInfo(("a", "c"), None, None)


def test_a_finding_resolved_in_one_report_is_resolved_in_its_cluster() -> None:
    east = report(cluster=EAST, resolved=(resolved(1),))
    west = report(cluster=WEST, resolved=(resolved(1), resolved(2, path="data.b")))

    merged = merge([west, east])

    assert [(found.cluster, found.path) for found in merged.resolved] == [
        ("east", "data.a"),
        ("west", "data.a"),
        ("west", "data.b"),
    ]
    assert read_report(to_json(merged), "r.json") == merged
    assert (
        merge([merged, report(cluster=EAST, resolved=(resolved(1),), generated_at=LATER)]).resolved == merged.resolved
    )


def test_a_finding_that_a_newer_report_has_is_not_resolved() -> None:
    old = report(pod("a", Status.IN_SYNC), resolved=(resolved(1),))

    assert merge([report(pod("a"), generated_at=LATER), old]).resolved == ()
    assert [found.id for found in merge([report(pod("b", Status.IN_SYNC)), old]).resolved] == [resolved(1).id]


def test_every_format_names_the_clusters() -> None:
    merged: Report = merge([report(pod("a"), cluster=EAST), report(pod("a"), cluster=WEST)])

    for form in Format:
        assert "west" in render(merged, form, Style())
