"""Annotations that tell a GitOps controller to leave an object alone or not to prune it. Such findings are ignored."""

from dataclasses import replace
from typing import Final

from drift.gitops.hooks import hook_of
from drift.model import Cause, Change, Finding, IgnoredBy, Object
from drift.paths import render

_FLUX: Final = "kustomize.toolkit.fluxcd.io/"
_ARGOCD: Final = "argocd.argoproj.io/"
_SYNC_OPTIONS: Final = f"{_ARGOCD}sync-options"
_PRUNED: Final = "prune=true"


def expected_absence(manifest: Object) -> str | None:
    """Returns why an object may be missing from the cluster, as a sentence, or None if it must be there."""
    hook = hook_of(manifest)
    if hook is not None:
        return f"a hook ({hook}), which may be deleted after it ran"
    spec = manifest.get("spec")
    if manifest.get("kind") == "Job" and isinstance(spec, dict) and spec.get("ttlSecondsAfterFinished") is not None:
        return (
            f"finished: the Job is deleted {spec['ttlSecondsAfterFinished']} s after it ends (ttlSecondsAfterFinished)"
        )
    return None


def prune_opt_out(live: Object, kept: str | None = None) -> str | None:
    """Returns what protects a live object from pruning: an annotation as ``NAME: VALUE``, or a setting; else None.

    Args:
        live: The live object, or at least its metadata.
        kept: The setting that tells what applied the object not to prune, or None.
    """
    annotations = _annotations(live)
    found = (
        f"{name}: {annotations[name]}"
        for name, values, _ in _PRUNE_OPT_OUTS
        if name in annotations and _parts(annotations[name]) & values
    )
    # For Argo CD, the annotation of an object overrides the option of its Application.
    is_pruned = _PRUNED in _parts(annotations.get(_SYNC_OPTIONS, ""))
    return next(found, None if is_pruned else kept)


def apply_opt_outs(
    findings: tuple[Finding, ...], manifest: Object | None, live: Object | None, kept: str | None = None
) -> tuple[Finding, ...]:
    """Returns the findings of an object; those that an annotation or a setting exempts from syncing are ignored.

    Args:
        findings: The findings of one object.
        manifest: The manifest; None for an unmanaged object.
        live: The live object; None for a missing object.
        kept: As for `prune_opt_out`.
    """
    annotations = {**_annotations(manifest), **_annotations(live)}
    return tuple(_apply(finding, annotations, kept) for finding in findings)


def _apply(finding: Finding, annotations: dict[str, str], kept: str | None) -> Finding:
    for name, values, changes, reason in _OPT_OUTS:
        if _is_about(finding, name):
            # A finding about the annotation itself shows who set it, so the annotation must not hide it.
            return finding
        if _parts(annotations.get(name, "")) & values and (changes is None or finding.change in changes):
            return _ignored(finding, name, annotations[name], reason)
    # These annotations matter only for objects that the applier created and would prune.
    if (finding.change, finding.cause) == (Change.UNMANAGED, Cause.PENDING_SYNC):
        for name, values, reason in _PRUNE_OPT_OUTS:
            if _parts(annotations.get(name, "")) & values:
                return _ignored(finding, name, annotations[name], reason)
        if kept is not None and _PRUNED not in _parts(annotations.get(_SYNC_OPTIONS, "")):
            reason = "what applied this object does not prune"
            return replace(finding, ignored=finding.ignored or IgnoredBy(kept, reason))
    return finding


def _ignored(finding: Finding, name: str, value: str, reason: str) -> Finding:
    return replace(finding, ignored=finding.ignored or IgnoredBy(f"annotation {name}: {value}", reason))


def _parts(value: str) -> set[str]:
    """Returns the items of a comma-separated annotation in lower case."""
    return {part.strip().lower() for part in value.split(",")}


def _is_about(finding: Finding, annotation: str) -> bool:
    return finding.path == render(("metadata", "annotations", annotation)) or (
        finding.path == "metadata.annotations" and isinstance(finding.live, dict) and annotation in finding.live
    )


_EXISTING: Final = frozenset(Change) - {Change.MISSING}
#: Annotation, values (lower case), the changes that it exempts (None: all), and what it does.
_OPT_OUTS: Final = (
    (f"{_FLUX}reconcile", frozenset({"disabled"}), None, "Flux does not reconcile this object"),
    (f"{_FLUX}ssa", frozenset({"ignore"}), None, "Flux does not apply this object"),
    (f"{_FLUX}ssa", frozenset({"ifnotpresent"}), _EXISTING, "Flux only creates this object and never changes it"),
    (
        f"{_FLUX}ssa",
        frozenset({"merge"}),
        frozenset({Change.ADDED}),
        "Flux keeps what others add to this object",
    ),
    (
        f"{_ARGOCD}compare-options",
        frozenset({"ignoreextraneous"}),
        frozenset({Change.UNMANAGED}),
        "Argo CD ignores this object when it is not in Git",
    ),
)
#: Annotation, values (lower case), and what it does.
_PRUNE_OPT_OUTS: Final = (
    (f"{_FLUX}prune", frozenset({"disabled"}), "Flux does not prune this object"),
    (_SYNC_OPTIONS, frozenset({"prune=false"}), "Argo CD does not prune this object"),
    (_SYNC_OPTIONS, frozenset({"prune=confirm"}), "Argo CD prunes this object only after confirmation"),
    ("helm.sh/resource-policy", frozenset({"keep"}), "Helm does not delete this object"),
    ("kapp.k14s.io/delete-strategy", frozenset({"orphan"}), "kapp does not delete this object"),
)


def _annotations(body: Object | None) -> dict[str, str]:
    metadata = (body or {}).get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    if not isinstance(annotations, dict):
        return {}
    return {name: value for name, value in annotations.items() if isinstance(value, str)}
