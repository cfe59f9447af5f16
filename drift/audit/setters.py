"""Finds the writes that made a difference, if the bodies in an audit log prove it.

It follows the value from write to write. A creation and a deletion of the object start again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from drift.audit.effects import UNKNOWN, Effect
from drift.audit.events import parse_time
from drift.audit.writes import Write
from drift.model import Change, Finding


@dataclass(frozen=True, slots=True)
class _Setter:
    """A write that set the value.

    Attributes:
        write: The write.
        part: The index in `Effect.parts` of the part that it set; None for the whole value.
    """

    write: Write
    part: int | None = None


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known after some of the writes.

    Attributes:
        value: The effect that tells the value.
        setters: The writes that set it, the last one at the end; empty if unknown, or if it made no difference.
        may_have_changed: Whether a write after the last setter may have changed it.
        resource_version: The last known ``resourceVersion`` of the object, or None.
    """

    value: Effect = UNKNOWN
    setters: Sequence[_Setter] = ()
    may_have_changed: bool = False
    resource_version: int | None = None


@dataclass(frozen=True, slots=True)
class ValueHistory:
    """The writes to an object, seen from one finding.

    Attributes:
        finding: The finding.
        index: Its index in the effects of each write.
        writes: The writes, in the order in which they took effect.
        is_sync: Whether a write applies a manifest that may be the one in Git.
    """

    finding: Finding
    index: int
    writes: Sequence[Write]
    is_sync: Callable[[Write], bool]

    def setters(self) -> Sequence[Write]:
        """Returns the writes that made the difference; none if that is not certain."""
        known = _Known()
        for write in self.writes:
            known = self._after(known, write)
        return [setter.write for setter in known.setters] if self._explains_live_value(known) else ()

    def _after(self, known: _Known, write: Write) -> _Known:
        """Returns what is known after one more write."""
        version = known.resource_version
        if write.is_deletion:
            return _Known(resource_version=version)
        effect = self._effect(write)
        changed = self._has_changed(known, write, effect)
        if write.is_creation:
            # Before, all parts were absent.
            known = _Known(Effect(parts=(None,) * len(effect.parts)))
        return _Known(
            known.value if changed is False and effect.after is None else effect,
            self._setters_after(known, write, effect) if changed else known.setters,
            changed is None or (known.may_have_changed and not changed),
            version if write.resource_version is None else write.resource_version,
        )

    def _effect(self, write: Write) -> Effect:
        return write.effects[self.index] if write.effects else UNKNOWN

    def _has_changed(self, known: _Known, write: Write, effect: Effect) -> bool | None:
        """Returns whether a write changed the value; None if unknown."""
        before, after = known.value.after, effect.after
        if write.is_creation:
            return None if after is None else True
        if write.resource_version is not None and write.resource_version == known.resource_version:
            # A write that changes nothing returns the version that an earlier write made.
            return False
        if before is None and write.set_nothing and self.finding.change is not Change.REMOVED:
            return False
        # The server may change fields that the request does not name.
        return effect.is_touched if before is None or after is None else before != after

    def _setters_after(self, known: _Known, write: Write, effect: Effect) -> Sequence[_Setter]:
        """Returns the writes that set the value, after one that changed it."""
        if self.finding.change is not Change.ADDED:
            return (_Setter(write),)
        if effect.is_absent or (write.is_creation and self.is_sync(write)):
            # A field of a created object is a default, or Git had it then.
            return ()
        pairs = zip(known.value.parts, effect.parts, strict=False)
        parts = [number for number, (before, after) in enumerate(pairs) if after is not None and before != after]
        if parts:
            kept = (setter for setter in known.setters if setter.part not in parts)
            return (*kept, *(_Setter(write, part) for part in parts))
        # An earlier write may have set another part.
        return (*(known.setters if isinstance(self.finding.live, dict | list) else ()), _Setter(write))

    def _explains_live_value(self, known: _Known) -> bool:
        """Returns whether the last setter resulted in the live value."""
        if not known.setters:
            return False
        last = known.setters[-1].write
        effect, is_sync = self._effect(last), self.is_sync(last)
        is_scalar = self.finding.change is Change.CHANGED and not isinstance(self.finding.live, dict | list)
        if known.may_have_changed and not (is_scalar and effect.is_live and not is_sync):
            return False
        if self.finding.change is Change.REMOVED:
            # If an applier created the object without the field, Git did not have it yet.
            return (effect.is_absent or effect.is_from_response) and not (last.is_creation and is_sync)
        is_live = effect.is_live is not False and not effect.is_absent and effect.after is not None
        return is_live and self._has_last_write()

    def _has_last_write(self) -> bool:
        """Returns whether the log has the last write of an owner of the field. If not, later ones may be missing."""
        times = [(actor, parse_time(actor.time)) for actor in self.finding.actors]
        return not times or any(
            time is None or any(write.was_by(actor) and write.is_at(time) for write in self.writes)
            for actor, time in times
        )
