"""Missing objects: a missing namespace and values that Flux replaces are named, and hooks may be missing."""

from dataclasses import replace
from typing import Any

import pytest

from drift.model import NotCompared, Status, Unmanaged
from drift.scanning import Options, scan_manifests
from drift.scanning.last_sync import missing_namespaces
from tests.drift.scanning.memory import INFO, Memory, body, manifests, scan


def notes(source: Memory, *bodies: dict[str, object]) -> list[str]:
    return [*missing_namespaces(scan(source, *bodies), source)]


def test_a_namespace_in_which_everything_is_missing_is_named_if_it_does_not_exist() -> None:
    assert notes(Memory(body("a")), body("a"), body("b", "typo")) == ["the namespace typo does not exist"]
    assert notes(Memory(body("typo", None, "Namespace")), body("b", "typo")) == []


def test_a_namespace_with_a_live_object_is_not_looked_up() -> None:
    source = Memory(body("a"))

    assert notes(source, body("a"), body("b")) == []
    assert not [asked for asked in source.asked if "namespaces" in asked]


def test_a_namespace_that_is_in_git_and_missing_too_needs_no_note() -> None:
    assert notes(Memory(), body("b", "new"), body("new", None, "Namespace")) == []


def test_an_account_that_may_not_read_namespaces_gets_no_note() -> None:
    assert notes(Memory(refuses={"namespaces": 403}), body("b", "typo")) == []


def test_a_missing_object_names_the_fields_that_flux_replaces() -> None:
    value = "ENC[AES256_GCM,data:aaa,iv:bbb,tag:ccc,type:str]"
    encrypted: dict[str, object] = {**body("a", data={"a": value}), "sops": {"mac": value, "version": "3.8.1"}}

    report = scan(Memory(), encrypted, body("b", data={"a": "1"}))

    assert [item.not_compared for item in report.objects] == [(NotCompared("data", "encrypted with SOPS"),), ()]
    assert not [note for note in report.notes if "encrypted" in note]


def _managed(name: str, *managers: tuple[str, str]) -> dict[str, Any]:
    entries = [
        {"manager": manager, "operation": operation, "apiVersion": "v1", "fieldsV1": {"f:data": {}}}
        for manager, operation in managers
    ]
    live = body(name, data={"a": "1"})
    return {**live, "metadata": {**live["metadata"], "managedFields": entries}}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        ([], "in-sync"),
        ([_managed("a")], "in-sync"),
        ([_managed("a", ("argocd-controller", "Apply"))], "in-sync"),
        ([_managed("a", ("helm", "Update"))], "in-sync"),
        ([_managed("a", ("kubectl-edit", "Update"))], "in-sync"),
        ([_managed("a", ("kustomize-controller", "Apply"))], "missing"),
        ([_managed("a", ("kustomize-controller", "Apply"), ("kubectl-edit", "Update"))], "missing"),
        ([_managed("a", ("kubectl", "Apply"))], "missing"),
        ([_managed("a", ("kubectl-client-side-apply", "Update"))], "missing"),
        ([_managed("a", ("kubectl", "Apply"), ("argocd-controller", "Apply"))], "in-sync"),
        ([_managed("a", ("kustomize-controller", "Apply")), _managed("b", ("helm", "Update"))], "in-sync"),
    ],
)
@pytest.mark.parametrize("annotation", ["helm.sh/hook", "argocd.argoproj.io/hook"])
def test_a_hook_may_be_missing_unless_its_applier_runs_none(
    annotation: str, live: list[dict[str, Any]], expected: str
) -> None:
    hook = body("job")
    hook["metadata"]["annotations"] = {annotation: "PreSync"}

    report = scan(Memory(*live), *(body(name, data={"a": "1"}) for name in ("a", "b")), hook)

    assert [item.status.value for item in report.objects if item.name == "job"] == [expected]


def test_a_hook_of_a_chart_may_be_missing_whatever_applies_the_chart() -> None:
    hook = body("job")
    hook["metadata"]["annotations"] = {"helm.sh/hook": "test"}
    source = Memory(_managed("a", ("kubectl", "Apply")))
    found = (replace(one, is_template=True) for one in manifests(body("a", data={"a": "1"}), hook))

    report = scan_manifests(tuple(found), source, info=INFO, options=Options(unmanaged=Unmanaged.OFF))

    assert [item.status for item in report.objects] == [Status.IN_SYNC] * 2
