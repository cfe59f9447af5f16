"""Reports, their findings, and the words of both.

All of them are frozen. A stage returns new values and never changes those of an earlier stage.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final

from drift.objects import Json, Manifest, Object, ObjectKey, Source

#: The version of the JSON report and of everything else that drift writes as JSON.
API_VERSION: Final = "drift/v1"
#: Begins each note that names kinds in which a scan did not search for unmanaged objects.
NOT_SEARCHED: Final = "did not search for unmanaged "
#: Begins the note on a field that Git sets and the cluster lacks although no one removed it.
NOT_KEPT: Final = (
    "this server does not keep this field: a typo, a disabled feature gate, or a field of another Kubernetes version"
)
#: The note on what cannot be changed in a ConfigMap or Secret with ``immutable: true``.
IMMUTABLE: Final = "the live object is immutable; delete it before you sync"


class Status(StrEnum):
    """The result for one object as a whole."""

    IN_SYNC = "in-sync"
    DRIFTED = "drifted"
    MISSING = "missing"
    UNMANAGED = "unmanaged"
    UNCHECKED = "unchecked"


class Change(StrEnum):
    """How the live object differs from the manifest at one path."""

    CHANGED = "changed"
    REMOVED = "removed"
    ADDED = "added"
    REORDERED = "reordered"
    MISSING = "missing"
    UNMANAGED = "unmanaged"


class Cause(StrEnum):
    """What caused a difference, as far as the cluster's own records tell."""

    MANUAL = "manual"
    PENDING_SYNC = "pending-sync"
    CONTROLLER = "controller"
    UNKNOWN = "unknown"


class Evidence(StrEnum):
    """How certain it is that a user made a difference; see `drift.audit.join`."""

    EXACT = "exact"
    LIKELY = "likely"
    CANDIDATE = "candidate"


class Severity(StrEnum):
    """How much a difference matters."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


#: For sorting; 0 is the most severe.
SEVERITY_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


class Security(StrEnum):
    """What a difference does to the security of the cluster."""

    LOOSENS = "loosens"
    TIGHTENS = "tightens"


class Lifecycle(StrEnum):
    """How a finding compares with earlier scans in the history."""

    NEW = "new"
    ONGOING = "ongoing"
    REOPENED = "reopened"


class Verdict(StrEnum):
    """The result of the whole scan."""

    IN_SYNC = "in-sync"
    DRIFTED = "drifted"
    INCOMPLETE = "incomplete"


class Unmanaged(StrEnum):
    """Where to look for objects that are not in Git."""

    OFF = "off"
    NAMESPACE = "namespace"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """One worker's part of a scan: the namespaces whose hash maps to it.

    Attributes:
        index: Counted from 1.
        count: The number of workers that share the scan.
    """

    index: int
    count: int

    def owns(self, namespace: str | None) -> bool:
        """Returns whether this shard reports on a namespace; None stands for cluster-scoped objects."""
        # Python's built-in hash differs between processes.
        digest = sha256((namespace or "").encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.index - 1

    def __str__(self) -> str:
        """Returns ``shard 1 of 4``."""
        return f"shard {self.index} of {self.count}"


@dataclass(frozen=True, slots=True, order=True)
class Actor:
    """A field manager that owns a field, as recorded in ``metadata.managedFields``.

    Attributes:
        manager: The name that a program gave, not the name of a person.
        operation: ``Apply`` or ``Update``; ``Delete`` for a deletion in the audit log.
        subresource: For example ``scale`` or ``status``; None for the object itself.
        time: RFC 3339, the manager's last change to any of its fields, or the time of the request if the evidence is
            exact; None if it is not recorded.
        user: The user in the audit log; None without one, or if users are not shown.
        impersonated_by: Who impersonated the user, or None.
        user_agent: The program in the audit log, as it calls itself; None like the user.
        evidence: How certain the user is; None if the audit log names no user.
    """

    manager: str
    operation: str
    subresource: str | None
    time: str | None
    user: str | None = None
    impersonated_by: str | None = None
    user_agent: str | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class IgnoredBy:
    """The rule that ignores a finding, and the reason that the rule gives."""

    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class GitLine:
    """The commit that last changed the line of a field.

    Attributes:
        commit: Its hash.
        author: The name of its author.
        time: RFC 3339, when it was authored.
        summary: The first line of its message.
    """

    commit: str
    author: str
    time: str
    summary: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between a manifest and its live object.

    Attributes:
        id: A fingerprint that is the same in every scan; not derived from values or positions.
        change: How the live object differs.
        path: A readable path that names list items by their merge key. Empty for the object as a whole.
        pointer: A JSON pointer (RFC 6901) into the live object if the field is live, else into the manifest.
        desired: The value in the manifest, or None if there is none or it is redacted.
        live: The value in the cluster, or None if there is none or it is redacted.
        redacted: Whether there is a value that must not be shown.
        cause: What caused it.
        severity: How much it matters.
        actors: The field managers that own the field now; empty if the cluster has no record.
        note: One sentence that explains the difference further, or None.
        ignored: The rule that ignores the finding, or None.
        first_seen: RFC 3339, when the open finding was first seen; None without a history.
        lifecycle: Whether it is new since the last scan; None without a history.
        file: The file that sets the field, as in a source; None for an unmanaged object.
        line: The line of the field in the file, counted from 1. If Git does not have the field, the line of the closest
            parent that it has. None if the field is rendered by kustomize or Helm and its line is not known.
        git: The commit that last changed the line; None if commits were not requested, or Git does not have the field.
        security: What the live state does to security, compared with Git; None for nothing, or if that is unknown.
        live_pointer: A JSON pointer to where the live object lacks the field; None if the field is live, and if no list
            item is on the way to it: then `pointer` says that, too.
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
    file: str | None = None
    line: int | None = None
    git: GitLine | None = None
    security: Security | None = None
    live_pointer: str | None = None

    @property
    def is_drift(self) -> bool:
        """Whether it counts as drift: it is not ignored, and no controller caused it."""
        return self.cause is not Cause.CONTROLLER and self.ignored is None

    @property
    def is_being_deleted(self) -> bool:
        """Whether it says that the live object is being deleted."""
        return self.path == "metadata.deletionTimestamp"


@dataclass(frozen=True, slots=True)
class Decision:
    """A difference that is not reported, and the reason; shown with ``-v``."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A field that Git describes with a value that cannot be compared.

    Attributes:
        path: As in a finding.
        reason: Why, as a sentence without a full stop.
    """

    path: str
    reason: str


class _OfObject:
    """Kind, namespace and name of the object that a result is about."""

    __slots__ = ()
    key: ObjectKey

    @property
    def kind(self) -> str:
        """The kind of the object."""
        return self.key.kind

    @property
    def namespace(self) -> str | None:
        """The namespace of the object; None if it is cluster-scoped."""
        return self.key.namespace

    @property
    def name(self) -> str:
        """The name of the object."""
        return self.key.name


@dataclass(frozen=True, slots=True)
class ObjectReport(_OfObject):
    """The result for one object.

    Attributes:
        api_version: The version in which it was compared.
        key: The object.
        source: Where its manifest begins; None for an unmanaged object, and for a manifest that a program generated.
        status: The result for the object as a whole.
        reason: Why it is unchecked, or another remark, as a sentence; None if the findings say everything.
        findings: Sorted by path.
        decisions: Differences that are not reported.
        is_skipped: Whether it is unchecked because the user excluded it, so that the scan is still complete.
        cluster: The context of its cluster if the report covers several clusters, else None.
        origins: The names of the sources that describe it, as in `SourceInfo`; empty for an unmanaged object.
        not_compared: The fields whose values could not be compared, sorted by path.
        uid: ``metadata.uid`` of the live object; None if there is none.
        resource_version: ``metadata.resourceVersion`` of the live object when it was read; None if there is none.
        generation: ``metadata.generation`` of the live object when it was read; None if there is none.
        digest: What a missing or unmanaged object is, in one line; None for other objects, and for unknown kinds.
        manifest: The manifest to add to Git for an unmanaged object; None for other objects, and if it is too large or
            has a value that must not be shown.
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
    origins: tuple[str, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    digest: str | None = None
    manifest: Object | None = field(default=None, repr=False)

    @classmethod
    def of(cls, manifest: Manifest, key: ObjectKey, status: Status, reason: str | None = None) -> "ObjectReport":
        """Returns the report of an object that a manifest describes, without findings."""
        return cls(manifest.api_version, key, manifest.source, status, reason, origins=manifest.origins)

    @property
    def is_noteworthy(self) -> bool:
        """Whether it is not in sync, or has a finding, a reason or a value that was not compared."""
        return self.status is not Status.IN_SYNC or bool(self.findings or self.not_compared) or self.reason is not None


def report_order(item: ObjectReport) -> tuple[str, str, str, str, str]:
    """Sort key of a report's objects."""
    return (item.cluster or "", *item.key.order)


@dataclass(frozen=True, slots=True)
class Resolved(_OfObject):
    """A finding of an earlier scan that is gone, from the history.

    Attributes:
        id: The fingerprint of the finding.
        api_version: The version in which its object was compared.
        key: Its object.
        path: As in the finding.
        change: As in the finding.
        cause: As in the last scan that had it.
        severity: As in the last scan that had it.
        first_seen: RFC 3339, when it was first seen.
        resolved_at: RFC 3339, the time of the first scan that no longer had it.
        cluster: The context of its cluster if the report covers several clusters, else None.
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
    """One scan in the history, including the current one.

    Attributes:
        at: RFC 3339, UTC.
        open: The number of findings that were open after it, including those that it could not check.
        new: The number of open findings that the scan before did not have.
        resolved: The number of findings that the scan before had and this one did not.
        complete: Whether everything could be checked.
    """

    at: str
    open: int
    new: int
    resolved: int
    complete: bool


#: The URL of a cluster's server, and its id or "".
ClusterKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """The API server that was scanned.

    Attributes:
        context: The context in the kubeconfig; None inside a pod.
        server: Its URL.
        version: For example ``v1.36.3``.
        impersonated: The impersonated user, or None.
        id: Inside a pod, the digest of the cluster's certificate authority: there, the server has the same address in
            many clusters. None outside of a pod.
    """

    context: str | None
    server: str
    version: str
    impersonated: str | None = None
    id: str | None = None

    @property
    def key(self) -> ClusterKey:
        """What no other cluster has."""
        return (self.server, self.id or "")


@dataclass(frozen=True, slots=True)
class ManifestsInfo:
    """The manifests that were compared.

    Attributes:
        paths: As the user gave them.
        git_commit: The commit that is checked out at the first path; None outside a Git work tree.
        git_dirty: Whether the paths have uncommitted changes; None outside a Git work tree.
    """

    paths: tuple[str, ...]
    git_commit: str | None
    git_dirty: bool | None


class SourceKind(StrEnum):
    """The kind of a source of manifests."""

    FILES = "files"
    KUSTOMIZE = "kustomize"
    HELM_CHART = "helm-chart"
    HELM_RELEASE = "helm-release"
    FLUX_KUSTOMIZATION = "flux-kustomization"
    FLUX_HELM_RELEASE = "flux-helm-release"
    ARGOCD_APPLICATION = "argocd-application"


#: The cluster of a source, or None, and its name.
SourceKey = tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """One source of manifests, and what its GitOps controller says about it.

    Attributes:
        kind: What it is.
        name: Its name, which no other source of the cluster has: the path as the user gave it, or
            ``release NAMESPACE/NAME``, ``Kustomization NAMESPACE/NAME``, ``Application NAMESPACE/NAME``.
        path: The local file or folder that was read or rendered; None if there is none.
        revision: What was read: a Git commit, a chart's version, or a release's number; None if unknown.
        synced_revision: What was last synced, in the same form; None if unknown.
        suspended: Whether its controller is suspended, or does not sync automatically; None without a controller.
        ready: Whether its controller reports that it is synced and ready; None if it reports nothing.
        message: What its controller says about it, or why it was not read; None if there is nothing to say.
        last_synced: RFC 3339, the time of the last sync; None if unknown.
        stale_since: RFC 3339, when its controller looked at it last, if that was more than a day before the report;
            else None.
        objects: The number of manifests.
        unchecked: The number of these that were not compared.
        is_rendered: Whether it could be read or rendered; if not, its objects are unknown.
        cluster: Its cluster, if the report covers several; None for one cluster, and for a local path whose facts are
            the same for all of them.
        built_as: How Argo CD reads the path of an Application: `SourceKind.FILES`, `SourceKind.KUSTOMIZE` or
            `SourceKind.HELM_CHART`; None for other sources, and if unknown.
        substitutes: Whether Flux replaces variables in its manifests (``spec.postBuild``).
        skips_reconcile: Whether Argo CD skips the Application, also on request (``argocd.argoproj.io/skip-reconcile``).
    """

    kind: SourceKind
    name: str
    path: str | None = None
    revision: str | None = None
    synced_revision: str | None = None
    suspended: bool | None = None
    ready: bool | None = None
    message: str | None = None
    last_synced: str | None = None
    stale_since: str | None = None
    objects: int = 0
    unchecked: int = 0
    is_rendered: bool = True
    cluster: str | None = None
    built_as: SourceKind | None = None
    substitutes: bool = False
    skips_reconcile: bool = False

    @property
    def key(self) -> SourceKey:
        """What no other source of the report has."""
        return (self.cluster, self.name)


def sources_of(item: ObjectReport, sources: Mapping[SourceKey, SourceInfo]) -> Iterator[SourceInfo]:
    """Yields the sources that describe an object, in the order of its origins.

    Args:
        item: The object.
        sources: The sources of the report by key.
    """
    for name in item.origins:
        source = sources.get((item.cluster, name)) or sources.get((None, name))
        if source is not None:
            yield source


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one scan.

    Attributes:
        generated_at: RFC 3339, UTC.
        cluster: The API server; None for dumps, and in a report on several clusters.
        manifests: The manifests that were compared.
        objects: Every object, also those in sync; sorted by key.
        notes: Remarks on the scan as a whole, one sentence each.
        errors: What could not be read or searched, one sentence each; any error makes the scan incomplete.
        clusters: The clusters of a merged report; empty for a report on one cluster.
        duration_seconds: How long the scan took; None if not measured.
        api_requests: The number of requests to the API server, including discovery; None for dumps.
        resolved: Findings of the scan before that are gone, from the history.
        past: The latest scans in the history, oldest first, including this one; empty without a history.
        shard: The part of the scan that the report covers, or None for a scan that is not split.
        unused_rules: Notes on ignore rules that matched nothing in this shard. They apply to the whole scan only if
            every shard has them.
        sources: Where the manifests come from, in the order of the user; empty in reports of older versions.
        unread: Documents in Git that could not be read or that define an object again, one line each; they make the
            scan incomplete and its exit status 2.
        inferred_applier: The field manager that counts as the applier because no known one wrote the objects; None if
            a known one did, and in saved reports.
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
    sources: tuple[SourceInfo, ...] = ()
    unread: tuple[str, ...] = ()
    inferred_applier: str | None = None

    @property
    def each_cluster(self) -> tuple[ClusterInfo, ...]:
        """The clusters that it is about; empty for dumps."""
        return self.clusters if self.cluster is None else (self.cluster,)

    @property
    def verdict(self) -> Verdict:
        """Incomplete if anything could not be checked, else drifted if anything drifted, else in sync."""
        if self.problems or any(item.status is Status.UNCHECKED and not item.is_skipped for item in self.objects):
            return Verdict.INCOMPLETE
        return Verdict.DRIFTED if self.has_drift else Verdict.IN_SYNC

    @property
    def findings(self) -> Iterator[Finding]:
        """The findings of all objects."""
        return (finding for item in self.objects for finding in item.findings)

    @property
    def knows_desired(self) -> bool:
        """Whether all manifests could be read. If not, an object that counts as unmanaged may be in Git."""
        return not self.unread and all(source.is_rendered for source in self.sources)

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read in Git or in the cluster. Any problem makes the scan incomplete."""
        return (*self.unread, *self.errors)

    @property
    def has_drift(self) -> bool:
        """Whether any finding is drift."""
        return self.has_drift_of(Cause)

    def has_drift_of(self, causes: Iterable[Cause], severity: Severity = Severity.INFO) -> bool:
        """Returns whether any finding that is drift has one of these causes, and at least this severity."""
        causes, lowest = frozenset(causes), SEVERITY_RANK[severity]
        return any(
            finding.is_drift and finding.cause in causes and SEVERITY_RANK[finding.severity] <= lowest
            for finding in self.findings
        )

    def count_by_status(self) -> Mapping[Status, int]:
        """Returns the number of objects by status; every status is a key."""
        counts = Counter(item.status for item in self.objects)
        return {status: counts[status] for status in Status}

    def count_by_severity(self) -> Mapping[Severity, int]:
        """Returns the number of findings that are drift by severity, most severe first; every severity is a key."""
        counts = Counter(finding.severity for finding in self.findings if finding.is_drift)
        return {severity: counts[severity] for severity in Severity}

    def count_by_cause(self) -> Mapping[Cause, int]:
        """Returns the number of findings by cause, without ignored ones; every cause is a key."""
        counts = Counter(finding.cause for finding in self.findings if finding.ignored is None)
        return {cause: counts[cause] for cause in Cause}

    def count_ignored(self) -> int:
        """Returns the number of ignored findings."""
        return sum(finding.ignored is not None for finding in self.findings)
