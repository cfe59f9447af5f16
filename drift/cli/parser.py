"""The flags of the command line and what their help says."""

import argparse
from pathlib import Path
from typing import Final, NoReturn

from drift import __version__
from drift.cli.durations import duration
from drift.notify.formats import MessageFormat
from drift.report.formats import COMMENT_LIMIT, SMALLEST_LIMIT, Format

_EXIT_STATUS: Final = """\
exit status:
  0  in sync
  1  drift
  2  usage, configuration or manifest error
  3  the scan is incomplete: something could not be read, so "in sync" cannot be claimed
"""
_RENDER_EXIT_STATUS: Final = """\
exit status:
  0  the reports were read and written, whatever they say; `drift report` has ended with what it found
  2  usage error, or a file that is no report
"""
_WATCH_EPILOG: Final = """\
what is served:
  /report   the report as HTML, JSON or text, by Accept, by ?format= or as /report.json
  /healthz  200 while the report is complete and current, else 503 and why it is not
  /metrics  for Prometheus

exit status:
  0  ended by SIGTERM or SIGINT
  2  usage, configuration or manifest error at the start
  3  no API server, or no credentials for it, at the start
"""
_METRICS_PORT: Final = 9480
_LAST_PORT: Final = 65_535
_COMPLETION: Final = """\
for the shell that runs now, or in its start-up file:
  bash  source <(drift completion bash)
  zsh   autoload -Uz compinit && compinit && eval "$(drift completion zsh)"
  fish  drift completion fish | source
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors repeat no password of a URL that was mistaken for something else."""

    def error(self, message: str) -> NoReturn:
        """Ends with the usage and the message."""
        from drift.redaction import without_passwords  # noqa: PLC0415

        super().error(without_passwords(message))


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser: argparse.ArgumentParser = _Parser(
        prog="drift",
        description="Compares a live Kubernetes cluster with manifests, read-only, and reports what differs and why.",
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"drift {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_report(commands)
    _add_render(commands)
    _add_watch(commands)
    _add_history(commands)
    _add_explain(commands)
    _add_completion(commands)
    return parser


def _add_completion(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    completion = commands.add_parser(
        "completion",
        help="print a script by which a shell completes commands, flags and files",
        description="Prints a script by which a shell completes commands, flags, formats and files.",
        epilog=_COMPLETION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def _add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    explain = commands.add_parser(
        "explain",
        help="say what a word of the report or of drift.yaml means",
        description="Says what a status, a change, a cause, a severity, an exit status or a setting means.",
    )
    explain.add_argument("term", nargs="?", metavar="TERM", help="the word; without one, all of them are listed")


def _add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    report = commands.add_parser(
        "report",
        help="compare manifests with the live cluster once and report what differs",
        description="Compares manifests with the live cluster, or with a dump of one, and reports what differs.",
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    report.add_argument(
        "manifests",
        nargs="+",
        metavar="MANIFESTS",
        help="files or folders of YAML or JSON manifests, or - for standard input",
    )
    live = report.add_argument_group("the live side")
    live.add_argument(
        "--live",
        action="append",
        default=[],
        metavar="PATH",
        help="compare with a dump (kubectl get ... -o yaml --show-managed-fields) instead of a cluster; repeatable",
    )
    live.add_argument(
        "--kubeconfig",
        action="append",
        default=[],
        metavar="FILE",
        help="the kubeconfig to use, as with kubectl; repeatable, for several clusters in one report",
    )
    live.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NAME",
        help="the context of the kubeconfig to use; repeatable, for several clusters in one report",
    )
    _add_impersonation(live)
    _add_namespace(live)
    live.add_argument(
        "--request-timeout",
        type=duration,
        metavar="DURATION",
        help="how long to wait for one answer of the API server, each time it is asked (default: 60s)",
    )
    live.add_argument(
        "--deadline",
        type=duration,
        metavar="DURATION",
        help="when to stop asking, and report what was read until then as an incomplete scan (default: 10m)",
    )
    scan = report.add_argument_group("what counts")
    _add_what_counts(scan)
    scan.add_argument(
        "--shard",
        metavar="I/N",
        help=(
            "scan one of N parts of the namespaces, I from 1 to N; `drift render` merges the reports "
            "(default: by JOB_COMPLETION_INDEX and JOB_COMPLETIONS where both are set, else everything)"
        ),
    )
    memory = report.add_argument_group("history")
    _add_memory(memory)
    memory.add_argument(
        "--notify",
        choices=tuple(map(str, MessageFormat)),
        help="send what is new, worsened or resolved to the webhook whose URL is in DRIFT_WEBHOOK_URL",
    )
    output = report.add_argument_group("output")
    _add_output(
        output, verbose="also say what is not reported and why, what the scan goes by, and which requests are repeated"
    )
    output.add_argument(
        "--suggest-ignores",
        action="store_true",
        help="instead of the text report, print ignore rules for what was found, as a start for drift.yaml",
    )
    output.add_argument(
        "--push-metrics",
        action="store_true",
        help="also send the metrics to the Pushgateway at the address in DRIFT_PUSHGATEWAY_URL",
    )
    output.add_argument("--exit-zero", action="store_true", help="end with 0 also when drift was found")


def _add_impersonation(live: "argparse._ArgumentGroup") -> None:
    live.add_argument(
        "--as",
        dest="as_user",
        metavar="USER",
        help="impersonate this user, as with kubectl; for a service account system:serviceaccount:NAMESPACE:NAME",
    )
    live.add_argument(
        "--as-group",
        action="append",
        default=[],
        metavar="GROUP",
        help="a group of the user to impersonate; repeatable",
    )
    live.add_argument("--as-uid", metavar="UID", help="the UID of the user to impersonate")


def _add_namespace(live: "argparse._ArgumentGroup") -> None:
    live.add_argument(
        "-n", "--namespace", metavar="NAME", help="the namespace of objects that name none (default: as kubectl)"
    )


def _add_what_counts(scan: "argparse._ArgumentGroup") -> None:
    """The flags on what drift is, which every command that compares has."""
    scan.add_argument(
        "--applier",
        action="append",
        default=[],
        metavar="NAME",
        help="one more field manager that syncs Git into the cluster; repeatable",
    )
    scan.add_argument(
        "--synced-revision",
        metavar="REV",
        help="the Git revision that was last synced (default: the one that Flux or Argo CD records)",
    )
    scan.add_argument(
        "--unmanaged",
        choices=("off", "namespace", "cluster"),
        help="where to look for live objects that Git does not have (default: as drift.yaml says, else namespace)",
    )
    scan.add_argument(
        "--config",
        metavar="FILE",
        help="what to ignore and other settings (default: drift.yaml in the current folder, if it is there)",
    )


def _add_memory(memory: "argparse._ArgumentGroup") -> None:
    """The flags on what is remembered."""
    memory.add_argument(
        "--history",
        metavar="FILE",
        help="remember what was found in this file, and report since when and what is new or resolved",
    )
    memory.add_argument(
        "--history-scope",
        metavar="NAME",
        help="what tells this scan from others in the file (default: the manifests' paths and the namespace)",
    )


def _add_watch(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    watch = commands.add_parser(
        "watch",
        help="compare manifests with the live cluster continuously",
        description=(
            "Keeps the verdict of `drift report` current from watches, and says on standard output what drifts and "
            "what is resolved, one line each, as it happens. Needs the rights to get, list and watch."
        ),
        epilog=_WATCH_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    watch.add_argument(
        "manifests",
        nargs="+",
        metavar="MANIFESTS",
        help="files or folders of YAML or JSON manifests; read again when they change",
    )
    live = watch.add_argument_group("the live side")
    live.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig to use, as with kubectl")
    live.add_argument("--context", metavar="NAME", help="the context of the kubeconfig to use")
    _add_impersonation(live)
    _add_namespace(live)
    _add_what_counts(watch.add_argument_group("what counts"))
    _add_memory(watch.add_argument_group("history"))
    served = watch.add_argument_group("what is served")
    served.add_argument(
        "--metrics-port",
        type=_port,
        default=_METRICS_PORT,
        metavar="PORT",
        help="serve the report, its metrics and the health over HTTP on this port (default: %(default)s); 0 takes a "
        "free one and names it on standard error",
    )
    served.add_argument(
        "--listen",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="listen on this address (default: %(default)s; in a pod 0.0.0.0); there is no authentication",
    )
    output = watch.add_argument_group("output")
    output.add_argument(
        "--output",
        choices=("text", "json"),
        default="text",
        help="how findings are written to standard output: a line of text or of JSON each (default: %(default)s)",
    )
    output.add_argument("-v", "--verbose", action="store_true", help="also say what becomes of each watch")
    output.add_argument("-q", "--quiet", action="store_true", help="write no findings")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {_LAST_PORT}")
    return int(text)


def _add_render(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    rendering = commands.add_parser(
        "render",
        help="write saved JSON reports in other formats, several merged into one",
        description=(
            "Writes saved JSON reports in other formats. Several reports, of clusters or of the parts of one, "
            "are merged into one."
        ),
        epilog=_RENDER_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rendering.add_argument(
        "reports", nargs="+", metavar="REPORT.json", help="what --output json wrote, or - for standard input"
    )
    _add_output(rendering, verbose="text also shows the findings that rules ignore")


def _add_history(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    history = commands.add_parser(
        "history",
        help="show what drifted when, and for how long",
        description="Shows what `drift report --history` remembers: a line for each time that something was open.",
    )
    history.add_argument("file", metavar="FILE", help="what --history wrote; it is only read")
    history.add_argument(
        "--since", metavar="WHEN", help="only what was open since then: a span (30m, 12h, 7d, 2w), a date or a time"
    )
    history.add_argument("--open", action="store_true", help="only what is open still")
    history.add_argument("--object", metavar="GLOB", help="only objects of this name, or of this Kind/name")
    history.add_argument("-n", "--namespace", metavar="GLOB", help="only objects in such a namespace")
    history.add_argument("--output", choices=("text", "json"), default="text", help="(default: %(default)s)")
    history.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colour the text (default: %(default)s)"
    )


def _add_output(to: "argparse.ArgumentParser | argparse._ArgumentGroup", verbose: str) -> None:
    """The flags on formats, which every command that writes reports has."""
    to.add_argument(
        "--output",
        action="append",
        default=[],
        type=_output,
        metavar="FORMAT[=FILE]",
        help=f"{', '.join(Format)} (default: text); to a file or to standard output; repeatable",
    )
    to.add_argument(
        "--markdown-limit",
        type=_markdown_limit,
        default=COMMENT_LIMIT,
        metavar="BYTES",
        help="how long Markdown may be (default: %(default)s, a comment on GitHub; a step summary holds 1048576)",
    )
    to.add_argument("-v", "--verbose", action="store_true", help=verbose)
    to.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="print only what --output asks for, and nothing on standard error but errors",
    )
    to.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colour the text (default: %(default)s)"
    )


def _markdown_limit(text: str) -> int:
    if not text.isdecimal() or int(text) < SMALLEST_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of {SMALLEST_LIMIT} or more")
    return int(text)


def _output(text: str) -> tuple[Format, Path | None]:
    name, separator, file = text.partition("=")
    try:
        form = Format(name)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name!r} is not a format; there are {', '.join(Format)}") from None
    if separator and not file:
        raise argparse.ArgumentTypeError(f"{text!r} names no file")
    return form, Path(file) if separator else None
