"""Annotations by which an object, or a part of its life, is taken out of GitOps' hands. They are honoured, and said."""

from dataclasses import replace
from typing import Final

from drift.model import Change, Finding, IgnoredBy, Object
from drift.paths import render

_FLUX: Final = "kustomize.toolkit.fluxcd.io/"
_ARGOCD: Final = "argocd.argoproj.io/"
_HELM_HOOK: Final = "helm.sh/hook"


def why_it_may_be_gone(manifest: Object) -> str | None:
    """Why it is no drift that the cluster lacks this object, as a sentence; None where it is."""
    annotations = _annotations(manifest)
    hook = next((name for name in (f"{_ARGOCD}hook", _HELM_HOOK) if name in annotations), None)
    if hook is not None:
        return f"a hook ({hook}: {annotations[hook]}): it runs at a sync and may be gone afterwards"
    spec = manifest.get("spec")
    if manifest.get("kind") == "Job" and isinstance(spec, dict) and spec.get("ttlSecondsAfterFinished") is not None:
        return f"finished: a Job is removed {spec['ttlSecondsAfterFinished']} s after its end, as its manifest says"
    return None


def honour(findings: tuple[Finding, ...], manifest: Object | None, live: Object | None) -> tuple[Finding, ...]:
    """The findings, those set aside that an annotation of the object takes out of the syncer's hands.

    Args:
        findings: Of one object.
        manifest: The manifest; None for an object that Git lacks.
        live: The live object; None for one that is missing.
    """
    annotations = {**_annotations(manifest), **_annotations(live)}
    return tuple(_honour(finding, annotations) for finding in findings)


def _honour(finding: Finding, annotations: dict[str, str]) -> Finding:
    for name, values, changes, reason in _OPT_OUTS:
        value = annotations.get(name, "")
        wanted = {part.strip().lower() for part in value.split(",")}
        if _is_about(finding, name):
            # Who took the object out of the syncer's hands is the one thing that the annotation must not hide.
            return finding
        if wanted & values and (changes is None or finding.change in changes) and finding.ignored is None:
            return replace(finding, ignored=IgnoredBy(f"annotation {name}: {value}", reason))
    return finding


def _is_about(finding: Finding, annotation: str) -> bool:
    return finding.path == render(("metadata", "annotations", annotation)) or (
        finding.path == "metadata.annotations" and isinstance(finding.live, dict) and annotation in finding.live
    )


_EXISTING: Final = frozenset(Change) - {Change.MISSING}
#: Annotation, values (lower case), the changes it covers (None: all), and what it tells the syncer.
_OPT_OUTS: Final = (
    (f"{_FLUX}reconcile", frozenset({"disabled"}), None, "Flux does not reconcile this object"),
    (f"{_FLUX}ssa", frozenset({"ignore"}), None, "Flux does not apply this object"),
    (f"{_FLUX}ssa", frozenset({"ifnotpresent"}), _EXISTING, "Flux only creates this object and never changes it"),
    (
        f"{_FLUX}ssa",
        frozenset({"merge"}),
        frozenset({Change.ADDED}),
        "Flux leaves what others add to this object",
    ),
    (f"{_FLUX}prune", frozenset({"disabled"}), frozenset({Change.UNMANAGED}), "Flux does not prune this object"),
    (
        f"{_ARGOCD}compare-options",
        frozenset({"ignoreextraneous"}),
        frozenset({Change.UNMANAGED}),
        "Argo CD does not count this object",
    ),
)


def _annotations(body: Object | None) -> dict[str, str]:
    metadata = (body or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return {}
    return {name: value for name, value in annotations.items() if isinstance(value, str)}
