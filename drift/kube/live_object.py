"""A live object as it is read: what belongs to the comparison, and a Secret's values already redacted."""

import json
from dataclasses import dataclass, field

from drift.model import LAST_APPLIED, Json, Object
from drift.redaction import is_secret, redact_secret


@dataclass(frozen=True, slots=True)
class LiveObject:
    """One live object.

    Attributes:
        api_version: The version it was read in.
        kind: Its kind.
        namespace: None for a cluster-scoped object.
        name: ``metadata.name``.
        body: The whole object with its ``managedFields``; a Secret's values are redacted.
        last_applied: What ``kubectl apply`` recorded, parsed, redacted likewise; None where nothing usable is recorded.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str
    body: Object = field(repr=False)
    last_applied: Object | None = field(repr=False)


def read_live(body: Object, api_version: str, kind: str) -> LiveObject:
    """A live object from its JSON.

    Args:
        body: As the API server or a dump has it. The items of a list often leave out apiVersion and kind.
        api_version: The version it was read in.
        kind: Its kind.
    """
    metadata = _mapping(body.get("metadata"))
    last_applied = _last_applied(_mapping(metadata.get("annotations")).get(LAST_APPLIED))
    if is_secret(api_version, kind):
        body = redact_secret(body)
        last_applied = None if last_applied is None else redact_secret(last_applied)
    return LiveObject(
        api_version=api_version,
        kind=kind,
        namespace=metadata["namespace"] if isinstance(metadata.get("namespace"), str) else None,
        name=metadata["name"] if isinstance(metadata.get("name"), str) else "",
        body=body,
        last_applied=last_applied,
    )


def _last_applied(text: object) -> Object | None:
    if not isinstance(text, str):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _mapping(value: Json) -> Object:
    """The value where it is a mapping, as it should be; a dump may hold anything."""
    return value if isinstance(value, dict) else {}
