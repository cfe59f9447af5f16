"""Writes the commands that make the cluster say what Git says, for findings of a saved report. Runs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from drift.actions.selection import Refused, Selected
from drift.advice.kubectl import revert_fields, revert_object
from drift.advice.refusals import why_not_reverted
from drift.model import Report


@dataclass(frozen=True, slots=True)
class Command:
    """A command for a POSIX shell.

    Attributes:
        findings: The findings that it ends, all of one object.
        text: The command, quoted.
    """

    findings: tuple[Selected, ...]
    text: str


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
    for _, group in groupby(findings, key=lambda selected: selected.item.key):
        patched: list[Selected] = []
        for selected in group:
            item, finding = selected.item, selected.finding
            reason = why_not_reverted(item, finding)
            if reason is not None:
                refused.append(Refused(selected, reason))
            elif finding.path:
                patched.append(selected)
            else:
                commands.append(Command((selected,), revert_object(item, finding, context)))
        if patched:
            text = revert_fields(patched[0].item, [selected.finding for selected in patched], context)
            commands.append(Command(tuple(patched), text))
    return Reversal(tuple(commands), tuple(refused))
