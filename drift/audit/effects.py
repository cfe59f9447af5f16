"""Finds what one audited write did to the field of a finding, from the bodies in its event.

It keeps no values, only digests with a random key, which only this process can compare.
"""

import hashlib
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from drift.audit.events import AuditEvent
from drift.model import Change, Finding
from drift.objects import Json, as_object
from drift.paths import OCCURRENCE, SET_FIELD, ItemKey, Path, parse
from drift.redaction import Redacted

_RUN_KEY: Final = secrets.token_bytes(32)
_ABSENT: Final = object()
_UNKNOWN: Final = object()
_REPLICAS: Final = "spec.replicas"
#: Subresources that the API server answers with the whole object.
_ANSWERED_WITH_OBJECT: Final = frozenset({None, "ephemeralcontainers", "finalize", "resize"})


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

    @property
    def is_field_of_live(self) -> bool:
        """Whether the live object has it, and it is not a whole list item."""
        is_field = bool(self.path) and not isinstance(self.path[-1], ItemKey)
        return is_field and self.finding.change in {Change.ADDED, Change.CHANGED}

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
    """What a write did to the place of a finding, according to its bodies.

    Attributes:
        after: A digest of the value afterwards; None if unknown.
        is_touched: Whether the request named the place; None if unknown.
        is_live: Whether the value afterwards is the live one; None if unknown.
        is_absent: Whether the place was absent afterwards.
        is_from_response: Whether it is known from the response, which includes what the server changed.
        parts: For an added mapping, a digest of each value in it, in the order of the report; None for a value that
            was absent afterwards.
    """

    after: bytes | None = None
    is_touched: bool | None = None
    is_live: bool | None = None
    is_absent: bool = False
    is_from_response: bool = False
    parts: tuple[bytes | None, ...] = ()


UNKNOWN: Final = Effect()
_UNTOUCHED: Final = Effect(is_touched=False)


def effect_of(event: AuditEvent, target: Target) -> Effect:
    """Returns what a write did to the place of a finding."""
    if event.subresource == "scale":
        return _effect_of_scaling(event, target)
    if event.subresource not in _ANSWERED_WITH_OBJECT or event.version != target.version:
        return UNKNOWN
    sent = _sent(event, target)
    if isinstance(event.response, dict) and event.response.get("kind") == target.kind:
        found = _lookup(event.response, target.path)
        value, is_key_edited = found, False
        if found is _ABSENT and target.is_field_of_live:
            # If the key of a list item was edited, the path has the key in Git, and the pointer leads to the live item.
            value = _at_pointer(event.response, target.finding.pointer)
            # Then the field is drift because of the write that edited the key.
            is_key_edited = value is not _ABSENT and target.finding.change is Change.ADDED
        effect = replace(_effect(value, target, is_touched=sent.is_touched), is_from_response=True)
        return replace(effect, after=_digest(["moved", value])) if is_key_edited else effect
    return (
        Effect(is_touched=sent.is_touched)
        if sent.value is _UNKNOWN
        else _effect(sent.value, target, is_touched=sent.is_touched)
    )


def _effect_of_scaling(event: AuditEvent, target: Target) -> Effect:
    if not target.is_scale:
        return _UNTOUCHED
    replicas = as_object(as_object(event.response or event.request).get("spec")).get("replicas", _ABSENT)
    return UNKNOWN if replicas is _ABSENT else _effect(replicas, target, is_touched=True)


def _effect(value: Json, target: Target, *, is_touched: bool | None) -> Effect:
    if target.finding.change is Change.REORDERED:
        # Only the order counts, not the other fields of the items.
        value = [_item_identity(item) for item in value] if isinstance(value, list) else value
    if target.finding.change is Change.ADDED and value is not _ABSENT:
        value = _shown_part(value, target.finding.live)
    parts: tuple[bytes | None, ...] = ()
    if target.finding.change is Change.ADDED and isinstance(target.finding.live, dict):
        parts = tuple(None if part is _ABSENT else _digest(part) for part in _parts(value, target.finding.live))
    return Effect(_digest(value), is_touched, _is_live(value, target.finding), value is _ABSENT, parts=parts)


def _parts(value: Json, shown: Json) -> Iterator[Json]:
    """Yields the value of each leaf of a mapping that a report shows, or `_ABSENT`."""
    if isinstance(shown, dict) and shown:
        for name, below in shown.items():
            yield from _parts(value.get(name, _ABSENT) if isinstance(value, dict) else _ABSENT, below)
    else:
        yield value


def _is_live(value: Json, finding: Finding) -> bool | None:
    if finding.change is Change.REORDERED or finding.redacted:
        return None
    if finding.change is Change.REMOVED:
        # An empty value or a default may stand for an absent field.
        return True if value is _ABSENT or not value else None
    if isinstance(finding.live, dict | list):
        # A report may show the parts of a value in another form and order, so a different value proves nothing.
        return True if value is not _ABSENT and _contains(value, finding.live) else None
    return bool(value == finding.live)


def _contains(whole: Json, part: Json) -> bool:
    """Returns whether a value has everything that a report shows of it. The report omits parts without drift."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and _contains(whole[name], below) for name, below in part.items()
        )
    if isinstance(part, list):
        return (
            isinstance(whole, list)
            and len(whole) == len(part)
            and all(any(_contains(item, below) for item in whole) for below in part)
        )
    return bool(whole == part)


def _shown_part(value: Json, shown: Json) -> Json:
    """Returns the parts of a value that a report shows, without those of controllers and appliers."""
    if not isinstance(value, dict) or not isinstance(shown, dict) or not shown:
        return value
    parts = {name: _shown_part(value[name], below) for name, below in shown.items() if name in value}
    return {name: part for name, part in parts.items() if part is not _ABSENT} or _ABSENT


def _item_identity(item: Json) -> Json:
    if not isinstance(item, dict):
        return item
    keys = ("name", "key", "containerPort", "port", "mountPath", "ip", "type", "uid")
    return [item.get(name) for name in keys]


def _digest(value: Json) -> bytes:
    text = "absent" if value is _ABSENT else json.dumps(value, sort_keys=True, default=_redacted_text)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=_RUN_KEY, digest_size=8).digest()


def _redacted_text(value: object) -> Any:
    return {"redacted": hash(value)} if isinstance(value, Redacted) else str(value)


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


# -- requests


@dataclass(frozen=True, slots=True)
class _Sent:
    """What a request says about a place.

    Attributes:
        is_touched: Whether it names the place, or one above or below it; None if unknown.
        value: The value at the place afterwards; `_UNKNOWN` if the request does not tell.
    """

    is_touched: bool | None
    value: Json = _UNKNOWN


_NOT_SENT: Final = _Sent(is_touched=False)


def _sent(event: AuditEvent, target: Target) -> _Sent:
    request = event.request
    if isinstance(request, dict) and event.verb in {"create", "update"}:
        return _Sent(None, _lookup(request, target.path))
    if isinstance(request, dict):
        sent = _sent_by_patch(request, target.path)
        is_apply = "apiVersion" in request and "kind" in request
        if is_apply and sent.is_touched is False:
            # Applying a manifest may remove fields that it no longer has. A new object has only its fields.
            return _Sent(None, _ABSENT if event.code == HTTPStatus.CREATED else _UNKNOWN)
        return _Sent(None, sent.value) if is_apply else sent
    if isinstance(request, list):
        sent = _NOT_SENT
        for step in request:
            following = _sent_by_step(step, target)
            sent = sent if following.is_touched is False else following
        return sent
    return _Sent(None)


def _sent_by_step(step: dict[str, Json], target: Target) -> _Sent:
    """Reads a step of a JSON patch (RFC 6902)."""
    operation, pointer = step.get("op"), step.get("path")
    if operation == "test":
        return _NOT_SENT
    if operation not in {"add", "remove", "replace"} or not isinstance(pointer, str):
        return _Sent(None)
    tokens = _tokens(pointer)
    is_merged = tokens[:1] == ["stringData"]
    if is_merged:
        # The server merges it into the data of a Secret.
        tokens[0] = "data"
    for position, (token, element) in enumerate(zip(tokens, target.path, strict=False)):
        if isinstance(element, ItemKey):
            # Positions depend on what the list had before.
            is_last = position == len(tokens) - 1
            is_item = is_last and _item([step.get("value")], element) is not _ABSENT
            return _Sent(None, _lookup([step.get("value")], target.path[position:]) if is_item else _UNKNOWN)
        if token != element:
            return _NOT_SENT
    if len(tokens) > len(target.path):
        return _Sent(is_touched=True)
    rest = target.path[len(tokens) :]
    value = _ABSENT if operation == "remove" else _lookup(step.get("value"), rest)
    is_kept = is_merged and value is _ABSENT
    # If a field above it is replaced, the place may keep its value.
    return _NOT_SENT if is_kept else _Sent(is_touched=None if rest else True, value=value)


def _sent_by_patch(patch: Json, path: Path) -> _Sent:
    """Reads a merge patch or a strategic merge patch."""
    is_strategic = False
    for position, element in enumerate(path, 1):
        if isinstance(patch, list) and isinstance(element, ItemKey):
            patch = _item(patch, element)
            if patch is _ABSENT:
                # A merge patch replaces a whole list.
                return _NOT_SENT if is_strategic else _Sent(None)
        elif isinstance(patch, dict):
            name = str(element)
            if name not in patch:
                return _Sent(None) if f"$deleteFromPrimitiveList/{name}" in patch else _NOT_SENT
            is_strategic = f"$setElementOrder/{name}" in patch
            patch = patch[name]
        directive = as_object(patch).get("$patch")
        if patch is None or directive == "delete":
            return _Sent(is_touched=True if position == len(path) else None, value=_ABSENT)
        if directive == "replace":
            return _Sent(None)
        if not isinstance(patch, dict | list):
            return _Sent(is_touched=True if position == len(path) else None, value=patch)
    return _Sent(is_touched=True, value=patch)
