"""Labels, annotations and finalizers that syncers and Kubernetes itself put on objects."""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

#: The annotation in which ``kubectl apply`` keeps what it was last given.
LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


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


@dataclass(frozen=True, slots=True)
class Marks:
    """The names, by the field of ``metadata`` they stand in (labels, annotations, finalizers).

    Attributes:
        syncer: A syncer's mark of ownership.
        bookkeeping: What Kubernetes' controllers and tools keep for themselves.
    """

    syncer: dict[str, Names]
    bookkeeping: dict[str, Names]

    def is_syncers(self, field: str, name: str, value: object) -> bool:
        """Whether a syncer is known to put this on objects.

        Args:
            field: Of ``metadata``.
            name: Of a label or an annotation; a finalizer.
            value: What the label or annotation says.
        """
        names = self.syncer.get(field)
        return names is not None and (name in names or f"{name}={value}" in names)

    def bears_tracking(self, live: object, desired: object) -> bool:
        """Whether live metadata holds a label or annotation that names the object's GitOps owner, and Git's does not.

        Args:
            live: ``metadata`` of the live object.
            desired: ``metadata`` of the manifest.
        """
        for field in ("labels", "annotations"):
            present = live.get(field) if isinstance(live, dict) else None
            if not isinstance(present, dict):
                continue
            wanted = desired.get(field) if isinstance(desired, dict) else None
            for name in _TRACKING & self.syncer[field].exact:
                if name in present and not (isinstance(wanted, dict) and name in wanted):
                    return True
        return False


@cache
def known_marks() -> Marks:
    """The marks that are shipped."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("marks.json").read_text("utf-8"))
    return Marks(
        *(
            {
                field: Names(
                    frozenset(name for name in names if not name.endswith("*")),
                    tuple(name[:-1] for name in names if name.endswith("*")),
                )
                for field, names in data[group].items()
            }
            for group in ("syncer", "bookkeeping")
        )
    )
