"""Suggested rules are as narrow as possible, and ignore all drift once they have reasons."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.config.reader import parse_settings
from drift.errors import ConfigError
from drift.model import Cause, Change, ObjectKey, Report, Status, Verdict
from drift.paths import ItemKey, render
from drift.policy.judgement import apply_policy
from drift.policy.suggestions import suggest_rules, to_yaml
from tests.drift.policy.findings import DEPLOYMENT, finding, item, report


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
