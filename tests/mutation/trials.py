"""Edits made one by one on an object, each with what the report should have said and did not."""

import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from drift.model import Cause
from tests.mutation.differences import raw_differences
from tests.mutation.edits import Action, Shape, edits_of
from tests.mutation.exceptions import Case, Trial, exception_for
from tests.mutation.oracle import judge
from tests.mutation.server import Refused, Server
from tests.mutation.subjects import Subject


@dataclass(slots=True)
class Tally:
    """What became of many edits.

    Attributes:
        accepted: How many the server accepted, each compared, by subject.
        shapes: The same by what was edited and how.
        refused: How many it refused.
        excepted: How many differences no finding had to cover, by the reason.
        failures: What the report got wrong, in sentences.
    """

    accepted: Counter[str] = field(default_factory=Counter)
    shapes: Counter[tuple[Shape, Action]] = field(default_factory=Counter)
    refused: int = 0
    excepted: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def try_edits(server: Server, subject: Subject, choose: random.Random, limit: int, tally: Tally) -> None:
    """Makes up to a number of random edits of one object and compares each."""
    before = server.patch_for_show(subject.path, ())
    assert not isinstance(before, Refused), before
    edits = list(edits_of(before, subject.node, choose))
    choose.shuffle(edits)
    with ThreadPoolExecutor(4) as pool:
        answers = pool.map(lambda edit: server.patch_for_show(subject.path, edit.patch), edits[:limit])
        for edit, after in zip(edits[:limit], answers, strict=True):
            if isinstance(after, Refused):
                tally.refused += 1
                continue
            tally.accepted[str(subject)] += 1
            tally.shapes[edit.shape, edit.action] += 1
            wrong = list(_wrong(Trial(server, subject, edit, before, after), tally))
            if wrong:
                tally.failures.append("\n  ".join((f"{subject}: {edit}", *wrong)))


def _wrong(trial: Trial, tally: Tally) -> Iterator[str]:
    raw = raw_differences(trial.before, trial.after, trial.subject.node)
    # A controller's work is in the report of the untouched object already.
    found = [judged for judged in trial.subject.report(trial.after) if judged.cause is not Cause.CONTROLLER]
    verdict = judge(found, raw)
    yield from verdict.complaints
    for missed in verdict.missed:
        reason = exception_for(Case(trial, missed))
        if reason is None:
            yield f"missed {missed}"
        else:
            tally.excepted[reason] += 1
