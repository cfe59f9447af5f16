"""The flags of the command line and what their help says."""

import argparse
from pathlib import Path
from typing import Final

from drift import __version__

_EXIT_STATUS: Final = """\
exit status:
  0  in sync
  1  drift
  2  usage, configuration or manifest error
  3  the scan is incomplete: something could not be read, so "in sync" cannot be claimed
"""
FORMATS: Final = ("text", "json")


def build_parser() -> argparse.ArgumentParser:
    """The parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="drift",
        description="Compares a live Kubernetes cluster with manifests, read-only, and reports what differs and why.",
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"drift {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_report(commands)
    _add_explain(commands)
    return parser


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
    live.add_argument("--kubeconfig", metavar="FILE", help="the kubeconfig to use, as with kubectl")
    live.add_argument("--context", metavar="NAME", help="the context of the kubeconfig to use")
    live.add_argument(
        "-n", "--namespace", metavar="NAME", help="the namespace of objects that name none (default: as kubectl)"
    )
    scan = report.add_argument_group("what counts")
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
    output = report.add_argument_group("output")
    output.add_argument(
        "--output",
        action="append",
        default=[],
        type=_output,
        metavar="FORMAT[=FILE]",
        help=f"{', '.join(FORMATS)} (default: text); to a file or to standard output; repeatable",
    )
    output.add_argument(
        "--suggest-ignores",
        action="store_true",
        help="instead of the text report, print ignore rules for what was found, as a start for drift.yaml",
    )
    output.add_argument("--exit-zero", action="store_true", help="end with 0 also when drift was found")
    output.add_argument("-v", "--verbose", action="store_true", help="also say what is not reported, and why")
    output.add_argument("-q", "--quiet", action="store_true", help="print no text report and no notes")
    output.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="colour the text (default: %(default)s)"
    )


def _output(text: str) -> tuple[str, Path | None]:
    name, separator, file = text.partition("=")
    if name not in FORMATS:
        raise argparse.ArgumentTypeError(f"{name!r} is not a format; there are {', '.join(FORMATS)}")
    if separator and not file:
        raise argparse.ArgumentTypeError(f"{text!r} names no file")
    return name, Path(file) if separator else None
