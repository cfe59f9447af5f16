"""Where a report says which source its objects come from, and what the controller of a source says."""

import re
from dataclasses import replace
from itertools import takewhile

import pytest

from drift.advice.advisor import Advisor
from drift.model import Cause, ClusterInfo, Report, Severity, SourceInfo, SourceKind, Status
from drift.policy.rules import cross_check
from drift.report.formats import COMMENT_LIMIT, SMALLEST_LIMIT, Format, Style, render
from drift.report.html.page import to_html
from drift.report.json_report import read_report, to_json
from drift.report.markdown import to_markdown
from drift.report.merge import merge
from drift.report.selection import by_source, is_shown, worst_first
from drift.report.view import object_name, source_lines
from tests.drift.report.reports import RICH, finding, item
from tests.drift.report.reports import report as report_of

PLAIN = SourceInfo(SourceKind.FILES, "apps", "apps", objects=2)
FLUX = SourceInfo(SourceKind.FLUX_KUSTOMIZATION, "Kustomization flux-system/apps", objects=4, ready=True)


def _from(*sources: SourceInfo, report: Report = RICH) -> Report:
    """The report, with its objects from the sources in turn."""
    objects = tuple(
        replace(item, origins=(sources[number % len(sources)].name,)) for number, item in enumerate(report.objects)
    )
    return replace(report, objects=objects, sources=sources)


def _line(source: SourceInfo) -> str:
    return source_lines(_from(source))[source.key]


def test_objects_of_several_sources_are_grouped_and_those_of_none_are_a_group() -> None:
    report = _from(PLAIN, FLUX)
    objects = (*report.objects, replace(report.objects[1], origins=()))

    groups = by_source(report, objects)

    assert [source and source.name for source, _ in groups] == ["apps", FLUX.name, None]
    assert sorted(map(id, (item for _, items in groups for item in items))) == sorted(map(id, objects))
    assert all(item.origins == (source.name,) for source, items in groups for item in items if source is not None)


def test_the_source_with_the_worst_object_comes_first() -> None:
    good, bad = finding(1, severity=Severity.LOW), finding(2, severity=Severity.CRITICAL)
    objects = (
        item("ConfigMap", "a", Status.DRIFTED, good, origins=("apps",)),
        item("ConfigMap", "b", Status.DRIFTED, bad, origins=(FLUX.name,)),
        item("Pod", "c", Status.UNMANAGED, good),
    )
    silent = replace(PLAIN, name="infra", message="not ready")

    groups = by_source(report_of(*objects, sources=(silent, PLAIN, FLUX)), objects)

    assert [source and source.name for source, _ in groups] == [FLUX.name, "apps", None, "infra"]


def test_the_objects_of_one_source_are_in_one_group() -> None:
    report = _from(PLAIN)

    assert by_source(report, report.objects) == [(None, [*report.objects])]


ARGOCD = SourceInfo(SourceKind.ARGOCD_APPLICATION, "Application argocd/shop", path="shop", ready=True, message="Synced")


@pytest.mark.parametrize(
    ("source", "first", "note"),
    [
        (replace(FLUX, suspended=True), "suspended, Flux, 4 objects", "it is suspended, so Flux neither"),
        (
            replace(ARGOCD, suspended=True),
            "automatic sync is off, Argo CD, 0 objects",
            "automatic sync is off, so Argo CD neither",
        ),
        (
            replace(ARGOCD, suspended=True, skips_reconcile=True),
            "skipped by Argo CD, Argo CD, 0 objects",
            "Argo CD skips it, as its annotation argocd.argoproj.io/skip-reconcile says",
        ),
        (
            replace(ARGOCD, stale_since="2026-01-02T03:04:05Z"),
            "not reconciled since 2026-01-02, Argo CD",
            "Argo CD reconciled it last on 2026-01-02; is Argo CD running?",
        ),
    ],
)
def test_that_a_controller_changes_nothing_is_the_first_thing_said_about_its_source(
    source: SourceInfo, first: str, note: str
) -> None:
    assert _line(source).startswith(f"{source.name}: {first}")
    assert [said.startswith(f"{source.name}: {note}") for said in cross_check([source, PLAIN], ())] == [True]


def test_the_line_on_a_source_has_its_commit_once() -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    source = replace(FLUX, revision=commit, synced_revision=commit, message=f"Applied revision: main@sha1:{commit}")
    line = "Kustomization flux-system/apps: Flux, 4 objects, revision 0123456789ab"

    assert _line(source) == line
    # A reason is never left out.
    failed = f"{line}, health check failed after applying main at sha1:{commit}"
    assert _line(replace(source, ready=False, message=failed.partition("ab, ")[2])) == failed


def test_markdown_has_a_heading_for_each_source() -> None:
    report = _from(PLAIN, FLUX)
    text = render(report, Format.MARKDOWN, Style())

    headings = [line for line in text.splitlines() if line.startswith("###")]
    sources = [line for line in headings if line.startswith("### From")]
    assert sources == ["### From apps", "### From Kustomization flux-system/apps"]
    for source in report.sources:
        names = {object_name(item) for item in report.objects if item.origins == (source.name,)}
        begin = headings.index(f"### From {source.name}") + 1
        below = list(takewhile(lambda line: line.startswith("####"), headings[begin:]))
        assert below
        assert {line.split("`")[1] for line in below} <= names


def test_short_markdown_keeps_the_worst_objects_of_any_source() -> None:
    report = _from(PLAIN, FLUX)
    worst = sorted((item for item in report.objects if is_shown(item)), key=worst_first)

    for limit in range(SMALLEST_LIMIT, COMMENT_LIMIT, 400):
        text = to_markdown(report, Style(markdown_limit=limit))
        assert len(text.encode()) <= limit
        shown = [f"{object_name(item)}` {item.status}" in text for item in worst]
        assert shown == sorted(shown, reverse=True)


@pytest.mark.parametrize("form", [Format.TEXT, Format.MARKDOWN, Format.HTML])
def test_formats_for_people_say_what_the_sources_are(form: Format) -> None:
    report = _from(replace(FLUX, message="`hostile` <b>"), PLAIN)

    text = render(report, form, Style())

    assert "apps: files, 2 objects" in text
    assert "Kustomization flux-system/apps: " in text
    if form is Format.HTML:
        assert "<b>hostile" not in text
        assert "&lt;b&gt;" in text


def test_one_folder_of_files_needs_no_words() -> None:
    assert "files, 2 objects" not in render(_from(PLAIN), Format.TEXT, Style())


def _of_cluster(name: str, source: SourceInfo, *more: SourceInfo) -> Report:
    pending = finding(1, cause=Cause.PENDING_SYNC)
    shown = item("ConfigMap", f"of-{name}", Status.DRIFTED, pending, origins=(source.name,))
    return report_of(
        shown, sources=(source, *more), cluster=ClusterInfo(name, f"https://{name}.example.com", "v1.36.3")
    )


EAST = _of_cluster("east", replace(FLUX, objects=1, suspended=True))
WEST = _of_cluster("west", replace(FLUX, objects=1, suspended=False))


def test_two_clusters_have_sources_of_the_same_name() -> None:
    merged = read_report(to_json(merge([EAST, WEST])), "merged.json")

    groups = {source.key: [one.name for one in items] for source, items in by_source(merged, merged.objects) if source}
    assert groups == {("east", FLUX.name): ["of-east"], ("west", FLUX.name): ["of-west"]}
    lines = source_lines(merged)
    assert "suspended" in lines["east", FLUX.name]
    assert "suspended" not in lines["west", FLUX.name]
    assert merged.sources == merge([WEST, EAST]).sources == merge([merged, EAST]).sources


def test_the_advice_on_an_object_is_about_the_source_of_its_cluster() -> None:
    merged = merge([EAST, WEST])
    advisor = Advisor.of(merged)

    advice = {one.cluster: advisor.advice(one, one.findings[0]) for one in merged.objects}

    for alone in (EAST, WEST):
        assert alone.cluster is not None
        [one] = alone.objects
        assert advice[alone.cluster.context] == Advisor.of(alone).advice(one, one.findings[0])
    assert advice["east"] != advice["west"]


@pytest.mark.parametrize("form", [Format.TEXT, Format.MARKDOWN])
def test_each_object_of_two_clusters_is_shown_once(form: Format) -> None:
    shown = render(merge([EAST, WEST]), form, Style(markdown_limit=COMMENT_LIMIT))

    heading = "== " if form is Format.TEXT else "### From "
    headings = [line for line in shown.splitlines() if line.startswith(heading)]
    assert [f"{FLUX.name} in {name}" in line for name, line in zip(("east", "west"), headings, strict=True)] == [
        True
    ] * 2
    assert shown.count("ConfigMap shop/of-east in east") == 1
    assert shown.count("ConfigMap shop/of-west in west") == 1


def test_the_page_lists_each_object_of_two_clusters_once() -> None:
    names = re.findall(r'"name": ?"(of-[a-z]+)"', to_html(merge([EAST, WEST])))

    assert names == ["of-east", "of-west"]


def test_a_local_path_that_two_clusters_share_is_one_source() -> None:
    merged = merge([_of_cluster("east", PLAIN), _of_cluster("west", PLAIN)])

    assert merged.sources == (PLAIN,)
    assert by_source(merged, merged.objects) == [(None, [*merged.objects])]


def test_a_local_path_whose_facts_differ_is_a_source_of_each_cluster() -> None:
    merged = merge([_of_cluster("east", PLAIN), _of_cluster("west", replace(PLAIN, unchecked=1))])

    assert [(one.cluster, one.unchecked) for one in merged.sources] == [("east", 0), ("west", 1)]


def test_objects_of_older_merged_reports_have_sources_without_a_cluster() -> None:
    merged = merge([EAST, WEST])
    older = replace(merged, sources=(FLUX, PLAIN))

    groups = by_source(older, older.objects)

    assert [(source and source.name, len(items)) for source, items in groups] == [(FLUX.name, 2)]
    assert merge([older, _of_cluster("north", FLUX)]).sources[:2] == (FLUX, PLAIN)
