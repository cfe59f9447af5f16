"""The commands, flags and help texts of the command line."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias, cast

from drift import __version__
from drift.cli.console import write_stderr
from drift.cli.flags import (
    add_audit_users,
    add_color,
    add_comparison,
    add_config,
    add_exclude,
    add_history,
    add_list,
    add_output,
    add_output_format,
    add_people,
    add_saved_report,
    add_sources,
    add_user_and_namespace,
    duration,
    path,
    port,
    report_url,
)
from drift.report.formats import MessageFormat
from drift.words import closest, did_you_mean, suggestion

_EXIT_STATUS: Final = """\
exit status:
  0  in sync
  1  drift
  2  usage, configuration or manifest error
  3  the scan is incomplete: something could not be read, so "in sync" cannot be claimed
"""
_EPILOG: Final = f"""\
examples:
  drift report manifests/ --context production
  drift help report
  drift explain pending-sync

{_EXIT_STATUS}"""
_REPORT_EPILOG: Final = f"""\
examples:
  drift report manifests/ --context production
  drift report clusters/production --history drift.db --output text --output json=report.json
  drift report --flux all --audit-log audit.log
  drift report manifests/ --live live.yaml

{_EXIT_STATUS}"""
_RENDER_EPILOG: Final = """\
examples:
  drift render report.json --output html=report.html
  drift render east.json west.json --output markdown

exit status:
  0  the reports were written, even if they show drift
  2  usage error, or a file that is not a report
"""
_ADOPT_EPILOG: Final = """\
examples:
  drift report manifests/ --exit-zero --output json=report.json
  drift adopt report.json | git apply -p1
  drift adopt report.json Deployment/web --write

exit status:
  0  all findings were adopted
  1  a finding was not adopted; standard error says why
  2  usage error, or a file that is not a complete report
"""
_REVERT_EPILOG: Final = """\
examples:
  drift revert report.json > revert.sh && cat revert.sh && sh -e revert.sh
  drift revert report.json shop/Deployment/web

exit status:
  0  there is a command for every finding
  1  a finding has no command; standard error says why
  2  usage error, or a file that is not a complete report
"""
_GUARD_EPILOG: Final = """\
examples:
  drift guard report.json --base origin/main
  drift guard report.json --base main --head feature --output markdown

exit status:
  0  the change undoes no edit by hand
  1  it does: the finding is overwritten, or conflicts
  2  usage error, or a file that is not a complete report
  3  unknown for a finding, for example if a chart cannot be rendered
"""
_WATCH_EPILOG: Final = """\
examples:
  drift watch manifests/ --context production
  drift watch manifests/ --history drift.db --listen 0.0.0.0

HTTP endpoints:
  /         the report as a page that refreshes itself
  /report   the report as HTML, JSON or text, chosen by Accept, ?format= or a suffix such as /report.json
  /healthz  200 while the report is complete and current, else 503 with the reason
  /metrics  metrics for Prometheus

exit status:
  0  stopped by SIGTERM or SIGINT
  2  usage, configuration or manifest error at the start
  3  no API server, or no credentials for it, at the start
"""
_HISTORY_EPILOG: Final = """\
examples:
  drift history drift.db --open
  drift history drift.db --since 7d --object Deployment/web
  drift history drift.db --by manager
  drift history drift.db --by person --output json
"""
_EXPLAIN_EPILOG: Final = """\
examples:
  drift explain
  drift explain pending-sync
"""
_HELP_EPILOG: Final = """\
examples:
  drift help
  drift help report
"""
_VERSION_EPILOG: Final = """\
examples:
  drift version
"""
_COMPLETION_EPILOG: Final = """\
examples, for the current shell or its startup file:
  bash  source <(drift completion bash)
  zsh   autoload -Uz compinit && compinit && eval "$(drift completion zsh)"
  fish  drift completion fish | source
"""
_SOURCE_HINT: Final = "name files and folders without a flag"
_NAMESPACES_HINT: Final = "the manifests name the namespaces; `--unmanaged cluster` searches all of them"
#: What to do instead of some flags of kubectl.
_KUBECTL_FLAGS: Final = {
    "-A": _NAMESPACES_HINT,
    "-R": "folders are read with all folders below",
    "-k": _SOURCE_HINT,
    "-o": "it is `--output` here",
    "--all-namespaces": _NAMESPACES_HINT,
    "--kustomize": _SOURCE_HINT,
}
_METRICS_PORT: Final = 9480

_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are short, suggest what was meant, and do not repeat passwords in URLs."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, formatter_class=argparse.RawDescriptionHelpFormatter)

    def error(self, message: str) -> NoReturn:
        """Prints the message, and exits with 2."""
        # Imported only here, so that --help starts fast.
        from drift.redaction import without_passwords  # noqa: PLC0415
        from drift.report.view import visible  # noqa: PLC0415

        write_stderr(f"{self.prog}: {visible(without_passwords(message))}\nSee `{self.prog} --help`.\n")
        sys.exit(2)

    def _check_value(self, action: argparse.Action, value: object) -> None:
        """Replaces argparse's message, which lists every choice and suggests none."""
        if action.choices is None or value in action.choices:
            return
        what = "a command" if action.dest in {"command", "topic"} else "a valid value"
        message = f"{str(value)!r} is not {what}{did_you_mean(str(value), action.choices)}"
        raise argparse.ArgumentError(action if action.option_strings else None, message)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parses a command line. Without a command, it is ``drift help``.

    Args:
        arguments: The arguments without the program's name, or None for those of this process.

    Raises:
        SystemExit: The command line is wrong, or asks for help. The message has been printed.
    """
    parser = build_parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        command = _commands(parser).get(options.command, parser)
        flag = unknown[0].partition("=")[0]
        if not flag.startswith("-"):
            command.error(f"unexpected argument {flag!r}")
        hint = _KUBECTL_FLAGS.get(flag if flag.startswith("--") else flag[:2])
        flags = (*command._option_string_actions, *parser._option_string_actions)  # noqa: SLF001
        command.error(f"unknown flag {flag!r}{f'; {hint}' if hint else suggestion(closest(flag, flags))}")
    # A second name for what stands without a flag, for users of kubectl.
    if getattr(options, "filename", None):
        options.sources = [*options.sources, *options.filename]
    if options.command is None:
        options.command, options.topic, options.asked = "help", None, False
    return options


def help_text(command: str | None) -> str:
    """Returns the help of a command, or of the program."""
    parser = build_parser()
    return (parser if command is None else _commands(parser)[command]).format_help()


def _commands(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    assert parser._subparsers is not None  # noqa: S101, SLF001
    (action,) = parser._subparsers._group_actions  # noqa: SLF001
    return cast("Mapping[str, argparse.ArgumentParser]", action.choices)


def build_parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    parser: argparse.ArgumentParser = _Parser(
        prog="drift",
        description="Compares a live Kubernetes cluster with manifests, read-only, and reports what differs and why.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"drift {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_report(commands)
    _add_render(commands)
    _add_watch(commands)
    _add_history(commands)
    _add_adopt(commands)
    _add_revert(commands)
    _add_guard(commands)
    _add_explain(commands)
    _add_completion(commands)
    _add_help_and_version(commands)
    return parser


def _add_help_and_version(commands: _Commands) -> None:
    helping = commands.add_parser(
        "help",
        help="print the help of a command",
        description="Prints the help of a command, or the list of commands.",
        epilog=_HELP_EPILOG,
    )
    commands.add_parser(
        "version",
        help="print the version",
        description="Prints the version, as `drift --version` does.",
        epilog=_VERSION_EPILOG,
    )
    helping.set_defaults(asked=True)
    helping.add_argument("topic", nargs="?", choices=tuple(commands.choices), metavar="COMMAND", help="the command")


def _add_completion(commands: _Commands) -> None:
    completion = commands.add_parser(
        "completion",
        help="print the script for shell completion",
        description="Prints the script with which a shell completes commands, flags, formats and files.",
        epilog=_COMPLETION_EPILOG,
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def _add_explain(commands: _Commands) -> None:
    explain = commands.add_parser(
        "explain",
        help="explain a term of the report or of drift.yaml",
        description="Explains a status, change, cause, severity, exit status or setting.",
        epilog=_EXPLAIN_EPILOG,
    )
    explain.add_argument("term", nargs="?", metavar="TERM", help="the term; without it, all terms are listed")


def _add_report(commands: _Commands) -> None:
    report = commands.add_parser(
        "report",
        help="compare manifests with the live cluster once and report what differs",
        description="Compares manifests with the live cluster, or with a dump of one, and reports what differs.",
        epilog=_REPORT_EPILOG,
    )
    add_sources(report, "files or folders of manifests, kustomizations, or Helm charts; - for standard input")
    live = report.add_argument_group("cluster")
    add_list(
        live,
        "--live",
        type=path,
        metavar="PATH",
        help="compare with a dump (kubectl get ... -o yaml --show-managed-fields) instead of a cluster; repeatable",
    )
    add_list(
        live,
        "--kubeconfig",
        metavar="FILE",
        help="the kubeconfig, as with kubectl; repeatable, to scan several clusters",
    )
    add_list(
        live, "--context", metavar="NAME", help="the context of the kubeconfig; repeatable, to scan several clusters"
    )
    add_user_and_namespace(live)
    live.add_argument(
        "--request-timeout",
        type=duration,
        metavar="DURATION",
        help="timeout of one request to the API server; each retry has its own (default: 60s)",
    )
    live.add_argument(
        "--deadline",
        type=duration,
        metavar="DURATION",
        help="timeout of the whole scan; it then reports what it has read, as incomplete (default: 10m)",
    )
    scan = report.add_argument_group("comparison")
    add_comparison(scan)
    scan.add_argument(
        "--shard",
        metavar="I/N",
        help=(
            "scan part I of N of the namespaces, with 1 <= I <= N; `drift render` merges the reports "
            "(default: from JOB_COMPLETION_INDEX and JOB_COMPLETIONS if both are set, else everything)"
        ),
    )
    add_people(report.add_argument_group("people"))
    history = report.add_argument_group("history")
    add_history(history)
    history.add_argument(
        "--notify",
        choices=tuple(map(str, MessageFormat)),
        help="send new, worsened and resolved findings to the webhook at DRIFT_WEBHOOK_URL; needs --history",
    )
    history.add_argument(
        "--report-url",
        type=report_url,
        metavar="URL",
        help="where people find the HTML report; notifications link to it and to its findings",
    )
    output = report.add_argument_group("output")
    add_output(output, verbose="also show differences that are not drift and why, the settings in use, and retries")
    output.add_argument(
        "--suggest-ignores",
        action="store_true",
        help="print ignore rules for the findings, as a start for drift.yaml, instead of the text report",
    )
    output.add_argument(
        "--push-metrics", action="store_true", help="also send the metrics to the Pushgateway at DRIFT_PUSHGATEWAY_URL"
    )
    output.add_argument("--exit-zero", action="store_true", help="exit with 0 instead of 1 if there is drift")


def _add_watch(commands: _Commands) -> None:
    watch = commands.add_parser(
        "watch",
        help="compare manifests with the live cluster continuously",
        description=(
            "Watches the cluster and keeps the report current. Prints a line to standard output for each new and each "
            "resolved finding. Needs the permissions get, list and watch."
        ),
        epilog=_WATCH_EPILOG,
    )
    add_sources(watch, "files or folders of manifests, kustomizations, or Helm charts; reloaded when they change")
    live = watch.add_argument_group("cluster")
    live.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig, as with kubectl")
    live.add_argument("--context", metavar="NAME", help="the context of the kubeconfig")
    add_user_and_namespace(live)
    add_comparison(watch.add_argument_group("comparison"))
    people = watch.add_argument_group("people")
    add_list(
        people,
        "--audit-log",
        type=path,
        metavar="FILE",
        help="name the users behind the findings from this audit log of the API server, and follow it; repeatable",
    )
    people.add_argument(
        "--audit-webhook",
        type=port,
        metavar="PORT",
        help=(
            "also receive audit events as the webhook of the API server on this port, with the bearer token in "
            "DRIFT_AUDIT_TOKEN; 0 chooses a free port and prints it to standard error"
        ),
    )
    people.add_argument(
        "--audit-listen",
        metavar="ADDRESS",
        help="listen for audit events on this address (default: 127.0.0.1); any other needs TLS",
    )
    people.add_argument(
        "--audit-tls-cert",
        type=path,
        metavar="FILE",
        help="receive audit events over TLS with this certificate, in PEM, which is read again when it is renewed",
    )
    people.add_argument("--audit-tls-key", type=path, metavar="FILE", help="the private key of the certificate, in PEM")
    add_audit_users(people)
    add_history(watch.add_argument_group("history"))
    served = watch.add_argument_group("HTTP server")
    served.add_argument(
        "--metrics-port",
        type=port,
        default=_METRICS_PORT,
        metavar="PORT",
        help="serve the report, metrics and health on this port (default: %(default)s); 0 chooses a free port and "
        "prints it to standard error",
    )
    served.add_argument(
        "--listen",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="listen on this address (default: %(default)s; in a pod use 0.0.0.0); there is no authentication",
    )
    output = watch.add_argument_group("output")
    output.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="print each finding as a line of text or of JSON (default: %(default)s)",
    )
    output.add_argument("-v", "--verbose", action="store_true", help="also print the state of each watch")
    output.add_argument("-q", "--quiet", action="store_true", help="do not print findings")


def _add_render(commands: _Commands) -> None:
    rendering = commands.add_parser(
        "render",
        help="convert saved JSON reports to other formats, and merge them",
        description=(
            "Converts saved JSON reports to other formats. Several reports, of different clusters or of the shards of "
            "one, are merged."
        ),
        epilog=_RENDER_EPILOG,
    )
    rendering.add_argument(
        "reports",
        nargs="+",
        type=path,
        metavar="REPORT.json",
        help="a report written by --output json, or - for standard input",
    )
    add_output(rendering, verbose="also show ignored findings in the text report")


def _add_adopt(commands: _Commands) -> None:
    adopting = commands.add_parser(
        "adopt",
        help="print a patch that makes Git say what is live",
        description=(
            "Prints a patch for `git apply` that changes the manifests to what is live. It adopts edits by hand and "
            "changes of unknown cause, and leaves every other line of the files as it is. Needs no cluster."
        ),
        epilog=_ADOPT_EPILOG,
    )
    add_saved_report(adopting)
    adopting.add_argument("--write", action="store_true", help="edit the files instead of printing a patch")


def _add_revert(commands: _Commands) -> None:
    reverting = commands.add_parser(
        "revert",
        help="print the commands that make the cluster say what Git says",
        description=(
            "Prints kubectl commands that undo edits by hand and changes of unknown cause. Each fails if the cluster "
            "has changed since the report was made. Runs nothing, and needs no cluster."
        ),
        epilog=_REVERT_EPILOG,
    )
    add_saved_report(reverting)


def _add_guard(commands: _Commands) -> None:
    guarding = commands.add_parser(
        "guard",
        help="say what merging a change does to the drift that is open",
        description=(
            "Compares the manifests before and after a change with a saved report, and says for each edit by hand "
            "whether merging the change overwrites it, codifies it or leaves it. Needs no cluster."
        ),
        epilog=_GUARD_EPILOG,
    )
    guarding.add_argument(
        "report", type=path, metavar="REPORT.json", help="a report written by --output json, or - for standard input"
    )
    guarding.add_argument(
        "--base", required=True, metavar="REV", help="the Git revision into which the change is merged"
    )
    guarding.add_argument(
        "--head", metavar="REV", help="the Git revision after the change (default: the files of the work tree)"
    )
    guarding.add_argument(
        "--deadline",
        type=duration,
        metavar="DURATION",
        help="timeout of Git and of the programs that render, for all revisions together (default: 10m)",
    )
    add_exclude(guarding)
    add_config(guarding)
    add_output_format(guarding, "text", "markdown", "json", "github")


def _add_history(commands: _Commands) -> None:
    history = commands.add_parser(
        "history",
        help="show what drifted when, and for how long",
        description=(
            "Shows the record of `drift report --history`: each time that a finding was open, the worst first, and "
            "what was not checked."
        ),
        epilog=_HISTORY_EPILOG,
    )
    history.add_argument("file", type=path, metavar="FILE", help="a file written by --history; it is not changed")
    history.add_argument(
        "--since", metavar="WHEN", help="only findings open since then: a duration (30m, 12h, 7d, 2w), a date or a time"
    )
    history.add_argument("--open", action="store_true", help="only findings that are still open")
    history.add_argument("--object", metavar="GLOB", help="only objects with this name or Kind/name")
    history.add_argument("-n", "--namespace", metavar="GLOB", help="only objects in this namespace")
    history.add_argument(
        "--by",
        choices=("finding", "object", "kind", "manager", "person"),
        default="finding",
        help=(
            "list each finding, or what the findings have in common: the object, its kind, the field manager, or the "
            "user that an audit log named (default: %(default)s)"
        ),
    )
    add_output_format(history, "text", "json")
    add_color(history)
