"""Random edits by several people: with bodies in the audit log each finding names who made it.

Without bodies no finding names another user, and each names the only user of its field manager.

To try more and other edits: ``MUTATION_SEED=7 MUTATION_EDITS=160 pytest tests/mutation/test_people.py``.
"""

import json
import logging
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Final

import pytest
import yaml

from drift.api import open_cluster, scan
from drift.audit.join import AuditOptions
from drift.model import Actor, Cause, Change, Evidence, Finding, ObjectReport, Report
from drift.objects import Object
from drift.paths import ItemKey, parse
from drift.paths import Path as FieldPath
from tests.corpus.syncing import CORPUS, synced_corpus
from tests.mutation.differences import ABSENT, raw_differences
from tests.mutation.server import Refused, Server
from tests.mutation.subjects import Subject, subjects
from tests.mutation.test_mutation import EDITS, SEED
from tests.mutation.trials import sample_of_edits
from tools.sandbox.cluster import PEOPLE, Cluster, audited_namespace
from tools.sandbox.syncers import Syncer

LOG: Final = logging.getLogger(__name__)
#: The namespaces that no other test uses. A worker may come back to this module, when the first cannot be used again.
AVAILABLE: Final = iter((1, 2))
#: Persisted edits of one object.
OF_EACH: Final = max(2, EDITS // 9)
CONTROLLERS: Final = "system:serviceaccount:kube-system:"
#: Every so many objects is made again by hand, and then adopted by the syncer.
ADOPTED: Final = 4
ADOPTABLE: Final = (
    "ConfigMap",
    "Deployment",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
    "Secret",
    "Service",
    "ServiceAccount",
)
STRAYS: Final = 10
#: Edits of these would keep objects from being deleted, or have them deleted.
KEPT_OR_REMOVED: Final = ("finalizers", "ownerReferences")
BODIES: Final = ("requestObject", "responseObject")
#: Why Metadata level does not tell who made a difference, even if one user alone used the field manager.
EXCEPTIONS: Final[dict[str, Callable[[Finding], bool]]] = {
    "managedFields have no entry for a field that is gone": lambda finding: finding.change is Change.REMOVED,
    "managedFields have no entry for the order of a list": lambda finding: finding.change is Change.REORDERED,
    "managedFields have no entry for it: the server drops them if a list item lacks its key": lambda finding: (
        finding.cause is Cause.UNKNOWN and finding.note is None and finding.change is not Change.MISSING
    ),
    "an autoscaler sets the replicas, too": lambda finding: "HorizontalPodAutoscaler" in (finding.note or ""),
}


@dataclass(frozen=True, slots=True)
class Made:
    """A difference that an edit made.

    Attributes:
        path: Its place.
        person: Who made it.
        used: The field manager and the subresource that it was made under.
        is_move: Whether a value came or went.
    """

    path: FieldPath
    person: str
    used: tuple[str, str | None]
    is_move: bool


@dataclass(slots=True)
class Edited:
    """One object, and who changed what in it, in order."""

    subject: Subject
    changes: list[Made] = field(default_factory=list)
    #: Who changed only the order of a list.
    reorderings: list[Made] = field(default_factory=list)
    #: How many edits the server accepted.
    accepted: int = 0
    #: Who sent an edit that left the object as it was. Without the response, the log does not tell.
    idle: set[str] = field(default_factory=set)
    #: Who wrote under a field manager and a subresource, whatever it changed.
    users: dict[tuple[str, str | None], set[str]] = field(default_factory=lambda: defaultdict(set))
    #: Who deleted it.
    deleted_by: str | None = None

    def authors_of(self, finding: Finding) -> list[str]:
        """Returns who changed something at, above or below the place of a finding, in order."""
        if finding.change is Change.MISSING:
            return [] if self.deleted_by is None else [self.deleted_by]
        return [one.person for one in self._made(finding)]

    def _made(self, finding: Finding) -> list[Made]:
        path = parse(finding.path)
        changes = [*self.changes, *(self.reorderings if finding.change is Change.REORDERED else ())]
        return [one for one in changes if _leads(one.path, path) or _leads(path, one.path)]

    def certain_authors_of(self, finding: Finding) -> set[str]:
        """Returns the people who made a finding under a manager that no one else used on the object since the sync.

        They made the last change of exactly its place, or one under a manager that the report names.
        """
        if finding.change is Change.MISSING:
            return set(self.authors_of(finding))
        made, owners = self._made(finding), {(actor.manager, actor.subresource) for actor in finding.actors}
        last = [one for one in made[-1:] if one.path == parse(finding.path)]
        relevant = [*last, *(one for one in made if one.used in owners)]
        return {one.person for one in relevant if len(self.users[one.used]) == 1}

    def is_moved(self, finding: Finding) -> bool:
        """Whether a key of a list item was edited: then the item is gone in one place, and new in another."""
        path = parse(finding.path)
        return any(one.is_move and _leads(path[:-1], one.path) for one in self.changes)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Objects that several people have edited, and the audit log of it."""

    cluster: Cluster
    namespace: str
    edited: list[Edited]
    mark: int
    #: Who created each ConfigMap that Git does not have, by name.
    strays: dict[str, str]
    #: The objects that were made by hand and then adopted.
    adopted: list[str]

    def report(self, file: Path, left_out: tuple[str, ...]) -> Report:
        """Scans, with the audit log as a lower level has it."""
        with file.open("w") as out:
            for line in self.cluster.audit_lines(self.mark).splitlines():
                event = json.loads(line)
                out.write(json.dumps({name: event[name] for name in event if name not in left_out}) + "\n")
        cluster = open_cluster(str(self.cluster.kubeconfig_for(namespace=self.namespace)))
        return scan([CORPUS], cluster, namespace=self.namespace, audit=AuditOptions((str(file),)))


@pytest.fixture(scope="module")
def crowd(cluster: Cluster) -> Iterator[Crowd]:
    mark = cluster.audit_mark()
    with synced_corpus(cluster, Syncer.FLUX, audited_namespace("RequestResponse", next(AVAILABLE))) as namespace:
        choose = random.Random(f"{SEED} people")  # noqa: S311 - must be repeatable
        servers = {person: Server(cluster.kubeconfig_of(person)) for person in PEOPLE}
        server, found = subjects(cluster, namespace)
        # Only the requests about objects of this namespace are audited with bodies.
        edited = [Edited(subject) for subject in found if f"/namespaces/{namespace}/" in subject.path]
        adopted = [
            f"{one.subject}"
            for one in [one for one in edited if one.subject.manifest.kind in ADOPTABLE][::ADOPTED]
            if _adopt(one, server, servers, choose)
        ]
        strays = _strays(namespace, servers, choose)
        for number, one in enumerate(edited):
            _edit(one, server, servers, choose)
            if number % 8 == 0:
                one.deleted_by = choose.choice(PEOPLE)
                servers[one.deleted_by].delete(one.subject.path)
        yield Crowd(cluster, namespace, edited, mark, strays, adopted)


def _adopt(one: Edited, server: Server, servers: dict[str, Server], choose: random.Random) -> bool:
    """Has a person delete an object and make it again with a label, and the syncer adopt it. Returns whether it did."""
    path, person = one.subject.path, choose.choice(PEOPLE)
    labels = server.get(path)["metadata"].get("labels", {})
    body = _as_written(one.subject)
    body["metadata"]["labels"] = body["metadata"].get("labels", {}) | {
        name: value for name, value in labels.items() if name.startswith("kustomize.toolkit.fluxcd.io/")
    }
    made = {**body, "metadata": {**body["metadata"], "labels": {**body["metadata"]["labels"], "made-by": "hand"}}}
    servers[person].delete(path)
    while servers[person].create(path, made, "editor") == HTTPStatus.CONFLICT:
        # It waits for its finalizers.
        time.sleep(0.05)
    one.changes.append(Made(("metadata", "labels", "made-by"), person, ("editor", None), is_move=True))
    one.users["editor", None].add(person)
    return not isinstance(server.apply(path, body, "kustomize-controller"), Refused)


def _as_written(subject: Subject) -> Object:
    """Returns the manifest with the values of Secrets."""
    source = subject.manifest.source
    assert source is not None
    body: Object = list(yaml.safe_load_all(Path(source.file).read_text("utf-8")))[source.document - 1]
    return body


def _strays(namespace: str, servers: dict[str, Server], choose: random.Random) -> dict[str, str]:
    """Creates ConfigMaps that Git does not have. Another person edits each."""
    strays: dict[str, str] = {}
    for number in range(STRAYS):
        name, (person, other) = f"stray-{number}", choose.sample(PEOPLE, 2)
        path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"a": "1"}}
        assert servers[person].create(path, body, "editor") == HTTPStatus.CREATED
        servers[other].patch_as(path, [{"op": "add", "path": "/data/b", "value": "2"}], "editor")
        strays[name] = person
    return strays


def _edit(one: Edited, server: Server, servers: dict[str, Server], choose: random.Random) -> None:
    subject = one.subject
    for _ in range(OF_EACH):
        person = choose.choice(PEOPLE)
        # Some share a manager, some have their own.
        manager = choose.choice(("editor", f"editor-{person.partition('@')[0]}"))
        before = server.get(subject.path)
        if subject.manifest.kind in {"Deployment", "StatefulSet"} and choose.random() < 0.2:
            used: tuple[str, str | None] = "kubectl", "scale"
            after = servers[person].scale(subject.path, choose.randrange(2, 9))
        else:
            (edit, *_) = sample_of_edits(before, subject, choose, 1)
            if any(name in edit.path for name in KEPT_OR_REMOVED):
                continue
            used = manager, None
            after = servers[person].patch_as(subject.path, edit.patch, manager)
        if not isinstance(after, Refused):
            one.accepted += 1
            one.users[used].add(person)
            raw = raw_differences(before, server.get(subject.path), subject.node)
            if not raw:
                one.idle.add(person)
            for item in raw:
                kept = one.reorderings if item.is_order else one.changes
                is_move = item.before is ABSENT or item.after is ABSENT
                kept.append(Made(_as_text(item.path), person, used, is_move))


def _is_by_controller(actor: Actor) -> bool:
    return actor.manager == "kube-controller-manager"


def _as_text(path: FieldPath) -> FieldPath:
    """Returns a path as a report shows it, in which all keys are text."""
    return tuple(
        ItemKey(sorted((name, value if isinstance(value, str) else json.dumps(value)) for name, value in element))
        if isinstance(element, ItemKey)
        else element
        for element in path
    )


def _leads(path: FieldPath, place: FieldPath) -> bool:
    return place[: len(path)] == path


def _findings(crowd: Crowd, report: Report) -> Iterator[tuple[Edited, ObjectReport, Finding]]:
    edited = {(one.subject.manifest.kind, one.subject.manifest.name): one for one in crowd.edited}
    for item in report.objects:
        one = edited.get((item.key.kind, item.key.name))
        if one is not None:
            yield from ((one, item, finding) for finding in item.findings)


def _creators(report: Report) -> dict[str, str | None]:
    """Returns who created each object that Git does not have, by name."""
    return {
        item.name: actor.user
        for item in report.objects
        for finding in item.findings
        for actor in finding.actors
        if finding.change is Change.UNMANAGED and actor.evidence is Evidence.EXACT
    }


def test_with_bodies_every_finding_names_its_author(
    crowd: Crowd, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    wrong, right = [], 0
    report = crowd.report(tmp_path / "audit.log", ())
    for one, item, finding in _findings(crowd, report):
        named = [
            actor.user
            for actor in finding.actors
            if actor.evidence is Evidence.EXACT and not str(actor.user).startswith(CONTROLLERS)
        ]
        if not named and (finding.path == "spec.replicas" or any(map(_is_by_controller, finding.actors))):
            # A controller changed it afterwards. An autoscaler may do so even after the log was read.
            continue
        authors = one.authors_of(finding)
        if not authors:
            # Not the work of a person, such as what a controller fills in.
            continue
        is_right = bool(named) and set(named) <= set(authors)
        if finding.change in {Change.REMOVED, Change.MISSING} or (
            finding.change is Change.CHANGED and not one.is_moved(finding)
        ):
            is_right &= named == authors[-1:]
        if is_right:
            right += 1
        else:
            wrong.append(f"{item.key} {finding.change} {finding.path}: {named} instead of {authors}")

    record_property("named", right)
    LOG.info("%d edits; %d findings name their author", sum(one.accepted for one in crowd.edited), right)
    assert not wrong, "\n".join(wrong)
    assert right >= len(crowd.edited)
    assert _creators(report).items() >= crowd.strays.items()
    assert len(crowd.adopted) > 5


@pytest.mark.parametrize("left_out", [BODIES, BODIES[1:]], ids=["Metadata", "Request"])
def test_with_less_in_the_log_no_name_is_wrong_and_the_only_user_of_a_manager_is_named(
    crowd: Crowd, left_out: tuple[str, ...], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    wrong, right, due, excepted = [], 0, 0, Counter[str]()
    report = crowd.report(tmp_path / "audit.log", left_out)
    for one, item, finding in _findings(crowd, report):
        authors = one.authors_of(finding)
        for actor in finding.actors:
            if not authors or str(actor.user).startswith(CONTROLLERS):
                continue
            if actor.evidence in {Evidence.EXACT, Evidence.LIKELY}:
                if actor.user in authors or (left_out != BODIES and actor.user in one.idle):
                    right += 1
                else:
                    wrong.append(
                        f"{item.key} {finding.change} {finding.path}: {actor.user} ({actor.evidence}), not {authors}"
                    )
        named = {actor.user for actor in finding.actors if actor.evidence in {Evidence.EXACT, Evidence.LIKELY}}
        certain = one.certain_authors_of(finding) if left_out == BODIES else set()
        reason = next((reason for reason, applies in EXCEPTIONS.items() if applies(finding)), None)
        if reason is not None and certain:
            excepted[reason] += len(certain)
            continue
        due += len(certain)
        wrong += [
            f"{item.key} {finding.change} {finding.path}: not {person}, the only user of a manager"
            for person in certain - named
        ]

    record_property("named", right)
    LOG.info("%d names are right; %d only users of a manager; exceptions: %s", right, due, dict(excepted))
    assert not wrong, "\n".join(wrong)
    assert right > 10
    assert due > 10 or left_out != BODIES
    assert _creators(report).items() >= crowd.strays.items()
