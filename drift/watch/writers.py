"""Finds out who wrote an object by comparing its managed fields before and after."""

from drift.kube.live import LiveObject
from drift.managed_fields import Entry, ManagedFieldsError, read_entries
from drift.model import Actor


def writers(before: LiveObject | None, after: LiveObject | None) -> tuple[Actor, ...]:
    """Returns the field managers whose entries were added or updated between two versions of an object.

    The result is empty if a manager only removed fields or deleted the object: Kubernetes records neither.
    """
    if after is None:
        return ()
    old = {_manager(entry.actor): entry for entry in _entries(before)}
    new = _entries(after)
    updated = tuple(entry.actor for entry in new if _is_updated(old.get(_manager(entry.actor)), entry))
    # Times have a resolution of one second. Within the same second, only the owned fields show a second write. They
    # also shrink when another manager takes a field over, so they count only if no time has changed.
    return updated or tuple(
        entry.actor for entry in new if old.get(_manager(entry.actor), entry).fields != entry.fields
    )


def _is_updated(old: Entry | None, new: Entry) -> bool:
    return old is None or old.actor.time != new.actor.time


def _manager(actor: Actor) -> tuple[str, str, str | None]:
    return actor.manager, actor.operation, actor.subresource


def _entries(live: LiveObject | None) -> tuple[Entry, ...]:
    metadata = {} if live is None else live.body.get("metadata")
    try:
        return read_entries((metadata.get("managedFields") if isinstance(metadata, dict) else None) or [])
    except ManagedFieldsError:
        return ()
