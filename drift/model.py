"""What flows through the reporter, from the manifests to the formats. Imports nothing of ours.

Everything here is frozen: a stage makes new values, it never changes what an earlier stage made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

#: A JSON value as parsed: dict, list, str, int, float, bool or None. Values of Secrets are `Redacted` instead.
Json = Any
#: A Kubernetes object as parsed JSON.
Object = dict[str, Json]

#: The annotation in which ``kubectl apply`` keeps what it was last given.
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


class Status(StrEnum):
    """What is to be said of one object as a whole."""

    IN_SYNC = "in-sync"
    DRIFTED = "drifted"
    MISSING = "missing"
    UNMANAGED = "unmanaged"
    UNCHECKED = "unchecked"


class Change(StrEnum):
    """How the live side differs from the desired one, at one path."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    REORDERED = "reordered"
    MISSING = "missing"
    UNMANAGED = "unmanaged"


class Cause(StrEnum):
    """Which side moved, as far as the cluster's own record tells."""

    MANUAL = "manual"
    PENDING_SYNC = "pending-sync"
    CONTROLLER = "controller"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How much a difference matters, by what it changes."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


#: For sorting; 0 is the most severe.
SEVERITY_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


class Lifecycle(StrEnum):
    """What a history says of a finding: whether the last scan had it already."""

    NEW = "new"
    ONGOING = "ongoing"
    REOPENED = "reopened"


class Verdict(StrEnum):
    """The answer of a whole scan."""

    IN_SYNC = "in-sync"
    DRIFTED = "drifted"
    INCOMPLETE = "incomplete"


class Unmanaged(StrEnum):
    """Where objects that Git does not have are looked for."""

    OFF = "off"
    NAMESPACE = "namespace"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One worker's part of a scan: the namespaces whose hash falls to it.

    Attributes:
        index: Counted from 1.
        count: How many workers share the scan; 1 for all of it in one piece.
    """

    index: int = 1
    count: int = 1

    def owns(self, namespace: str | None) -> bool:
        """Whether objects of a namespace are this shard's; those of none go where a namespace without name would."""
        # Python's own hash differs from process to process.
        digest = sha256((namespace or "").encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index - 1

    def __str__(self) -> str:
        """For sentences."""
        return f"shard {self.index} of {self.count}"


#: All of the work in one piece.
WHOLE: Final = Shard()


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """What an object is known by: never its version, which is only a way to write it down.

    Attributes:
        group: The API group, "" for the core one.
        kind: The kind, as in a manifest.
        namespace: None for a cluster-scoped object.
        name: ``metadata.name``.
    """

    group: str
    kind: str
    namespace: str | None
    name: str

    def __str__(self) -> str:
        """``Kind.group namespace/name``, as kubectl would have it on a command line."""
        kind = f"{self.kind}.{self.group}" if self.group else self.kind
        return f"{kind} {self.namespace}/{self.name}" if self.namespace is not None else f"{kind} {self.name}"


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Where a manifest was read.

    Attributes:
        file: The path as the user wrote it or as found below the folder they named; ``<stdin>`` for ``-``.
        document: Which YAML document of the file, counted from 1.
        line: The line on which the document's object begins, counted from 1.
    """

    file: str
    document: int
    line: int

    def __str__(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One desired object.

    Attributes:
        api_version: As the manifest has it, for instance ``apps/v1``.
        kind: As the manifest has it.
        namespace: As the manifest has it; None where it names none.
        name: ``metadata.name``.
        source: Where it was read.
        body: The whole object; a Secret's values are redacted.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str
    source: Source
    body: Object = field(repr=False)

    @property
    def group(self) -> str:
        """The API group, "" for the core one."""
        return self.api_version.rpartition("/")[0]


@dataclass(frozen=True, slots=True, order=True)
class Actor:
    """One field manager's part in a difference, as ``metadata.managedFields`` records it.

    Attributes:
        manager: A program's name, not a person's.
        operation: ``Apply`` or ``Update``.
        subresource: For instance ``scale`` or ``status``; None for the object itself.
        time: RFC 3339; an upper bound for the one field, since it is recorded per manager. None where not recorded.
    """

    manager: str
    operation: str
    subresource: str | None
    time: str | None


@dataclass(frozen=True, slots=True)
class IgnoredBy:
    """The rule that sets a finding aside, and the reason that the user gave for it."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between an object's desired and live state.

    Attributes:
        id: A fingerprint that stays the same from scan to scan; never made of values or positions.
        change: How the live side differs.
        path: For people: list items are named by their merge key. Empty for the object as a whole.
        pointer: RFC 6901, into the live object where the field is live, else into the manifest.
        desired: The manifest's value, None where it has none or where it is redacted.
        live: The cluster's value, None where it has none or where it is redacted.
        redacted: True where a value exists that is not to be shown.
        cause: Which side moved.
        severity: How much it matters.
        actors: Who owns the field now; empty where the cluster kept no record.
        note: One sentence on what the values alone do not say, else None.
        ignored: Set where a rule sets the finding aside.
        first_seen: RFC 3339, from the history: when what is open now was seen first; None without one.
        lifecycle: From the history: whether it is new; None without one.
    """

    id: str
    change: Change
    path: str
    pointer: str
    desired: Json
    live: Json
    redacted: bool
    cause: Cause
    severity: Severity
    actors: tuple[Actor, ...] = ()
    note: str | None = None
    ignored: IgnoredBy | None = None
    first_seen: str | None = None
    lifecycle: Lifecycle | None = None

    @property
    def is_drift(self) -> bool:
        """Whether it makes its object drifted: a controller's work and what a rule ignores do not."""
        return self.cause is not Cause.CONTROLLER and self.ignored is None


@dataclass(frozen=True, slots=True)
class Decision:
    """A difference that is not reported, and why; shown with ``-v``."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """What the scan has to say of one object.

    Attributes:
        api_version: The version it was compared in.
        key: What it is known by.
        source: The manifest; None for an object that Git lacks.
        status: The object as a whole.
        reason: Why it is unchecked, or what else is to be said in a sentence; None where the findings say it all.
        findings: In the order of their paths.
        decisions: What was seen and not reported.
        is_skipped: Whether the user asked for it to be unchecked, so that it leaves nothing open.
        cluster: Which cluster it is about, in a report that speaks of several; else None.
    """

    api_version: str
    key: ObjectKey
    source: Source | None
    status: Status
    reason: str | None = None
    findings: tuple[Finding, ...] = ()
    decisions: tuple[Decision, ...] = ()
    is_skipped: bool = False
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class Resolved:
    """A finding that counted in an earlier scan and is gone, as the history has it.

    Attributes:
        id: Its fingerprint.
        api_version: The version its object was compared in.
        key: Its object.
        path: As in the finding.
        change: As in the finding.
        cause: As it was last seen.
        severity: As it was last seen.
        first_seen: RFC 3339: when it was seen first.
        resolved_at: RFC 3339: when it was first seen to be gone.
        cluster: Which cluster it was in, in a report that speaks of several; else None.
    """

    id: str
    api_version: str
    key: ObjectKey
    path: str
    change: Change
    cause: Cause
    severity: Severity
    first_seen: str
    resolved_at: str
    cluster: str | None = None


@dataclass(frozen=True, slots=True)
class PastScan:
    """One scan that the history remembers, this one included.

    Attributes:
        at: RFC 3339, UTC.
        open: Findings that were open after it, those included that it could not look at.
        new: Of those, the ones that the scan before did not have.
        resolved: Findings of the scan before that were gone.
        complete: Whether all could be looked at.
    """

    at: str
    open: int
    new: int
    resolved: int
    complete: bool


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """The API server that was scanned.

    Attributes:
        context: The kubeconfig's context; None inside a pod.
        server: Its URL.
        version: For instance ``v1.36.3``.
        impersonated: Whom the requests were made as, if not as the owner of the credentials.
    """

    context: str | None
    server: str
    version: str
    impersonated: str | None = None


@dataclass(frozen=True, slots=True)
class ManifestsInfo:
    """The desired side that was scanned.

    Attributes:
        paths: As the user named them.
        git_commit: The commit that is checked out where the first path lies; None outside a Git work tree.
        git_dirty: Whether the paths have uncommitted changes; None outside a Git work tree.
    """

    paths: tuple[str, ...]
    git_commit: str | None
    git_dirty: bool | None


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one scan.

    Attributes:
        generated_at: RFC 3339, UTC.
        cluster: None for a comparison with dumps, and where the report speaks of several clusters.
        manifests: The desired side.
        objects: Every object looked at, those in sync included; sorted by key.
        notes: What the reader should know of the scan as a whole, one sentence each.
        errors: What could not be looked at beside the objects themselves, one sentence each; any makes it incomplete.
        clusters: Those that a merged report speaks of; empty where it is of one.
        duration_seconds: How long the comparing took; None where not measured.
        api_requests: Requests sent to the API server, those to find out what it serves included; None for dumps.
        resolved: From the history: what the scan before had and this one has not.
        past: From the history: the latest scans, oldest first, this one included; empty without one.
        shard: The part of the scan that the report is of; None where it is of all.
        unused_rules: Of a shard: notes that hold of the whole scan only if every shard has them.
    """

    generated_at: str
    cluster: ClusterInfo | None
    manifests: ManifestsInfo
    objects: tuple[ObjectReport, ...]
    notes: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    clusters: tuple[ClusterInfo, ...] = ()
    duration_seconds: float | None = None
    api_requests: int | None = None
    resolved: tuple[Resolved, ...] = ()
    past: tuple[PastScan, ...] = ()
    shard: Shard | None = None
    unused_rules: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Incomplete if anything could not be looked at, else drifted if anything drifted, else in sync."""
        if self.errors or any(item.status is Status.UNCHECKED and not item.is_skipped for item in self.objects):
            return Verdict.INCOMPLETE
        return Verdict.DRIFTED if self.has_drift else Verdict.IN_SYNC

    @property
    def has_drift(self) -> bool:
        """Whether any finding counts, be the scan complete or not."""
        return self.has_drift_of(Cause)

    def has_drift_of(self, causes: Iterable[Cause]) -> bool:
        """Whether any finding that counts has one of these causes."""
        wanted = frozenset(causes)
        return any(
            finding.is_drift and finding.cause in wanted for report in self.objects for finding in report.findings
        )

    def count_by_status(self) -> Mapping[Status, int]:
        """How many objects have each status; every status is a key."""
        counts = dict.fromkeys(Status, 0)
        for report in self.objects:
            counts[report.status] += 1
        return counts

    def count_by_cause(self) -> Mapping[Cause, int]:
        """How many findings have each cause, ignored ones left out; every cause is a key."""
        counts = dict.fromkeys(Cause, 0)
        for report in self.objects:
            for finding in report.findings:
                if finding.ignored is None:
                    counts[finding.cause] += 1
        return counts

    def count_ignored(self) -> int:
        """How many findings a rule sets aside."""
        return sum(finding.ignored is not None for report in self.objects for finding in report.findings)
