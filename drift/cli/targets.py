"""The clusters of one run: which they are, by the flags, and scanning several of them side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from drift.errors import ConnectError, ScanError, UsageError
from drift.kube.api_server import ApiServer
from drift.kube.connection import Connection, connect
from drift.kube.impersonation import Impersonation
from drift.kube.limits import Limits, call_with_timeout
from drift.model import ClusterInfo, ManifestsInfo, Report, Shard

#: Clusters that are scanned at the same time. Waiting for answers overlaps; memory is needed for each.
_AT_ONCE: Final = 4
_NOT_KNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Target:
    """One cluster, as the flags name it.

    Attributes:
        kubeconfig: A file; None for the one that kubectl would take.
        context: A context of it; None for its current one.
    """

    kubeconfig: str | None = None
    context: str | None = None

    def __str__(self) -> str:
        """For messages, and in place of a server that is not known."""
        named = ((name, value) for name, value in (("context", self.context), ("kubeconfig", self.kubeconfig)) if value)
        return " of ".join(f"{name} {value}" for name, value in named) or "the current context"


def chosen_targets(kubeconfigs: Sequence[str], contexts: Sequence[str]) -> list[Target]:
    """The clusters that the flags name.

    What is given once goes with each of the others; what is given equally often is paired in its order.

    Raises:
        UsageError: The flags cannot be paired, or name one cluster twice.
    """
    files: Sequence[str | None] = kubeconfigs or [None]
    names: Sequence[str | None] = contexts or [None]
    most = max(len(files), len(names))
    if min(len(files), len(names)) not in {1, most}:
        raise UsageError(
            f"--kubeconfig is given {len(files)} times and --context {len(names)} times: give one of them once, "
            "or both equally often, so that each kubeconfig has its context"
        )
    pairs = zip(_spread(files, most), _spread(names, most), strict=True)
    targets = [Target(kubeconfig, context) for kubeconfig, context in pairs]
    for target in targets:
        if targets.count(target) > 1:
            raise UsageError(f"{target}: is named twice; name each cluster once")
    return targets


def _spread(values: Sequence[str | None], count: int) -> Sequence[str | None]:
    return values if len(values) == count else [values[0]] * count


def scan_targets(
    targets: Sequence[Target],
    scan: Callable[[ApiServer], Report],
    manifests: ManifestsInfo,
    shard: Shard | None,
    *,
    impersonate: Impersonation,
    limits: Limits,
    tell: Callable[[str], None],
    warn: Callable[[str], None],
) -> Report:
    """Scans clusters, several at a time; one that cannot be scanned makes the report incomplete and costs no other.

    Args:
        targets: More than one.
        scan: Scans one cluster.
        manifests: What the report of a cluster that cannot be scanned says of the manifests.
        shard: The part of the work that is done.
        impersonate: Whom to ask as, in each cluster.
        limits: What is waited for, for each cluster by itself.
        tell: Called with a sentence for every request that is tried again.
        warn: Called with a sentence for what is unsafe about a connection.

    Raises:
        UsageError: A context or a kubeconfig is not there.
        ScanError: None of them can be scanned.
    """
    # Few runs have several clusters.
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from drift.report.merge import merge  # noqa: PLC0415

    # The client's configuration is read one after the other: it sets up the logging of the process.
    connections = [_connect(target, impersonate, limits) for target in targets]
    for warning in dict.fromkeys(
        warning for connection in connections if isinstance(connection, Connection) for warning in connection.warnings
    ):
        warn(warning)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        reports = list(pool.map(lambda connection: _scan(connection, scan, limits, tell), connections))
    failed = [report for report in reports if isinstance(report, ScanError)]
    if len(failed) == len(targets):
        raise ScanError("; ".join(f"{target}: {error}" for target, error in zip(targets, failed, strict=True)))
    return merge(
        [
            _unscanned(target, connection, report, manifests, shard) if isinstance(report, ScanError) else report
            for target, connection, report in zip(targets, connections, reports, strict=True)
        ],
        shard,
    )


def _connect(target: Target, impersonate: Impersonation, limits: Limits) -> Connection | ConnectError:
    try:
        # Getting credentials may run a program, which may never end.
        return call_with_timeout(
            limits.request_seconds, lambda: connect(target.kubeconfig, target.context, impersonate)
        )
    except TimeoutError:
        return ConnectError("no credentials were had in time; does the plugin wait for a login?")
    except ConnectError as error:
        return error


def _scan(
    connection: Connection | ConnectError,
    scan: Callable[[ApiServer], Report],
    limits: Limits,
    tell: Callable[[str], None],
) -> Report | ScanError:
    if isinstance(connection, ConnectError):
        return connection
    try:
        return scan(ApiServer(connection, limits, limits.deadline(), tell))
    except ScanError as error:
        return error


def _unscanned(
    target: Target,
    connection: Connection | ConnectError,
    error: ScanError,
    manifests: ManifestsInfo,
    shard: Shard | None,
) -> Report:
    """The report of a cluster of which nothing is known."""
    return Report(
        generated_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        cluster=ClusterInfo(target.context, str(target), _NOT_KNOWN)
        if isinstance(connection, ConnectError)
        else ClusterInfo(connection.context, connection.server, _NOT_KNOWN),
        manifests=manifests,
        objects=(),
        errors=(str(error),),
        shard=shard,
    )
