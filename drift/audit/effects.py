"""Tells what one audited write did to the place of a finding, from the bodies in its event. Keeps nothing of a body.

Values are reduced to digests with a random key, which only this process can compare.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any, Final

from drift.audit.events import AuditEvent
from drift.model import Change, Finding, Json, as_object
from drift.paths import OCCURRENCE, SET_FIELD, ItemKey, Path, parse
from drift.redaction import Redacted

_RUN_KEY: Final = secrets.token_bytes(32)
_ABSENT: Final = object()
_REPLICAS: Final = "spec.replicas"
#: Subresources whose response is the whole object.
_WHOLE: Final = frozenset({None, "ephemeralcontainers", "finalize", "resize"})


@dataclass(frozen=True, slots=True)
class Target:
    """The place of a finding.

    Attributes:
        finding: The finding.
        path: Its path.
        kind: The kind of its object.
        version: The version in which its object was compared.
        is_scale: Whether it is about the number of replicas, which the subresource ``scale`` sets.
    """

    finding: Finding
    path: Path
    kind: str
    version: str
    is_scale: bool

    @classmethod
    def of(cls, finding: Finding, kind: str, api_version: str) -> "Target | None":
        """Returns the place of a finding; None if its path cannot be read, as in an edited report."""
        try:
            path = parse(finding.path)
        except ValueError:
            return None
        is_scale = finding.path == _REPLICAS or any(actor.subresource == "scale" for actor in finding.actors)
        return cls(finding, path, kind, api_version.rpartition("/")[2], is_scale)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a write did to the place of a finding, as far as its bodies tell.

    Attributes:
        after: A digest of the value afterwards; None if unknown.
        is_touched: Whether the request named the place; None if unknown.
        is_live: Whether the value afterwards is the live one; None if unknown.
        is_absent: Whether the place was absent afterwards.
    """

    after: bytes | None = None
    is_touched: bool | None = None
    is_live: bool | None = None
    is_absent: bool = False


UNKNOWN: Final = Effect()
_UNTOUCHED: Final = Effect(is_touched=False)


def effect_of(event: AuditEvent, target: Target) -> Effect:
    """Returns what a write did to the place of a finding."""
    if event.subresource == "scale":
        return _effect_of_scaling(event, target)
    if event.subresource not in _WHOLE or event.version != target.version:
        return UNKNOWN
    touched = _is_touched(event, target)
    if isinstance(event.response, dict) and event.response.get("kind") == target.kind:
        return _effect(_value_at(event.response, target), target, is_touched=touched)
    if isinstance(event.request, dict):
        if event.verb in {"create", "update"}:
            return _effect(_value_at(event.request, target), target, is_touched=None)
        value = _lookup(event.request, target.path) if touched else {}
        if not isinstance(value, dict | list):
            return _effect(_ABSENT if value is None else value, target, is_touched=True)
    return Effect(is_touched=touched)


def _effect_of_scaling(event: AuditEvent, target: Target) -> Effect:
    if not target.is_scale:
        return _UNTOUCHED
    replicas = as_object(as_object(event.response or event.request).get("spec")).get("replicas", _ABSENT)
    return UNKNOWN if replicas is _ABSENT else _effect(replicas, target, is_touched=True)


def _effect(value: Json, target: Target, *, is_touched: bool | None) -> Effect:
    if target.finding.change is Change.REORDERED:
        # Only the order counts, whatever else is edited in the items.
        value = [_name_of(item) for item in value] if isinstance(value, list) else value
    return Effect(_digest(value), is_touched, _is_live(value, target.finding), value is _ABSENT)


def _is_live(value: Json, finding: Finding) -> bool | None:
    if finding.change is Change.REORDERED or finding.redacted:
        return None
    if finding.change is Change.REMOVED:
        # An empty value or a default may stand for an absent field.
        return True if value is _ABSENT or not value else None
    return value is not _ABSENT and _contains(value, finding.live)


def _contains(whole: Json, part: Json) -> bool:
    """Returns whether a value has everything that a report shows of it; the report leaves out what is no drift."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and _contains(whole[name], below) for name, below in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(_contains(item, below) for item in whole) for below in part)
    return bool(whole == part)


def _name_of(item: Json) -> Json:
    if not isinstance(item, dict):
        return item
    keys = ("name", "key", "containerPort", "port", "mountPath", "ip", "type", "uid")
    return [item.get(name) for name in keys]


def _digest(value: Json) -> bytes:
    text = "absent" if value is _ABSENT else json.dumps(value, sort_keys=True, default=_redacted_text)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=_RUN_KEY, digest_size=8).digest()


def _redacted_text(value: object) -> Any:
    return {"redacted": hash(value)} if isinstance(value, Redacted) else str(value)


def _value_at(body: Json, target: Target) -> Json:
    value = _lookup(body, target.path)
    if value is _ABSENT and target.finding.change is not Change.REMOVED:
        # The path names the key in Git of an item whose key was edited; the pointer leads to the live one.
        value = _at_pointer(body, target.finding.pointer)
    return value


def _at_pointer(body: Json, pointer: str) -> Json:
    for token in _tokens(pointer):
        if isinstance(body, dict) and token in body:
            body = body[token]
        elif isinstance(body, list) and token.isdecimal() and int(token) < len(body):
            body = body[int(token)]
        else:
            return _ABSENT
    return body


def _tokens(pointer: str) -> list[str]:
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def _lookup(body: Json, path: Path) -> Json:
    """Returns the value at a path, or `_ABSENT`."""
    for element in path:
        if isinstance(element, ItemKey):
            item = _item(body, element)
            if item is _ABSENT:
                return _ABSENT
            body = item
        elif isinstance(body, dict) and element in body:
            body = body[element]
        else:
            return _ABSENT
    return body


def _item(items: Json, key: ItemKey) -> Json:
    if not isinstance(items, list):
        return _ABSENT
    if key and key[0][0] == SET_FIELD:
        return next((item for item in items if _as_text(item) == key[0][1]), _ABSENT)
    number = int(key[-1][1]) if key.first is not key and str(key[-1][1]).isdecimal() else 1
    pairs = [pair for pair in key if pair[0] != OCCURRENCE]
    # A key may include defaults that the item leaves out, such as the protocol of a port.
    matching = [
        item
        for item in items
        if isinstance(item, dict)
        and any(name in item for name, _ in pairs)
        and all(_as_text(item.get(name, value)) == value for name, value in pairs)
    ]
    return matching[number - 1] if len(matching) >= number else _ABSENT


def _as_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=_redacted_text)


# -- patches


def _is_touched(event: AuditEvent, target: Target) -> bool | None:
    """Returns whether a request names the place of a finding, a place above it or below it; None if unknown."""
    request = event.request
    if event.verb not in {"apply", "patch"}:
        return None
    if isinstance(request, list):
        found = [_step_touches(step, target) for step in request if step.get("op") != "test"]
        return True if True in found else None if None in found else False
    if isinstance(request, dict):
        is_apply = "apiVersion" in request and "kind" in request
        touched = _patch_touches(request, target.path)
        # Applying a manifest removes what it no longer has.
        return None if is_apply and not touched else touched
    return None


def _step_touches(step: dict[str, Json], target: Target) -> bool | None:
    """Returns whether a step of a JSON patch (RFC 6902) does; None if that depends on positions in a list."""
    found = [
        _pointer_touches(step[name], target.path, step.get("value"))
        for name in ("path", "from")
        if isinstance(step.get(name), str)
    ]
    return True if True in found else None if None in found or not found else False


def _pointer_touches(pointer: str, path: Path, value: Json) -> bool | None:
    tokens = _tokens(pointer)
    for position, (token, element) in enumerate(zip(tokens, path, strict=False)):
        if isinstance(element, ItemKey):
            is_new_item = position == len(tokens) - 1 and _item([value], element) is not _ABSENT
            return True if is_new_item else None
        if token != element:
            return False
    return True


def _patch_touches(patch: Json, path: Path) -> bool | None:
    """Returns whether a merge patch or a strategic merge patch does; None if it replaces a list that lacks the item."""
    is_strategic = False
    for element in path:
        if isinstance(patch, list) and isinstance(element, ItemKey):
            patch = _item(patch, element)
            if patch is _ABSENT:
                return False if is_strategic else None
        elif isinstance(patch, dict):
            name = str(element)
            if name not in patch:
                return f"$deleteFromPrimitiveList/{name}" in patch
            is_strategic = f"$setElementOrder/{name}" in patch
            patch = patch[name]
        if not isinstance(patch, dict | list) or as_object(patch).get("$patch") in {"delete", "replace"}:
            # A scalar, a removal or a replacement, here or above.
            return True
    return True
