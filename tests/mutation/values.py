"""Random values that the OpenAPI type of a field allows; the server may still refuse them."""

import random
from typing import Final

from drift.objects import Json, Object
from tests.mutation.schema import Node

_DEEP: Final = 4
_TEXTS: Final = ("edited", "edited-too", "/edited", "Edited")
# Values for string fields, by field name.
_BY_NAME: Final = {
    "image": ("registry.example.com/edited:1", "registry.example.com/edited", "registry.example.com/edited:latest"),
    "ip": ("192.0.2.77",),
    "cidr": ("192.0.2.0/24",),
    "fieldPath": ("metadata.name", "spec.nodeName"),
    "resource": ("limits.memory", "requests.cpu", "pods"),
    "key": ("edited", "example.com/edited", "mode"),
    "operator": ("Exists", "In", "Equal", "DoesNotExist"),
    "topologyKey": ("kubernetes.io/hostname", "example.com/rack"),
    "expression": ("true", "1 == 1", "object != null"),
    "driver": ("edited.example.com",),
    "apiGroup": ("rbac.authorization.k8s.io", ""),
    "host": ("edited.example.com", "*.example.com"),
    "type": ("Opaque", "ClusterIP", "NodePort", "LoadBalancer", "OnDelete", "Recreate", "edited"),
    "uid": ("00000000-0000-0000-0000-000000000001",),
    "nodeName": ("node-edited",),
    "timeZone": ("Etc/UTC",),
    "schedule": ("7 7 * * *", "@daily"),
}
_NUMBERS: Final = (0, 1, 2, 3, 5, 7, 30, 60, 443, 8081, 12345)
_ANYTHING: Final[tuple[Json, ...]] = (
    *("edited", "", 0, 7, 2.5, True, False, [], {}),
    *([1, "two"], {"edited": True}, {"edited": {"deep/er": ["x"], "zero": 0}}, "1024Mi"),
)
#: Keys of labels and ConfigMaps, including some that need quotes in a path.
MAP_KEYS: Final = ("edited", "example.com/edited.key", "edited.conf", "cpu", "memory", "pods", "ephemeral-storage")


def scalar(schema: Node, name: str, choose: random.Random) -> Json:
    """Returns a value for a leaf."""
    enum = schema.raw.get("enum")
    if enum:
        return choose.choice(enum)
    kind = schema.scalar
    if kind == "boolean":
        return choose.choice((True, False))
    if kind in {"integer", "number"}:
        fraction = (0.25,) if kind == "number" else ()
        return choose.choice((*_NUMBERS, *fraction))
    choices: dict[str, tuple[Json, ...]] = {
        "quantity": ("3", "1500m", "3Gi", "0.5", 7, "2e3", "0"),
        "int-or-string": (7, "7", "30%", "edited", 0),
        "date-time": ("2026-01-02T03:04:05Z",),
        "micro-time": ("2026-01-02T03:04:05.000006Z",),
        "byte": ("ZWRpdGVk", ""),
        "duration": ("90m", "1h30m0s", "45s"),
        "any": _ANYTHING,
    }
    if kind in choices:
        return choose.choice(choices[kind])
    hints = next((texts for hint, texts in _BY_NAME.items() if name.lower().endswith(hint.lower())), ())
    # The empty string means absent to many fields, and has its own meaning in a few.
    return choose.choice((*hints * 2, *_TEXTS, *([""] if choose.random() < 0.3 else [])))


def generate(schema: Node, name: str, choose: random.Random, depth: int = 0) -> Json:
    """Returns a value for any field: its required parts, and some of the others."""
    if schema.is_list:
        if depth and choose.random() < 0.1:
            return []
        return [new_item(schema, name, choose, depth)]
    if schema.is_struct:
        return _struct(schema, choose, depth, schema.required)
    if schema.is_map and schema.values is not None:
        return {choose.choice(MAP_KEYS): generate(schema.values, "", choose, depth + 1)}
    return scalar(schema, name, choose)


def new_item(schema: Node, name: str, choose: random.Random, depth: int = 0) -> Json:
    """Returns a list item with its keys; without them, the server may keep no managedFields."""
    singular = name.removesuffix("s")
    if not schema.keys:
        return generate(schema.items, singular, choose, depth + 1)
    return _struct(schema.items, choose, depth + 1, schema.items.required | set(schema.keys))


def _struct(schema: Node, choose: random.Random, depth: int, required: frozenset[str]) -> Object:
    names = set(required)
    optional = sorted(schema.properties.keys() - names - {"apiVersion", "kind", "status"})
    if optional and depth < _DEEP:
        names |= set(choose.sample(optional, min(len(optional), choose.choice((0, 1, 1, 2)))))
    return {name: generate(schema.below(name), name, choose, depth + 1) for name in sorted(names)}
