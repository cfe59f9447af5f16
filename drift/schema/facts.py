"""What the API server does that its OpenAPI document does not say: defaults, and which zero values it drops.

The data is learnt from a real API server and from the Go types of its API by ``python -m tools.learn``, by schema type
and field, so that it serves every kind that embeds a type.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from drift.model import Json, Object
from drift.schema.conditional import DEFAULTS_WITHIN, RULES
from drift.schema.shipped import compact_schemas
from drift.schema.types import ABSENT, Shape, Type

_UNSTABLE: Final = re.compile(r"(io\.k8s\.[\w.-]+\.v\d+)(?:alpha|beta)\d+(\.\w+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about built-in types.

    Attributes:
        defaults: What the server fills in where a field is absent: schema type -> field -> value.
        pointers: The fields whose zero value or empty object the server keeps: schema type -> fields. A type that is
            not a key is not a built-in one; its zeros are all kept.
        declared: The fields that the types had when the facts were learnt: schema type -> fields. A type that is not a
            key has every field that it is asked for.

    An alpha or beta type that the facts do not have is taken for the stable type of the same group and name.
    """

    defaults: Mapping[str, Mapping[str, Json]]
    pointers: Mapping[str, frozenset[str]]
    declared: Mapping[str, frozenset[str]] = field(default_factory=dict)

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
        type_name = self._known_name(parent.name)
        within = DEFAULTS_WITHIN.get((type_name, holder), {})
        if field in within:
            return within[field]
        rule = RULES.get((type_name, field))
        if rule is not None:
            return rule(beside)
        known = self.defaults.get(type_name)
        if known is not None and field in known:
            return known[field]
        return parent.field(field).default

    def is_omitempty(self, parent: Type, field: str) -> bool:
        """Whether the server cannot tell a field's zero value (false, 0, "", an empty object) from its absence.

        A field that is not declared is of another version of Kubernetes. It may be a pointer with a default that is not
        zero, so its zero value has to count.
        """
        type_name = self._known_name(parent.name)
        pointers = self.pointers.get(type_name)
        if pointers is None or field in pointers:
            return False
        declared = self.declared.get(type_name)
        return declared is None or field in declared

    def _known_name(self, name: str) -> str:
        if name in self.pointers:
            return name
        stable = _stable_name(name)
        return stable if stable in self.pointers else name


@lru_cache(maxsize=4096)
def _stable_name(name: str) -> str:
    """``io.k8s.api.autoscaling.v2.X`` for ``io.k8s.api.autoscaling.v2beta1.X``; a stable name as it is."""
    unstable = _UNSTABLE.fullmatch(name)
    return name if unstable is None else unstable[1] + unstable[2]


@cache
def known_facts() -> Facts:
    """The facts that are shipped."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("data/facts.json").read_text("utf-8"))
    return Facts(
        defaults=data["defaults"],
        pointers={name: frozenset(fields) for name, fields in data["pointers"].items()},
        declared={
            name: frozenset(schema["properties"])
            for name, schema in compact_schemas()["components"]["schemas"].items()
            if "properties" in schema
        },
    )
