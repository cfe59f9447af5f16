"""The search for unmanaged objects: live objects that no manifest describes."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from http import HTTPStatus
from typing import Final, TypeVar

from drift import errors
from drift.compare.objects import export
from drift.errors import ConnectError, RequestError
from drift.gitops.opt_outs import apply_opt_outs, prune_opt_out
from drift.gitops.tracked_by import Tracker, trackers_of
from drift.kube.live import LiveObject
from drift.kube.resources import Resource, Resources
from drift.model import NOT_SEARCHED, Cause, ObjectReport, Status, Unmanaged
from drift.objects import Object, ObjectKey
from drift.policy.digest import digest
from drift.policy.findings import unmanaged_finding
from drift.policy.unmanaged import ManagedScope, UnmanagedObject, judge_unmanaged
from drift.redaction import is_secret
from drift.scanning.options import Options, ScanStep
from drift.scanning.plan import Plan, PlannedKind
from drift.scanning.read import Reader, Unread
from drift.schema.types import UNKNOWN, built_in_kinds, built_in_types

_T = TypeVar("_T")

#: Kinds that people often create by hand. With --unmanaged namespace, they are searched in the manifests' namespaces.
SEARCHED_KINDS: Final = (
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

#: Manifests of unmanaged objects that are longer than this many characters of JSON are not in the report.
_MAX_MANIFEST: Final = 100_000


@cache
def _built_in_groups() -> frozenset[str]:
    """The API groups of Kubernetes itself."""
    return frozenset(kind["group"] for kind in built_in_kinds())


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live object that no manifest describes.

    Attributes:
        resource: Its kind.
        live: The object with only its metadata; a Secret with all but its values.
    """

    resource: Resource
    live: LiveObject

    @property
    def key(self) -> ObjectKey:
        """The key of the object."""
        return self.resource.key(self.live.namespace, self.live.name)


@dataclass(slots=True)
class UnmanagedSearch:
    """Finds the live objects that no manifest describes. `report_unmanaged` classifies them.

    Attributes:
        reader: Reads live objects.
        resources: The kinds that the scan may read.
        options: The options of the scan.
        notes: One sentence for each kind that could not be searched and that the manifests do not use, except those
            that the account may not list.
        errors: One sentence for each failure that makes the scan incomplete.
    """

    reader: Reader
    resources: Resources
    options: Options
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _refused: dict[Resource, list[str | None]] = field(default_factory=dict, init=False)

    def searches(self, resource: Resource) -> bool:
        """Whether to search for unmanaged objects of a kind that the manifests use."""
        if self.options.unmanaged is Unmanaged.NAMESPACE:
            return resource.namespaced
        return self.options.unmanaged is Unmanaged.CLUSTER

    def read(self, kind: PlannedKind, plan: Plan) -> Iterator[LiveObject | Unread]:
        """Reads the live objects of a kind that the manifests use: all of them if the scan searches the kind.

        Args:
            kind: The manifests of the kind.
            plan: The plan of this shard.
        """
        names: Mapping[str | None, Collection[str]] = kind.namespaces
        if not self.searches(kind.resource):
            yield from self.reader.get_or_list(kind.resource, names)
        elif self.options.unmanaged is Unmanaged.CLUSTER:
            yield from self._read_everywhere(kind.resource, names)
        else:
            namespaces = sorted({*plan.searched, *(name for name in names if name is not None)})
            yield from self.reader.list(kind.resource, {name: names.get(name, ()) for name in namespaces})

    def _read_everywhere(
        self, resource: Resource, names: Mapping[str | None, Collection[str]]
    ) -> Iterator[LiveObject | Unread]:
        for live in self.reader.list_everywhere(resource):
            if not isinstance(live, Unread) or not resource.namespaced:
                yield live
            else:
                self.note_failure(resource, None, live.error, is_in_git=True)
                # The account may have more permissions in the manifests' namespaces.
                yield from self.reader.list(resource, names)

    def candidates(self, resource: Resource, live: LiveObject) -> Iterator[Candidate]:
        """Yields a live object that no manifest describes, if the object belongs to this shard."""
        if self.options.covers(live.namespace):
            # A Secret is not read again, and its values are redacted. Of other objects, metadata is enough for now.
            is_kept = is_secret(resource.api_version, resource.kind)
            body = live.body if is_kept else {"metadata": live.body.get("metadata")}
            yield Candidate(resource, replace(live, body=body, last_applied=None))

    def search(self, plan: Plan, namespaces: Iterable[str]) -> Iterator[Candidate]:
        """Lists the kinds that the manifests do not use.

        Args:
            plan: The plan of all shards.
            namespaces: The namespaces of this shard that are to be searched.
        """
        self._note_broken_apis()
        try:
            for resource, objects in self._other_kinds(plan, namespaces):
                self.options.observe(ScanStep(resource.full_name, 0, None))
                for live in objects:
                    if isinstance(live, Unread):
                        self._note_failures(resource, live, plan)
                    else:
                        yield from self.candidates(resource, live)
        except ConnectError as error:
            self.errors.append(f"the search for unmanaged objects did not finish: {error}")

    def dropped(self, keys: Iterable[ObjectKey]) -> Iterator[Candidate]:
        """Yields objects that were synced once and that no source describes any more, if they still exist.

        Their namespaces may have no manifests any more, so `search` does not cover them.
        """
        names: dict[Resource, dict[str | None, set[str]]] = {}
        for key in keys:
            resource = self.resources.preferred(key.group, key.kind)
            if resource is not None and self.options.unmanaged is not Unmanaged.OFF:
                names.setdefault(resource, {}).setdefault(key.namespace, set()).add(key.name)
        try:
            for resource, live in self._read_named(names, metadata_only=True):
                if isinstance(live, Unread):
                    for namespace in live.namespaces:
                        self.note_failure(resource, namespace, live.error, is_in_git=True)
                else:
                    yield from self.candidates(resource, live)
        except ConnectError as error:
            self.errors.append(f"the search for objects that Git has dropped did not finish: {error}")

    def read_whole(self, candidates: Sequence[Candidate]) -> Mapping[ObjectKey, LiveObject]:
        """Reads unmanaged objects completely: the search read only the metadata of candidates, since most are managed.

        Secrets are not requested, so that the values of those that Git does not have stay on the server.
        """
        found = {one.key: one.live for one in candidates if is_secret(one.resource.api_version, one.resource.kind)}
        names: dict[Resource, dict[str | None, set[str]]] = {}
        for one in candidates:
            if one.key not in found:
                names.setdefault(one.resource, {}).setdefault(one.live.namespace, set()).add(one.live.name)
        try:
            for resource, live in self._read_named(names):
                if isinstance(live, Unread):
                    self.notes.append(f"could not read what unmanaged {resource.plural} are: {live.error}")
                else:
                    found[Candidate(resource, live).key] = live
        except ConnectError as error:
            self.notes.append(f"could not read what unmanaged objects are: {error}")
        return found

    def _read_named(
        self, names: Mapping[Resource, Mapping[str | None, Collection[str]]], *, metadata_only: bool = False
    ) -> Iterator[tuple[Resource, LiveObject | Unread]]:
        for resource, by_namespace in sorted(names.items(), key=lambda item: item[0].full_name):
            for live in self.reader.get_or_list(resource, by_namespace, metadata_only=metadata_only):
                # The reader may list a namespace instead, which also returns objects with other names.
                if isinstance(live, Unread) or live.name in by_namespace.get(live.namespace, ()):
                    yield resource, live

    def _other_kinds(
        self, plan: Plan, namespaces: Iterable[str]
    ) -> Iterator[tuple[Resource, Iterator[LiveObject | Unread]]]:
        read = {(kind.resource.group, kind.resource.kind) for kind in plan.kinds if self.searches(kind.resource)}
        if self.options.unmanaged is Unmanaged.CLUSTER:
            for resource in self.resources.all_preferred():
                # One of the shards searches for cluster-scoped objects.
                is_here = resource.namespaced or self.options.covers(None)
                if is_here and "list" in resource.verbs and (resource.group, resource.kind) not in read:
                    yield resource, self.reader.list_everywhere(resource, metadata_only=True)
        elif self.options.unmanaged is Unmanaged.NAMESPACE:
            for group, kind in SEARCHED_KINDS:
                found = self.resources.preferred(group, kind)
                if (group, kind) not in read and found is not None and found.namespaced and "list" in found.verbs:
                    yield found, self.reader.list(found, dict.fromkeys(namespaces, ()), metadata_only=True)

    def _note_broken_apis(self) -> None:
        """Notes APIs that are down. Manifests of their kinds are unchecked anyway."""
        if self.options.unmanaged is Unmanaged.CLUSTER:
            for api_version in self.resources.broken:
                self.notes.append(f"{NOT_SEARCHED}objects of {api_version}: that API does not answer")

    def _note_failures(self, resource: Resource, unread: Unread, plan: Plan) -> None:
        in_git = {(kind.resource.group, kind.resource.kind) for kind in plan.kinds}
        for namespace in unread.namespaces:
            self.note_failure(resource, namespace, unread.error, is_in_git=(resource.group, resource.kind) in in_git)

    def note_failure(self, resource: Resource, namespace: str | None, error: RequestError, *, is_in_git: bool) -> None:
        """Records that a kind could not be searched, as a note or an error.

        Args:
            resource: The kind.
            namespace: The namespace; None for all.
            error: Why.
            is_in_git: Whether the manifests use the kind.
        """
        where = f" in {namespace}" if namespace else ""
        # If one of Kubernetes' own APIs is down, the whole API server is in trouble. Aggregated APIs fail on their own.
        down = error.status == HTTPStatus.SERVICE_UNAVAILABLE and resource.group not in _built_in_groups()
        why = "this account may not list them" if error.is_refused else str(error)
        text = f"{NOT_SEARCHED}{resource.plural}{where}: {why}"
        if error.is_refused and not is_in_git:
            self._refused.setdefault(resource, []).append(namespace)
        else:
            (self.notes if down and not is_in_git else self.errors).append(text)

    def refused_notes(self) -> Iterator[str]:
        """Yields one sentence on the namespaced kinds that the account may not list, and one on the others.

        Each shard of a scan that searches for them writes the same.
        """
        for where, namespaced in (("", False), (" in some namespaces", True)):
            kinds = dict.fromkeys(each.plural for each in self._refused if each.namespaced is namespaced)
            if kinds:
                yield f"{NOT_SEARCHED}{', '.join(kinds)}{where}: this account may not list them"


def candidate_trackers(candidates: Iterable[Candidate], tracking_labels: Sequence[str]) -> frozenset[Tracker]:
    """Returns the trackers that the tracking labels and annotations of candidates name.

    Args:
        candidates: Live objects that no manifest describes.
        tracking_labels: The possible keys of Argo CD's tracking label.
    """
    return frozenset(tracker for one in candidates for tracker in trackers_of(one.live.body, tracking_labels))


def report_unmanaged(
    candidates: Iterable[Candidate],
    scope: ManagedScope,
    options: Options,
    *,
    was_synced: Callable[[ObjectKey], bool | None],
    why_kept: Callable[[Object], str | None],
    hides_values: Callable[[ObjectKey], bool | None],
    read: Callable[[Sequence[Candidate]], Mapping[ObjectKey, LiveObject]],
    cluster: str,
) -> Iterator[ObjectReport]:
    """Reports the candidates that are unmanaged, and leaves out those that the cluster created for itself.

    Args:
        candidates: Live objects that no manifest of their version describes.
        scope: What the manifests manage.
        options: The options of the scan.
        was_synced: Returns whether an object was in Git at the last sync, or None if unknown.
        why_kept: Returns the setting that keeps an object from being pruned, or None.
        hides_values: Returns whether an object had hidden values at the last sync, or None if unknown.
        read: Reads unmanaged objects as a whole.
        cluster: The URL of the API server, for the fingerprints; "" for a dump.
    """
    by_key = {candidate.key: candidate for candidate in candidates}
    judged = {key: _judged(by_key[key], scope, options) for key in sorted(by_key.keys() - scope.keys, key=str)}
    found = {key: result for key, result in judged.items() if isinstance(result, UnmanagedObject)}
    whole = read([by_key[key] for key in found])
    for key, unmanaged in found.items():
        if was_synced(key):
            note = "it was in Git at the last sync, and has been removed since"
            unmanaged = UnmanagedObject(Cause.PENDING_SYNC, (), note)  # noqa: PLW2901
        is_dropped = unmanaged.cause is Cause.PENDING_SYNC
        kept = why_kept(by_key[key].live.body) if is_dropped else None
        report = _report(by_key[key], whole.get(key), unmanaged, kept, cluster)
        is_hidden = hides_values(key) if is_dropped and options.with_secret_values else False
        # What an object is quotes its values: the hosts of an Ingress, for example. Those of a Secret are never read.
        if is_hidden is not False and not is_secret(report.api_version, key.kind):
            report = replace(report, digest=None)
        yield report


def _report(
    candidate: Candidate, whole: LiveObject | None, unmanaged: UnmanagedObject, kept: str | None, cluster: str
) -> ObjectReport:
    key, live = candidate.key, candidate.live
    opt_out = prune_opt_out(live.body, kept) if unmanaged.cause is Cause.PENDING_SYNC else None
    if opt_out is not None:
        unmanaged = replace(unmanaged, note=f"it has been removed from Git, but is kept on purpose ({opt_out})")
    known = None if whole is None else _unless_malformed(lambda: digest(key, whole.body))
    findings = apply_opt_outs((unmanaged_finding(key, unmanaged, known, cluster),), None, live.body, kept)
    return ObjectReport(
        candidate.resource.api_version,
        key,
        None,
        Status.UNMANAGED,
        unmanaged.note,
        findings,
        uid=live.uid,
        resource_version=live.resource_version,
        digest=None if known is None else known.text,
        manifest=None
        if whole is None or unmanaged.cause is Cause.PENDING_SYNC
        else _unless_malformed(lambda: _manifest(key, whole)),
    )


def _judged(candidate: Candidate, scope: ManagedScope, options: Options) -> UnmanagedObject | str:
    kind, body = candidate.resource.kind, candidate.live.body
    judged = _unless_malformed(lambda: judge_unmanaged(kind, body, scope, options.appliers, options.controllers))
    return judged or UnmanagedObject(Cause.UNKNOWN, (), "its metadata is malformed, so nothing more is known")


def _unless_malformed(function: Callable[[], _T]) -> _T | None:
    """Calls a function; returns None if it fails. One malformed or deeply nested object must not end the scan."""
    try:
        return function()
    except RecursionError:
        return None
    except errors.UNEXPECTED:
        return None


def _manifest(key: ObjectKey, live: LiveObject) -> Object | None:
    """Returns the manifest to add to Git for an unmanaged object, or None if the report does not show it."""
    if is_secret(live.api_version, live.kind):
        return None
    schema = built_in_types().kind(key.group, live.api_version.rpartition("/")[2], key.kind)
    # The items of a list have no apiVersion and no kind.
    manifest = export({**live.body, "apiVersion": live.api_version, "kind": live.kind}, schema or UNKNOWN)
    return manifest if manifest is not None and len(json.dumps(manifest)) <= _MAX_MANIFEST else None
