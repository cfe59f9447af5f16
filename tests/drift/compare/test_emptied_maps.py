"""Labels and annotations are compared one by one if an object has any, also if all of them are not compared."""

import json
from typing import Any

import pytest

from drift.paths import render
from tests.drift.compare.managed_fields import Fields, compare, entry

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
POD_LABELS = {
    "batch.kubernetes.io/controller-uid": "u",
    "batch.kubernetes.io/job-name": "a",
    "controller-uid": "u",
    "job-name": "a",
}


def _config_map(annotations: Any = None) -> Fields:
    metadata = {"name": "a"} if annotations is None else {"name": "a", "annotations": annotations}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"k": "v"}}


def _applied(manifest: Fields, *removed: str, **added: str) -> Fields:
    """The object after a client-side apply, and after a user changed its annotations."""
    written = {**(manifest["metadata"].get("annotations") or {}), LAST_APPLIED: json.dumps(manifest)}
    live = {name: value for name, value in written.items() if name not in removed}
    fields = {"metadata": {"annotations": live}, "data": {"k": "v"}}
    entries = [entry("kubectl-client-side-apply", "Update", fields)]
    if added:
        entries.append(entry("kubectl-annotate", "Update", {"metadata": {"annotations": added}}))
    body = _config_map({**live, **added})
    return {**body, "metadata": {**body["metadata"], "managedFields": entries}}


def _paths(desired: Fields, live: Fields) -> list[tuple[str, str]]:
    found = compare(desired, live).differences
    return [(one.difference.change.value, render(one.difference.path)) for one in found]


def test_the_only_annotation_of_git_is_one_finding_beside_the_last_applied_one() -> None:
    manifest = _config_map({"team": "x"})

    assert _paths(manifest, _applied(manifest)) == []
    assert _paths(manifest, _applied(manifest, "team")) == [("removed", "metadata.annotations.team")]
    # Then the live object has no map to which the annotation could be added.
    assert _paths(manifest, _applied(manifest, "team", LAST_APPLIED)) == [("removed", "metadata.annotations")]


@pytest.mark.parametrize("annotations", [None, {}, {"a": None}])
def test_no_annotations_in_git_equal_the_last_applied_one(annotations: Any) -> None:
    manifest = _config_map(annotations)

    live = _applied(_config_map())

    assert _paths(manifest, live) == []
    assert not [one for one in compare(manifest, live).decisions if "annotations" in one.path]


def test_an_annotation_is_one_finding_if_git_has_a_last_applied_one() -> None:
    exported = _config_map({LAST_APPLIED: "{}"})

    assert _paths(exported, _applied(_config_map())) == []
    assert _paths(exported, _applied(_config_map(), team="x")) == [("added", "metadata.annotations.team")]


def test_the_only_label_of_git_is_one_finding_beside_those_of_a_job() -> None:
    template = {"spec": {"containers": [{"name": "a", "image": "a:1"}], "restartPolicy": "Never"}}
    desired = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "labels": {"team": "x"}}}
    selector = {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}}
    live = {
        **desired,
        "metadata": {"name": "a", "labels": POD_LABELS},
        "spec": {"selector": selector, "template": {**template, "metadata": {"labels": POD_LABELS}}},
    }

    assert _paths({**desired, "spec": {"template": template}}, live) == [("removed", "metadata.labels.team")]
