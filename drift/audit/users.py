"""The users in an audit log: which of them sync from Git, and what a report shows of them."""

import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from drift.audit.writes import Write
from drift.config.settings import Settings
from drift.gitops.managers import Managers, applies_as_command, is_controller, is_gitops_applier, is_kubectl_apply
from drift.globs import Glob
from drift.model import Actor, Evidence, Finding, Report
from drift.words import rfc3339

_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_KUBE_SYSTEM: Final = f"{_SERVICE_ACCOUNT}kube-system:"
_CONTROLLER_MANAGER: Final = "system:kube-controller-manager"
#: Users of the administrator certificate of a cluster, which people share.
_SHARED_BY_PEOPLE: Final = frozenset({"system:admin"})


def is_program(user: str) -> bool:
    """Returns whether a user is a part of the cluster or a service account, not a person."""
    return user.startswith("system:") and user not in _SHARED_BY_PEOPLE


def is_cluster_component(user: str) -> bool:
    """Returns whether a user is a part of the cluster itself."""
    return is_program(user) and (not user.startswith(_SERVICE_ACCOUNT) or user.startswith(_KUBE_SYSTEM))


def is_garbage_collector(write: Write) -> bool:
    """Returns whether a write deletes an object because its owners are gone."""
    return _is_control_loop(write, "generic-garbage-collector")


def is_namespace_controller(write: Write) -> bool:
    """Returns whether a write deletes an object because its namespace is deleted."""
    return _is_control_loop(write, "namespace-controller")


def _is_control_loop(write: Write, name: str) -> bool:
    """Returns whether one control loop of kube-controller-manager wrote.

    Each has a service account, or they share a user (--use-service-account-credentials) and differ by User-Agent:
    https://github.com/kubernetes/kubernetes/blob/v1.36.3/staging/src/k8s.io/controller-manager/pkg/clientbuilder/client_builder.go
    """
    by_agent = write.user == _CONTROLLER_MANAGER and (write.user_agent or "").endswith(f"/{name}")
    return by_agent or write.user == f"{_KUBE_SYSTEM}{name}"


@dataclass(frozen=True, slots=True)
class Syncers:
    """Tells syncs, which apply what is in Git, from other writes.

    Attributes:
        managers: The field managers that are appliers or controllers.
        users: Other users that sync, such as the service accounts of pipelines.
        is_revision_known: Whether the scan knows the last synced revision, so that the log need not prove it.
    """

    managers: Managers
    users: tuple[Glob, ...] = ()
    is_revision_known: bool = False

    @classmethod
    def of(cls, report: Report, settings: Settings, synced_revision: str | None) -> "Syncers":
        """Returns the syncers of a report. The revision is the one that the user names; None if the user names none."""
        managers = Managers(settings.appliers, settings.controllers, report.inferred_applier)
        return cls(managers, settings.syncers, synced_revision is not None)

    def is_sync_manager(self, manager: str) -> bool:
        """Returns whether a field manager applies Git: a known applier, or one that the settings or the scan name."""
        known = is_gitops_applier(Actor(manager, "Apply", None, None))
        return known or manager in self.managers.appliers or manager == self.managers.inferred

    def is_apply_manager(self, manager: str) -> bool:
        """Returns whether a field manager applies whole manifests, from Git or not."""
        return self.is_sync_manager(manager) or any(
            is_kubectl_apply(Actor(manager, operation, None, None)) for operation in ("Apply", "Update")
        )

    def is_apply(self, write: Write) -> bool:
        """Returns whether a write applies a whole manifest."""
        return write.subresource is None and not write.is_deletion and self.is_apply_manager(write.manager)

    def is_controller(self, write: Write) -> bool:
        """Returns whether a write is under the field manager of a controller."""
        return is_controller(Actor(write.manager, "Update", write.subresource, None), self.managers.controllers)

    def is_by_syncer(self, write: Write) -> bool:
        """Returns whether the user is one of `users`, or the service account of a GitOps controller."""
        return any(
            user is not None
            and (
                any(glob.matches(user) for glob in self.users)
                or (user.startswith(_SERVICE_ACCOUNT) and self.is_sync_manager(user.rpartition(":")[2]))
            )
            for user in write.requester
        )

    def is_sync(self, write: Write) -> bool:
        """Returns whether a write applies what is in Git, judged by its user.

        If the settings name no users that sync, any service account that applies manifests counts.
        """
        is_pipeline = not self.users and is_program(write.user) and not is_cluster_component(write.user)
        return self.is_apply(write) and (is_pipeline or self.is_by_syncer(write))

    def is_by_hand(self, write: Write, others: Iterable[Write]) -> bool:
        """Returns whether a write applies a manifest and is certainly not a sync.

        This is certain only if the settings name the users that sync, or others sync under the same field manager.

        Args:
            write: A write.
            others: The writes to the same object.
        """
        if not self.is_apply(write) or self.is_sync(write) or is_cluster_component(write.user):
            return False
        return bool(self.users) or any(other.manager == write.manager and self.is_sync(other) for other in others)

    def records_no_revision(self, manager: str) -> bool:
        """Returns whether syncs under a field manager record no commit, because people or pipelines run it."""
        is_command = applies_as_command(manager) or not self.is_sync_manager(manager)
        return not self.is_revision_known and (is_command or manager in self.managers.appliers)


class AuditUsers(StrEnum):
    """What a report shows of the users in an audit log."""

    FULL = "full"
    HASHED = "hashed"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Replaces the names of people. Programs of the cluster, whose names begin with ``system:``, keep theirs.

    Attributes:
        users: What to show.
        key: Runs with the same key show the same pseudonyms. By default, each run has its own.
    """

    users: AuditUsers = AuditUsers.FULL
    key: bytes = field(default_factory=lambda: pseudonym_key(None), repr=False)

    def name(self, user: str | None) -> str | None:
        """Returns what to show instead of a user."""
        if user is None or self.users is AuditUsers.NONE:
            return None
        if self.users is AuditUsers.FULL or is_program(user):
            return user
        return f"user-{hmac.digest(self.key, user.encode('utf-8', 'surrogatepass'), 'sha256').hex()[:12]}"

    def agent(self, user_agent: str | None) -> str | None:
        """Returns what to show instead of a User-Agent, which may contain anything."""
        return user_agent if self.users is AuditUsers.FULL else None


def pseudonym_key(text: str | None) -> bytes:
    """Returns the key of pseudonyms from a text, or a random one without a text."""
    return text.encode("utf-8", "surrogateescape") if text else secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class Attribution:
    """A field manager of a finding, with the write that names its user.

    Attributes:
        actor: The field manager.
        write: The write; None if the log does not name the user.
        evidence: The evidence for the user; None without one.
    """

    actor: Actor
    write: Write | None = None
    evidence: Evidence | None = None

    @classmethod
    def by(cls, write: Write, evidence: Evidence, operation: str = "Update") -> "Attribution":
        """Returns the user of a write, under its field manager, at its time."""
        return cls(Actor(write.manager, operation, write.subresource, rfc3339(write.received)), write, evidence)

    @classmethod
    def for_finding(cls, write: Write, finding: Finding, evidence: Evidence) -> "Attribution":
        """Returns the user of a write, under its field manager as the finding names it."""
        actor = next((actor for actor in finding.actors if write.was_by(actor)), None)
        named = cls.by(write, evidence)
        return named if actor is None else replace(named, actor=replace(actor, time=named.actor.time))

    def shown(self, pseudonyms: Pseudonyms) -> Actor:
        """Returns the field manager with its user."""
        if self.write is None:
            return self.actor
        return replace(
            self.actor,
            user=pseudonyms.name(self.write.user),
            impersonated_by=pseudonyms.name(self.write.impersonated_by),
            user_agent=pseudonyms.agent(self.write.user_agent),
            evidence=self.evidence,
        )


def latest_per_user(writes: Iterable[Write]) -> Sequence[Write]:
    """Returns the latest write of each user, in the order of the writes."""
    latest = {write.requester: write for write in writes}
    return sorted(latest.values(), key=lambda write: (write.received, write.user))


def is_one_user(writes: Iterable[Write]) -> bool:
    """Returns whether exactly one user made the writes."""
    return len({write.requester for write in writes}) == 1
