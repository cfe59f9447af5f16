"""Events of the API server's audit log."""

import dataclasses
import json
from typing import Any, Self


@dataclasses.dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event of the audit log (``audit.k8s.io/v1``); ``raw`` holds all of it.

    A watch has two events: one at stage ``ResponseStarted``, one at ``ResponseComplete``. Everything else has one.
    Requests for other paths than resources (``/readyz``, ``/openapi/v3``) have empty resource fields.
    """

    user: str
    verb: str
    uri: str
    code: int
    stage: str
    user_agent: str
    api_group: str
    resource: str
    subresource: str
    namespace: str
    name: str
    raw: dict[str, Any] = dataclasses.field(repr=False, hash=False)

    @classmethod
    def parse(cls, line: str) -> Self:
        """Reads one line of the log."""
        raw: dict[str, Any] = json.loads(line)
        reference: dict[str, str] = raw.get("objectRef", {})
        return cls(
            user=raw.get("user", {}).get("username", ""),
            verb=raw["verb"],
            uri=raw["requestURI"],
            code=raw.get("responseStatus", {}).get("code", 0),
            stage=raw["stage"],
            user_agent=raw.get("userAgent", ""),
            api_group=reference.get("apiGroup", ""),
            resource=reference.get("resource", ""),
            subresource=reference.get("subresource", ""),
            namespace=reference.get("namespace", ""),
            name=reference.get("name", ""),
            raw=raw,
        )
