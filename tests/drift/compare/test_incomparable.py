"""Values in Git that cannot be compared: encrypted ones, and random ones of a chart."""

from typing import Any

import pytest

from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.show import contains_redacted, to_json
from drift.kube.live import read_live
from drift.model import NotCompared
from drift.objects import Incomparable
from drift.schema.types import SchemaDocument, compact_schemas

DOCUMENT = SchemaDocument(compact_schemas())
ENCRYPTED = Incomparable("encrypted in Git")
POD: Any = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "web"},
    "spec": {"containers": [{"name": "app", "args": ["--port", "1"], "env": [{"name": "TOKEN", "value": "x"}]}]},
}


def _compare(desired: Any, live: Any) -> ObjectComparison:
    schema = DOCUMENT.kind("", "v1", desired["kind"])
    assert schema is not None
    read = read_live(live, "v1", desired["kind"])
    return compare_object(desired, read.body, read.last_applied, schema)


def _pod(**container: Any) -> Any:
    return {**POD, "spec": {"containers": [{**POD["spec"]["containers"][0], **container}]}}


@pytest.mark.parametrize(
    ("field", "value", "path"),
    [
        ("image", ENCRYPTED, "spec.containers[name=app].image"),
        ("env", [{"name": "TOKEN", "value": ENCRYPTED}], "spec.containers[name=app].env[name=TOKEN].value"),
        ("args", ["--port", ENCRYPTED], "spec.containers[name=app].args"),
    ],
)
def test_a_value_that_cannot_be_compared_is_no_difference_but_listed(field: str, value: Any, path: str) -> None:
    comparison = _compare(_pod(**{field: value}), _pod(image="nginx"))

    found = [difference.difference.path[-1] for difference in comparison.differences]
    assert found == ([] if field == "image" else ["image"])
    assert comparison.not_compared == (NotCompared(path, "encrypted in Git"),)


def test_that_its_field_is_missing_in_the_cluster_is_a_difference_without_a_value() -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}

    comparison = _compare({**body, "data": {"a": "1", "b": ENCRYPTED}}, {**body, "data": {"a": "1"}})

    [found] = comparison.differences
    assert found.difference.path == ("data", "b")
    assert contains_redacted(found.difference.desired)
    with pytest.raises(TypeError):
        to_json(found.difference.desired)


def test_other_fields_beside_it_are_compared() -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}

    comparison = _compare({**body, "data": {"a": "1", "b": ENCRYPTED}}, {**body, "data": {"a": "2", "b": "plain"}})

    assert [found.difference.path for found in comparison.differences] == [("data", "a")]
    assert comparison.not_compared == (NotCompared("data.b", "encrypted in Git"),)


@pytest.mark.parametrize(
    ("hidden", "resources", "found"),
    [
        ("limits", {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}, ["requests"]),
        ("requests", {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}, ["limits"]),
    ],
)
def test_a_whole_mapping_may_not_be_comparable(hidden: str, resources: Any, found: list[str]) -> None:
    comparison = _compare(_pod(resources={hidden: ENCRYPTED}), _pod(resources=resources))

    assert [difference.difference.path[-1] for difference in comparison.differences] == found
    path = f"spec.containers[name=app].resources.{hidden}"
    assert comparison.not_compared == (NotCompared(path, "encrypted in Git"),)


@pytest.mark.parametrize("hidden", ["spec", "template"])
def test_the_template_of_an_object_without_labels_may_not_be_comparable(hidden: str) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}}
    live = {"apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "a"}}
    spec = ENCRYPTED if hidden == "spec" else {"template": ENCRYPTED}

    comparison = _compare({**live, "spec": spec}, {**live, "spec": {"template": template}})

    assert not comparison.differences
    assert [one.reason for one in comparison.not_compared] == ["encrypted in Git"]
