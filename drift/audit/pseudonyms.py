"""What a report shows of the users in an audit log: their names, pseudonyms, or nothing."""

import hmac
import secrets
from dataclasses import dataclass, field
from enum import StrEnum

from drift.audit.users import is_program


class AuditUsers(StrEnum):
    """What a report shows of the users in an audit log."""

    FULL = "full"
    HASHED = "hashed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Replaces the names of people. Programs of the cluster, whose names begin with ``system:``, keep theirs.

    Attributes:
        users: What to show.
        key: Makes pseudonyms the same in every run; by default they are those of one run.
    """

    users: AuditUsers = AuditUsers.FULL
    key: bytes = field(default_factory=lambda: pseudonym_key(None), repr=False)

    def name(self, user: str | None) -> str | None:
        """Returns what to show instead of a user."""
        if user is None or self.users is AuditUsers.NONE:
            return None
        if self.users is AuditUsers.FULL or is_program(user):
            return user
        return f"user-{hmac.digest(self.key, user.encode('utf-8', 'surrogatepass'), 'sha256').hex()[:12]}"

    def agent(self, user_agent: str | None) -> str | None:
        """Returns what to show instead of a User-Agent, which may hold anything."""
        return user_agent if self.users is AuditUsers.FULL else None


def pseudonym_key(text: str | None) -> bytes:
    """Returns the key of pseudonyms from a text, or a random one without a text."""
    return text.encode("utf-8", "surrogateescape") if text else secrets.token_bytes(32)
