"""The words and the order that all formats for people share: names, values, causes, advice.

There are no colours and no markup here. Each format escapes these texts in its own way.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, groupby, pairwise
from typing import Final

from drift.advice.advisor import Commands
from drift.model import (
    Actor,
    Cause,
    Change,
    ClusterInfo,
    ClusterKey,
    Evidence,
    Finding,
    Lifecycle,
    ObjectReport,
    Report,
    Resolved,
    SourceInfo,
    SourceKey,
    SourceKind,
    Status,
    Verdict,
)
from drift.objects import ObjectKey, Place
from drift.policy.rules import why_stopped
from drift.words import first_few, plural

CAUSE_TEXT: Final = {
    Cause.MANUAL: "changed in the cluster",
    Cause.PENDING_SYNC: "Git is ahead, not synced yet",
    Cause.CONTROLLER: "made by a controller",
    Cause.UNKNOWN: "cause unknown",
}
CHANGE_SIGN: Final = {Change.CHANGED: "~", Change.ADDED: "+", Change.REMOVED: "-", Change.REORDERED: "~"}
#: How sure it is that a user made a change.
CERTAINTY: Final = {None: "", Evidence.EXACT: "", Evidence.LIKELY: "probably ", Evidence.CANDIDATE: "possibly "}
_LIFECYCLE_MARKS: Final = {Lifecycle.NEW: "NEW", Lifecycle.REOPENED: "REOPENED"}
#: Units of time in seconds. An age has the first letter of the name.
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
#: Durations below this many seconds have one decimal.
_BRIEF: Final = 10
#: Clocks may differ by this many seconds.
_CLOCK_SKEW: Final = 60
#: Longer than any name that Kubernetes accepts and any sentence that drift writes; one text cannot fill a report.
_MAX_NAME: Final = 300
_MAX_SENTENCE: Final = 1500
#: Digits of the hash of a commit.
_HASH: Final = 8
#: Characters of the id of a cluster: those before the digest, and the first digits of it.
_SHORT_ID: Final = len("sha256:") + _HASH
_MAX_SUBJECT: Final = 80
_MAX_RESOLVED: Final = 3
_MAX_PATHS: Final = 5
_PLACE: Final = re.compile(
    r"(?P<file>.+?):(?P<line>[1-9][0-9]{0,8}):(?P<column>[1-9][0-9]{0,8}): (?P<text>.*)", re.DOTALL
)
_FULL_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
#: The number of characters of a commit that are shown.
_COMMIT: Final = 12
_KIND_OF_SOURCE: Final = {
    SourceKind.FILES: "files",
    SourceKind.KUSTOMIZE: "kustomization",
    SourceKind.HELM_CHART: "Helm chart",
    SourceKind.HELM_RELEASE: "Helm",
    SourceKind.FLUX_KUSTOMIZATION: "Flux",
    SourceKind.FLUX_HELM_RELEASE: "Flux",
    SourceKind.ARGOCD_APPLICATION: "Argo CD",
}


def source_name(source: SourceInfo) -> str:
    """Returns ``Kustomization flux-system/apps``, followed by the cluster if the report covers several."""
    return short(source.name if source.cluster is None else f"{source.name} in {source.cluster}")


def source_lines(report: Report) -> Mapping[SourceKey, str]:
    """Returns a line on each source by its key: what it is, what was read, and what its controller says about it.

    What explains everything else comes first: that its controller changes nothing. One folder of files needs no line.
    """
    if len(report.sources) == 1 and report.sources[0].kind is SourceKind.FILES:
        return {}
    return {source.key: _source_line(source) for source in report.sources}


def _source_line(source: SourceInfo) -> str:
    kind = _KIND_OF_SOURCE[source.kind]
    facts = (
        visible(stopped) if (stopped := why_stopped(source)) else None,
        f"{kind}, {plural(source.objects, 'object')}" if source.is_rendered else f"{kind}, not read",
        f"revision {_revision(source.revision)}" if source.revision else None,
        f"last synced {_revision(source.synced_revision)}"
        if source.synced_revision and source.synced_revision != source.revision
        else None,
        f"at {short(source.last_synced)}" if source.last_synced else None,
        # Flux may say no more than that it has applied the revision.
        # A failure begins with the name, which this line does as well.
        sentence(source.message.removeprefix(f"{source.name}: "))
        if source.message and not (source.ready and source.synced_revision and source.synced_revision in source.message)
        else None,
    )
    return f"{source_name(source)}: {', '.join(fact for fact in facts if fact)}"


def _revision(text: str) -> str:
    return text[:_COMMIT] if _FULL_COMMIT.fullmatch(text) else short(text)


def object_name(item: ObjectReport) -> str:
    """Returns ``Deployment shop/web``, followed by the cluster if the report covers several."""
    return key_name(item.key, item.cluster)


def key_name(key: ObjectKey, cluster: str | None = None) -> str:
    """Like `object_name`, for a key alone."""
    namespace = f"{key.namespace}/" if key.namespace is not None else ""
    suffix = f" in {cluster}" if cluster is not None else ""
    return visible(f"{key.kind} {namespace}{key.name}{suffix}")


def cause_and_managers(finding: Finding, when: Callable[[str], str] | None = None) -> str:
    """Returns the effect on security, the cause, the managers with times and users, and the commit of the line in Git.

    Args:
        finding: The finding.
        when: Returns how to show a time; None shows it as it is.
    """
    when = when or visible
    actors = ", ".join(
        f"{who}, {'time not recorded' if time is None else when(time)}"
        for who, time in managers_and_users(finding.actors)
    )
    cluster = f"{CAUSE_TEXT[finding.cause]}: {actors}" if actors else CAUSE_TEXT[finding.cause]
    if finding.security is not None:
        cluster = f"{finding.security} security; {cluster}"
    git = git_line(finding)
    return cluster if git is None else f"{cluster}; Git: {git}"


def git_line(finding: Finding) -> str | None:
    """Returns who last changed the line in Git: author, date, commit and subject. None if that is not known."""
    if finding.git is None:
        return None
    line = finding.git
    author, summary = _at_most(_MAX_SUBJECT, visible(line.author)), _at_most(_MAX_SUBJECT, visible(line.summary))
    return f"{author}, {visible(line.time[:10])}, {visible(line.commit[:_HASH])} {summary!r}"


def managers_and_users(actors: Iterable[Actor]) -> Iterator[tuple[str, str | None]]:
    """Yields each field manager with its users, for example ``kubectl-edit by jane@example.com``, and its time."""
    groups: dict[tuple[str, str | None], list[Actor]] = {}
    for actor in actors:
        groups.setdefault((actor.manager, actor.subresource), []).append(actor)
    for (manager, subresource), of_manager in groups.items():
        name = visible(f"{manager} ({subresource})" if subresource else manager)
        times = [actor.time for actor in of_manager if actor.time is not None]
        yield f"{name}{_by_users(manager, of_manager)}", max(times, default=None)


def _by_users(manager: str, actors: Sequence[Actor]) -> str:
    users = list(dict.fromkeys(short(user_text(actor)) for actor in actors if actor.user is not None))
    # A controller's manager and service account often have the same name.
    if not users or (users[0].startswith("system:") and all(user.endswith(f":{manager}") for user in users)):
        return ""
    certainty = CERTAINTY[actors[0].evidence]
    return f"{',' if certainty else ''} {certainty}by {' or '.join(users)}"


@dataclass(frozen=True, slots=True)
class Activity:
    """The changes in the cluster that one user or one program made.

    Attributes:
        name: The user that an audit log names with certainty or probably, else the field manager.
        findings: The number of its findings that are drift.
        latest: RFC 3339, the latest time that is recorded for it; None without one.
    """

    name: str
    findings: int
    latest: str | None


def most_active(report: Report) -> Sequence[Activity]:
    """Returns who is behind the changes in the cluster, those with the most findings first."""
    times: dict[str, list[str]] = {}
    for finding in report.findings:
        # No one in the cluster made a change that a sync has yet to apply.
        if finding.is_drift and finding.cause is not Cause.PENDING_SYNC:
            for name, group in groupby(sorted(finding.actors, key=_name_of), _name_of):
                times.setdefault(name, []).append(max(actor.time or "" for actor in group))
    activities = [Activity(name, len(found), max(found) or None) for name, found in times.items()]
    return sorted(activities, key=lambda one: (-one.findings, one.name))


def _name_of(actor: Actor) -> str:
    # Service accounts and components of Kubernetes say less than their field managers.
    is_known = actor.evidence in {Evidence.EXACT, Evidence.LIKELY}
    return actor.user if is_known and actor.user and not actor.user.startswith("system:") else actor.manager


def user_text(actor: Actor) -> str:
    """Returns the user of an actor, and who impersonated it; "" without one."""
    if actor.user is None or actor.impersonated_by is None:
        return actor.user or ""
    return f"{actor.user} (impersonated by {actor.impersonated_by})"


def lifecycle_mark(finding: Finding) -> str:
    """Returns ``NEW`` or ``REOPENED``, or "" for an ongoing finding and without a history."""
    return _LIFECYCLE_MARKS.get(finding.lifecycle, "") if finding.lifecycle is not None else ""


def severity_mark(finding: Finding) -> str:
    """Returns the severity, followed by ``NEW`` or ``REOPENED`` if it applies."""
    return f"{finding.severity} {lifecycle_mark(finding)}".rstrip()


def open_for(finding: Finding, now: str) -> str:
    """Returns ``; open for 3 d 4 h`` for the end of a line, or "" for a new finding and without a history."""
    if finding.lifecycle is not Lifecycle.ONGOING or finding.first_seen is None:
        return ""
    return f"; open for {duration_between(finding.first_seen, now)}"


def duration_between(since: str, until: str) -> str:
    """Like `duration`, between two RFC 3339 times."""
    return duration((datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds())


def duration(seconds: float) -> str:
    """Returns the two largest units, rounded down (``3 d 4 h``, ``12 min``), or ``1.4 s`` below ten seconds."""
    if 0 < seconds < _BRIEF and seconds % 1:
        return f"{seconds:.1f} s"
    seconds = max(int(seconds), 0)
    for (unit, name), (smaller, its_name) in pairwise(_UNITS):
        if seconds >= unit:
            rest = seconds % unit // smaller
            return f"{seconds // unit} {name} {rest} {its_name}" if rest else f"{seconds // unit} {name}"
    return f"{seconds} s"


def resolved_name(resolved: Resolved) -> str:
    """Returns the object and path of a resolved finding, and how long it was open."""
    name, lasted = key_name(resolved.key, resolved.cluster), duration_between(resolved.first_seen, resolved.resolved_at)
    return f"{short(name)} {short(resolved.path or resolved.change)}, after {lasted}"


def resolved_line(report: Report) -> str | None:
    """Returns one line that names the first few resolved findings, or None if there are none."""
    if not report.resolved:
        return None
    named = "; ".join(map(resolved_name, report.resolved[:_MAX_RESOLVED]))
    more = len(report.resolved) - _MAX_RESOLVED
    rest = f"; and {more} more" if more > 0 else ""
    return f"{plural(len(report.resolved), 'finding')} resolved since the last scan: {named}{rest}"


def command_lines(commands: Commands | None) -> Sequence[tuple[str, str]]:
    """Returns the commands for a finding, each with what it is for."""
    if commands is None:
        return ()
    also = f"sync, also deploys {plural(commands.also_deploys, 'pending change')}" if commands.also_deploys else "sync"
    named = (("look", commands.look), ("keep", commands.keep), ("revert", commands.revert), (also, commands.sync))
    return [(name, command) for name, command in named if command is not None]


def reason_of(item: ObjectReport) -> str | None:
    """Returns what an object is, its reason, and what of it is not compared; None if there is nothing of these."""
    reason = f"skipped: {item.reason}" if item.is_skipped and item.reason is not None else item.reason
    parts = [part for part in (item.digest, reason) if part is not None]
    paths: dict[str, list[str]] = {}
    for one in item.not_compared:
        paths.setdefault(one.reason, []).append(one.path)
    parts += [f"not compared: {first_few(found, _MAX_PATHS)} ({reason})" for reason, found in paths.items()]
    return sentence("; ".join(parts)) if parts else None


def message_lines(item: ObjectReport, finding: Finding, opened: str = "") -> Sequence[str]:
    """Returns the cause, the note, and what else is to be said of the object.

    Args:
        item: The object.
        finding: The finding.
        opened: For the end of the first line: the result of `open_for`.
    """
    note = f"note: {sentence(finding.note)}" if finding.note else ""
    lines = [sentence(cause_and_managers(finding)) + opened, note, reason_of(item) or ""]
    return [line for line in lines if line]


def place_of(item: ObjectReport, finding: Finding) -> Place | None:
    """Returns the file of a finding and its line, if that is known; None for an object that is in no file."""
    if finding.file is not None:
        return Place(finding.file, finding.line)
    # Reports of older releases have it only for the object.
    return None if item.source is None else Place(item.source.file, finding.line or item.source.line)


def field_place(item: ObjectReport, finding: Finding) -> str | None:
    """Returns ``FILE:LINE`` of the field of a finding, or None if it is unknown or on the first line of the object."""
    if finding.file is None or finding.line is None:
        return None
    if item.source is not None and (finding.file, finding.line) == (item.source.file, item.source.line):
        return None
    return short(f"{finding.file}:{finding.line}")


def member_place(item: ObjectReport, finding: Finding) -> str | None:
    """Returns the place of a finding in a list of objects: of its field, else of its object; None without a file."""
    return field_place(item, finding) or (None if item.source is None else short(str(item.source)))


def age(time: str, now: str) -> str | None:
    """Returns how long before ``now`` a time was, in its largest unit: ``2h``.

    Returns None if the text is not a time, or if it is in the future by more than clocks may differ.
    """
    try:
        seconds = (datetime.fromisoformat(now) - datetime.fromisoformat(time).astimezone(UTC)).total_seconds()
    except (ValueError, OverflowError):
        return None
    if seconds < -_CLOCK_SKEW:
        return None
    for unit, name in _UNITS[:-1]:
        if seconds >= unit:
            return f"{seconds // unit:.0f}{name[0]}"
    return f"{max(seconds, 0):.0f}s"


def summary(report: Report) -> str:
    """Returns the whole report in one line."""
    return _summary(report) if report.shard is None else f"{_summary(report)} ({report.shard})"


def _summary(report: Report) -> str:
    if report.verdict is Verdict.IN_SYNC:
        return f"in sync: {statuses(report)}"
    parts = [part for part in (_findings_by_severity(report), statuses(report)) if part]
    return ": ".join([report.verdict, "; ".join(parts)] if parts else [report.verdict])


def statuses(report: Report) -> str:
    """Returns the number of objects by status; "" if there are no objects."""
    counts = report.count_by_status()
    if report.verdict is not Verdict.IN_SYNC:
        return ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    # An in-sync report has no unchecked object but those that drift.yaml skips.
    skipped = counts[Status.UNCHECKED]
    text = f"{plural(sum(counts.values()) - counts[Status.UNMANAGED] - skipped, 'object')} checked"
    return f"{text}, {skipped} skipped" if skipped else text


def _findings_by_severity(report: Report) -> str:
    """Returns ``3 findings (1 critical, 2 low)``, of those that are drift; "" if there are none."""
    counts = report.count_by_severity()
    severities = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count)
    return f"{plural(sum(counts.values()), 'finding')} ({severities})" if severities else ""


def cluster_names(report: Report) -> Sequence[str]:
    """Returns the contexts of the clusters, or their URLs where these differ more; nothing for dumps."""
    return [visible(name) for name in names_by_cluster(report.each_cluster).values()]


def names_by_cluster(clusters: Iterable[ClusterInfo]) -> Mapping[ClusterKey, str]:
    """Returns a name of each cluster that no other one has: its context, or its server, if need be with its id."""
    names = {cluster.key: _names(cluster) for cluster in clusters}
    counts = Counter(chain.from_iterable(names.values()))
    return {key: next((one for one in possible if counts[one] == 1), possible[-1]) for key, possible in names.items()}


def _names(cluster: ClusterInfo) -> Sequence[str]:
    ids = (cluster.id[:_SHORT_ID], cluster.id) if cluster.id else ()
    return [
        *([cluster.context] if cluster.context else []),
        cluster.server,
        *(f"{cluster.server} ({known})" for known in ids),
    ]


def place_in_file(problem: str) -> tuple[str, int, int, str] | None:
    """Returns the file, line, column and text of a problem with a manifest, or None if it names no position."""
    found = _PLACE.fullmatch(problem)
    return None if found is None else (found["file"], int(found["line"]), int(found["column"]), found["text"])


def visible(text: str) -> str:
    """Escapes control and format characters: text from a cluster must not control a terminal or reverse a line."""
    if text.isprintable():
        return text
    hidden = (character for character in set(text) if not character.isprintable())
    return text.translate({ord(character): character.encode("unicode_escape").decode("ascii") for character in hidden})


def short(text: str) -> str:
    """Returns a name or a path, cut if it is longer than Kubernetes allows."""
    return _at_most(_MAX_NAME, visible(text))


def sentence(text: str) -> str:
    """Returns a reason, a note or an error, cut if it is longer than drift would write."""
    return _at_most(_MAX_SENTENCE, visible(text))


def _at_most(limit: int, text: str) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
