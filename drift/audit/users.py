"""What is known of a user in an audit log: a person, a program, a part of the cluster, or who syncs Git."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from drift.audit.writes import Write
from drift.gitops.managers import Managers, applies_as_command, is_controller, is_gitops_applier, is_kubectl_apply
from drift.globs import Glob
from drift.model import Actor

_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_KUBE_SYSTEM: Final = f"{_SERVICE_ACCOUNT}kube-system:"
_CONTROLLER_MANAGER: Final = "system:kube-controller-manager"
#: Users of the cluster's own certificate that people share.
_SHARED_BY_PEOPLE: Final = frozenset({"system:admin"})


def is_program(user: str) -> bool:
    """Returns whether a user is a part of the cluster or a service account, not a person."""
    return user.startswith("system:") and user not in _SHARED_BY_PEOPLE


def is_of_cluster(user: str) -> bool:
    """Returns whether a user is a part of the cluster itself."""
    return is_program(user) and (not user.startswith(_SERVICE_ACCOUNT) or user.startswith(_KUBE_SYSTEM))


def is_garbage_collector(write: Write) -> bool:
    """Returns whether a write deletes an object because its owners are gone."""
    return _is_loop(write, "generic-garbage-collector")


def is_namespace_controller(write: Write) -> bool:
    """Returns whether a write deletes an object because its namespace is deleted."""
    return _is_loop(write, "namespace-controller")


def _is_loop(write: Write, name: str) -> bool:
    """Returns whether one control loop of kube-controller-manager wrote.

    Each has a service account, or they share a user (--use-service-account-credentials) and differ by User-Agent:
    https://github.com/kubernetes/kubernetes/blob/v1.36.3/staging/src/k8s.io/controller-manager/pkg/clientbuilder/client_builder.go
    """
    by_agent = write.user == _CONTROLLER_MANAGER and (write.user_agent or "").endswith(f"/{name}")
    return by_agent or write.user == f"{_KUBE_SYSTEM}{name}"


@dataclass(frozen=True, slots=True)
class Syncers:
    """Tells syncs of Git from other writes.

    Attributes:
        managers: The field managers that are appliers or controllers.
        users: More users that sync Git, such as those of pipelines.
        is_revision_known: Whether the scan was told what was last synced, so that the log decides nothing about it.
    """

    managers: Managers
    users: tuple[Glob, ...] = ()
    is_revision_known: bool = False

    def is_sync_manager(self, manager: str) -> bool:
        """Returns whether a field manager applies Git: a known applier, or one that the user or a scan names."""
        known = is_gitops_applier(Actor(manager, "Apply", None, None))
        return known or manager in self.managers.appliers or manager == self.managers.inferred

    def is_apply_manager(self, manager: str) -> bool:
        """Returns whether programs apply whole manifests under a field manager, from Git or not."""
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
        """Returns whether a syncer wrote: a GitOps controller, whose service account tells it, or a user of `users`."""
        return any(
            user is not None
            and (
                any(glob.matches(user) for glob in self.users)
                or (user.startswith(_SERVICE_ACCOUNT) and self.is_sync_manager(user.rpartition(":")[2]))
            )
            for user in write.person
        )

    def is_sync(self, write: Write) -> bool:
        """Returns whether a write applies what is in Git, as far as its user tells.

        Unless the settings name the users that sync, so does any service account that applies manifests.
        """
        is_pipeline = not self.users and is_program(write.user) and not is_of_cluster(write.user)
        return self.is_apply(write) and (is_pipeline or self.is_by_syncer(write))

    def is_by_hand(self, write: Write, others: Iterable[Write]) -> bool:
        """Returns whether a write applies a manifest and is certainly no sync.

        That takes to know who syncs: from the settings, or because others sync under the same field manager.

        Args:
            write: A write.
            others: The writes to the same object.
        """
        if not self.is_apply(write) or self.is_sync(write) or is_of_cluster(write.user):
            return False
        return bool(self.users) or any(other.manager == write.manager and self.is_sync(other) for other in others)

    def records_no_revision(self, manager: str) -> bool:
        """Returns whether no commit is recorded for syncs under a field manager: people and pipelines run it."""
        is_command = applies_as_command(manager) or not self.is_sync_manager(manager)
        return not self.is_revision_known and (is_command or manager in self.managers.appliers)
