"""How settings and props are declared: as frozen dataclasses that also keep what they cannot use.

A plain dataclass ends at the first misspelt or missing keyword. These take both, and `rescan.rules` reports them
together with every other mistake.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Any = _Missing()
"""The value of a setting that has no default and was not given."""


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(dataclasses.field,))
def props(cls: type[T]) -> type[T]:
    """A frozen dataclass whose fields are given by keyword; `unknown` returns the keywords that it does not have."""
    made = dataclasses.dataclass(frozen=True, kw_only=True)(cls)
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
