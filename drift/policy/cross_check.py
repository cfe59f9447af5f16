"""Puts what a GitOps controller says about a source beside what the report found in its objects."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from drift.model import Cause, ObjectReport, SourceInfo, SourceKind

_CONTROLLERS: Final = {
    SourceKind.FLUX_KUSTOMIZATION: "Flux",
    SourceKind.FLUX_HELM_RELEASE: "Flux",
    SourceKind.ARGOCD_APPLICATION: "Argo CD",
}
#: The length of a date at the start of a time.
_DATE: Final = 10


def cross_check(sources: Sequence[SourceInfo], objects: Sequence[ObjectReport]) -> Iterator[str]:
    """Yields a sentence for each source whose controller is stopped, not ready, or overlooks edits by hand.

    Args:
        sources: The sources of a report.
        objects: Its objects, after the settings of the user are applied.
    """
    edits = Counter(
        origin
        for item in objects
        for finding in item.findings
        if finding.is_drift and finding.cause is Cause.MANUAL
        for origin in item.origins
    )
    for source in sources:
        controller = _CONTROLLERS.get(source.kind)
        # The others are in the report for another reason: skipped, or not rendered.
        if controller is None or not source.is_rendered or (source.path is None and not source.objects):
            continue
        said = [*_state(source, controller), *_overlooked(source, controller, edits[source.name])]
        if said:
            yield f"{source.name}: {'; '.join(said)}"


def standstill(source: SourceInfo) -> str | None:
    """Returns why the controller of a source changes nothing by itself, in some words, or None if it does."""
    if source.suspended:
        return "automatic sync is off" if source.kind is SourceKind.ARGOCD_APPLICATION else "suspended"
    return None if source.stale_since is None else f"not reconciled since {source.stale_since[:_DATE]}"


def _state(source: SourceInfo, controller: str) -> Iterator[str]:
    if source.suspended:
        stopped = "it is suspended" if controller == "Flux" else "automatic sync is off"
        yield f"{stopped}, so {controller} neither applies commits nor reverts edits by itself"
    elif source.stale_since is not None:
        yield f"{controller} reconciled it last on {source.stale_since[:_DATE]}; is {controller} running?"
    if source.ready is False:
        yield f"{controller} says: {source.message}" if source.message else f"{controller} says that it is not ready"


def _overlooked(source: SourceInfo, controller: str, edits: int) -> Iterator[str]:
    if not edits:
        return
    counted = "one edit by hand" if edits == 1 else f"{edits} edits by hand"
    if controller == "Argo CD" and (source.message or "").startswith("Synced"):
        yield f"Argo CD says Synced, and does not count {counted}"
    elif controller == "Flux" and source.ready:
        yield f"Flux says that it is ready, and has not reverted {counted}"
