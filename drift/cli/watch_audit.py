"""The flags of ``drift watch`` that name users: the audit logs that it follows, and the webhook that it serves."""

import argparse
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from drift.cli.console import say
from drift.cli.scan import audit_options
from drift.errors import UsageError
from drift.kube.kubeconfig import is_loopback
from drift.watch.audit import AuditWindow, EventsArrived
from drift.watch.audit_follower import LogFollower
from drift.watch.audit_receiver import AuditReceiver, KeyPair

_LOOPBACK: Final = "127.0.0.1"
_TOKEN: Final = "DRIFT_AUDIT_TOKEN"  # noqa: S105 - the name of a variable


def audit_window(options: argparse.Namespace) -> AuditWindow | None:
    """Returns what joins findings with the audit events of the flags; None without any.

    Raises:
        UsageError: The flags do not go together, or a log is no file.
    """
    _check_webhook(options)
    for path in options.audit_log:
        if not Path(path).is_file():
            raise UsageError(f"--audit-log: {path} is not a file; drift watch follows files")
    if not options.audit_log and options.audit_webhook is None:
        if options.syncer:
            raise UsageError("--syncer needs --audit-log or --audit-webhook")
        return None
    return AuditWindow(audit_options(options))


def _check_webhook(options: argparse.Namespace) -> None:
    flags = {
        "--audit-listen": options.audit_listen,
        "--audit-tls-cert": options.audit_tls_cert,
        "--audit-tls-key": options.audit_tls_key,
    }
    given = [flag for flag, value in flags.items() if value is not None]
    if options.audit_webhook is None:
        if given:
            raise UsageError(f"{given[0]} needs --audit-webhook PORT")
        return
    if not os.environ.get(_TOKEN):
        raise UsageError(f"--audit-webhook: {_TOKEN} is not set; set it to the token of the API server")
    if (options.audit_tls_cert is None) != (options.audit_tls_key is None):
        raise UsageError("--audit-tls-cert and --audit-tls-key need each other")
    if options.audit_tls_cert is None and not is_loopback(options.audit_listen or _LOOPBACK):
        raise UsageError(
            f"--audit-listen {options.audit_listen}: without TLS, the network can read the token and the events; "
            "give --audit-tls-cert and --audit-tls-key"
        )


def audit_sources(
    options: argparse.Namespace, audit: AuditWindow | None, arrived: Callable[[EventsArrived], None]
) -> Sequence[LogFollower | AuditReceiver]:
    """Returns what gets audit events: a follower for each log, and the receiver of the webhook.

    Args:
        options: The flags.
        audit: The result of `audit_window`.
        arrived: Called when events have arrived, in any thread.

    Raises:
        UsageError: A log cannot be read, or the webhook cannot be served.
    """
    if audit is None:
        return ()

    told = set[str]()

    def take(origin: str, data: bytes) -> bool:
        events = audit.add(data)
        arrived(events)
        if events.has_unreadable and origin not in told:
            told.add(origin)
            say(f"{origin}: skipped what is not an audit event")
        return not events.has_unreadable

    followers = [LogFollower(file, partial(take, f"--audit-log {file}")) for file in options.audit_log]
    if options.audit_webhook is None:
        return followers
    is_tls = options.audit_tls_cert is not None
    receiver = AuditReceiver(
        options.audit_listen or _LOOPBACK,
        options.audit_webhook,
        os.environ[_TOKEN],
        partial(take, "--audit-webhook"),
        KeyPair(options.audit_tls_cert, options.audit_tls_key) if is_tls else None,
    )
    say(f"receiving audit events at {receiver.url}")
    return [*followers, receiver]
