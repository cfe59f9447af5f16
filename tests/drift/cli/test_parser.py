"""Mistakes on the command line are one line that suggests what was meant; help has examples that parse."""

import argparse
import shlex

import pytest

from drift import __version__
from drift.cli import main
from drift.cli.flags import duration
from drift.cli.parser import build_parser, help_text, parse
from tools.reference import commands

COMMANDS = [command.name.removeprefix("drift").strip() or None for command in commands(build_parser())]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("60s", 60), ("10m", 600), ("1h30m", 5400), ("500ms", 0.5), ("1.5s", 1.5), ("1m0.5s", 60.5)],
)
def test_a_duration_is_converted_to_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "1d", "s", "1 s", "inf", "nan", "1e3", "1m-1s"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)


@pytest.mark.parametrize("flag", ["--request-timeout", "--deadline"])
def test_a_flag_with_an_invalid_duration_exits_with_2(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", "x", flag, "soon"])

    assert ended.value.code == 2
    assert "'soon' is not a duration; write it like 90s, 10m or 1h30m" in capsys.readouterr().err


def test_sources_may_be_named_with_the_flag_of_kubectl() -> None:
    assert parse(["report", "a", "-f", "b", "--filename", "c"]).sources == ["a", "b", "c"]
    assert parse(["report", "-f", "b"]).sources == ["b"]


def usage_error(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    return err.splitlines()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("reprot", "drift: 'reprot' is not a command; did you mean 'report' or 'revert'?"),
        ("help gaurd", "drift help: 'gaurd' is not a command; did you mean 'guard'?"),
        ("report x --ouput json", "drift report: unknown flag '--ouput'; did you mean '--output'?"),
        ("report x --ouput=json", "drift report: unknown flag '--ouput'; did you mean '--output'?"),
        (
            "report x --severity hihg",
            "drift report: argument --severity: 'hihg' is not a valid value; did you mean 'high'?",
        ),
        (
            "report x --cause pending",
            "drift report: argument --cause: 'pending' is not a valid value; did you mean 'pending-sync'?",
        ),
        ("report x --versoin", "drift report: unknown flag '--versoin'; did you mean '--version'?"),
        ("--versoin", "drift: unknown flag '--versoin'; did you mean '--version'?"),
        ("report x -z", "drift report: unknown flag '-z'"),
        ("report -k x", "drift report: unknown flag '-k'; name files and folders without a flag"),
        ("report x -ojson", "drift report: unknown flag '-ojson'; it is `--output` here"),
        ("explain missing drifted", "drift explain: unexpected argument 'drifted'"),
        ("report x --output jsn", "drift report: argument --output: 'jsn' is not a format; did you mean 'json'?"),
        (
            "report x --unmanaged all",
            "drift report: argument --unmanaged: 'all' is not a valid value; use one of cluster, namespace, off",
        ),
    ],
)
def test_a_mistake_is_one_line_that_suggests_what_was_meant(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    first, see = usage_error(line.split(), capsys)

    assert first == message
    assert see == f"See `{message.partition(':')[0]} --help`."


def test_a_mistake_shows_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    first, _ = usage_error(["report", "x", "--\x1b[31m"], capsys)

    assert "\x1b" not in first


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", ""],
        ["report", "-f", ""],
        *(["report", "x", flag, ""] for flag in ("--live", "--history", "--config", "--checkout", "--audit-log")),
        ["watch", "x", "--history", ""],
        *([command, ""] for command in ("render", "adopt", "revert", "history")),
        ["guard", "", "--base", "main"],
    ],
)
def test_an_empty_name_is_not_the_current_folder(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert usage_error(arguments, capsys)[0].endswith(": '' names no file")


@pytest.mark.parametrize("name", ["", " ", "argocd*"])
def test_an_applier_is_a_full_name(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    problem = usage_error(["report", "x", "--applier", name], capsys)[0]

    assert problem == f"drift report: argument --applier: {name!r} is not the full name of a field manager"
    assert parse(["report", "x", "--applier", "argocd"]).applier == ["argocd"]


def test_a_scope_of_the_history_is_not_empty(capsys: pytest.CaptureFixture[str]) -> None:
    problem = usage_error(["report", "x", "--history", "h.db", "--history-scope", ""], capsys)[0]

    assert problem == "drift report: argument --history-scope: '' is not a name"


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["help"], 0)])
def test_without_a_command_the_help_is_printed(
    arguments: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == status

    out, err = capsys.readouterr()
    assert out == help_text(None)
    assert err == ""
    assert all(command in out for command in COMMANDS if command is not None)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command is not None])
def test_help_of_a_command_is_its_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", command]) == 0
    helped = capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([command, "--help"])

    assert helped == capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_has_examples_that_parse(command: str | None) -> None:
    _, _, examples = help_text(command).partition("examples")
    lines = [line[line.index("drift ") :] for line in examples.partition("\n\n")[0].splitlines() if "drift " in line]

    assert lines
    for line in lines:
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0].partition(")")[0], comments=True)
        build_parser().parse_args(words[1:])


def test_version_prints_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0

    assert capsys.readouterr().out == f"drift {__version__}\n"
