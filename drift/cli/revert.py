"""``drift revert``: prints the commands that make the cluster say what Git says. Runs nothing."""

import argparse

from drift.actions.revert import revert
from drift.actions.selection import select_to_fix
from drift.cli.console import say, write_stdout
from drift.cli.render import read_saved_report
from drift.counts import plural
from drift.report.view import visible


def run(options: argparse.Namespace) -> int:
    """Prints a shell script.

    Returns:
        0; 1 if a finding was refused.

    Raises:
        SavedReportError: The file is not a complete report of one cluster.
        UsageError: A name matches no finding.
    """
    report = read_saved_report(options.report)
    findings = select_to_fix(report, options.names)
    reversal = revert(findings, report)
    for command in reversal.commands:
        for selected in command.findings:
            write_stdout(f"# {visible(str(selected))}\n")
        write_stdout(f"{command.text}\n")
        if command.sync is not None:
            write_stdout(f"# or: {command.sync}\n")
    for refused in reversal.refused:
        say(f"not reverted: {refused}")
    count = sum(len(command.findings) for command in reversal.commands)
    say(f"the script reverts {count} of {plural(len(findings), 'finding')}; nothing was run")
    return 1 if reversal.refused else 0
