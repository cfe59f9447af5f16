"""Environments with one setting changed, to see what the setting changes."""

import enum
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from rescan.settings import Environment
from rescan.settings.declaration import MISSING

_KEY = "x"
"""The key of what is added to a mapping."""
_SAMPLES: Mapping[type, object] = {bool: True, int: 1, str: "https://x:1", tuple: (), Mapping: {}}
"""The text is a URL, as some have to be."""


@dataclass(frozen=True)
class Variant:
    """An environment with another value for a setting. It may break rules: it is not for a cluster."""

    setting: str
    """`workload.replicas`, or `configuration.extra[LOG_LEVEL]` for an entry of a mapping."""
    value: object
    other: object
    environment: Environment

    @property
    def adds(self) -> bool:
        """Whether a list or a mapping has one item more."""
        return isinstance(self.other, tuple | Mapping) and len(self.other) > 0


def with_setting(settings: Any, setting: str, value: object) -> Any:
    """A copy of the settings with another value for one of them, such as `workload.replicas`."""
    name, _, rest = setting.partition(".")
    return replace(settings, **{name: with_setting(getattr(settings, name), rest, value) if rest else value})


def variants(environment: Environment) -> Iterator[Variant]:
    """One or more for each setting: another number or text, another choice, what is optional with and without."""
    for setting, value, declared in settings_of(environment):
        for other in others(value, declared):
            yield Variant(setting, value, other, with_setting(environment, setting, other))
        if isinstance(value, Mapping):
            for key, item in value.items():
                other = _changed_text(item)
                changed = with_setting(environment, setting, {**value, key: other})
                yield Variant(f"{setting}[{key}]", item, other, changed)


def settings_of(owner: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The path, the value and the declared type of each setting, groups before their members."""
    declared = typing.get_type_hints(type(owner), include_extras=True)
    for field in fields(owner):
        value = getattr(owner, field.name)
        yield f"{prefix}{field.name}", value, declared[field.name]
        if is_dataclass(value):
            yield from settings_of(value, f"{prefix}{field.name}.")


def others(value: Any, declared: Any) -> Iterator[Any]:
    """Other values of the type of a setting. They need not have its format."""
    for plain in arms(declared):
        kind = typing.get_origin(plain) or plain
        if isinstance(value, kind):
            yield from _changed(value, plain)
        elif kind is not types.NoneType:
            yield sample(plain)
        elif is_dataclass(value):
            yield None


def _changed(value: Any, plain: Any) -> Iterator[Any]:
    """The value with something more, or another value of its type."""
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, enum.Enum):
        yield next(member for member in type(value) if member is not value)
    elif isinstance(value, int):
        yield value + 1
    elif isinstance(value, str):
        yield _changed_text(value)
    elif isinstance(value, tuple):
        yield (*value, sample(typing.get_args(plain)[0]))
        yield from [()] if value else []
    elif isinstance(value, Mapping):
        yield {**value, _KEY: sample(typing.get_args(plain)[1])}


def _changed_text(text: str) -> str:
    if "://" not in text:
        return f"{text}x"
    parts = urlsplit(text)
    return parts._replace(netloc="x.example.com:1", path=f"{parts.path}/x").geturl()


def sample(declared: Any) -> Any:
    """Any value of a type; of a class, with defaults where it has them."""
    plain = arms(declared)[0]
    kind = typing.get_origin(plain) or plain
    if not is_dataclass(kind):
        return next(iter(kind)) if issubclass(kind, enum.Enum) else _SAMPLES[kind]
    hints = typing.get_type_hints(kind, include_extras=True)
    settings: Any = kind
    made = settings()
    required = [field.name for field in fields(made) if getattr(made, field.name) is MISSING]
    return replace(made, **{name: sample(hints[name]) for name in required})


def arms(declared: Any) -> tuple[Any, ...]:
    """The types of a union, without formats; of any other type, that type."""
    if typing.get_origin(declared) is typing.Annotated:
        return arms(declared.__origin__)
    if typing.get_origin(declared) in (types.UnionType, typing.Union):
        return tuple(plain for arm in typing.get_args(declared) for plain in arms(arm))
    return (declared,)
