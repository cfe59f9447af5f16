"""Values in Git that Flux replaces before it applies an object: what SOPS encrypts, and variables (``postBuild``).

Git has only the ciphertext, which differs after each encryption. The cluster has the plain text, which a report must
not show, whatever the kind of the object. A variable such as ``${CLUSTER}`` may be anywhere, also in a name:
https://fluxcd.io/flux/components/kustomize/kustomizations/#post-build-variable-substitution
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from drift.globs import Glob, escape
from drift.objects import Incomparable, Json, Manifest, Object, ObjectKey, as_object, at, objects_at

#: Stands for each encrypted value.
ENCRYPTED: Final = Incomparable("encrypted with SOPS")
#: Stands for a file that kustomize puts into a ConfigMap or Secret. Flux decrypts the file first.
ENCRYPTED_FILE: Final = Incomparable("encrypted with SOPS, in a file")
#: Stands for a reference to a ConfigMap or Secret with such a file, whose name has another hash in the cluster.
_NAME_OF_ENCRYPTED: Final = Incomparable("a name that depends on a file that is encrypted with SOPS")
SOPS_VALUES: Final = frozenset({ENCRYPTED, ENCRYPTED_FILE})
_FIELD: Final = "sops"
_BEGIN: Final = "ENC["
_END: Final = "]"
_CIPHERTEXT_START: Final = b"ENC[AES256_GCM,data:"
#: The same in base64, at each of the three offsets, without the characters that depend on the text around it.
_CIPHERTEXT_BASE64: Final = tuple(
    base64.b64encode(b"x" * shift + _CIPHERTEXT_START).decode()[4:-4] for shift in range(3)
)
#: The keys that SOPS adds to a dotenv file.
_DOTENV_PREFIX: Final = "sops_"
#: kustomize appends ten of these characters, a hash of the content, to the name of what it generates.
_HASHED_NAME: Final = re.compile(r"(.+-)[bcdfghkmt2456789]{10}")
_KINDS_WITH_FILES: Final = ("ConfigMap", "Secret")


def has_metadata(document: Json) -> bool:
    """Returns whether SOPS has written a document. Its metadata signs all values, also those that are not encrypted."""
    return isinstance(document, dict) and isinstance(document.get(_FIELD), dict)


def mask_encrypted(document: Json) -> Json:
    """Returns a document without the metadata of SOPS, with `ENCRYPTED` for each encrypted value.

    Args:
        document: The value of a document. One that SOPS has not written is returned as it is.
    """
    if not isinstance(document, dict):
        return document
    if has_metadata(document):
        return {name: _mask(value) for name, value in document.items() if name != _FIELD}
    if document.get("kind") in _KINDS_WITH_FILES:
        data = document.get("data")
        masked = _mask_files(data)
        return document if masked is data else {**document, "data": masked}
    return document


def hashed_prefix(manifest: Manifest) -> str | None:
    """Returns the name of an object without the hash that kustomize computes from an encrypted file, else None.

    Flux decrypts the file first, so the object has another hash in the cluster.
    """
    found = _HASHED_NAME.fullmatch(manifest.name) if manifest.kind in _KINDS_WITH_FILES else None
    data = manifest.body.get("data") if found else None
    return found[1] if found and isinstance(data, dict) and ENCRYPTED_FILE in data.values() else None


def mask_names(body: Object, names: Iterable[str]) -> Object:
    """Returns the object with an `Incomparable` for each reference to one of these names, which the cluster lacks."""
    names = frozenset(names)
    return {field: value if field == "metadata" else _mask_names(value, names) for field, value in body.items()}


def _mask_names(value: Json, names: frozenset[str]) -> Json:
    if isinstance(value, dict):
        return {name: _mask_names(below, names) for name, below in value.items()}
    if isinstance(value, list):
        return [_mask_names(item, names) for item in value]
    return _NAME_OF_ENCRYPTED if isinstance(value, str) and value in names else value


def _mask_files(data: Json) -> Json:
    if not isinstance(data, dict) or not any(map(_is_encrypted_file, data.values())):
        return data
    return {
        name: ENCRYPTED_FILE if _is_encrypted_file(value) else value
        for name, value in data.items()
        if not name.startswith(_DOTENV_PREFIX)
    }


def _is_encrypted_file(value: Json) -> bool:
    if not isinstance(value, str):
        return False
    if _CIPHERTEXT_START.decode() in value:
        return True
    if " " in value:
        # Text, such as a large dashboard, and not base64.
        return False
    # kustomize wraps long base64.
    text = value.replace("\n", "")
    return any(start in text for start in _CIPHERTEXT_BASE64)


def _mask(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _mask(below) for name, below in value.items()}
    if isinstance(value, list):
        return [_mask(item) for item in value]
    is_encrypted = isinstance(value, str) and value.startswith(_BEGIN) and value.endswith(_END)
    return ENCRYPTED if is_encrypted else value


#: A variable with or without a default or another operator. ``$${CLUSTER}`` stands for the text ``${CLUSTER}``.
_VARIABLE: Final = re.compile(r"(?<!\$)\$\{[A-Za-z_][A-Za-z0-9_]*[^{}]*\}")
_PLAIN_VARIABLE: Final = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
#: A name with more variables counts as ``*``, because a glob with many ``*`` is slow.
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
    return isinstance(value, str) and "${" in value and _VARIABLE.search(value) is not None


def example_name(name: str) -> str:
    """Returns a name as it may be after Flux has replaced its variables. Variables with operators stay."""
    return _PLAIN_VARIABLE.sub("x", name)


def variable_key(manifest: Manifest, key: ObjectKey) -> VariableKey | None:
    """Returns the key of a manifest as globs if its key has variables, else None.

    Args:
        manifest: The manifest.
        key: Its key, with the variables.
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
    managers = (entry.get("manager") for entry in objects_at(live, "metadata", "managedFields"))
    return _FLUX_LABEL in as_object(at(live, "metadata", "labels")) or _FLUX_MANAGER in managers
