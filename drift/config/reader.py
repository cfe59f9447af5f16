"""The JSON value of a ``drift.yaml`` into `Settings`; ``schema/`` has the same rules as a JSON Schema, for editors."""

import re
from collections.abc import Callable, Collection
from datetime import date
from enum import StrEnum
from typing import Final, TypeVar

from drift.config.settings import DRIFT_CAUSES, IgnoreRule, Settings, SeverityRule, SkippedKind
from drift.globs import Glob, PathGlob
from drift.model import Cause, Change, Json, Severity, Unmanaged
from drift.spelling import did_you_mean

#: From the root down: a key of a mapping or an index of a list.
Place = tuple[str | int, ...]

_Word = TypeVar("_Word", bound=StrEnum)
_Item = TypeVar("_Item")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OPTIONAL_GLOBS: Final = ("group", "kind", "namespace", "name", "manager")


class SettingError(Exception):
    """One setting that cannot be.

    Attributes:
        place: Where it is.
    """

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"{render_place(place)}: {problem}" if place else problem)
        self.place = place


def render_place(place: Place) -> str:
    """``ignore[0].path``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def read_settings(value: Json) -> Settings:
    """Settings from the content of a file.

    Args:
        value: As parsed; None for an empty file.

    Raises:
        SettingError: A setting is unknown or is not as it should be.
    """
    fields = _mapping({} if value is None else value, (), KEYS)
    exit_fields = _mapping({} if fields.get("exit") is None else fields["exit"], ("exit",), EXIT_KEYS)
    return Settings(
        ignore=_items(fields, "ignore", (), _ignore_rule),
        severity=_items(fields, "severity", (), read_severity_rule),
        appliers=_items(fields, "appliers", (), _full_name),
        controllers=_items(fields, "controllers", (), _text),
        unchecked=_items(fields, "unchecked", (), _unchecked),
        exit_causes=frozenset(_items(exit_fields, "causes", ("exit",), _exit_cause))
        if exit_fields.get("causes") is not None
        else DRIFT_CAUSES,
        unmanaged=_unmanaged(fields["unmanaged"], ("unmanaged",)) if "unmanaged" in fields else Unmanaged.NAMESPACE,
    )


KEYS: Final = frozenset({"ignore", "severity", "appliers", "controllers", "unchecked", "exit", "unmanaged"})
EXIT_KEYS: Final = frozenset({"causes"})
IGNORE_KEYS: Final = frozenset({*_OPTIONAL_GLOBS, "path", "cause", "reason", "expires"})
SEVERITY_KEYS: Final = frozenset({"group", "kind", "path", "change", "cause", "severity", "reason"})
UNCHECKED_KEYS: Final = frozenset({"group", "kind", "reason"})


def _ignore_rule(value: Json, place: Place) -> IgnoreRule:
    fields = _mapping(value, place, IGNORE_KEYS, required=("reason",))
    if not fields.keys() - {"reason", "expires"}:
        raise SettingError(
            place, "names nothing, so it would ignore everything; name at least a kind, a path or a manager"
        )
    (*_, index) = place
    return IgnoreRule(
        number=int(index) + 1,
        reason=_text(fields["reason"], (*place, "reason")),
        **{name: _optional(fields, name, place, _glob) for name in _OPTIONAL_GLOBS},
        path=_optional(fields, "path", place, _path),
        cause=_optional(fields, "cause", place, _cause),
        expires=_optional(fields, "expires", place, _date),
    )


def read_severity_rule(value: Json, place: Place) -> SeverityRule:
    """One severity rule, of the user or of the shipped table.

    Raises:
        SettingError: It is not as it should be.
    """
    fields = _mapping(value, place, SEVERITY_KEYS, required=("severity",))
    return SeverityRule(
        severity=_word(fields["severity"], (*place, "severity"), Severity),
        group=_optional(fields, "group", place, _glob),
        kind=_optional(fields, "kind", place, _glob),
        path=_optional(fields, "path", place, _path),
        change=_optional(fields, "change", place, lambda text, where: _word(text, where, Change)),
        cause=_optional(fields, "cause", place, _cause),
        reason=_optional(fields, "reason", place, _text),
    )


def _unchecked(value: Json, place: Place) -> SkippedKind:
    fields = _mapping(value, place, UNCHECKED_KEYS, required=("kind", "reason"))
    return SkippedKind(
        kind=_glob(fields["kind"], (*place, "kind")),
        reason=_text(fields["reason"], (*place, "reason")),
        group=_optional(fields, "group", place, _glob),
    )


def _mapping(value: Json, place: Place, known: Collection[str], required: Collection[str] = ()) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise SettingError(place, f"must be a mapping, not {_describe(value)}")
    for name in value:
        if name not in known:
            raise SettingError((*place, name), f"is not a setting{did_you_mean(name, known)}")
    for name in required:
        if name not in value:
            raise SettingError(place, f"{name} is missing")
    return value


def _items(fields: dict[str, Json], name: str, place: Place, read: Callable[[Json, Place], _Item]) -> tuple[_Item, ...]:
    value = fields.get(name)
    if value is None:
        # What is left of a list whose items are all commented out.
        return ()
    if not isinstance(value, list):
        raise SettingError((*place, name), f"must be a list, not {_describe(value)}")
    return tuple(read(item, (*place, name, index)) for index, item in enumerate(value))


def _optional(fields: dict[str, Json], name: str, place: Place, read: Callable[[Json, Place], _Item]) -> _Item | None:
    return read(fields[name], (*place, name)) if name in fields else None


def _string(value: Json, place: Place) -> str:
    if not isinstance(value, str):
        raise SettingError(place, f"must be a string, not {_describe(value)}")
    return value


def _text(value: Json, place: Place) -> str:
    text = _string(value, place)
    if not text.strip():
        raise SettingError(place, "is empty; say why" if place[-1] == "reason" else "is empty")
    return text


def _full_name(value: Json, place: Place) -> str:
    name = _text(value, place)
    if "*" in name:
        raise SettingError(place, f"{name!r}: an applier is named in full, without *")
    return name


def _glob(value: Json, place: Place) -> Glob:
    return Glob(_string(value, place))


def _path(value: Json, place: Place) -> PathGlob:
    try:
        return PathGlob(_string(value, place))
    except ValueError as error:
        raise SettingError(place, str(error)) from None


def _cause(value: Json, place: Place) -> Cause:
    return _word(value, place, Cause)


def _exit_cause(value: Json, place: Place) -> Cause:
    cause = _cause(value, place)
    if cause not in DRIFT_CAUSES:
        raise SettingError(place, f"{str(cause)!r}: a controller's work is no drift and never sets the exit status")
    return cause


def _unmanaged(value: Json, place: Place) -> Unmanaged:
    # YAML reads a bare `off` as false.
    return Unmanaged.OFF if value is False else _word(value, place, Unmanaged)


def _date(value: Json, place: Place) -> date:
    text = _string(value, place)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise SettingError(place, f"{text!r} is not a day; write it as 2027-01-31")


def _word(value: Json, place: Place, words: type[_Word]) -> _Word:
    text = _string(value, place)
    try:
        return words(text)
    except ValueError:
        raise SettingError(place, f"{text!r} is not known{did_you_mean(text, words)}") from None


def _describe(value: Json) -> str:
    if isinstance(value, bool):
        return f"{str(value).lower()} (quote it if a string is meant)"
    if isinstance(value, int | float):
        return f"the number {value} (quote it if a string is meant)"
    if value is None:
        return "empty"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
