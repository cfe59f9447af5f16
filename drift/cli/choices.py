"""What the flags, ``drift.yaml`` and the environment choose: clusters, sources, the shard, settings and audit logs."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from drift.cli.console import say
from drift.config.reader import load_settings
from drift.config.settings import RequestKind, Settings, SourceRequest
from drift.errors import UsageError
from drift.globs import FileGlob, Glob
from drift.model import Shard, SourceKind, Unmanaged
from drift.sources.kustomizations import kind_of_path

if TYPE_CHECKING:
    from drift.audit.join import AuditOptions

_AUDIT_KEY_VARIABLE: Final = "DRIFT_AUDIT_KEY"
_NO_SOURCE: Final = (
    "no source of manifests: name files, folders, kustomizations or charts, or use --flux all, --argocd all or "
    "--helm-release all; sources: in drift.yaml does the same"
)
_JOB_INDEX: Final = "JOB_COMPLETION_INDEX"
_JOB_COUNT: Final = "JOB_COMPLETIONS"
#: Six digits are more shards than any cluster has namespaces.
_SHARD: Final = re.compile(r"(\d{1,6})/(\d{1,6})", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,6}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ClusterTarget:
    """One cluster, as the flags name it.

    Attributes:
        kubeconfig: The file, or None for the one that kubectl would use.
        context: The context, or None for the current one.
    """

    kubeconfig: str | None = None
    context: str | None = None

    def __str__(self) -> str:
        """The name in messages, and in the report if the address of the server is unknown."""
        named = ((name, value) for name, value in (("context", self.context), ("kubeconfig", self.kubeconfig)) if value)
        return " of ".join(f"{name} {value}" for name, value in named) or "the current context"


def chosen_targets(kubeconfigs: Sequence[str], contexts: Sequence[str]) -> list[ClusterTarget]:
    """Returns the clusters that the flags name.

    A kubeconfig or context that is given once is combined with each of the others. If both are given equally often,
    they are paired in order.

    Raises:
        UsageError: The flags cannot be paired, or name a cluster twice.
    """
    files: Sequence[str | None] = kubeconfigs or [None]
    names: Sequence[str | None] = contexts or [None]
    most = max(len(files), len(names))
    if min(len(files), len(names)) not in {1, most}:
        raise UsageError(
            f"--kubeconfig is given {len(files)} times and --context {len(names)} times: give one of them once, "
            "or both equally often to pair them in order"
        )
    pairs = zip(_spread(files, most), _spread(names, most), strict=True)
    targets = [ClusterTarget(kubeconfig, context) for kubeconfig, context in pairs]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"{target} is named twice; name each cluster once")
    return targets


def _spread(values: Sequence[str | None], count: int) -> Sequence[str | None]:
    return values if len(values) == count else [values[0]] * count


def chosen_sources(options: argparse.Namespace, settings: Settings) -> tuple[SourceRequest, ...]:
    """Returns the sources of the command line, else those of the settings.

    Raises:
        UsageError: There are none, or a flag for a chart has no single chart to apply to.
    """
    requests = [
        *(SourceRequest(RequestKind.PATH, path) for path in options.sources),
        *(SourceRequest(RequestKind.HELM_RELEASE, name) for name in options.helm_release),
        *(SourceRequest(RequestKind.FLUX, name) for name in options.flux),
        *(SourceRequest(RequestKind.ARGOCD, name) for name in options.argocd),
    ]
    if options.release is not None or options.values or options.set_values:
        index = _only_chart(requests)
        requests[index] = replace(
            requests[index], release=options.release, values=tuple(options.values), set_values=tuple(options.set_values)
        )
    chosen = tuple(requests) or settings.sources
    if not chosen:
        raise UsageError(_NO_SOURCE)
    return chosen


def _only_chart(requests: Sequence[SourceRequest]) -> int:
    charts = [
        index
        for index, request in enumerate(requests)
        if request.kind is RequestKind.PATH and kind_of_path(request.target) is SourceKind.HELM_CHART
    ]
    if len(charts) != 1:
        raise UsageError(
            "--release, --values and --set apply to one chart, and "
            + (f"{len(charts)} are named; describe each below sources: in drift.yaml" if charts else "none is named")
        )
    return charts[0]


def scope_names(requests: Sequence[SourceRequest]) -> list[str]:
    """Returns what identifies the sources in a history: the paths, and other sources as on the command line."""
    return [request.target if request.kind is RequestKind.PATH else str(request) for request in requests]


def chosen_shard(flag: str | None, *, quiet: bool) -> Shard | None:
    """Returns the shard to scan, or None to scan everything.

    Prints a message if the shard comes from the environment, since the user may not know of it. The flag is ``I/N``
    with I counted from 1.

    Raises:
        UsageError: The flag or the environment does not name a shard.
    """
    if flag is not None:
        parts = _SHARD.fullmatch(flag)
        shard = None if parts is None else _shard(int(parts[1]), int(parts[2]))
        if shard is None:
            raise UsageError(f"--shard {flag}: must be I/N with 1 <= I <= N, for example 1/4")
        return _unless_whole(shard)
    index, count = os.environ.get(_JOB_INDEX), os.environ.get(_JOB_COUNT)
    if index is None or count is None:
        return None
    numbers = _NUMBER.fullmatch(index) and _NUMBER.fullmatch(count)
    # Kubernetes counts the pods of an Indexed Job from 0.
    shard = _shard(int(index) + 1, int(count)) if numbers else None
    if shard is None:
        raise UsageError(
            f"{_JOB_INDEX}={index} with {_JOB_COUNT}={count}: must be numbers with 0 <= {_JOB_INDEX} < {_JOB_COUNT}"
        )
    if not quiet:
        say(f"scanning {shard}, from {_JOB_INDEX}={index} and {_JOB_COUNT}={count}")
    return _unless_whole(shard)


def _shard(index: int, count: int) -> Shard | None:
    return Shard(index, count) if 1 <= index <= count else None


def _unless_whole(shard: Shard) -> Shard | None:
    return shard if shard.count > 1 else None


def chosen_settings(options: argparse.Namespace) -> Settings:
    """Reads the settings and applies the flags: --unmanaged replaces a setting, the others add to one.

    Raises:
        ConfigError: The settings are invalid.
    """
    settings = load_settings(options.config)
    return replace(
        settings,
        appliers=(*options.applier, *settings.appliers),
        syncers=(*map(Glob, options.syncer), *settings.syncers),
        unmanaged=Unmanaged(options.unmanaged) if options.unmanaged else settings.unmanaged,
        exclude=(*map(FileGlob, options.exclude), *settings.exclude),
    )


def audit_options(options: argparse.Namespace) -> "AuditOptions":
    """Returns the audit log and how to show its users, as the flags name them."""
    from drift.audit.join import AuditOptions  # noqa: PLC0415
    from drift.audit.users import AuditUsers, Pseudonyms, pseudonym_key  # noqa: PLC0415

    pseudonyms = Pseudonyms(AuditUsers(options.audit_users), pseudonym_key(os.environ.get(_AUDIT_KEY_VARIABLE)))
    return AuditOptions(tuple(options.audit_log), pseudonyms)
