"""What ``-v`` says on standard error: which files, settings and cluster are in use, and what was sent to the server."""

import argparse
from pathlib import Path

from drift.cli.messages import say
from drift.config.load import DEFAULT_FILE
from drift.config.settings import Settings
from drift.gitops.managers import known_appliers
from drift.model import Report
from drift.report.view import plural
from drift.scanning import LiveSource
from drift.sources.load import LoadedManifests


def say_what_is_used(
    options: argparse.Namespace, settings: Settings, manifests: LoadedManifests, live: LiveSource
) -> None:
    """What a scan goes by, before it begins.

    Args:
        options: The flags.
        settings: The settings that count, flags included.
        manifests: What was read.
        live: What they are compared with.
    """
    file = options.config or DEFAULT_FILE
    say(f"settings: {file if Path(file).exists() else f'the defaults, as there is no {DEFAULT_FILE} here'}")
    files = len({manifest.source.file for manifest in manifests.manifests})
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
    say(f"namespace of objects that name none: {options.namespace or live.default_namespace}")
    say(f"objects that Git does not have are looked for: {settings.unmanaged}")
    own = f"{', '.join(settings.appliers)}; else " if settings.appliers else ""
    say(f"field managers that sync Git: {own}{', '.join(known_appliers())}")
    if settings.controllers:
        say(f"field managers that work for the cluster, beside the well-known: {', '.join(settings.controllers)}")


def say_what_was_asked(report: Report) -> None:
    """What a scan has cost, after its end."""
    if report.cluster is not None:
        seconds = report.duration_seconds or 0
        say(f"{plural(report.api_requests or 0, 'request')} sent, all of them get and list; {seconds:.1f} s to compare")
    if report.manifests.git_commit is not None:
        changes = " with uncommitted changes" if report.manifests.git_dirty else ""
        say(f"manifests at commit {report.manifests.git_commit}{changes}")
