"""Which differences a report may be silent about: a row each, with its reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from drift.model import Object
from drift.paths import Path
from tests.mutation.differences import ABSENT, RawDifference, same
from tests.mutation.edits import Edit
from tests.mutation.patches import applied, locate
from tests.mutation.server import Refused, Server
from tests.mutation.subjects import Subject


@dataclass(frozen=True, slots=True)
class Case:
    """One difference that no finding covers, and what it came of."""

    server: Server
    subject: Subject
    edit: Edit
    before: Object
    after: Object
    raw: RawDifference

    @property
    def path(self) -> Path:
        return self.raw.path

    @property
    def is_in_git(self) -> bool:
        return locate(self.subject.manifest.body, self.path)[0] is not ABSENT

    @property
    def is_sent(self) -> bool:
        """Whether the edit has the value in it, rather than the server made it of the edit."""
        return locate(applied(self.before, self.edit.patch), self.path)[0] is not ABSENT


def _filled_in(case: Case) -> bool:
    return case.raw.before is ABSENT and not case.is_sent


def _default(case: Case) -> bool:
    if case.is_in_git or case.raw.after is ABSENT or not case.is_sent:
        return False
    # The server is asked: what does it make of the same edit without this value?
    sent = applied(case.before, case.edit.patch)
    step = {"op": "remove", "path": locate(sent, case.path)[1]}
    answer = case.server.patch_for_show(case.subject.path, (*case.edit.patch, step))
    return not isinstance(answer, Refused) and same(locate(answer, case.path)[0], case.raw.after)


def _nobody_wants(case: Case) -> bool:
    return case.raw.after is ABSENT and not case.is_in_git


#: In words that a reader of the report would accept.
EXCEPTIONS: Final[Sequence[tuple[str, Callable[[Case], bool]]]] = (
    ("Git has no value there, and the cluster has none any more", _nobody_wants),
    ("the server filled it in beside what the edit set", _filled_in),
    ("the server sets this very value where the edit leaves it out: a default", _default),
)


def exception_for(case: Case) -> str | None:
    return next((reason for reason, holds in EXCEPTIONS if holds(case)), None)
