"""The clusters of one run: chooses them from the flags, and scans several in parallel."""

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

#: How many clusters are scanned at the same time. Each needs memory of its own.
_MAX_PARALLEL: Final = 4
_UNKNOWN: Final = "unknown"


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


def scan_targets(
    targets: Sequence[ClusterTarget],
    scan: Callable[[ApiServer], Report],
    manifests: ManifestsInfo,
    shard: Shard | None,
    *,
    impersonate: Impersonation,
    limits: Limits,
    tell: Callable[[str], None],
    warn: Callable[[str], None],
) -> Report:
    """Scans several clusters in parallel. One that cannot be scanned makes the report incomplete; the others go on.

    The limits are for each cluster by itself.

    Raises:
        UsageError: A context or a kubeconfig does not exist.
        ScanError: Not one cluster can be scanned.
    """
    # Imported only here: few runs have several clusters.
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from drift.report.merge import merge  # noqa: PLC0415

    # Not in parallel: reading the client's configuration sets up the logging of the process.
    connections = [_connect(target, impersonate, limits) for target in targets]
    for warning in dict.fromkeys(
        warning for connection in connections if isinstance(connection, Connection) for warning in connection.warnings
    ):
        warn(warning)
    with ThreadPoolExecutor(_MAX_PARALLEL) as pool:
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


def _connect(target: ClusterTarget, impersonate: Impersonation, limits: Limits) -> Connection | ConnectError:
    try:
        # A credential plugin may never end.
        return call_with_timeout(
            limits.request_seconds, lambda: connect(target.kubeconfig, target.context, impersonate)
        )
    except TimeoutError:
        return ConnectError("timed out getting credentials; does the plugin wait for a login?")
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
    target: ClusterTarget,
    connection: Connection | ConnectError,
    error: ScanError,
    manifests: ManifestsInfo,
    shard: Shard | None,
) -> Report:
    """Returns an empty, incomplete report for a cluster that could not be scanned."""
    return Report(
        generated_at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        cluster=ClusterInfo(target.context, str(target), _UNKNOWN)
        if isinstance(connection, ConnectError)
        else ClusterInfo(connection.context, connection.server, _UNKNOWN),
        manifests=manifests,
        objects=(),
        errors=(str(error),),
        shard=shard,
    )
