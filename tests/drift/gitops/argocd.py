"""Writes Applications with a status like that of Argo CD 3 to the sandbox."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

CRDS = Path(__file__).parents[3] / "rescan" / "crds"
NAMESPACE = "argocd"
REPOSITORY = "https://git.example.com/apps.git"
SOURCE = {"path": ".", "repoURL": REPOSITORY, "targetRevision": "main"}
CHART = {"chart": "redis", "repoURL": "https://charts.example.com", "targetRevision": "1.2.3"}
VALUES = {"ref": "values", "repoURL": "https://git.example.com/values.git", "targetRevision": "main"}

Status = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of a sync, one or several."""

    sources: tuple[dict[str, str], ...] = (SOURCE,)
    revisions: tuple[str, ...] = ()

    def recorded(self) -> Status:
        if len(self.sources) == 1:
            return {"revision": self.revisions[0], "source": self.sources[0]}
        # With several sources, Argo CD writes an empty source too.
        return {"revisions": list(self.revisions), "source": {"repoURL": ""}, "sources": list(self.sources)}


def at(*revisions: str, sources: tuple[dict[str, str], ...] = (SOURCE,)) -> Sources:
    return Sources(sources, revisions)


def history(*entries: Sources) -> list[Status]:
    return [
        {
            **entry.recorded(),
            "deployStartedAt": f"2026-01-0{number}T10:00:00Z",
            "deployedAt": f"2026-01-0{number}T10:00:05Z",
            "id": number - 1,
            "initiatedBy": {"username": "admin"},
        }
        for number, entry in enumerate(entries, 1)
    ]


@dataclass(frozen=True, slots=True)
class Operation:
    """The last operation. It is newer than the history unless ``day`` says otherwise."""

    to: Sources
    results: dict[str, str]
    phase: str = "Succeeded"
    dry_run: bool = False
    selected: tuple[str, ...] = ()
    local: bool = False
    day: int = 5
    extra: Status = field(default_factory=dict)

    def recorded(self, namespace: str) -> Status:
        wanted: Status = {"syncStrategy": {"hook": {}}, "revision": self.to.revisions[0]}
        if self.dry_run:
            wanted["dryRun"] = True
        if self.selected:
            wanted["resources"] = [_selected(name) for name in self.selected]
        if self.local:
            wanted["manifests"] = ["{}"]
        state: Status = {
            "operation": {"initiatedBy": {"username": "admin"}, "retry": {}, "sync": wanted},
            "phase": self.phase,
            "startedAt": f"2026-01-0{self.day}T10:00:00Z",
            "syncResult": {
                "revision": "",
                **self.to.recorded(),
                "resources": [_result(name, status, namespace, self.phase) for name, status in self.results.items()],
            },
        }
        if self.phase != "Running":
            state["finishedAt"] = f"2026-01-0{self.day}T10:00:05Z"
        return state


def _parts(name: str) -> tuple[str, str, str]:
    kind, _, name = name.partition("/")
    return {"Deployment": "apps"}.get(kind, ""), kind, name


def _selected(name: str) -> Status:
    group, kind, name = _parts(name)
    return {**({"group": group} if group else {}), "kind": kind, "name": name}


def _result(name: str, status: str, namespace: str, phase: str) -> Status:
    group, kind, name = _parts(name)
    return {
        "group": group,
        "hookPhase": "Failed" if status == "SyncFailed" else "Running" if phase == "Running" else "Succeeded",
        "kind": kind,
        "message": f"{kind.lower()}/{name} configured",
        "name": name,
        "namespace": namespace,
        "status": status,
        "syncPhase": "Sync",
        "version": "v1",
    }


def record(
    cluster: Cluster,
    name: str,
    namespace: str,
    *,
    compared: Sources,
    synced: list[Status],
    operation: Operation | None = None,
    resources: dict[str, str] | None = None,
) -> None:
    """Creates or updates the Application, with a status that says what it compared and synced last.

    Args:
        cluster: The cluster.
        name: The name of the Application in the namespace of Argo CD.
        namespace: The namespace to which it syncs.
        compared: The sources that it compared last, synced or not.
        synced: The history.
        operation: The last operation.
        resources: The state of each object, by kind and name.
    """
    resources = resources or {}
    several = len(compared.sources) > 1
    comparison = {"revisions": list(compared.revisions)} if several else {"revision": compared.revisions[0]}
    status: Status = {
        "health": {"status": "Healthy"},
        "history": synced,
        "reconciledAt": "2026-01-06T10:00:00Z",
        "resources": [
            {
                **({"group": group} if (group := _parts(item)[0]) else {}),
                "kind": _parts(item)[1],
                "name": _parts(item)[2],
                "namespace": namespace,
                "status": state,
                "version": "v1",
            }
            for item, state in resources.items()
        ],
        "sync": {"status": "OutOfSync" if "OutOfSync" in resources.values() else "Synced", **comparison},
    }
    if not synced:
        del status["history"]
    if operation is not None:
        status["operationState"] = operation.recorded(namespace)
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "destination": {"namespace": namespace, "server": "https://kubernetes.default.svc"},
            "project": "default",
            # With several sources Argo CD does not write this, but the CRD in the tests requires it.
            "source": {"repoURL": REPOSITORY} if several else compared.sources[0],
            **({"sources": list(compared.sources)} if several else {}),
        },
        "status": status,
    }
    sync(cluster, Syncer.FLUX, CRDS)
    cluster.kubectl("create", "namespace", NAMESPACE, check=False)
    # The CRD in the tests declares only the part of the spec that the generator sets.
    cluster.kubectl("apply", "--validate=false", "-f", "-", stdin=json.dumps(application))
