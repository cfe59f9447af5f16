"""Writes the commands that make the cluster say what Git says, for findings of a saved report. Runs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from drift.actions.selection import Refused, Selected
from drift.advice.advisor import Advisor
from drift.advice.commands import revert_fields, revert_object
from drift.model import Change, Report
from drift.words import plural

#: In a script of ``sh -e``, a false left side of ``&&`` is no error.
_OR_END: Final = " || { echo 'not deleted; if it has changed, make the report again' >&2; exit 1; }"


@dataclass(frozen=True, slots=True)
class Command:
    """A command for a POSIX shell.

    Attributes:
        findings: The findings that it ends, all of one object.
        text: The command, quoted.
        sync: The command that makes its GitOps controller sync the object instead, and what else that deploys; or None.
    """

    findings: tuple[Selected, ...]
    text: str
    sync: str | None = None


@dataclass(frozen=True, slots=True)
class Reversal:
    """The commands that revert findings.

    Attributes:
        commands: In the order of the report.
        refused: The other findings, and why.
    """

    commands: tuple[Command, ...]
    refused: tuple[Refused, ...]


def revert(findings: Sequence[Selected], report: Report) -> Reversal:
    """Returns commands that fail if the cluster has changed since the report was made.

    Args:
        findings: The findings to revert.
        report: The report that has them.
    """
    commands: list[Command] = []
    refused: list[Refused] = []
    context = report.cluster.context if report.cluster is not None else None
    advisor = Advisor.of(report)
    for _, group in groupby(findings, key=lambda selected: selected.item.key):
        patched: list[Selected] = []
        for selected in group:
            item, finding = selected.item, selected.finding
            reason = advisor.why_not_reverted(item, finding)
            if reason is not None:
                sync = _sync(advisor, [selected])
                refused.append(Refused(selected, f"{reason}: {sync}" if sync and "sync" in reason else reason))
            elif finding.path:
                patched.append(selected)
            else:
                text = revert_object(item, finding, context)
                if finding.change is Change.UNMANAGED:
                    text += _OR_END
                commands.append(Command((selected,), text, _sync(advisor, [selected])))
        if patched:
            text = revert_fields(patched[0].item, [selected.finding for selected in patched], context)
            commands.append(Command(tuple(patched), text, _sync(advisor, patched)))
    return Reversal(tuple(commands), tuple(refused))


def _sync(advisor: Advisor, group: Sequence[Selected]) -> str | None:
    """Returns the command that ends findings of one object by a sync; None if it leaves one of them."""
    syncs = [_sync_of(advisor, selected) for selected in group]
    return syncs[0] if None not in syncs else None


def _sync_of(advisor: Advisor, selected: Selected) -> str | None:
    commands = advisor.commands(selected.item, selected.finding)
    if commands is None or commands.sync is None:
        return None
    also = f" (also deploys {plural(commands.also_deploys, 'pending change')})" if commands.also_deploys else ""
    return f"{commands.sync}{also}"
