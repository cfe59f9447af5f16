"""Who wrote an object, told from its managed fields before and after."""

from drift.kube.live_object import LiveObject
from drift.managed_fields import Entry, ManagedFieldsError, read_entries
from drift.model import Actor


def writers(before: LiveObject | None, after: LiveObject | None) -> tuple[Actor, ...]:
    """The field managers whose entries came or were written between two versions of an object.

    Whoever only takes something away leaves no entry, so nobody may be on record; nor is anybody for a deletion.
    """
    if after is None:
        return ()
    old = {_who(entry.actor): entry for entry in _entries(before)}
    new = _entries(after)
    came = tuple(entry.actor for entry in new if _written(old.get(_who(entry.actor)), entry))
    # Within one second of the clock, only what an entry holds tells that it was written again. It also shrinks
    # when somebody else takes a field over, so this is asked only where no time says more.
    return came or tuple(entry.actor for entry in new if old.get(_who(entry.actor), entry).fields != entry.fields)


def _written(old: Entry | None, new: Entry) -> bool:
    return old is None or old.actor.time != new.actor.time


def _who(actor: Actor) -> tuple[str, str, str | None]:
    return actor.manager, actor.operation, actor.subresource


def _entries(live: LiveObject | None) -> tuple[Entry, ...]:
    metadata = {} if live is None else live.body.get("metadata")
    try:
        return read_entries((metadata.get("managedFields") if isinstance(metadata, dict) else None) or [])
    except ManagedFieldsError:
        return ()
