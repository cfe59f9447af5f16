"""``-v``: prints the files, settings and cluster in use, and how many requests were sent, to standard error."""

import argparse
from pathlib import Path

from drift.cli.console import say
from drift.config.load import DEFAULT_FILE
from drift.config.settings import Settings
from drift.gitops.managers import known_appliers
from drift.model import Report
from drift.report.view import plural
from drift.scanning import LiveSource
from drift.sources.load import LoadedManifests


def print_inputs(options: argparse.Namespace, settings: Settings, manifests: LoadedManifests, live: LiveSource) -> None:
    """Prints what a scan compares, before it starts."""
    file = options.config or DEFAULT_FILE
    say(f"settings: {file if Path(file).exists() else f'defaults (no {DEFAULT_FILE} in this folder)'}")
    files = len({manifest.source.file for manifest in manifests.manifests if manifest.source is not None})
    count = plural(len(manifests.manifests), "object")
    say(f"manifests: {count} in {plural(files, 'file')} of {', '.join(manifests.paths)}")
    for note in manifests.skipped:
        say(f"skipped {note}")
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


def print_cost(report: Report) -> None:
    """Prints how many requests a scan sent, how long it took and which commit it compared."""
    if report.cluster is not None:
        seconds = report.duration_seconds or 0
        say(f"{plural(report.api_requests or 0, 'request')} sent, all get or list; compared in {seconds:.1f} s")
    if report.manifests.git_commit is not None:
        changes = " with uncommitted changes" if report.manifests.git_dirty else ""
        say(f"manifests at commit {report.manifests.git_commit}{changes}")
