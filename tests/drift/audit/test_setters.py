"""Which writes made a difference, from one write to the next."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from drift.audit.effects import UNKNOWN, Effect
from drift.audit.setters import ValueHistory
from drift.audit.writes import Write
from drift.model import Actor, Cause, Change, Finding, Severity
from drift.objects import Json
from drift.words import rfc3339

START: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
#: The live value. Without a response, it is known only if the request named the field.
LIVE: Final = Effect(b"2", is_touched=True, is_live=True)
SEEN: Final = replace(LIVE, is_touched=None)
#: A redacted value may be the live one.
REDACTED: Final = replace(LIVE, is_live=None)
OLD: Final = Effect(b"1", is_touched=True, is_live=False)
ABSENT: Final = Effect(b"absent", is_touched=True, is_absent=True)
TOUCHED: Final = Effect(is_touched=True)
UNTOUCHED: Final = Effect(is_touched=False)


def parts(a: str, b: str) -> Effect:
    """Returns an effect on an added mapping with two parts; "" for a part that was absent afterwards."""
    return Effect(f"{a},{b}".encode(), is_touched=True, parts=tuple(part.encode() or None for part in (a, b)))


def by(user: str, effect: Effect = UNKNOWN, verb: str = "patch", **more: Any) -> Write:
    """Returns a write. The user ``git`` syncs."""
    fields: dict[str, Any] = {
        "received": START,
        "completed": START,
        "verb": verb,
        "subresource": None,
        "user": user,
        "manager": "editor",
        "is_manager_given": True,
        "is_creation": verb == "create",
        "effects": (effect,),
    }
    return Write(**(fields | more))


def finding(change: Change, live: Json, actors: tuple[Actor, ...] = ()) -> Finding:
    return Finding(
        "1", change, "data.a", "/data/a", None, live, redacted=False, cause=Cause.UNKNOWN, severity=Severity.LOW,
        actors=actors,
    )  # fmt: skip


def setters(change: Change, live: Json, *writes: Write, actors: tuple[Actor, ...] = ()) -> list[str]:
    history = ValueHistory(finding(change, live, actors), 0, writes, lambda one: one.user == "git")
    return [one.user for one in history.setters()]


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        ([], []),
        ([by("jane", UNKNOWN)], []),
        ([by("jane", LIVE)], ["jane"]),
        # What is not known to have been named may have been there before.
        ([by("jane", SEEN)], []),
        ([by("sam", OLD), by("jane", SEEN)], ["jane"]),
        # It stays the same.
        ([by("jane", LIVE), by("sam", LIVE)], ["jane"]),
        ([by("jane", LIVE), by("sam", UNTOUCHED), by("sam", LIVE)], ["jane"]),
        ([by("sam", UNTOUCHED), by("jane", LIVE)], ["jane"]),
        ([by("sam", replace(LIVE, is_touched=False)), by("jane", LIVE)], []),
        # The last known value is not the live one, or is not known.
        ([by("jane", LIVE), by("sam", OLD)], []),
        ([by("jane", LIVE), by("sam", TOUCHED)], []),
        ([by("sam", OLD), by("jane", LIVE), by("jane", OLD), by("jane", LIVE)], ["jane"]),
        # A later write that may have changed it would have set the same value.
        ([by("jane", LIVE), by("sam", UNKNOWN)], ["jane"]),
        ([by("jane", LIVE), by("sam", UNKNOWN), by("sam", SEEN), by("sam", UNTOUCHED)], ["jane"]),
        ([by("jane", LIVE), by("sam", UNKNOWN), by("sam", LIVE)], ["sam"]),
        ([by("jane", REDACTED)], ["jane"]),
        ([by("jane", REDACTED), by("sam", UNKNOWN)], []),
        ([by("git", LIVE)], ["git"]),
        ([by("git", LIVE), by("sam", UNKNOWN)], []),
        # A deletion and a creation start again.
        ([by("jane", LIVE), by("jane", UNKNOWN, "delete")], []),
        ([by("jane", LIVE), by("jane", UNKNOWN, "delete"), by("sam", SEEN)], []),
        ([by("jane", REDACTED), by("jane", UNKNOWN), by("jane", UNKNOWN, "delete"), by("sam", REDACTED)], ["sam"]),
        ([by("jane", LIVE), by("sam", UNKNOWN, "create")], []),
        ([by("jane", LIVE), by("sam", LIVE, "create")], ["sam"]),
        ([by("sam", SEEN, "create"), by("jane", LIVE)], ["sam"]),
        ([by("sam", TOUCHED, "create"), by("jane", LIVE)], ["jane"]),
        ([by("jane", REDACTED), by("jane", UNKNOWN), by("sam", REDACTED, "create")], ["sam"]),
        # The log has no bodies.
        ([by("jane", LIVE), by("sam", UNKNOWN, "patch", effects=())], ["jane"]),
    ],
)  # fmt: skip
def test_a_changed_value_is_by_who_set_it_last(writes: list[Write], expected: list[str]) -> None:
    assert setters(Change.CHANGED, 2, *writes) == expected


@pytest.mark.parametrize("live", [{"a": 2}, [2]])
def test_of_a_changed_list_or_mapping_no_write_may_be_unknown(live: Json) -> None:
    assert setters(Change.CHANGED, live, by("jane", LIVE)) == ["jane"]
    assert setters(Change.CHANGED, live, by("jane", LIVE), by("sam", UNTOUCHED)) == ["jane"]
    assert setters(Change.CHANGED, live, by("jane", LIVE), by("sam")) == []
    assert setters(Change.CHANGED, live, by("jane", LIVE), by("sam"), by("git", UNTOUCHED)) == []
    assert setters(Change.CHANGED, live, by("jane", LIVE), by("sam"), by("git", LIVE)) == ["git"]
    assert setters(Change.CHANGED, live, by("jane", LIVE), by("sam", ABSENT)) == []


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ((5, 6), ["jane"]),
        # A write that changes nothing returns the version that an earlier write made.
        ((5, 5), []),
        ((None, None), ["jane"]),
        ((5, None, 5), []),
        ((5, None, 6), ["jane"]),
    ],
)
def test_a_write_that_returns_an_earlier_version_changed_nothing(
    versions: tuple[int | None, ...], expected: list[str]
) -> None:
    earlier = [by("sam", UNTOUCHED, resource_version=version) for version in versions[:-1]]

    assert setters(Change.CHANGED, 2, *earlier, by("jane", LIVE, resource_version=versions[-1])) == expected


@pytest.mark.parametrize("verb", ["delete", "create"])
def test_a_late_response_returns_a_version_from_before(verb: str) -> None:
    earlier, late = by("sam", UNKNOWN, resource_version=5), by("jane", LIVE, resource_version=5)

    assert setters(Change.CHANGED, 2, earlier, by("sam", UNKNOWN, verb), late) == []


def test_a_write_that_set_nothing_may_have_removed_a_value() -> None:
    assert setters(Change.CHANGED, 2, by("jane", LIVE, set_nothing=True)) == []
    assert setters(Change.CHANGED, 2, by("sam", OLD), by("jane", LIVE, set_nothing=True)) == ["jane"]
    assert setters(Change.REMOVED, None, by("jane", ABSENT, set_nothing=True)) == ["jane"]


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        ([by("git", OLD), by("jane", ABSENT)], ["jane"]),
        ([by("git", OLD), by("jane", ABSENT), by("sam", UNKNOWN)], []),
        ([by("jane", OLD), by("git", ABSENT)], ["git"]),
        # If an applier created the object without the field, Git did not have it yet.
        ([by("git", ABSENT, "create")], []),
        ([by("jane", ABSENT, "create")], ["jane"]),
        # The API server may answer with a default.
        ([by("git", OLD), by("jane", replace(TOUCHED, after=b"0", is_from_response=True))], ["jane"]),
        ([by("git", OLD), by("jane", replace(TOUCHED, after=b"0"))], []),
    ],
)  # fmt: skip
def test_a_removed_value_is_by_who_removed_it(writes: list[Write], expected: list[str]) -> None:
    assert setters(Change.REMOVED, None, *writes) == expected


@pytest.mark.parametrize(
    ("live", "writes", "expected"),
    [
        (2, [by("sam", OLD), by("jane", LIVE)], ["jane"]),
        (2, [by("sam", OLD), by("jane", LIVE), by("sam", UNKNOWN)], []),
        (2, [by("jane", LIVE), by("sam", ABSENT)], []),
        # A field of a created object is a default, or Git had it then.
        (2, [by("git", LIVE, "create")], []),
        (2, [by("git", LIVE)], ["git"]),
        (2, [by("jane", LIVE, "create")], ["jane"]),
        ([1, 2], [by("jane", OLD), by("sam", LIVE)], ["jane", "sam"]),
        ([1, 2], [by("jane", OLD), by("jane", ABSENT), by("sam", LIVE)], ["sam"]),
        ([1, 2], [by("jane", UNKNOWN, "create"), by("sam", LIVE)], ["sam"]),
        ({"a": 1, "b": 2}, [by("git", parts("", ""), "create"), by("jane", parts("1", "")), by("sam", parts("1", "2"))],
         ["jane", "sam"]),
        ({"a": 1, "b": 2}, [by("jane", parts("3", "2"), "create"), by("sam", parts("1", "2"))], ["jane", "sam"]),
        ({"a": 1, "b": 2}, [by("jane", parts("3", "3"), "create"), by("sam", parts("1", "2"))], ["sam", "sam"]),
        # Which parts a write set is unknown if it is the first one.
        ({"a": 1, "b": 2}, [by("jane", parts("3", "3")), by("sam", parts("1", "2"))], ["jane", "sam", "sam"]),
        ({"a": 1, "b": 2}, [by("jane", parts("1", "2"), "create"), by("sam", parts("1", ""))], ["jane", "jane", "sam"]),
    ],
)  # fmt: skip
def test_each_part_of_an_added_value_is_by_who_set_it_last(
    live: Json, writes: list[Write], expected: list[str]
) -> None:
    assert setters(Change.ADDED, live, *writes) == expected


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        ([("editor", 0)], ["jane"]),
        ([("editor", None)], ["jane"]),
        ([("editor", 1)], []),
        ([("other", 0)], []),
        ([("other", 0), ("editor", 0)], ["jane"]),
    ],
)
def test_the_log_must_have_the_last_write_of_an_owner(
    owners: list[tuple[str, int | None]], expected: list[str]
) -> None:
    actors = tuple(
        Actor(manager, "Update", None, None if second is None else rfc3339(START + timedelta(seconds=second)))
        for manager, second in owners
    )

    assert setters(Change.CHANGED, 2, by("jane", LIVE), actors=actors) == expected


def test_a_write_has_one_effect_per_finding() -> None:
    both = by("jane", effects=(UNTOUCHED, LIVE))

    histories = [ValueHistory(finding(Change.CHANGED, 2), index, [both], lambda _: False) for index in (0, 1)]

    assert [list(history.setters()) for history in histories] == [[], [both]]
