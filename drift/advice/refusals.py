"""Which findings cannot be adopted or reverted, as far as the report tells, and what to do instead."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

from drift.advice.last_object import once_per_object
from drift.model import (
    IMMUTABLE,
    NOT_KEPT,
    Cause,
    Change,
    Finding,
    ObjectReport,
    SourceInfo,
    SourceKey,
    SourceKind,
    sources_of,
)
from drift.objects import STDIN, Json, Object, as_object, at, objects_at, text_at
from drift.paths import OCCURRENCE, ItemKey, Path, is_in_key, parse
from drift.schema.values import parse_quantity

#: What may be a number or a boolean.
_LIKE_OTHER_TYPE: Final = re.compile(r"-?[0-9.]+|true|false")
#: Sources whose files kustomize builds, or which are applied as they are.
_PATCHABLE: Final = frozenset(
    {SourceKind.FILES, SourceKind.KUSTOMIZE, SourceKind.FLUX_KUSTOMIZATION, SourceKind.ARGOCD_APPLICATION}
)
#: Lists from which the report leaves out what controllers added, by kind; None stands for the other kinds.
_PARTIAL_LISTS: Final[Mapping[tuple[str, str] | None, frozenset[str]]] = {
    None: frozenset({"metadata.finalizers"}),
    ("", "ServiceAccount"): frozenset({"metadata.finalizers", "secrets", "imagePullSecrets"}),
}
#: Fields that cannot be changed, by kind.
_IMMUTABLE: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): (
        "spec.clusterIP",
        "spec.healthCheckNodePort",
        "spec.loadBalancerClass",
    ),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (
        "spec.group",
        "spec.names.kind",
        "spec.names.plural",
        "spec.scope",
    ),
    ("apps", "ControllerRevision"): ("data",),
    ("apps", "DaemonSet"): ("spec.selector",),
    ("apps", "Deployment"): ("spec.selector",),
    ("apps", "ReplicaSet"): ("spec.selector",),
    ("batch", "Job"): (
        "spec.backoffLimitPerIndex",
        "spec.completionMode",
        # It can be changed together with the parallelism of an indexed Job.
        "spec.completions",
        "spec.managedBy",
        "spec.podFailurePolicy",
        "spec.selector",
        "spec.successPolicy",
        "spec.template",
    ),
    ("discovery.k8s.io", "EndpointSlice"): ("addressType",),
    ("networking.k8s.io", "IngressClass"): ("spec.controller",),
    ("node.k8s.io", "RuntimeClass"): ("handler",),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("resource.k8s.io", "ResourceClaim"): ("spec",),
    ("resource.k8s.io", "ResourceClaimTemplate"): ("spec",),
    ("scheduling.k8s.io", "PriorityClass"): ("value", "preemptionPolicy"),
    ("storage.k8s.io", "CSIDriver"): ("spec.attachRequired", "spec.volumeLifecycleModes"),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"),
    ("storage.k8s.io", "VolumeAttributesClass"): ("driverName", "parameters"),
}
#: The only fields of a spec that can be changed, by kind. `_is_fixed_in_a_pod` is about Pods.
_MUTABLE: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("", "PersistentVolume"): (
        "spec.accessModes",
        "spec.capacity",
        "spec.claimRef",
        "spec.mountOptions",
        "spec.persistentVolumeReclaimPolicy",
        "spec.storageClassName",
        "spec.volumeAttributesClassName",
    ),
    ("", "PersistentVolumeClaim"): ("spec.resources.requests", "spec.volumeAttributesClassName"),
    ("apps", "StatefulSet"): (
        "spec.minReadySeconds",
        "spec.ordinals",
        "spec.persistentVolumeClaimRetentionPolicy",
        "spec.replicas",
        "spec.revisionHistoryLimit",
        "spec.template",
        "spec.updateStrategy",
    ),
}
#: Objects that hold data or addresses, or on which other objects depend: do not advise to delete these.
_NOT_TO_DELETE: Final = frozenset({*_MUTABLE, ("", "Service"), ("apiextensions.k8s.io", "CustomResourceDefinition")})
#: Lists of a Service to which a second entry may be added, and from which it may be removed.
_WITH_SECOND_ENTRY: Final = frozenset({"spec.clusterIPs", "spec.ipFamilies"})
_POD_IMAGE: Final = re.compile(r"spec\.(initContainers|containers)\[.*\]\.image")
_TEMPLATE_LABELS: Final[Path] = ("spec", "template", "metadata", "labels")
#: What the deletion of an object deletes, too, by kind: no command deletes such an object.
_DELETES_MORE: Final[Mapping[tuple[str, str], str]] = {
    ("", "Namespace"): "all objects in it",
    ("", "PersistentVolume"): "the data in it",
    ("", "PersistentVolumeClaim"): "the data in its volume",
    ("apiextensions.k8s.io", "CustomResourceDefinition"): "all objects of its kind",
    ("argoproj.io", "Application"): "what it deploys",
    ("argoproj.io", "ApplicationSet"): "its Applications and what they deploy",
    ("cluster.x-k8s.io", "Cluster"): "the cluster and its machines",
    ("configsync.gke.io", "RepoSync"): "what it deploys",
    ("configsync.gke.io", "RootSync"): "what it deploys",
    ("fleet.cattle.io", "Bundle"): "what it deploys",
    ("fleet.cattle.io", "GitRepo"): "what it deploys",
    ("fluxcd.controlplane.io", "FluxInstance"): "Flux",
    ("fluxcd.controlplane.io", "ResourceSet"): "what it deploys",
    ("fluxcd.controlplane.io", "ResourceSetInputProvider"): "what ResourceSets deploy for its inputs",
    ("gitops.kluctl.io", "KluctlDeployment"): "what it deploys",
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshot"): "the data in it",
    ("groupsnapshot.storage.k8s.io", "VolumeGroupSnapshotContent"): "the data in it",
    ("helm.cattle.io", "HelmChart"): "its release",
    ("helm.toolkit.fluxcd.io", "HelmRelease"): "its release",
    ("kappctrl.k14s.io", "App"): "what it deploys",
    ("kustomize.toolkit.fluxcd.io", "Kustomization"): "what it deploys",
    ("packaging.carvel.dev", "PackageInstall"): "what it deploys",
    ("snapshot.storage.k8s.io", "VolumeSnapshot"): "the data in it",
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent"): "the data in it",
}


def deletes_more(item: ObjectReport) -> str | None:
    """Returns what else may be gone if an object is deleted, or None if only what Kubernetes made for it is."""
    if (item.key.group, item.kind) == ("apps", "StatefulSet"):
        return "its claims and the data in them" if _may_delete_claims(item.manifest) else None
    return _DELETES_MORE.get((item.key.group, item.kind))


def _may_delete_claims(manifest: Object | None) -> bool:
    """Whether the deletion of a StatefulSet may delete its claims: the report may not show its manifest."""
    return manifest is None or at(manifest, "spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted") == "Delete"


def needs_version(finding: Finding) -> bool:
    """Whether the values of the report cannot show that the live object is unchanged.

    The live object has no value for a field that only Git has, and the report leaves defaults out of lists and objects.
    Nor can the key of a list item show that the item has not moved, if several have it, or if its type is not known.
    """
    return (
        finding.change is Change.REMOVED
        or isinstance(finding.live, dict | list)
        or any(
            isinstance(element, ItemKey) and not all(is_testable(name, value) for name, value in element)
            for element in parse(finding.path)[:-1]
        )
    )


def is_testable(name: str, value: Json) -> bool:
    """Whether a JSON patch can test that a list item has this key. A path does not tell numbers from strings."""
    return name != OCCURRENCE and (name.lower().endswith("port") or not _LIKE_OTHER_TYPE.fullmatch(str(value)))


def is_not_kept(finding: Finding) -> bool:
    """Whether the server drops the field, however often it is set."""
    return finding.note is not None and finding.note.startswith(NOT_KEPT)


def is_pending(item: ObjectReport, finding: Finding) -> bool:
    """Whether a finding waits for a sync: by its cause, or because it is in a list item that Git has dropped.

    Without its other fields, the API server may refuse such an item, or keep one that means something else.
    """
    if finding.cause is Cause.PENDING_SYNC:
        return True
    dropped = _dropped_items(item.findings) if finding.change is Change.ADDED else ()
    if not dropped or _has_broken_path(item, finding):
        return False
    path = parse(finding.path)
    return any(path[:end] in dropped for end in range(1, len(path) + 1))


@once_per_object
def _dropped_items(findings: Sequence[Finding]) -> frozenset[Path]:
    """Returns the paths of the list items whose keys wait for a sync, although users may have edited other fields."""
    return frozenset(_find_dropped_items(findings))


def _find_dropped_items(findings: Sequence[Finding]) -> Iterator[Path]:
    for finding in findings:
        if finding.change is Change.ADDED and finding.cause is Cause.PENDING_SYNC:
            with suppress(ValueError):
                path = parse(finding.path)
                if is_in_key(path):
                    yield path[:-1]


def _has_broken_path(_: ObjectReport, finding: Finding) -> bool:
    try:
        parse(finding.path)
    except ValueError:
        return True
    return False


def _is_at(path: str, fields: tuple[str, ...]) -> bool:
    """Whether a path is one of these fields, or below it."""
    return any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in fields)


def is_immutable(item: ObjectReport, finding: Finding) -> bool:
    """Whether the API server refuses to give the field another value."""
    kind = (item.key.group, item.kind)
    if kind in _MUTABLE and _is_at(finding.path, ("spec",)) and not _is_at(finding.path, _MUTABLE[kind]):
        return True
    return (
        _is_at(finding.path, _IMMUTABLE.get(kind, ()))
        or finding.note == IMMUTABLE
        or (kind == ("", "Pod") and _is_fixed_in_a_pod(finding))
        or (kind == ("", "Service") and finding.path in _WITH_SECOND_ENTRY and _differs_first(finding))
        or (item.key.group == "apps" and _is_selected(item, finding))
    )


def is_not_to_delete(item: ObjectReport) -> bool:
    """Whether an object holds data or addresses, or other objects depend on it."""
    return (item.key.group, item.kind) in _NOT_TO_DELETE


def _is_fixed_in_a_pod(finding: Finding) -> bool:
    if not _is_at(finding.path, ("spec",)) or _POD_IMAGE.fullmatch(finding.path):
        return False
    if finding.path == "spec.activeDeadlineSeconds":
        # It can be set, and become less. Git may have anything there.
        desired, live = finding.desired, finding.live
        return not isinstance(desired, int) or not (live is None or (isinstance(live, int) and desired <= live))
    # Tolerations can be added.
    in_git, tolerated = _lists(finding)
    return finding.path != "spec.tolerations" or any(toleration not in in_git for toleration in tolerated)


def _differs_first(finding: Finding) -> bool:
    desired, live = _lists(finding)
    return desired[:1] != live[:1]


def _lists(finding: Finding) -> tuple[list[Json], list[Json]]:
    desired, live = (side if isinstance(side, list) else [] for side in (finding.desired, finding.live))
    return desired, live


def _is_selected(item: ObjectReport, finding: Finding) -> bool:
    """Whether a label of the Pod template is in the live selector, which differs from Git and cannot be changed."""
    if not finding.path.startswith("spec.template.metadata") or _has_broken_path(item, finding):
        return False
    selector = next((one for one in item.findings if _is_at(one.path, ("spec.selector",))), None)
    path = parse(finding.path)
    if selector is None or path[: len(_TEMPLATE_LABELS)] != _TEMPLATE_LABELS[: len(path)]:
        return False
    if len(path) <= len(_TEMPLATE_LABELS) or not isinstance(selector.live, dict):
        return True
    selected = [text_at(one, "key") for one in objects_at(selector.live, "matchExpressions")]
    return path[-1] in (*as_object(at(selector.live, "matchLabels")), *selected)


def _would_shrink_a_volume(item: ObjectReport, finding: Finding) -> bool:
    desired, live = parse_quantity(finding.desired), parse_quantity(finding.live)
    return (
        (item.key.group, item.kind) == ("", "PersistentVolumeClaim")
        and finding.path == "spec.resources.requests.storage"
        and desired is not None
        and live is not None
        and desired < live
    )


#: What cannot be reverted: whether a reason applies, and the reason.
_NOT_REVERTED: Final[Sequence[tuple[Callable[[ObjectReport, Finding], bool], str]]] = (
    (is_pending, "Git is ahead; sync it instead"),
    (
        lambda _, finding: finding.cause is Cause.CONTROLLER,
        "a controller sets this field, and would set it again",
    ),
    (
        lambda _, finding: is_not_kept(finding),
        "this server does not keep the field; correct the field in Git, or remove it there",
    ),
    (_has_broken_path, "the report has no valid path for it; make it again"),
    (
        lambda item, finding: is_immutable(item, finding) and is_not_to_delete(item),
        (
            "the API server refuses to change this field; "
            "keep it in Git, or back up what the object holds (data, addresses) and recreate it"
        ),
    ),
    (is_immutable, "the API server refuses to change this field; delete the object, then sync it"),
    (
        lambda _, finding: finding.redacted and finding.change is Change.ADDED,
        "its value is hidden; add it to Git in encrypted form, or remove it by hand if a sync leaves it",
    ),
    (
        lambda _, finding: finding.redacted,
        "its value is hidden; sync the object with its GitOps controller, or apply its manifest",
    ),
    (
        lambda _, finding: finding.is_being_deleted,
        "a deletion cannot be undone; wait until the object is gone, then sync it",
    ),
    (_would_shrink_a_volume, "a volume cannot shrink; keep its size in Git"),
    (
        lambda item, finding: finding.path in _PARTIAL_LISTS.get((item.key.group, item.kind), _PARTIAL_LISTS[None]),
        "controllers may have entries in this list that the report leaves out; edit the object by hand",
    ),
    (
        lambda _, finding: finding.change is Change.REORDERED,
        "only the order of a list differs; sync the object with its GitOps controller",
    ),
    (
        lambda item, finding: finding.change is Change.MISSING and (item.source is None or item.source.file == STDIN),
        "no file holds its manifest; sync it with its GitOps controller",
    ),
    (
        lambda item, finding: finding.change is Change.MISSING and bool(item.not_compared),
        "its file has values that are replaced before it is applied; sync it with its GitOps controller",
    ),
    (
        lambda item, finding: finding.change is Change.UNMANAGED and deletes_more(item) is not None,
        "its deletion may delete more than the object itself; commit it to Git, or delete it by hand",
    ),
    (
        lambda item, finding: finding.change is Change.UNMANAGED and item.uid is None,
        "the report does not hold the uid of the object; make it again",
    ),
    (
        lambda _, finding: (
            finding.change is Change.REMOVED
            and finding.live_pointer is None
            and any(isinstance(element, ItemKey) for element in parse(finding.path))
        ),
        "the report does not hold the place of the list item in the cluster; make it again",
    ),
    (
        lambda item, finding: bool(finding.path) and needs_version(finding) and item.resource_version is None,
        "the report does not hold the resourceVersion of the object; make it again",
    ),
)
#: What cannot be adopted.
_NOT_ADOPTED: Final[Sequence[tuple[Callable[[ObjectReport, Finding], bool], str]]] = (
    (is_pending, "Git is ahead; adopting would undo a change in Git that is not synced yet"),
    (lambda _, finding: finding.cause is Cause.CONTROLLER, "a controller sets this field"),
    (_has_broken_path, "the report has no valid path for it; make it again"),
    (lambda _, finding: finding.redacted, "its value is hidden; change it in Git by hand"),
    (lambda _, finding: finding.is_being_deleted, "the object is being deleted"),
    (
        lambda _, finding: finding.change is Change.REORDERED,
        "only the order of a list differs; change it in Git by hand",
    ),
    (
        lambda item, finding: finding.change is not Change.UNMANAGED and item.source is None and not item.origins,
        "no file holds its manifest",
    ),
    (
        lambda item, finding: finding.change is Change.UNMANAGED and item.manifest is None,
        "the report does not show its manifest, because it has a hidden value or is too long; write it by hand",
    ),
    (
        lambda item, _: item.source is not None and item.source.file == STDIN,
        "its manifest came from standard input; make the report from files",
    ),
)


def why_not_reverted(
    item: ObjectReport, finding: Finding, renderer: SourceInfo | None, *, shares_file: bool
) -> str | None:
    """Returns why no command for the cluster reverts a finding and what to do, or None if one does.

    Args:
        item: The object.
        finding: What differs.
        renderer: The source that renders its manifest; None if people edit the manifest itself.
        shares_file: Whether the file of its manifest has, or may have, the manifests of other objects, too.
    """
    reason = next((reason for applies, reason in _NOT_REVERTED if applies(item, finding)), None)
    if reason is not None or finding.change is not Change.MISSING:
        return reason
    if renderer is not None:
        # Its file has no kind, or another name, namespace or content than what is deployed.
        return (
            f"{renderer.name} renders its manifest; sync it with its GitOps controller, or deploy {renderer.name} again"
        )
    # kubectl create would also create the others that are missing, and fail because of those that exist.
    return (
        "its file has or may have other manifests, too; sync it with its GitOps controller, or create it alone"
        if shares_file
        else None
    )


def why_not_adopted(item: ObjectReport, finding: Finding) -> str | None:
    """Returns why no edit of a manifest ends a finding and what to do, or None if the report holds no reason."""
    return next((reason for applies, reason in _NOT_ADOPTED if applies(item, finding)), None)


def renderer_of(item: ObjectReport, sources: Mapping[SourceKey, SourceInfo]) -> SourceInfo | None:
    """Returns the source that renders the manifest of an object; None if people edit the manifest itself."""
    return next((source for source in sources_of(item, sources) if source.kind is not SourceKind.FILES), None)


def is_patchable(source: SourceInfo) -> bool:
    """Whether what is live can be kept by a patch of a kustomization, or in the files of a source themselves."""
    return (source.built_as or source.kind) in _PATCHABLE
