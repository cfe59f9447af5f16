"""Atomic lists without a schema: only the owner tells a default of another version from an edit."""

from typing import Any

import pytest

from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.proof import InSyncProof
from drift.gitops.tracking import reserved_metadata
from drift.schema.facts import known_facts
from drift.schema.types import UNKNOWN, SchemaDocument, Type, compact_schemas, openapi_document
from tests.drift.compare.managed_fields import Fields, causes, compare, entry


def _custom(spec: Fields) -> Type:
    kind = {"group": "example.com", "version": "v1", "kind": "Thing"}
    thing = {"type": "object", "properties": {"spec": spec}, "x-kubernetes-group-version-kind": [kind]}
    found = SchemaDocument({"components": {"schemas": {"com.example.v1.Thing": thing}}}).kind(
        "example.com", "v1", "Thing"
    )
    assert found is not None
    return found


_OPEN_OBJECT: Fields = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_OPEN = _custom(_OPEN_OBJECT)
_HELM = "helm.toolkit.fluxcd.io"
_SOURCE = ("spec", "source", "helm", "valuesObject")
SCHEMAS = pytest.mark.parametrize("schema", [_OPEN, UNKNOWN], ids=["untyped spec", "no schema"])
Rules = list[dict[str, Any]]


def _thing(rules: Rules, *managers: tuple[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:spec": {"f:rules": {}}}
    entries = [
        {"manager": name, "operation": operation, "apiVersion": "example.com/v1", "fieldsV1": fields}
        for name, operation in managers
    ]
    metadata: dict[str, Any] = {"name": "t", "managedFields": entries}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata, "spec": {"rules": rules}}


def _compare(
    schema: Type, *managers: tuple[str, str], base: Rules | None = None, out_of_sync: bool = False
) -> ObjectComparison:
    """Compares a list of one rule with the same list, to which the cluster has added a port."""
    live = _thing([{"host": "a", "port": 80}], *managers)
    synced = None if base is None else _thing(base)
    return compare_object(_thing([{"host": "a"}]), live, None, schema, synced_manifest=synced, out_of_sync=out_of_sync)


@SCHEMAS
@pytest.mark.parametrize("operation", ["Apply", "Update"])
def test_a_field_added_in_a_list_of_the_applier_is_a_default(schema: Type, operation: str) -> None:
    compared = _compare(schema, ("kustomize-controller", operation))

    assert not compared.differences
    assert compared.assumes_admission
    assert [decision.path for decision in compared.decisions] == ["spec.rules"]


@SCHEMAS
@pytest.mark.parametrize(
    ("managers", "cause"),
    [
        ([("kubectl-edit", "Update")], "manual"),
        ([("kustomize-controller", "Apply"), ("kubectl-edit", "Update")], "pending-sync"),
        ([], "unknown"),
    ],
    ids=["a user", "both", "no owner"],
)
def test_a_field_added_in_any_other_list_is_reported(schema: Type, managers: list[tuple[str, str]], cause: str) -> None:
    compared = _compare(schema, *managers)

    assert [(found.difference.path, found.cause.value) for found in compared.differences] == [
        (("spec", "rules"), cause)
    ]


@SCHEMAS
def test_a_field_that_git_dropped_from_a_list_is_reported(schema: Type) -> None:
    compared = _compare(schema, ("kustomize-controller", "Apply"), base=[{"host": "a", "port": 80}])

    assert [found.cause.value for found in compared.differences] == ["pending-sync"]


@SCHEMAS
@pytest.mark.parametrize(("operation", "base"), [("Apply", None), ("Update", None), ("Apply", {"host": "a"})])
@pytest.mark.parametrize(
    ("group", "kind", "path", "is_reported"),
    [
        (_HELM, "HelmRelease", ("spec", "values", "rules"), {_OPEN, UNKNOWN}),
        (_HELM, "HelmRelease", ("spec", "values", "app", "rules"), {_OPEN, UNKNOWN}),
        # Without a schema, it may have a default.
        (_HELM, "HelmRelease", ("spec", "install", "rules"), {_OPEN}),
        ("argoproj.io", "Application", (*_SOURCE, "rules"), {_OPEN, UNKNOWN}),
        ("argoproj.io", "ApplicationSet", ("spec", "template", *_SOURCE, "rules"), {_OPEN, UNKNOWN}),
        ("argoproj.io", "Rollout", (*_SOURCE, "rules"), set()),
        ("fluxcd.controlplane.io", "ResourceSet", ("spec", "resources"), {_OPEN}),
        ("example.com", "HelmRelease", ("spec", "values", "rules"), set()),
    ],
)
def test_an_addition_that_no_webhook_makes_is_reported_without_a_base(  # noqa: PLR0917
    schema: Type,
    operation: str,
    base: Fields | None,
    group: str,
    kind: str,
    path: tuple[str, ...],
    is_reported: set[Type],
) -> None:
    def release(item: Fields, *entries: Fields) -> Fields:
        value: Any = [item]
        for name in reversed(path):
            value = {name: value}
        return {**_resource(value, *entries), "apiVersion": f"{group}/v1", "kind": kind}

    owned: Any = ""
    for name in reversed(path):
        owned = {name: owned}
    live = release({"host": "a", "privileged": True}, entry("kustomize-controller", operation, owned))

    found = compare(release({"host": "a"}), live, None if base is None else release(base), schema=schema)

    expected = [(path[-1], "changed", "pending-sync", ["kustomize-controller"])]
    assert causes(found) == (expected if schema in is_reported and base is None else [])


@pytest.mark.parametrize(("operation", "base"), [("Apply", False), ("Update", False), ("Apply", True)])
@pytest.mark.parametrize("kind", ["Application", "ApplicationSet"])
def test_an_addition_to_the_values_of_one_of_several_charts_is_reported_without_a_base(
    operation: str, base: bool, kind: str
) -> None:
    source = {"type": "object", "properties": {"chart": {}, "helm": {"properties": {"valuesObject": _OPEN_OBJECT}}}}
    sources: Fields = {"type": "object", "properties": {"sources": {"type": "array", "items": source}}}
    in_template: Fields = {"type": "object", "properties": {"spec": sources}}
    spec = sources if kind == "Application" else {"type": "object", "properties": {"template": in_template}}

    def app(values: Fields, *entries: Fields) -> Fields:
        of_app: Fields = {"sources": [{"chart": "c", "helm": {"valuesObject": values}}]}
        body = of_app if kind == "Application" else {"template": {"spec": of_app}}
        return {**_resource({"spec": body}, *entries), "apiVersion": "argoproj.io/v1alpha1", "kind": kind}

    owned: Fields = {"sources": ""} if kind == "Application" else {"template": {"spec": {"sources": ""}}}
    applied = entry("argocd-controller", operation, {"spec": owned})
    schema = _custom(spec)

    found = compare(
        app({"a": 1}), app({"a": 1, "dropped": {"b": 2}}, applied), app({"a": 1}) if base else None, schema=schema
    )

    assert [(path, change) for path, change, *_ in causes(found)] == ([] if base else [("sources", "changed")])


@SCHEMAS
def test_an_addition_is_reported_while_the_object_is_out_of_sync(schema: Type) -> None:
    compared = _compare(schema, ("argocd-controller", "Update"), base=[{"host": "a"}], out_of_sync=True)

    assert [found.cause.value for found in compared.differences] == ["unknown"]


def _app(spec: dict[str, Any], *entries: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    managed = [
        {"manager": name, "operation": operation, "apiVersion": "example.com/v1", "fieldsV1": {"f:spec": fields}}
        for name, operation, fields in entries
    ]
    metadata: dict[str, Any] = {"name": "t", "managedFields": managed}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": metadata, "spec": spec}


@SCHEMAS
@pytest.mark.parametrize("selector", [{"app": "a", "added": "x"}, {"app": "a", "deep": {"er": "x"}}])
def test_who_owns_an_untyped_value_as_a_whole_owns_what_is_added_to_it(schema: Type, selector: dict[str, Any]) -> None:
    desired = _app({"size": 1, "selector": {"app": "a"}})
    live = _app(
        {"size": 1, "selector": selector},
        ("kustomize-controller", "Apply", {"f:size": {}}),
        ("kubectl-edit", "Update", {"f:selector": {}}),
    )
    proof = InSyncProof(known_facts(), reserved_metadata())

    compared = compare_object(desired, live, None, schema)

    assert [found.cause.value for found in compared.differences] == ["manual"]
    assert not proof.holds(desired, live, None, None, schema)


@SCHEMAS
def test_an_item_removed_from_an_untyped_list_is_reported(schema: Type) -> None:
    desired = _app({"items": [{"name": "p"}, {"name": "q"}]})
    live = _app(
        {"items": [{"name": "p"}]},
        ("kustomize-controller", "Apply", {"f:items": {'k:{"name":"p"}': {".": {}, "f:name": {}}}}),
    )

    compared = compare_object(desired, live, None, schema, synced_manifest=desired)

    assert [found.difference.path for found in compared.differences] == [("spec", "items")]


# -- an empty list and a null in an untyped value mean something


@pytest.mark.parametrize(
    ("in_git", "live", "change"),
    [([], [], None), (None, [], "added"), ([], None, "removed"), (["x"], [], "changed"), ([], ["x"], "changed")],
)
def test_an_empty_list_in_an_untyped_value_is_a_value(
    in_git: list[str] | None, live: list[str] | None, change: str | None
) -> None:
    found = _compare_lists(in_git, live, _OPEN)

    assert found == ([] if change is None else [("tolerations", change, "manual", ["kubectl-edit"])])


@pytest.mark.parametrize(("in_git", "live"), [(None, []), ([], None)])
def test_an_empty_list_equals_none_without_a_schema(in_git: list[str] | None, live: list[str] | None) -> None:
    assert _compare_lists(in_git, live, UNKNOWN) == []


def test_an_empty_list_that_no_manager_owns_is_a_default() -> None:
    applied = entry("kustomize-controller", "Apply", {"spec": {"size": ""}})
    live = _resource({"spec": {"size": 1, "tolerations": []}}, applied)

    assert causes(compare(_resource({"spec": {"size": 1}}), live, schema=_OPEN)) == []


def _compare_lists(in_git: list[str] | None, live: list[str] | None, schema: Type) -> list[tuple[Any, ...]]:
    applied = entry("kustomize-controller", "Apply", {"spec": {"size": ""}})
    owned = entry("kubectl-edit", "Update", {"spec": {} if live is None else {"tolerations": ""}})
    edited = {**owned, "time": "2026-01-02T00:00:00Z"}

    def resource(tolerations: list[str] | None, *entries: Fields) -> Fields:
        spec: Fields = {"size": 1} if tolerations is None else {"size": 1, "tolerations": tolerations}
        return _resource({"spec": spec}, *entries)

    return causes(compare(resource(in_git), resource(live, applied, edited), schema=schema))


NOTHING: Fields = {}
NULL: Fields = {"debug": None}


@pytest.mark.parametrize(
    ("in_git", "live", "change"),
    [
        (NULL, NULL, None),
        (NULL, NOTHING, None),
        (NOTHING, NULL, "added"),
        ({"debug": 1}, NULL, "changed"),
        ({"debug": "null"}, NULL, "changed"),
        ({"debug": {}}, NULL, "changed"),
        ({"debug": []}, NULL, "changed"),
        (NULL, {"debug": 1}, "changed"),
        ({"debug": [NULL]}, {"debug": [NOTHING]}, None),
        (NOTHING, {"creationTimestamp": None}, None),
        ({"creationTimestamp": None}, NOTHING, None),
    ],
)
def test_a_null_in_an_untyped_value_is_a_value_if_it_is_live(in_git: Fields, live: Fields, change: str | None) -> None:
    assert _OPEN is not None
    applied = entry("kustomize-controller", "Apply", {"spec": {"size": ""}})
    edited = entry("kubectl-edit", "Update", {"spec": dict.fromkeys(live, "")})
    live_body = _resource({"spec": {"size": 1, **live}}, applied, {**edited, "time": "2026-01-02T00:00:00Z"})

    found = causes(compare(_resource({"spec": {"size": 1, **in_git}}), live_body, schema=_OPEN))

    assert found == ([] if change is None else [("debug", change, "manual", ["kubectl-edit"])])


def test_an_object_that_holds_only_a_null_may_not_be_missing() -> None:
    assert _OPEN is not None
    applied = entry("kustomize-controller", "Apply", {"spec": {"size": ""}})
    desired = _resource({"spec": {"size": 1, "image": {"debug": None}}})

    found = compare(desired, _resource({"spec": {"size": 1}}, applied), desired, schema=_OPEN)

    assert causes(found) == [("image", "removed", "manual", [])]
    assert causes(compare(desired, _resource({"spec": {"size": 1, "image": {}}}, applied), schema=_OPEN)) == []


def test_a_null_that_no_manager_owns_or_that_has_no_schema_is_none() -> None:
    assert _OPEN is not None
    applied = entry("kustomize-controller", "Apply", {"spec": {"size": ""}})
    edited = entry("kubectl-edit", "Update", {"spec": {"debug": ""}})
    desired, live = _resource({"spec": {"size": 1}}), {"spec": {"size": 1, "debug": None}}

    assert causes(compare(desired, _resource(live, applied), schema=_OPEN)) == []
    assert causes(compare(desired, _resource(live, applied, edited), schema=UNKNOWN)) == []


# -- an object inside a custom resource


def _embedding() -> Type:
    inner: Fields = {"type": "object", "x-kubernetes-embedded-resource": True}
    spec = {"type": "object", "properties": {"template": {**inner, "x-kubernetes-preserve-unknown-fields": True}}}
    definition = {
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing"},
            "versions": [
                {"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}}
            ],
        }
    }
    document = openapi_document(definition, "v1", compact_schemas())
    assert document is not None
    found = SchemaDocument(document).kind("example.com", "v1", "Thing")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("in_git", "live"), [({}, "b-"), ({"generateName": "a-"}, "b-"), ({"generateName": "b-"}, "b-")]
)
def test_the_generate_name_of_an_object_inside_another_is_compared(in_git: Fields, live: str) -> None:
    def resource(metadata: Fields, *entries: Fields) -> Fields:
        template = {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b"}, **metadata}}
        return _resource({"spec": {"template": template}}, *entries, generateName=metadata.get("generateName", "x-"))

    edited = entry("kubectl-edit", "Update", {"spec": {"template": {"metadata": {"generateName": ""}}}})
    server = {"creationTimestamp": None, "uid": "u"}
    found = causes(compare(resource(in_git), resource({"generateName": live, **server}, edited), schema=_embedding()))

    change = "changed" if in_git else "added"
    expected = [] if in_git == {"generateName": live} else [("generateName", change, "manual", ["kubectl-edit"])]
    assert found == expected


# -- metadata has the same fields in every kind


FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"}
_SCHEMALESS = SchemaDocument(
    {
        "components": {
            "schemas": {
                "com.example.v1.Thing": {
                    "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Thing"}]
                }
            }
        }
    }
).kind("example.com", "v1", "Thing")
assert _SCHEMALESS is not None
WITHOUT_METADATA = pytest.mark.parametrize("schema", [_SCHEMALESS, UNKNOWN], ids=["schemaless", "no schema"])


def _resource(fields: Fields, *entries: Fields, **metadata: Any) -> Fields:
    managed = {"managedFields": [{**one, "apiVersion": "example.com/v1"} for one in entries]} if entries else {}
    return {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "t", **metadata, **managed}, **fields}


@WITHOUT_METADATA
@pytest.mark.parametrize("spec", [{"a": "x"}, {"a": []}], ids=["provable", "not provable"])
@pytest.mark.parametrize("in_git", [{}, {"labels": {}}, {"annotations": {}, "finalizers": []}])
def test_metadata_is_typed_without_a_schema(schema: Type, spec: Fields, in_git: Fields) -> None:
    applied = entry("kustomize-controller", "Apply", {"metadata": {"labels": FLUX}, "spec": {"a": ""}})

    found = compare(_resource({"spec": spec}, **in_git), _resource({"spec": spec}, applied, labels=FLUX), schema=schema)

    assert causes(found) == []


@WITHOUT_METADATA
def test_edited_metadata_is_reported_without_a_schema(schema: Type) -> None:
    applied = entry("kustomize-controller", "Apply", {"metadata": {"labels": FLUX}})
    edited = entry("kubectl-edit", "Update", {"metadata": {"labels": {"team": ""}}})
    edited["fieldsV1"]["f:metadata"]["f:finalizers"] = {".": {}, 'v:"example.com/hold"': {}}
    live = _resource({}, applied, edited, labels={**FLUX, "team": "x"}, finalizers=["example.com/hold"])

    assert sorted(causes(compare(_resource({}), live, schema=schema))) == [
        ("finalizers", "added", "manual", ["kubectl-edit"]),
        ("labels", "added", "manual", ["kubectl-edit"]),
    ]


# -- amounts of resources are quantities


def _amounts(**declared: Any) -> Type:
    """A type whose ``spec.resources`` is open, except for the declared fields of ``limits``."""
    opened: Fields = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    limits = {**opened, "properties": declared} if declared else opened
    resources = {**opened, "properties": {"limits": limits}}
    spec = {**opened, "properties": {"resources": resources}}
    kind = {"group": "example.com", "version": "v1", "kind": "Thing"}
    thing = {"type": "object", "properties": {"spec": spec}, "x-kubernetes-group-version-kind": [kind]}
    found = SchemaDocument({"components": {"schemas": {"Thing": thing}}}).kind("example.com", "v1", "Thing")
    assert found is not None
    return found


@pytest.mark.parametrize("schema", [UNKNOWN, _amounts(), _amounts(cpu={"x-kubernetes-int-or-string": True})])
@pytest.mark.parametrize("name", ["cpu", "memory", "nvidia.com/gpu", "hugepages-2Mi"])
def test_an_amount_in_another_form_is_no_difference(schema: Type, name: str) -> None:
    assert _compare_limits({name: "1000m"}, {name: "1"}, schema) == []
    assert _compare_limits({name: "1000m"}, {name: "2"}, schema) == [(name, "changed", "manual", ["kubectl-edit"])]


@pytest.mark.parametrize(
    ("limits", "edited", "schema", "field"),
    [
        ({"version": "1.10"}, {"version": "1.1"}, UNKNOWN, "version"),
        ({"version": "1.10"}, {"version": "1.1"}, _amounts(version={"type": "string"}), "version"),
        ({"plugin": {"cpu": "1.10"}}, {"plugin": {"cpu": "1.1"}}, UNKNOWN, "cpu"),
        ({"plugin": {"cpu": "1.10"}}, {"plugin": {"cpu": "1.1"}}, _amounts(), "cpu"),
        ({"cpu": "1.10"}, {"cpu": "1.1"}, _amounts(cpu={"type": "string"}), "cpu"),
    ],
    ids=["no resource", "a declared string", "deeper", "deeper in an open object", "a declared amount"],
)
def test_a_string_that_is_no_amount_is_compared_as_it_is(
    limits: Fields, edited: Fields, schema: Type, field: str
) -> None:
    assert _compare_limits(limits, edited, schema) == [(field, "changed", "manual", ["kubectl-edit"])]


def _compare_limits(in_git: Fields, live: Fields, schema: Type) -> list[tuple[str, str, str, list[str]]]:
    edited = entry("kubectl-edit", "Update", {"spec": {"resources": {"limits": live}}})

    def resource(limits: Fields, *entries: Fields) -> Fields:
        return _resource({"spec": {"resources": {"limits": limits}}}, *entries)

    return causes(compare(resource(in_git), resource(live, edited), schema=schema))


# -- schemas inside a CRD


def _definition(items: Fields, *entries: Fields) -> Fields:
    properties = {"list": {"type": "array", "items": items}, "map": {"type": "object", "additionalProperties": items}}
    schema = {"openAPIV3Schema": {"type": "object", "properties": properties}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "a",
            "managedFields": [{**one, "apiVersion": "apiextensions.k8s.io/v1"} for one in entries],
        },
        "spec": {"versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}]},
    }


DEFINED = entry("kustomize-controller", "Apply", {"spec": {"versions": ""}})
ITEM: Fields = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "live",
    [
        {**ITEM, "required": ["a"]},
        {**ITEM, "properties": {"a": {"type": "string", "maxLength": 0}}},
        {**ITEM, "properties": {"a": {"type": "string", "enum": ["x"]}}},
        {**ITEM, "properties": {**ITEM["properties"], "gone": {"type": "string"}}},
        {**ITEM, "properties": {"a": {"type": "string", "items": {}}}},
        {**ITEM, "properties": {"a": {"type": "string", "default": ""}}},
        {**ITEM, "x-kubernetes-preserve-unknown-fields": False},
    ],
)
def test_what_git_drops_from_the_schema_of_items_is_pending(live: Fields) -> None:
    assert causes(compare(_definition(ITEM), _definition(live, DEFINED))) == [
        ("versions", "changed", "pending-sync", ["kustomize-controller"])
    ]
    assert causes(compare(_definition(live), _definition(live, DEFINED))) == []


def test_what_git_drops_from_the_default_of_an_object_is_pending() -> None:
    def with_default(default: Fields, *entries: Fields) -> Fields:
        return _definition({**ITEM, "default": default}, *entries)

    live = with_default({"a": "x", "gone": {"b": "y"}}, DEFINED)

    assert [cause for _, _, cause, _ in causes(compare(with_default({"a": "x"}), live))] == ["pending-sync"]


def test_what_the_server_drops_from_the_schema_of_items_is_no_difference() -> None:
    zeros: Fields = {
        "description": "",
        "nullable": False,
        "required": [],
        "enum": [],
        "x-kubernetes-int-or-string": False,
    }
    in_git = {**ITEM, **zeros, "properties": {"a": {"type": "string", **zeros}}}

    assert causes(compare(_definition(in_git), _definition(ITEM, DEFINED))) == []


@pytest.mark.parametrize("allowed", [True, False])
def test_additional_properties_may_be_a_boolean(*, allowed: bool) -> None:
    def definition(value: bool, *entries: Fields) -> Fields:
        return _definition({"type": "object", "additionalProperties": value}, *entries)

    assert causes(compare(definition(allowed), definition(allowed, DEFINED))) == []
    assert [path for path, *_ in causes(compare(definition(allowed), definition(not allowed, DEFINED)))] == ["versions"]
