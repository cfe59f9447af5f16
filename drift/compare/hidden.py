"""Hides live values that Git hid at the last sync, when Git does not hide them any more, or has dropped them."""

from collections.abc import Callable
from dataclasses import dataclass

from drift.compare.normalize import ListMap
from drift.compare.show import incomparables_in
from drift.objects import Json, Object
from drift.paths import Path
from drift.redaction import redact_at
from drift.schema.types import Type


def without_hidden(
    live: Object, desired: Object, base: Object | None, schema: Type, is_in_sync: Callable[[Path], bool]
) -> Object:
    """Returns the live tree with a `Redacted` for each value that could not be shown when it was last synced.

    It is hidden before anything else sees the tree, because a path or a decision may also name keys of a hidden value.
    What Git says itself stays as it is.

    Args:
        live: The normalized live object.
        desired: The normalized manifest.
        base: The normalized manifest that was last synced; None if it is not known.
        schema: The kind's type.
        is_in_sync: Whether a live object or list differs from Git only in what the server or an applier adds. Called
            for few objects, because it takes a comparison.
    """
    hidden: Object = live if base is None else _Hider(is_in_sync).value(live, desired, base, schema, ())
    return hidden


@dataclass(frozen=True, slots=True)
class _Hider:
    is_in_sync: Callable[[Path], bool]

    def value(self, live: Json, desired: Json, base: Json, schema: Type, path: Path, *, is_moved: bool = False) -> Json:
        """Returns a live part without hidden values.

        Args:
            live: The live part.
            desired: The same part in Git.
            base: The same part at the last sync.
            schema: The type of the part.
            path: The path of the part.
            is_moved: Whether what is new in the part may be a hidden value from beside it.
        """
        if live == desired or not (is_moved or _is_hidden(base)):
            return live
        if isinstance(base, dict) and isinstance(live, dict) and isinstance(base, ListMap) == isinstance(live, ListMap):
            return self._parts(
                live, desired if isinstance(desired, dict) else {}, base, schema, path, is_moved=is_moved
            )
        has_parts = isinstance(live, dict | list)
        if live == base or not (has_parts or _is_hidden(base)):
            # A value that has changed is no new one, unless something was put into it.
            return live
        if has_parts and type(live) is type(desired) and not _is_hidden(desired) and self.is_in_sync(path):
            # Git's own value shows nothing that only the live one has.
            return desired
        return redact_at(live, [()])

    def _parts(self, live: Json, desired: Object, base: Json, schema: Type, path: Path, *, is_moved: bool) -> Json:
        has_free_keys = isinstance(live, ListMap) or schema.declares("")
        # A user may have renamed the key of a hidden value, or put the value into an object beside it.
        is_renamed = has_free_keys and any(name not in live and _is_hidden(part) for name, part in base.items())
        is_moved_below = is_moved or (is_renamed and not isinstance(live, ListMap))
        parts: dict[Json, Json] = {}
        for name, part in live.items():
            below = schema.field(name) if isinstance(name, str) else schema.items
            in_git = desired.get(name)
            if name in base:
                parts[name] = self.value(part, in_git, base[name], below, (*path, name), is_moved=is_moved_below)
            else:
                # A field that the schema declares may be a default.
                is_new = (is_renamed or is_moved) and name not in schema.field_names and part != in_git
                parts[name] = redact_at(part, [()]) if is_new else part
        if not isinstance(live, ListMap):
            return parts
        items = ListMap(is_set=live.is_set)
        for key, position in live.positions.items():
            items.put(key, parts[key], position)
        return items


def _is_hidden(value: Json) -> bool:
    return next(incomparables_in(value), None) is not None
