"""Generates the command-line reference from the parser, and the JSON Schema of the report from its classes.

``python -m tools.reference`` (or ``make reference``) writes a page of the docs, a man page and the schema.
"""

import argparse
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from drift.cli.parser import build_parser
from drift.explain.texts import EXIT_STATUSES
from drift.report.json_schema import json_schema

ROOT: Final = Path(__file__).parents[1]
ENVIRONMENT: Final = (
    ("KUBECONFIG", "the kubeconfig files to use, as with kubectl, where --kubeconfig names none"),
    ("KUBERNETES_SERVICE_HOST", "is set in a pod, whose service account is used where there is no kubeconfig"),
    ("HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "a proxy on the way to the API server"),
    ("DRIFT_WEBHOOK_URL", "where --notify sends what is new; a secret"),
    ("DRIFT_PUSHGATEWAY_URL", "where --push-metrics sends the metrics"),
    ("DRIFT_AUDIT_TOKEN", "the token that clients of --audit-webhook must have; a secret"),
    ("DRIFT_AUDIT_KEY", "the key of the pseudonyms of --audit-users hashed; a secret"),
    ("JOB_COMPLETION_INDEX, JOB_COMPLETIONS", "the shard, as an Indexed Job sets it, where --shard names none"),
    ("XDG_CACHE_HOME", "the folder of the cache, instead of ~/.cache"),
    ("NO_COLOR", "no colours, where --color is auto"),
    ("TERM", "no progress on a terminal that is dumb"),
    ("COLUMNS", "how wide the text report may be, instead of what the terminal says"),
)
FILES: Final = (
    ("drift.yaml", "what to ignore and other settings, read from the current folder where --config names no file"),
    ("~/.kube/config", "the kubeconfig where neither --kubeconfig nor KUBECONFIG names one"),
    ("/var/run/secrets/kubernetes.io/serviceaccount/", "the credentials of a pod's service account"),
    ("~/.cache/drift", "schemas of API servers and parsed manifests, for the next run; it can be deleted at any time"),
)
#: What a shell reports of a program that a signal or a closed pipe ended.
SIGNALS: Final = {
    130: "Ctrl-C (SIGINT) stopped it; no report was written or replaced.",
    141: "The reader of the output has closed the pipe.",
    143: "SIGTERM stopped it; no report was written or replaced.",
}
EXAMPLES: Final = (
    ("Compare a folder with the cluster of a context", "drift report manifests/ --context production"),
    ("Compare with a dump, without a cluster", "drift report manifests/ --live live.yaml"),
    ("Several reports of one scan", "drift report manifests/ --output text --output json=report.json"),
    ("The reports of two clusters as one comment", "drift render east.json west.json --output markdown"),
    ("Rules for what is no drift, to be given their reasons", "drift report manifests/ --suggest-ignores"),
    ("What a word means", "drift explain pending-sync"),
    ("Complete commands and flags in this shell", "source <(drift completion bash)"),
)


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag or an argument.

    Attributes:
        names: All spellings, with their values.
        help: What it does.
    """

    names: str
    help: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or the program itself.

    Attributes:
        name: The name, with that of the program.
        synopsis: The usage, without flags.
        description: One paragraph.
        groups: Titles, with the flags below each.
        epilog: The end of its help, without the exit statuses.
    """

    name: str
    synopsis: str
    description: str
    groups: tuple[tuple[str, tuple[Flag, ...]], ...]
    epilog: str


def commands(parser: argparse.ArgumentParser) -> Iterator[Command]:
    """Yields the program and its commands, recursively."""
    yield _command(parser)
    for action in parser._actions:  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for below in action.choices.values():
                yield from commands(below)


def _command(parser: argparse.ArgumentParser) -> Command:
    groups = []
    for group in parser._action_groups:  # noqa: SLF001
        flags = tuple(flag for action in group._group_actions for flag in _flags(parser, action))  # noqa: SLF001
        if flags:
            groups.append((_title(parser, group.title or ""), flags))
    positionals = [_taken(action) for action in parser._actions if not action.option_strings]  # noqa: SLF001
    epilog = parser.epilog or ""
    return Command(
        name=parser.prog,
        synopsis=" ".join([parser.prog, "[OPTION...]", *positionals]),
        description=parser.description or "",
        groups=tuple(groups),
        epilog="" if epilog == build_parser().epilog else epilog,
    )


def _title(parser: argparse.ArgumentParser, title: str) -> str:
    if title != "positional arguments":
        return title
    return "commands" if parser._subparsers is not None else "arguments"  # noqa: SLF001


def _flags(parser: argparse.ArgumentParser, action: argparse.Action) -> Iterator[Flag]:
    if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
        for choice in action._choices_actions:  # noqa: SLF001
            yield Flag(choice.dest, choice.help or "")
        return
    if isinstance(action, argparse._HelpAction) and " " in parser.prog:  # noqa: SLF001
        return  # every command has --help
    text = parser._get_formatter()._expand_help(action) if action.help else ""  # noqa: SLF001
    if action.option_strings:
        taken = "" if action.nargs == 0 else f" {_taken(action)}"
        yield Flag(", ".join(f"{name}{taken}" for name in action.option_strings), text)
    else:
        yield Flag(_taken(action), text)


def _taken(action: argparse.Action) -> str:
    """Returns the value of a flag or an argument, as in the synopsis."""
    if isinstance(action.metavar, tuple):
        return " ".join(action.metavar)
    choices = None if action.choices is None else "|".join(map(str, action.choices))
    name = action.metavar or choices or action.dest.upper()
    return {"+": f"{name}...", "*": f"[{name}...]", "?": f"[{name}]"}.get(str(action.nargs), name)


def markdown() -> str:
    """Returns the page of the docs."""
    program, *others = commands(build_parser())
    lines = ["# The command line", "", "<!-- Made by `make reference` from the parser; do not edit. -->", ""]
    lines += [program.description, "", f"    {program.synopsis}", *_groups(program)]
    for command in others:
        lines += ["", f"## {command.name}", "", command.description, "", f"    {command.synopsis}", *_groups(command)]
        if command.epilog:
            lines += ["", *(f"    {line}".rstrip() for line in command.epilog.rstrip().split("\n"))]
    lines += ["", "## Exit status", "", "| status | means |", "|---|---|"]
    lines += [f"| {status} | {_cell(text)} |" for status, text in {**EXIT_STATUSES, **SIGNALS}.items()]
    for title, rows in (("Environment", ENVIRONMENT), ("Files", FILES)):
        lines += ["", f"## {title}", "", f"| {title.lower().removesuffix('s')} | means |", "|---|---|"]
        lines += [f"| `{name}` | {_cell(text)} |" for name, text in rows]
    lines += ["", "## Examples"]
    for title, example in EXAMPLES:
        lines += ["", f"{title}:", "", f"    {example}"]
    return "\n".join(lines) + "\n"


def _groups(command: Command) -> Iterator[str]:
    for title, flags in command.groups:
        yield from ("", f"| {title} | |", "|---|---|")
        yield from (f"| `{_cell(flag.names)}` | {_cell(flag.help)} |" for flag in flags)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def man() -> str:
    """Returns the man page."""
    every = list(commands(build_parser()))
    program = every[0]
    lines = ['.\\" Made by `make reference` from the parser; do not edit.', '.TH DRIFT 1 "" "drift-reporter"']
    lines += [".SH NAME", "drift \\- compare a live Kubernetes cluster with manifests, and report what differs and why"]
    lines += [".SH SYNOPSIS"]
    for command in every[1:]:
        lines += [f".B {_roff(command.synopsis)}", ".br"]
    lines += [".SH DESCRIPTION", _roff(program.description), *_man_groups(program)]
    lines += [".SH COMMANDS"]
    for command in every[1:]:
        lines += [f".SS {_roff(command.name)}", _roff(command.description), *_man_groups(command)]
        if command.epilog:
            lines += [".PP", ".nf", *map(_roff, command.epilog.rstrip().split("\n")), ".fi"]
    lines += [
        ".SH EXIT STATUS",
        *_man_rows((str(status), text) for status, text in {**EXIT_STATUSES, **SIGNALS}.items()),
    ]
    lines += [".SH ENVIRONMENT", *_man_rows(iter(ENVIRONMENT)), ".SH FILES", *_man_rows(iter(FILES)), ".SH EXAMPLES"]
    for title, example in EXAMPLES:
        lines += [".PP", f"{_roff(title)}:", ".PP", ".nf", ".RS", _roff(example), ".RE", ".fi"]
    return "\n".join(lines) + "\n"


def _man_groups(command: Command) -> Iterator[str]:
    for title, flags in command.groups:
        yield from (".PP", f".I {_roff(title)}")
        yield from _man_rows((flag.names, flag.help) for flag in flags)


def _man_rows(rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    for name, text in rows:
        yield from (".TP", f".B {_roff(name)}", _roff(text))


def _roff(text: str) -> str:
    """Escapes a line for roff."""
    escaped = re.sub(r"[\\-]", lambda found: {"\\": "\\e", "-": "\\-"}[found[0]], text)
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def report_schema() -> str:
    """Returns the JSON Schema of the report."""
    return json.dumps(json_schema(), indent=2) + "\n"


PAGES: Final = {
    "docs/reference/cli.md": markdown,
    "docs/reference/drift.1": man,
    "drift/report/schema/drift-report-v1.schema.json": report_schema,
}

if __name__ == "__main__":
    for page, make in PAGES.items():
        (ROOT / page).write_text(make(), "utf-8")
