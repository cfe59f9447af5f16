"""Reads audit logs: files, folders, rotated sets, gzip and standard input, in the formats of Kubernetes and of clouds.

The shape of an event tells its format, not the name of the file. A log is read as a stream, so it may have any size. A
line that cannot be a write to a wanted object is skipped before its JSON is parsed. Sources of the formats:

* Kubernetes, one ``Event`` of ``audit.k8s.io/v1`` a line, or an ``EventList``:
  https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
* Amazon CloudWatch, ``logEvents[].message`` of a subscription, ``events[].message`` of ``aws logs``, ``@message`` of
  Logs Insights, or the message after a time in an export to S3:
  https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html,
  https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
* Google Cloud, a ``LogEntry`` with ``protoPayload``: https://cloud.google.com/kubernetes-engine/docs/how-to/audit-logging
  and https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
* Azure, an event as text in ``properties.log`` (``log_s`` in the table AzureDiagnostics):
  https://learn.microsoft.com/azure/aks/monitor-aks-reference; or the columns of the tables AKSAudit and AKSAuditAdmin:
  https://learn.microsoft.com/azure/azure-monitor/reference/tables/aksaudit
"""

import gzip
import io
import json
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from sys import intern
from typing import BinaryIO, Final, cast
from urllib.parse import parse_qs, urlsplit

import orjson

from drift.documents.files import is_file, mode_of, standard_input
from drift.errors import UsageError
from drift.objects import Json, Object, as_object
from drift.redaction import Redacted, is_secret, redact_secret

DELETIONS: Final = frozenset({"delete", "deletecollection"})
WRITE_VERBS: Final = DELETIONS | {"apply", "create", "patch", "update"}
#: A line without this is not a write. Azure's columns are in upper case. An event within a string has backslashes.
_WRITE_VERB: Final = re.compile(rb'erb\\*"\s*:\s*\\*"(apply|create|delete|patch|update)')
_GOOGLE_METHOD: Final = re.compile(rb'methodName"\s*:\s*"[^"]*\.(create|delete|deletecollection|patch|update)"')
#: The name in ``objectRef``, which has no objects inside.
_NAME_IN_REFERENCE: Final = re.compile(rb'bjectRef\\*"\s*:\s*(?:\\*")?\{[^{}]*?\bname\\*"\s*:\s*\\*"([^"\\]*)\\*"')
#: As the API server names the files that it rotates: audit-2026-01-31T12-00-00.000.log, with .gz if it compresses them.
_ROTATION: Final = re.compile(r"-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}")
#: The namespace in ``objectRef``. It comes before the name, in which a client may write anything.
_NAMESPACE_IN_REFERENCE: Final = re.compile(
    rb'bjectRef\\*"\s*:\s*(?:\\*")?\{(?:(?!\bname\\*")[^{}])*?\bnamespace\\*"\s*:\s*\\*"([^"\\]*)\\*"'
)
#: Bytes of a line, or of a document of many lines, which is not read as a stream.
_MAX_LINE: Final = 32 * 1024 * 1024
_MAX_NESTING: Final = 6
_BUFFER: Final = 1024 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
#: Google records one time of a request, and does not say which.
_LEEWAY: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedRequest:
    """A successful write to the API server, without its object and its bodies.

    Attributes:
        received: When the API server received the request.
        completed: When it sent the response.
        verb: One of `WRITE_VERBS`.
        subresource: For example ``scale``; None for the object itself.
        user: The user that the request was authorized for: the impersonated one if there is one.
        impersonated_by: The authenticated user, if it impersonated ``user``.
        user_agent: The program, as it calls itself.
        manager: The field manager, as the API server derives it.
        is_manager_given: Whether the request named its manager. If not, the log may lack the request's parameters.
        has_selector: Whether a collection was deleted in part.
    """

    received: datetime
    completed: datetime
    verb: str
    subresource: str | None
    user: str
    impersonated_by: str | None = None
    user_agent: str | None = None
    manager: str
    is_manager_given: bool
    has_selector: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent(AuditedRequest):
    """A successful write to the API server.

    Attributes:
        group: The API group of the object, "" for the core group.
        version: The version of the request.
        resource: The plural name of the kind.
        namespace: None for a cluster-scoped object.
        name: None for a whole collection, and for a creation with ``generateName`` whose response the log lacks.
        code: The HTTP status.
        request: The body of the request, with the values of Secrets redacted; None if the log does not have it.
        response: The body of the response, likewise.
    """

    group: str
    version: str
    resource: str
    namespace: str | None
    name: str | None
    code: int
    request: Json = field(default=None, repr=False)
    response: Json = field(default=None, repr=False)


@dataclass(slots=True)
class ReadTally:
    """What was read of a log; filled while it is read.

    Attributes:
        events: The number of events of any kind that were parsed.
        unreadable: The number of lines that are not audit events.
        first_unreadable: The file and line of the first of them.
        begins: The earliest event. Before it, the log says nothing.
        problems: One sentence for each file that could not be read to its end.
    """

    events: int = 0
    unreadable: int = 0
    first_unreadable: str | None = None
    begins: datetime | None = None
    problems: list[str] = field(default_factory=list)

    def add_unreadable(self, place: str) -> None:
        """Counts a line, or another unit of a log, that is not an audit event."""
        self.unreadable += 1
        self.first_unreadable = self.first_unreadable or place

    def add_time(self, event: Object) -> None:
        """Counts an event of any kind, and keeps the time of the earliest one."""
        self.events += 1
        time = parse_time(event.get("requestReceivedTimestamp"))
        if time is not None and (self.begins is None or time < self.begins):
            self.begins = time

    def notes(self) -> Iterator[str]:
        """Yields the notes on the log for the report, a sentence each."""
        yield from self.problems
        if self.unreadable:
            lines = "one line is" if self.unreadable == 1 else f"{self.unreadable} lines are"
            yield f"audit log: {lines} not an audit event ({self.first_unreadable})"
        if not self.events:
            yield "audit log: it has no audit events, so it names no one"


def find_logs(paths: Sequence[str]) -> list[str]:
    """Returns the files of a log, the oldest of a rotated set first.

    Args:
        paths: Files, with the files that the API server rotated out of them; folders, with all files in them; or ``-``.

    Raises:
        UsageError: A path does not exist, or may not be looked at.
    """
    found: dict[str, None] = {}
    for given in paths:
        path = Path(given)
        if given == "-":
            found["-"] = None
            continue
        try:
            mode = mode_of(path)
        except OSError as error:
            raise UsageError(f"--audit-log: {given} cannot be read: {error.strerror}") from None
        if mode is None:
            raise UsageError(f"--audit-log: {given} does not exist")
        if stat.S_ISDIR(mode):
            found.update(dict.fromkeys(sorted(str(file) for file in path.rglob("*") if is_file(file))))
        else:
            rotated = (
                file
                for file in path.parent.glob(f"{path.stem.replace('[', '[[]')}-*")
                if _ROTATION.fullmatch(file.name.removeprefix(path.stem).removesuffix(".gz").removesuffix(path.suffix))
            )
            found.update(dict.fromkeys([*sorted(map(str, rotated)), given]))
    return list(found)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The events that are wanted. Others may be left out.

    Attributes:
        names: The names of the objects whose events are wanted.
        deletions_in: The namespaces in which all deletions are wanted, and cluster-scoped ones; None for no deletions.
        everything: Whether all events are wanted.
    """

    names: frozenset[str] = frozenset()
    deletions_in: frozenset[str] | None = None
    everything: bool = False

    def filter(self) -> Callable[[bytes], bool]:
        """Returns a function that returns whether a line may hold a wanted write, without parsing it."""
        names = frozenset(name.encode("utf-8", "surrogatepass") for name in self.names)
        if self.everything:
            return lambda _: True
        if self.deletions_in is None:
            return lambda line: may_concern(line, names)
        namespaces = frozenset(name.encode("utf-8", "surrogatepass") for name in self.deletions_in)
        return lambda line: may_delete(line, namespaces) or (bool(names) and may_concern(line, names))


def read_events(files: Sequence[str], wanted: Wanted, tally: ReadTally) -> Iterator[AuditEvent]:
    """Yields the successful writes in a log, in the order of the files.

    Args:
        files: The result of `find_logs`.
        wanted: The events that are wanted.
        tally: Counts what is read.

    Raises:
        UsageError: A file cannot be opened.
    """
    for file in files:
        try:
            with _open(file) as stream:
                yield from read_stream(stream, file, wanted, tally)
        except FileNotFoundError:
            # Rotated away since the folder was listed.
            tally.problems.append(f"audit log: {file} is gone")
        except (EOFError, gzip.BadGzipFile, zlib.error):
            tally.problems.append(f"audit log: {file} is not complete: its compressed data ends early")
        except OSError as error:
            raise UsageError(f"--audit-log: {file} cannot be read: {error.strerror or error}") from None


@contextmanager
def _open(file: str) -> Iterator[BinaryIO]:
    with ExitStack() as stack:
        raw = standard_input() if file == "-" else stack.enter_context(Path(file).open("rb", buffering=0))
        stream = io.BufferedReader(cast("io.RawIOBase", raw), _BUFFER)
        is_compressed = stream.peek(2)[:2] == _GZIP_MAGIC
        yield cast("BinaryIO", gzip.GzipFile(fileobj=stream)) if is_compressed else stream


def read_stream(stream: BinaryIO, file: str, wanted: Wanted, tally: ReadTally) -> Iterator[AuditEvent]:
    """Yields the successful writes in one stream; see `read_events`.

    Args:
        stream: The log.
        file: Its name, for messages.
        wanted: The events that are wanted.
        tally: Counts what is read.
    """
    may_be_wanted = wanted.filter()
    has_begun = False
    for number, line in enumerate(_lines(stream), 1):
        if line is None:
            tally.add_unreadable(f"{file}:{number} is too long")
            continue
        # The first event tells when the log begins, so it is read whatever it is.
        if line.isspace() or (has_begun and not may_be_wanted(line)):
            continue
        documents = _parse_line(line)
        if documents is None and not has_begun and line.lstrip()[:1] in {b"{", b"["}:
            # A document of many lines.
            rest = stream.read(_MAX_LINE)
            if len(rest) == _MAX_LINE:
                tally.problems.append(
                    f"audit log: {file} is one JSON document of more than {_MAX_LINE >> 20} MiB; "
                    "write one event a line, for example with `jq -c .[]`"
                )
                return
            documents = _parse_line(line + rest)
        events = [event for document in documents or () for event in unwrap(document)]
        has_begun |= bool(events)
        if not events:
            tally.add_unreadable(f"{file}:{number}")
        for event in events:
            tally.add_time(event)
            write = to_write(event)
            if write is not None:
                yield write


def _lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Yields the lines of a stream, and None for a line that is too long."""
    while line := stream.readline(_MAX_LINE):
        if len(line) < _MAX_LINE or line.endswith(b"\n"):
            yield line
            continue
        while len(line) == _MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(_MAX_LINE)
        yield None


def may_delete(line: bytes, namespaces: frozenset[bytes]) -> bool:
    """Returns whether a line may hold a deletion in one of these namespaces, or a cluster-scoped one."""
    # The expressions are slow on a line that they do not match.
    is_deletion = b"delete" in line and any(
        match[1].startswith(b"delete") for verb in (_WRITE_VERB, _GOOGLE_METHOD) for match in verb.finditer(line)
    )
    return is_deletion and _may_refer(line, _NAMESPACE_IN_REFERENCE, namespaces)


def may_concern(line: bytes, names: frozenset[bytes]) -> bool:
    """Returns whether a line may hold a write to an object with one of these names, without parsing it.

    A line is skipped only if it has no write verb, or no ``objectRef`` with such a name. So what a client writes into
    its User-Agent may cause a line to be read, but never to be skipped.
    """
    if _WRITE_VERB.search(line) is None:
        return _GOOGLE_METHOD.search(line) is not None
    return _may_refer(line, _NAME_IN_REFERENCE, names)


def _may_refer(line: bytes, part: re.Pattern[bytes], wanted: frozenset[bytes]) -> bool:
    """Returns whether a part of any ``objectRef`` in a line is wanted, or cannot be read."""
    at = line.find(b"bjectRef")
    if at < 0:
        return True
    while at >= 0:
        reference = part.match(line, at)
        if reference is None or reference[1] in wanted:
            return True
        at = line.find(b"bjectRef", at + 1)
    return False


def _parse_line(line: bytes) -> list[Json] | None:
    """Returns the JSON documents in a text after any prefix, such as a time; None if it is not JSON."""
    start = line.find(b"{") if line.lstrip()[:1] not in {b"{", b"["} else 0
    if start < 0:
        return None
    try:
        return [orjson.loads(line[start:])]
    except orjson.JSONDecodeError:
        pass
    documents: list[Json] = []
    decoder = json.JSONDecoder()
    text = line[start:].decode("utf-8", "replace").strip()
    # Amazon Data Firehose writes one document after the other.
    while text:
        try:
            document, end = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            return documents or None
        documents.append(document)
        text = text[end:].lstrip()
    return documents


def unwrap(document: Json, depth: int = 0) -> Iterator[Object]:
    """Yields the events in a JSON document of any known shape, in the shape of ``audit.k8s.io/v1``."""
    if depth > _MAX_NESTING:
        return
    if isinstance(document, list):
        if document and all(isinstance(cell, dict) and "field" in cell for cell in document):
            # A row of Logs Insights: [{"field": "@message", "value": "..."}]
            document = {str(cell["field"]): cell.get("value") for cell in document}
            yield from unwrap(document, depth + 1)
            return
        for item in document:
            yield from unwrap(item, depth + 1)
    elif isinstance(document, str):
        parsed = _parse_line(document.encode("utf-8", "surrogatepass"))
        for item in parsed or ():
            if not isinstance(item, str):
                yield from unwrap(item, depth + 1)
    elif isinstance(document, dict):
        yield from _unwrap_object(document, depth)


def _unwrap_object(document: Object, depth: int) -> Iterator[Object]:
    if isinstance(document.get("verb"), str) and isinstance(document.get("stage"), str):
        yield document
    elif isinstance(document.get("Verb"), str) and isinstance(document.get("Stage"), str):
        yield _from_azure_columns(document)
    elif isinstance(document.get("protoPayload"), dict):
        event = _from_google(document)
        if event is not None:
            yield event
    else:
        # Lists of events, and envelopes of one event.
        for name in ("items", "logEvents", "events", "results", "records", "message", "@message", "log", "log_s"):
            if name in document:
                yield from unwrap(document[name], depth + 1)
                return
        log = as_object(document.get("properties")).get("log")
        if log is not None:
            yield from unwrap(log, depth + 1)


def _from_azure_columns(row: Object) -> Object:
    """Returns the event of a row of AKSAudit. An export may hold a dynamic column as text."""
    columns = {
        "RequestReceivedTime": "requestReceivedTimestamp",
        "StageReceivedTime": "stageTimestamp",
        "RequestUri": "requestURI",
    }
    event: Object = {}
    for name, value in row.items():
        if isinstance(value, str) and value[:1] in {"{", "["}:
            try:
                value = orjson.loads(value.encode("utf-8", "surrogatepass"))  # noqa: PLW2901
            except orjson.JSONDecodeError:
                value = None  # noqa: PLW2901
        event[columns.get(name, name[:1].lower() + name[1:])] = value
    return event


def _from_google(entry: Object) -> Object | None:
    """Returns the event of a LogEntry. It has no request URI, so the field manager and most dry runs are not known."""
    payload = entry["protoPayload"]
    verb = str(payload.get("methodName", "")).rpartition(".")[2]
    parts = str(payload.get("resourceName", "")).split("/")
    group, version, path = ("" if parts[0] == "core" else parts[0]), parts[1] if len(parts) > 1 else "", parts[2:]
    namespace = None
    if len(path) > 2 and path[0] == "namespaces" and path[2] not in {"status", "finalize"}:  # noqa: PLR2004
        namespace, path = path[1], path[2:]
    if not path or payload.get("serviceName") not in (None, "k8s.io"):
        return None
    received, completed = _around(parse_time(entry.get("timestamp")))
    code = as_object(payload.get("status")).get("code") or HTTPStatus.OK
    authentication = as_object(payload.get("authenticationInfo"))
    return {
        "stage": "ResponseComplete",
        "verb": verb,
        "objectRef": {
            "apiGroup": group,
            "apiVersion": version,
            "resource": path[0],
            "namespace": namespace,
            "name": path[1] if len(path) > 1 else None,
            "subresource": path[2] if len(path) > 2 else None,  # noqa: PLR2004
        },
        "user": {"username": authentication.get("principalEmail")},
        "userAgent": as_object(payload.get("requestMetadata")).get("callerSuppliedUserAgent"),
        "responseStatus": {"code": code},
        "requestReceivedTimestamp": received,
        "stageTimestamp": completed,
        # A dry run of a deletion says so in its body. A patch has another form here than in the API server's log.
        "requestObject": payload.get("request") if verb in DELETIONS else None,
        "responseObject": payload.get("response"),
    }


def _around(time: datetime | None) -> tuple[str | None, str | None]:
    try:
        return (None, None) if time is None else ((time - _LEEWAY).isoformat(), (time + _LEEWAY).isoformat())
    except OverflowError:
        return None, None


def to_write(event: Object) -> AuditEvent | None:
    """Returns the write that an event records; None for a read, a request that failed, or a dry run."""
    verb, reference = event.get("verb"), as_object(event.get("objectRef"))
    code = as_object(event.get("responseStatus")).get("code")
    received, completed = parse_time(event.get("requestReceivedTimestamp")), parse_time(event.get("stageTimestamp"))
    user = as_object(event.get("user")).get("username")
    resource = _text(reference.get("resource"))
    if verb not in WRITE_VERBS or event.get("stage") != "ResponseComplete" or received is None or resource is None:
        return None
    if not isinstance(code, int) or not HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
        return None
    if not isinstance(user, str) or not user:
        return None
    query = _query(event.get("requestURI"))
    # Of a deletion, kubectl sends it in the body.
    if query.get("dryRun") or (verb in DELETIONS and as_object(event.get("requestObject")).get("dryRun")):
        return None
    impersonated = _text(as_object(event.get("impersonatedUser")).get("username"))
    agent = _text(event.get("userAgent"))
    given = query.get("fieldManager", [""])[0]
    group = _text(reference.get("apiGroup")) or ""
    is_namespace = (group, resource) == ("", "namespaces")
    is_hidden = (group, resource) == ("", "secrets")
    return AuditEvent(
        received=received,
        completed=max(completed or received, received),
        verb=str(verb),
        group=group,
        version=_text(reference.get("apiVersion")) or "",
        resource=resource,
        subresource=_text(reference.get("subresource")),
        namespace=None if is_namespace else _text(reference.get("namespace")),
        name=_text(reference.get("name")) or (_created_name(event) if verb == "create" else None),
        # Few users and programs make most of the writes.
        user=intern(impersonated or user),
        impersonated_by=user if impersonated else None,
        user_agent=agent and intern(agent),
        # As the API server does it: https://github.com/kubernetes/apiserver/blob/v0.36.3/pkg/endpoints/handlers/create.go
        manager=intern(given or (agent or "").partition("/")[0][:128] or "unknown"),
        is_manager_given=bool(given),
        code=code,
        has_selector=bool(query.get("labelSelector") or query.get("fieldSelector")),
        request=_body(event.get("requestObject"), is_hidden=is_hidden),
        response=_body(event.get("responseObject"), is_hidden=is_hidden),
    )


def _created_name(event: Object) -> str | None:
    """Returns the name that the API server gave to an object with ``generateName``, which ``objectRef`` lacks."""
    return _text(as_object(as_object(event.get("responseObject")).get("metadata")).get("name"))


def _query(uri: Json) -> dict[str, list[str]]:
    if not isinstance(uri, str):
        return {}
    try:
        return parse_qs(urlsplit(uri).query, max_num_fields=100)
    except ValueError:
        return {}


def _body(body: Json, *, is_hidden: bool) -> Json:
    """Returns an object, a patch or the steps of a JSON patch, with the values of Secrets redacted."""
    if isinstance(body, list):
        steps = [step for step in body if isinstance(step, dict)]
        return [{**step, "value": _hidden(step.get("value"))} for step in steps] if is_hidden else steps
    if not isinstance(body, dict):
        return None
    if isinstance(body.get("items"), list):
        # Only the names of what was deleted together matter.
        return {
            "kind": "List",
            "names": [as_object(as_object(item).get("metadata")).get("name") for item in body["items"]],
        }
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if is_hidden or (isinstance(kind, str) and isinstance(api_version, str) and is_secret(api_version, kind)):
        return redact_secret(body)
    return body


def _hidden(value: Json) -> Json:
    """Returns a value of a Secret redacted; of a mapping, the keys stay."""
    if isinstance(value, dict):
        return {name: Redacted(repr(part).encode("utf-8", "surrogatepass")) for name, part in value.items()}
    return Redacted(repr(value).encode("utf-8", "surrogatepass"))


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) and value else None


def parse_time(time: Json) -> datetime | None:
    """Returns a time in UTC; None if it is not a time."""
    if not isinstance(time, str):
        return None
    try:
        parsed = datetime.fromisoformat(time)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
