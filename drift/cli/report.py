"""``drift report``: manifests and a live side in, reports out."""

import argparse
import gc
import sys
from collections.abc import Sequence
from dataclasses import replace

from drift.cli.outputs import chosen_outputs, write_outputs
from drift.cli.shard import chosen_shard
from drift.cli.targets import Target, chosen_targets, scan_targets
from drift.config.load import load_settings
from drift.config.settings import Settings
from drift.errors import UsageError
from drift.library import open_dump, read_manifests, scan
from drift.manifests.git import describe
from drift.model import Report, Shard, Unmanaged, Verdict
from drift.policy.suggestion import suggest_rules
from drift.report.formats import Format
from drift.report.suggestions import to_yaml
from drift.scanning import LiveSource

_DRIFT = 1
_INCOMPLETE = 3


def run(options: argparse.Namespace) -> int:
    """Scans once and writes every report that was asked for.

    Returns:
        The exit status.

    Raises:
        DriftError: The scan could not be made.
    """
    if options.live and (options.kubeconfig or options.context):
        raise UsageError(
            "--live compares with a dump; --kubeconfig and --context name a cluster: give one or the other"
        )
    targets = chosen_targets(options.kubeconfig, options.context)
    shard = chosen_shard(options.shard, quiet=options.quiet)
    outputs = chosen_outputs(options)
    if options.suggest_ignores:
        if any(file is None and form is not Format.TEXT for form, file in outputs):
            raise UsageError("--suggest-ignores prints to standard output; give --output a file: --output json=FILE")
        outputs = [(form, file) for form, file in outputs if file is not None]
    # Objects come by the ten thousand and stay until the end: looking through them again and again for cycles, of which
    # there are hardly any, would take longer than all the rest.
    gc.disable()
    settings = _with_flags(load_settings(options.config), options)
    report = _scan(options, settings, targets, shard)
    if options.suggest_ignores:
        sys.stdout.write(to_yaml(suggest_rules(report)))
    write_outputs(report, outputs, options)
    if report.verdict is Verdict.INCOMPLETE:
        return _INCOMPLETE
    return _DRIFT if report.has_drift_of(settings.exit_causes) and not options.exit_zero else 0


def _scan(options: argparse.Namespace, settings: Settings, targets: Sequence[Target], shard: Shard | None) -> Report:
    # Read before a server is asked for anything: what is wrong with the manifests is wrong without it too.
    manifests = read_manifests(options.manifests)
    if options.verbose:
        for note in manifests.skipped:
            sys.stderr.write(f"drift: skipped {note}\n")

    def scan_one(source: LiveSource) -> Report:
        return scan(
            manifests,
            source,
            namespace=options.namespace,
            synced_revision=options.synced_revision,
            settings=settings,
            shard=shard,
            explain=options.verbose,
        )

    if options.live:
        return scan_one(open_dump(options.live, options.namespace or "default"))
    return scan_targets(targets, scan_one, describe(manifests.paths), shard)


def _with_flags(settings: Settings, options: argparse.Namespace) -> Settings:
    """The settings with what was given on the command line, which wins or comes on top."""
    return replace(
        settings,
        appliers=(*options.applier, *settings.appliers),
        unmanaged=Unmanaged(options.unmanaged) if options.unmanaged else settings.unmanaged,
    )
