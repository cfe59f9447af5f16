"""A live object. The values of Secrets are redacted when it is read."""

import json
from dataclasses import dataclass, field

from drift.model import LAST_APPLIED, Object, as_object
from drift.redaction import is_secret, redact_secret


@dataclass(frozen=True, slots=True)
class LiveObject:
    """One live object.

    Attributes:
        api_version: The version in which it was read.
        kind: Its kind.
        namespace: None for a cluster-scoped object.
        name: ``metadata.name``.
        body: The whole object, including ``managedFields``.
        last_applied: The parsed ``last-applied-configuration`` annotation of ``kubectl apply``, also redacted; None if
            it is missing or not valid.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str
    body: Object = field(repr=False)
    last_applied: Object | None = field(repr=False)


def read_live(body: Object, api_version: str, kind: str) -> LiveObject:
    """Returns a live object from its JSON.

    Args:
        body: From an API server or a dump. The items of a list often leave out apiVersion and kind.
        api_version: The version in which it was read.
        kind: Its kind.
    """
    metadata = as_object(body.get("metadata"))
    last_applied = _last_applied(as_object(metadata.get("annotations")).get(LAST_APPLIED))
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
