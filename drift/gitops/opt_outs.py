"""What a GitOps controller leaves alone, does not prune or does not compare. Such findings are ignored here, too.

Annotations of objects say so, labels that Flux reads, hooks of Argo CD and Helm, ``ignoreDifferences`` of Applications,
and ``ignore`` of Flux.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate
from typing import Final

from drift.gitops.argocd_tracking import (
    NEVER_LABELLED,
    TRACKING_ID,
    USUAL_LABELS,
    argocd_tracking,
    label_value,
)
from drift.gitops.flux_values import is_applied_by_flux
from drift.gitops.managers import is_gitops_applier, program_of
from drift.gitops.tracked_by import appliers_now
from drift.model import Cause, Change, Finding, IgnoredBy
from drift.objects import Json, Manifest, Object, ObjectKey, as_object, at, objects_at, text_at, texts_at
from drift.paths import escape_pointer, render

_FLUX: Final = "kustomize.toolkit.fluxcd.io/"
_FLUX_HELM: Final = "helm.toolkit.fluxcd.io/"
_FLUX_HELM_LABEL: Final = f"{_FLUX_HELM}name"
_ARGOCD: Final = "argocd.argoproj.io/"
_SYNC_OPTIONS: Final = f"{_ARGOCD}sync-options"
_PRUNED: Final = "prune=true"
_HOOKS: Final = (f"{_ARGOCD}hook", "helm.sh/hook")
#: Helm 2 installed custom resource definitions with this value. Current appliers do not treat it as a hook.
_NO_HOOK: Final = "crd-install"
#: The prefixes of names that only some appliers read, and these programs.
_READ_BY: Final = (
    (_FLUX, frozenset({"flux"})),
    (_FLUX_HELM, frozenset({"helm-controller"})),
    (_ARGOCD, frozenset({"argocd"})),
    # Argo CD reads the resource policy, too, but only when its Application is deleted: it prunes these objects.
    # https://github.com/argoproj/argo-cd/issues/17819
    ("helm.sh/", frozenset({"fleet", "helm", "helm-controller", "kluctl"})),
    ("kapp.k14s.io/", frozenset({"kapp"})),
)
#: The prefixes of names that may also be those of a label: Flux looks for both.
_IN_LABELS: Final = (_FLUX, _FLUX_HELM)
#: Annotation, values (lower case), the changes that it exempts (None: all), and what it does.
_OPT_OUTS: Final = (
    (f"{_FLUX}reconcile", frozenset({"disabled"}), None, "Flux does not reconcile this object"),
    (f"{_FLUX}ssa", frozenset({"ignore"}), None, "Flux does not apply this object"),
    (
        f"{_FLUX}ssa",
        frozenset({"ifnotpresent"}),
        # It does prune the object.
        frozenset(Change) - {Change.MISSING, Change.UNMANAGED},
        "Flux only creates this object and never changes it",
    ),
    (f"{_FLUX}ssa", frozenset({"merge"}), frozenset({Change.ADDED}), "Flux keeps what others add to this object"),
    (
        f"{_FLUX_HELM}driftDetection",
        frozenset({"disabled"}),
        frozenset(Change) - {Change.UNMANAGED},
        "Flux does not correct drift of this object",
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
_NAMES: Final = frozenset(name for name, *_ in (*_OPT_OUTS, *_PRUNE_OPT_OUTS))
#: One step of a jq path: .name, .["name"], [], [0], each with an optional question mark.
_JQ_STEP: Final = re.compile(
    r"""\.?(?:\[\s*"([^"]+)"\s*\]|\[\s*(\d*)\s*\]|([A-Za-z_][A-Za-z0-9_]*))\??|\."([^"]+)"\??"""
)


def expected_absence(manifest: Object, *, runs_hooks: bool = True) -> str | None:
    """Returns why an object may be missing from the cluster, as a sentence, or None if it must be there.

    Args:
        manifest: The manifest.
        runs_hooks: Whether its applier may run hooks. Flux's kustomize-controller applies them like other objects.
    """
    hook = hook_of(manifest)
    if hook is not None and runs_hooks:
        return f"a hook ({hook}), which may be deleted after it ran"
    seconds = at(manifest, "spec", "ttlSecondsAfterFinished") if manifest.get("kind") == "Job" else None
    if seconds is None:
        return None
    return f"finished: the Job is deleted {seconds} s after it ends (ttlSecondsAfterFinished)"


def prune_opt_out(live: Object, kept: str | None = None) -> str | None:
    """Returns what protects a live object from pruning: a mark as ``NAME: VALUE``, or a setting; else None.

    Args:
        live: The live object, or at least its metadata.
        kept: The setting of its Kustomization or Application that turns pruning off, or None.
    """
    ignored = _prune_opt_out(_marks(None, live), kept)
    return None if ignored is None else ignored.rule.removeprefix("annotation ").removeprefix("label ")


def apply_opt_outs(
    findings: tuple[Finding, ...], manifest: Object | None, live: Object | None, kept: str | None = None
) -> tuple[Finding, ...]:
    """Returns the findings of an object; those that a mark on it or a setting exempts from syncing are ignored.

    Args:
        findings: The findings of one object.
        manifest: The manifest; None for an unmanaged object.
        live: The live object; None for a missing object.
        kept: As for `prune_opt_out`.
    """
    marks = _marks(manifest, live) if findings else {}
    return tuple(_apply(finding, marks, kept) for finding in findings)


#: The labels and annotations with which an object opts out, by name: what each is, and its value.
_Marks = Mapping[str, Sequence[tuple[str, str]]]


def _marks(manifest: Object | None, live: Object | None) -> _Marks:
    """Returns the labels and annotations of an object that its applier reads."""
    found: dict[str, list[tuple[str, str]]] = {}
    for field, title in (("annotations", "annotation"), ("labels", "label")):
        for name, value in {**_texts(manifest, field), **_texts(live, field)}.items():
            if name in _NAMES and (field == "annotations" or name.startswith(_IN_LABELS)):
                found.setdefault(name, []).append((title, value))
    appliers = appliers_now(live) if found and live is not None else frozenset()
    return {name: values for name, values in found.items() if not appliers or _is_read_by(name, appliers)}


def _is_read_by(name: str, appliers: frozenset[str]) -> bool:
    readers = next(programs for prefix, programs in _READ_BY if name.startswith(prefix))
    return not readers.isdisjoint(map(program_of, appliers))


def _opting_out(marks: _Marks, name: str, values: Collection[str], reason: str) -> IgnoredBy | None:
    """Returns the rule of an object that has a mark with one of these values, or None."""
    found = ((title, value) for title, value in marks.get(name, ()) if _parts(value) & set(values))
    return next((IgnoredBy(f"{title} {name}: {value}", reason) for title, value in found), None)


def _apply(finding: Finding, marks: _Marks, kept: str | None) -> Finding:
    if _is_created_by_hand(finding):
        # Who creates an object by hand also chooses its annotations.
        return finding
    for name, values, changes, reason in _OPT_OUTS:
        if _is_about(finding, name):
            # A finding about the mark itself shows who set it, so the mark must not hide it.
            return finding
        by = _opting_out(marks, name, values, reason)
        if by is not None and (changes is None or finding.change in changes):
            return _ignored(finding, by)
    # These marks matter only for objects that the applier created and would prune.
    if (finding.change, finding.cause) == (Change.UNMANAGED, Cause.PENDING_SYNC):
        return _ignored(finding, _prune_opt_out(marks, kept))
    return finding


def _is_created_by_hand(finding: Finding) -> bool:
    by_hand = (finding.change, finding.cause) == (Change.UNMANAGED, Cause.MANUAL)
    return by_hand and not any(map(is_gitops_applier, finding.actors))


def _ignored(finding: Finding, by: IgnoredBy | None) -> Finding:
    return finding if by is None or finding.ignored is not None else replace(finding, ignored=by)


def _prune_opt_out(marks: _Marks, kept: str | None) -> IgnoredBy | None:
    for name, values, reason in _PRUNE_OPT_OUTS:
        by = _opting_out(marks, name, values, reason)
        if by is not None:
            return by
    # For Argo CD, the annotation of an object overrides the option of its Application.
    if kept is None or _opting_out(marks, _SYNC_OPTIONS, {_PRUNED}, "") is not None:
        return None
    return IgnoredBy(kept, "what applied this object does not prune")


def _parts(value: str) -> set[str]:
    """Returns the items of a comma-separated annotation in lower case."""
    return {part.strip().lower() for part in value.split(",")}


def _is_about(finding: Finding, name: str) -> bool:
    return any(
        finding.path == render(("metadata", field, name))
        or (finding.path == f"metadata.{field}" and isinstance(finding.live, dict) and name in finding.live)
        for field in ("annotations", "labels")
    )


def _texts(body: Object | None, field: str) -> dict[str, str]:
    """Returns the labels or annotations of an object."""
    found = as_object(at(body, "metadata", field))
    return {name: value for name, value in found.items() if isinstance(value, str)}


def hook_of(body: Object) -> str | None:
    """Returns the annotation that makes an object a hook, as ``NAME: VALUE``, or None if it is not a hook.

    A hook of Argo CD or Helm runs during a sync, and the applier neither compares nor prunes it.
    """
    annotations = _texts(body, "annotations")
    found = ((name, annotations[name]) for name in _HOOKS if name in annotations)
    return next((f"{name}: {value}" for name, value in found if value != _NO_HOOK), None)


# -- differences that are not compared

_Labels = Callable[[], Sequence[str] | None]


@dataclass(frozen=True, slots=True)
class IgnoreDifferences:
    """Differences that Argo CD or Flux ignores, such as an entry of an Application's ``spec.ignoreDifferences``.

    Attributes:
        rule: What has it, for example ``ignoreDifferences of web``.
        reason: A sentence about the Application, Kustomization or HelmRelease.
        objects: Patterns for the group, kind, namespace ("" for cluster-scoped objects) and name of an object.
        pointers: Patterns for the JSON pointers of findings; they also match everything below.
        managers: Field managers whose changes are ignored.
        origin: The source whose objects it is about; None for the objects of every source.
        application: The namespace ("" if unknown) and name of the Application, if live objects tell whether they are
            its own; else None.
    """

    rule: str
    reason: str
    objects: tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str], re.Pattern[str]]
    pointers: tuple[re.Pattern[str], ...]
    managers: tuple[str, ...] = ()
    origin: str | None = None
    application: tuple[str, str] | None = None

    def may_be_about(self, key: ObjectKey, live: Object | None, labels: _Labels = lambda: None) -> bool:
        """Returns whether a live object may belong to the Application: it names this one, or none.

        Args:
            key: The object.
            live: The live object.
            labels: As for `apply_ignore_differences`.
        """
        if self.application is None:
            return True
        own_namespace, own_name = self.application
        tracked_by, colon, _ = text_at(live, "metadata", "annotations", TRACKING_ID).partition(":")
        if colon:
            # Argo CD leaves out the namespace of an Application that is in its own.
            namespace, _, name = tracked_by.rpartition("_")
            return name == own_name and (not namespace or not own_namespace or namespace == own_namespace)
        if key.kind == NEVER_LABELLED or argocd_tracking(as_object(live)) is None:
            return not _is_of_flux(as_object(live))
        # Charts use the default key, too. If the key is not known, it counts: a rule too few hides nothing.
        found = argocd_tracking(as_object(live), labels() or USUAL_LABELS)
        if found is not None and found.application is not None:
            names = (own_name, f"{own_namespace or found.application.rpartition('_')[0]}_{own_name}")
            return found.application in map(label_value, names)
        return not _is_of_flux(as_object(live))

    def covers(self, key: ObjectKey, finding: Finding) -> bool:
        """Returns whether a finding of an object is ignored."""
        names = (key.group, key.kind, key.namespace or "", key.name)
        if not all(pattern.fullmatch(name) for pattern, name in zip(self.objects, names, strict=True)):
            return False
        if finding.pointer and all(map(self._points_at, _leaves(finding))):
            return True
        # A removed field has no owner. Its actors are those that may have removed it.
        has_owners = finding.change is not Change.REMOVED and bool(finding.actors)
        return has_owners and all(actor.manager in self.managers for actor in finding.actors)

    def _points_at(self, pointer: str) -> bool:
        return any(pattern.fullmatch(pointer) for pattern in self.pointers)


def _is_of_flux(live: Object) -> bool:
    labels = as_object(at(live, "metadata", "labels"))
    is_labelled = is_applied_by_flux(live) or _FLUX_HELM_LABEL in labels
    # An object that Argo CD took over from Flux may keep the labels.
    return is_labelled and argocd_tracking(live) is None


def _leaves(finding: Finding) -> Iterator[str]:
    """Yields the pointer of a finding, or those of the leaves of a value that was added or removed as a whole."""
    value = finding.live if finding.change is Change.ADDED else finding.desired
    if finding.change in {Change.ADDED, Change.REMOVED} and isinstance(value, dict | list) and value:
        yield from _leaves_of(value, finding.pointer)
    else:
        yield finding.pointer


def _leaves_of(value: Json, pointer: str) -> Iterator[str]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not children:
        yield pointer
    for name, child in children:
        yield from _leaves_of(child, f"{pointer}/{escape_pointer(str(name))}")


def read_ignore_differences(manifests: Iterable[Manifest]) -> tuple[tuple[IgnoreDifferences, ...], tuple[str, ...]]:
    """Reads the ``ignoreDifferences`` of the Argo CD Applications among the manifests.

    Returns:
        The entries, and a note on each jq expression that is not supported because it is more than a path.
    """
    entries: list[IgnoreDifferences] = []
    notes: list[str] = []
    for manifest in manifests:
        if manifest.group == "argoproj.io" and manifest.kind == "Application":
            found, remarks = application_ignores(manifest.body, manifest.place)
            entries += found
            notes += remarks
    return tuple(entries), tuple(notes)


def application_ignores(
    application: Object, place: str, origin: str | None = None
) -> tuple[list[IgnoreDifferences], list[str]]:
    """Reads the ``ignoreDifferences`` of an Application.

    Args:
        application: The manifest or the live object.
        place: Where it is, for notes.
        origin: As for `IgnoreDifferences`.

    Returns:
        As for `read_ignore_differences`.
    """
    notes: list[str] = []
    name = str(at(application, "metadata", "name"))
    entries = objects_at(application, "spec", "ignoreDifferences")
    found = [_entry(name, entry, place, origin, notes) for entry in entries]
    if origin is None:
        own = text_at(application, "metadata", "namespace"), name
        found = [replace(entry, application=own) for entry in found]
    return found, notes


def flux_ignores(name: str, entries: Json) -> tuple[list[IgnoreDifferences], list[str]]:
    """Reads ``spec.ignore`` of a Kustomization, or ``spec.driftDetection.ignore`` of a HelmRelease.

    Args:
        name: The source, as ``Kustomization NAMESPACE/NAME``. The entries are about its objects only.
        entries: The list.

    Returns:
        The entries, and a note on each that is not supported because it selects objects by labels or annotations.
    """
    found: list[IgnoreDifferences] = []
    notes: list[str] = []
    for entry in objects_at(entries):
        target = as_object(entry.get("target"))
        try:
            # Flux's own selectors are regular expressions, too.
            patterns = [re.compile(str(target.get(field) or ".*")) for field in ("group", "kind", "namespace", "name")]
        except re.error:
            patterns = []
        if not patterns or target.get("labelSelector") or target.get("annotationSelector"):
            notes.append(f"{name}: an entry of its ignore rules is not supported: give group, kind, namespace and name")
            continue
        group, kind, namespace, object_name = patterns
        found.append(
            IgnoreDifferences(
                rule=f"ignore of {name}",
                reason=f"Flux {name} ignores this difference",
                objects=(group, kind, namespace, object_name),
                pointers=tuple(_below(re.escape(pointer)) for pointer in texts_at(entry, "paths")),
                origin=name,
            )
        )
    return found, notes


def apply_ignore_differences(
    key: ObjectKey,
    findings: Sequence[Finding],
    entries: Sequence[IgnoreDifferences],
    origins: Collection[str] = (),
    live: Object | None = None,
    *,
    labels: _Labels = lambda: None,
) -> tuple[Finding, ...]:
    """Returns the findings of an object; those that Argo CD or Flux ignores are ignored here, too.

    Args:
        key: The object.
        findings: Its findings.
        entries: What they ignore.
        origins: The sources of the object.
        live: The live object.
        labels: Returns the keys of the label by which Argo CD may track it; None if they are unknown.
    """
    if not findings:
        return ()
    applicable = [
        entry
        for entry in entries
        if (entry.origin is None or entry.origin in origins) and entry.may_be_about(key, live, labels)
    ]

    def ignored_by(finding: Finding) -> IgnoredBy | None:
        return next((IgnoredBy(entry.rule, entry.reason) for entry in applicable if entry.covers(key, finding)), None)

    return tuple(_ignored(finding, ignored_by(finding)) for finding in findings)


def _entry(name: str, entry: Object, place: str, origin: str | None, notes: list[str]) -> IgnoreDifferences:
    pointers = [_below(re.escape(pointer)) for pointer in texts_at(entry, "jsonPointers")]
    for expression in texts_at(entry, "jqPathExpressions"):
        pattern = _jq_pattern(expression)
        if pattern is None:
            notes.append(
                f"{place}: ignoreDifferences {expression!r} is not supported: use a jq path such as "
                ".spec.template.spec.containers[].image"
            )
        else:
            pointers.append(_below(pattern))
    globs = (re.compile(translate(str(entry.get(field) or ""))) for field in ("group", "kind"))
    exact = (re.compile(re.escape(str(entry[field])) if entry.get(field) else ".*") for field in ("namespace", "name"))
    group, kind, namespace, object_name = (*globs, *exact)
    return IgnoreDifferences(
        rule=f"ignoreDifferences of {name}",
        reason=f"Argo CD Application {name} ignores this difference",
        objects=(group, kind, namespace, object_name),
        pointers=tuple(pointers),
        managers=tuple(texts_at(entry, "managedFieldsManagers")),
        origin=origin,
    )


def _below(pattern: str) -> re.Pattern[str]:
    return re.compile(f"{pattern}(?:/.*)?")


def _jq_pattern(expression: str) -> str | None:
    """Returns a pattern for the JSON pointers that a jq path matches, or None for other expressions."""
    text, pattern, position = expression.strip(), "", 0
    while position < len(text):
        step = _JQ_STEP.match(text, position)
        if step is None:
            return None
        quoted, index, word, dotted = step.groups()
        name = quoted or word or dotted
        pattern += f"/{re.escape(escape_pointer(name))}" if name else f"/{index or '[0-9]+'}"
        position = step.end()
    return pattern or None
