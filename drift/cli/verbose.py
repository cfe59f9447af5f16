"""``-v``: prints the files, settings and cluster in use, and how many requests were sent, to standard error."""

import argparse
from pathlib import Path
from typing import Final

from drift.cli.console import say
from drift.config.load import DEFAULT_FILE
from drift.config.settings import Settings
from drift.counts import plural
from drift.gitops.managers import known_appliers
from drift.model import Report, SourceKind
from drift.scanning import LiveSource
from drift.sources.model import Desired
from drift.sources.programs import find_program

#: The programs that render a source, in the order in which they are looked for.
_PROGRAMS: Final = {SourceKind.KUSTOMIZE: ("kustomize", "kubectl"), SourceKind.HELM_CHART: ("helm",)}


def print_inputs(options: argparse.Namespace, settings: Settings, desired: Desired, live: LiveSource) -> None:
    """Prints what a scan compares, before it starts."""
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


def print_cost(report: Report) -> None:
    """Prints how many requests a scan sent, how long it took and which commit it compared."""
    if report.cluster is not None:
        seconds = report.duration_seconds or 0
        say(f"{plural(report.api_requests or 0, 'request')} sent, all get or list; compared in {seconds:.1f} s")
    if report.manifests.git_commit is not None:
        changes = " with uncommitted changes" if report.manifests.git_dirty else ""
        say(f"manifests at commit {report.manifests.git_commit}{changes}")
