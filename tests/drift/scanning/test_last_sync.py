"""A namespace that does not exist is named: a mistyped one looks like a deletion of everything in it."""

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
