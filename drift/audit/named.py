"""The users that an audit log names for a finding, and how they are shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from drift.audit.pseudonyms import Pseudonyms
from drift.audit.writes import Write
from drift.model import Actor, Evidence, Finding


@dataclass(frozen=True, slots=True)
class Named:
    """A field manager of a finding, with the write that names its user.

    Attributes:
        actor: The field manager.
        write: The write; None if the log does not name the user.
        evidence: What the name rests on; None without one.
    """

    actor: Actor
    write: Write | None = None
    evidence: Evidence | None = None

    @classmethod
    def by(cls, write: Write, evidence: Evidence, operation: str = "Update") -> "Named":
        """Returns the user of a write, under its field manager, at its time."""
        return cls(Actor(write.manager, operation, write.subresource, rfc3339(write.received)), write, evidence)

    @classmethod
    def for_finding(cls, write: Write, finding: Finding, evidence: Evidence) -> "Named":
        """Returns the user of a write, under the field manager of the finding that it was made under."""
        actor = next((actor for actor in finding.actors if write.was_by(actor)), None)
        named = cls.by(write, evidence)
        return named if actor is None else replace(named, actor=replace(actor, time=named.actor.time))

    def shown(self, pseudonyms: Pseudonyms) -> Actor:
        """Returns the field manager with its user."""
        if self.write is None:
            return self.actor
        return replace(
            self.actor,
            user=pseudonyms.name(self.write.user),
            impersonated_by=pseudonyms.name(self.write.impersonated_by),
            user_agent=pseudonyms.agent(self.write.user_agent),
            evidence=self.evidence,
        )


def one_each(writes: Iterable[Write]) -> Sequence[Write]:
    """Returns the latest write of each user, in the order of the writes."""
    latest = {write.person: write for write in writes}
    return sorted(latest.values(), key=lambda write: (write.received, write.user))


def is_one_person(writes: Iterable[Write]) -> bool:
    """Returns whether one user alone made some writes."""
    return len({write.person for write in writes}) == 1


def rfc3339(time: datetime) -> str:
    """Returns a time as ``managedFields`` writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
