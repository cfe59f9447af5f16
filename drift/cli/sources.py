"""The sources of manifests that the flags or ``drift.yaml`` name."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from drift.config.settings import RequestKind, Settings, SourceRequest
from drift.errors import UsageError
from drift.model import SourceKind
from drift.sources.kustomizations import kind_of_path

_CHOICES: Final = (
    "no source of manifests: name files, folders, kustomizations or charts, or use --flux all, --argocd all or "
    "--helm-release all; sources: in drift.yaml does the same"
)


def chosen_sources(options: argparse.Namespace, settings: Settings) -> tuple[SourceRequest, ...]:
    """Returns the sources of the command line, else those of the settings.

    Raises:
        UsageError: There are none, or a flag for a chart has no single chart to apply to.
    """
    requests = [
        *(SourceRequest(RequestKind.PATH, path) for path in options.sources),
        *(SourceRequest(RequestKind.HELM_RELEASE, name) for name in options.helm_release),
        *(SourceRequest(RequestKind.FLUX, name) for name in options.flux),
        *(SourceRequest(RequestKind.ARGOCD, name) for name in options.argocd),
    ]
    if options.release is not None or options.values or options.set_values:
        index = _only_chart(requests)
        requests[index] = replace(
            requests[index],
            release=options.release,
            values=tuple(options.values),
            set_values=tuple(options.set_values),
        )
    chosen = tuple(requests) or settings.sources
    if not chosen:
        raise UsageError(_CHOICES)
    return chosen


def _only_chart(requests: Sequence[SourceRequest]) -> int:
    charts = [
        index
        for index, request in enumerate(requests)
        if request.kind is RequestKind.PATH and kind_of_path(request.target) is SourceKind.HELM_CHART
    ]
    if len(charts) != 1:
        raise UsageError(
            "--release, --values and --set apply to one chart, and "
            + (f"{len(charts)} are named; describe each below sources: in drift.yaml" if charts else "none is named")
        )
    return charts[0]


def scope_names(requests: Sequence[SourceRequest]) -> list[str]:
    """Returns what identifies the sources in a history: the paths, and other sources as on the command line."""
    return [request.target if request.kind is RequestKind.PATH else str(request) for request in requests]
