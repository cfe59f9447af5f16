"""Reads a saved JSON report back into a `Report`, the reverse of ``json_report``. The file is untrusted input."""

import json
import math
import re
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeVar

from drift.errors import SavedReportError
from drift.model import (
    Actor,
    Cause,
    Change,
    ClusterInfo,
    Finding,
    IgnoredBy,
    Json,
    Lifecycle,
    ManifestsInfo,
    ObjectKey,
    ObjectReport,
    PastScan,
    Report,
    Resolved,
    Severity,
    Shard,
    Source,
    Status,
)

_API_VERSION: Final = "drift/v1"
_KIND: Final = "DriftReport"
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_Item = TypeVar("_Item")
_Enum = TypeVar("_Enum", bound=StrEnum)


def read_report(text: str | bytes, name: str) -> Report:
    """Returns the report that a JSON text was made from, without the decisions that ``-v`` shows.

    Args:
        text: The content of the file.
        name: The file's name, for messages.

    Raises:
        SavedReportError: The text is not a report of this version.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise SavedReportError(f"{name}: nested too deeply to be a report") from None
    except UnicodeDecodeError:
        raise SavedReportError(f"{name}: not UTF-8 text") from None
    except ValueError as error:
        # Neither the JSON parser's messages nor those below quote the file's content.
        raise SavedReportError(f"{name}: not JSON: {error}") from None
    root = _Node(document, name, "")
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise SavedReportError(f"{name}: not a drift report; `drift report --output json={name}` writes one")
    version = root["apiVersion"].text()
    if version != _API_VERSION:
        raise SavedReportError(f"{name}: has version {version!r}; this drift reads {_API_VERSION}")
    report = _report(root)
    if _holds_surrogates(document):
        raise SavedReportError(f"{name}: contains a lone surrogate, which is not valid Unicode")
    return report


def report_order(item: ObjectReport) -> tuple[str, str, str, str, str]:
    """Sort key of a report's objects."""
    key = item.key
    return (item.cluster or "", key.namespace or "", key.group, key.kind, key.name)


class _Node:
    """A JSON value with its file and its place in it, for messages."""

    def __init__(self, value: Json, file: str, place: str) -> None:
        self.value = value
        self._file = file
        self._place = place

    def __getitem__(self, name: str) -> "_Node":
        if not isinstance(self.value, dict):
            self.fail("is not an object")
        if name not in self.value:
            self.fail(f"has no field {name!r}")
        return self._child(name)

    def get(self, name: str) -> "_Node":
        """Returns a field that older reports lack; it is null if it is missing."""
        return self[name] if isinstance(self.value, dict) and name in self.value else self._child(name, missing=True)

    def _child(self, name: str, *, missing: bool = False) -> "_Node":
        place = f"{self._place}.{name}" if self._place else name
        return _Node(None if missing else self.value[name], self._file, place)

    def fail(self, problem: str) -> NoReturn:
        raise SavedReportError(f"{self._file}: {self._place or 'the report'} {problem}")

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.fail("is not a string")
        return self.value

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail("is not true or false")
        return self.value

    def number(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or self.value < 0:
            self.fail("is not a number >= 0")
        return self.value

    def count(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 0:
            self.fail("is not an integer >= 0")
        return self.value

    def time(self) -> str:
        """Returns an RFC 3339 time with a time zone, as it is written."""
        text = self.text()
        try:
            datetime.fromisoformat(text)
        except ValueError:
            self.fail("is not a time")
        if not _TIME.fullmatch(text):
            self.fail("is not an RFC 3339 time with a time zone")
        return text

    def enum(self, members: type[_Enum]) -> _Enum:
        try:
            return members(self.text())
        except ValueError:
            self.fail(f"is not one of {', '.join(members)}")

    def optional(self, read: Callable[["_Node"], _Item]) -> _Item | None:
        return None if self.value is None else read(self)

    def each(self, read: Callable[["_Node"], _Item]) -> tuple[_Item, ...]:
        if not isinstance(self.value, list):
            self.fail("is not a list")
        return tuple(read(_Node(item, self._file, f"{self._place}[{index}]")) for index, item in enumerate(self.value))


def _report(root: _Node) -> Report:
    manifests, scan, shard = root["manifests"], root.get("scan"), root.get("shard")
    unread = manifests.get("unread").optional(lambda node: node.each(_Node.text)) or ()
    objects = [*root["objects"].each(_object), *(root.get("inSync").optional(lambda node: node.each(_in_sync)) or ())]
    return Report(
        generated_at=root["generatedAt"].time(),
        cluster=root["cluster"].optional(_cluster),
        manifests=ManifestsInfo(
            paths=manifests["paths"].each(_Node.text),
            git_commit=manifests["gitCommit"].optional(_Node.text),
            git_dirty=manifests["gitDirty"].optional(_Node.boolean),
        ),
        objects=tuple(sorted(objects, key=report_order)),
        notes=root["notes"].each(_Node.text),
        errors=tuple(error for error in root["errors"].each(_Node.text) if error not in unread),
        unread=unread,
        clusters=root.get("clusters").optional(lambda node: node.each(_cluster)) or (),
        duration_seconds=scan.get("durationSeconds").optional(_Node.number),
        api_requests=scan.get("apiRequests").optional(_Node.count),
        shard=shard.optional(_shard),
        unused_rules=shard.optional(lambda node: node["unusedRules"].each(_Node.text)) or (),
        resolved=root.get("resolved").optional(lambda node: node.each(_resolved)) or (),
        past=root.get("past").optional(lambda node: node.each(_past_scan)) or (),
    )


def _shard(node: _Node) -> Shard:
    shard = Shard(node["index"].count(), node["count"].count())
    if not 1 <= shard.index <= shard.count:
        node.fail("is not a shard: index must be from 1 to count")
    return shard


def _cluster(node: _Node) -> ClusterInfo:
    return ClusterInfo(node["context"].optional(_Node.text), node["server"].text(), node["version"].text())


def _identity(node: _Node) -> dict[str, Any]:
    api_version = node["apiVersion"].text()
    return {
        "api_version": api_version,
        "key": _key(node, api_version),
        "source": node["source"].optional(_source),
        "cluster": node.get("cluster").optional(_Node.text),
    }


def _key(node: _Node, api_version: str) -> ObjectKey:
    return ObjectKey(
        api_version.rpartition("/")[0],
        node["kind"].text(),
        node["namespace"].optional(_Node.text),
        node["name"].text(),
    )


def _source(node: _Node) -> Source:
    line = node.get("line").optional(_Node.count)
    return Source(node["file"].text(), node["document"].count(), 1 if line is None else line)


def _in_sync(node: _Node) -> ObjectReport:
    return ObjectReport(**_identity(node), status=Status.IN_SYNC)


def _object(node: _Node) -> ObjectReport:
    return ObjectReport(
        **_identity(node),
        status=node["status"].enum(Status),
        reason=node["reason"].optional(_Node.text),
        findings=node["findings"].each(_finding),
        is_skipped=node.get("byChoice").optional(_Node.boolean) or False,
    )


def _finding(node: _Node) -> Finding:
    redacted = node["redacted"].boolean()
    desired, live = node["desired"].value, node["live"].value
    return Finding(
        id=node["id"].text(),
        change=node["change"].enum(Change),
        path=node["path"].text(),
        pointer=node["pointer"].text(),
        desired=None if redacted else desired,
        live=None if redacted else live,
        redacted=redacted,
        cause=node["cause"].enum(Cause),
        severity=node["severity"].enum(Severity),
        actors=node["actors"].each(_actor),
        note=node["note"].optional(_Node.text),
        ignored=node["ignored"].optional(lambda rule: IgnoredBy(rule["rule"].text(), rule["reason"].text())),
        first_seen=node["firstSeen"].optional(_Node.time),
        lifecycle=node.get("lifecycle").optional(lambda lifecycle: lifecycle.enum(Lifecycle)),
    )


def _resolved(node: _Node) -> Resolved:
    api_version = node["apiVersion"].text()
    return Resolved(
        id=node["id"].text(),
        api_version=api_version,
        key=_key(node, api_version),
        path=node["path"].text(),
        change=node["change"].enum(Change),
        cause=node["cause"].enum(Cause),
        severity=node["severity"].enum(Severity),
        first_seen=node["firstSeen"].time(),
        resolved_at=node["resolvedAt"].time(),
        cluster=node.get("cluster").optional(_Node.text),
    )


def _past_scan(node: _Node) -> PastScan:
    return PastScan(
        at=node["at"].time(),
        open=node["open"].count(),
        new=node["new"].count(),
        resolved=node["resolved"].count(),
        complete=node["complete"].boolean(),
    )


def _actor(node: _Node) -> Actor:
    return Actor(
        node["manager"].text(),
        node["operation"].text(),
        node["subresource"].optional(_Node.text),
        node["time"].optional(_Node.text),
    )


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _holds_surrogates(document: Json) -> bool:
    """Returns whether a string contains a lone surrogate: JSON can escape one, UTF-8 cannot encode it."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
