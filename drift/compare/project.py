"""Two normalized trees into two that differ only where there is something to say.

What only the live side has is decided here, by its owner; everything else is carried over. Parts that are equal become
one and the same object on both sides, so that the diff skips them at once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from drift.compare.atomic import Atomic, AtomicValue, is_plain_dict, is_twin, same_scalar, without_filled_in
from drift.compare.normalize import AS_WRITTEN, NULL, ListMap
from drift.compare.ownership import NO_BASE_NOTE, Claim, Ownership
from drift.gitops.managers import Role
from drift.gitops.tracking import ReservedMetadata
from drift.managed_fields import OwnerNode
from drift.model import Cause, Decision, Json, Object
from drift.paths import ItemKey, Path, render
from drift.schema.allocated import ALLOCATED, NOT_IN_TEMPLATES, SCALED
from drift.schema.conditional import LABELLED_BY_TEMPLATE, AnyOf
from drift.schema.facts import Facts
from drift.schema.types import ABSENT, UNKNOWN, Absent, Shape, Type
from drift.schema.values import Canonical

_A_DEFAULT: Final = "the API server's default"


@dataclass(frozen=True, slots=True)
class Projection:
    """Two trees ready for the diff.

    Attributes:
        desired: Git's side.
        live: The cluster's side, without what is not to be reported.
        claims: Whose work each live-only part is, by its path; those are leaves or parts that are owned as a whole.
        reordered: The keyed lists whose common items stand in another order: the desired and the live one.
        decisions: What was left out of the live side, and why.
    """

    desired: Object
    live: Object
    claims: Mapping[Path, Claim]
    reordered: Mapping[Path, tuple[ListMap, ListMap]]
    decisions: tuple[Decision, ...]


def project(
    desired: Object,
    live: Object,
    schema: Type,
    ownership: Ownership,
    *,
    facts: Facts,
    reserved: ReservedMetadata,
    zeros: Callable[[], Object],
) -> Projection:
    """Projects away what the live object has and Git need not know.

    Args:
        desired: The normalized manifest.
        live: The normalized live object.
        schema: The kind's type.
        ownership: Who owns what in the live object.
        facts: What the server does beyond its schema.
        reserved: The labels and annotations that syncers and Kubernetes put on objects.
        zeros: The normalized manifest with the zero values that the server cannot tell from nothing; asked for only
            where it matters that Git gives one.
    """
    labels = _labels_of_template(desired, live, schema)
    tolerant, scalable = schema is UNKNOWN, schema.is_scalable
    projector = _Projector(ownership, facts, reserved, labels, zeros, tolerant=tolerant, scalable=scalable)
    both = projector.fields(desired, live, schema, ownership.tree, ())
    return Projection(both[0], both[1], projector.claims, projector.reordered, tuple(projector.decisions))


class _Projector:
    def __init__(
        self,
        ownership: Ownership,
        facts: Facts,
        reserved: ReservedMetadata,
        template_labels: Object,
        zeros: Callable[[], Object],
        *,
        tolerant: bool,
        scalable: bool,
    ) -> None:
        self._ownership = ownership
        self._facts = facts
        self._reserved = reserved
        self._template_labels = template_labels
        self._zeros = zeros
        # Without a schema there is no telling a default inside an atomic value from something that Git dropped.
        self._tolerant = tolerant
        self._is_server_side = ownership.roles.is_server_side
        self._scalable = scalable
        self.claims: dict[Path, Claim] = {}
        self.reordered: dict[Path, tuple[ListMap, ListMap]] = {}
        self.decisions: list[Decision] = []

    # -- what both sides have

    def value(self, desired: Json, live: Json, schema: Type, node: OwnerNode | None, path: Path) -> tuple[Json, Json]:
        if schema.atomic or isinstance(desired, list) or isinstance(live, list):
            return self._whole(desired, live, schema, node)
        if (
            isinstance(desired, dict)
            and isinstance(live, dict)
            and isinstance(desired, ListMap) != isinstance(live, ListMap)
        ):
            # A list on one side and an object on the other, which only an invalid manifest or dump has.
            return AtomicValue(desired), AtomicValue(live)
        if isinstance(desired, ListMap) and isinstance(live, ListMap):
            return self._keyed(desired, live, schema, node, path)
        if isinstance(desired, dict) and isinstance(live, dict):
            return self.fields(desired, live, schema, node, path)
        if not same_scalar(desired, live):
            return desired, live
        if isinstance(desired, Canonical) and desired.written != getattr(live, "written", live):
            why = f"the same value in another form: {desired.written} in Git, {getattr(live, 'written', live)} live"
            self.decisions.append(Decision(render(path), why))
        return desired, desired

    def fields(
        self, desired: Object, live: Object, schema: Type, node: OwnerNode | None, path: Path
    ) -> tuple[Object, Object]:
        left: Object = {}
        right: Object = {}
        same = True
        for name, wanted in desired.items():
            if self._asks_for_allocation(wanted, schema, name):
                self.decisions.append(Decision(render((*path, name)), "a value that is made for this object alone"))
                continue
            if name not in live:
                if not _may_be_absent(wanted):
                    left[name] = wanted
                    same = False
                continue
            present = self._without_filled_in(wanted, live, schema, (*path, name))
            if type(wanted) is type(present) and type(wanted) in AS_WRITTEN and wanted == present:
                left[name] = right[name] = wanted
                continue
            child = node.child(name) if node else None
            left[name], right[name] = self.value(wanted, present, schema.field(name), child, (*path, name))
            same &= left[name] is right[name]
        for name, present in live.items():
            if name not in desired:
                if is_twin(present, schema, name, desired):
                    self.decisions.append(Decision(render((*path, name)), "set to what Git gives its twin"))
                    continue
                kept = self._live_only(present, schema, node, (*path, name), beside=live)
                if kept is not ABSENT:
                    right[name] = kept
                    same = False
        return (left, left) if same else (left, right)

    def _without_filled_in(self, wanted: Json, live: Object, parent: Type, path: Path) -> Json:
        name = str(path[-1])
        kept = without_filled_in(wanted, live[name], parent, name, live)
        if kept is not live[name]:
            self.decisions += [Decision(render((*path, key)), _A_DEFAULT) for key in live[name] if key not in kept]
        return kept

    def _keyed(
        self, desired: ListMap, live: ListMap, schema: Type, node: OwnerNode | None, path: Path
    ) -> tuple[ListMap, ListMap]:
        left, right = ListMap(is_set=desired.is_set), ListMap(is_set=live.is_set)
        same = True
        for key, wanted in desired.items():
            if key not in live:
                left.put(key, wanted, desired.positions[key])
                same = False
                continue
            child = node.child(key) if node else None
            wanted_item, live_item = self.value(wanted, live[key], schema.items, child, (*path, key))
            left.put(key, wanted_item, desired.positions[key])
            right.put(key, live_item, live.positions[key])
            same &= wanted_item is live_item
        for key, present in live.items():
            if key not in desired:
                kept = self._live_only_item(present, schema.items, node.child(key) if node else None, (*path, key))
                if kept is not ABSENT:
                    right.put(key, kept, live.positions[key])
                    same = False
        if not desired.is_set and [key for key in desired if key in live] != [key for key in live if key in desired]:
            self.reordered[path] = (desired, live)
        return (left, left) if same else (left, right)

    # -- what is owned as a whole

    def _whole(self, desired: Json, live: Json, schema: Type, node: OwnerNode | None) -> tuple[Json, Json]:
        """Compares what is owned as a whole: inside it ownership tells nothing, only known defaults are set aside."""
        owners = node.all_owners() if node else ()
        is_ours = all(self._ownership.roles.of_entry[index] is Role.APPLIER for index in owners)
        atomic = Atomic(self._is_default, tolerant=self._tolerant, is_ours=is_ours)
        wanted, present = atomic.compare(desired, live, schema)
        if wanted is present:
            same = AtomicValue(wanted)
            return same, same
        return AtomicValue(wanted), AtomicValue(present)

    # -- what only the live side has

    def _live_only(
        self, value: Json, parent: Type, node: OwnerNode | None, path: Path, *, beside: Object
    ) -> Json | Absent:
        """What is left of a live-only field; `ABSENT` where nothing of it is to be reported."""
        name = str(path[-1])
        why = (
            self._reserved_reason(path, value, node.child(name) if node else None)
            or (self._is_template_label(path, value) and "a copy of its template's label, as Git gives it none")
            or (self._is_allocated(parent, name, node, path) and "a value that is made for this object alone")
            or (self._is_default(value, parent, name, beside, _holder(path)) and _A_DEFAULT)
        )
        if why:
            self.decisions.append(Decision(render(path), why))
            return ABSENT
        child = node.child(name) if node else None
        if child is None and self._ownership.tree is not None:
            scaled = self._scaled(value, parent, path)
            if scaled is not ABSENT:
                return scaled
        return self._claimed(value, parent.field(name), child, path)

    def _scaled(self, value: Json, parent: Type, path: Path) -> Json | Absent:
        """What is left of a value without an owner: what was set through the ``scale`` subresource.

        The API server records no owner of it where the field had none before. Of a custom resource, the definition
        says which field that is (``specReplicasPath``), which may not be readable; but what else has no owner there
        is a default, and the schema has those.
        """
        name = str(path[-1])
        if (parent.name, name) in SCALED:
            self.claims[path] = Claim(Cause.UNKNOWN, ())
            return value
        if not self._scalable or path[0] != "spec":
            return ABSENT
        schema = parent.field(name)
        if schema.shape is Shape.STRUCT and is_plain_dict(value):
            parts = {
                below: kept
                for below, part in value.items()
                if not self._is_default(part, schema, below, value, name)
                and (kept := self._scaled(part, schema, (*path, below))) is not ABSENT
            }
            return parts or ABSENT
        if not isinstance(value, int) or isinstance(value, bool) or not schema.is_custom:
            return ABSENT
        self.claims[path] = Claim(Cause.UNKNOWN, ())
        return value

    def _live_only_item(self, value: Json, schema: Type, node: OwnerNode | None, path: Path) -> Json | Absent:
        why = self._reserved_reason(path, value, node)
        if why:
            self.decisions.append(Decision(render(path), why))
            return ABSENT
        return self._claimed(value, schema, node, path)

    def _claimed(self, value: Json, schema: Type, node: OwnerNode | None, path: Path) -> Json | Absent:
        if node is None and self._ownership.tree is not None:
            strangers = self._ownership.with_role(self._ownership.other_version_entries, Role.OTHER)
            if strangers and not schema.is_custom:
                self.claims[path] = Claim(Cause.MANUAL, strangers)
                return value
            self.decisions.append(Decision(render(path), "no field manager owns it: a default or an allocated value"))
            return ABSENT
        if isinstance(value, dict) and value and not schema.atomic and (node is None or node.children):
            parts = self._claimed_parts(value, schema, node, path)
            if parts is not ABSENT or isinstance(value, ListMap) or not self._is_there_for_itself(schema, path):
                return parts
            # All that is in it is the server's, but not that it is there.
            value = {}
        claim, why = self._claim(node, path)
        if claim is None:
            self.decisions.append(Decision(render(path), why))
            return ABSENT
        self.claims[path] = claim
        return AtomicValue(value) if schema.atomic or isinstance(value, list) else value

    @staticmethod
    def _is_there_for_itself(schema: Type, path: Path) -> bool:
        return schema.keeps_empty or isinstance(path[-1], ItemKey)

    def _claimed_parts(self, value: Json, schema: Type, node: OwnerNode | None, path: Path) -> Json | Absent:
        if isinstance(value, ListMap):
            items = ListMap(is_set=value.is_set)
            for key, item in value.items():
                kept = self._live_only_item(item, schema.items, node.child(key) if node else None, (*path, key))
                if kept is not ABSENT:
                    items.put(key, kept, value.positions[key])
            return items or ABSENT
        fields: Object = {}
        for name, below in value.items():
            kept = self._live_only(below, schema, node, (*path, name), beside=value)
            if kept is not ABSENT:
                fields[name] = kept
        return fields or ABSENT

    def _claim(self, node: OwnerNode | None, path: Path) -> tuple[Claim | None, str]:
        """Whose work a live-only leaf is, or why it is nobody's business."""
        if node is None:
            return Claim(Cause.UNKNOWN, ()), ""
        owners = sorted(node.all_owners())
        by_role = {
            role: tuple(index for index in owners if self._ownership.roles.of_entry[index] is role) for role in Role
        }
        applier = by_role[Role.APPLIER]
        applied = self._through_apply(applier)
        if applied or (applier and (self._is_gits(path) or self._is_left_behind(path))):
            return Claim(Cause.PENDING_SYNC, applied or applier), ""
        if by_role[Role.OTHER]:
            return Claim(Cause.MANUAL, by_role[Role.OTHER]), ""
        if by_role[Role.CONTROLLER]:
            return Claim(Cause.CONTROLLER, by_role[Role.CONTROLLER]), ""
        if self._ownership.base is None and not self._is_server_side:
            return Claim(Cause.UNKNOWN, applier, NO_BASE_NOTE), ""
        return None, "set while the API server admitted the applier's own request: a default, or a webhook's work"

    def _through_apply(self, owners: Sequence[int]) -> tuple[int, ...]:
        return tuple(index for index in owners if self._ownership.entries[index].actor.operation == "Apply")

    def _is_gits(self, path: Path) -> bool:
        """Whether Git set a live-only leaf at the last sync; if that is not known, whether Git sets it to zero now."""
        base = self._ownership.base
        if base is not None:
            return _holds(base, path)
        # Beside hostNetwork, the API server replaces a hostPort of 0 by the containerPort.
        return path[-1] != "hostPort" and _holds(self._zeros(), path)

    def _is_left_behind(self, path: Path) -> bool:
        """Whether the applier's old Update entry keeps a field that Git dropped after the change to server-side apply.

        The applier gives up only what its Apply entry owns (kubernetes/kubernetes#99003). What its client-side apply
        did not record was set while its request was admitted.
        """
        if not self._is_server_side:
            return False
        left_behind = self._ownership.last_client_side_apply
        return left_behind is None or _holds(left_behind, path)

    # -- what is known of names and defaults

    def _reserved_reason(self, path: Path, value: Json, node: OwnerNode | None) -> str | None:
        """What a name in the metadata is known for; None where it is not, or where somebody put it there by hand."""
        if len(path) != 3 or path[0] != "metadata":  # noqa: PLR2004
            return None
        field, element = str(path[1]), path[2]
        name = element if isinstance(element, str) else element[0][1]
        bookkeeping = self._reserved.bookkeeping.get(field)
        if bookkeeping is not None and name in bookkeeping.exact:
            return "Kubernetes' own bookkeeping"
        claim = None if node is None else self._claim(node, path)[0]
        # Where no applier has written, the object was made again by hand from one that a GitOps controller had marked.
        if claim is not None and claim.cause is Cause.MANUAL and self._ownership.roles.has_applier:
            return None
        if self._reserved.is_tracking(field, name, value):
            return "a syncer's own mark"
        return "Kubernetes' own bookkeeping" if bookkeeping is not None and name in bookkeeping else None

    def _asks_for_allocation(self, wanted: Json, parent: Type, name: str) -> bool:
        """Whether Git leaves a value to the server by an empty one."""
        is_empty = wanted == "" or (wanted == 0 and not isinstance(wanted, bool))
        return is_empty and (parent.name, name) in ALLOCATED and self._facts.is_omitempty(parent, name)

    def _is_allocated(self, parent: Type, name: str, node: OwnerNode | None, path: Path) -> bool:
        """Whether a value came from the server or a controller; what Git once gave is not theirs."""
        is_template = len(path) != len(("spec", name))
        if (parent.name, name) not in ALLOCATED or ((parent.name, name) in NOT_IN_TEMPLATES and is_template):
            return False
        child = node.child(name) if node else None
        roles = self._ownership.roles.of_entry
        applier = [index for index in child.all_owners() if roles[index] is Role.APPLIER] if child else []
        if self._through_apply(applier):
            return False
        left_behind = self._ownership.last_client_side_apply
        return not (applier and (self._is_gits(path) or _holds(left_behind, path)))

    def _is_template_label(self, path: Path, value: Json) -> bool:
        return path[:-1] == ("metadata", "labels") and self._template_labels.get(str(path[-1])) == value

    def _is_default(self, value: Json, parent: Type, name: str, beside: Object, holder: str = "") -> bool:
        """Whether the server would have filled in this very value, all by itself or part by part."""
        default = self._facts.default(parent, name, beside, holder)
        if default is not ABSENT and _equals_default(value, default):
            return True
        schema = parent.field(name)
        if isinstance(default, dict) and is_plain_dict(value) and default.keys() < value.keys():
            # The parts that the default leaves out have defaults of their own.
            return all(
                _equals_default(below, default[field])
                if field in default
                else self._is_default(below, schema, field, value, name)
                for field, below in value.items()
            )
        is_said = schema.keeps_empty and default is ABSENT
        if not is_plain_dict(value) or parent.shape is Shape.MAP or is_said:
            # Nobody but a user puts a key in a map, or an object that says something by merely being there.
            return False
        return (not value or schema.shape is Shape.STRUCT) and all(
            self._is_default(below, schema, field, value, name) for field, below in value.items()
        )


def _holder(path: Path) -> str:
    """The field that holds the object which a path's last field is of; "" for an item of a list."""
    above = path[-2] if len(path) > 1 else ""
    return above if isinstance(above, str) else ""


def _may_be_absent(wanted: Json) -> bool:
    """Whether Git gives a null in a map of texts, or nothing but such nulls."""
    return wanted is NULL or (is_plain_dict(wanted) and bool(wanted) and all(map(_may_be_absent, wanted.values())))


def _labels_of_template(desired: Object, live: Object, schema: Type) -> Object:
    if schema.name not in LABELLED_BY_TEMPLATE or desired.get("metadata", {}).get("labels"):
        return {}
    labels: Object = live.get("spec", {}).get("template", {}).get("metadata", {}).get("labels", {})
    return labels


def _equals_default(value: Json, default: Json) -> bool:
    if isinstance(default, AnyOf):
        return any(_equals_default(value, one) for one in default.values)
    if isinstance(value, ListMap):
        return (
            isinstance(default, list)
            and len(value) == len(default)
            and all(_equals_default(item, wanted) for item, wanted in zip(value.values(), default, strict=True))
        )
    if isinstance(value, dict):
        # The server fills in the parts of a default too, so the parts that the default names decide.
        return (
            isinstance(default, dict)
            and value.keys() == default.keys()
            and all(_equals_default(below, default[name]) for name, below in value.items())
        )
    if isinstance(value, list):
        return (
            isinstance(default, list)
            and len(value) == len(default)
            and all(_equals_default(item, wanted) for item, wanted in zip(value, default, strict=True))
        )
    written = getattr(value, "written", value)
    return same_scalar(written, default) or same_scalar(value, str(default))


def _holds(tree: Object | None, path: Path) -> bool:
    """Whether a normalized tree has something at a path."""
    node: Json = tree
    for element in path:
        if not isinstance(node, dict) or element not in node:
            return False
        node = node[element]
    return tree is not None
