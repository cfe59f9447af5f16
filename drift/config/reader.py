"""Reads ``drift.yaml`` as `Settings`. Errors give line and column. ``schema/`` has the same rules as a JSON Schema."""

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Any, Final, TypeVar

from drift.config.settings import (
    DRIFT_CAUSES,
    RELEASE_NAME,
    IgnoreRule,
    RequestKind,
    Settings,
    SeverityRule,
    SkippedKind,
    SourceRequest,
)
from drift.documents.files import read_file
from drift.documents.parse import read_documents
from drift.errors import ConfigError, ManifestError
from drift.globs import FileGlob, Glob, PathGlob
from drift.model import Cause, Change, Severity, Unmanaged
from drift.objects import Json
from drift.words import did_you_mean

#: The file in the current folder that is read if the user names none.
DEFAULT_FILE: Final = "drift.yaml"


def load_settings(file: str | None) -> Settings:
    """Loads the settings from a file.

    Args:
        file: The file that the user named; None for `DEFAULT_FILE`, which is optional.

    Raises:
        ConfigError: The named file does not exist, or the file is invalid.
    """
    path = Path(file if file is not None else DEFAULT_FILE)
    try:
        text = read_file(path, named=file is not None)
    except FileNotFoundError:
        if file is None:
            return Settings()
        raise ConfigError(f"--config {path}: no such file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    return parse_settings(text, str(path))


def parse_settings(text: bytes, name: str) -> Settings:
    """Parses settings.

    Args:
        text: YAML or JSON.
        name: The name of the file, for error messages.

    Raises:
        ConfigError: The settings are invalid.
    """
    try:
        documents = list(read_documents(text, name))
    except ManifestError as error:
        raise ConfigError(str(error)) from None
    if len(documents) > 1:
        raise ConfigError(f"{name}:{documents[1].line}:1: a second YAML document; settings must be a single document")
    if documents and documents[0].repeated_keys:
        raise ConfigError(f"{name}:{documents[0].repeated_keys[0]}: this key is given twice; remove one of them")
    try:
        return read_settings(documents[0].value if documents else None)
    except SettingError as error:
        # Imported only here: it needs PyYAML, and most settings are valid.
        from drift.documents.exact_yaml import locate  # noqa: PLC0415

        found = locate(text, error.place)
        place = f"{name}:{found[0]}:{found[1]}" if found else name
        raise ConfigError(f"{place}: {error}") from None


#: The keys of mappings and indexes of lists from the root to a setting.
Place = tuple[str | int, ...]

_Enum = TypeVar("_Enum", bound=StrEnum)
_Item = TypeVar("_Item")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_OPTIONAL_GLOBS: Final = ("group", "kind", "namespace", "name", "manager")


class SettingError(Exception):
    """An invalid setting.

    Attributes:
        place: Its place.
    """

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"{render_place(place)}: {problem}" if place else problem)
        self.place = place


def render_place(place: Place) -> str:
    """Returns ``ignore[0].path``."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of ``drift.yaml``, with a description of every setting."""
    text = resources.files(__package__).joinpath("schema/drift-config-v1.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def read_settings(value: Json) -> Settings:
    """Reads the settings.

    Args:
        value: The parsed file; None for an empty file.

    Raises:
        SettingError: A setting is unknown or invalid.
    """
    fields = _mapping({} if value is None else value, (), KEYS)
    exit_fields = _mapping({} if fields.get("exit") is None else fields["exit"], ("exit",), EXIT_KEYS)
    flux_fields = _mapping({} if fields.get("flux") is None else fields["flux"], ("flux",), FLUX_KEYS)
    argocd_fields = _mapping({} if fields.get("argocd") is None else fields["argocd"], ("argocd",), ARGOCD_KEYS)
    return Settings(
        ignore=_items(fields, "ignore", (), _ignore_rule),
        severity=_items(fields, "severity", (), read_severity_rule),
        appliers=_items(fields, "appliers", (), _full_name),
        controllers=_items(fields, "controllers", (), _nonempty_text),
        syncers=_items(fields, "syncers", (), _user),
        unchecked=_items(fields, "unchecked", (), _skipped_kind),
        exit_causes=frozenset(_items(exit_fields, "causes", ("exit",), _exit_cause))
        if exit_fields.get("causes") is not None
        else DRIFT_CAUSES,
        exit_severity=_enum_value(exit_fields["severity"], ("exit", "severity"), Severity)
        if "severity" in exit_fields
        else Severity.INFO,
        unmanaged=_unmanaged(fields["unmanaged"], ("unmanaged",)) if "unmanaged" in fields else Unmanaged.NAMESPACE,
        exclude=_items(fields, "exclude", (), _file_glob),
        sources=_items(fields, "sources", (), _source),
        reads_flux_secrets=_boolean(flux_fields["readSecrets"], ("flux", "readSecrets"))
        if "readSecrets" in flux_fields
        else False,
        argocd_this_cluster=_items(argocd_fields, "thisCluster", ("argocd",), _nonempty_text)
        if argocd_fields.get("thisCluster") is not None
        else None,
    )


KEYS: Final = frozenset(
    {
        *("ignore", "severity", "appliers", "controllers", "syncers", "unchecked", "exit", "unmanaged", "exclude"),
        *("sources", "flux", "argocd"),
    }
)
FLUX_KEYS: Final = frozenset({"readSecrets"})
ARGOCD_KEYS: Final = frozenset({"thisCluster"})
EXIT_KEYS: Final = frozenset({"causes", "severity"})
IGNORE_KEYS: Final = frozenset({*_OPTIONAL_GLOBS, "path", "cause", "reason", "expires"})
SEVERITY_KEYS: Final = frozenset({"group", "kind", "path", "change", "cause", "severity", "reason"})
UNCHECKED_KEYS: Final = frozenset({"group", "kind", "reason"})
#: What a source is, by the key that names it.
SOURCE_KINDS: Final[Mapping[str, RequestKind]] = {kind.value: kind for kind in RequestKind}
CHART_KEYS: Final = frozenset({"release", "namespace", "values", "set"})
SOURCE_KEYS: Final = frozenset({*SOURCE_KINDS, *CHART_KEYS})


def _ignore_rule(value: Json, place: Place) -> IgnoreRule:
    fields = _mapping(value, place, IGNORE_KEYS, required=("reason",))
    if not fields.keys() - {"reason", "expires"}:
        raise SettingError(place, "would ignore everything; set at least a kind, a path or a manager")
    (*_, index) = place
    return IgnoreRule(
        number=int(index) + 1,
        reason=_nonempty_text(fields["reason"], (*place, "reason")),
        **{name: _optional(fields, name, place, _glob) for name in _OPTIONAL_GLOBS},
        path=_optional(fields, "path", place, _path),
        cause=_optional(fields, "cause", place, _cause),
        expires=_optional(fields, "expires", place, _date),
    )


def read_severity_rule(value: Json, place: Place) -> SeverityRule:
    """Reads a severity rule of the user or of the shipped table.

    Raises:
        SettingError: The rule is invalid.
    """
    fields = _mapping(value, place, SEVERITY_KEYS, required=("severity",))
    return SeverityRule(
        severity=_enum_value(fields["severity"], (*place, "severity"), Severity),
        group=_optional(fields, "group", place, _glob),
        kind=_optional(fields, "kind", place, _glob),
        path=_optional(fields, "path", place, _path),
        change=_optional(fields, "change", place, lambda text, at: _enum_value(text, at, Change)),
        cause=_optional(fields, "cause", place, _cause),
        reason=_optional(fields, "reason", place, _nonempty_text),
    )


def _skipped_kind(value: Json, place: Place) -> SkippedKind:
    fields = _mapping(value, place, UNCHECKED_KEYS, required=("kind", "reason"))
    return SkippedKind(
        kind=_glob(fields["kind"], (*place, "kind")),
        reason=_nonempty_text(fields["reason"], (*place, "reason")),
        group=_optional(fields, "group", place, _glob),
    )


def _source(value: Json, place: Place) -> SourceRequest:
    fields = _mapping(value, place, SOURCE_KEYS)
    [kind, *more] = [key for key in SOURCE_KINDS if key in fields] or [""]
    if not kind or more:
        raise SettingError(place, f"names no source or several: give one of {', '.join(SOURCE_KINDS)}")
    if kind != "path" and fields.keys() & CHART_KEYS:
        raise SettingError(place, f"{', '.join(sorted(fields.keys() & CHART_KEYS))} are for a chart, so they need path")
    target = _nonempty_text(fields[kind], (*place, kind))
    if kind != "path" and not RELEASE_NAME.fullmatch(target):
        raise SettingError((*place, kind), f"{target!r} is not all, NAME or NAMESPACE/NAME")
    return SourceRequest(
        SOURCE_KINDS[kind],
        target,
        release=_optional(fields, "release", place, _nonempty_text),
        namespace=_optional(fields, "namespace", place, _nonempty_text),
        values=_items(fields, "values", place, _nonempty_text),
        set_values=_items(fields, "set", place, _nonempty_text),
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
        # A list whose items are all commented out.
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


def _nonempty_text(value: Json, place: Place) -> str:
    text = _string(value, place)
    if not text.strip():
        raise SettingError(place, "is empty; give a reason" if place[-1] == "reason" else "is empty")
    return text


def _full_name(value: Json, place: Place) -> str:
    name = _nonempty_text(value, place)
    if "*" in name:
        raise SettingError(place, f"{name!r}: give the full name of the applier, without *")
    return name


def _glob(value: Json, place: Place) -> Glob:
    return Glob(_string(value, place))


def _user(value: Json, place: Place) -> Glob:
    return Glob(_nonempty_text(value, place))


def _file_glob(value: Json, place: Place) -> FileGlob:
    return FileGlob(_nonempty_text(value, place))


def _path(value: Json, place: Place) -> PathGlob:
    try:
        return PathGlob(_string(value, place))
    except ValueError as error:
        raise SettingError(place, str(error)) from None


def _cause(value: Json, place: Place) -> Cause:
    return _enum_value(value, place, Cause)


def _exit_cause(value: Json, place: Place) -> Cause:
    cause = _cause(value, place)
    if cause not in DRIFT_CAUSES:
        raise SettingError(place, f"{str(cause)!r}: changes by controllers are not drift and never set the exit status")
    return cause


def _unmanaged(value: Json, place: Place) -> Unmanaged:
    # YAML reads a bare `off` as false.
    return Unmanaged.OFF if value is False else _enum_value(value, place, Unmanaged)


def _date(value: Json, place: Place) -> date:
    text = _string(value, place)
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise SettingError(place, f"{text!r} is not a date; write it as 2027-01-31")


def _boolean(value: Json, place: Place) -> bool:
    if isinstance(value, bool):
        return value
    raise SettingError(place, f"must be true or false, not {_describe(value)}")


def _enum_value(value: Json, place: Place, values: type[_Enum]) -> _Enum:
    text = _string(value, place)
    try:
        return values(text)
    except ValueError:
        raise SettingError(place, f"{text!r} is not a valid value{did_you_mean(text, values)}") from None


def _describe(value: Json) -> str:
    if isinstance(value, bool):
        return f"{str(value).lower()} (quote it to make it a string)"
    if isinstance(value, int | float):
        return f"the number {value} (quote it to make it a string)"
    if value is None:
        return "empty"
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
