"""How settings and props are declared: as frozen dataclasses that also keep what they cannot use.

A plain dataclass ends at the first misspelt or missing keyword, and an enum at a misspelt member. These take them, and
`rescan.rules` reports them together with every other mistake.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import EnumType, StrEnum
from typing import TYPE_CHECKING, Any, TypeVar, dataclass_transform

T = TypeVar("T")


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Any = _Missing()
"""The value of a setting that has no default and was not given."""


@dataclass(frozen=True)
class Misspelt:
    """A member that an enum of settings does not have."""

    choices: type[StrEnum]
    name: str

    def __repr__(self) -> str:
        """As it is written in the settings: `PullPolicy.ALWAS`."""
        return f"{self.choices.__name__}.{self.name}"


class _Choices(EnumType):
    # Not for mypy, which would no longer find what is misspelt.
    if not TYPE_CHECKING:

        def __getattr__(cls, name: str) -> StrEnum | Misspelt:
            if name.startswith("_"):
                raise AttributeError(name)
            return cls.__members__.get(name) or Misspelt(cls, name)


class Choice(StrEnum, metaclass=_Choices):
    """A setting with a few values. A misspelt one is reported together with every other mistake."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(dataclasses.field,))
def props(cls: type[T]) -> type[T]:
    """A frozen dataclass whose fields are given by keyword; `unknown` returns the keywords that it does not have."""
    made = dataclass(frozen=True, kw_only=True)(cls)
    fields = {field.name: field for field in dataclasses.fields(made)}  # type: ignore[arg-type]  # it is a dataclass now
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    initialize: Any = made.__init__

    def __init__(self: T, **given: object) -> None:  # noqa: N807  # it is the method
        known = {name: value for name, value in given.items() if name in fields}
        initialize(self, **dict.fromkeys(required, MISSING) | known)
        object.__setattr__(self, "_unknown", {name: given[name] for name in given.keys() - known.keys()})

    made.__init__ = __init__  # type: ignore[method-assign,assignment]
    return made


def unknown(settings: object) -> Mapping[str, object]:
    """The keywords that the class of `settings` does not have, with their values."""
    found: Mapping[str, object] = getattr(settings, "_unknown", {})
    return found
