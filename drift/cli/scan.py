"""The work of ``drift report``: reads manifests, compares them with a cluster or a dump, and writes reports.

With ``-v`` it says what it uses: files, settings, the cluster, and how many requests were sent.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from drift.api import open_cluster, open_dump, read_sources, scan
from drift.cli.choices import (
    ClusterTarget,
    audit_options,
    chosen_settings,
    chosen_shard,
    chosen_sources,
    chosen_targets,
    scope_names,
)
from drift.cli.console import Progress, say, write_stdout
from drift.cli.outputs import Output, chosen_outputs, write_outputs
from drift.config.reader import DEFAULT_FILE
from drift.config.settings import RequestKind, Settings, SourceRequest
from drift.errors import ScanError, UsageError
from drift.gitops.managers import known_appliers
from drift.kube.kubeconfig import NO_IMPERSONATION, Impersonation, from_flags
from drift.kube.limits import REQUEST_SECONDS, SCAN_SECONDS, Deadline, Limits, call_with_timeout, format_duration
from drift.model import Report, Shard, SourceKind, Verdict
from drift.report.formats import Format
from drift.scanning import LiveSource, ScanStep
from drift.scanning.last_sync import missing_namespaces
from drift.sources.git import manifests_info
from drift.sources.load import LoadedManifests, load_manifests
from drift.sources.model import Desired
from drift.sources.parallel import ParallelReader
from drift.sources.programs import find_program
from drift.sources.resolve import file_paths
from drift.words import plural

if TYPE_CHECKING:
    from drift.audit.join import AuditOptions
    from drift.cli.history import RunRecorder
    from drift.notify.pushgateway import Pushgateway

_Read = TypeVar("_Read")
#: Exit statuses.
_DRIFT: Final = 1
_NOT_RECORDED: Final = 2
_UNREAD: Final = 2
_INCOMPLETE: Final = 3
#: The programs that can render a kind of source; the first one that is installed does.
_PROGRAMS: Final = {SourceKind.KUSTOMIZE: ("kustomize", "kubectl"), SourceKind.HELM_CHART: ("helm",)}


@dataclass(frozen=True, slots=True)
class _Inputs:
    """What the flags, ``drift.yaml`` and the files say: the same for each cluster that is scanned.

    Attributes:
        options: The flags.
        settings: The settings, with the flags applied.
        requests: The sources of manifests.
        loaded: The manifests in files; None if no source is a file or folder.
        shard: The part of the scan to do; None for all of it.
        audit: The audit log that names users; None without one.
        recorder: Records the reports in the history; None without one.
        deadline: When the scan ends.
    """

    options: argparse.Namespace
    settings: Settings
    requests: Sequence[SourceRequest]
    loaded: LoadedManifests | None
    shard: Shard | None
    audit: "AuditOptions | None"
    recorder: "RunRecorder | None"
    deadline: Deadline

    @property
    def is_verbose(self) -> bool:
        """Whether to print what the scan uses."""
        return bool(self.options.verbose and not self.options.quiet)


def run(options: argparse.Namespace, reader: ParallelReader | None) -> int:
    """Scans once and writes the reports.

    Args:
        options: The flags.
        reader: The second process, which has started to read manifests; None if there is none.

    Returns:
        The exit status.

    Raises:
        DriftError: There is no report.
    """
    if options.live and (options.kubeconfig or options.context):
        raise UsageError(
            "--live compares with a dump; --kubeconfig and --context name a cluster: give one or the other"
        )
    impersonate = from_flags(options.as_user, options.as_group, options.as_uid)
    if options.live and impersonate != NO_IMPERSONATION:
        raise UsageError("--live compares with a dump; --as, --as-group and --as-uid are for a cluster")
    targets = chosen_targets(options.kubeconfig, options.context)
    audit = _audit(options, targets)
    shard = chosen_shard(options.shard, quiet=options.quiet)
    outputs = _outputs(options)
    gateway = _gateway() if options.push_metrics else None
    settings = chosen_settings(options)
    requests = chosen_sources(options, settings)
    recorder = _recorder(options, settings, scope_names(requests))
    deadline = Deadline(options.deadline or SCAN_SECONDS)
    # Read before the server is contacted: mistakes in manifests do not need a cluster.
    loaded = _read_files(options, settings, requests, reader, deadline)
    inputs = _Inputs(options, settings, requests, loaded, shard, audit, recorder, deadline)
    report = _scan(inputs, targets, impersonate)
    unwritten = _write(report, outputs, options)
    if (Format.TEXT, None) not in outputs:
        # Only text on standard output shows the user what could not be read.
        for line in report.unread:
            say(line)
    if gateway is not None:
        _push(report, gateway)
    if recorder is not None:
        recorder.notify()
    if unwritten is not None:
        raise unwritten
    if recorder is not None and recorder.failed:
        return _NOT_RECORDED
    return _exit_status(report, settings, exit_zero=options.exit_zero)


def _outputs(options: argparse.Namespace) -> Sequence[Output]:
    """Returns the formats to write, and where each goes; --suggest-ignores takes the place of the text report."""
    outputs = chosen_outputs(options)
    if not options.suggest_ignores:
        return outputs
    if any(file is None and form is not Format.TEXT for form, file in outputs):
        raise UsageError("--suggest-ignores prints to standard output; give --output a file: --output json=FILE")
    return [(form, file) for form, file in outputs if file is not None]


def _write(
    report: Report, outputs: Sequence[Output], options: argparse.Namespace
) -> BrokenPipeError | UsageError | None:
    """Writes the reports. Returns the error if one cannot be written: metrics and notifications are sent even so."""
    try:
        write_outputs(report, outputs, options)
        if options.suggest_ignores:
            _suggest(report)
    except (BrokenPipeError, UsageError) as error:
        return error
    return None


def _exit_status(report: Report, settings: Settings, *, exit_zero: bool) -> int:
    if report.unread:
        return _UNREAD
    if report.verdict is Verdict.INCOMPLETE:
        return _INCOMPLETE
    return _DRIFT if report.has_drift_of(settings.exit_causes, settings.exit_severity) and not exit_zero else 0


def _scan(inputs: _Inputs, targets: Sequence[ClusterTarget], impersonate: Impersonation) -> Report:
    """Compares the manifests with the dump, with the cluster, or with several clusters."""
    options = inputs.options
    if options.live:
        dump = _in_time(lambda: open_dump(options.live, options.namespace or "default"), inputs.deadline, "the dump")
        with _progress("comparing", options) as progress:
            return _scan_one(inputs, dump, progress.observe)
    seconds = options.deadline or SCAN_SECONDS
    limits = Limits(
        options.request_timeout or REQUEST_SECONDS, seconds, spent_seconds=seconds - inputs.deadline.remaining()
    )
    tell: Callable[[str], None] = say if inputs.is_verbose else lambda _: None
    warn: Callable[[str], None] = (lambda _: None) if options.quiet else say
    if len(targets) > 1:
        from drift.cli.several import scan_targets  # noqa: PLC0415

        with _progress(f"comparing with {len(targets)} clusters", options):
            return scan_targets(
                targets,
                partial(_scan_one, inputs),
                manifests_info([request.target for request in inputs.requests if request.kind is RequestKind.PATH]),
                inputs.shard,
                impersonate=impersonate,
                limits=limits,
                tell=tell,
                warn=warn,
            )
    # No progress bar while a credential plugin may prompt on the same terminal.
    cluster = open_cluster(
        targets[0].kubeconfig, targets[0].context, impersonate=impersonate, limits=limits, tell=tell, warn=warn
    )
    with _progress("comparing", options) as progress:
        return _scan_one(inputs, cluster, progress.observe)


def _scan_one(inputs: _Inputs, live: LiveSource, observe: Callable[[ScanStep], object] | None = None) -> Report:
    """Compares the manifests with one cluster or dump, and records the result in the history."""
    options = inputs.options
    desired = read_sources(
        inputs.requests,
        live,
        namespace=options.namespace,
        settings=inputs.settings,
        checkouts=options.checkout,
        loaded=inputs.loaded,
        deadline=inputs.deadline if options.live else None,
    )
    if inputs.is_verbose:
        _print_inputs(inputs, desired, live)
    report = scan(
        desired,
        live,
        namespace=options.namespace,
        synced_revision=options.synced_revision,
        settings=inputs.settings,
        shard=inputs.shard,
        explain=options.verbose,
        audit=inputs.audit,
        blame=options.blame,
        observe=observe,
    )
    notes = (*missing_namespaces(report, live), *_namespace_note(report, options.namespace))
    report = replace(report, notes=(*report.notes, *notes))
    if inputs.is_verbose:
        _print_cost(report)
    return report if inputs.recorder is None else inputs.recorder.record(report, live)


def _namespace_note(report: Report, namespace: str | None) -> Iterator[str]:
    """Yields a note if ``--namespace`` has no effect: users of kubectl may take it for a filter."""
    names = {item.namespace for item in report.objects if item.source is not None and item.namespace is not None}
    # Another shard may have objects of that namespace.
    if namespace is not None and names and namespace not in names and report.shard is None:
        yield (
            f"--namespace {namespace} is for manifests that name no namespace, and all of these name one; "
            "--only-namespace chooses what the report shows"
        )


def _read_files(
    options: argparse.Namespace,
    settings: Settings,
    requests: Sequence[SourceRequest],
    reader: ParallelReader | None,
    deadline: Deadline,
) -> LoadedManifests | None:
    """Returns the manifests in files; None if no source is a file or folder."""
    with _progress("reading manifests", options):
        if reader is not None and not options.live:
            # Loads the Kubernetes client while the other process reads.
            from drift.kube.connection import load_client  # noqa: PLC0415

            load_client()
        paths = file_paths(requests)
        if not paths:
            return None
        return _in_time(lambda: load_manifests(paths, reader, settings.exclude), deadline, "the manifests")


def _in_time(read: Callable[[], _Read], deadline: Deadline, what: str) -> _Read:
    """Calls ``read`` with the deadline as its timeout: a pipe or a very large file may take too long.

    Raises:
        ScanError: The deadline has passed.
    """
    try:
        return call_with_timeout(deadline.remaining(), read)
    except TimeoutError:
        seconds = format_duration(deadline.seconds or 0)
        raise ScanError(f"{what} could not be read within {seconds}; give it more time with --deadline") from None


# The functions below import what few runs need: the time of a small scan is mostly imports.


def _recorder(options: argparse.Namespace, settings: Settings, sources: Sequence[str]) -> "RunRecorder | None":
    """Returns the recorder of the history, or None without ``--history``.

    Raises:
        UsageError: The flags do not go together.
    """
    if options.report_url is not None and options.notify is None:
        raise UsageError("--report-url is for notifications; it needs --notify and --history FILE")
    if options.history is not None:
        from drift.cli.history import RunRecorder  # noqa: PLC0415

        return RunRecorder(options, settings, sources)
    if options.history_scope is not None:
        raise UsageError("--history-scope needs --history FILE")
    if options.notify is not None:
        raise UsageError("--notify needs --history FILE, which knows what is new")
    return None


def _audit(options: argparse.Namespace, targets: Sequence[ClusterTarget]) -> "AuditOptions | None":
    """Returns the audit log that the flags name, or None.

    Raises:
        UsageError: The flags do not go together, or a path does not exist.
    """
    if not options.audit_log:
        if options.syncer:
            raise UsageError("--syncer needs --audit-log")
        return None
    if len(targets) > 1:
        raise UsageError("--audit-log is the log of one cluster; scan each cluster with its own log")
    if "-" in options.audit_log and "-" in options.sources:
        raise UsageError("standard input cannot hold both the manifests and the audit log")
    from drift.audit.events import find_logs  # noqa: PLC0415

    # A mistake in a path does not need a scan.
    find_logs(options.audit_log)
    return audit_options(options)


def _gateway() -> "Pushgateway":
    from drift.notify.pushgateway import VARIABLE, parse_address  # noqa: PLC0415

    return parse_address(os.environ.get(VARIABLE))


def _push(report: Report, gateway: "Pushgateway") -> None:
    from drift.notify.pushgateway import push  # noqa: PLC0415
    from drift.report.metrics import to_metrics  # noqa: PLC0415

    problem = push(to_metrics(report), gateway)
    if problem:
        say(problem)


def _suggest(report: Report) -> None:
    from drift.policy.rules import suggest_rules, to_yaml  # noqa: PLC0415

    write_stdout(to_yaml(suggest_rules(report)))


def _progress(what: str, options: argparse.Namespace) -> Progress:
    return Progress(what, quiet=options.quiet, color=options.color != "never")


def _print_inputs(inputs: _Inputs, desired: Desired, live: LiveSource) -> None:
    """Prints what a scan compares, before it starts."""
    options, settings = inputs.options, inputs.settings
    file = options.config or DEFAULT_FILE
    say(f"settings: {file if Path(file).exists() else f'defaults (no {DEFAULT_FILE} in this folder)'}")
    for source in desired.rendered:
        say(f"source {source.info.name} ({source.info.kind}): {plural(source.info.objects, 'object')}")
    for names in dict.fromkeys(
        _PROGRAMS[source.info.kind] for source in desired.rendered if source.info.kind in _PROGRAMS
    ):
        program = find_program(*names)
        if program is not None:
            say(f"rendered with {program.path}, version {program.version()}")
    if live.info is None:
        say(f"compared with the dump {', '.join(options.live)}")
    else:
        context = f"context {live.info.context}" if live.info.context else "the pod's service account"
        user = f", as {live.info.impersonated}" if live.info.impersonated is not None else ""
        say(f"compared with {live.info.server} ({live.info.version}), {context}{user}")
    say(f"default namespace: {options.namespace or live.default_namespace}")
    say(f"search for unmanaged objects (--unmanaged): {settings.unmanaged}")
    own = f"{', '.join(settings.appliers)}; also " if settings.appliers else ""
    say(f"appliers: {own}{', '.join(known_appliers())}")
    if settings.controllers:
        say(f"additional controllers: {', '.join(settings.controllers)}")
    if settings.syncers:
        say(f"users that sync Git: {', '.join(glob.text for glob in settings.syncers)}")
    for note in () if inputs.loaded is None else inputs.loaded.skipped:
        say(f"skipped {note}")


def _print_cost(report: Report) -> None:
    """Prints how many requests a scan sent, how long it took and which commit it compared."""
    if report.cluster is not None:
        seconds = report.duration_seconds or 0
        say(f"{plural(report.api_requests or 0, 'request')} sent, all get or list; compared in {seconds:.1f} s")
    if report.manifests.git_commit is not None:
        changes = " with uncommitted changes" if report.manifests.git_dirty else ""
        say(f"manifests at commit {report.manifests.git_commit}{changes}")
