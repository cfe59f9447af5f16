"""Joins the findings of a report with audited writes: who made each difference, with the evidence for it.

What a name rests on, best first:

* ``exact``: the bodies of the requests show which write made the difference; or it is a deletion or a creation, which
  the verb alone tells.
* ``likely``: the log has no bodies, but reaches back to the time when the field was as in Git, and one user alone wrote
  to the object under the field's manager since then.
* ``candidate``: anything less: several users, or a log that begins too late. All of them are named.

A write that did not touch the field, as far as its bodies tell, names no one.
"""

import hmac
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from drift.audit.effects import UNKNOWN, Effect, Target, effect_of
from drift.audit.events import AuditEvent, ReadTally, find_logs, read_events
from drift.gitops.managers import Managers, is_controller, is_gitops_applier
from drift.kube.resources import Resources
from drift.model import (
    Actor,
    Cause,
    Change,
    Evidence,
    Finding,
    Json,
    ObjectKey,
    ObjectReport,
    Report,
    Status,
    as_object,
)
from drift.policy.severity import default_table

#: Writes kept of one log. Older ones are forgotten first, as if the log began later.
_MAX_WRITES: Final = 200_000
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
#: Users of the cluster's own certificate that people share.
_SHARED_BY_PEOPLE: Final = frozenset({"system:admin"})
#: Service accounts that delete what belongs to something else that was deleted.
_DELETES_BELONGINGS: Final = frozenset(
    {
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:namespace-controller",
    }
)
_CONTROLLERS_NAMESPACE: Final = f"{_SERVICE_ACCOUNT}kube-system:"
_DELETION: Final = "metadata.deletionTimestamp"
_DELETE_VERBS: Final = frozenset({"delete", "deletecollection"})

#: Group, resource, namespace and name, as in ``objectRef``. The name of a whole collection is None.
_Reference = tuple[str, str, str | None, str | None]


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
        key: Makes pseudonyms the same in every run; by default they are those of one run.
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
        """Returns what to show instead of a User-Agent, which may hold anything."""
        return user_agent if self.users is AuditUsers.FULL else None


def pseudonym_key(text: str | None) -> bytes:
    """Returns the key of pseudonyms from a text, or a random one without a text."""
    return text.encode("utf-8", "surrogateescape") if text else secrets.token_bytes(32)


@dataclass(frozen=True, slots=True)
class AuditOptions:
    """An audit log, and how to use it.

    Attributes:
        paths: Files, folders or ``-``.
        pseudonyms: What to show of users.
    """

    paths: tuple[str, ...]
    pseudonyms: Pseudonyms = field(default_factory=Pseudonyms)


@dataclass(frozen=True, slots=True)
class Write:
    """What is kept of an audited write to an object with findings. No part of a body.

    Attributes:
        received: When the API server received the request.
        completed: When it sent the response.
        order: The ``resourceVersion`` that it made; None if the log does not have it.
        verb: The verb.
        subresource: None for the object itself.
        manager: The field manager.
        is_manager_given: As in `AuditEvent`.
        user: The user.
        impersonated_by: Who impersonated the user, or None.
        user_agent: The program, as it calls itself.
        is_creation: Whether it created the object.
        took_nothing: Whether it set no field: it removed some, or changed nothing. False if the log does not tell.
        has_selector: Whether it deleted a collection in part.
        names: The names of the objects that a deletion of a collection deleted; None if the log does not tell.
        effects: What it did to the place of each finding; empty if the log has no bodies.
    """

    received: datetime
    completed: datetime
    order: int | None
    verb: str
    subresource: str | None
    manager: str
    is_manager_given: bool
    user: str
    impersonated_by: str | None
    user_agent: str | None
    is_creation: bool
    took_nothing: bool
    has_selector: bool
    names: frozenset[str] | None
    effects: tuple[Effect, ...]

    @property
    def second(self) -> datetime:
        """When it was received, in whole seconds, as ``managedFields`` counts."""
        return self.received.replace(microsecond=0)

    @property
    def person(self) -> tuple[str, str | None]:
        """The user, and who impersonated it."""
        return self.user, self.impersonated_by

    def was_by(self, actor: Actor) -> bool:
        """Whether the write can be one of a field manager in ``managedFields``."""
        if self.subresource != actor.subresource:
            return False
        # Without the parameters of the request, kubectl-edit and kubectl-set are both kubectl.
        is_prefix = not self.is_manager_given and actor.manager.startswith(f"{self.manager}-")
        return self.manager == actor.manager or is_prefix

    def is_at(self, second: datetime) -> bool:
        """Whether it was made in a second, as ``managedFields`` counts them."""
        return self.second <= second <= self.completed.replace(microsecond=0)


def join_log(report: Report, options: AuditOptions, resources: Resources, managers: Managers) -> Report:
    """Names the users behind the findings of a report.

    Args:
        report: The report.
        options: The audit log.
        resources: The kinds that the cluster serves.
        managers: The field managers that are appliers or controllers.

    Returns:
        The report with users, causes that the log makes certain, and notes on the log.

    Raises:
        UsageError: The log cannot be read.
    """
    files = find_logs(options.paths)
    join = AuditJoin(report, resources, managers, options.pseudonyms)
    tally = ReadTally()
    if join.names:
        for event in read_events(files, join.names, tally):
            join.add(event)
        report = join.apply(replace(report, notes=(*report.notes, *tally.notes())))
        if tally.begins is not None and any(map(_lacks_user, report.objects)):
            begins = _rfc3339(tally.begins)
            report = replace(
                report, notes=(*report.notes, f"audit log: it begins at {begins}; earlier edits have no user")
            )
    return report


def _lacks_user(item: ObjectReport) -> bool:
    """Returns whether a manual difference has no certain user."""
    manual = [finding for finding in item.findings if finding.cause is Cause.MANUAL]
    return any(all(actor.evidence in {None, Evidence.CANDIDATE} for actor in finding.actors) for finding in manual)


class AuditJoin:
    """The writes to the objects of a report, and the users that they name.

    Args:
        report: The report.
        resources: See `join_log`.
        managers: See `join_log`.
        pseudonyms: What to show of users.
    """

    def __init__(self, report: Report, resources: Resources, managers: Managers, pseudonyms: Pseudonyms) -> None:
        self._managers = managers
        self._pseudonyms = pseudonyms
        self._targets: dict[_Reference, tuple[Target, ...]] = {}
        self._references: dict[ObjectKey, _Reference] = {}
        self._writes: dict[_Reference, list[Write]] = {}
        self._count = 0
        for item in report.objects:
            if item.findings:
                self._want(item, resources)
        #: The names of the objects whose events are wanted.
        self.names = frozenset(name for *_, name in self._targets if name is not None)

    def _want(self, item: ObjectReport, resources: Resources) -> None:
        key = item.key
        served = resources.preferred(key.group, key.kind)
        if served is None:
            return
        resource = served.plural
        reference = (key.group, resource, key.namespace, key.name)
        self._references[key] = reference
        made = (Target.of(finding, key.kind, item.api_version) for finding in item.findings)
        self._targets[reference] = tuple(target for target in made if target is not None)
        self._targets.setdefault((key.group, resource, key.namespace, None), ())
        if key.namespace is not None:
            self._targets.setdefault(("", "namespaces", None, key.namespace), ())

    def add(self, event: AuditEvent) -> None:
        """Takes a write into account, if it is about an object of the report."""
        reference = (event.group, event.resource, event.namespace, event.name)
        if event.verb == "deletecollection":
            reference = (*reference[:3], None)
        targets = self._targets.get(reference)
        if targets is None or event.subresource == "status":
            return
        names = as_object(event.response).get("names") if event.verb == "deletecollection" else None
        has_body = event.request is not None or event.response is not None
        self._writes.setdefault(reference, []).append(
            Write(
                received=event.received,
                completed=event.completed,
                order=_order(event.response),
                verb=event.verb,
                subresource=event.subresource,
                manager=event.manager,
                is_manager_given=event.is_manager_given,
                user=event.user,
                impersonated_by=event.impersonated_by,
                user_agent=event.user_agent,
                is_creation=event.subresource is None
                and (event.verb == "create" or (event.verb in {"apply", "patch"} and event.code == HTTPStatus.CREATED)),
                took_nothing=_took_nothing(event),
                has_selector=event.has_selector,
                names=frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else None,
                effects=tuple(effect_of(event, target) for target in targets) if has_body else (),
            )
        )
        self._count += 1
        if self._count > _MAX_WRITES:
            self._forget()

    def _forget(self) -> None:
        """Forgets the older half of the writes."""
        times = sorted(write.received for writes in self._writes.values() for write in writes)
        limit = times[len(times) // 2]
        self._writes = {
            reference: [write for write in writes if write.received > limit]
            for reference, writes in self._writes.items()
        }
        self._count = sum(map(len, self._writes.values()))

    def apply(self, report: Report) -> Report:
        """Returns the report that the join was made for, with the users of its findings."""
        return replace(report, objects=tuple(map(self._object, report.objects)))

    def _object(self, item: ObjectReport) -> ObjectReport:
        reference = self._references.get(item.key)
        if reference is None:
            return item
        trail = Trail(self._sorted(reference), self._managers)
        targets = {target.finding.id: (number, target) for number, target in enumerate(self._targets[reference])}
        findings = tuple(
            self._judged(item.key, finding, self._named(reference, finding, trail, targets.get(finding.id)))
            for finding in item.findings
        )
        status = item.status
        if status is Status.DRIFTED and not any(finding.is_drift for finding in findings):
            status = Status.IN_SYNC
        return replace(item, findings=findings, status=status)

    def _sorted(self, reference: _Reference) -> list[Write]:
        writes = sorted(self._writes.get(reference, ()), key=lambda write: (write.completed, write.received))
        # Requests may overlap, and several API servers have several clocks: the versions that they made tell the order.
        places = [place for place, write in enumerate(writes) if write.order is not None]
        ordered = sorted((writes[place] for place in places), key=lambda write: write.order or 0)
        for place, write in zip(places, ordered, strict=True):
            writes[place] = write
        return writes

    def _named(
        self, reference: _Reference, finding: Finding, trail: "Trail", place: tuple[int, Target] | None
    ) -> "Sequence[Named]":
        if finding.change is Change.MISSING or finding.path == _DELETION:
            return self._deletion(reference, finding, trail)
        if finding.change is Change.UNMANAGED:
            return trail.creation(finding)
        return () if place is None else trail.edit(*place)

    def _deletion(self, reference: _Reference, finding: Finding, trail: "Trail") -> "Sequence[Named]":
        """Names who deleted an object, or the namespace or the collection that it was in."""
        if finding.cause is Cause.PENDING_SYNC:
            # It was not in Git at the last sync, so what was deleted before is another object of that name.
            return ()
        group, resource, namespace, name = reference
        created = trail.last_creation()
        collection = self._sorted((group, resource, namespace, None))
        deletions = [
            *(write for write in trail.writes if write.verb == "delete"),
            *(write for write in collection if write.names is None or name in write.names),
        ]
        after = datetime.min.replace(tzinfo=UTC) if created is None else created.received
        deletions = sorted((one for one in deletions if one.completed >= after), key=lambda write: write.received)
        is_certain = True
        if namespace is not None and (not deletions or deletions[0].user in _DELETES_BELONGINGS):
            of_namespace = [
                write
                for write in self._sorted(("", "namespaces", None, namespace))
                if write.verb == "delete"
                and write.completed >= after
                and (not deletions or write.received <= deletions[0].completed)
            ]
            is_certain = bool(deletions) or created is not None
            deletions = of_namespace[-1:] or deletions
        if not deletions:
            return ()
        # Deleting an object twice succeeds while it waits for its finalizers; else the log lacks its new creation.
        is_certain &= len({write.person for write in deletions}) == 1
        is_certain &= not (deletions[0].has_selector and deletions[0].names is None)
        evidence = Evidence.EXACT if is_certain else Evidence.CANDIDATE
        return [Named(_actor_of(write, "Delete"), write, evidence) for write in _one_each(deletions)]

    def _judged(self, key: ObjectKey, finding: Finding, named: "Sequence[Named]") -> Finding:
        """Returns a finding with its users, and with the cause that they make certain."""
        if not named:
            return finding
        causes = {
            self._cause(one.write, finding)
            for one in named
            if one.write is not None and one.evidence is not Evidence.CANDIDATE
        }
        finding = replace(finding, actors=tuple(map(self._shown, named)))
        cause = causes.pop() if len(causes) == 1 else None
        if cause is None or cause is finding.cause or finding.cause not in {Cause.UNKNOWN, Cause.MANUAL}:
            return finding
        finding = replace(finding, cause=cause)
        return (
            finding
            if finding.path == _DELETION
            else replace(finding, severity=default_table().of_finding(key, finding))
        )

    def _cause(self, write: Write, finding: Finding) -> Cause | None:
        """Returns the cause of a difference that a write made, or None to leave it as it is."""
        if self._is_syncer(write):
            return Cause.PENDING_SYNC
        if is_sync(write.manager, self._managers):
            # A pipeline that applies Git, or a person who uses the applier's name.
            return None
        is_of_cluster = is_program(write.user) and (
            not write.user.startswith(_SERVICE_ACCOUNT) or write.user.startswith(_CONTROLLERS_NAMESPACE)
        )
        if is_of_cluster or is_controller(Actor(write.manager, "Update", None, None), self._managers.controllers):
            # An object that is missing counts as drift whatever deleted it.
            is_whole = finding.change is Change.MISSING or finding.path == _DELETION
            return None if is_whole or finding.cause is Cause.MANUAL else Cause.CONTROLLER
        return Cause.MANUAL

    def _is_syncer(self, write: Write) -> bool:
        """Whether a GitOps controller wrote, by its service account, or by one that it impersonates."""
        return any(
            user is not None and user.startswith(_SERVICE_ACCOUNT) and is_sync(user.rpartition(":")[2], self._managers)
            for user in write.person
        )

    def _shown(self, one: "Named") -> Actor:
        if one.write is None:
            return one.actor
        return replace(
            one.actor,
            user=self._pseudonyms.name(one.write.user),
            impersonated_by=self._pseudonyms.name(one.write.impersonated_by),
            user_agent=self._pseudonyms.agent(one.write.user_agent),
            evidence=one.evidence,
        )


@dataclass(frozen=True, slots=True)
class Named:
    """A field manager of a finding, with the write that names its user.

    Attributes:
        actor: The field manager.
        write: The write; None if the log does not name the user.
        evidence: What the name rests on; None without one.
    """

    actor: Actor
    write: Write | None = None
    evidence: Evidence | None = None


@dataclass(frozen=True, slots=True)
class Trail:
    """The writes to one object.

    Attributes:
        writes: In the order in which they took effect.
        managers: The field managers that are appliers or controllers.
    """

    writes: Sequence[Write]
    managers: Managers

    def last_creation(self) -> Write | None:
        """Returns the latest write that created the object, or None if the log has none."""
        return next((write for write in reversed(self.writes) if write.is_creation), None)

    def creation(self, finding: Finding) -> Sequence[Named]:
        """Names who created an unmanaged object; if the log has no creation, who may have written its fields."""
        created = self.last_creation()
        if created is None:
            return self._by_managers(finding, list(self.writes), is_complete=False)
        others = [Named(actor) for actor in finding.actors if not created.was_by(actor)]
        return [Named(_actor_for(created, finding), created, Evidence.EXACT), *others]

    def edit(self, number: int, target: Target) -> Sequence[Named]:
        """Names who made a difference in an object that is in Git and in the cluster.

        Args:
            number: The index of the finding in the effects of the writes.
            target: The finding.
        """
        finding = target.finding
        has_owner = finding.change in {Change.ADDED, Change.CHANGED} and bool(finding.actors)
        authors = self._authors(finding, number)
        if authors:
            named = [Named(_actor_for(write, finding), write, Evidence.EXACT) for write in _one_each(authors)]
            if has_owner:
                named += [Named(actor) for actor in finding.actors if not any(one.was_by(actor) for one in authors)]
            return named
        start = self._start(finding)
        writes = [
            write
            for place, write in enumerate(self.writes)
            if write.verb not in _DELETE_VERBS
            and (start is None or place >= start)
            and not (write.took_nothing and finding.change is not Change.REMOVED)
            and (write.subresource != "scale" or target.is_scale)
            and not (write.effects and write.effects[number].is_touched is False)
        ]
        if has_owner:
            return self._by_managers(finding, writes, is_complete=start is not None)
        return self._without_owner(target, writes, is_complete=start is not None)

    def _authors(self, finding: Finding, number: int) -> list[Write]:
        """Returns the writes that made a value what it is, if their bodies prove it; else none."""
        setters: list[Write] = []
        is_uncertain = False
        last = before = None
        versions: set[int] = set()
        for write in self.writes:
            if write.verb in _DELETE_VERBS:
                setters, is_uncertain, last, before = [], False, None, None
                continue
            effect = write.effects[number] if write.effects else UNKNOWN
            changed = _has_changed(effect, before)
            is_removal = finding.change is Change.REMOVED
            if write.order in versions or (before is None and write.took_nothing and not is_removal):
                # A write that changes nothing returns the version that an earlier write made.
                changed = False
            if write.order is not None:
                versions.add(write.order)
            if write.is_creation:
                setters, is_uncertain, changed = [], False, None if effect.after is None else True
            if changed:
                setters = self._setters(finding, setters, write, effect)
                last, is_uncertain = effect, False
            elif changed is None:
                is_uncertain = True
            if effect.after is not None or changed is not False:
                before = effect.after
        return setters if last is not None and self._proves(finding, setters, last, is_uncertain=is_uncertain) else []

    def _setters(self, finding: Finding, setters: list[Write], write: Write, effect: Effect) -> list[Write]:
        """Returns the writes that a value is from, after one more."""
        if finding.change is not Change.ADDED:
            return [write]
        if effect.is_absent or (write.is_creation and self._is_apply(write)):
            # What an applier creates is a default, or it was in Git then.
            return []
        return [*setters, write] if isinstance(finding.live, dict | list) else [write]

    def _proves(self, finding: Finding, setters: Sequence[Write], last: Effect, *, is_uncertain: bool) -> bool:
        """Returns whether the last known change led to the live value."""
        if not setters or last.is_live is False:
            return False
        is_scalar = finding.change is Change.CHANGED and not isinstance(finding.live, dict | list)
        if is_uncertain and not (is_scalar and last.is_live and not self._is_apply(setters[-1])):
            return False
        if finding.change is Change.REMOVED:
            # If an applier created the object without the field, Git did not have it yet.
            is_removal = last.is_absent or last.is_answer
            return is_removal and not (setters[-1].is_creation and self._is_apply(setters[-1]))
        return not last.is_absent and last.after is not None and self._has_last_write(finding)

    def _has_last_write(self, finding: Finding) -> bool:
        """Returns whether the log has the last write of a field's owner: without it, something later may be missing."""
        times = [(actor, _parse(actor.time)) for actor in finding.actors]
        return not times or any(
            time is None or any(write.was_by(actor) and write.is_at(time) for write in self.writes)
            for actor, time in times
        )

    def _start(self, finding: Finding) -> int | None:
        """Returns the index of the write after which a field was as in Git; None if the log begins later.

        A sync overwrites a changed field, but keeps one that was added.
        """
        for place in range(len(self.writes) - 1, -1, -1):
            write = self.writes[place]
            is_reset = finding.change is not Change.ADDED and is_sync(write.manager, self.managers)
            if write.is_creation or (is_reset and write.subresource is None and write.verb not in _DELETE_VERBS):
                return place
        return None

    def _is_apply(self, write: Write) -> bool:
        return is_sync(write.manager, self.managers) or write.manager == "kubectl-client-side-apply"

    def _by_managers(self, finding: Finding, writes: Sequence[Write], *, is_complete: bool) -> Sequence[Named]:
        """Names the users that wrote under the field managers of a finding.

        Args:
            finding: The finding.
            writes: The writes that may have made it.
            is_complete: Whether no earlier write can have made it.
        """
        named = [one for actor in finding.actors for one in self._by_manager(actor, writes, is_complete=is_complete)]
        return named if any(one.write is not None for one in named) else ()

    def _by_manager(self, actor: Actor, writes: Sequence[Write], *, is_complete: bool) -> Iterator[Named]:
        last = _parse(actor.time)
        # A later write under this manager would have given it a later time, if it had changed anything.
        writes = [one for one in writes if one.was_by(actor) and (last is None or one.second <= last)]
        latest = [write for write in writes if last is None or write.is_at(last)]
        if not latest:
            # The log lacks the last write under this manager.
            yield Named(actor)
            return
        if is_sync(actor.manager, self.managers):
            # Every sync writes all fields, so the last one is the one to name.
            writes, is_complete = latest, True
        is_certain = is_complete and len({write.person for write in writes}) == 1
        for write in _one_each(writes):
            yield Named(actor, write, Evidence.LIKELY if is_certain else Evidence.CANDIDATE)

    def _without_owner(self, target: Target, writes: Sequence[Write], *, is_complete: bool) -> Sequence[Named]:
        """Names the users that may have made a difference that the cluster does not record."""
        finding = target.finding
        if finding.cause is Cause.PENDING_SYNC or finding.note is not None:
            # It is not the work of any user.
            return ()
        is_scaling = target.is_scale and finding.change is not Change.REMOVED
        writes = [
            write
            for write in writes
            if not self._is_apply(write)
            and not is_controller(Actor(write.manager, "Update", write.subresource, None), self.managers.controllers)
            and (write.subresource == "scale" or not is_scaling)
        ]
        # Without bodies, any write can have removed a field.
        is_narrow = is_scaling or all(write.effects for write in writes)
        is_certain = is_narrow and is_complete and len({write.person for write in writes}) == 1
        evidence = Evidence.LIKELY if is_certain else Evidence.CANDIDATE
        return [Named(_actor_of(write), write, evidence) for write in _one_each(writes)]


def is_sync(manager: str, managers: Managers) -> bool:
    """Returns whether a field manager applies Git: a known applier, or one that the user or a scan names."""
    known = is_gitops_applier(Actor(manager, "Apply", None, None))
    return known or manager in managers.appliers or manager == managers.inferred


def is_program(user: str) -> bool:
    """Returns whether a user is a part of the cluster or a service account, not a person."""
    return user.startswith("system:") and user not in _SHARED_BY_PEOPLE


def _has_changed(effect: Effect, before: bytes | None) -> bool | None:
    """Returns whether a write changed a value; None if unknown.

    Args:
        effect: What the write did.
        before: The digest of the value before; None if unknown.
    """
    if effect.after is not None and before is not None:
        # The server may also change what the request did not name.
        return effect.after != before
    return effect.is_touched


def _one_each(writes: Iterable[Write]) -> list[Write]:
    """Returns the latest write of each user, in the order of the writes."""
    latest = {write.person: write for write in writes}
    return sorted(latest.values(), key=lambda write: (write.received, write.user))


def _actor_for(write: Write, finding: Finding) -> Actor:
    """Returns the field manager of a finding that a write was made under, with the time of the write."""
    actor = next((actor for actor in finding.actors if write.was_by(actor)), None)
    return _actor_of(write) if actor is None else replace(actor, time=_rfc3339(write.received))


def _actor_of(write: Write, operation: str = "Update") -> Actor:
    return Actor(write.manager, operation, write.subresource, _rfc3339(write.received))


def _rfc3339(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse(time: Json) -> datetime | None:
    if not isinstance(time, str):
        return None
    try:
        parsed = datetime.fromisoformat(time)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _took_nothing(event: AuditEvent) -> bool:
    """Returns whether the response has an older time for the field manager than the request.

    The API server updates the time if a request sets a field, not if it only removes some or changes nothing.
    """
    entries = as_object(as_object(event.response).get("metadata")).get("managedFields")
    times = [
        _parse(entry.get("time"))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict)
        and entry.get("manager") == event.manager
        and (entry.get("subresource") or None) == event.subresource
    ]
    first, last = event.received.replace(microsecond=0), event.completed
    return bool(times) and not any(time is None or first <= time <= last for time in times)


def _order(response: Json) -> int | None:
    version = as_object(as_object(response).get("metadata")).get("resourceVersion")
    return int(version) if isinstance(version, str) and version.isdecimal() and len(version) < 20 else None  # noqa: PLR2004
