"""Keeps Secrets' values out of everything: they are replaced where an object is read, before anything else sees it.

A replaced value can be told equal or different within this process and nothing else can be learnt from it: it keeps
a digest under a key that is drawn at start and never leaves the process, so that not even a hash gets out.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Final

from drift.model import Json, Object

_RUN_KEY: Final = secrets.token_bytes(32)

#: The kinds of the groups that Kubernetes keeps for itself (those without a dot in their name), Secret left out.
#: Whatever else is said to be in such a group may be a Secret whose kind or apiVersion is misspelt.
# fmt: off
_BUILT_IN_KINDS: Final = frozenset((
    "Binding", "ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "Node",
    "PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController", "ResourceQuota",
    "Service", "ServiceAccount", "ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet",
    "Scale", "CronJob", "Job", "HorizontalPodAutoscaler", "Eviction", "PodDisruptionBudget", "PodSecurityPolicy",
    "Ingress", "NetworkPolicy",
))
# fmt: on
#: The apiVersion of any other kind: a custom resource's group has a dot in its name.
_DOTTED_API_VERSION: Final = re.compile(
    r"(?P<group>[a-z0-9](?:[-a-z0-9]*+)(?:\.[a-z0-9][-a-z0-9]*+)*\.[a-z][-a-z0-9]*+)/[a-z][-a-z0-9]*+"
)

#: What the core group is taken to be called.
_NO_GROUPS: Final = frozenset({"core.k8s.io", "k8s.io", "kubernetes.io"})

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
#: Labels without a domain that are shown. A password below ``labels`` has such a key rather than one with a domain.
_OPEN_LABELS: Final = frozenset({"app", "k8s-app"})

#: Of a URL, also of one whose two slashes became one when it was taken for a path.
_CREDENTIALS: Final = re.compile(r"(?<=:/)(/?)[^/?#\s]*@")

_NAME: Final = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_DATA_KEY: Final = re.compile(r"[-._A-Za-z0-9]{1,253}")
_QUALIFIED: Final = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}/[A-Za-z0-9][-._A-Za-z0-9]{0,252}")
_MARK_KEY: Final = re.compile(rf"{_QUALIFIED.pattern}|[A-Za-z0-9][-._A-Za-z0-9]{{0,62}}")
_LABEL_VALUE: Final = re.compile(r"(?:[A-Za-z0-9][-._A-Za-z0-9]{0,62})?")
#: How the keys are called that no Secret has; a value that is indented wrongly can be one.
_UNKNOWN: Final = "unknown fields"
#: Names of unknown fields that are shown, as they are no values: what is often misspelt or put in the wrong place.
_HARMLESS_NAMES: Final = frozenset({"binarydata", "data", "immutable", "spec", "status", "stringdata", "type"})


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
    """Whether objects of this kind may hold values that must not leave the process.

    In doubt they do: a kind in another spelling, or an ``apiVersion`` that does not exist, is redacted like a Secret.
    A custom resource is not, whatever its kind is called: its group is a domain.
    """
    dotted = _DOTTED_API_VERSION.fullmatch(api_version)
    if dotted is None or dotted["group"] in _NO_GROUPS:
        return kind not in _BUILT_IN_KINDS
    is_of_kubernetes = f".{dotted['group']}".endswith(".k8s.io")
    return is_of_kubernetes and kind.strip().casefold() in {"secret", "secrets"}


def is_name(text: str) -> bool:
    """Whether an API server could take a text for the name or the namespace of a Secret."""
    return _NAME.fullmatch(text) is not None


def redact_secret(body: Object) -> Object:
    """A copy of a Secret with nothing of it in the open but known metadata of the right form.

    ``stringData`` is merged over ``data`` as the server does it. Each other value is `Redacted`.

    Args:
        body: The Secret as parsed, whatever is wrong with it.

    Returns:
        A new object; ``data`` is always there, so that each key is compared by itself.
    """
    metadata = body.get("metadata")
    known = {name: _checked(body[name], is_open) for name, is_open in _FIELDS.items() if name in body}
    if isinstance(metadata, dict):
        known["metadata"] = _redact_metadata(metadata)
    return {**known, **_redact_unknown(body, {*_FIELDS, "metadata", "data", "stringData"}), "data": _redact_data(body)}


def _redact_metadata(metadata: Object) -> Object:
    known = {name: _checked(metadata[name], is_open) for name, is_open in _METADATA.items() if name in metadata}
    given = {name: is_open for name, is_open in _MARKS.items() if metadata.get(name) is not None}
    marks = {name: _redact_marks(metadata[name], is_open) for name, is_open in given.items()}
    return {**known, **marks, **_redact_unknown(metadata, {*_METADATA, *_MARKS})}


def _redact_unknown(body: Object, known: Collection[str]) -> Object:
    """Fields that no Secret has. Their names may be values, too."""
    unknown = {name: value for name, value in body.items() if name not in known}
    harmless = {name: _redact_whole(value) for name, value in unknown.items() if name.casefold() in _HARMLESS_NAMES}
    others = {name: value for name, value in unknown.items() if name not in harmless}
    return {**harmless, _UNKNOWN: _redact_whole(others)} if others else harmless


def _redact_data(body: Object) -> Json:
    data, string_data = body.get("data") or {}, body.get("stringData") or {}
    if not _has_keys(data, _DATA_KEY) or not _has_keys(string_data, _DATA_KEY):
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


def _redact_marks(marks: Json, is_open: Callable[[str, str], bool]) -> Json:
    """Labels or annotations."""
    if not _has_keys(marks, _MARK_KEY):
        return _redact_whole(marks)
    return {
        name: value if isinstance(value, str) and is_open(name, value) else _redact_whole(value)
        for name, value in marks.items()
    }


def _is_open_label(name: str, value: str) -> bool:
    # Helm's record of a release is known by a label without a domain.
    is_known = "/" in name or name in _OPEN_LABELS or (name, value) == ("owner", "helm")
    return is_known and _LABEL_VALUE.fullmatch(value) is not None


def _is_open_annotation(name: str, value: str) -> bool:
    return name in _OPEN_ANNOTATIONS and value.isprintable() and " " not in value


def _has_keys(value: Json, form: re.Pattern[str]) -> bool:
    return isinstance(value, dict) and all(form.fullmatch(key) for key in value)


def _checked(value: Json, is_open: Callable[[Json], bool]) -> Json:
    return value if value is None or is_open(value) else _redact_whole(value)


def _redact_whole(value: Json) -> Redacted:
    # A leading byte that no decoded value has keeps these from ever equalling a value that was decoded.
    return Redacted(b"\xff" + repr(value).encode("utf-8", "surrogatepass"))


def _text(form: re.Pattern[str]) -> Callable[[Json], bool]:
    return lambda value: isinstance(value, str) and form.fullmatch(value) is not None


def _is_string(value: Json) -> bool:
    return isinstance(value, str)


def _is_bool(value: Json) -> bool:
    return isinstance(value, bool)


def _is_integer(value: Json) -> bool:
    return isinstance(value, int)


def _is_type(value: Json) -> bool:
    return value == "Opaque" or _text(_QUALIFIED)(value)


def _are_finalizers(value: Json) -> bool:
    is_open = _text(_QUALIFIED)
    return isinstance(value, list) and all(item in ("foregroundDeletion", "orphan") or is_open(item) for item in value)


def _are_owners(value: Json) -> bool:
    return isinstance(value, list) and all(
        isinstance(owner, dict) and all(name in _OWNER and _OWNER[name](part) for name, part in owner.items())
        for owner in value
    )


def _are_managed_fields(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(entry, dict) for entry in value)


#: Fields that are shown where they have the form that they should have.
_FIELDS: Final[Mapping[str, Callable[[Json], bool]]] = {
    # These two are checked where objects are read.
    "apiVersion": _is_string,
    "kind": _is_string,
    "type": _is_type,
    "immutable": _is_bool,
}
_METADATA: Final[Mapping[str, Callable[[Json], bool]]] = {
    "name": _text(_NAME),
    "namespace": _text(_NAME),
    "generateName": _text(_NAME),
    "uid": _text(re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")),
    "resourceVersion": _text(re.compile(r"[0-9]{1,20}")),
    "generation": _is_integer,
    "creationTimestamp": _text(_TIME),
    "deletionTimestamp": _text(_TIME),
    "deletionGracePeriodSeconds": _is_integer,
    "finalizers": _are_finalizers,
    "ownerReferences": _are_owners,
    "managedFields": _are_managed_fields,
}
_MARKS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "labels": _is_open_label,
    "annotations": _is_open_annotation,
}
_OWNER: Final[Mapping[str, Callable[[Json], bool]]] = {
    "apiVersion": _text(re.compile(rf"v[0-9][a-z0-9]*|[a-z]+/v[0-9][a-z0-9]*|{_DOTTED_API_VERSION.pattern}")),
    "kind": _text(re.compile(r"[A-Z][A-Za-z0-9]{0,62}")),
    "name": _text(_NAME),
    "uid": _text(_NAME),
    "controller": _is_bool,
    "blockOwnerDeletion": _is_bool,
}
