"""Variables such as ``${CLUSTER}`` in plain manifests, which Flux replaces before it applies them (``postBuild``).

https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution
"""

import re
from dataclasses import dataclass
from typing import Final

from drift.globs import Glob, escape
from drift.model import Json, Manifest, Object, ObjectKey, as_object

#: A variable with or without a default or another operator. ``$${CLUSTER}`` stands for the text ``${CLUSTER}``.
_VARIABLE: Final = re.compile(r"(?<!\$)\$\{[A-Za-z_][A-Za-z0-9_]*[^{}]*\}")
_PLAIN_VARIABLE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
#: A name with more variables is taken for any name, so that matching takes no time.
_MAX_VARIABLES: Final = 4
_ANY: Final = Glob("*")
_FLUX_LABEL: Final = "kustomize.toolkit.fluxcd.io/name"
_FLUX_MANAGER: Final = "kustomize-controller"


@dataclass(frozen=True, slots=True)
class VariableKey:
    """The key of a manifest whose object is not known, with globs in place of the unknown parts.

    Attributes:
        kind: The kind.
        group: The API group.
        namespace: The namespace; None for a cluster-scoped object.
        name: The name.
    """

    kind: Glob
    group: Glob
    namespace: Glob | None
    name: Glob

    def matches(self, key: ObjectKey) -> bool:
        """Returns whether the manifest may describe an object."""
        return (
            self.name.matches(key.name)
            and self.kind.matches(key.kind)
            and self.group.matches(key.group)
            and (self.namespace is None or key.namespace is None or self.namespace.matches(key.namespace))
        )


def has_variables(value: Json) -> bool:
    """Returns whether a value contains a string with a variable."""
    if isinstance(value, dict):
        return any(map(has_variables, value.values()))
    if isinstance(value, list):
        return any(map(has_variables, value))
    return isinstance(value, str) and _VARIABLE.search(value) is not None


def example_name(name: str) -> str:
    """Returns a name as it may be after Flux has replaced its variables. Variables with operators stay."""
    return _PLAIN_VARIABLE.sub("x", name)


def variable_key(manifest: Manifest, key: ObjectKey) -> VariableKey | None:
    """Returns the key of a manifest if it has variables, so that it is not known which object it describes, else None.

    Args:
        manifest: The manifest.
        key: Its key as it is written.
    """
    if not has_variables([manifest.api_version, key.kind, key.namespace, key.name]):
        return None
    return VariableKey(
        _glob(key.kind), _glob(key.group), None if key.namespace is None else _glob(key.namespace), _glob(key.name)
    )


def prefix_key(key: ObjectKey, prefix: str) -> VariableKey:
    """Returns the keys of all objects of a kind and namespace whose names begin with a prefix."""
    namespace = None if key.namespace is None else Glob(escape(key.namespace))
    return VariableKey(Glob(escape(key.kind)), Glob(escape(key.group)), namespace, Glob(f"{escape(prefix)}*"))


def _glob(text: str) -> Glob:
    parts = _VARIABLE.split(text)
    return _ANY if len(parts) > _MAX_VARIABLES else Glob("*".join(map(escape, parts)))


def is_applied_by_flux(live: Object) -> bool:
    """Returns whether Flux's kustomize-controller applies a live object."""
    metadata = as_object(live.get("metadata"))
    managers = metadata.get("managedFields")
    return _FLUX_LABEL in as_object(metadata.get("labels")) or any(
        as_object(entry).get("manager") == _FLUX_MANAGER for entry in (managers if isinstance(managers, list) else ())
    )
