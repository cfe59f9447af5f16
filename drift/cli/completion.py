"""``drift completion``: a script by which a shell completes commands, flags, formats, terms and files."""

import argparse
from collections.abc import Iterator
from typing import Any, Final

import shtab

from drift.cli.parser import build_parser
from drift.cli.streams import write_stdout
from drift.explain.terms import all_terms
from drift.report.formats import Format

_FORMATS: Final = " ".join(Format)
#: FORMAT=FILE: a format, and files once there is an equals sign. (bash itself takes what follows it for a new word.)
_OUTPUT: Final = {
    "bash": "_drift_output",
    "zsh": "_drift_output",
    "fish": "(_drift_output)",
    "preamble": {
        "bash": f'_drift_output() {{\n  compgen -W "{_FORMATS}" -- "$1"\n}}\n',
        "zsh": (f"_drift_output() {{\n  if compset -P '*='; then _files; else compadd -S '' -- {_FORMATS}; fi\n}}\n"),
        "fish": (
            "function _drift_output\n"
            "  set -l token (string replace -r '^--output=' '' -- (commandline -ct))\n"
            "  if string match -q '*=*' -- $token\n"
            "    set -l form (string split -m1 = -- $token)\n"
            "    printf '%s\\n' $form[1]=(__fish_complete_path $form[2])\n"
            "  else\n"
            f"    printf '%s\\n' {_FORMATS}\n"
            "  end\n"
            "end\n"
        ),
    },
}
#: What a flag or an argument takes, by what the help calls it.
_BY_METAVAR: Final[dict[str, Any]] = {
    "FILE": shtab.FILE,
    "PATH": shtab.FILE,
    "MANIFESTS": shtab.FILE,
    "REPORT.json": shtab.glob("*.json"),
    "FORMAT[=FILE]": _OUTPUT,
}
_CONTEXTS: Final = shtab.cmd("kubectl config get-contexts -o name 2>/dev/null")


def run(options: argparse.Namespace) -> int:
    """Prints the script.

    Returns:
        0.
    """
    parser = build_parser()
    for action in _actions(parser):
        if action.dest == "context":
            action.complete = _CONTEXTS  # type: ignore[attr-defined]
        elif action.dest == "term":
            action.choices = sorted({term.name for term in all_terms()})
        elif action.metavar in _BY_METAVAR:
            action.complete = _BY_METAVAR[str(action.metavar)]  # type: ignore[attr-defined]
    write_stdout(f"{shtab.complete(parser, options.shell)}\n")
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every flag and argument of a parser and of its commands."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
