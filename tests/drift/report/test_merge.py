"""Merging reports of shards, of clusters and of different times, in any order."""

import json
from dataclasses import replace
from itertools import islice, permutations

import jsonschema

from drift.model import ClusterInfo, ManifestsInfo, ObjectReport, Report, Shard, Status, Verdict
from drift.report.formats import Format, Style, render
from drift.report.json_report import read_report, to_json
from drift.report.json_schema import json_schema
from drift.report.merge import merge
from tests.drift.report.reports import EMPTY, HOSTILE, RICH, finding, item, report, resolved

EAST = ClusterInfo("east", "https://east.example.com", "v1.36.3")
WEST = ClusterInfo("west", "https://west.example.com", "v1.36.3")
#: As pods see their clusters: the address of the Service is the same in many of them.
POD_EAST = ClusterInfo(None, "https://10.96.0.1:443", "v1.36.3", id=f"sha256:{'1' * 64}")
POD_WEST = replace(POD_EAST, id=f"sha256:{'2' * 64}")
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


def test_clusters_with_one_address_inside_of_pods_stay_apart() -> None:
    east = report(pod("a"), cluster=POD_EAST, notes=("n",), resolved=(resolved(2),))
    west = report(pod("a", Status.IN_SYNC), cluster=POD_WEST, generated_at=LATER, resolved=(resolved(1),))

    merged = merge([east, west])

    names = ["https://10.96.0.1:443 (sha256:11111111)", "https://10.96.0.1:443 (sha256:22222222)"]
    assert merged.verdict is Verdict.DRIFTED
    assert [(shown.cluster, shown.status) for shown in merged.objects] == [
        (names[0], Status.DRIFTED),
        (names[1], Status.IN_SYNC),
    ]
    assert [(found.cluster, found.id) for found in merged.resolved] == [
        (names[0], resolved(2).id),
        (names[1], resolved(1).id),
    ]
    assert (merged.cluster, merged.clusters, merged.notes) == (None, (POD_EAST, POD_WEST), (f"{names[0]}: n",))
    assert merge([west, east]) == merged
    read = read_report(to_json(merged), "r.json")
    assert read == merged
    assert merge([read, west]).objects == merged.objects
    for form in (Format.TEXT, Format.MARKDOWN, Format.HTML):
        assert all(render(merged, form, Style()).count(name) > 1 for name in names[:1])
        assert names[1] in render(merged, form, Style())


def test_reports_of_one_cluster_inside_of_pods_are_one_report() -> None:
    shards = [report(pod(name), cluster=POD_EAST, shard=Shard(index, 2)) for index, name in ((1, "a"), (2, "b"))]

    merged = merge(shards)

    assert (merged.cluster, merged.clusters, merged.errors) == (POD_EAST, (), ())
    assert [(shown.cluster, shown.name) for shown in merged.objects] == [(None, "a"), (None, "b")]
    assert merge([shards[0], replace(shards[1], cluster=POD_WEST)]).verdict is Verdict.INCOMPLETE
    newer = report(pod("a", Status.IN_SYNC), cluster=POD_EAST, generated_at=LATER)
    assert merge([report(pod("a"), cluster=POD_EAST), newer]).verdict is Verdict.IN_SYNC


def test_a_cluster_without_an_id_has_only_its_address() -> None:
    older = replace(POD_EAST, id=None)
    newer = report(pod("a", Status.IN_SYNC), cluster=older, generated_at=LATER)

    assert merge([report(pod("a"), cluster=older), newer]).verdict is Verdict.IN_SYNC
    mixed = merge([report(pod("a"), cluster=POD_EAST), newer])
    assert [shown.cluster for shown in mixed.objects] == [
        "https://10.96.0.1:443",
        "https://10.96.0.1:443 (sha256:11111111)",
    ]


def test_ids_that_begin_alike_are_shown_whole() -> None:
    alike = replace(POD_EAST, id=f"sha256:{'1' * 63}2")

    merged = merge([report(pod("a"), cluster=POD_EAST), report(pod("a"), cluster=alike)])

    assert [shown.cluster for shown in merged.objects] == [f"{one.server} ({one.id})" for one in (POD_EAST, alike)]


def test_a_report_of_an_older_release_has_no_id() -> None:
    document = json.loads(to_json(report(cluster=POD_EAST)))
    assert document["cluster"].pop("id") == POD_EAST.id

    assert read_report(json.dumps(document), "r.json") == report(cluster=replace(POD_EAST, id=None))


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
