"""Reads what an Argo CD Application or a Flux Kustomization synced last, from its status.

In Argo CD, a complete and successful sync adds an entry to ``status.history``. Selective, failed and running syncs
appear only in ``status.operationState``. ``status.sync.revision`` does not help: it is the revision that was compared,
synced or not. https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml
https://fluxcd.io/flux/components/kustomize/kustomizations/#last-applied-revision
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from posixpath import normpath
from typing import Final

from drift.objects import Json, Object, ObjectKey, at, objects_at, text_at

#: Group, kind, namespace ("" for cluster-scoped objects) and name, as Argo CD lists them.
ResourceId = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class SyncedSource:
    """A folder of a Git repository at a commit.

    Attributes:
        commit: The full hash.
        path: The folder, relative to the root of the repository, which is ".".
        is_hydrated: Whether Argo CD hydrates its manifests, from files that may have the same path at other commits.
        dry_commit: The full hash of the commit from which it hydrated them, if that is known.
    """

    commit: str
    path: str = "."
    is_hydrated: bool = False
    dry_commit: str | None = None

    def contains(self, file: str) -> bool:
        """Returns whether a file is in the folder. Its path is relative to the root of the repository."""
        return self.path in {".", file} or file.startswith(f"{self.path}/")


#: The sources of one sync. Empty if nothing was synced yet, None if unknown.
Sources = tuple[SyncedSource, ...] | None


@dataclass(frozen=True, slots=True)
class SyncRecord:
    """What was synced last, and the state of single objects, according to the GitOps controller.

    Attributes:
        last: The sources of the last complete sync.
        newer: The sources of a newer, incomplete sync, by object.
        listed: The objects that the controller syncs; empty if it does not list them.
        out_of_sync: The objects that differ from Git.
        is_syncing: Whether a sync of another revision has begun and is not complete.
        why_pending: Returns why an object was not synced yet, as a sentence, or None if that is unknown.
        keeps: The setting that tells the controller not to prune what Git has dropped, or None.
    """

    last: Sources
    newer: Mapping[ResourceId, Sources] = field(default_factory=dict)
    listed: frozenset[ResourceId] = frozenset()
    out_of_sync: frozenset[ResourceId] = frozenset()
    is_syncing: bool = False
    why_pending: Callable[[ObjectKey], str | None] = lambda _: None
    keeps: str | None = None

    def sources(self, key: ObjectKey) -> Sources:
        """Returns the sources from which an object was last synced."""
        return next((self.newer[name] for name in resource_ids(key) if name in self.newer), self.last)

    def lists(self, key: ObjectKey) -> bool:
        """Returns whether the controller lists an object."""
        return any(name in self.listed for name in resource_ids(key))

    def contradicts(self, key: ObjectKey) -> bool:
        """Returns whether the controller says that an object differs from Git, or may differ during a sync."""
        return self.is_syncing or any(name in self.out_of_sync for name in resource_ids(key))

    def commits(self) -> frozenset[str]:
        """Returns every commit from which something was synced."""
        sources = [source for sources in (self.last, *self.newer.values()) for source in sources or ()]
        return frozenset(commit for one in sources for commit in (one.commit, one.dry_commit) if commit is not None)


def resource_ids(key: ObjectKey) -> tuple[ResourceId, ...]:
    """Returns the ids under which an object may be listed: with its namespace, and without."""
    return (key.group, key.kind, key.namespace or "", key.name), (key.group, key.kind, "", key.name)


#: SHA-1 or SHA-256. Any other revision is the version of a chart or the digest of an OCI artifact.
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
#: The results of an operation that changed the object.
_DONE: Final = frozenset({"Synced", "Pruned"})
_FAILED: Final = "SyncFailed"
#: The sync option of an Application that prunes nothing.
_NO_PRUNE: Final = "Prune=false"


def application_record(application: Object) -> SyncRecord:
    """Reads what an Application synced last.

    Args:
        application: The live object.
    """
    status = at(application, "status")
    last = objects_at(status, "history")[-1:]
    operation = _last_operation(status, text_at(last[0], "deployedAt") if last else "")
    results = {_id(item): text_at(item, "status") for item in objects_at(operation, "syncResult", "resources")}
    # `argocd app sync --local` synced local files.
    is_local = bool(at(operation, "operation", "sync", "manifests"))
    synced = None if is_local else _sources(application, at(operation, "syncResult"))
    listed = {_id(item): text_at(item, "status") for item in objects_at(status, "resources")}
    return SyncRecord(
        # During the first sync, objects that it has not reached were never synced. Without any sync, nothing is known:
        # the objects may be those of a deleted Application with this name.
        last=_sources(application, last[0]) if last else None if operation is None else (),
        newer={name: synced for name, result in results.items() if result in _DONE},
        listed=frozenset(listed),
        out_of_sync=frozenset(name for name, state in listed.items() if state == "OutOfSync"),
        why_pending=_why_pending(application, operation, results),
        keeps=_NO_PRUNE if _NO_PRUNE in (at(application, "spec", "syncPolicy", "syncOptions") or ()) else None,
    )


def _last_operation(status: Json, deployed: str) -> Json:
    """Returns the last sync that may have changed the cluster, or None if the history has no older one.

    Args:
        status: The status of the Application.
        deployed: RFC 3339, the end of the last sync in the history; "" without a history.
    """
    operation = at(status, "operationState")
    started = text_at(operation, "startedAt")
    is_older = bool(started) and started < deployed
    if at(operation, "operation", "sync") is None or at(operation, "operation", "sync", "dryRun") is True or is_older:
        return None
    return operation


def _id(item: Json) -> ResourceId:
    return text_at(item, "group"), text_at(item, "kind"), text_at(item, "namespace"), text_at(item, "name")


def _sources(application: Json, entry: Json) -> Sources:
    """Returns the Git sources of an entry of the history or of a sync result, or None if there are none."""
    is_hydrated = bool(at(application, "spec", "sourceHydrator"))
    revisions = at(entry, "revisions")
    if isinstance(revisions, list) and revisions:
        pairs = list(zip(objects_at(entry, "sources"), revisions, strict=False))
    else:
        pairs = [(at(entry, "source"), at(entry, "revision"))]
    found = tuple(
        SyncedSource(
            revision,
            normpath(text_at(source, "path").strip("/") or "."),
            is_hydrated,
            _dry_commit(application, revision) if is_hydrated else None,
        )
        for source, revision in pairs
        if isinstance(revision, str) and _COMMIT.fullmatch(revision) and _has_manifests(source)
    )
    return found or None


def _dry_commit(application: Json, hydrated: str) -> str | None:
    """Returns the commit from which Argo CD hydrated another one; None if that is not the last one that it hydrated.

    https://github.com/argoproj/argo-cd/blob/v3.5.1/pkg/apis/application/v1alpha1/types.go (SuccessfulHydrateOperation)
    """
    operation = at(application, "status", "sourceHydrator", "lastSuccessfulOperation")
    found = text_at(operation, "drySHA")
    return found if text_at(operation, "hydratedSHA") == hydrated and _COMMIT.fullmatch(found) else None


def _has_manifests(source: Json) -> bool:
    """Returns whether a source is in Git and adds objects. Charts are not in Git; a ``ref`` source only lends files."""
    is_reference = bool(text_at(source, "ref")) and not text_at(source, "path")
    return not text_at(source, "chart") and not text_at(source, "repoURL").startswith("oci://") and not is_reference


def _why_pending(
    application: Json, operation: Json, results: Mapping[ResourceId, str]
) -> Callable[[ObjectKey], str | None]:
    name = f"Application {text_at(application, 'metadata', 'namespace')}/{text_at(application, 'metadata', 'name')}"
    phase = text_at(operation, "phase")
    selected = objects_at(operation, "operation", "sync", "resources")

    def why(key: ObjectKey) -> str | None:
        if any(results.get(found) == _FAILED for found in resource_ids(key)):
            return f"the last sync of {name} failed to apply it"
        if selected and not any(_selects(item, key) for item in selected):
            return f"the last sync of {name} was selective and did not include it"
        if phase in {"Running", "Terminating"}:
            return f"{name} is still syncing and has not applied it yet"
        if phase in {"Failed", "Error"}:
            return f"the last sync of {name} failed before it applied it"
        return None

    return why


def _selects(item: Object, key: ObjectKey) -> bool:
    """Returns whether a selective sync includes an object. ``*`` or a missing namespace matches everything."""
    patterns = (text_at(item, "group"), text_at(item, "kind"), text_at(item, "namespace") or "*", text_at(item, "name"))
    names = (key.group, key.kind, key.namespace or "", key.name)
    return all(pattern in {"*", name} for pattern, name in zip(patterns, names, strict=True))


#: ``main@sha1:COMMIT``, ``v1.2.3@sha1:COMMIT``, ``sha1:COMMIT``; ``main/COMMIT`` and ``COMMIT`` before Flux 2.0.
#: Branch names may contain slashes. ``latest@sha256:DIGEST`` is the digest of an OCI artifact, not a commit.
_FLUX_COMMIT: Final = re.compile(r"(?:.*@)?sha1:([0-9a-f]{40})|(?:.*/)?([0-9a-f]{40})")


def kustomization_record(kustomization: Object) -> SyncRecord:
    """Reads what a Kustomization applied last.

    Args:
        kustomization: The live object, in any API version.
    """
    status = at(kustomization, "status")
    applied, attempted = text_at(status, "lastAppliedRevision"), text_at(status, "lastAttemptedRevision")
    # An OCI artifact may name the commit that it was built from.
    commit = commit_of(applied) or commit_of(text_at(status, "lastAppliedOriginRevision"))
    is_another = (commit_of(attempted) or attempted) != (commit_of(applied) or applied)
    return SyncRecord(
        last=(SyncedSource(commit),) if commit else None,
        is_syncing=bool(applied and attempted) and is_another,
        keeps=None if at(kustomization, "spec", "prune") is not False else "prune: false",
    )


def commit_of(revision: str) -> str | None:
    """Returns the commit in a revision, or None if it has none."""
    found = _FLUX_COMMIT.fullmatch(revision)
    return None if found is None else found[1] or found[2]
