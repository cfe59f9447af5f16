"""Labels, annotations and finalizers that syncers and Kubernetes itself put on objects."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Final

#: Labels and annotations whose value names the object's owner: a Kustomization, an Application, a release, an app.
_TRACKING: Final = frozenset(
    {
        "argocd.argoproj.io/instance",
        "argocd.argoproj.io/tracking-id",
        "helm.toolkit.fluxcd.io/name",
        "kapp.k14s.io/app",
        "kustomize.toolkit.fluxcd.io/name",
        "meta.helm.sh/release-name",
    }
)


@dataclass(frozen=True, slots=True)
class Names:
    """A set of names, some by their beginning."""

    exact: frozenset[str]
    prefixes: tuple[str, ...]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name in self.exact or name.startswith(self.prefixes))


# Compared by identity, so that what is derived from a set of marks can be kept in a dictionary.
@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """The names, by the field of ``metadata`` they stand in (labels, annotations, finalizers).

    Attributes:
        syncer: A syncer's mark of ownership.
        bookkeeping: What Kubernetes' controllers and tools keep for themselves.
        copied_labels: Labels among ``syncer`` that are also put into pod templates and selectors.
        overwritten: What a syncer replaces by a value of its own where Git names it.
    """

    syncer: Mapping[str, Names]
    bookkeeping: Mapping[str, Names]
    copied_labels: frozenset[str] = frozenset()
    overwritten: Mapping[str, Names] = field(default_factory=dict)

    def is_tracking(self, field: str, name: str, value: object) -> bool:
        """Whether a syncer is known to put this on objects.

        Args:
            field: Of ``metadata``.
            name: Of a label or an annotation; a finalizer.
            value: What the label or annotation says.
        """
        return _has(self.syncer, field, name, value)

    def is_overwritten(self, field: str, name: str, value: object) -> bool:
        """Whether a syncer puts this in place of what Git says; arguments as in `is_tracking`."""
        return _has(self.overwritten, field, name, value)

    def bears_tracking(self, live: object, desired: object) -> bool:
        """Whether live metadata holds a label or annotation that names the object's GitOps owner, and Git's does not.

        Args:
            live: ``metadata`` of the live object.
            desired: ``metadata`` of the manifest.
        """
        for group in ("labels", "annotations"):
            present = live.get(group) if isinstance(live, dict) else None
            if not isinstance(present, dict):
                continue
            wanted = desired.get(group) if isinstance(desired, dict) else None
            for name in _TRACKING & self.syncer[group].exact:
                if name in present and not (isinstance(wanted, dict) and name in wanted):
                    return True
        return False

    def with_label(self, name: str, value: str, *, overwrites: bool) -> "Marks":
        """These marks and a tracking label that is one with this value alone.

        Args:
            name: The label's name.
            value: Its value.
            overwrites: Whether the syncer puts it in place of what Git says.
        """
        mark = f"{name}={value}"
        return replace(
            self,
            syncer=_with_label(self.syncer, mark),
            overwritten=_with_label(self.overwritten, mark) if overwrites else self.overwritten,
        )


def _has(names: Mapping[str, Names], field: str, name: str, value: object) -> bool:
    found = names.get(field)
    return found is not None and (name in found or f"{name}={value}" in found)


def _with_label(names: Mapping[str, Names], mark: str) -> Mapping[str, Names]:
    labels = names.get("labels", Names(frozenset(), ()))
    return {**names, "labels": replace(labels, exact=labels.exact | {mark})}


@cache
def known_marks() -> Marks:
    """The marks that are shipped."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("tracking.json").read_text("utf-8"))
    return Marks(
        syncer=_names_by_field(data["syncer"]),
        bookkeeping=_names_by_field(data["bookkeeping"]),
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
