"""The flags that several commands share, and how their values are read."""

import argparse
import re
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from drift.model import Cause, Severity
from drift.report.formats import COMMENT_LIMIT, SMALLEST_LIMIT, Format
from drift.words import did_you_mean

_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = r"(\d+(?:\.\d+)?)(h|ms|m|s)"
_LAST_PORT: Final = 65_535

_Flags: TypeAlias = "argparse.ArgumentParser | argparse._ArgumentGroup"  # noqa: SLF001


def add_list(to: _Flags, *names: str, **options: Any) -> None:
    """Adds a flag that may be repeated. The options are those of ``add_argument``."""
    to.add_argument(*names, action="append", default=[], **options)


def add_people(people: _Flags) -> None:
    """Adds the flags that name people."""
    add_list(
        people,
        "--audit-log",
        type=path,
        metavar="PATH",
        help=(
            "name the users behind the findings, from this audit log of the API server: a file with those rotated out "
            "of it, a folder, or - for standard input; also as EKS, GKE and AKS export it, also gzip; repeatable"
        ),
    )
    people.add_argument(
        "--blame", action="store_true", help="name the author of each finding's line in Git, from the local repository"
    )
    add_audit_users(people)


def add_audit_users(people: _Flags) -> None:
    """Adds the flags that say how users of an audit log are shown."""
    add_list(
        people,
        "--syncer",
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


def add_user_and_namespace(live: _Flags) -> None:
    """Adds the flags of impersonation and the default namespace, as with kubectl."""
    live.add_argument(
        "--as",
        dest="as_user",
        metavar="USER",
        help="impersonate this user, as with kubectl; for a service account system:serviceaccount:NAMESPACE:NAME",
    )
    add_list(live, "--as-group", metavar="GROUP", help="a group of the user to impersonate; repeatable")
    live.add_argument("--as-uid", metavar="UID", help="the UID of the user to impersonate")
    live.add_argument(
        "-n", "--namespace", metavar="NAME", help="the namespace of manifests without one (default: as kubectl)"
    )


def add_sources(command: argparse.ArgumentParser, paths: str) -> None:
    """Adds the sources of manifests. They replace ``sources:`` in ``drift.yaml``."""
    command.add_argument("sources", nargs="*", type=path, metavar="SOURCE", help=paths)
    sources = command.add_argument_group("sources")
    add_list(
        sources,
        "-f",
        "--filename",
        type=path,
        metavar="SOURCE",
        help="the same as SOURCE without a flag, as with kubectl; repeatable",
    )
    add_list(
        sources,
        "--helm-release",
        type=_release,
        metavar="all|[NAMESPACE/]NAME",
        help="compare with what Helm installed, from its release storage; repeatable",
    )
    add_list(
        sources,
        "--flux",
        type=_release,
        metavar="all|[NAMESPACE/]NAME",
        help="compare with what Flux applies, as its objects in the cluster say; repeatable",
    )
    add_list(
        sources,
        "--argocd",
        type=_release,
        metavar="all|[NAMESPACE/]NAME",
        help="compare with what Argo CD applies, as its Applications in the cluster say; repeatable",
    )
    add_list(
        sources,
        "--checkout",
        type=path,
        metavar="[URL=]PATH",
        help="a local checkout of a repository that Flux or Argo CD syncs, matched by its remotes or URL; repeatable "
        "(default: the one of the working directory)",
    )
    sources.add_argument(
        "--release", metavar="NAME", help="the release name for the chart (default: the name of the chart)"
    )
    add_list(
        sources, "--values", type=path, metavar="FILE", help="a values file of the chart, as with helm; repeatable"
    )
    add_list(
        sources, "--set", dest="set_values", metavar="KEY=VALUE", help="a value of the chart, as with helm; repeatable"
    )
    add_exclude(sources)


def add_exclude(to: _Flags) -> None:
    """Adds ``--exclude``."""
    add_list(
        to,
        "--exclude",
        type=_glob,
        metavar="GLOB",
        help="leave out files and folders that match, also below the given folders; repeatable",
    )


def add_config(to: _Flags) -> None:
    """Adds ``--config``."""
    to.add_argument(
        "--config",
        type=path,
        metavar="FILE",
        help="the settings file, with ignore rules (default: drift.yaml in the current folder, if it exists)",
    )


def _release(text: str) -> str:
    from drift.config.settings import RELEASE_NAME  # noqa: PLC0415

    if not RELEASE_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not all, NAME or NAMESPACE/NAME")
    return text


def path(text: str) -> str:
    """Returns the name of a file or folder."""
    # An unset variable of a shell. It would be the current folder.
    if not text:
        raise argparse.ArgumentTypeError("'' names no file")
    return text


def _applier(text: str) -> str:
    if not text.strip() or "*" in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not the full name of a field manager")
    return text


def _scope(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not a name")
    return text


def _glob(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("give a glob, such as '*-values.yaml' or 'apps/test'")
    return text


def add_comparison(scan: _Flags) -> None:
    """Adds the flags of every command that compares."""
    add_list(
        scan,
        "--applier",
        type=_applier,
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
    add_config(scan)


def add_history(history: _Flags) -> None:
    """Adds the flags of the history."""
    history.add_argument(
        "--history",
        type=path,
        metavar="FILE",
        help="record findings in this file, and report their ages and which are new or resolved",
    )
    history.add_argument(
        "--history-scope",
        type=_scope,
        metavar="NAME",
        help="the name of this scan in the file (default: the manifests' paths and the namespace)",
    )


def port(text: str) -> int:
    """Returns the number of a port; 0 stands for any free one."""
    if not text.isdecimal() or int(text) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 0 to {_LAST_PORT}")
    return int(text)


def add_saved_report(to: argparse.ArgumentParser) -> None:
    """Adds a saved report and the names of findings in it."""
    to.add_argument(
        "report", type=path, metavar="REPORT.json", help="a report written by --output json, or - for standard input"
    )
    to.add_argument(
        "names",
        nargs="*",
        metavar="ID|KIND/NAME",
        help="only these findings: the id of one, or those of an object (KIND/NAME or NAMESPACE/KIND/NAME)",
    )


def add_output(to: _Flags, verbose: str) -> None:
    """Adds the flags of every command that writes reports."""
    add_list(
        to,
        "--output",
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
        type=partial(_member, Severity),
        choices=tuple(Severity),
        metavar="LEVEL",
        help="text, Markdown and HTML show only findings of this severity and worse; the verdict and all others are "
        f"of everything ({', '.join(Severity)})",
    )
    to.add_argument(
        "--limit", type=_count, metavar="N", help="text, Markdown and HTML show only this many findings, the worst ones"
    )
    add_list(
        to,
        "--kind",
        metavar="KIND",
        help="text, Markdown and HTML show only this kind; * matches any characters; repeatable",
    )
    add_list(
        to,
        "--cause",
        type=partial(_member, Cause),
        choices=tuple(Cause),
        metavar="CAUSE",
        help=f"text, Markdown and HTML show only findings with this cause ({', '.join(Cause)}); repeatable",
    )
    add_list(
        to,
        "--only-namespace",
        metavar="NAME",
        help="text, Markdown and HTML show only objects in this namespace, '' for cluster-scoped ones; * matches any "
        "characters; repeatable",
    )
    to.add_argument("-v", "--verbose", action="store_true", help=verbose)
    to.add_argument(
        "-q", "--quiet", action="store_true", help="print only the --output formats, and only errors on standard error"
    )
    add_color(to)


def add_output_format(to: argparse.ArgumentParser, *forms: str) -> None:
    """Adds the flag of commands that write one result to standard output."""
    to.add_argument("--output", choices=forms, default=forms[0], help="(default: %(default)s)")


def add_color(to: _Flags) -> None:
    """Adds ``--color``."""
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


def report_url(text: str) -> str:
    """Returns the URL of a page."""
    try:
        parts = urlsplit(text)
        is_page = parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.fragment
    except ValueError:
        is_page = False
    if not is_page or not text.isascii() or not text.isprintable() or " " in text:
        raise argparse.ArgumentTypeError(f"{text!r} is not an http or https URL without a fragment")
    return text


def _member(kind: type[StrEnum], text: str) -> StrEnum:
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid value{did_you_mean(text, kind)}") from None


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
