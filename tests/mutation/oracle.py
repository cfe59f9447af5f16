"""What the report must say of an edit: all that differs, nothing else, and who did it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drift.compare.classify import ClassifiedDifference
from drift.model import Cause, Change, Json
from drift.paths import Path, render
from tests.mutation.differences import RawDifference
from tests.mutation.server import SOMEBODY


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a report.

    Attributes:
        missed: Differences that no finding covers.
        complaints: Anything else, in sentences.
    """

    missed: tuple[RawDifference, ...]
    complaints: tuple[str, ...]


def judge(found: Sequence[ClassifiedDifference], raw: Sequence[RawDifference]) -> Verdict:
    missed = tuple(item for item in raw if not any(covers(judged, item) for judged in found))
    return Verdict(missed, tuple(sentence for judged in found for sentence in _complaints(judged, raw)))


def covers(judged: ClassifiedDifference, raw: RawDifference) -> bool:
    """Whether a finding is of the place of a difference, or of what holds it."""
    difference = judged.difference
    if raw.is_order or difference.change is Change.REORDERED:
        return raw.is_order and difference.change is Change.REORDERED and raw.path == difference.path
    if difference.path == difference.live_path:
        return _leads_to(difference.path, raw.path)
    # An item whose key was changed is one change of its key, at the old place and at the new one.
    items = zip(difference.path, difference.live_path, strict=True)
    end = next(index for index, pair in enumerate(items) if pair[0] != pair[1]) + 1
    return any(_leads_to(path[:end], raw.path) for path in (difference.path, difference.live_path))


def _leads_to(path: Path, place: Path) -> bool:
    return place[: len(path)] == path


def _complaints(judged: ClassifiedDifference, raw: Sequence[RawDifference]) -> Iterator[str]:
    difference = judged.difference
    here = f"{difference.change} {render(difference.path)} ({judged.cause})"
    if not any(covers(judged, item) for item in raw):
        yield f"{here} is reported, and nothing differs there"
        return
    is_exact = difference.path != difference.live_path or any(item.path == difference.path for item in raw)
    if difference.change is Change.CHANGED and not is_exact:
        yield f"{here} is less precise than what differs"
    if difference.change is Change.ADDED:
        # Of an object that is there for itself, with the server's values in it alone, no part is shown.
        shown = [path for path, value in _leaves(difference.live, difference.live_path) if value != {}]
        places = {item.path for item in raw}
        beside = sorted(render(path) for path in shown if not any(_leads_to(place, path) for place in places))
        if beside:
            yield f"{here} shows what does not differ: {beside}"
    if difference.change in {Change.CHANGED, Change.ADDED}:
        managers = [actor.manager for actor in judged.actors]
        if judged.cause is not Cause.MANUAL or SOMEBODY not in managers:
            yield f"{here} was {SOMEBODY}'s work, and is said to be that of {managers}"
    elif judged.cause not in {Cause.MANUAL, Cause.UNKNOWN}:
        yield f"{here} was {SOMEBODY}'s work"


def _leaves(value: Json, path: Path) -> Iterator[tuple[Path, Json]]:
    if isinstance(value, dict) and value:
        for element, below in value.items():
            yield from _leaves(below, (*path, element))
    else:
        yield path, value
