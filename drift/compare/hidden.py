"""Hides live values that Git hid at the last sync, when Git does not hide them any more, or has dropped them."""

from drift.compare.normalize import ListMap
from drift.compare.show import incomparables_in
from drift.objects import Json, Object
from drift.redaction import redact_at
from drift.schema.types import Shape, Type


def without_hidden(live: Object, desired: Object, base: Object | None, schema: Type) -> Object:
    """Returns the live tree with a `Redacted` for each value that could not be shown when it was last synced.

    It is hidden before anything else sees the tree, because a path or a decision may also name keys of a hidden value.
    What Git says itself stays as it is.

    Args:
        live: The normalized live object.
        desired: The normalized manifest.
        base: The normalized manifest that was last synced; None if it is not known.
        schema: The kind's type.
    """
    hidden: Object = live if base is None else _hide(live, desired, base, schema)
    return hidden


def _hide(live: Json, desired: Json, base: Json, schema: Type) -> Json:
    if live == desired or not _is_hidden(base):
        return live
    if (
        not isinstance(base, dict)
        or not isinstance(live, dict)
        or isinstance(base, ListMap) != isinstance(live, ListMap)
    ):
        return redact_at(live, [()])
    has_free_keys = isinstance(live, ListMap) or schema.shape is Shape.MAP
    # A user may have renamed the key of a hidden value.
    is_renamed = has_free_keys and any(name not in live and _is_hidden(part) for name, part in base.items())
    in_git = desired if isinstance(desired, dict) else {}
    parts: dict[Json, Json] = {}
    for name, part in live.items():
        below = schema.field(name) if isinstance(name, str) else schema.items
        if name in base:
            parts[name] = _hide(part, in_git.get(name), base[name], below)
        else:
            parts[name] = redact_at(part, [()]) if is_renamed and part != in_git.get(name) else part
    if not isinstance(live, ListMap):
        return parts
    items = ListMap(is_set=live.is_set)
    for key, position in live.positions.items():
        items.put(key, parts[key], position)
    return items


def _is_hidden(value: Json) -> bool:
    return next(incomparables_in(value), None) is not None
