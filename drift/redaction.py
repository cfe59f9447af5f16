"""Keeps Secrets' values out of everything: they are replaced where an object is read, before anything else sees it.

A replaced value can be told equal or different within this process and nothing else can be learnt from it: it keeps
a digest under a key that is drawn at start and never leaves the process, so that not even a hash gets out.
"""

import base64
import binascii
import hashlib
import re
import secrets
from typing import Final

from drift.model import Json, Object

_RUN_KEY: Final = secrets.token_bytes(32)

#: Annotations of a Secret that are shown as they are: they name who syncs it. Any other may hold a copy of its
#: values (kubectl's last-applied, kapp's original, Rancher's objectset do) and is treated like one.
_OPEN_ANNOTATIONS: Final = frozenset(
    {
        "argocd.argoproj.io/compare-options",
        "argocd.argoproj.io/hook",
        "argocd.argoproj.io/sync-options",
        "argocd.argoproj.io/sync-wave",
        "argocd.argoproj.io/tracking-id",
        "helm.sh/hook",
        "helm.sh/resource-policy",
        "kapp.k14s.io/delete-strategy",
        "kustomize.toolkit.fluxcd.io/prune",
        "kustomize.toolkit.fluxcd.io/reconcile",
        "kustomize.toolkit.fluxcd.io/ssa",
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
    }
)


#: Of a URL, also of one whose two slashes became one when it was taken for a path.
_CREDENTIALS: Final = re.compile(r"(?<=:/)(/?)[^/?#\s]*@")
_OPEN_FIELDS: Final = ("apiVersion", "kind", "type", "immutable")


class Redacted:
    """A value that may be compared and never shown; it cannot be serialized to JSON."""

    __slots__ = ("_digest",)

    def __init__(self, value: bytes) -> None:
        self._digest = hashlib.blake2b(value, key=_RUN_KEY, digest_size=16).digest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Redacted) and self._digest == other._digest

    def __hash__(self) -> int:
        return hash(self._digest)

    def __repr__(self) -> str:
        return "(redacted)"


def without_passwords(text: str) -> str:
    """A text in which URLs name no user and no password."""
    return _CREDENTIALS.sub(r"\1", text)


def is_secret(api_version: str, kind: str) -> bool:
    """Whether objects of this kind hold values that must not leave the process."""
    return kind == "Secret" and api_version == "v1"


def redact_secret(body: Object) -> Object:
    """A copy of a Secret in which values are `Redacted`, and ``stringData`` is merged over ``data`` as the server does.

    Args:
        body: The Secret as parsed. Whatever is not as a Secret should be is redacted whole.

    Returns:
        A new object; ``data`` is always there, so that each key is compared by itself.
    """
    open_fields: Object = {name: body[name] for name in _OPEN_FIELDS if name in body}
    metadata = body.get("metadata")
    if isinstance(metadata, dict):
        open_fields["metadata"] = _redact_annotations(metadata)
    hidden = {
        name: _redact_whole(value)
        for name, value in body.items()
        if name not in open_fields and name not in {"data", "stringData", "metadata"}
    }
    return {**open_fields, **hidden, "data": _redact_data(body)}


def _redact_data(body: Object) -> Json:
    data, string_data = body.get("data") or {}, body.get("stringData") or {}
    if not isinstance(data, dict) or not isinstance(string_data, dict):
        return _redact_whole([data, string_data])
    return {key: _redact_base64(value) for key, value in data.items()} | {
        key: Redacted(value.encode()) if isinstance(value, str) else _redact_whole(value)
        for key, value in string_data.items()
    }


def _redact_base64(value: Json) -> Redacted:
    if not isinstance(value, str):
        return _redact_whole(value)
    try:
        # The server decodes and encodes again, so a wrapped or differently padded text is the same value.
        return Redacted(base64.b64decode("".join(value.split()), validate=True))
    except (binascii.Error, ValueError):
        return _redact_whole(value)


def _redact_annotations(metadata: Object) -> Object:
    annotations = metadata.get("annotations")
    if annotations is None:
        return metadata
    if not isinstance(annotations, dict):
        return {**metadata, "annotations": _redact_whole(annotations)}
    return {
        **metadata,
        "annotations": {
            name: value if name in _OPEN_ANNOTATIONS else _redact_whole(value) for name, value in annotations.items()
        },
    }


def _redact_whole(value: Json) -> Redacted:
    # A leading byte that no decoded value has keeps these from ever equalling a value that was decoded.
    return Redacted(b"\xff" + repr(value).encode())
