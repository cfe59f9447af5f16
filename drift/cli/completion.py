"""``drift completion``: prints the script for shell completion."""

import argparse
from collections.abc import Iterator
from typing import Any, Final

import shtab

from drift.cli.console import write_stdout
from drift.cli.parser import build_parser
from drift.explain.terms import all_terms
from drift.report.formats import Format

_FORMATS: Final = " ".join(Format)
#: Completes FORMAT=FILE: formats first, files after the equals sign. (bash itself starts a new word there.)
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
#: How to complete the value of a flag or an argument, by its name in the help text.
_BY_METAVAR: Final[dict[str, Any]] = {
    "FILE": shtab.FILE,
    "PATH": shtab.FILE,
    "SOURCE": shtab.FILE,
    "REPORT.json": shtab.glob("*.json"),
    "FORMAT[=FILE]": _OUTPUT,
}
_CONTEXTS: Final = shtab.cmd("kubectl config get-contexts -o name 2>/dev/null")


def run_completion(options: argparse.Namespace) -> int:
    """Prints the script."""
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
    """Yields each flag and argument of a parser and its commands."""
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
