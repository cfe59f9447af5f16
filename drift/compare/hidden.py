"""Hides live values that Git hid at the last sync, when Git does not hide them any more, or has dropped them."""

from drift.compare.normalize import ListMap
from drift.compare.show import incomparables_in
from drift.objects import Json, Object
from drift.redaction import redact_at
from drift.schema.types import Type


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


def _hide(live: Json, desired: Json, base: Json, schema: Type, *, is_moved: bool = False) -> Json:
    """Returns a live part without hidden values.

    Args:
        live: The live part.
        desired: The same part in Git.
        base: The same part at the last sync.
        schema: The type of the part.
        is_moved: Whether what is new in the part may be a hidden value from beside it.
    """
    if live == desired or not (is_moved or _is_hidden(base)):
        return live
    if (
        not isinstance(base, dict)
        or not isinstance(live, dict)
        or isinstance(base, ListMap) != isinstance(live, ListMap)
    ):
        # A value that has changed is no new one, unless something was put into it.
        is_shown = live == base or not (_is_hidden(base) or isinstance(live, dict | list))
        return live if is_shown else redact_at(live, [()])
    has_free_keys = isinstance(live, ListMap) or schema.declares("")
    # A user may have renamed the key of a hidden value, or put the value into an object beside it.
    is_renamed = has_free_keys and any(name not in live and _is_hidden(part) for name, part in base.items())
    in_git = desired if isinstance(desired, dict) else {}
    parts: dict[Json, Json] = {}
    for name, part in live.items():
        below = schema.field(name) if isinstance(name, str) else schema.items
        if name in base:
            is_moved_below = is_moved or (is_renamed and not isinstance(live, ListMap))
            parts[name] = _hide(part, in_git.get(name), base[name], below, is_moved=is_moved_below)
        else:
            # A field that the schema declares may be a default.
            is_new = (is_renamed or is_moved) and name not in schema.field_names and part != in_git.get(name)
            parts[name] = redact_at(part, [()]) if is_new else part
    if not isinstance(live, ListMap):
        return parts
    items = ListMap(is_set=live.is_set)
    for key, position in live.positions.items():
        items.put(key, parts[key], position)
    return items


def _is_hidden(value: Json) -> bool:
    return next(incomparables_in(value), None) is not None
