"""The settings in ``drift.yaml`` as values. `drift.config.reader` validates and creates them."""

import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from drift.globs import FileGlob, Glob, PathGlob
from drift.model import Cause, Change, Finding, Severity, Unmanaged
from drift.objects import ObjectKey

#: The causes that set exit status 1 by default: all causes of drift.
DRIFT_CAUSES = frozenset({Cause.MANUAL, Cause.PENDING_SYNC, Cause.UNKNOWN})
#: ``all``, ``NAME`` or ``NAMESPACE/NAME``.
RELEASE_NAME: Final = re.compile(r"([a-z0-9][-a-z0-9]{0,62}/)?[a-z0-9][-a-z0-9.]{0,252}")


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """A rule that ignores findings. A field that is None matches everything.

    Attributes:
        number: Its position in the list, counted from 1.
        reason: Why the findings are not drift; never empty.
        group: The API group; "" is the core group.
        kind: The kind, as in a manifest.
        namespace: The namespace; "" matches cluster-scoped objects.
        name: ``metadata.name``.
        path: The path of the finding.
        manager: Every field manager of the finding must match, and there must be at least one.
        cause: The cause of the finding.
        expires: The last day on which the rule applies.
    """

    number: int
    reason: str
    group: Glob | None = None
    kind: Glob | None = None
    namespace: Glob | None = None
    name: Glob | None = None
    path: PathGlob | None = None
    manager: Glob | None = None
    cause: Cause | None = None
    expires: date | None = None

    def __str__(self) -> str:
        """Returns ``ignore rule 2 (kind: Deployment, path: spec.replicas)``."""
        fields = ("group", "kind", "namespace", "name", "path", "manager")
        globs: list[tuple[str, Glob | PathGlob | None]] = [(name, getattr(self, name)) for name in fields]
        matchers = [f"{name}: {glob.text or repr('')}" for name, glob in globs if glob is not None]
        matchers += [] if self.cause is None else [f"cause: {self.cause}"]
        return f"ignore rule {self.number} ({', '.join(matchers)})"

    def covers(self, key: ObjectKey, finding: Finding) -> bool:
        """Returns whether it matches a finding. Does not check whether the rule has expired."""
        names = (
            (self.kind, key.kind),
            (self.name, key.name),
            (self.namespace, key.namespace or ""),
            (self.group, key.group),
        )
        return (
            all(glob is None or glob.matches(name) for glob, name in names)
            and (self.cause is None or self.cause is finding.cause)
            and (self.manager is None or _all_by(self.manager, finding))
            and (self.path is None or self.path.matches(finding.path))
        )


def _all_by(manager: Glob, finding: Finding) -> bool:
    return bool(finding.actors) and all(manager.matches(actor.manager) for actor in finding.actors)


@dataclass(frozen=True, slots=True)
class SeverityRule:
    """A rule that sets the severity of differences.

    Attributes:
        severity: The severity.
        group: The API group; "" is the core group, None matches every group.
        kind: The kind, as in a manifest; None matches every kind.
        path: The path of the difference, or of a part of an added or removed value; None matches every path.
        change: None matches every change except reordered items.
        cause: None matches every cause except a controller.
        reason: The reason, for ``drift explain``.
    """

    severity: Severity
    group: Glob | None = None
    kind: Glob | None = None
    path: PathGlob | None = None
    change: Change | None = None
    cause: Cause | None = None
    reason: str | None = None

    def may_match(self, key: ObjectKey, change: Change, cause: Cause) -> bool:
        """Returns whether it may match a difference, depending on the path."""
        # Changes by controllers and reordered items are less severe, so most rules must not match them. They need a
        # rule that names them.
        return (
            (change is self.change or (self.change is None and change is not Change.REORDERED))
            and (cause is self.cause or (self.cause is None and cause is not Cause.CONTROLLER))
            and (self.kind is None or self.kind.matches(key.kind))
            and (self.group is None or self.group.matches(key.group))
        )


@dataclass(frozen=True, slots=True)
class SkippedKind:
    """A kind that the user does not want to check.

    Attributes:
        kind: The kind, as in a manifest.
        reason: Why it is not checked; never empty.
        group: The API group; "" is the core group, None matches every group.
    """

    kind: Glob
    reason: str
    group: Glob | None = None

    def covers(self, group: str, kind: str) -> bool:
        """Returns whether it matches a kind."""
        return self.kind.matches(kind) and (self.group is None or self.group.matches(group))


class RequestKind(StrEnum):
    """How a user names a source; also the keys of an item of ``sources:`` in ``drift.yaml``."""

    PATH = "path"
    HELM_RELEASE = "helm-release"
    FLUX = "flux"
    ARGOCD = "argocd"


@dataclass(frozen=True, slots=True)
class SourceRequest:
    """A source of manifests as a user names it, on the command line or in ``sources:``.

    Attributes:
        kind: What `target` is.
        target: A path (a file, a folder of manifests, a kustomization, a chart, or ``-``); for the other kinds
            ``all``, ``NAME`` or ``NAMESPACE/NAME``.
        release: For a chart, the name of its release; None for the name of the chart.
        namespace: For a chart, the namespace of its release; None for that of objects that name none.
        values: For a chart, its values files, in the order in which Helm merges them.
        set_values: For a chart, ``KEY=VALUE`` as with ``helm --set``.
    """

    kind: RequestKind
    target: str
    release: str | None = None
    namespace: str | None = None
    values: tuple[str, ...] = ()
    set_values: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Returns its name: the path with the release, or the flag as on the command line."""
        if self.kind is not RequestKind.PATH:
            return f"--{self.kind} {self.target}"
        release = "/".join(filter(None, (self.namespace, self.release)))
        return f"{self.target} ({release})" if release else self.target


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in ``drift.yaml``, with the defaults for settings that are not set.

    Attributes:
        ignore: Ignore rules; the first that matches applies.
        severity: Severity rules, tried before the shipped ones; the first that matches applies.
        appliers: More field managers that apply manifests from Git.
        controllers: More field managers that work for the cluster.
        syncers: Users in an audit log that sync Git, beside the service accounts of GitOps controllers.
        unchecked: Kinds that are not checked.
        exit_causes: The causes that set exit status 1.
        exit_severity: The lowest severity that sets exit status 1.
        unmanaged: Where to look for objects that are not in Git.
        exclude: Files and folders of the manifests that are not read.
        sources: Where the manifests come from, unless the command line names any.
        reads_flux_secrets: Whether to read the Secrets of ``substituteFrom`` of Flux's Kustomizations.
        argocd_this_cluster: The names and addresses that Argo CD has for this cluster; None if they are not known.
    """

    ignore: tuple[IgnoreRule, ...] = ()
    severity: tuple[SeverityRule, ...] = ()
    appliers: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    syncers: tuple[Glob, ...] = ()
    unchecked: tuple[SkippedKind, ...] = ()
    exit_causes: frozenset[Cause] = DRIFT_CAUSES
    exit_severity: Severity = Severity.INFO
    unmanaged: Unmanaged = Unmanaged.NAMESPACE
    exclude: tuple[FileGlob, ...] = ()
    sources: tuple[SourceRequest, ...] = ()
    reads_flux_secrets: bool = False
    argocd_this_cluster: tuple[str, ...] | None = None

    def skips(self, key: ObjectKey) -> bool:
        """Returns whether the user does not want to check objects of this kind."""
        return any(kind.covers(key.group, key.kind) for kind in self.unchecked)
