"""A short proof that an object is in sync, for the many that are.

It looks at the two objects as they were read, without normalizing them. What it needs to be true is more than being in
sync, so where it fails nothing is said and the whole comparison decides. Where it holds, the comparison would find
nothing:

1. everything that Git has is in the live object, equal to the letter and in the same places, so nothing is changed,
   removed or reordered;
2. everything that a field manager owns in the live object is in Git too, is a default, or is somebody's bookkeeping,
   so nothing is added.

The tests run the comparison after every proof that holds, and let them never disagree.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import orjson

from drift.compare.normalize import SERVER_METADATA
from drift.gitops.managers import NO_OTHERS, ManagerName, Managers, Role, Roles, assign_roles
from drift.gitops.tracking import ReservedMetadata
from drift.model import LAST_APPLIED, Actor, Json, Object
from drift.schema.allocated import ALLOCATED, NOT_IN_TEMPLATES, SCALED
from drift.schema.facts import Facts
from drift.schema.types import ABSENT, Shape, Type

_IDENTITY: Final = frozenset({"apiVersion", "kind", "metadata", "status"})
_NAMES: Final = frozenset({"name", "namespace"})
_MARKED: Final = ("annotations", "labels")
#: What of an entry of managedFields is a text, if it is there.
_TEXTS: Final = ("manager", "operation", "subresource", "time", "apiVersion")
_ALWAYS_ALLOCATED: Final = ALLOCATED - NOT_IN_TEMPLATES


class InSyncProof:
    """Proves for one object after the other; what it learns of field managers is kept.

    Args:
        facts: What the server does beyond its schema.
        reserved: The labels and annotations that syncers and Kubernetes put on objects.
        managers: The user's field managers, and the inferred applier.
    """

    def __init__(self, facts: Facts, reserved: ReservedMetadata, managers: Managers = NO_OTHERS) -> None:
        self._facts = facts
        self.reserved = reserved
        self._owned = {role: _Owned(facts, reserved, role) for role in Role}
        self.managers = managers
        self._roles: dict[tuple[tuple[ManagerName, ...], bool], Roles] = {}

    def holds(
        self, desired: Object, live: Object, synced: Object | None, last_applied: Object | None, schema: Type
    ) -> bool:
        """Whether a comparison would find nothing, as far as can be told at a glance.

        Args:
            desired: The manifest; a Secret with its values redacted.
            live: The live object in the same version, redacted likewise.
            synced: The manifest at the revision that was last synced, redacted likewise; None where it is not known.
            last_applied: What the last-applied annotation holds, redacted likewise; None without one.
            schema: The kind's type.
        """
        try:
            return (
                self._has_all(desired, live, schema)
                and self._is_at_its_scale(desired, live, schema)
                and self._owns_nothing_else(desired, live, synced, last_applied, schema)
            )
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
            # Not as the API server writes objects: for the comparison to say.
            return False

    # -- everything desired is there

    def _has_all(self, desired: Object, live: Object, schema: Type) -> bool:
        if "deletionTimestamp" in live["metadata"]:
            return False
        own = {name: value for name, value in desired.items() if name not in _IDENTITY}
        metadata = {name: value for name, value in desired["metadata"].items() if name not in _NAMES}
        return self._fields(metadata, live["metadata"], schema.field("metadata"), strict=False) and self._fields(
            own, live, schema, strict=False
        )

    def _fields(self, desired: Object, live: Object, schema: Type, *, strict: bool) -> bool:
        """Whether each desired field is live; with ``strict``, no other one either."""
        if strict and len(desired) != len(live):
            return False
        for name, wanted in desired.items():
            present = live.get(name, ABSENT)
            kind = type(wanted)
            if kind is not type(present) or (not wanted and self._may_mean_nothing(wanted, schema, name)):
                return False
            if kind is dict:
                child = schema.field(name)
                if not self._fields(wanted, present, child, strict=strict or child.atomic):
                    return False
            elif kind is list:
                if not self._list(wanted, present, schema.field(name), strict=strict):
                    return False
            elif wanted != present:
                return False
        return True

    def _may_mean_nothing(self, value: Json, parent: Type, name: str) -> bool:
        """Whether an empty value may be the same as none: then its owner owns what the comparison does not see."""
        if value is None or isinstance(value, list):
            return True
        return self._facts.is_omitempty(parent, name) or (
            isinstance(value, dict) and parent.field(name).shape is Shape.MAP
        )

    def _list(self, desired: list[Json], live: list[Json], schema: Type, *, strict: bool) -> bool:
        if len(desired) != len(live):
            return False
        if schema.shape is Shape.LIST_MAP:
            return self._keyed(desired, live, schema, strict=strict)
        if schema.shape is Shape.SET and len(set(desired)) != len(desired):
            return False
        items = schema.items
        return all(self._item(wanted, present, items) for wanted, present in zip(desired, live, strict=True))

    def _item(self, wanted: Json, present: Json, schema: Type) -> bool:
        """An item of a list that is owned as a whole."""
        kind = type(wanted)
        if kind is not type(present):
            return False
        if kind is dict:
            return self._fields(wanted, present, schema, strict=True)
        if kind is list:
            return self._list(wanted, present, schema, strict=True)
        return bool(wanted == present)

    def _keyed(self, desired: list[Json], live: list[Json], schema: Type, *, strict: bool) -> bool:
        items, seen = schema.items, set()
        for wanted, present in zip(desired, live, strict=True):
            key = self._key(wanted, schema)
            if key is None or key != self._key(present, schema) or key in seen:
                return False
            seen.add(key)
            if not self._fields(wanted, present, items, strict=strict or items.atomic):
                return False
        return True

    def _key(self, item: Object, schema: Type) -> tuple[Json, ...] | None:
        parts = []
        for name in schema.keys:
            part = item.get(name)
            if part is None:
                part = self._facts.default(schema.items, name, item)
                if part is ABSENT:
                    return None
            parts.append(part)
        return tuple(parts)

    def _is_at_its_scale(self, desired: Object, live: Object, schema: Type) -> bool:
        """Whether no replicas are live that Git leaves out: they may have been set without leaving an owner."""
        spec = live.get("spec")
        if schema.is_scalable:
            # Any number may be its replicas.
            return self._fields(desired.get("spec", {}), spec or {}, schema.field("spec"), strict=True)
        if not isinstance(spec, dict) or "replicas" not in spec or "replicas" in desired.get("spec", ()):
            return True
        parent = schema.field("spec")
        if (parent.name, "replicas") not in SCALED:
            return True
        return _is_default(self._facts, spec["replicas"], parent, "replicas", spec, "spec")

    # -- everything owned is desired

    def _owns_nothing_else(
        self, desired: Object, live: Object, synced: Object | None, last_applied: Object | None, schema: Type
    ) -> bool:
        entries = live["metadata"].get("managedFields")
        if not entries:
            return False
        roles = self._roles_of(entries, desired["metadata"], live["metadata"])
        if roles is None:
            return False
        version = live.get("apiVersion", desired["apiVersion"])
        for entry, role in zip(entries, roles.of_entry, strict=True):
            if entry["apiVersion"] != version and entry.get("subresource") is None:
                # Its names may be other ones in this version.
                return False
            checked_as = role
            if role is Role.APPLIER and entry["operation"] == "Update" and not roles.is_server_side:
                base = synced or (last_applied if _records(entry) else None)
                if base is not None:
                    # What its request left there beyond Git is admission's work, unless Git had it at the last sync.
                    if not _within(base, desired):
                        return False
                    continue
                # Without a base, defaults and allocated values are set aside as they are for a controller.
                checked_as = Role.CONTROLLER
            if not self._owned[checked_as].is_in_git(entry["fieldsV1"], desired, live, schema):
                return False
        return True

    def _roles_of(self, entries: list[Object], desired: Object, live: Object) -> Roles | None:
        """The role of each entry; None without an applier, or where an entry cannot be relied on.

        Args:
            entries: ``managedFields``.
            desired: The manifest's metadata.
            live: The live object's metadata.
        """
        if any(type(entry.get(name, "")) is not str for entry in entries for name in _TEXTS):
            return None
        names = tuple((entry["manager"], entry["operation"], entry.get("subresource") or None) for entry in entries)
        known = (names, self.reserved.has_tracking(live, desired))
        roles = self._roles.get(known)
        if roles is None:
            actors = [Actor(*name, None) for name in names]
            roles = self._roles[known] = assign_roles(actors, self.managers, has_tracking=known[1])
        return roles if roles.has_applier else None


def _records(entry: Object) -> bool:
    """Whether an entry owns the last-applied annotation."""
    return f"f:{LAST_APPLIED}" in entry["fieldsV1"].get("f:metadata", {}).get("f:annotations", {})


class _Owned:
    """What one field manager owns, held against what Git has. Only for objects that have all that is desired."""

    def __init__(self, facts: Facts, reserved: ReservedMetadata, role: Role) -> None:
        self._facts = facts
        self._reserved = reserved
        self._role = role

    def is_in_git(self, fields: Object, desired: Object, live: Object, schema: Type) -> bool:
        """Whether it is all in Git, or nobody's business.

        Args:
            fields: FieldsV1.
            desired: The manifest.
            live: The live object.
            schema: The kind's type.
        """
        for name, below in fields.items():
            if name == "f:metadata":
                if not self._metadata(below, desired["metadata"], live["metadata"], schema.field("metadata")):
                    return False
            elif name == "f:status":
                if type(below) is not dict:
                    return False
            elif not self._part({name: below}, desired, live, schema, ""):
                return False
        return True

    def _metadata(self, fields: Object, desired: Object, live: Object, schema: Type) -> bool:
        for name, below in fields.items():
            field = name[2:]
            if field in _MARKED:
                wanted, present = desired.get(field, {}), live.get(field)
                for part, nothing in below.items():
                    known = part == "." or part[2:] in wanted or self._is_reserved(field, part[2:], present)
                    if not known or type(nothing) is not dict:
                        return False
            elif (
                name != "."
                and field not in SERVER_METADATA
                and not self._part({name: below}, desired, live, schema, "metadata")
            ):
                return False
        return True

    def _is_reserved(self, field: str, name: str, present: Json) -> bool:
        bookkeeping = self._reserved.bookkeeping[field]
        if name in bookkeeping.exact:
            return True
        value = present.get(name) if isinstance(present, dict) else None
        return self._role is not Role.OTHER and (name in bookkeeping or self._reserved.is_tracking(field, name, value))

    def _part(self, fields: Object, desired: Json, live: Json, schema: Type, holder: str) -> bool:
        """Whether what is owned below a place that both sides have is in Git, or nobody's.

        Args:
            fields: FieldsV1.
            desired: What Git has there.
            live: What the cluster has there.
            schema: The type of both.
            holder: The field that holds the place; "" for an item of a list.
        """
        if isinstance(desired, dict):
            return self._of_object(fields, desired, live, schema, holder)
        return isinstance(desired, list) and self._of_list(fields, desired, live, schema)

    def _of_object(self, fields: Object, desired: Object, live: Object, schema: Type, holder: str) -> bool:
        for element, below in fields.items():
            name = element[2:]
            if element == ".":
                continue
            if element[:2] != "f:" or type(below) is not dict:
                return False
            if name in desired:
                if below and not self._part(below, desired[name], live[name], schema.field(name), name):
                    return False
            elif not self._is_nobodys(name, below, live, schema, holder):
                return False
        return True

    def _of_list(self, fields: Object, desired: list[Json], live: list[Json], schema: Type) -> bool:
        for element, below in fields.items():
            prefix = element[:2]
            if type(below) is not dict:
                return False
            if prefix == "k:":
                at = _position(element, live)
                if below and not self._part(below, desired[at], live[at], schema.items, ""):
                    return False
            elif element != "." and (prefix != "v:" or orjson.loads(element[2:]) not in desired):
                return False
        return True

    def _is_nobodys(self, name: str, below: Object, live: Object, schema: Type, holder: str) -> bool:
        """Whether an owned field that only the live side has is a default or an allocated value."""
        if (schema.name, name) in _ALWAYS_ALLOCATED:
            return self._role is not Role.APPLIER
        value = live[name]
        if not isinstance(value, dict):
            return _is_default(self._facts, value, schema, name, live, holder)
        child = schema.field(name)
        if not value:
            return schema.shape is not Shape.MAP and not child.keeps_empty
        if not below or child.shape is not Shape.STRUCT or child.keeps_empty or child.atomic:
            return False
        return all(
            part == "." or (part[:2] == "f:" and self._is_nobodys(part[2:], parts, value, child, name))
            for part, parts in below.items()
        )


def _is_default(facts: Facts, value: Json, parent: Type, name: str, beside: Object, holder: str) -> bool:  # noqa: PLR0917
    default = facts.default(parent, name, beside, holder)
    return not isinstance(value, dict | list) and type(value) is type(default) and bool(value == default)


def _within(base: Object, desired: Object) -> bool:
    """Whether Git still names everything that it named at the last sync."""
    metadata = {name: value for name, value in base.get("metadata", {}).items() if name not in _NAMES}
    own = {name: value for name, value in base.items() if name not in _IDENTITY}
    return _names_within(metadata, desired["metadata"]) and _names_within(own, desired)


def _names_within(base: Json, desired: Json) -> bool:
    if isinstance(base, dict):
        return isinstance(desired, dict) and all(
            (name in desired and _names_within(below, desired[name])) or (not below and isinstance(below, dict))
            for name, below in base.items()
        )
    if isinstance(base, list):
        return isinstance(desired, list) and len(base) == len(desired) and all(map(_names_within, base, desired))
    return True


def _position(name: str, live: list[Object]) -> int:
    """Where the item stands that an element of FieldsV1 names by its key.

    Raises:
        ValueError: There is none.
    """
    key = _parse_key(name)
    for position, item in enumerate(live):
        if all(item.get(part) == value for part, value in key.items()):
            return position
    raise ValueError(name)


@lru_cache(maxsize=4096)
def _parse_key(name: str) -> Mapping[str, Json]:
    key: dict[str, Json] = orjson.loads(name[2:])
    return key
