"""Labels, annotations and finalizers that appliers and Kubernetes itself put on objects."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Final

from drift.gitops.managers import is_editor
from drift.model import Actor
from drift.objects import Json, as_object, at, objects_at

#: Labels and annotations whose value names a Kustomization, an Application or a release, and the programs that write
#: them, by their names in ``managers.json``.
_WRITTEN_BY: Final = {
    "argocd.argoproj.io/instance": ("argocd",),
    "argocd.argoproj.io/tracking-id": ("argocd",),
    "fluxcd.controlplane.io/name": ("flux-operator",),
    "helm.toolkit.fluxcd.io/name": ("helm-controller",),
    "kapp.k14s.io/app": ("kapp",),
    "kustomize.toolkit.fluxcd.io/name": ("flux",),
    "meta.helm.sh/release-name": ("fleet", "helm", "helm-controller"),
    "resourceset.fluxcd.controlplane.io/name": ("flux-operator",),
}


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names and name prefixes."""

    exact: frozenset[str]
    prefixes: tuple[str, ...]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self.exact or name.startswith(self.prefixes))


# Compared and hashed by identity, so that it can be a dictionary key.
@dataclass(frozen=True, slots=True, eq=False)
class ReservedMetadata:
    """Names that are not drift when only the live object has them.

    Each mapping is keyed by the field of ``metadata``: labels, annotations or finalizers.

    Attributes:
        tracking: How appliers mark the objects that they apply.
        bookkeeping: What controllers write for their own use.
        any_writer: What is no drift, no matter which manager wrote it: the API server adds it to anyone's request, it
            only asks a controller to act, or Rancher writes it under the name of its user interface. ``NAME=KIND`` is a
            finalizer of objects of that kind.
        copied_labels: Labels in ``tracking`` that the applier also puts into pod templates and selectors.
        overwritten: Names whose value in Git the applier replaces with its own.
        argocd_label: The key of the label by which Argo CD tracks the object, if it is not in Git, too; else None.
    """

    tracking: Mapping[str, Names]
    bookkeeping: Mapping[str, Names]
    any_writer: Mapping[str, Names]
    copied_labels: frozenset[str] = frozenset()
    overwritten: Mapping[str, Names] = field(default_factory=dict)
    argocd_label: str | None = None

    def is_tracking(self, field: str, name: str, value: object) -> bool:
        """Returns whether an applier puts this on the objects that it applies.

        Args:
            field: The field of ``metadata``.
            name: The key of a label or annotation, or a finalizer.
            value: The value of the label or annotation.
        """
        return _has(self.tracking, field, name, value)

    def is_from_anyone(self, field: str, name: str, kind: str) -> bool:
        """Returns whether this is no drift on an object of a kind, no matter which manager wrote it."""
        return _has(self.any_writer, field, name, kind)

    def is_overwritten(self, field: str, name: str, value: object) -> bool:
        """Returns whether an applier replaces the value in Git with this one. Arguments as in `is_tracking`."""
        return _has(self.overwritten, field, name, value)

    def programs(self, live: object, desired: object) -> frozenset[str]:
        """Returns the programs whose tracking label or annotation is live, not set by Git, and not put there by hand.

        Args:
            live: ``metadata`` of the live object, with its ``managedFields``.
            desired: ``metadata`` of the manifest.

        Returns:
            Names of programs, as in ``managers.json``.
        """
        found: set[str] = set()
        for group in ("labels", "annotations"):
            in_cluster, in_git = as_object(at(live, group)), as_object(at(desired, group))
            for name, programs in _WRITTEN_BY.items():
                is_only_live = name in in_cluster and name not in in_git and name in self.tracking[group].exact
                if is_only_live and not _is_put_by_hand(as_object(live), group, name):
                    found.update(programs)
        return frozenset(found)

    def with_label(self, name: str, value: str, *, overwrites: bool) -> "ReservedMetadata":
        """Returns a copy that also has Argo CD's tracking label with this value.

        Args:
            name: The label's key.
            value: The label's value.
            overwrites: Whether the applier replaces the value in Git with this one.
        """
        label = f"{name}={value}"
        return replace(
            self,
            tracking=_with_label(self.tracking, label),
            overwritten=_with_label(self.overwritten, label) if overwrites else self.overwritten,
            argocd_label=name,
        )


def _is_put_by_hand(metadata: Mapping[str, Json], field: str, name: str) -> bool:
    """Whether only tools that people edit objects with own a label or annotation.

    Tools that create an object own all that it has: a user may have made it from one that an applier managed.
    """
    managers = [
        Actor(manager, str(entry.get("operation")), None, None)
        for entry in objects_at(metadata, "managedFields")
        if isinstance(manager := entry.get("manager"), str)
        and f"f:{name}" in as_object(at(entry, "fieldsV1", "f:metadata", f"f:{field}"))
    ]
    return bool(managers) and all(map(is_editor, managers))


def _has(names: Mapping[str, Names], field: str, name: str, value: object) -> bool:
    found = names.get(field)
    return found is not None and (name in found or f"{name}={value}" in found)


def _with_label(names: Mapping[str, Names], label: str) -> Mapping[str, Names]:
    labels = names.get("labels", Names(frozenset(), ()))
    return {**names, "labels": replace(labels, exact=labels.exact | {label})}


@cache
def reserved_metadata() -> ReservedMetadata:
    """Returns the names in ``tracking.json``."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("tracking.json").read_text("utf-8"))
    return ReservedMetadata(
        tracking=_names_by_field(data["tracking"]),
        bookkeeping=_names_by_field(data["bookkeeping"]),
        any_writer=_names_by_field(data["any_writer"]),
        copied_labels=frozenset(data["copied_labels"]),
        overwritten=_names_by_field(data["overwritten"]),
    )


def _names_by_field(fields: Mapping[str, Iterable[str]]) -> Mapping[str, Names]:
    return {
        field: Names(
            frozenset(name for name in names if not name.endswith("*")),
            tuple(name[:-1] for name in names if name.endswith("*")),
        )
        for field, names in fields.items()
    }
