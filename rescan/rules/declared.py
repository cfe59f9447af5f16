"""Whether settings exist, have the type and the format that their class declares, and keep the rules of their class.

It checks an environment's settings as well as the props of a construct.
"""

import contextlib
import difflib
import functools
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace

from rescan.formats import Format
from rescan.rules.model import Breach, rule_name
from rescan.rules.parts import PART_RULES
from rescan.settings.declaration import MISSING, Misspelt, unknown

EXIST = "settings-exist"
TYPE = "settings-have-their-type"
FORMAT = "settings-have-their-format"
DECLARED_RULES = (EXIST, TYPE, FORMAT)

Mistake = tuple[str, Breach]
"""The name of a rule, and what breaks it."""


def mistakes(settings: object, prefix: str = "") -> Iterator[Mistake]:
    """Every setting of an instance of a `props` class, and of those in it, that breaks its declaration.

    `prefix` is put before the names of settings: `workload.`.
    """
    props: typing.Any = type(settings)
    declared = _types(props)
    for name, value in unknown(settings).items():
        near = difflib.get_close_matches(name, declared, n=1)
        fix = f"there is no such setting; did you mean {near[0]}?" if near else "there is no such setting; leave it out"
        yield EXIST, Breach(f"{prefix}{name}", value, fix)
    for field in fields(settings):  # type: ignore[arg-type]  # a dataclass
        yield from _mistakes(getattr(settings, field.name), declared[field.name], f"{prefix}{field.name}")
    for rule in PART_RULES.get(type(settings), ()):
        # A setting of another type or format is reported already, and a rule may rely on them. What the rule finds
        # before it fails counts.
        with contextlib.suppress(AttributeError, KeyError, TypeError, ValueError):
            for breach in rule(settings):
                yield rule_name(rule), replace(breach, setting=f"{prefix}{breach.setting}")


@functools.cache
def _types(props: type) -> Mapping[str, typing.Any]:
    return typing.get_type_hints(props, include_extras=True)


def _mistakes(value: object, declared: typing.Any, setting: str) -> Iterator[Mistake]:
    if value is MISSING:
        yield EXIST, Breach(setting, value, f"give it a value of type {_name(declared)}")
    elif isinstance(value, Misspelt):
        near = difflib.get_close_matches(value.name, value.choices.__members__, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(value.choices.__members__)}"
        yield EXIST, Breach(setting, value, f"there is no such value; {hint}")
    elif not _has_type(value, declared):
        yield TYPE, Breach(setting, value, f"give it a value of type {_name(declared)}")
    else:
        yield from _inner_mistakes(value, declared, setting)


def _inner_mistakes(value: object, declared: typing.Any, setting: str) -> Iterator[Mistake]:
    plain, form = _split(declared)
    arguments = typing.get_args(plain)
    if form is not None:
        if not form.accepts(value):
            yield FORMAT, Breach(setting, value, form.fix)
    elif _is_union(plain):
        # Of several formats of one type, any will do.
        found = [list(_inner_mistakes(value, each, setting)) for each in arguments if _has_type(value, each)]
        yield from min(found, key=len)
    elif isinstance(value, tuple):
        if any(item in value[:place] for place, item in enumerate(value)):
            yield FORMAT, Breach(setting, value, "name each once")
        for place, item in enumerate(value):
            yield from _mistakes(item, arguments[0], f"{setting}[{place}]")
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _mistakes(key, arguments[0], setting)
            yield from _mistakes(item, arguments[1], f"{setting}[{key}]")
    elif is_dataclass(value):
        yield from mistakes(value, f"{setting}.")


def _has_type(value: object, declared: typing.Any) -> bool:
    """Whether a value has the type, without a look at the items in it."""
    plain, _ = _split(declared)
    if _is_union(plain):
        return any(_has_type(value, each) for each in typing.get_args(plain))
    if plain is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, typing.get_origin(plain) or plain)


def _split(declared: typing.Any) -> tuple[typing.Any, Format | None]:
    """The type and the format of an annotated type."""
    form = next((extra for extra in getattr(declared, "__metadata__", ()) if isinstance(extra, Format)), None)
    return (declared.__origin__ if form else declared), form


def _is_union(declared: typing.Any) -> bool:
    return typing.get_origin(declared) in (types.UnionType, typing.Union)


def _name(declared: typing.Any) -> str:
    plain, _ = _split(declared)
    if _is_union(plain):
        return " | ".join(map(_name, typing.get_args(plain)))
    if typing.get_origin(plain) is tuple:
        return f"tuple[{_name(typing.get_args(plain)[0])}, ...]"
    if typing.get_origin(plain) is Mapping:
        return f"Mapping[{', '.join(map(_name, typing.get_args(plain)))}]"
    return "None" if plain is types.NoneType else str(plain.__name__)
