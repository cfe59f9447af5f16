"""A fast check that an object is in sync, which most objects are.

It reads both objects without normalizing them. It is stricter than the comparison: if it fails, the comparison decides;
if it holds, the comparison would find nothing, because

1. the live object has everything that Git has, with identical values at the same positions, so nothing is changed,
   removed or reordered;
2. everything that a field manager owns in the live object is in Git, a default, an allocated value or reserved
   metadata, so nothing is added;
3. Git still has every field that it had at the last sync, so no field without an owner was dropped from Git.

If an object differs, the same check of its Pod template spares the comparison most of the object.

The tests compare every object for which the check holds, and fail if the two disagree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import Final

import orjson

from drift.compare.kind_specifics import POD_SPECS
from drift.compare.normalize import NAME_FIELDS, OBJECT_FIELDS, SERVER_METADATA
from drift.compare.projection import without_tracking_metadata
from drift.gitops.managers import NO_OTHERS, Managers, Role, Roles, assign_roles, has_several_appliers, state_entries
from drift.gitops.tracking import ReservedMetadata
from drift.managed_fields import NAMELESS, ManagerName, manager_names
from drift.model import Actor
from drift.objects import Json, Object
from drift.schema.facts import ALLOCATED, NEVER_ALLOCATED, NOT_IN_TEMPLATES, SCALED, Facts
from drift.schema.types import ABSENT, Shape, Type

_RESERVED_FIELDS: Final = ("annotations", "labels")
_ALWAYS_ALLOCATED: Final = ALLOCATED - NOT_IN_TEMPLATES
#: The path of the Pod spec in the kinds that have a Pod template.
_TEMPLATE_SPECS: Final[Mapping[tuple[str, str], Sequence[str]]] = {
    kind: path for kind, path in POD_SPECS.items() if len(path) > 1
}
#: Stands for a part that is the same in Git and in the cluster.
_EQUAL_PART: Final = "(equal)"


#: What an object raises that is not as the API server writes it. The comparison handles it.
_MALFORMED: Final = (KeyError, TypeError, AttributeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class _Written:
    """What the field managers of an object own.

    Attributes:
        field_sets: FieldsV1 of each entry, with the role that decides what it may own.
        is_server_side: Whether the applier uses server-side apply.
    """

    field_sets: Sequence[tuple[Role, Object]]
    is_server_side: bool


class InSyncProof:
    """Checks objects one after the other, and caches the roles of their field managers.

    Args:
        facts: Defaults and omitempty fields that the schema does not declare.
        reserved: The labels and annotations that appliers and Kubernetes put on objects.
        managers: The user's field managers, and the inferred applier.
    """

    def __init__(self, facts: Facts, reserved: ReservedMetadata, managers: Managers = NO_OTHERS) -> None:
        self._facts = facts
        self.reserved = reserved
        self._owned = {role: _OwnedFields(facts, reserved, role) for role in Role}
        self.managers = managers
        self._roles: dict[tuple[tuple[ManagerName, ...], frozenset[str], tuple[int, ...]], Roles] = {}

    def holds(
        self, desired: Object, live: Object, synced_manifest: Object | None, last_applied: Object | None, schema: Type
    ) -> bool:
        """Whether the check holds. If it does not, the object may still be in sync.

        The values of a Secret must be redacted in all arguments.

        Args:
            desired: The manifest.
            live: The live object in the same version.
            synced_manifest: The manifest at the last synced revision; None if it is not known.
            last_applied: The parsed last-applied annotation; None if there is none.
            schema: The kind's type.
        """
        schema = schema.with_metadata()
        try:
            return (
                self._has_all(desired, live, schema)
                and self._has_no_scaled_replicas(desired, live, schema)
                and _has_no_chosen_value(desired, live, schema)
                and (synced_manifest is None or self._has_fields_of(synced_manifest, desired, schema))
                and self._owns_nothing_else(desired, live, last_applied if synced_manifest is None else None, schema)
            )
        except _MALFORMED:
            return False

    def without_equal_template(
        self, desired: Object, live: Object, synced_manifest: Object | None, last_applied: Object | None, schema: Type
    ) -> tuple[Object, Object, Object | None]:
        """Returns the manifest, the live object and the last-applied annotation, for a comparison that takes less time.

        If the check holds for the spec of the Pod template, each has the same string in its place: it is most of an
        object, and most edits concern another part. Arguments as for `holds`.
        """
        kind = str(desired["apiVersion"]).rpartition("/")[0], str(desired["kind"])
        path = _TEMPLATE_SPECS.get(kind)
        if path is None:
            return desired, live, last_applied
        try:
            if not self._holds_for_part(path, desired, live, synced_manifest, last_applied, schema.with_metadata()):
                return desired, live, last_applied
        except _MALFORMED:
            return desired, live, last_applied
        return (
            _with_equal_part(desired, path),
            _with_equal_part(live, path),
            None if last_applied is None else _with_equal_part(last_applied, path),
        )

    def _holds_for_part(  # noqa: PLR0917
        self,
        path: Sequence[str],
        desired: Object,
        live: Object,
        synced_manifest: Object | None,
        last_applied: Object | None,
        schema: Type,
    ) -> bool:
        written = self._written(desired, live)
        left, right = _part(desired, path), _part(live, path)
        *above, part_schema = accumulate(path, Type.field, initial=schema)
        # A value that is compared as a whole is also shown as a whole.
        is_granular = all(one.shape is Shape.STRUCT and not one.atomic for one in (*above, part_schema))
        if written is None or not is_granular or not isinstance(left, dict) or not isinstance(right, dict):
            return False
        base = last_applied if synced_manifest is None and not written.is_server_side else synced_manifest
        return (
            self._has_fields(left, right, part_schema, strict=False)
            and (base is None or self._contains_fields(_part(base, path), left, part_schema))
            and all(
                self._owned[role].is_part_in_git(path, fields, left, right, part_schema)
                for role, fields in written.field_sets
            )
        )

    # -- the live object has everything that Git has

    def _has_all(self, desired: Object, live: Object, schema: Type) -> bool:
        if "deletionTimestamp" in live["metadata"]:
            return False
        metadata = {name: value for name, value in desired["metadata"].items() if name not in NAME_FIELDS}
        if not self._has_fields(metadata, live["metadata"], schema.field("metadata"), strict=False):
            return False
        own = {name: value for name, value in desired.items() if name not in OBJECT_FIELDS}
        return self._has_fields(own, live, schema, strict=False)

    def _has_fields(self, desired: Object, live: Object, schema: Type, *, strict: bool) -> bool:
        """Whether every desired field is live with the same value and, if ``strict``, there are no other fields."""
        if strict and len(desired) != len(live):
            return False
        for name, value in desired.items():
            live_value = live.get(name, ABSENT)
            kind = type(value)
            if kind is not type(live_value) or (not value and self._may_equal_absence(value, schema, name)):
                return False
            if kind is dict:
                child = schema.field(name)
                is_strict = strict or child.atomic or child.shape is Shape.UNKNOWN
                if not self._has_fields(value, live_value, child, strict=is_strict):
                    return False
            elif kind is list:
                if not self._has_items(value, live_value, schema.field(name), strict=strict):
                    return False
            elif value != live_value:
                return False
        return True

    def _may_equal_absence(self, value: Json, parent: Type, name: str) -> bool:
        """Whether the comparison may treat an empty value in Git as absent, and report the live one as added."""
        if value is None or isinstance(value, list):
            return True
        child = parent.field(name)
        return (
            self._facts.is_omitempty(parent, name)
            or child.replaces_absence
            or (isinstance(value, dict) and child.shape is Shape.MAP)
        )

    def _has_items(self, desired: list[Json], live: list[Json], schema: Type, *, strict: bool) -> bool:
        if len(desired) != len(live):
            return False
        if schema.shape is Shape.LIST_MAP:
            return self._has_keyed_items(desired, live, schema, strict=strict)
        if schema.shape is Shape.SET and len(set(desired)) != len(desired):
            return False
        items = schema.items
        return all(self._has_item(left, right, items) for left, right in zip(desired, live, strict=True))

    def _has_item(self, desired: Json, live: Json, schema: Type) -> bool:
        kind = type(desired)
        if kind is not type(live):
            return False
        if kind is dict:
            return self._has_fields(desired, live, schema, strict=True)
        if kind is list:
            return self._has_items(desired, live, schema, strict=True)
        return bool(desired == live)

    def _has_keyed_items(self, desired: list[Json], live: list[Json], schema: Type, *, strict: bool) -> bool:
        items, seen = schema.items, set()
        for desired_item, live_item in zip(desired, live, strict=True):
            key = self._key(desired_item, schema)
            if key is None or key != self._key(live_item, schema) or key in seen:
                return False
            seen.add(key)
            if not self._has_fields(desired_item, live_item, items, strict=strict or items.atomic):
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

    def _has_no_scaled_replicas(self, desired: Object, live: Object, schema: Type) -> bool:
        """Whether Git sets the live replicas, or they are the default. Scaling may record no owner."""
        spec = live.get("spec")
        if schema.is_scalable:
            # Any integer in spec may be the replicas.
            return self._has_fields(desired.get("spec", {}), spec or {}, schema.field("spec"), strict=True)
        if not isinstance(spec, dict) or "replicas" not in spec or "replicas" in desired.get("spec", ()):
            return True
        parent = schema.field("spec")
        if (parent.name, "replicas") not in SCALED:
            return True
        return _is_scalar_default(self._facts, parent, "replicas", spec, "spec")

    # -- Git has everything that is owned

    def _owns_nothing_else(self, desired: Object, live: Object, last_applied: Object | None, schema: Type) -> bool:
        written = self._written(desired, live)
        if written is None:
            return False
        if last_applied is not None and not written.is_server_side:
            base = without_tracking_metadata(last_applied, self.reserved)
            if not self._has_fields_of(base, desired, schema):
                return False
        return all(self._owned[role].is_in_git(fields, desired, live, schema) for role, fields in written.field_sets)

    def _written(self, desired: Object, live: Object) -> "_Written | None":
        """Returns what each field manager owns; None if the check cannot tell."""
        entries = live["metadata"].get("managedFields")
        roles = self._roles_of(entries, desired["metadata"], live["metadata"]) if entries else None
        if roles is None:
            return None
        version = live.get("apiVersion", desired["apiVersion"])
        field_sets = []
        for entry, role in zip(entries, roles.of_entry, strict=True):
            entry_version = entry["apiVersion"]
            if entry_version != version and (not entry.get("subresource") or type(entry_version) is not str):
                # Its field names may differ from those of this version.
                return None
            # The server recorded the applier as the owner of allocated values too, as it does for a controller.
            is_client_side = role is Role.APPLIER and not roles.is_server_side
            field_sets.append((Role.CONTROLLER if is_client_side else role, entry["fieldsV1"]))
        return _Written(field_sets, is_server_side=roles.is_server_side)

    def _roles_of(self, entries: list[Object], desired_metadata: Object, live_metadata: Object) -> Roles | None:
        """Returns the role of each entry, or None if there is no applier or an entry is malformed."""
        names = manager_names(entries)
        if not names or any(type(entry.get("time", "")) is not str for entry in entries):
            return None
        state = state_entries(names, entries)
        key = (names, self.reserved.programs(live_metadata, desired_metadata), state)
        roles = self._roles.get(key)
        if roles is None:
            actors = [Actor(*name, None) for name in names]
            if NAMELESS in names or has_several_appliers(a for i, a in enumerate(actors) if i not in state):
                # An entry is malformed, or the roles depend on more of the fields.
                return None
            field_sets = [entry["fieldsV1"] for entry in entries]
            roles = self._roles[key] = assign_roles(actors, self.managers, tracked_by=key[1], field_sets=field_sets)
        return roles if roles.has_applier else None

    # -- Git has everything that it had at the last sync

    def _has_fields_of(self, base: Object, desired: Object, schema: Type) -> bool:
        metadata = {name: value for name, value in base.get("metadata", {}).items() if name not in NAME_FIELDS}
        if not self._contains_fields(metadata, desired["metadata"], schema.field("metadata")):
            return False
        own = {name: value for name, value in base.items() if name not in OBJECT_FIELDS}
        return self._contains_fields(own, desired, schema)

    def _contains_fields(self, base: Json, desired: Json, schema: Type) -> bool:
        if isinstance(base, dict):
            return isinstance(desired, dict) and all(
                (name in desired and self._contains_fields(value, desired[name], schema.field(name)))
                or (not value and isinstance(value, dict) and not schema.field(name).replaces_absence)
                for name, value in base.items()
            )
        if isinstance(base, list) and schema.shape is Shape.LIST_MAP:
            items = schema.items
            by_key = {self._key(item, schema): item for item in desired}
            return all(self._contains_fields(item, by_key[self._key(item, schema)], items) for item in base)
        # Any other list is the same in Git and in the cluster.
        return True


class _OwnedFields:
    """Checks what one field manager owns against Git, on objects that have everything that Git has.

    In its methods, ``fields`` and ``children`` are field sets (FieldsV1). ``parent_field`` is the field that holds the
    value; "" for a list item.
    """

    def __init__(self, facts: Facts, reserved: ReservedMetadata, role: Role) -> None:
        self._facts = facts
        self._reserved = reserved
        self._role = role

    def is_in_git(self, fields: Object, desired: Object, live: Object, schema: Type) -> bool:
        """Whether every owned field of an object is in Git, or is one that the comparison ignores."""
        for name, children in fields.items():
            if name == "f:metadata":
                if not self._metadata_in_git(children, desired["metadata"], live["metadata"], schema.field("metadata")):
                    return False
            elif name == "f:status":
                if type(children) is not dict:
                    return False
            elif not self._value_in_git({name: children}, desired, live, schema, ""):
                return False
        return True

    def is_part_in_git(self, path: Sequence[str], fields: Object, desired: Object, live: Object, schema: Type) -> bool:
        """Whether every owned field of a part of an object is in Git, or is one that the comparison ignores.

        Args:
            path: Where the part is.
            fields: What the manager owns of the object.
            desired: The part in Git.
            live: The part of the live object.
            schema: The part's type.
        """
        owned = _part(fields, [f"f:{name}" for name in path])
        return self._value_in_git(owned, desired, live, schema, path[-1])

    def _metadata_in_git(self, fields: Object, desired: Object, live: Object, schema: Type) -> bool:
        for name, children in fields.items():
            field = name[2:]
            if field in _RESERVED_FIELDS:
                in_git, in_cluster = desired.get(field, {}), live.get(field)
                for key, leaf in children.items():
                    known = key == "." or key[2:] in in_git or self._is_reserved(field, key[2:], in_cluster)
                    if not known or type(leaf) is not dict:
                        return False
            elif (
                name != "."
                and field not in SERVER_METADATA
                and not self._value_in_git({name: children}, desired, live, schema, "metadata")
            ):
                return False
        return True

    def _is_reserved(self, field: str, name: str, in_cluster: Json) -> bool:
        if name in self._reserved.any_writer[field]:
            return True
        bookkeeping = self._reserved.bookkeeping[field]
        value = in_cluster.get(name) if isinstance(in_cluster, dict) else None
        return self._role is not Role.OTHER and (name in bookkeeping or self._reserved.is_tracking(field, name, value))

    def _value_in_git(self, fields: Object, desired: Json, live: Json, schema: Type, parent_field: str) -> bool:
        if isinstance(desired, dict):
            return self._object_in_git(fields, desired, live, schema, parent_field)
        return isinstance(desired, list) and self._list_in_git(fields, desired, live, schema)

    def _object_in_git(self, fields: Object, desired: Object, live: Object, schema: Type, parent_field: str) -> bool:
        for element, children in fields.items():
            if element == ".":
                continue
            name = element[2:]
            if element[:2] != "f:" or type(children) is not dict:
                return False
            if name not in desired:
                if not self._is_ignored(name, children, live, schema, parent_field):
                    return False
            elif children and not self._value_in_git(children, desired[name], live[name], schema.field(name), name):
                return False
        return True

    def _list_in_git(self, fields: Object, desired: list[Json], live: list[Json], schema: Type) -> bool:
        key_names: tuple[str, ...] = ()
        positions: dict[tuple[Json, ...], int] = {}
        for element, children in fields.items():
            prefix = element[:2]
            if type(children) is not dict:
                return False
            if prefix == "k:":
                names, key = _parse_key(element)
                if names != key_names:
                    key_names = names
                    positions = {tuple(map(item.get, names)): index for index, item in enumerate(live)}
                index = positions[key]
                if children and not self._value_in_git(children, desired[index], live[index], schema.items, ""):
                    return False
            elif element != "." and (prefix != "v:" or orjson.loads(element[2:]) not in desired):
                return False
        return True

    def _is_ignored(self, name: str, children: Object, live: Object, schema: Type, parent_field: str) -> bool:
        """Whether an owned field that only the live object has is a default or an allocated value."""
        if (schema.name, name) in _ALWAYS_ALLOCATED:
            # What a user owns may be an edit.
            return self._role is Role.CONTROLLER
        value = live[name]
        if not isinstance(value, dict):
            return _is_scalar_default(self._facts, schema, name, live, parent_field)
        child = schema.field(name)
        if not value:
            return schema.shape is not Shape.MAP and not child.empty_has_meaning and not child.replaces_absence
        if not children or child.shape is not Shape.STRUCT or child.empty_has_meaning or child.atomic:
            return False
        return all(
            element == "." or (element[:2] == "f:" and self._is_ignored(element[2:], below, value, child, name))
            for element, below in children.items()
        )


def _has_no_chosen_value(desired: Object, live: Object, schema: Type) -> bool:
    """Whether Git sets each live value that nothing allocates, such as the ``None`` of a headless Service."""
    chosen = NEVER_ALLOCATED.get(schema.field("spec").name)
    if chosen is None:
        return True
    spec, in_git = live.get("spec", {}), desired.get("spec", {})
    return all(spec.get(name) != value or in_git.get(name) == value for name, value in chosen.items())


def _is_scalar_default(facts: Facts, parent: Type, name: str, siblings: Object, parent_field: str) -> bool:
    value, default = siblings[name], facts.default(parent, name, siblings, parent_field)
    return not isinstance(value, dict | list) and type(value) is type(default) and bool(value == default)


@lru_cache(maxsize=4096)
def _parse_key(element: str) -> tuple[tuple[str, ...], tuple[Json, ...]]:
    """Returns the names and values of the key that an element of FieldsV1 gives for a list item."""
    key: dict[str, Json] = orjson.loads(element[2:])
    return tuple(key), tuple(key.values())


def _part(body: Object, path: Sequence[str]) -> Json:
    """Returns the part of an object at a path, or ``{}`` if it has none."""
    part: Json = body
    for name in path:
        part = part.get(name, {})
    return part


def _with_equal_part(body: Object, path: Sequence[str]) -> Object:
    """Returns a copy of an object with `_EQUAL_PART` at a path; the object itself if it has nothing there."""
    name, *rest = path
    below = body.get(name)
    if not isinstance(below, dict):
        return body
    return {**body, name: _with_equal_part(below, rest) if rest else _EQUAL_PART}
