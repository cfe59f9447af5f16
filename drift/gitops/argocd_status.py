"""Reads what an Argo CD Application synced last from its status.

A complete and successful sync adds an entry to ``status.history``. Selective, failed and running syncs appear only in
``status.operationState``. ``status.sync.revision`` does not help: it is the revision that was compared, synced or not.
https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml
"""

import re
from collections.abc import Callable, Mapping
from posixpath import normpath
from typing import Final

from drift.gitops.sync_record import ResourceId, Sources, SyncedSource, SyncRecord, at, items, resource_ids, text
from drift.model import Json, Object, ObjectKey

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
    last = list(items(status, "history"))[-1:]
    operation = _last_operation(status, text(last[0], "deployedAt") if last else "")
    results = {} if operation is None else _results(operation)
    synced = None if operation is None else _operation_sources(operation)
    listed = {_id(item): text(item, "status") for item in items(status, "resources")}
    return SyncRecord(
        # During the first sync, objects that it has not reached were never synced. Without any sync, nothing is known:
        # the objects may be those of a deleted Application with this name.
        last=_sources(last[0]) if last else None if operation is None else (),
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
    started = text(operation, "startedAt")
    is_older = bool(started) and started < deployed
    if at(operation, "operation", "sync") is None or at(operation, "operation", "sync", "dryRun") is True or is_older:
        return None
    return operation


def _results(operation: Json) -> dict[ResourceId, str]:
    """Returns the result of an operation for each object so far."""
    return {_id(item): text(item, "status") for item in items(operation, "syncResult", "resources")}


def _id(item: Json) -> ResourceId:
    return text(item, "group"), text(item, "kind"), text(item, "namespace"), text(item, "name")


def _operation_sources(operation: Json) -> Sources:
    if at(operation, "operation", "sync", "manifests"):
        # `argocd app sync --local` synced local files.
        return None
    return _sources(at(operation, "syncResult"))


def _sources(entry: Json) -> Sources:
    """Returns the Git sources of an entry of the history or of a sync result, or None if there are none."""
    revisions = at(entry, "revisions")
    if isinstance(revisions, list) and revisions:
        pairs = list(zip(items(entry, "sources"), revisions, strict=False))
    else:
        pairs = [(at(entry, "source"), at(entry, "revision"))]
    found = tuple(
        SyncedSource(revision, _folder(text(source, "path")))
        for source, revision in pairs
        if isinstance(revision, str) and _COMMIT.fullmatch(revision) and _has_manifests(source)
    )
    return found or None


def _folder(path: str) -> str:
    normal = normpath(path.strip("/") or ".")
    return "" if normal == "." else normal


def _has_manifests(source: Json) -> bool:
    """Returns whether a source is in Git and adds objects. Charts are not in Git; a ``ref`` source only lends files."""
    is_reference = bool(text(source, "ref")) and not text(source, "path")
    return not text(source, "chart") and not text(source, "repoURL").startswith("oci://") and not is_reference


def _why_pending(
    application: Json, operation: Json, results: Mapping[ResourceId, str]
) -> Callable[[ObjectKey], str | None]:
    name = f"Application {text(application, 'metadata', 'namespace')}/{text(application, 'metadata', 'name')}"
    phase = text(operation, "phase")
    selected = list(items(operation, "operation", "sync", "resources"))

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
    patterns = (text(item, "group"), text(item, "kind"), text(item, "namespace") or "*", text(item, "name"))
    names = (key.group, key.kind, key.namespace or "", key.name)
    return all(pattern in {"*", name} for pattern, name in zip(patterns, names, strict=True))
