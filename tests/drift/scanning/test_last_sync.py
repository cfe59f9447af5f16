"""Missing objects: a namespace that does not exist is named, and so are values that Flux replaces."""

from drift.model import NotCompared
from drift.scanning.last_sync import missing_namespaces
from tests.drift.scanning.memory import Memory, body, scan


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
