"""Scans several clusters in parallel and merges their reports."""

import math
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeAlias

from drift.cli.choices import ClusterTarget
from drift.errors import ConnectError, ScanError
from drift.kube.api_server import ApiServer
from drift.kube.connection import Connection, connect
from drift.kube.kubeconfig import Impersonation
from drift.kube.limits import Limits, call_in_background, call_with_timeout
from drift.model import ClusterInfo, ManifestsInfo, Report, Shard
from drift.report.merge import merge
from drift.words import rfc3339

#: How many clusters are scanned at the same time. Each needs memory of its own.
_MAX_PARALLEL: Final = 4
_UNKNOWN: Final = "unknown"
#: Called at each step of a scan.
Observe: TypeAlias = Callable[[object], object]


class _StoppedError(BaseException):
    """A scan ends because the command does. A `BaseException`, so that the scan does not report it."""


def scan_targets(
    targets: Sequence[ClusterTarget],
    scan: Callable[[ApiServer, Observe], Report],
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
    # Not in parallel: reading the client's configuration sets up the logging of the process.
    connections = [_connect(target, impersonate, limits) for target in targets]
    for warning in dict.fromkeys(
        warning for connection in connections if isinstance(connection, Connection) for warning in connection.warnings
    ):
        warn(warning)
    reports = in_parallel([partial(_scan, connection, scan, limits, tell) for connection in connections])
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


def in_parallel(scans: Sequence[Callable[[Observe], Report | ScanError]]) -> list[Report | ScanError]:
    """Runs scans, `_MAX_PARALLEL` at a time, and returns their results in the same order.

    If a signal arrives, this does not wait for the scans that run: a request may last until its timeout. They end at
    their next step, and no others start. Workers of a `ThreadPoolExecutor` would keep the process alive.

    Args:
        scans: Each is called with the function that it must call at each step.
    """
    slots = threading.BoundedSemaphore(_MAX_PARALLEL)
    is_stopped = threading.Event()

    def check(_: object) -> None:
        if is_stopped.is_set():
            raise _StoppedError

    def run(scan: Callable[[Observe], Report | ScanError]) -> Report | ScanError:
        with slots:
            check(None)
            return scan(check)

    results = [call_in_background(partial(run, scan)) for scan in scans]
    try:
        return [result(math.inf) for result in results]
    except BaseException:
        is_stopped.set()
        raise


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
    scan: Callable[[ApiServer, Observe], Report],
    limits: Limits,
    tell: Callable[[str], None],
    observe: Observe,
) -> Report | ScanError:
    if isinstance(connection, ConnectError):
        return connection
    try:
        return scan(ApiServer(connection, limits, limits.deadline(), tell), observe)
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
        generated_at=rfc3339(datetime.now(UTC)),
        cluster=ClusterInfo(target.context, str(target), _UNKNOWN)
        if isinstance(connection, ConnectError)
        else ClusterInfo(connection.context, connection.server, _UNKNOWN, id=connection.cluster_id),
        manifests=manifests,
        objects=(),
        errors=(str(error),),
        shard=shard,
    )
