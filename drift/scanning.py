"""One scan from manifests and a live side to a report: who is asked for what, and what each stage hands to the next."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from drift.cluster.live import LiveObject
from drift.cluster.resources import Resource, Resources
from drift.compare.objects import Compared, compare_object
from drift.compare.unmanaged import judge_stray
from drift.config.settings import UncheckedKind
from drift.errors import ManifestError, RequestError
from drift.model import (
    Cause,
    ClusterInfo,
    Manifest,
    ManifestsInfo,
    Object,
    ObjectKey,
    ObjectReport,
    Report,
    Status,
    Unmanaged,
)
from drift.policy.argocd import IgnoreDifferences, read_ignore_differences, set_aside
from drift.policy.autoscaling import Autoscaler, concerns_replicas, judge_replicas, read_autoscaler
from drift.policy.findings import missing_finding, object_findings, stray_finding
from drift.policy.opt_out import honour, why_it_may_be_gone
from drift.schema.definitions import defined_kind, document_of
from drift.schema.types import UNKNOWN, SchemaDocument, Type
from drift.synced import LoadRevision, SyncedRevisions


class LiveSource(Protocol):
    """Where live objects come from: an API server or a dump."""

    @property
    def info(self) -> ClusterInfo | None:
        """The API server; None for a dump."""

    @property
    def resources(self) -> Resources:
        """The kinds it has."""

    @property
    def default_namespace(self) -> str:
        """Where objects live that name no namespace."""

    def schema(self, resource: Resource) -> Mapping[str, Any] | None:
        """The OpenAPI v3 document of a resource; None where there is none."""

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """One object; None if it does not exist. Raises RequestError."""

    def list(self, resource: Resource, namespace: str | None, *, metadata_only: bool = False) -> Iterator[LiveObject]:
        """The objects of a kind. Raises RequestError."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the user may say about a scan.

    Attributes:
        namespace: Where objects live that name no namespace; None: as the live side has it.
        appliers: Field managers that sync Git, beside the well-known ones.
        controllers: Field managers that work for the cluster, beside the well-known ones; ``*`` as in a glob.
        unchecked: Kinds that are not asked for, on purpose.
        unmanaged: Where objects that Git does not have are looked for.
        synced: The manifests at the revision that was last synced; None where the user names none.
        load_revision: Reads the manifests at a Git revision that a syncer records; None to do without.
    """

    namespace: str | None = None
    appliers: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    unchecked: tuple[UncheckedKind, ...] = ()
    unmanaged: Unmanaged = Unmanaged.NAMESPACE
    synced: tuple[Manifest, ...] | None = None
    load_revision: LoadRevision | None = None


#: The kinds that people usually make by hand, looked for in the manifests' namespaces where the account may list them.
USUAL_KINDS: Final = (
    ("", "ConfigMap"),
    ("", "PersistentVolumeClaim"),
    ("", "Pod"),
    ("", "ReplicationController"),
    ("", "Secret"),
    ("", "Service"),
    ("", "ServiceAccount"),
    ("apps", "DaemonSet"),
    ("apps", "Deployment"),
    ("apps", "ReplicaSet"),
    ("apps", "StatefulSet"),
    ("autoscaling", "HorizontalPodAutoscaler"),
    ("batch", "CronJob"),
    ("batch", "Job"),
    ("networking.k8s.io", "Ingress"),
    ("networking.k8s.io", "NetworkPolicy"),
    ("policy", "PodDisruptionBudget"),
    ("rbac.authorization.k8s.io", "Role"),
    ("rbac.authorization.k8s.io", "RoleBinding"),
)
_FORBIDDEN: Final = 403
_METHOD_NOT_ALLOWED: Final = 405
_NOTHING: Final[Object] = {"metadata": {}}
#: Up to so many objects of a kind are read one by one where nothing else of the kind is of interest.
_FEW: Final = 5


def scan_manifests(
    manifests: Sequence[Manifest],
    source: LiveSource,
    *,
    info: ManifestsInfo,
    options: Options,
    schemas: Mapping[str, Any] | None = None,
) -> Report:
    """Compares manifests with the live side.

    Args:
        manifests: The desired objects.
        source: The live side.
        info: Where the manifests come from, for the report.
        options: What the user said about the scan.
        schemas: The OpenAPI document to use where the source has none of its own.

    Raises:
        ManifestError: Two manifests describe one object.
        ConnectError: The API server cannot be reached any more.
    """
    return _Scan(source, options, schemas).run(manifests, info)


@dataclass(slots=True)
class _Wanted:
    """The manifests of one kind in one namespace."""

    resource: Resource
    namespace: str | None
    manifests: dict[str, Manifest] = field(default_factory=dict)


class _Scan:
    def __init__(self, source: LiveSource, options: Options, schemas: Mapping[str, Any] | None) -> None:
        self._source = source
        self._options = options
        self._schemas = schemas
        # What may be asked for; a kind that the user leaves out is not even looked up.
        self._resources = source.resources.without(lambda group, kind: self._unchecked(group, kind) is not None)
        self._shipped = None if schemas is None else SchemaDocument(schemas)
        self._definitions: dict[tuple[str, str], Object] = {}
        self._defined: dict[Resource, Type | None] = {}
        self._documents: dict[str, SchemaDocument | None] = {}
        self._cluster_id = source.info.server if source.info else ""
        self._notes: list[str] = []
        self._errors: list[str] = []
        self._reports: list[ObjectReport] = []
        self._without_owners = 0
        self._absent: list[tuple[Manifest, ObjectKey]] = []
        self._autoscalers: dict[str | None, tuple[Autoscaler, ...]] = {}
        self._synced: Mapping[ObjectKey, Manifest] | None = None
        self._recorded = (
            None if options.load_revision is None else SyncedRevisions(source, options.load_revision, self._resources)
        )
        self._argocd: tuple[IgnoreDifferences, ...] = ()

    def run(self, manifests: Sequence[Manifest], info: ManifestsInfo) -> Report:
        wanted = self._resolve(manifests)
        self._definitions = self._read_definitions(manifests)
        self._argocd, notes = read_ignore_differences(manifests)
        self._notes += notes
        if self._options.synced is not None:
            self._synced = self._by_key(self._options.synced)
        for group in wanted.values():
            self._scan_group(group)
        self._report_missing()
        self._look_for_strays(wanted)
        if self._recorded is not None:
            self._notes += self._recorded.notes
        if self._without_owners and self._source.info is None:
            self._notes.append(
                f"{self._without_owners} live objects have no managedFields, so who changed them cannot be told; "
                "make dumps with --show-managed-fields"
            )
        return Report(
            generated_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            cluster=self._source.info,
            manifests=info,
            objects=tuple(sorted(self._reports, key=_report_order)),
            notes=tuple(self._notes),
            errors=tuple(self._errors),
        )

    # -- the manifests' side

    def _resolve(self, manifests: Sequence[Manifest]) -> dict[tuple[str, str, str | None], _Wanted]:
        """Groups the manifests by kind and namespace; reports those whose kind is not served."""
        groups: dict[tuple[str, str, str | None], _Wanted] = {}
        seen: dict[ObjectKey, Manifest] = {}
        for manifest in manifests:
            resource = self._resource(manifest)
            key = self._key(manifest, resource)
            if key in seen:
                raise ManifestError(
                    f"{manifest.source}: {key} is also defined in {seen[key].source}; remove one of them"
                )
            seen[key] = manifest
            unchecked = self._unchecked(manifest.group, manifest.kind)
            if unchecked is not None:
                self._reports.append(
                    ObjectReport(
                        manifest.api_version,
                        key,
                        manifest.source,
                        Status.UNCHECKED,
                        unchecked.reason,
                        by_choice=True,
                    )
                )
                continue
            if resource is None:
                self._reports.append(self._not_served(manifest, key))
                continue
            group = groups.setdefault(
                (resource.api_version, resource.kind, key.namespace), _Wanted(resource, key.namespace)
            )
            group.manifests[manifest.name] = manifest
        return groups

    def _unchecked(self, group: str, kind: str) -> UncheckedKind | None:
        return next((unchecked for unchecked in self._options.unchecked if unchecked.covers(group, kind)), None)

    def _resource(self, manifest: Manifest) -> Resource | None:
        return self._source.resources.find(manifest.api_version, manifest.kind)

    def _key(self, manifest: Manifest, resource: Resource | None) -> ObjectKey:
        if resource is None or resource.namespaced:
            default = self._options.namespace or self._source.default_namespace
            namespace = manifest.namespace or (default if resource else None)
        else:
            # kubectl and the API server disregard a namespace on a cluster-scoped object.
            namespace = None
        return ObjectKey(manifest.group, manifest.kind, namespace, manifest.name)

    def _not_served(self, manifest: Manifest, key: ObjectKey) -> ObjectReport:
        resources = self._source.resources
        other = resources.preferred(manifest.group, manifest.kind)
        if other is not None:
            reason = f"{manifest.api_version} is not served here; move the manifest to {other.api_version}"
        elif resources.is_broken(manifest.api_version):
            reason = f"what the server has in {manifest.api_version} cannot be told: that API does not answer"
        elif self._source.info is None:
            reason = f"the dump holds no {manifest.kind} of {manifest.api_version}"
            return self._missing(manifest, key, reason)
        else:
            reason = f"the server has no kind {manifest.kind} in {manifest.api_version}; is its CRD installed?"
            return self._missing(manifest, key, reason)
        return ObjectReport(manifest.api_version, key, manifest.source, Status.UNCHECKED, reason)

    def _missing(self, manifest: Manifest, key: ObjectKey, reason: str | None = None) -> ObjectReport:
        gone = why_it_may_be_gone(manifest.body)
        if gone is not None:
            return ObjectReport(manifest.api_version, key, manifest.source, Status.IN_SYNC, gone)
        cause = Cause.UNKNOWN
        if self._synced is not None:
            cause = Cause.MANUAL if key in self._synced else Cause.PENDING_SYNC
        findings = honour((missing_finding(key, self._cluster_id, cause),), manifest.body, None)
        return ObjectReport(manifest.api_version, key, manifest.source, Status.MISSING, reason, findings)

    # -- the live side

    def _scan_group(self, group: _Wanted) -> None:
        remaining = dict(group.manifests)
        try:
            for live in self._live_objects(group):
                manifest = remaining.pop(live.name, None)
                if manifest is not None:
                    self._reports.append(self._compare_safely(manifest, live, group))
                elif live.name not in group.manifests and self._wants_strays(group):
                    self._judge_stray(live, group.resource)
        except RequestError as error:
            # Nothing is known of those that have not come: not "missing", and certainly not "in sync".
            self._give_up(remaining, group, error)
            return
        self._absent += [(manifest, self._group_key(group, name)) for name, manifest in remaining.items()]

    def _report_missing(self) -> None:
        """Reports what the cluster lacks, at the end: the others tell who syncs it and what was last synced."""
        if self._synced is None and self._recorded is not None and self._absent:
            only = self._recorded.only()
            self._synced = None if only is None else self._by_key(only)
        self._reports += [self._missing(manifest, key) for manifest, key in self._absent]

    def _live_objects(self, group: _Wanted) -> Iterator[LiveObject]:
        """A group's live objects: one by one where that is enough, as a list where others are of interest too."""
        if len(group.manifests) <= _FEW and not self._wants_strays(group):
            for name in group.manifests:
                live = self._source.get(group.resource, group.namespace, name)
                if live is not None:
                    yield live
        else:
            yield from self._source.list(group.resource, group.namespace)

    def _wants_strays(self, group: _Wanted) -> bool:
        if self._options.unmanaged is Unmanaged.NAMESPACE:
            return group.resource.namespaced
        return self._options.unmanaged is Unmanaged.CLUSTER

    def _give_up(self, remaining: Mapping[str, Manifest], group: _Wanted, error: RequestError) -> None:
        what = f"{group.resource.plural} in {group.namespace}" if group.namespace else group.resource.plural
        why = f"may not be read by this account (get, list {what})" if error.status == _FORBIDDEN else str(error)
        self._errors.append(f"{what}: {why}")
        self._reports += [
            ObjectReport(manifest.api_version, self._group_key(group, name), manifest.source, Status.UNCHECKED, why)
            for name, manifest in remaining.items()
        ]

    @staticmethod
    def _group_key(group: _Wanted, name: str) -> ObjectKey:
        return ObjectKey(group.resource.group, group.resource.kind, group.namespace, name)

    def _compare_safely(self, manifest: Manifest, live: LiveObject, group: _Wanted) -> ObjectReport:
        try:
            return self._compare(manifest, live, group)
        except RecursionError:
            # One object that somebody made to be in the way must not cost the report of all the others.
            key = self._group_key(group, manifest.name)
            why = "nested too deep to be compared"
            return ObjectReport(manifest.api_version, key, manifest.source, Status.UNCHECKED, why)

    def _compare(self, manifest: Manifest, live: LiveObject, group: _Wanted) -> ObjectReport:
        key = self._group_key(group, manifest.name)
        compared = self._compare_with(manifest, live, group, self._synced)
        if compared.judged and self._synced is None and self._recorded is not None:
            recorded = self._recorded.manifests(live.body)
            if recorded is not None:
                compared = self._compare_with(manifest, live, group, self._by_key(recorded))
        self._without_owners += compared.lacks_owners
        findings = object_findings(compared, key, self._cluster_id)
        if concerns_replicas(findings):
            findings = judge_replicas(key, findings, self._autoscalers_in(key.namespace))
        findings = set_aside(key, honour(findings, manifest.body, live.body), self._argocd)
        drifted = any(finding.is_drift for finding in findings)
        return ObjectReport(
            api_version=manifest.api_version,
            key=key,
            source=manifest.source,
            status=Status.DRIFTED if drifted else Status.IN_SYNC,
            reason="; ".join(compared.remarks) or None,
            findings=findings,
            decisions=compared.decisions,
        )

    def _compare_with(
        self, manifest: Manifest, live: LiveObject, group: _Wanted, synced: Mapping[ObjectKey, Manifest] | None
    ) -> Compared:
        base: Object | None = None
        if synced is not None:
            known = synced.get(self._group_key(group, manifest.name))
            # An object that is new in Git had nothing synced, which is a base like any other.
            base = _NOTHING if known is None else known.body
        return compare_object(
            manifest.body,
            live.body,
            live.last_applied,
            self._type(group.resource),
            appliers=self._options.appliers,
            controllers=self._options.controllers,
            synced=base,
        )

    def _by_key(self, manifests: Iterable[Manifest]) -> dict[ObjectKey, Manifest]:
        return {self._key(manifest, self._resource(manifest)): manifest for manifest in manifests}

    def _autoscalers_in(self, namespace: str | None) -> tuple[Autoscaler, ...]:
        """The namespace's autoscalers; asked for only where replicas differ."""
        if namespace not in self._autoscalers:
            resource = self._resources.preferred("autoscaling", "HorizontalPodAutoscaler")
            found: list[Autoscaler] = []
            try:
                for live in self._source.list(resource, namespace) if resource else ():
                    autoscaler = read_autoscaler(live.body)
                    if autoscaler is not None:
                        found.append(autoscaler)
            except RequestError as error:
                self._notes.append(f"whether an autoscaler sets replicas in {namespace} cannot be told: {error}")
            self._autoscalers[namespace] = tuple(found)
        return self._autoscalers[namespace]

    def _type(self, resource: Resource) -> Type:
        if resource.root not in self._documents:
            document = self._source.schema(resource)
            self._documents[resource.root] = self._shipped if document is None else SchemaDocument(document)
        document_types = self._documents[resource.root]
        if document_types is None:
            return UNKNOWN
        known = document_types.kind(resource.group, resource.version, resource.kind)
        return known or self._defined_type(resource) or UNKNOWN

    def _defined_type(self, resource: Resource) -> Type | None:
        """The type of a custom resource from its definition, live or in Git, where no server describes it."""
        definition = self._definitions.get((resource.group, resource.kind))
        if definition is None or self._schemas is None:
            return None
        if resource not in self._defined:
            document = document_of(definition, resource.version, self._schemas)
            self._defined[resource] = (
                None
                if document is None
                else SchemaDocument(document).kind(resource.group, resource.version, resource.kind)
            )
        return self._defined[resource]

    def _read_definitions(self, manifests: Sequence[Manifest]) -> dict[tuple[str, str], Object]:
        definitions = self._source.resources.find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        if self._schemas is None or definitions is None:
            return {}
        bodies = [manifest.body for manifest in manifests]
        # The live definition is the one that the live object's defaults come from.
        bodies += [live.body for live in self._source.list(definitions, None)]
        return {kind: body for body in bodies if (kind := defined_kind(body)) is not None}

    # -- what Git does not have

    def _look_for_strays(self, wanted: Mapping[tuple[str, str, str | None], _Wanted]) -> None:
        """Lists the kinds that the manifests do not have, where the user wants to know of them."""
        if self._options.unmanaged is Unmanaged.OFF:
            return
        listed = {(group.resource.group, group.resource.kind, group.namespace) for group in wanted.values()}
        manifest_kinds = {(group.resource.group, group.resource.kind) for group in wanted.values()}
        namespaces = sorted({group.namespace for group in wanted.values() if group.namespace is not None})
        for resource, namespace in self._where_to_look(manifest_kinds, namespaces):
            if (resource.group, resource.kind, namespace) in listed:
                continue
            try:
                for live in self._source.list(resource, namespace, metadata_only=True):
                    if (resource.group, resource.kind, live.namespace) not in listed:
                        self._judge_stray(live, resource)
            except RequestError as error:
                self._could_not_list(
                    resource, namespace, error, is_ours=(resource.group, resource.kind) in manifest_kinds
                )

    def _where_to_look(
        self, manifest_kinds: Iterable[tuple[str, str]], namespaces: Sequence[str]
    ) -> Iterator[tuple[Resource, str | None]]:
        resources = self._resources
        if self._options.unmanaged is Unmanaged.CLUSTER:
            for resource in resources.all_preferred():
                if "list" in resource.verbs:
                    yield resource, None
            return
        for group, kind in sorted({*manifest_kinds, *USUAL_KINDS}):
            found = resources.preferred(group, kind)
            if found is not None and found.namespaced and "list" in found.verbs:
                for namespace in namespaces:
                    yield found, namespace

    def _could_not_list(self, resource: Resource, namespace: str | None, error: RequestError, *, is_ours: bool) -> None:
        where = f" in {namespace}" if namespace else ""
        refused = error.status in {_FORBIDDEN, _METHOD_NOT_ALLOWED}
        why = "this account may not list them" if refused else str(error)
        text = f"{resource.plural}{where} that Git does not have were not looked for: {why}"
        if is_ours or not refused:
            self._errors.append(text)
        else:
            self._notes.append(text)

    def _judge_stray(self, live: LiveObject, resource: Resource) -> None:
        judged = judge_stray(resource.kind, live.body, self._options.appliers, self._options.controllers)
        if isinstance(judged, str):
            return
        key = ObjectKey(resource.group, resource.kind, live.namespace, live.name)
        if self._synced is not None and key in self._synced:
            judged = replace(
                judged, cause=Cause.PENDING_SYNC, note="Git had it when it was last synced, and has it no more"
            )
        findings = honour((stray_finding(key, judged, self._cluster_id),), None, live.body)
        self._reports.append(ObjectReport(resource.api_version, key, None, Status.UNMANAGED, judged.note, findings))


def _report_order(report: ObjectReport) -> tuple[str, str, str, str]:
    key = report.key
    return (key.namespace or "", key.group, key.kind, key.name)
