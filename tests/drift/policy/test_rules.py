"""The user's severity rules and ignore rules apply to a report, and ignore rules are suggested."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.reader import parse_settings
from drift.config.settings import Settings
from drift.errors import ConfigError
from drift.model import Cause, Change, Finding, IgnoredBy, Report, Security, Severity, Status, Verdict
from drift.objects import ObjectKey
from drift.paths import ItemKey, render
from drift.policy.findings import conceal, deletion_findings
from drift.policy.rules import apply_policy, suggest_rules, to_yaml
from drift.policy.severity import default_table
from tests.drift.policy.findings import DEPLOYMENT, finding, item, report

NAMESPACE = ObjectKey("", "Namespace", None, "shop")


def _settings(text: str) -> Settings:
    return parse_settings(text.encode(), "drift.yaml")


def _ignore(*matchers: str) -> Settings:
    return _settings("ignore:\n" + "".join(f"  - {{{matcher}, reason: because}}\n" for matcher in matchers))


@pytest.mark.parametrize(
    "matcher",
    [
        "group: apps",
        "kind: Deploy*",
        "namespace: sh*p",
        "name: web",
        "path: spec.*",
        "manager: kube*",
        "cause: manual",
        "group: apps, kind: Deployment, namespace: shop, name: web, path: spec.replicas, manager: kubectl",
        "kind: Deployment, expires: 2026-11-24",
    ],
)
def test_a_finding_that_a_rule_covers_is_ignored(matcher: str) -> None:
    judged = apply_policy(report(item(finding())), _ignore(matcher))

    (found,) = judged.objects[0].findings
    assert found.ignored is not None
    assert found.ignored.reason == "because"
    assert judged.objects[0].status is Status.IN_SYNC
    assert (judged.verdict, judged.has_drift, judged.count_ignored()) == (Verdict.IN_SYNC, False, 1)
    assert judged.notes == ()


@pytest.mark.parametrize(
    "matcher",
    [
        "group: ''",
        "kind: Deploy",
        "namespace: ''",
        "name: web-*",
        "path: spec",
        "path: ''",
        "manager: helm",
        "cause: unknown",
        "kind: Deployment, path: metadata.**",
    ],
)
def test_a_finding_that_no_rule_covers_is_drift_and_the_unused_rule_is_named(matcher: str) -> None:
    judged = apply_policy(report(item(finding())), _ignore(matcher))

    assert judged.objects[0].findings == (finding(),)
    assert judged.verdict is Verdict.DRIFTED
    assert len(judged.notes) == 1
    assert judged.notes[0].startswith("ignore rule 1 (")
    assert "matched no finding" in judged.notes[0]


def test_a_rule_for_a_manager_does_not_hide_changes_that_others_made_too() -> None:
    judged = apply_policy(
        report(item(finding(by=("kubectl", "helm")), finding("spec.x", by=()))), _ignore("manager: k*")
    )

    assert [found.ignored for found in judged.objects[0].findings] == [None, None]


def test_a_rule_for_the_empty_namespace_covers_cluster_scoped_objects() -> None:
    judged = apply_policy(report(item(finding(), key=NAMESPACE), item(finding())), _ignore("namespace: ''"))

    assert [each.status for each in judged.objects] == [Status.IN_SYNC, Status.DRIFTED]


def test_an_object_is_drifted_while_one_finding_is_drift() -> None:
    judged = apply_policy(report(item(finding(), finding("spec.paused"))), _ignore("path: spec.replicas"))

    assert [found.ignored is None for found in judged.objects[0].findings] == [False, True]
    assert judged.objects[0].status is Status.DRIFTED


def test_the_first_rule_is_named_with_its_number_and_matchers() -> None:
    judged = apply_policy(report(item(finding())), _ignore("name: x", "name: web", "kind: Deployment"))

    assert judged.objects[0].findings[0].ignored == IgnoredBy("ignore rule 2 (name: web)", "because")
    # The third rule matches too, so only the first one is unused.
    assert [note.partition(")")[0] for note in judged.notes] == ["ignore rule 1 (name: x"]


def test_an_expired_rule_does_not_apply_and_is_named() -> None:
    judged = apply_policy(report(item(finding())), _ignore("name: web, expires: 2026-11-23"))

    assert judged.verdict is Verdict.DRIFTED
    assert judged.notes == ("ignore rule 1 (name: web) expired on 2026-11-23",)


@pytest.mark.parametrize(("change", "status"), [(Change.MISSING, Status.MISSING), (Change.UNMANAGED, Status.UNMANAGED)])
def test_an_ignored_whole_object_keeps_its_status_and_is_not_drift(change: Change, status: Status) -> None:
    judged = apply_policy(report(item(finding("", change=change), status=status)), _ignore("path: ''"))

    assert judged.objects[0].status is status
    assert judged.verdict is Verdict.IN_SYNC


def test_a_finding_that_an_annotation_ignores_keeps_its_reason() -> None:
    before = replace(finding(), ignored=IgnoredBy("annotation", "theirs"))

    assert apply_policy(report(item(before)), _ignore("name: web")).objects[0].findings == (before,)


def test_no_settings_change_nothing() -> None:
    before = report(item(finding()), item(key=NAMESPACE))

    assert apply_policy(before, Settings()) == before


def test_a_rule_of_the_user_is_tried_before_the_shipped_ones() -> None:
    settings = _settings("severity: [{kind: Deployment, path: '**.image', severity: low}]")
    image = finding("spec.template.spec.containers[name=a].image")

    judged = apply_policy(report(item(image, finding("spec.paused"))), settings)

    assert [found.severity for found in judged.objects[0].findings] == [Severity.LOW, Severity.MEDIUM]


def test_a_rule_of_the_user_covers_changes_by_controllers_only_if_it_names_that_cause() -> None:
    found = finding(cause=Cause.CONTROLLER, severity=Severity.INFO)
    silent = _settings("severity: [{kind: Deployment, severity: critical}]")
    said = _settings("severity: [{kind: Deployment, cause: controller, severity: critical}]")

    assert apply_policy(report(item(found)), silent).objects[0].findings[0].severity is Severity.INFO
    assert apply_policy(report(item(found)), said).objects[0].findings[0].severity is Severity.CRITICAL


def test_a_rule_of_the_user_for_the_whole_takes_precedence_over_its_most_severe_part() -> None:
    added = finding(
        "spec.template.spec.volumes[name=tmp]",
        change=Change.ADDED,
        desired=None,
        live={"name": "tmp", "hostPath": {"path": "/tmp"}},  # noqa: S108
    )
    settings = _settings("severity: [{path: '**.volumes[name=tmp]', severity: low}]")

    assert apply_policy(report(item(added)), Settings()).objects[0].findings == (added,)
    assert apply_policy(report(item(added)), settings).objects[0].findings[0].severity is Severity.LOW


def test_a_skipped_object_does_not_make_the_scan_incomplete() -> None:
    is_skipped = item(key=DEPLOYMENT, status=Status.UNCHECKED, reason="ours", is_skipped=True)

    assert report(is_skipped).verdict is Verdict.IN_SYNC
    assert report(replace(is_skipped, is_skipped=False)).verdict is Verdict.INCOMPLETE


def test_the_causes_that_set_the_exit_status_can_be_chosen() -> None:
    found = report(item(finding(cause=Cause.PENDING_SYNC)))

    assert found.has_drift_of({Cause.PENDING_SYNC})
    assert not found.has_drift_of({Cause.MANUAL, Cause.UNKNOWN})


def test_the_lowest_severity_that_sets_the_exit_status_can_be_chosen() -> None:
    found = report(item(finding(cause=Cause.MANUAL, severity=Severity.MEDIUM)))

    assert found.has_drift_of(Cause, Severity.MEDIUM)
    assert not found.has_drift_of(Cause, Severity.HIGH)


@pytest.mark.parametrize(
    ("rule", "severity"),
    [
        ("kind: RoleBinding, change: unmanaged, severity: low", Severity.LOW),
        ("kind: RoleBinding, path: '', severity: medium", Severity.MEDIUM),
        ("kind: ConfigMap, severity: low", Severity.CRITICAL),
        ("kind: RoleBinding, change: missing, severity: low", Severity.CRITICAL),
    ],
)
def test_only_a_rule_that_covers_an_object_changes_what_its_content_says(rule: str, severity: Severity) -> None:
    binding = ObjectKey("rbac.authorization.k8s.io", "RoleBinding", "shop", "debug")
    whole = finding(path="", change=Change.UNMANAGED, severity=Severity.CRITICAL, security=Security.LOOSENS, live=None)

    judged = apply_policy(report(item(whole, key=binding)), _settings(f"severity:\n  - {{{rule}}}\n"))

    assert judged.objects[0].findings[0].severity is severity


@pytest.mark.parametrize(
    ("path", "severity"), [("metadata.labels.a", Severity.LOW), ("metadata.labels.b", Severity.HIGH)]
)
def test_a_rule_decides_about_what_loosens_security(path: str, severity: Severity) -> None:
    loosened = finding(path=path, severity=Severity.HIGH, security=Security.LOOSENS)

    judged = apply_policy(
        report(item(loosened)), _settings("severity:\n  - {path: metadata.labels.a, severity: low}\n")
    )

    assert judged.objects[0].findings[0].severity is severity


VOLUME = {"name": "data", "hostPath": {"path": "/"}}
ADDED = finding("spec.template.spec.volumes[name=data]", change=Change.ADDED, live=VOLUME, severity=Severity.CRITICAL)
(BEING_DELETED,) = deletion_findings({"metadata": {"deletionTimestamp": "2026-11-24T12:00:00Z"}}, DEPLOYMENT, "")


@pytest.mark.parametrize("found", [ADDED, *conceal([ADDED], [ADDED.path]), BEING_DELETED])
@pytest.mark.parametrize("rule", ["kind: Gateway", "path: spec.replicas", "path: ''", "change: unmanaged"])
def test_a_finding_that_no_rule_of_the_user_matches_keeps_its_severity(found: Finding, rule: str) -> None:
    judged = apply_policy(report(item(found)), _settings(f"severity:\n  - {{{rule}, severity: low}}\n"))

    assert found.severity in {Severity.CRITICAL, Severity.HIGH}
    assert judged.objects[0].findings == (found,)


@pytest.mark.parametrize(
    ("found", "rule", "severity"),
    [
        (ADDED, "path: '**.hostPath.**'", Severity.MEDIUM),
        (ADDED, "path: '**.volumes[]'", Severity.LOW),
        *((found, "path: '**.volumes[]'", Severity.LOW) for found in conceal([ADDED], [ADDED.path])),
        (BEING_DELETED, "path: metadata.deletionTimestamp", Severity.LOW),
        (BEING_DELETED, "kind: Deployment", Severity.LOW),
    ],
)
def test_a_finding_that_a_rule_of_the_user_matches_is_judged_by_it(
    found: Finding, rule: str, severity: Severity
) -> None:
    judged = apply_policy(report(item(found)), _settings(f"severity:\n  - {{{rule}, severity: low}}\n"))

    assert judged.objects[0].findings == (replace(found, severity=severity),)


def test_a_concealed_value_keeps_its_severity_if_its_cause_changes() -> None:
    (concealed,) = conceal([ADDED], [ADDED.path])
    table = default_table()

    assert table.of_finding(DEPLOYMENT, replace(concealed, cause=Cause.UNKNOWN)) is Severity.CRITICAL
    assert table.of_finding(DEPLOYMENT, replace(concealed, cause=Cause.CONTROLLER)) is Severity.INFO


def _fields(found: Report) -> list[dict[str, str]]:
    return [suggestion.fields for suggestion in suggest_rules(found)]


def _key(name: str, namespace: str = "shop") -> ObjectKey:
    return ObjectKey("apps", "Deployment", namespace, name)


def test_one_finding_makes_a_rule_for_its_object_path_and_manager() -> None:
    assert _fields(report(item(finding()))) == [
        {
            "group": "apps",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "web",
            "path": "spec.replicas",
            "manager": "kubectl",
        }
    ]


def test_many_objects_that_differ_at_one_path_make_one_rule_for_the_kind() -> None:
    found = report(*(item(finding(), key=_key(name)) for name in "abc"))

    assert _fields(found) == [
        {"group": "apps", "kind": "Deployment", "namespace": "shop", "path": "spec.replicas", "manager": "kubectl"}
    ]


def test_a_field_that_the_objects_do_not_share_is_left_out() -> None:
    found = report(*(item(finding(by=(name,)), key=_key(name, namespace=name)) for name in "abc"))

    assert _fields(found) == [{"group": "apps", "kind": "Deployment", "path": "spec.replicas"}]


def test_whole_objects_are_ignored_by_name_only() -> None:
    found = report(
        *(
            item(finding("", change=Change.UNMANAGED), key=_key(name), status=Status.UNMANAGED)
            for name in ("a", "b", "c", "d")
        )
    )

    assert [fields["name"] for fields in _fields(found)] == ["a", "b", "c", "d"]


def test_no_rule_is_suggested_without_drift() -> None:
    found = report(item(finding(cause=Cause.CONTROLLER)))

    assert to_yaml(suggest_rules(found)) == "# This scan has no findings to ignore.\nignore: []\n"


def test_suggested_rules_are_invalid_until_they_have_reasons() -> None:
    text = to_yaml(suggest_rules(report(*(item(finding(), key=_key(name)) for name in "abc"))))

    assert text.endswith(
        """\
ignore:
  # 3 objects: shop/a, shop/b, shop/c
  - group: apps
    kind: Deployment
    namespace: shop
    path: spec.replicas
    manager: kubectl
    reason: ""  # why is this not drift?
"""
    )
    with pytest.raises(ConfigError, match="is empty; give a reason"):
        parse_settings(text.encode(), "drift.yaml")


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\1\2"), min_size=1, max_size=8)
PATHS = st.one_of(
    st.just(""),
    st.lists(st.one_of(TEXT, TEXT.map(lambda name: ItemKey((("name", name),)))), max_size=3).map(
        lambda path: render(["spec", *path])
    ),
)


@given(st.lists(st.tuples(TEXT, TEXT, PATHS, TEXT), min_size=1, max_size=6))
def test_suggested_rules_with_reasons_ignore_all_drift(found: list[tuple[str, str, str, str]]) -> None:
    before = report(
        *(
            item(finding(path, by=(manager,)), key=ObjectKey(DEPLOYMENT.group, kind, None, name))
            for kind, name, path, manager in found
        )
    )
    text = to_yaml(suggest_rules(before)).replace('reason: ""', "reason: accepted")

    after = apply_policy(before, parse_settings(text.encode(), "drift.yaml"))

    assert after.verdict is Verdict.IN_SYNC
    assert after.notes == ()
