"""``drift adopt``: prints a patch that makes Git say what is live, or edits the files."""

import argparse
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

from drift.actions.adopt import Generator, adopt
from drift.actions.files import FileChange, patch, shows_secrets
from drift.actions.selection import select_to_fix
from drift.actions.settings_map import SUFFIX, read_settings_map
from drift.cli.console import say, write_stdout
from drift.cli.outputs import replace_file
from drift.cli.render import read_saved_report
from drift.counts import plural
from drift.errors import UsageError
from drift.model import SourceKind
from drift.report.view import visible
from drift.sources.kustomizations import kind_of_path

#: Lines of a cdk8s.yaml that name the folder of the synthesized manifests.
_OUTPUT = re.compile(r"^output:[ \t]*[\"']?([^\"'\s#]+)", re.MULTILINE)
_DEFAULT_OUTPUT = "dist"


def run(options: argparse.Namespace) -> int:
    """Adopts the findings that the user names, or all edits by hand.

    Returns:
        0; 1 if a finding was refused.

    Raises:
        SavedReportError: The file is not a complete report of one cluster.
        UsageError: A name matches no finding, or a file cannot be written.
    """
    report = read_saved_report(options.report)
    findings = select_to_fix(report, options.names)
    adoption = adopt(findings, report, _read, _generator_of, _is_plain)
    hidden = [] if options.write else [change for change in adoption.changes if shows_secrets(change)]
    changes = [change for change in adoption.changes if change not in hidden]
    if options.write:
        for change in changes:
            _write(change)
    else:
        # git apply accepts neither absolute paths nor those that begin with a dot.
        write_stdout(patch([replace(change, file=os.path.relpath(change.file)) for change in changes]))
    for refused in adoption.refused:
        say(f"not adopted: {refused}")
    for kustomization, text in adoption.patches:
        say(f"add to {kustomization}:")
        sys.stderr.write("".join(f"{visible(line)}\n" for line in text.splitlines()))
    for change in hidden:
        say(f"{change.file}: not in the patch, which would show values of a Secret beside the change; use --write")
    if not hidden:
        done = "adopted" if options.write else "the patch adopts"
        files = plural(len(changes), "file")
        say(f"{done} {len(adoption.adopted)} of {plural(len(findings), 'finding')}, in {files}")
    return 1 if adoption.refused or hidden else 0


def _is_plain(path: str) -> bool:
    return kind_of_path(path) is SourceKind.FILES


def _read(file: str) -> str:
    # Without newline="", Python would read line ends of Windows as newlines.
    with Path(file).open(encoding="utf-8", newline="") as opened:
        return opened.read()


def _write(change: FileChange) -> None:
    try:
        if change.after is None:
            Path(change.file).unlink()
        else:
            replace_file(Path(change.file), change.after)
    except OSError as error:
        raise UsageError(f"{change.file}: cannot be written: {error.strerror}") from None


def _generator_of(file: str) -> Generator | None:
    """Returns what synthesizes a file, by a map beside one of its folders or by a cdk8s.yaml above it.

    Raises:
        UsageError: The map cannot be read.
    """
    path = Path(file).resolve()
    for folder in path.parents:
        found = folder.parent / (folder.name + SUFFIX)
        if found.is_file():
            place = os.path.relpath(found)
            settings = read_settings_map(found.read_bytes(), place)
            return Generator(place, settings.command, settings)
        settings_file = folder / "cdk8s.yaml"
        try:
            text = settings_file.read_text("utf-8")
        except (OSError, UnicodeError):
            continue
        output = _OUTPUT.search(text)
        if path.is_relative_to(folder / (output[1] if output else _DEFAULT_OUTPUT)):
            return Generator(str(settings_file), "cdk8s synth")
    return None
