"""Makes edits of an object one by one, and collects the faults of each report."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from drift.model import Cause
from drift.objects import Object
from tests.mutation.differences import raw_differences
from tests.mutation.edits import Action, Edit, Shape, edits_of, pairs_of
from tests.mutation.exceptions import Case, Trial, exception_for
from tests.mutation.oracle import judge
from tests.mutation.server import Refused, Server
from tests.mutation.subjects import Subject

_AT_ONCE: Final = 4


@dataclass(slots=True)
class Tally:
    """The results of many edits.

    Attributes:
        accepted: How many edits the server accepted, by object.
        shapes: The same, by kind of value and of edit.
        refused: How many edits the server refused.
        excepted: How many differences were exceptions, by reason.
        failures: The faults of the reports, one sentence each.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    shapes: Counter[tuple[Shape, Action]] = field(default_factory=Counter)
    refused: int = 0
    excepted: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def try_edits(server: Server, subject: Subject, choose: random.Random, limit: int, tally: Tally) -> None:
    """Makes up to ``limit`` random edits of one object, and compares after each."""
    live = _untouched(server, subject)
    edits = sample_of_edits(live, subject, choose, limit)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for trial in pool.map(lambda edit: _answer(server, subject, edit, live), edits):
            if trial is None:
                tally.refused += 1
                continue
            tally.accepted[str(subject)] += 1
            tally.shapes[trial.edit.shape, trial.edit.action] += 1
            wrong = list(_wrong(trial, tally))
            if wrong:
                tally.failures.append("\n  ".join((f"{subject}: {trial.edit}", *wrong)))


def sample_of_edits(live: Object, subject: Subject, choose: random.Random, limit: int) -> list[Edit]:
    """Returns up to ``limit`` random edits of an object; every fourth one is a pair."""
    edits = list(edits_of(live, subject.node, choose))
    pairs = list(pairs_of(edits, choose, limit // 4))
    return choose.sample(edits, min(limit - len(pairs), len(edits))) + pairs


def _untouched(server: Server, subject: Subject) -> Object:
    body = server.patch_for_show(subject.path, ())
    assert not isinstance(body, Refused), body
    return body


def _answer(server: Server, subject: Subject, edit: Edit, before: Object) -> Trial | None:
    """Returns the object before and after an edit, or None if the server refuses it."""
    while True:
        after = server.patch_for_show(subject.path, edit.patch)
        if isinstance(after, Refused):
            return None
        # A controller may have written in between, which is not part of the edit.
        if before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]:
            return Trial(server, subject, edit, before, after)
        before = _untouched(server, subject)


def _wrong(trial: Trial, tally: Tally) -> Iterator[str]:
    raw = raw_differences(trial.before, trial.after, trial.subject.node)
    # The report about the untouched object has the work of controllers already.
    found = [judged for judged in trial.subject.report(trial.after) if judged.cause is not Cause.CONTROLLER]
    verdict = judge(found, raw)
    yield from verdict.complaints
    for missed in verdict.missed:
        reason = exception_for(Case(trial, missed))
        if reason is None:
            yield f"missed {missed}"
        else:
            tally.excepted[reason] += 1
