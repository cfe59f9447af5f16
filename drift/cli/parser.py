"""The commands, flags and help texts of the command line."""

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NoReturn, cast
from urllib.parse import urlsplit

from drift import __version__
from drift.cli.console import write_stderr
from drift.model import Cause, Severity
from drift.report.formats import COMMENT_LIMIT, SMALLEST_LIMIT, Format, MessageFormat
from drift.spelling import closest, did_you_mean, suggestion

_EPILOG: Final = """\
examples:
  drift report manifests/ --context production
  drift help report
  drift explain pending-sync

exit status:
  0  in sync
  1  drift
  2  usage, configuration or manifest error
  3  the scan is incomplete: something could not be read, so "in sync" cannot be claimed
"""
_REPORT_EPILOG: Final = """\
examples:
  drift report manifests/ --context production
  drift report clusters/production --history drift.db --output text --output json=report.json
  drift report --flux all --audit-log audit.log
  drift report manifests/ --live live.yaml

exit status:
  0  in sync
  1  drift
  2  usage, configuration or manifest error
  3  the scan is incomplete: something could not be read, so "in sync" cannot be claimed
"""
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
  drift adopt report.json | git apply
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
_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = r"(\d+(?:\.\d+)?)(h|ms|m|s)"
_METRICS_PORT: Final = 9480
_LAST_PORT: Final = 65_535
_COMPLETION_EPILOG: Final = """\
examples, for the current shell or its startup file:
  bash  source <(drift completion bash)
  zsh   autoload -Uz compinit && compinit && eval "$(drift completion zsh)"
  fish  drift completion fish | source
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are short, suggest what was meant, and do not repeat passwords in URLs."""

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
        formatter_class=argparse.RawDescriptionHelpFormatter,
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


def _add_help_and_version(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    helping = commands.add_parser(
        "help",
        help="print the help of a command",
        description="Prints the help of a command, or the list of commands.",
        epilog=_HELP_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands.add_parser(
        "version",
        help="print the version",
        description="Prints the version, as `drift --version` does.",
        epilog=_VERSION_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    helping.set_defaults(asked=True)
    helping.add_argument("topic", nargs="?", choices=tuple(commands.choices), metavar="COMMAND", help="the command")


def _add_completion(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    completion = commands.add_parser(
        "completion",
        help="print the script for shell completion",
        description="Prints the script with which a shell completes commands, flags, formats and files.",
        epilog=_COMPLETION_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    completion.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def _add_explain(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    explain = commands.add_parser(
        "explain",
        help="explain a term of the report or of drift.yaml",
        description="Explains a status, change, cause, severity, exit status or setting.",
        epilog=_EXPLAIN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    explain.add_argument("term", nargs="?", metavar="TERM", help="the term; without it, all terms are listed")


def _add_report(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    report = commands.add_parser(
        "report",
        help="compare manifests with the live cluster once and report what differs",
        description="Compares manifests with the live cluster, or with a dump of one, and reports what differs.",
        epilog=_REPORT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_sources(report, "files or folders of manifests, kustomizations, or Helm charts; - for standard input")
    live = report.add_argument_group("cluster")
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
        help="the kubeconfig, as with kubectl; repeatable, to scan several clusters",
    )
    live.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NAME",
        help="the context of the kubeconfig; repeatable, to scan several clusters",
    )
    _add_impersonation(live)
    _add_namespace(live)
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
    _add_what_counts(scan)
    scan.add_argument(
        "--shard",
        metavar="I/N",
        help=(
            "scan part I of N of the namespaces, with 1 <= I <= N; `drift render` merges the reports "
            "(default: from JOB_COMPLETION_INDEX and JOB_COMPLETIONS if both are set, else everything)"
        ),
    )
    _add_people(report.add_argument_group("people"))
    memory = report.add_argument_group("history")
    _add_memory(memory)
    memory.add_argument(
        "--notify",
        choices=tuple(map(str, MessageFormat)),
        help="send new, worsened and resolved findings to the webhook at DRIFT_WEBHOOK_URL; needs --history",
    )
    memory.add_argument(
        "--report-url",
        type=_report_url,
        metavar="URL",
        help="where people find the HTML report; notifications link to it and to its findings",
    )
    output = report.add_argument_group("output")
    _add_output(output, verbose="also show differences that are not drift and why, the settings in use, and retries")
    output.add_argument(
        "--suggest-ignores",
        action="store_true",
        help="print ignore rules for the findings, as a start for drift.yaml, instead of the text report",
    )
    output.add_argument(
        "--push-metrics",
        action="store_true",
        help="also send the metrics to the Pushgateway at DRIFT_PUSHGATEWAY_URL",
    )
    output.add_argument("--exit-zero", action="store_true", help="exit with 0 instead of 1 if there is drift")


def _add_people(people: "argparse._ArgumentGroup") -> None:
    """Adds the flags that name people."""
    people.add_argument(
        "--audit-log",
        action="append",
        default=[],
        metavar="PATH",
        help=(
            "name the users behind the findings, from this audit log of the API server: a file with those rotated out "
            "of it, a folder, or - for standard input; also as EKS, GKE and AKS export it, also gzip; repeatable"
        ),
    )
    people.add_argument(
        "--blame",
        action="store_true",
        help="name the author of each finding's line in Git, from the local repository",
    )
    _add_audit_users(people)


def _add_audit_users(people: "argparse._ArgumentGroup") -> None:
    people.add_argument(
        "--syncer",
        action="append",
        default=[],
        metavar="USER",
        help=(
            "a user in the audit log that syncs Git, such as that of a pipeline, beside the service accounts of GitOps "
            "controllers; * matches any characters; repeatable"
        ),
    )
    people.add_argument(
        "--audit-users",
        choices=("full", "hashed", "none"),
        default="full",
        help=(
            "show users in full, as pseudonyms, or not at all (default: %(default)s); pseudonyms are the same in each "
            "run if DRIFT_AUDIT_KEY is set"
        ),
    )


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


def _add_sources(command: argparse.ArgumentParser, paths: str) -> None:
    """Adds the sources of manifests. They replace ``sources:`` in ``drift.yaml``."""
    command.add_argument("sources", nargs="*", metavar="SOURCE", help=paths)
    sources = command.add_argument_group("sources")
    sources.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        metavar="SOURCE",
        help="the same as SOURCE without a flag, as with kubectl; repeatable",
    )
    sources.add_argument(
        "--helm-release",
        action="append",
        default=[],
        type=_release,
        metavar="all|[NAMESPACE/]NAME",
        help="compare with what Helm installed, from its release storage; repeatable",
    )
    sources.add_argument(
        "--flux",
        action="append",
        default=[],
        type=_release,
        metavar="all|[NAMESPACE/]NAME",
        help="compare with what Flux applies, as its objects in the cluster say; repeatable",
    )
    sources.add_argument(
        "--argocd",
        action="append",
        default=[],
        type=_release,
        metavar="all|[NAMESPACE/]NAME",
        help="compare with what Argo CD applies, as its Applications in the cluster say; repeatable",
    )
    sources.add_argument(
        "--checkout",
        action="append",
        default=[],
        metavar="[URL=]PATH",
        help="a local checkout of a repository that Flux or Argo CD syncs, matched by its remotes or URL; repeatable "
        "(default: the one of the working directory)",
    )
    sources.add_argument(
        "--release", metavar="NAME", help="the release name for the chart (default: the name of the chart)"
    )
    sources.add_argument(
        "--values",
        action="append",
        default=[],
        metavar="FILE",
        help="a values file of the chart, as with helm; repeatable",
    )
    sources.add_argument(
        "--set",
        action="append",
        default=[],
        dest="set_values",
        metavar="KEY=VALUE",
        help="a value of the chart, as with helm; repeatable",
    )
    _add_exclude(sources)


def _add_exclude(to: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    to.add_argument(
        "--exclude",
        action="append",
        default=[],
        type=_glob,
        metavar="GLOB",
        help="leave out files and folders that match, also below the given folders; repeatable",
    )


def _add_config(to: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    to.add_argument(
        "--config",
        metavar="FILE",
        help="the settings file, with ignore rules (default: drift.yaml in the current folder, if it exists)",
    )


def _release(text: str) -> str:
    from drift.config.settings import RELEASE_NAME  # noqa: PLC0415

    if not RELEASE_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not all, NAME or NAMESPACE/NAME")
    return text


def _glob(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("give a glob, such as '*-values.yaml' or 'apps/test'")
    return text


def _add_namespace(live: "argparse._ArgumentGroup") -> None:
    live.add_argument(
        "-n", "--namespace", metavar="NAME", help="the namespace of manifests without one (default: as kubectl)"
    )


def _add_what_counts(scan: "argparse._ArgumentGroup") -> None:
    """Adds the flags of every command that compares."""
    scan.add_argument(
        "--applier",
        action="append",
        default=[],
        metavar="NAME",
        help="the name of an additional field manager that applies Git to the cluster; repeatable",
    )
    scan.add_argument(
        "--synced-revision",
        metavar="REV",
        help="the Git revision that was synced last (default: the one that Flux or Argo CD records)",
    )
    scan.add_argument(
        "--unmanaged",
        choices=("off", "namespace", "cluster"),
        help="where to search for live objects that are not in Git (default: as set in drift.yaml, else namespace)",
    )
    _add_config(scan)


def _add_memory(memory: "argparse._ArgumentGroup") -> None:
    """Adds the flags of the history."""
    memory.add_argument(
        "--history",
        metavar="FILE",
        help="record findings in this file, and report their ages and which are new or resolved",
    )
    memory.add_argument(
        "--history-scope",
        metavar="NAME",
        help="the name of this scan in the file (default: the manifests' paths and the namespace)",
    )


def _add_watch(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    watch = commands.add_parser(
        "watch",
        help="compare manifests with the live cluster continuously",
        description=(
            "Watches the cluster and keeps the report current. Prints a line to standard output for each new and each "
            "resolved finding. Needs the permissions get, list and watch."
        ),
        epilog=_WATCH_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_sources(watch, "files or folders of manifests, kustomizations, or Helm charts; reloaded when they change")
    live = watch.add_argument_group("cluster")
    live.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig, as with kubectl")
    live.add_argument("--context", metavar="NAME", help="the context of the kubeconfig")
    _add_impersonation(live)
    _add_namespace(live)
    _add_what_counts(watch.add_argument_group("comparison"))
    people = watch.add_argument_group("people")
    people.add_argument(
        "--audit-log",
        action="append",
        default=[],
        metavar="FILE",
        help="name the users behind the findings from this audit log of the API server, and follow it; repeatable",
    )
    people.add_argument(
        "--audit-webhook",
        type=_port,
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
        metavar="FILE",
        help="receive audit events over TLS with this certificate, in PEM, which is read again when it is renewed",
    )
    people.add_argument("--audit-tls-key", metavar="FILE", help="the private key of the certificate, in PEM")
    _add_audit_users(people)
    _add_memory(watch.add_argument_group("history"))
    served = watch.add_argument_group("HTTP server")
    served.add_argument(
        "--metrics-port",
        type=_port,
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


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {_LAST_PORT}")
    return int(text)


def _add_render(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    rendering = commands.add_parser(
        "render",
        help="convert saved JSON reports to other formats, and merge them",
        description=(
            "Converts saved JSON reports to other formats. Several reports, of different clusters or of the shards of "
            "one, are merged."
        ),
        epilog=_RENDER_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    rendering.add_argument(
        "reports", nargs="+", metavar="REPORT.json", help="a report written by --output json, or - for standard input"
    )
    _add_output(rendering, verbose="also show ignored findings in the text report")


def _add_adopt(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    adopting = commands.add_parser(
        "adopt",
        help="print a patch that makes Git say what is live",
        description=(
            "Prints a patch for `git apply` that changes the manifests to what is live. It adopts edits by hand and "
            "changes of unknown cause, and leaves every other line of the files as it is. Needs no cluster."
        ),
        epilog=_ADOPT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_saved_report(adopting)
    adopting.add_argument("--write", action="store_true", help="edit the files instead of printing a patch")


def _add_revert(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    reverting = commands.add_parser(
        "revert",
        help="print the commands that make the cluster say what Git says",
        description=(
            "Prints kubectl commands that undo edits by hand and changes of unknown cause. Each fails if the cluster "
            "has changed since the report was made. Runs nothing, and needs no cluster."
        ),
        epilog=_REVERT_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_saved_report(reverting)


def _add_saved_report(to: argparse.ArgumentParser) -> None:
    to.add_argument("report", metavar="REPORT.json", help="a report written by --output json, or - for standard input")
    to.add_argument(
        "names",
        nargs="*",
        metavar="ID|KIND/NAME",
        help="only these findings: the id of one, or those of an object (KIND/NAME or NAMESPACE/KIND/NAME)",
    )


def _add_guard(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    guarding = commands.add_parser(
        "guard",
        help="say what merging a change does to the drift that is open",
        description=(
            "Compares the manifests before and after a change with a saved report, and says for each edit by hand "
            "whether merging the change overwrites it, codifies it or leaves it. Needs no cluster."
        ),
        epilog=_GUARD_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    guarding.add_argument(
        "report", metavar="REPORT.json", help="a report written by --output json, or - for standard input"
    )
    guarding.add_argument("--base", required=True, metavar="REV", help="the Git revision before the change")
    guarding.add_argument(
        "--head", metavar="REV", help="the Git revision after the change (default: the files of the work tree)"
    )
    _add_exclude(guarding)
    _add_config(guarding)
    _add_form(guarding, "text", "markdown", "json", "github")


def _add_history(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    history = commands.add_parser(
        "history",
        help="show what drifted when, and for how long",
        description=(
            "Shows the record of `drift report --history`: each time that a finding was open, the worst first, and "
            "what was not checked."
        ),
        epilog=_HISTORY_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    history.add_argument("file", metavar="FILE", help="a file written by --history; it is not changed")
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
    _add_form(history, "text", "json")
    _add_color(history)


def _add_output(to: "argparse.ArgumentParser | argparse._ArgumentGroup", verbose: str) -> None:
    """Adds the flags of every command that writes reports."""
    to.add_argument(
        "--output",
        action="append",
        default=[],
        type=_output,
        metavar="FORMAT[=FILE]",
        help=f"{', '.join(Format)} (default: text); to a file, or to standard output; repeatable",
    )
    to.add_argument(
        "--markdown-limit",
        type=_markdown_limit,
        default=COMMENT_LIMIT,
        metavar="BYTES",
        help="maximum size of Markdown (default: %(default)s, a GitHub comment; a step summary holds 1048576)",
    )
    to.add_argument(
        "--severity",
        type=Severity,
        choices=tuple(Severity),
        metavar="LEVEL",
        help="text, Markdown and HTML show only findings of this severity and worse; the verdict and all others are "
        f"of everything ({', '.join(Severity)})",
    )
    to.add_argument(
        "--limit",
        type=_count,
        metavar="N",
        help="text, Markdown and HTML show only this many findings, the worst ones",
    )
    to.add_argument(
        "--kind",
        action="append",
        default=[],
        metavar="KIND",
        help="text, Markdown and HTML show only this kind; * matches any characters; repeatable",
    )
    to.add_argument(
        "--cause",
        action="append",
        default=[],
        type=Cause,
        choices=tuple(Cause),
        metavar="CAUSE",
        help=f"text, Markdown and HTML show only findings with this cause ({', '.join(Cause)}); repeatable",
    )
    to.add_argument(
        "--only-namespace",
        action="append",
        default=[],
        metavar="NAME",
        help="text, Markdown and HTML show only objects in this namespace, '' for cluster-scoped ones; * matches any "
        "characters; repeatable",
    )
    to.add_argument("-v", "--verbose", action="store_true", help=verbose)
    to.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="print only the --output formats, and only errors on standard error",
    )
    _add_color(to)


def _add_form(to: argparse.ArgumentParser, *forms: str) -> None:
    """Adds the flag of commands that write one result to standard output."""
    to.add_argument("--output", choices=forms, default=forms[0], help="(default: %(default)s)")


def _add_color(to: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    to.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colour the text (default: %(default)s)"
    )


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)


def _markdown_limit(text: str) -> int:
    if not text.isdecimal() or int(text) < SMALLEST_LIMIT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of {SMALLEST_LIMIT} or more")
    return int(text)


def _report_url(text: str) -> str:
    try:
        parts = urlsplit(text)
        is_page = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.fragment
    except ValueError:
        is_page = False
    if not is_page or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not an http or https URL without a fragment")
    return text


def _output(text: str) -> tuple[Format, Path | None]:
    name, separator, file = text.partition("=")
    try:
        form = Format(name)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{name!r} is not a format{did_you_mean(name, Format)}") from None
    if separator and not file:
        raise argparse.ArgumentTypeError(f"{text!r} names no file")
    return form, Path(file) if separator else None


def duration(text: str) -> float:
    """Returns the seconds of a duration such as ``90s``, ``10m``, ``1h30m``, or a plain number of seconds.

    Raises:
        argparse.ArgumentTypeError: The text is not a duration, or is zero: there is no way to turn a timeout off.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    elif re.fullmatch(f"({_PART})+", text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
    else:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write it like 90s, 10m or 1h30m")
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is not longer than zero; write it like 90s, 10m or 1h30m")
    return seconds
