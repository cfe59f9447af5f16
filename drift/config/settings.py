"""What ``drift.yaml`` says, as values. `drift.config.reader` makes them, and refuses what is not as it should be."""

from dataclasses import dataclass
from datetime import date

from drift.globs import Glob, PathGlob
from drift.model import Cause, Change, Finding, ObjectKey, Severity, Unmanaged

#: The causes that set exit status 1 where the user does not choose: everything that drift can be.
DRIFT_CAUSES = frozenset({Cause.MANUAL, Cause.PENDING_SYNC, Cause.UNKNOWN})


@dataclass(frozen=True, slots=True)
class IgnoreRule:
    """Sets findings aside. What it does not name, it does not ask for.

    Attributes:
        number: Its place in the list, counted from 1.
        reason: Why what it covers is not drift; never empty.
        group: "" is the core group.
        kind: As in a manifest.
        namespace: "" is for cluster-scoped objects.
        name: ``metadata.name``.
        path: The finding's.
        manager: Every field manager of the finding has to match, and there has to be one.
        cause: The finding's.
        expires: The last day on which it counts.
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
        """``ignore rule 2 (kind: Deployment, path: spec.replicas)``."""
        fields = ("group", "kind", "namespace", "name", "path", "manager")
        globs: list[tuple[str, Glob | PathGlob | None]] = [(name, getattr(self, name)) for name in fields]
        matchers = [f"{name}: {glob.text or repr('')}" for name, glob in globs if glob is not None]
        matchers += [] if self.cause is None else [f"cause: {self.cause}"]
        return f"ignore rule {self.number} ({', '.join(matchers)})"

    def covers(self, key: ObjectKey, finding: Finding) -> bool:
        """Whether it names a finding of an object; its expiry is not looked at."""
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
    """Says how much a difference matters.

    Attributes:
        severity: How much.
        group: "" is the core group.
        kind: As in a manifest.
        path: Of the difference, or of a part of what was wholly added or removed.
        change: None covers every change but a new order of the same items.
        cause: None covers every cause but a controller.
        reason: Why, for ``drift explain``.
    """

    severity: Severity
    group: Glob | None = None
    kind: Glob | None = None
    path: PathGlob | None = None
    change: Change | None = None
    cause: Cause | None = None
    reason: str | None = None

    def covers(self, key: ObjectKey, path: str, change: Change, cause: Cause) -> bool:
        """Whether it names a difference, or a part of one."""
        return self.concerns(key, change, cause) and (self.path is None or self.path.matches(path))

    def concerns(self, key: ObjectKey, change: Change, cause: Cause) -> bool:
        """Whether it may name a difference, depending on its path."""
        # A controller's own work and a mere change of order are another matter whatever they touch, so that a rule
        # for images, say, does not have to exclude them.
        return (
            (change is self.change or (self.change is None and change is not Change.REORDERED))
            and (cause is self.cause or (self.cause is None and cause is not Cause.CONTROLLER))
            and (self.kind is None or self.kind.matches(key.kind))
            and (self.group is None or self.group.matches(key.group))
        )


@dataclass(frozen=True, slots=True)
class SkippedKind:
    """A kind that is not checked on purpose.

    Attributes:
        kind: As in a manifest.
        reason: Why; never empty.
        group: None covers every group, "" the core one.
    """

    kind: Glob
    reason: str
    group: Glob | None = None

    def covers(self, group: str, kind: str) -> bool:
        """Whether it names a kind of a group."""
        return self.kind.matches(kind) and (self.group is None or self.group.matches(group))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that ``drift.yaml`` can say; the defaults are what counts without one.

    Attributes:
        ignore: Tried in their order.
        severity: Tried in their order, before the shipped ones.
        appliers: Field managers that sync Git, beside the well-known ones.
        controllers: Field managers that work for the cluster, beside the well-known ones.
        unchecked: Kinds that are not checked on purpose.
        exit_causes: The causes that set exit status 1.
        unmanaged: Where objects that Git does not have are looked for.
    """

    ignore: tuple[IgnoreRule, ...] = ()
    severity: tuple[SeverityRule, ...] = ()
    appliers: tuple[str, ...] = ()
    controllers: tuple[str, ...] = ()
    unchecked: tuple[SkippedKind, ...] = ()
    exit_causes: frozenset[Cause] = DRIFT_CAUSES
    unmanaged: Unmanaged = Unmanaged.NAMESPACE

    def skips(self, key: ObjectKey) -> bool:
        """Whether objects of this kind are not checked on purpose."""
        return any(kind.covers(key.group, key.kind) for kind in self.unchecked)
