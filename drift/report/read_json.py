"""A saved JSON report back into a `Report`: the reverse of ``json_report``. Nothing in the file is trusted."""

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
_Word = TypeVar("_Word", bound=StrEnum)


def read_report(text: str | bytes, name: str) -> Report:
    """The report that a JSON text was made of, but for what is not in it: the decisions that ``-v`` shows.

    Args:
        text: The content of the file.
        name: The file, for messages.

    Raises:
        SavedReportError: It is no report of this version.
    """
    try:
        document = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise SavedReportError(f"{name}: is nested too deep to be a report") from None
    except UnicodeDecodeError:
        raise SavedReportError(f"{name}: is not UTF-8 text") from None
    except ValueError as error:
        # Its text is that of the reader of JSON, which quotes nothing, or one of ours.
        raise SavedReportError(f"{name}: is not JSON: {error}") from None
    root = _Node(document, name, "")
    if not isinstance(document, dict) or document.get("kind") != _KIND:
        raise SavedReportError(f"{name}: is no report; `drift report --output json={name}` makes one")
    version = root["apiVersion"].text()
    if version != _API_VERSION:
        raise SavedReportError(f"{name}: is of version {version!r}; this program reads {_API_VERSION}")
    report = _report(root)
    if _holds_surrogates(document):
        raise SavedReportError(f"{name}: holds half a character (a lone surrogate)")
    return report


def report_order(item: ObjectReport) -> tuple[str, str, str, str, str]:
    """The order of a report's objects."""
    key = item.key
    return (item.cluster or "", key.namespace or "", key.group, key.kind, key.name)


class _Node:
    """A JSON value that knows where it stands, so that whoever reads it need not."""

    def __init__(self, value: Json, file: str, place: str) -> None:
        self.value = value
        self._file = file
        self._place = place

    def __getitem__(self, name: str) -> "_Node":
        if not isinstance(self.value, dict):
            self.fail("is not an object")
        if name not in self.value:
            self.fail(f"lacks {name!r}")
        return self._below(name)

    def get(self, name: str) -> "_Node":
        """A field that older reports lack; null then."""
        return self[name] if isinstance(self.value, dict) and name in self.value else self._below(name, missing=True)

    def _below(self, name: str, *, missing: bool = False) -> "_Node":
        place = f"{self._place}.{name}" if self._place else name
        return _Node(None if missing else self.value[name], self._file, place)

    def fail(self, problem: str) -> NoReturn:
        raise SavedReportError(f"{self._file}: {self._place or 'the report'} {problem}")

    def text(self) -> str:
        if not isinstance(self.value, str):
            self.fail("is not a text")
        return self.value

    def boolean(self) -> bool:
        if not isinstance(self.value, bool):
            self.fail("is neither true nor false")
        return self.value

    def number(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float) or self.value < 0:
            self.fail("is not a number of 0 or more")
        return self.value

    def count(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int) or self.value < 0:
            self.fail("is not a whole number of 0 or more")
        return self.value

    def time(self) -> str:
        """An RFC 3339 time with its zone, as it was written."""
        text = self.text()
        try:
            datetime.fromisoformat(text)
        except ValueError:
            self.fail("is not a time")
        if not _TIME.fullmatch(text):
            self.fail("is not a time with a zone, as RFC 3339 has it")
        return text

    def word(self, words: type[_Word]) -> _Word:
        try:
            return words(self.text())
        except ValueError:
            self.fail(f"is not one of {', '.join(words)}")

    def optional(self, read: Callable[["_Node"], _Item]) -> _Item | None:
        return None if self.value is None else read(self)

    def each(self, read: Callable[["_Node"], _Item]) -> tuple[_Item, ...]:
        if not isinstance(self.value, list):
            self.fail("is not a list")
        return tuple(read(_Node(item, self._file, f"{self._place}[{index}]")) for index, item in enumerate(self.value))


def _report(root: _Node) -> Report:
    manifests, scan, shard = root["manifests"], root.get("scan"), root.get("shard")
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
        errors=root["errors"].each(_Node.text),
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
        node.fail("is none: index counts from 1 to count")
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
        status=node["status"].word(Status),
        reason=node["reason"].optional(_Node.text),
        findings=node["findings"].each(_finding),
        is_skipped=node.get("byChoice").optional(_Node.boolean) or False,
    )


def _finding(node: _Node) -> Finding:
    redacted = node["redacted"].boolean()
    desired, live = node["desired"].value, node["live"].value
    return Finding(
        id=node["id"].text(),
        change=node["change"].word(Change),
        path=node["path"].text(),
        pointer=node["pointer"].text(),
        desired=None if redacted else desired,
        live=None if redacted else live,
        redacted=redacted,
        cause=node["cause"].word(Cause),
        severity=node["severity"].word(Severity),
        actors=node["actors"].each(_actor),
        note=node["note"].optional(_Node.text),
        ignored=node["ignored"].optional(lambda rule: IgnoredBy(rule["rule"].text(), rule["reason"].text())),
        first_seen=node["firstSeen"].optional(_Node.time),
        lifecycle=node.get("lifecycle").optional(lambda word: word.word(Lifecycle)),
    )


def _resolved(node: _Node) -> Resolved:
    api_version = node["apiVersion"].text()
    return Resolved(
        id=node["id"].text(),
        api_version=api_version,
        key=_key(node, api_version),
        path=node["path"].text(),
        change=node["change"].word(Change),
        cause=node["cause"].word(Cause),
        severity=node["severity"].word(Severity),
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
    raise ValueError(f"{word} is not a value of JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _holds_surrogates(document: Json) -> bool:
    """Whether a text could not be written as UTF-8 again; JSON can spell such ones."""
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
