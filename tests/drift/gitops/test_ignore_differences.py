"""What Argo CD Applications among the manifests ignore is set aside here too, and what cannot be is said."""

import json
from dataclasses import replace
from typing import Any

import pytest

from drift.gitops.ignore_differences import apply_ignore_differences, read_ignore_differences
from drift.model import Actor, Cause, Change, Finding, Manifest, ObjectKey, Severity
from drift.sources.load import load_texts

KEY = ObjectKey("apps", "Deployment", "shop", "web")
FINDING = Finding(
    id="0123456789abcdef",
    change=Change.CHANGED,
    path="spec.template.spec.containers[name=web].image",
    pointer="/spec/template/spec/containers/0/image",
    desired="a",
    live="b",
    redacted=False,
    cause=Cause.MANUAL,
    severity=Severity.HIGH,
    actors=(Actor("rollouts-controller", "Update", None, None),),
)


def _applications(*entries: Any) -> tuple[Manifest, ...]:
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "shop"},
        "spec": {"ignoreDifferences": list(entries)},
    }
    return load_texts([("app.json", json.dumps(body).encode())]).manifests


def _is_ignored(entry: dict[str, Any], finding: Finding = FINDING, key: ObjectKey = KEY) -> bool:
    entries, notes = read_ignore_differences(_applications(entry))
    assert notes == ()
    (found,) = apply_ignore_differences(key, (finding,), entries)
    return found.ignored is not None


@pytest.mark.parametrize(
    ("entry", "ignored"),
    [
        ({"group": "apps", "kind": "Deployment", "jsonPointers": [FINDING.pointer]}, True),
        ({"group": "*", "kind": "*", "jsonPointers": ["/spec/template"]}, True),
        ({"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/temp"]}, False),
        ({"group": "", "kind": "Deployment", "jsonPointers": [FINDING.pointer]}, False),
        ({"group": "apps", "kind": "StatefulSet", "jsonPointers": [FINDING.pointer]}, False),
        ({"group": "apps", "kind": "Deployment", "name": "web", "jsonPointers": [FINDING.pointer]}, True),
        ({"group": "apps", "kind": "Deployment", "name": "api", "jsonPointers": [FINDING.pointer]}, False),
        ({"group": "apps", "kind": "Deployment", "namespace": "bank", "jsonPointers": [FINDING.pointer]}, False),
        (
            {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.template.spec.containers[].image"]},
            True,
        ),
        (
            {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.template.spec.containers[]?.image"]},
            True,
        ),
        (
            {"group": "apps", "kind": "Deployment", "jqPathExpressions": [".spec.template.spec.containers[1].image"]},
            False,
        ),
        ({"group": "apps", "kind": "Deployment", "jqPathExpressions": ['.spec["template"]']}, True),
        ({"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["rollouts-controller"]}, True),
        ({"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["somebody-else"]}, False),
        ({"group": "apps", "kind": "Deployment"}, False),
    ],
)
def test_what_an_entry_covers(entry: dict[str, Any], ignored: bool) -> None:
    assert _is_ignored(entry) is ignored


def test_the_application_is_named() -> None:
    entries, _ = read_ignore_differences(_applications({"group": "*", "kind": "*", "jsonPointers": ["/spec"]}))

    (found,) = apply_ignore_differences(KEY, (FINDING,), entries)

    assert found.ignored is not None
    assert "Application shop" in found.ignored.reason


@pytest.mark.parametrize(("live", "ignored"), [({"a": "1"}, True), ({"a": "1", "b": "2"}, False)])
def test_a_part_that_was_added_is_covered_if_all_of_it_is(live: dict[str, str], ignored: bool) -> None:
    entry = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/metadata/annotations/a"]}
    added = replace(FINDING, change=Change.ADDED, pointer="/metadata/annotations", desired=None, live=live)

    assert _is_ignored(entry, added) is ignored


def test_a_finding_without_actors_is_nobodys_work() -> None:
    entry = {"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["rollouts-controller"]}

    assert not _is_ignored(entry, replace(FINDING, actors=()))


def test_a_whole_object_is_never_covered_by_a_pointer() -> None:
    entry = {"group": "apps", "kind": "Deployment", "jsonPointers": [""]}

    assert not _is_ignored(entry, replace(FINDING, change=Change.MISSING, path="", pointer=""))


def test_jq_that_is_more_than_a_path_is_said() -> None:
    expression = '.spec.template.spec.initContainers[] | select(.name == "proxy")'

    entries, notes = read_ignore_differences(
        _applications({"group": "apps", "kind": "Deployment", "jqPathExpressions": [expression]})
    )

    assert len(notes) == 1
    assert "is not honoured" in notes[0]
    assert apply_ignore_differences(KEY, (FINDING,), entries) == (FINDING,)


@pytest.mark.parametrize("spec", [None, [], {"ignoreDifferences": None}, {"ignoreDifferences": ["x", None]}])
def test_an_application_that_is_not_as_it_should_be_covers_nothing(spec: Any) -> None:
    body = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "a"}, "spec": spec}
    manifests = load_texts([("app.json", json.dumps(body).encode())]).manifests

    assert read_ignore_differences(manifests) == ((), ())
