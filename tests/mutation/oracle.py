"""Checks a report about an edit: all that differs, nothing else, and the right manager."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drift.compare.classify import ClassifiedDifference
from drift.model import Cause, Change
from drift.objects import Json
from drift.paths import Path, render
from drift.redaction import Redacted
from tests.mutation.differences import RawDifference
from tests.mutation.server import EDITOR


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a report.

    Attributes:
        missed: Differences that no finding covers.
        complaints: Other faults, one sentence each.
    """

    missed: tuple[RawDifference, ...]
    complaints: tuple[str, ...]


def judge(found: Sequence[ClassifiedDifference], raw: Sequence[RawDifference]) -> Verdict:
    missed = tuple(item for item in raw if not any(covers(judged, item) for judged in found))
    return Verdict(missed, tuple(sentence for judged in found for sentence in _complaints(judged, raw)))


def covers(judged: ClassifiedDifference, raw: RawDifference) -> bool:
    """Whether a finding is at the place of a difference, or at one of its parents."""
    difference = judged.difference
    if raw.is_order or difference.change is Change.REORDERED:
        return raw.is_order and difference.change is Change.REORDERED and raw.path == difference.path
    if difference.path == difference.live_path:
        return _leads_to(difference.path, raw.path)
    # A changed key of an item is one finding, and differs at the old and at the new place.
    items = zip(difference.path, difference.live_path, strict=True)
    end = next(index for index, pair in enumerate(items) if pair[0] != pair[1]) + 1
    return any(_leads_to(path[:end], raw.path) for path in (difference.path, difference.live_path))


def _leads_to(path: Path, place: Path) -> bool:
    return place[: len(path)] == path


def _complaints(judged: ClassifiedDifference, raw: Sequence[RawDifference]) -> Iterator[str]:
    difference = judged.difference
    here = f"{difference.change} {render(difference.path)} ({judged.cause})"
    if not any(covers(judged, item) for item in raw):
        yield f"{here} is reported, but nothing differs there"
        return
    is_exact = difference.path != difference.live_path or any(item.path == difference.path for item in raw)
    if difference.change is Change.CHANGED and not is_exact:
        yield f"{here} is less precise than the difference"
    if difference.change is Change.ADDED:
        # An empty object, and a value that is redacted, show nothing.
        leaves = _leaves(difference.live, difference.live_path)
        shown = [path for path, value in leaves if value != {} and not isinstance(value, Redacted)]
        places = {item.path for item in raw}
        unrelated = sorted(render(path) for path in shown if not any(_leads_to(place, path) for place in places))
        if unrelated:
            yield f"{here} shows values that do not differ: {unrelated}"
    if difference.change in {Change.CHANGED, Change.ADDED}:
        managers = [actor.manager for actor in judged.actors]
        if judged.cause is not Cause.MANUAL or EDITOR not in managers:
            yield f"{here} was made by {EDITOR}, but is attributed to {managers}"
    elif judged.cause not in {Cause.MANUAL, Cause.UNKNOWN}:
        yield f"{here} was made by {EDITOR}"


def _leaves(value: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    if isinstance(value, dict) and value:
        for element, below in value.items():
            yield from _leaves(below, (*path, element))
    else:
        yield path, value
