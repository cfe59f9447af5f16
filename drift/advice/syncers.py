"""What the syncer of a source can be told to do: its state, and its own commands."""

import re
import shlex
from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Final

from drift.model import ObjectReport, SourceInfo, SourceKind

#: The name of a source that a controller in the cluster syncs.
_NAME: Final = re.compile(r"\w+ (?P<namespace>[a-z0-9][-a-z0-9.]*)/(?P<name>[a-z0-9][-a-z0-9.]*)(?: source [0-9]+)?")
_Command = Callable[[str, str, ObjectReport], tuple[str, ...]]

_STATUS: Final[Mapping[SourceKind, _Command]] = {
    SourceKind.FLUX_KUSTOMIZATION: lambda namespace, name, _: ("flux", "get", "kustomization", name, "-n", namespace),
    SourceKind.FLUX_HELM_RELEASE: lambda namespace, name, _: ("flux", "get", "helmrelease", name, "-n", namespace),
    SourceKind.ARGOCD_APPLICATION: lambda namespace, name, _: (
        *("argocd", "app", "get", name),
        *("--app-namespace", namespace),
    ),
}
#: Flux and Argo CD put back what was edited. helm-controller does so only where a HelmRelease asks for it.
_SYNC: Final[Mapping[SourceKind, _Command]] = {
    SourceKind.FLUX_KUSTOMIZATION: lambda namespace, name, _: (
        *("flux", "reconcile", "kustomization", name),
        *("-n", namespace, "--with-source"),
    ),
    SourceKind.ARGOCD_APPLICATION: lambda namespace, name, item: (
        *("argocd", "app", "sync", name, "--app-namespace", namespace),
        *("--resource", f"{item.key.group}:{item.kind}:{f'{item.namespace}/' if item.namespace else ''}{item.name}"),
    ),
}
#: These take the context of the kubeconfig.
_WITH_CONTEXT: Final = frozenset({SourceKind.FLUX_KUSTOMIZATION, SourceKind.FLUX_HELM_RELEASE})


class SyncerState(Enum):
    """Whether the syncer of a source syncs it."""

    UNKNOWN = auto()
    ACTIVE = auto()
    SUSPENDED = auto()
    FAILING = auto()


def state_of(source: SourceInfo | None) -> SyncerState:
    """Returns the state of a source's syncer; unknown if nothing in the cluster syncs it."""
    if source is None or source.suspended is None:
        return SyncerState.UNKNOWN
    if source.suspended:
        return SyncerState.SUSPENDED
    return SyncerState.FAILING if source.ready is False else SyncerState.ACTIVE


def status_command(source: SourceInfo, item: ObjectReport, context: str | None) -> str | None:
    """Returns the command that shows what the syncer of a source says, or None."""
    return _command(_STATUS, source, item, context)


def sync_command(source: SourceInfo, item: ObjectReport, context: str | None) -> str | None:
    """Returns the command that makes the syncer of a source sync an object, or None if it would not."""
    return None if source.suspended else _command(_SYNC, source, item, context)


def syncs_one_object(source: SourceInfo) -> bool:
    """Whether `sync_command` leaves the other objects of the source alone."""
    return source.kind is SourceKind.ARGOCD_APPLICATION


def _command(
    commands: Mapping[SourceKind, _Command], source: SourceInfo, item: ObjectReport, context: str | None
) -> str | None:
    found = _NAME.fullmatch(source.name)
    if found is None or source.kind not in commands:
        return None
    words = commands[source.kind](found["namespace"], found["name"], item)
    flags = ("--context", context) if context and source.kind in _WITH_CONTEXT else ()
    return shlex.join((*words, *flags))
