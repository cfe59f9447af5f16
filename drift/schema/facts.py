"""What the API server does that its OpenAPI document does not say: defaults, and which zero values it drops.

The data is learnt from a real API server and from the Go types of its API by ``python -m tools.learn``, by schema type
and field, so that it serves every kind that embeds a type.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from drift.model import Json, Object
from drift.schema.conditional import DEFAULTS_WITHIN, RULES
from drift.schema.types import ABSENT, Shape, Type


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about built-in types.

    Attributes:
        defaults: What the server fills in where a field is absent: schema type -> field -> value.
        pointers: The fields whose zero value or empty object the server keeps: schema type -> fields. A type that is
            not a key is not a built-in one; its zeros are all kept.
    """

    defaults: Mapping[str, Mapping[str, Json]]
    pointers: Mapping[str, frozenset[str]]

    def default(self, parent: Type, field: str, beside: Object, holder: str = "") -> Json:
        """What the server fills in for a field that is absent; `ABSENT` where it fills in nothing.

        Args:
            parent: The type of the object that the field belongs to.
            field: Its name.
            beside: The object that the field is absent from, on which some defaults depend.
            holder: The field that holds that object; "" where that is not known.
        """
        if parent.shape is Shape.MAP:
            # What the schema calls the default of a map's values fills in no keys.
            return ABSENT
        within = DEFAULTS_WITHIN.get((parent.name, holder), {})
        if field in within:
            return within[field]
        rule = RULES.get((parent.name, field))
        if rule is not None:
            return rule(beside)
        known = self.defaults.get(parent.name)
        if known is not None and field in known:
            return known[field]
        return parent.field(field).default

    def drops_zero(self, parent: Type, field: str) -> bool:
        """Whether the server cannot tell a field's zero value (false, 0, "", an empty object) from its absence."""
        pointers = self.pointers.get(parent.name)
        return pointers is not None and field not in pointers


@cache
def known_facts() -> Facts:
    """The facts that are shipped."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("data/facts.json").read_text("utf-8"))
    return Facts(
        defaults=data["defaults"],
        pointers={name: frozenset(fields) for name, fields in data["pointers"].items()},
    )
