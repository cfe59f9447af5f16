"""The JSON report, version 1, as classes that write it, read it and describe it as JSON Schema.

The report is a public contract, so these classes are separate from those of `drift.model`. Their fields have the
names of the model, which msgspec writes in camel case, and the order of the report.
"""

import re
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct, field

from drift.model import Cause, Change, Evidence, Lifecycle, Security, Severity, SourceKind, Status, Verdict
from drift.objects import ObjectKey

#: What the classes cannot say.
_VALUES_IF_REDACTED: Final = {
    "if": {"properties": {"redacted": {"const": True}}},
    "then": {"properties": {"desired": {"type": "null"}, "live": {"type": "null"}}},
}
_WHOLE_OBJECT: Final = {"properties": {"path": {"const": ""}, "pointer": {"const": ""}}}
_BY_STATUS: Final = {
    "allOf": [
        {
            "if": {"properties": {"status": {"enum": ["missing", "unmanaged"]}}},
            "then": {"properties": {"findings": {"minItems": 1, "maxItems": 1, "items": _WHOLE_OBJECT}}},
        },
        {
            "if": {"properties": {"status": {"const": "unchecked"}}},
            "then": {"properties": {"reason": {"type": "string"}}},
        },
    ]
}
_Count = Annotated[int, Meta(ge=0)]
_Number = Annotated[int, Meta(ge=1)]
_Seconds = _Count | Annotated[float, Meta(ge=0)]
#: Reading does not depend on these two, so only the JSON Schema has them.
_Fingerprint = Annotated[str, Meta(extra_json_schema={"pattern": "^[0-9a-f]{16}$"})]
_RecordedTime = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]


class RFC3339(str):
    """A time with a time zone, as it is written."""

    __slots__ = ()


class _Document(Struct, rename="camel"):
    """A JSON object of the report. The docstrings of its subclasses are the descriptions in the JSON Schema."""


class ToolDocument(_Document):
    """The program that wrote the report."""

    name: str
    version: str


class ClusterDocument(_Document):
    """An API server.

    Attributes:
        context: The kubeconfig context; null inside a pod.
        id: Inside a pod, the digest of the cluster's certificate authority, which tells clusters with one address
            apart; null outside of a pod, and in reports of older releases.
    """

    context: str | None
    server: str
    version: str
    id: str | None = None


class ManifestsDocument(_Document):
    """The manifests that were compared.

    Attributes:
        git_commit: The commit that is checked out; null outside a Git work tree.
        git_dirty: Whether the paths have uncommitted changes; null outside a Git work tree.
        unread: Documents that could not be read, or that describe an object for the second time, one line each, with
            file, line and column if they are known; also among the errors. While a document cannot be read, no object
            is called unmanaged.
    """

    paths: list[str]
    git_commit: str | None
    git_dirty: bool | None
    unread: list[str] = []


class ObjectCountsDocument(_Document):
    """The number of objects by status.

    Attributes:
        checked: Manifests that were compared: in sync, drifted or missing.
    """

    checked: _Count
    in_sync: _Count
    drifted: _Count
    missing: _Count
    unmanaged: _Count
    unchecked: _Count


class FindingCountsDocument(_Document):
    """Findings by cause; ignored findings count only as ignored."""

    manual: _Count
    pending_sync: _Count = field(name="pending-sync")
    controller: _Count
    unknown: _Count
    ignored: _Count


class SeverityCountsDocument(_Document):
    """Findings that are drift, by severity."""

    critical: _Count
    high: _Count
    medium: _Count
    low: _Count
    info: _Count


class SummaryDocument(_Document):
    """The result in numbers.

    Attributes:
        severities: Findings that are drift, by severity; null in reports of versions that did not count them.
    """

    verdict: Verdict
    objects: ObjectCountsDocument
    findings: FindingCountsDocument
    severities: SeverityCountsDocument | None = None


class ScanDocument(_Document):
    """How much the scan took.

    Attributes:
        duration_seconds: The duration of the scan; null if it was not measured.
        api_requests: Requests sent to the API server; null for a comparison with dumps.
    """

    duration_seconds: _Seconds | None
    api_requests: _Count | None


class ShardDocument(_Document):
    """The part of a scan that the report covers.

    Attributes:
        index: The shard's number, from 1.
        unused_rules: Notes on rules that match nothing in this shard. Such a rule is unused if every shard has the
            note.
    """

    index: _Number
    count: Annotated[int, Meta(ge=2)]
    unused_rules: list[str]

    def __post_init__(self) -> None:
        if self.index > self.count:
            raise ValueError("not a shard: index must be from 1 to count")


class SourceDocument(_Document):
    """Where a manifest begins.

    Attributes:
        line: The line on which the object begins.
    """

    file: str
    document: _Number
    line: _Number = 1


class ActorDocument(_Document, omit_defaults=True):
    """A field manager that owns the field, or that an audit log names.

    Attributes:
        time: When the manager last wrote; with exact evidence, when it made this change.
        user: The user in the audit log.
        impersonated_by: Who impersonated the user.
        user_agent: The program in the audit log, as it calls itself.
        evidence: What the name of the user rests on.
    """

    manager: str
    operation: str
    subresource: str | None
    time: _RecordedTime | None
    user: str | None = None
    impersonated_by: str | None = None
    user_agent: str | None = None
    evidence: Evidence | None = None


class IgnoredDocument(_Document):
    """The rule that ignores a finding."""

    rule: str
    reason: str


class GitLineDocument(_Document):
    """The commit that last changed the line of a field."""

    commit: str
    author: str
    time: _RecordedTime
    summary: str


class CommandsDocument(_Document):
    """Commands for a POSIX shell, quoted, each on one line; null where there is none.

    Attributes:
        look: Shows the object, the history of its file, or the state of its GitOps controller.
        keep: Changes the manifest so that Git says what is live, or prints the patch for its kustomization.
        revert: Changes the cluster so that it says what Git says, and fails if it has changed since the report; a long
            command is replaced by one that prints it.
        sync: Makes the GitOps controller of the object sync it.
        also_deploys: The number of other changes that wait for a sync, and that the command sync deploys too.
    """

    look: str | None
    keep: str | None
    revert: str | None
    sync: str | None
    also_deploys: _Count


class FindingDocument(_Document):
    """One difference between a manifest and its live object.

    Attributes:
        id: The same in every scan; made of names and the path, not of values or positions.
        pointer: RFC 6901; into the live object, or into the manifest if the live object lacks the field.
        live_pointer: RFC 6901; where the live object lacks the field, if that is in an item of a list, or is one. Else
            null.
        redacted: Whether the values are hidden; desired and live are null then.
        note: One sentence that explains the difference.
        first_seen: From the history: since when the finding has been open; null without a history.
        lifecycle: From the history: whether the previous scan, or an earlier one, had the finding. Null without a
            history and for findings that are not drift.
        file: The file of the manifest; null for an unmanaged object.
        line: The line of the field in it, or of the innermost part around the field that the manifest has.
        git: The commit of the line in the manifest; null without --blame.
        security: What the live state does to security, compared with the manifest; null if that is unknown, or nothing.
        advice: What to do about it, in one sentence; null if it is not drift.
        commands: What to paste into a shell; null if it is not drift. Of an incomplete report, and of one on several
            clusters, only the command look is known.
    """

    id: _Fingerprint
    change: Change
    path: str
    pointer: str
    desired: Any
    live: Any
    redacted: bool
    cause: Cause
    severity: Severity
    actors: list[ActorDocument]
    note: str | None
    ignored: IgnoredDocument | None
    first_seen: RFC3339 | None
    lifecycle: Lifecycle | None = None
    file: str | None = None
    line: _Number | None = None
    git: GitLineDocument | None = None
    security: Security | None = None
    live_pointer: str | None = None
    advice: str | None = None
    commands: CommandsDocument | None = None

    def __post_init__(self) -> None:
        if self.redacted:
            self.desired = self.live = None


class SourceInfoDocument(_Document):
    """A source of manifests.

    Attributes:
        name: No other source of the same cluster has it. Objects name their sources.
        path: The local file or folder; null if there is none.
        revision: What was read: a Git commit, the version of a chart, or the number of a release; null if unknown.
        synced_revision: What was last synced, in the same form; null if unknown.
        suspended: Whether its controller is suspended or does not sync automatically; null without a controller.
        ready: Whether its controller reports that it is synced and ready; null if it reports nothing.
        message: What its controller says, or why the source could not be read; null if there is nothing to say.
        last_synced: The time of the last sync; null if unknown.
        objects: The number of manifests.
        unchecked: The number of these that were not compared.
        is_rendered: Whether the source could be read or rendered. If not, the scan is incomplete, and no object is
            called unmanaged.
        stale_since: When its controller looked at it last, if that was more than a day before the report; else null.
        cluster: The source's cluster, if the report covers several; null if it covers one, and for a local path
            whose facts are the same for all of them.
        built_as: How Argo CD reads the path of an Application: files, kustomize or helm-chart; null for other sources,
            and if it is unknown.
        substitutes: Whether Flux replaces variables in its manifests (spec.postBuild).
        skips_reconcile: Whether Argo CD skips the Application, also on request (argocd.argoproj.io/skip-reconcile).
    """

    kind: SourceKind
    name: str
    path: str | None
    revision: str | None
    synced_revision: str | None
    suspended: bool | None
    ready: bool | None
    message: str | None
    last_synced: str | None
    objects: _Count
    unchecked: _Count
    is_rendered: bool = field(name="rendered")
    stale_since: str | None = None
    cluster: str | None = None
    built_as: SourceKind | None = None
    substitutes: bool = False
    skips_reconcile: bool = False


class _OfObject:
    """The key of the object, which the report splits into fields."""

    __slots__ = ()
    api_version: str
    kind: str
    namespace: str | None
    name: str

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.api_version.rpartition("/")[0], self.kind, self.namespace, self.name)


class IdentityDocument(_OfObject, _Document, kw_only=True):
    """An object in sync, without findings and without a reason.

    Attributes:
        cluster: The object's cluster, if the report covers several; else null.
        source: The manifest; null for an object that is not in Git, and for one that a program generated.
        origins: The names of the sources that describe it; empty for an object that is not in Git.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str
    cluster: str | None = None
    source: SourceDocument | None
    origins: list[str] = []

    @property
    def status(self) -> Status:
        """Not a field: the report lists these objects as in sync."""
        return Status.IN_SYNC


class NotComparedDocument(_Document):
    """A field whose value in Git cannot be compared."""

    path: str
    reason: str


class ObjectDocument(IdentityDocument, kw_only=True):
    """An object that is not in sync, or that has a finding, a reason or a value that was not compared.

    Attributes:
        reason: Why the object is unchecked, or another remark on it.
        not_compared: The fields whose values in Git cannot be compared with those in the cluster, for example because
            SOPS encrypts them. Whether they exist is compared.
        is_skipped: Whether drift.yaml skips this kind; the object then does not make the scan incomplete.
        uid: The uid of the live object, if it has findings; else null.
        resource_version: The resourceVersion that was compared, if the live object has findings; else null.
        generation: The generation that was compared, if the live object has findings and a generation; else null.
        digest: What a missing or unmanaged object is, in one line; null for other objects, and if it is unknown.
        manifest: What Git would have to say of an unmanaged object, without defaults, status and server metadata; null
            for other objects, for Secrets, and if it is longer than 100,000 characters.
    """

    status: Status
    reason: str | None
    not_compared: list[NotComparedDocument] = []
    is_skipped: bool = field(name="byChoice", default=False)
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    digest: str | None = None
    manifest: dict[str, Any] | None = None
    findings: list[FindingDocument]


class ResolvedDocument(_OfObject, _Document, kw_only=True):
    """A finding of the previous scan that is gone.

    Attributes:
        id: The id of the finding.
        cluster: The object's cluster, if the report covers several; else null.
        resolved_at: When a scan first found it gone.
    """

    id: _Fingerprint
    api_version: str
    kind: str
    namespace: str | None
    name: str
    cluster: str | None = None
    path: str
    change: Change
    cause: Cause
    severity: Severity
    first_seen: RFC3339
    resolved_at: RFC3339


class PastScanDocument(_Document):
    """One scan in the history.

    Attributes:
        at: When the scan ended.
        open: Findings that were open after the scan, with those whose object it could not check.
        new: Open findings that the previous scan did not have.
        resolved: Findings of the previous scan that were gone.
        complete: Whether the scan could check everything.
    """

    at: RFC3339
    open: _Count
    new: _Count
    resolved: _Count
    complete: bool


class ReportDocument(_Document, kw_only=True):
    """The differences between manifests and a live cluster. Version 1 may get new fields; nothing else changes.

    Attributes:
        generated_at: When the scan ended, RFC 3339, UTC.
        cluster: The API server; null for a comparison with dumps, and if the report covers several clusters.
        clusters: The clusters of a merged report; empty if it covers one.
        shard: The shard that the report covers; null if it covers the whole scan.
        notes: Notes on the scan, one sentence each.
        errors: What drift could not read, one sentence each; any error makes the scan incomplete.
        objects: The objects that are not in sync, or that have a finding, a reason or a value that was not compared.
        in_sync: The other objects.
        sources: Where the manifests come from.
        resolved: From the history: findings of the previous scan that are gone. Empty without a history.
        past: From the history: the latest scans, oldest first, this one included. Empty without a history.
    """

    api_version: Literal["drift/v1"]
    kind: Literal["DriftReport"]
    generated_at: RFC3339
    tool: ToolDocument
    cluster: ClusterDocument | None
    clusters: list[ClusterDocument] = []
    manifests: ManifestsDocument
    summary: SummaryDocument
    scan: ScanDocument = field(default_factory=lambda: ScanDocument(None, None))
    shard: ShardDocument | None = None
    notes: list[str]
    errors: list[str]
    objects: list[ObjectDocument]
    in_sync: list[IdentityDocument] = []
    sources: list[SourceInfoDocument] = []
    resolved: list[ResolvedDocument] = []
    past: list[PastScanDocument] = []


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema of the report."""
    schema = msgspec.json.schema(ReportDocument, schema_hook=lambda _: {"type": "string", "format": "date-time"})
    definitions = schema.pop("$defs")
    for name, definition in definitions.items():
        if "properties" in definition:
            _describe(definition, globals()[name])
    definitions["FindingDocument"] |= _VALUES_IF_REDACTED
    definitions["ObjectDocument"] |= _BY_STATUS
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:drift:report:v1",
        **definitions.pop("ReportDocument"),
        "title": "Drift report, version 1",
        "$defs": definitions,
    }


def _describe(definition: dict[str, Any], kind: type[_Document]) -> None:
    """Moves the descriptions of attributes from the docstring of a class to its fields."""
    names = {attribute.name: attribute.encode_name for attribute in msgspec.structs.fields(kind)}
    text, _, attributes = definition["description"].partition("\n\nAttributes:\n")
    definition["description"] = text
    for name, words in re.findall(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", attributes, re.MULTILINE):
        definition["properties"][names[name]]["description"] = " ".join(words.split())
