"""``drift report``: manifests and a live side in, reports out."""

import argparse
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from drift.config.load import load_settings
from drift.config.settings import Settings
from drift.errors import UsageError
from drift.library import open_cluster, open_dump, read_manifests, scan
from drift.model import Report, Unmanaged, Verdict
from drift.policy.suggestion import suggest_rules
from drift.report.json_report import to_json
from drift.report.suggestions import to_yaml
from drift.report.terminal import to_text

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
    outputs = options.output or [("text", None)]
    if options.suggest_ignores:
        if any(file is None and name != "text" for name, file in outputs):
            raise UsageError("--suggest-ignores prints to standard output; give --output a file: --output json=FILE")
        outputs = [(name, file) for name, file in outputs if file is not None]
    if sum(file is None for _, file in outputs) > 1:
        raise UsageError("only one --output can go to standard output; give the others a file: --output json=FILE")
    settings = _with_flags(load_settings(options.config), options)
    report = _scan(options, settings)
    if options.suggest_ignores:
        sys.stdout.write(to_yaml(suggest_rules(report)))
    for name, file in outputs:
        _write(name, file, report, options)
    if report.verdict is Verdict.INCOMPLETE:
        return _INCOMPLETE
    return _DRIFT if report.has_drift_of(settings.exit_causes) and not options.exit_zero else 0


def _scan(options: argparse.Namespace, settings: Settings) -> Report:
    # Read before a server is asked for anything: what is wrong with the manifests is wrong without it too.
    manifests = read_manifests(options.manifests)
    if options.verbose:
        for note in manifests.skipped:
            sys.stderr.write(f"drift: skipped {note}\n")
    return scan(
        manifests,
        open_dump(options.live, options.namespace or "default")
        if options.live
        else open_cluster(options.kubeconfig, options.context),
        namespace=options.namespace,
        synced_revision=options.synced_revision,
        settings=settings,
    )


def _with_flags(settings: Settings, options: argparse.Namespace) -> Settings:
    """The settings with what was given on the command line, which wins or comes on top."""
    return replace(
        settings,
        appliers=(*options.applier, *settings.appliers),
        unmanaged=Unmanaged(options.unmanaged) if options.unmanaged else settings.unmanaged,
    )


def _write(name: str, file: Path | None, report: Report, options: argparse.Namespace) -> None:
    if file is None:
        if name == "text" and options.quiet:
            return
        sys.stdout.write(_render(name, report, options, on_terminal=sys.stdout.isatty()))
        return
    try:
        _replace(file, _render(name, report, options, on_terminal=False))
    except OSError as error:
        raise UsageError(f"--output {name}={file}: cannot be written: {error.strerror}") from None


def _render(name: str, report: Report, options: argparse.Namespace, *, on_terminal: bool) -> str:
    if name == "json":
        return to_json(report)
    color = options.color == "always" or (options.color == "auto" and on_terminal and not os.environ.get("NO_COLOR"))
    width = shutil.get_terminal_size().columns if on_terminal else None
    return to_text(report, color=color, width=width, verbose=options.verbose)


def _replace(file: Path, text: str) -> None:
    """Writes a file so that a reader finds the old report or the new one, never half of one."""
    if file.exists() and not file.is_file():
        # A device or a pipe (/dev/stdout, a process substitution) cannot be replaced, only written to.
        file.write_text(text, "utf-8")
        return
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
    ) as new:
        new.write(text)
    written = Path(new.name)
    written.chmod(0o644)
    written.replace(file)
