"""Reads the objects in the cluster that tell a GitOps controller what to apply, and what their status says."""

import json
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from drift.errors import RequestError, SourceError, UsageError
from drift.gitops.revisions import SHORT, how_far_behind
from drift.kube.live import LiveObject, LiveSource
from drift.objects import Object, as_object, at, objects_at, text_at
from drift.redaction import without_passwords
from drift.sources.checkouts import WorkTree
from drift.sources.model import ALL

_STALE_AFTER: Final = timedelta(days=1)
#: The length of a message of a controller in the report.
_MAX_MESSAGE: Final = 300


class MissingObjectError(SourceError):
    """An object that a GitOps controller needs does not exist."""


@dataclass(frozen=True, slots=True)
class ControllerKind:
    """A kind of object that a GitOps controller reads.

    Attributes:
        group: Its API group.
        kind: Its name.
    """

    group: str
    kind: str

    def find(self, target: str, cluster: LiveSource) -> Sequence[LiveObject]:
        """Returns the objects that a user names, sorted; none if the cluster does not have the kind.

        Args:
            target: ``all``, ``NAME`` or ``NAMESPACE/NAME``.
            cluster: The cluster.

        Raises:
            SourceError: The account may not read them.
            UsageError: Several namespaces have an object with the name.
        """
        resource = cluster.resources.preferred(self.group, self.kind)
        if resource is None:
            return ()
        namespace, _, name = target.rpartition("/")
        try:
            if namespace:
                live = cluster.get(resource, namespace, name)
                return () if live is None else (live,)
            found = sorted(cluster.list(resource, None), key=lambda item: (item.namespace or "", item.name))
        except RequestError as error:
            raise SourceError(f"cannot read {resource.full_name}: {error}") from None
        if target == ALL:
            return found
        named = [live for live in found if live.name == name]
        if len(named) > 1:
            choices = ", ".join(f"{live.namespace}/{live.name}" for live in named)
            raise UsageError(f"{self.kind} {name} is in several namespaces; name one of {choices}")
        return named

    def states(self, names: Iterable[tuple[str, str]], cluster: LiveSource) -> Hashable:
        """Returns a value that changes when one of these objects does. Each name is a namespace and a name."""

        def state(name: tuple[str, str]) -> str:
            return state_of(self.get(*name, cluster))

        return frozenset((name, or_error(partial(state, name))) for name in names)

    def get(self, namespace: str, name: str, cluster: LiveSource) -> Object:
        """Returns one object.

        Raises:
            SourceError: It does not exist, or the account may not read it.
        """
        resource = cluster.resources.preferred(self.group, self.kind)
        try:
            live = None if resource is None else cluster.get(resource, namespace, name)
        except RequestError as error:
            raise SourceError(f"cannot read {self.kind} {namespace}/{name}: {error}") from None
        if live is None:
            raise MissingObjectError(f"{self.kind} {namespace}/{name} does not exist")
        return live.body


CONFIG_MAP: Final = ControllerKind("", "ConfigMap")


def or_error(read: Callable[[], Hashable]) -> Hashable:
    """Returns what a function returns, or the text of its SourceError."""
    try:
        return read()
    except SourceError as error:
        return str(error)


def state_of(body: Object) -> str:
    """Returns a value that changes when an object does, or what its controller says about syncs.

    Other parts of its status may change with each reconcile.
    """
    status = as_object(body.get("status"))
    values = [
        [at(body, "metadata", name) for name in ("namespace", "name")],
        body.get("spec"),
        body.get("data"),
        [status.get(name) for name in ("lastAppliedRevision", "lastAttemptedRevision")],
        [[entry.get(name) for name in ("id", "version", "digest")] for entry in objects_at(status, "history")],
        [text_at(ready_condition(body), name) for name in ("status", "reason")],
        text_at(status, "artifact", "revision"),
        text_at(status, "sync", "status"),
        text_at(status, "operationState", "finishedAt"),
        stale_since(body) is None,
    ]
    return json.dumps(values, sort_keys=True)


def ready_condition(body: Object) -> Object:
    """Returns the condition ``Ready`` in the status of an object; empty if it has none."""
    conditions = objects_at(body, "status", "conditions")
    return next((item for item in conditions if text_at(item, "type") == "Ready"), {})


def newest_history(body: Object) -> Object:
    """Returns the newest entry in the history of an object of Flux; empty if it has none."""
    return next(iter(objects_at(body, "status", "history")), {})


def last_written(body: Object, subresource: str | None = None) -> str | None:
    """Returns when an object or one of its subresources was last changed, as RFC 3339; None if unknown."""
    times = (
        text_at(entry, "time")
        for entry in objects_at(body, "metadata", "managedFields")
        if subresource is None or text_at(entry, "subresource") == subresource
    )
    return max(filter(None, times), default=None)


def stale_since(body: Object) -> str | None:
    """Returns when a controller last reconciled its object, as RFC 3339; None if less than a day ago, or unknown."""
    # Older versions of Flux record neither.
    time = text_at(body, "status", "reconciledAt") or text_at(newest_history(body), "lastReconciled")
    try:
        then = datetime.fromisoformat(time)
    except ValueError:
        return None
    return time if then.tzinfo is not None and datetime.now(UTC) - then > _STALE_AFTER else None


def one_line(message: str) -> str | None:
    """Returns a controller's message in one line, or None if it is empty."""
    line = without_passwords(" ".join(message.split()))
    line = "".join(character if character.isprintable() else "?" for character in line)
    return (line if len(line) <= _MAX_MESSAGE else f"{line[: _MAX_MESSAGE - 3]}...") or None


def behind_note(name: str, tree: WorkTree, count: int, commit: str, what: str) -> str:
    """Returns the note on a source whose checkout is behind, so that it is read at a newer commit.

    Args:
        name: The source.
        tree: The checkout.
        count: How many commits it is behind.
        commit: The full hash.
        what: What its controller did at that commit, such as ``Flux applied last``.
    """
    return (
        f"{name}: {how_far_behind(count, commit, f'which {what}')}, so this report compares with that commit; "
        f"`git -C {tree.root} pull` updates the checkout"
    )


def branch_note(name: str, tree: WorkTree, branch: str, commit: str) -> str:
    """Returns the note on a source that follows another branch than the one that is checked out.

    Args:
        name: The source.
        tree: The checkout.
        branch: The branch that the source follows.
        commit: Its newest commit in the checkout.
    """
    return (
        f"{name}: it follows the branch {branch}, and {tree.root} has another one checked out, so this report compares "
        f"with {commit[:SHORT]}, the newest commit of {branch} there"
    )
