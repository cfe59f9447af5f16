"""Annotations that tell a GitOps controller to leave an object alone, or not to prune it: honoured, and reported."""

from dataclasses import replace
from typing import Final

from drift.gitops.hooks import hook_of
from drift.model import Cause, Change, Finding, IgnoredBy, Object
from drift.paths import render

_FLUX: Final = "kustomize.toolkit.fluxcd.io/"
_ARGOCD: Final = "argocd.argoproj.io/"


def expected_absence(manifest: Object) -> str | None:
    """Why it is no drift that the cluster lacks this object, as a sentence; None where it is."""
    hook = hook_of(manifest)
    if hook is not None:
        return f"a hook ({hook}): it runs at a sync and may be gone afterwards"
    spec = manifest.get("spec")
    if manifest.get("kind") == "Job" and isinstance(spec, dict) and spec.get("ttlSecondsAfterFinished") is not None:
        return f"finished: a Job is removed {spec['ttlSecondsAfterFinished']} s after its end, as its manifest says"
    return None


def prune_opt_out(live: Object) -> str | None:
    """The annotation of a live object that keeps its syncer from pruning it, as ``NAME: VALUE``; None without one."""
    annotations = _annotations(live)
    return next(
        (
            f"{name}: {annotations[name]}"
            for name, values, _ in _KEPT
            if name in annotations and _parts(annotations[name]) & values
        ),
        None,
    )


def apply_opt_outs(findings: tuple[Finding, ...], manifest: Object | None, live: Object | None) -> tuple[Finding, ...]:
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
        if _is_about(finding, name):
            # Who took the object out of the syncer's hands is the one thing that the annotation must not hide.
            return finding
        if _parts(annotations.get(name, "")) & values and (changes is None or finding.change in changes):
            return _ignored(finding, name, annotations[name], reason)
    # Only a syncer would prune an object, and only one that it made: the annotation is no excuse for anything else.
    if (finding.change, finding.cause) == (Change.UNMANAGED, Cause.PENDING_SYNC):
        for name, values, reason in _KEPT:
            if _parts(annotations.get(name, "")) & values:
                return _ignored(finding, name, annotations[name], reason)
    return finding


def _ignored(finding: Finding, name: str, value: str, reason: str) -> Finding:
    return replace(finding, ignored=finding.ignored or IgnoredBy(f"annotation {name}: {value}", reason))


def _parts(value: str) -> set[str]:
    """The items of an annotation that is a list with commas, in lower case."""
    return {part.strip().lower() for part in value.split(",")}


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
    (
        f"{_ARGOCD}compare-options",
        frozenset({"ignoreextraneous"}),
        frozenset({Change.UNMANAGED}),
        "Argo CD does not count this object",
    ),
)
#: Annotation, values (lower case), and what it tells the syncer: not to prune the object.
_KEPT: Final = (
    (f"{_FLUX}prune", frozenset({"disabled"}), "Flux does not prune this object"),
    (f"{_ARGOCD}sync-options", frozenset({"prune=false"}), "Argo CD does not prune this object"),
    (f"{_ARGOCD}sync-options", frozenset({"prune=confirm"}), "Argo CD prunes this object once that is confirmed"),
    ("helm.sh/resource-policy", frozenset({"keep"}), "Helm does not delete this object"),
    ("kapp.k14s.io/delete-strategy", frozenset({"orphan"}), "kapp does not delete this object"),
)


def _annotations(body: Object | None) -> dict[str, str]:
    metadata = (body or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return {}
    return {name: value for name, value in annotations.items() if isinstance(value, str)}
