"""The search for live objects that Git does not have: where to look, and whose they are."""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

from drift.errors import ConnectError, RequestError
from drift.gitops.opt_outs import apply_opt_outs, prune_opt_out
from drift.gitops.owners import tracking_owners
from drift.kube.live_object import LiveObject
from drift.kube.resources import Resource, Resources
from drift.model import Cause, ObjectKey, ObjectReport, Status, Unmanaged
from drift.policy.findings import unmanaged_finding
from drift.policy.unmanaged import ManagedScope, UnmanagedObject, judge_unmanaged
from drift.scanning.options import Options, ScanStep
from drift.scanning.plan import Plan, PlannedKind
from drift.scanning.read import Reader, Unread
from drift.schema.shipped import built_in_kinds

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
_UNAVAILABLE: Final = 503


@cache
def _own_groups() -> frozenset[str]:
    """The groups that the API server serves by itself."""
    return frozenset(kind["group"] for kind in built_in_kinds())


@dataclass(slots=True)
class UnmanagedSearch:
    """Gathers the live objects that no manifest describes; they are judged when everything else is known.

    Attributes:
        reader: Reads the live side.
        resources: The kinds that may be asked for.
        options: What the user said about the scan.
        notes: Kinds that could not be looked for, one sentence each, which is no loss.
        errors: Those that make the scan incomplete.
    """

    reader: Reader
    resources: Resources
    options: Options
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _found: list[tuple[Resource, LiveObject]] = field(default_factory=list)

    def wanted(self, resource: Resource) -> bool:
        """Whether objects of a kind that the manifests use are of interest beside those they describe."""
        if self.options.unmanaged is Unmanaged.NAMESPACE:
            return resource.namespaced
        return self.options.unmanaged is Unmanaged.CLUSTER

    def read(self, kind: PlannedKind, wanted: Plan) -> Iterator[LiveObject | Unread]:
        """The live objects of a kind that the manifests use, wherever others of the kind are of interest.

        Args:
            kind: The manifests of the kind.
            wanted: All manifests.
        """
        names: Mapping[str | None, Collection[str]] = kind.namespaces
        if self.options.unmanaged is Unmanaged.CLUSTER:
            for live in self.reader.list_everywhere(kind.resource):
                if not isinstance(live, Unread) or not kind.resource.namespaced:
                    yield live
                else:
                    self.could_not_list(kind.resource, None, live.error, is_ours=True)
                    # Where the manifests are, the account may have more rights.
                    yield from self.reader.list(kind.resource, names)
            return
        namespaces = sorted({*wanted.searched, *(name for name in names if name is not None)})
        yield from self.reader.list(kind.resource, {name: names.get(name, ()) for name in namespaces})

    def add(self, resource: Resource, live: LiveObject) -> None:
        """Takes note of a live object that no manifest describes, if it is this shard's. Only its metadata is kept."""
        if not self.options.shard.owns(live.namespace):
            return
        body = {"metadata": live.body.get("metadata")}
        self._found.append((resource, replace(live, body=body, last_applied=None)))

    def search(self, wanted: Plan, namespaces: Iterable[str]) -> None:
        """Lists the kinds that the manifests do not have.

        Args:
            wanted: All manifests, those of other shards included.
            namespaces: Those of the manifests that are this shard's and are to be searched.
        """
        read = {(kind.resource.group, kind.resource.kind) for kind in wanted.kinds if self.wanted(kind.resource)}
        ours = {(kind.resource.group, kind.resource.kind) for kind in wanted.kinds}
        self._note_what_is_unknown()
        try:
            for resource, found in self._other_kinds(read, namespaces):
                self.options.observe(ScanStep(resource.full_name, 0, None))
                for live in found:
                    if not isinstance(live, Unread):
                        self.add(resource, live)
                        continue
                    for namespace in live.namespaces:
                        is_ours = (resource.group, resource.kind) in ours
                        self.could_not_list(resource, namespace, live.error, is_ours=is_ours)
        except ConnectError as error:
            self.errors.append(f"objects that Git does not have were not looked for to the end: {error}")

    def _other_kinds(
        self, read: Container[tuple[str, str]], namespaces: Iterable[str]
    ) -> Iterator[tuple[Resource, Iterator[LiveObject | Unread]]]:
        if self.options.unmanaged is Unmanaged.CLUSTER:
            for resource in self.resources.all_preferred():
                # What belongs to no namespace is for one of the shards to look for.
                is_here = resource.namespaced or self.options.shard.owns(None)
                if is_here and "list" in resource.verbs and (resource.group, resource.kind) not in read:
                    yield resource, self.reader.list_everywhere(resource, metadata_only=True)
        elif self.options.unmanaged is Unmanaged.NAMESPACE:
            for group, kind in USUAL_KINDS:
                found = self.resources.preferred(group, kind)
                if (group, kind) not in read and found is not None and found.namespaced and "list" in found.verbs:
                    yield found, self.reader.list(found, dict.fromkeys(namespaces, ()), metadata_only=True)

    def _note_what_is_unknown(self) -> None:
        """APIs that are down cannot say which kinds they have. What the manifests have of them is unchecked anyway."""
        if self.options.unmanaged is Unmanaged.CLUSTER:
            for api_version in self.resources.broken:
                self.notes.append(
                    f"objects of {api_version} that Git does not have were not looked for: that API does not answer"
                )

    def could_not_list(self, resource: Resource, namespace: str | None, error: RequestError, *, is_ours: bool) -> None:
        """Takes note of a kind whose strays are not known.

        Args:
            resource: The kind.
            namespace: Where; None for everywhere.
            error: Why.
            is_ours: Whether the manifests use the kind.
        """
        where = f" in {namespace}" if namespace else ""
        refused = error.status in {_FORBIDDEN, _METHOD_NOT_ALLOWED}
        # Kubernetes' own APIs are never down alone, so one that is says that the others were not seen well either.
        down = error.status == _UNAVAILABLE and resource.group not in _own_groups()
        why = "this account may not list them" if refused else str(error)
        text = f"{resource.plural}{where} that Git does not have were not looked for: {why}"
        (self.notes if (refused or down) and not is_ours else self.errors).append(text)

    def owners(self, tracking_labels: Sequence[str]) -> frozenset[tuple[str, str]]:
        """The syncers' marks that they bear.

        Args:
            tracking_labels: The keys that Argo CD's tracking label may have.
        """
        return frozenset(owner for _, live in self._found for owner in tracking_owners(live.body, tracking_labels))

    def reports(
        self, ours: ManagedScope, was_synced: Callable[[ObjectKey], bool | None], cluster: str
    ) -> Iterator[ObjectReport]:
        """What is to be said of those that are somebody's.

        Args:
            ours: What is known to belong to the manifests.
            was_synced: Whether an object was synced once, None if that is not known; asked only of such objects.
            cluster: What the cluster is known by, for the fingerprints; "" for a dump.
        """
        found = {
            ObjectKey(resource.group, resource.kind, live.namespace, live.name): (resource, live)
            for resource, live in self._found
        }
        for key in found.keys() - ours.keys:
            resource, live = found[key]
            judged = judge_unmanaged(resource.kind, live.body, ours, self.options.appliers, self.options.controllers)
            if isinstance(judged, UnmanagedObject):
                if was_synced(key):
                    judged = UnmanagedObject(
                        Cause.PENDING_SYNC, (), "Git had it when it was last synced, and has it no more"
                    )
                kept = prune_opt_out(live.body) if judged.cause is Cause.PENDING_SYNC else None
                if kept is not None:
                    judged = replace(judged, note=f"Git does not have it any more; it is kept on purpose ({kept})")
                findings = apply_opt_outs((unmanaged_finding(key, judged, cluster),), None, live.body)
                yield ObjectReport(resource.api_version, key, None, Status.UNMANAGED, judged.note, findings)
