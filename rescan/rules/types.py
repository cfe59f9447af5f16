"""Whether each setting has a value of its declared type, which Python itself does not check.

Other rules may rely on it: where this one is broken, they are not asked.
"""

import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from rescan.rules.model import Breach
from rescan.settings import Environment


def settings_have_their_declared_type(environment: Environment) -> Iterator[Breach]:
    """A number is no text, and a list is no tuple."""
    yield from _check_fields(environment, "")


def _check_fields(settings: object, prefix: str) -> Iterator[Breach]:
    if not is_dataclass(settings):
        return
    declared = typing.get_type_hints(type(settings))
    for field in fields(settings):
        value, setting = getattr(settings, field.name), f"{prefix}{field.name}"
        if _fits(value, declared[field.name]):
            yield from _check_fields(value, f"{setting}.")
            for place, item in enumerate(value if isinstance(value, tuple) else ()):
                yield from _check_fields(item, f"{setting}[{place}].")
        else:
            yield Breach(setting, value, f"give it a value of type {_name(declared[field.name])}")


def _fits(value: object, declared: typing.Any) -> bool:
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin is types.UnionType or origin is typing.Union:
        return any(_fits(value, argument) for argument in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_fits(item, arguments[0]) for item in value)
    if origin is Mapping:
        key_type, value_type = arguments
        return isinstance(value, Mapping) and all(
            _fits(key, key_type) and _fits(item, value_type) for key, item in value.items()
        )
    if declared is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, declared)


def _name(declared: typing.Any) -> str:
    if isinstance(declared, type) and not typing.get_args(declared):
        return declared.__name__
    return str(declared).replace("collections.abc.", "").replace("typing.", "").replace("rescan.settings.", "")
