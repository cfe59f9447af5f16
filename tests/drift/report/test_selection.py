"""Filters and groups choose what reports for people show."""

from dataclasses import replace
from typing import Any

import pytest

from drift.globs import Glob
from drift.model import Actor, Cause, Change, IgnoredBy, ObjectReport, Severity, Status
from drift.objects import ObjectKey
from drift.report.formats import Style
from drift.report.html.page import to_html
from drift.report.markdown import to_markdown
from drift.report.selection import NO_FILTERS, Filters, Group, group_name, grouped, member_names
from drift.report.text import to_text
from tests.drift.report.reports import INCIDENT, RICH, finding, item, report

WEB = item("Deployment", "web", Status.DRIFTED, finding(1), finding(2, severity=Severity.CRITICAL, path="spec.x"))
PENDING = item("ConfigMap", "settings", Status.DRIFTED, finding(3, cause=Cause.PENDING_SYNC))
UNREAD = item("Secret", "db", Status.UNCHECKED, reason="may not be read")
ROLE = item("ClusterRole", "admin", Status.DRIFTED, finding(4), key=ObjectKey("rbac", "ClusterRole", None, "admin"))
MIXED = report(WEB, PENDING, UNREAD, ROLE)


def shown(filters: Filters) -> tuple[set[str], str | None]:
    objects, hidden = filters.apply(MIXED)
    return {f"{one.name} {len(one.findings)}" for one in objects}, hidden


@pytest.mark.parametrize(
    ("filters", "names", "hidden"),
    [
        (NO_FILTERS, {"web 2", "settings 1", "db 0", "admin 1"}, None),
        (Filters(severity=Severity.CRITICAL), {"web 1", "db 0"}, "3 findings not shown (--severity)"),
        (
            Filters(kinds=(Glob("deployment"),)),
            {"web 2"},
            "2 findings and 1 object without findings not shown (--kind)",
        ),
        (Filters(kinds=(Glob("*map"), Glob("secret"))), {"settings 1", "db 0"}, "3 findings not shown (--kind)"),
        (Filters(causes=(Cause.PENDING_SYNC,)), {"settings 1", "db 0"}, "3 findings not shown (--cause)"),
        (
            Filters(namespaces=(Glob("sh*"),)),
            {"web 2", "settings 1", "db 0"},
            "1 finding not shown (--only-namespace)",
        ),
        (
            Filters(namespaces=(Glob(""),)),
            {"admin 1"},
            "3 findings and 1 object without findings not shown (--only-namespace)",
        ),
        (
            Filters(kinds=(Glob("deploymnt"),), namespaces=(Glob("shpo"),)),
            set(),
            (
                "4 findings and 1 object without findings not shown (--kind, --only-namespace); --kind deploymnt "
                "matches no object; did you mean 'Deployment'?; --only-namespace shpo "
                "matches no object; did you mean 'shop'?"
            ),
        ),
        (
            Filters(limit=1, causes=(Cause.MANUAL,)),
            {"web 1", "db 0"},
            "3 findings not shown (--cause, --limit)",
        ),
    ],
)
def test_a_filter_hides_the_rest_and_counts_it(filters: Filters, names: set[str], hidden: str | None) -> None:
    assert shown(filters) == (names, hidden)


IGNORED = finding(5, severity=Severity.CRITICAL, path="spec.image", ignored=IgnoredBy("rule", "reason"))
SCALED = finding(6, path="spec.replicas", cause=Cause.CONTROLLER, severity=Severity.INFO)
SLIGHT = finding(7, path="spec.x", severity=Severity.LOW)
WORSE = finding(8, path="spec.y", severity=Severity.HIGH)


@pytest.mark.parametrize(
    ("filters", "findings"),
    [
        (Filters(limit=1), {"a": ["spec.y"]}),
        (Filters(limit=2), {"a": ["spec.y"], "b": ["spec.image", "spec.x", "spec.replicas"], "c": ["spec.image"]}),
        (Filters(limit=2, severity=Severity.INFO), {"a": ["spec.y"], "b": ["spec.image", "spec.x"]}),
        (Filters(limit=1, severity=Severity.INFO, causes=(Cause.CONTROLLER,)), {"b": ["spec.replicas"]}),
    ],
)
def test_a_limit_counts_only_what_is_listed(filters: Filters, findings: dict[str, list[str]]) -> None:
    mixed = report(
        item("Deployment", "b", Status.DRIFTED, SLIGHT, SCALED, IGNORED),
        item("Deployment", "a", Status.DRIFTED, WORSE),
        item("Deployment", "c", Status.IN_SYNC, IGNORED),
        item("Secret", "d", Status.UNCHECKED, reason="may not be read"),
    )

    objects, _ = filters.apply(mixed)

    assert {one.name: [found.path for found in one.findings] for one in objects} == {"d": [], **findings}


@pytest.mark.parametrize("limit", range(1, 4))
def test_a_limit_keeps_the_worst_findings_of_all_objects(limit: int) -> None:
    worst = finding(9, path="spec.z", severity=Severity.CRITICAL)
    both = report(
        item("Deployment", "a", Status.DRIFTED, worst, SLIGHT), item("Deployment", "b", Status.DRIFTED, WORSE)
    )

    objects, hidden = Filters(limit=limit).apply(both)

    kept = {found.path for one in objects for found in one.findings}
    assert kept == set(["spec.z", "spec.y", "spec.x"][:limit])
    assert hidden == {1: "2 findings not shown (--limit)", 2: "1 finding not shown (--limit)", 3: None}[limit]


def test_an_ignored_finding_does_not_hide_another_one_of_its_object() -> None:
    text = to_text(report(item("Deployment", "web", Status.DRIFTED, IGNORED, SLIGHT)), Style(filters=Filters(limit=1)))

    assert "low      ~ spec.x" in text
    assert "not shown" not in text


def test_every_format_for_people_shows_what_the_filters_leave_and_the_verdict_of_everything() -> None:
    filters = Filters(kinds=(Glob("deployment"),))
    texts: list[str] = [
        to_text(MIXED, Style(filters=filters)),
        to_markdown(MIXED, Style(filters=filters)),
        to_html(MIXED, Style(filters=filters)),
    ]

    for text in texts:
        assert "web" in text
        assert "settings" not in text
        assert "2 findings and 1 object without findings not shown (--kind)" in text
    assert "4 findings" in texts[0]
    assert "4 findings" in texts[1]


def test_no_filter_shows_everything() -> None:
    objects, hidden = NO_FILTERS.apply(RICH)

    assert hidden is None
    assert sorted(map(_name, objects)) == sorted(map(_name, RICH.objects))


def _name(one: ObjectReport) -> Any:
    return (one.name, one.kind, len(one.findings))


def edited(number: int, **changes: object) -> ObjectReport:
    return item("Deployment", f"web-{number}", Status.DRIFTED, finding(number, **changes))


def group_of(items: list[ObjectReport]) -> Group:
    (group,) = grouped(items)
    assert isinstance(group, Group)
    return group


def test_the_same_change_of_three_objects_is_a_group_and_of_two_is_not() -> None:
    group = group_of([edited(number) for number in range(3)])

    assert (group.objects, group_name(group)) == (3, "the same change in 3 Deployments in shop")
    assert member_names(group) == ["web-0", "web-1", "web-2"]
    assert all(isinstance(entry, ObjectReport) for entry in grouped([edited(0), edited(1)]))


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "spec.paused"},
        {"live": 6},
        {"desired": 1},
        {"actors": (Actor("helm", "Update", None, "2026-01-01T10:00:00Z"),)},
        {"change": Change.ADDED},
        {"note": "another"},
        {"redacted": True, "desired": None, "live": None},
    ],
)
def test_a_finding_that_differs_is_not_in_the_group(changes: dict[str, object]) -> None:
    entries = grouped([edited(0, **changes), *(edited(number) for number in range(1, 4))])

    assert [entry.objects if isinstance(entry, Group) else entry.name for entry in entries] == [3, "web-0"]


def test_the_other_findings_of_an_object_stay_with_it() -> None:
    other = finding(9, path="spec.paused")
    items = [edited(0), edited(1), item("Deployment", "web-2", Status.DRIFTED, finding(2), other)]

    group, rest = grouped(items)

    assert isinstance(group, Group)
    assert group.objects == 3
    assert isinstance(rest, ObjectReport)
    assert (rest.name, rest.findings) == ("web-2", (other,))


def test_containers_with_the_names_of_their_objects_are_one_group() -> None:
    path = "spec.template.spec.containers[name=web-{}].env[name=A]"
    group = group_of([edited(number, path=path.format(number)) for number in range(3)])

    assert group.finding.path == "spec.template.spec.containers[].env[name=A]"
    assert [one.path for _, one in group.members] == [path.format(number) for number in range(3)]


def test_a_group_has_the_latest_times_and_no_place() -> None:
    times = ["2026-01-01T09:00:00Z", "2026-01-01T11:00:00Z", None]
    actors = [(Actor("kubectl-edit", "Update", None, time),) for time in times]
    group = group_of([edited(number, actors=one, line=number + 1) for number, one in enumerate(actors)])

    assert group.finding.actors == actors[1]
    assert (group.finding.file, group.finding.line) == (None, None)


def test_unmanaged_objects_are_a_group_if_they_are_the_same() -> None:
    whole = {"change": Change.UNMANAGED, "path": "", "desired": None, "live": None}
    pods = [
        item("Pod", f"a-{number}", Status.UNMANAGED, finding(number, **whole), digest="runs a") for number in range(4)
    ]

    assert group_name(group_of(pods)) == "4 Pods in shop"
    assert len(grouped([replace(pods[0], digest="runs b"), *pods[1:]])) == 2


def test_missing_objects_are_a_group_whatever_they_are() -> None:
    whole = {"change": Change.MISSING, "path": "", "desired": None, "live": None}
    gone = [
        item("Ingress", f"a-{number}", Status.MISSING, finding(number, **whole), digest=f"serves {number}.example")
        for number in range(3)
    ]

    group = group_of(gone)

    assert (group_name(group), group.item.digest) == ("3 Ingresses in shop", None)


def test_objects_of_several_namespaces_are_named_with_them() -> None:
    keys = [ObjectKey("networking.k8s.io", "NetworkPolicy", namespace, "deny") for namespace in ("a", "b", "c")]
    group = group_of([replace(edited(number), key=key) for number, key in enumerate(keys)])

    assert group_name(group) == "the same change in 3 NetworkPolicies in 3 namespaces"
    assert member_names(group) == ["a/deny", "b/deny", "c/deny"]


def test_ignored_findings_are_in_no_group() -> None:
    ignored = [
        replace(edited(number), findings=(finding(number, ignored=IgnoredBy("rule", "reason")),)) for number in range(3)
    ]

    assert not any(isinstance(entry, Group) for entry in grouped(ignored))


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (Status.UNMANAGED, {"change": Change.UNMANAGED, "path": ""}),
        (Status.MISSING, {"change": Change.MISSING, "path": ""}),
        (Status.IN_SYNC, {}),
    ],
)
@pytest.mark.parametrize(
    ("not_drift", "counted"),
    [
        ({"ignored": IgnoredBy("rule", "reason")}, "1 finding ignored by rules"),
        ({"cause": Cause.CONTROLLER}, "1 change made by controllers"),
    ],
)
def test_an_object_without_drift_is_counted_and_listed_only_with_v(
    status: Status, changes: dict[str, Any], not_drift: dict[str, Any], counted: str
) -> None:
    known = report(item("ConfigMap", "tmp", status, finding(1, **changes, **not_drift)))
    drift = report(item("ConfigMap", "tmp", status, finding(1, **changes)))

    for render in (to_text, to_markdown):
        assert "tmp" not in render(known)
        assert counted in render(known)
        assert "tmp" in render(drift)
    assert "ConfigMap shop/tmp" in to_text(known, Style(verbose=True))
    assert "in sync" in to_text(known)


def test_an_unchecked_object_is_listed_whatever_is_ignored_in_it() -> None:
    unread = item("Secret", "db", Status.UNCHECKED, finding(1, ignored=IgnoredBy("rule", "reason")), reason="no rights")

    assert "Secret shop/db  unchecked" in to_text(report(unread))


def test_verbose_text_and_markdown_name_every_object() -> None:
    verbose = to_text(INCIDENT, Style(verbose=True))
    markdown = to_markdown(INCIDENT)

    for name in (f"miner-{number:02}" for number in range(67)):
        assert f"  {name}" in verbose
        assert f"- `{name}`\n" in markdown
    assert "62 more (-v lists all)" in to_text(INCIDENT)


def test_a_group_that_does_not_fit_into_markdown_names_what_fits() -> None:
    text = to_markdown(INCIDENT, Style(markdown_limit=4096))

    assert len(text.encode()) <= 4096
    assert "more not shown here\n\n</details>" in text
    assert "left out to fit here" in text


def test_the_worst_comes_last_on_a_terminal_that_is_too_small_for_the_report() -> None:
    lines = to_text(INCIDENT, Style(width=120, height=40)).splitlines()
    fits = to_text(INCIDENT, Style(width=120, height=400))

    assert lines[1] == "the worst findings come last"
    assert lines.index("67 Pods in shop  unmanaged") > lines.index("Secret shop/db  drifted  ./apps/shop.yaml:14")
    assert fits == to_text(INCIDENT, Style(width=120))
    assert sorted(lines) == sorted([*fits.splitlines(), "the worst findings come last"])


def test_a_report_without_many_equal_findings_has_no_groups() -> None:
    assert "the same change" not in to_text(report(edited(0), edited(1)))
