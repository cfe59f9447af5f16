"""No value of a Secret is printed, or gets into a report or an error."""

import base64
import json
from typing import Any

import pytest

from drift.compare.objects import compare_object
from drift.kube.live import read_live
from drift.model import ManifestsInfo, ObjectReport, Report, Status
from drift.objects import ObjectKey
from drift.policy.findings import object_findings
from drift.redaction import Redacted, is_secret, redact_secret
from drift.report.formats import Style
from drift.report.json_report import to_json
from drift.report.text import to_text
from drift.schema.types import SchemaDocument, Type, compact_schemas

PLANTED = "hunter2-planted"
ENCODED = base64.b64encode(PLANTED.encode()).decode()
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _secret(**parts: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": "n"}, **parts}


@pytest.fixture(scope="module")
def secret_type() -> Type:
    kind = SchemaDocument(compact_schemas()).kind("", "v1", "Secret")
    assert kind is not None
    return kind


def _holds(text: str) -> bool:
    return PLANTED in text or ENCODED in text or PLANTED[:7] in text


HOSTILE = [
    _secret(data={"key": ENCODED}),
    _secret(stringData={"key": PLANTED}),
    _secret(data={"key": PLANTED}),
    _secret(data=PLANTED),
    _secret(data=[PLANTED]),
    _secret(stringData=[PLANTED]),
    _secret(data={"key": {"nested": PLANTED}}),
    _secret(unknown={"deep": [PLANTED]}),
    _secret(metadata={"name": "a", "annotations": {LAST_APPLIED: json.dumps(_secret(data={"key": ENCODED}))}}),
    _secret(metadata={"name": "a", "annotations": {LAST_APPLIED: f"not json {PLANTED}"}}),
    _secret(metadata={"name": "a", "annotations": {"kapp.k14s.io/original": PLANTED}}),
    _secret(metadata={"name": "a", "annotations": [PLANTED]}),
    _secret(metadata={"name": "a", "annotations": PLANTED}),
]


@pytest.mark.parametrize("body", HOSTILE)
def test_a_planted_value_is_not_in_the_object_that_is_read(body: dict[str, Any]) -> None:
    live = read_live(body, "v1", "Secret")

    assert not _holds(repr(redact_secret(body)))
    assert not _holds(f"{live!r} {live.body!r} {live.last_applied!r}")


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("other", [_secret(), _secret(data={"key": "b3RoZXI=", "more": "b3RoZXI="})])
def test_a_planted_value_is_not_in_the_report(body: dict[str, Any], other: dict[str, Any], secret_type: Type) -> None:
    for desired, live in ((body, other), (other, body)):
        read = read_live(live, "v1", "Secret")
        compared = compare_object(redact_secret(desired), read.body, read.last_applied, secret_type)
        key = ObjectKey("", "Secret", "n", "a")
        findings = object_findings(compared, key, "c")
        item = ObjectReport(
            "v1", key, None, Status.DRIFTED, "; ".join(compared.remarks) or None, findings, compared.decisions
        )
        report = Report("2026-01-01T00:00:00Z", None, ManifestsInfo((), None, None), (item,))

        assert not _holds(to_json(report))
        assert not _holds(to_text(report, Style(verbose=True)))
        assert not _holds(repr(report))


def test_a_changed_value_is_a_redacted_change_of_its_key(secret_type: Type) -> None:
    live = read_live(_secret(data={"same": "eA==", "key": ENCODED}), "v1", "Secret")
    desired = redact_secret(_secret(stringData={"same": "x", "key": "other"}))
    compared = compare_object(desired, live.body, None, secret_type)

    findings = object_findings(compared, ObjectKey("", "Secret", "n", "a"), "")

    assert [(f.path, f.change, f.redacted, f.desired, f.live) for f in findings] == [
        ("data.key", "changed", True, None, None)
    ]


def test_a_null_entry_of_managed_fields_does_not_hide_who_wrote_a_secret(secret_type: Type) -> None:
    edited = {
        "manager": "kubectl-edit",
        "operation": "Update",
        "apiVersion": "v1",
        "fieldsV1": {"f:data": {"f:key": {}}},
    }
    metadata = {"name": "a", "namespace": "n", "managedFields": [None, edited]}
    live = read_live(_secret(data={"key": ENCODED}, metadata=metadata), "v1", "Secret")
    compared = compare_object(redact_secret(_secret(stringData={"key": "other"})), live.body, None, secret_type)

    assert [actor.manager for found in compared.differences for actor in found.actors] == ["kubectl-edit"]


def test_string_data_is_merged_into_data() -> None:
    merged = redact_secret(_secret(data={"a": "b2xk", "b": "Yg=="}, stringData={"a": "new"}))

    assert merged["data"] == redact_secret(_secret(data={"a": "bmV3", "b": "Yg=="}))["data"]


@pytest.mark.parametrize("form", ["aHVudGVyMg==", "aHVu\ndGVyMg==\n", " aHVudGVyMg== "])
def test_base64_with_other_wrapping_or_padding_is_the_same_value(form: str) -> None:
    assert redact_secret(_secret(data={"a": form})) == redact_secret(_secret(stringData={"a": "hunter2"}))


def test_a_value_that_is_not_base64_never_equals_one_that_is() -> None:
    assert redact_secret(_secret(data={"a": "!"})) != redact_secret(_secret(stringData={"a": "!"}))


def test_tracking_annotations_of_a_secret_are_shown() -> None:
    open_annotations = {"meta.helm.sh/release-name": "app", "helm.sh/hook": "pre-install"}
    body = redact_secret(_secret(metadata={"name": "a", "annotations": open_annotations}, type="Opaque"))

    assert body["metadata"]["annotations"] == open_annotations
    assert body["type"] == "Opaque"


def test_a_redacted_value_cannot_be_serialized() -> None:
    with pytest.raises(TypeError):
        json.dumps({"a": Redacted(b"x")})


def test_a_redacted_value_does_not_show_its_digest() -> None:
    assert repr(Redacted(b"x")) == str(Redacted(b"y")) == "(redacted)"


@pytest.mark.parametrize(
    ("api_version", "kind", "secret"),
    [("v1", "Secret", True), ("v1", "ConfigMap", False), ("example.com/v1", "Secret", False)],
)
def test_which_kinds_are_redacted(api_version: str, kind: str, *, secret: bool) -> None:
    assert is_secret(api_version, kind) is secret
