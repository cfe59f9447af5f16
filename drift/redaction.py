"""Replaces the values of Secrets as soon as an object is read, so that no other code can show them.

Replaced values can only be compared with each other. They keep a digest with a random key that is created at start and
never leaves the process.
"""

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from drift.objects import Incomparable, Json, Object

_RUN_KEY: Final = secrets.token_bytes(32)

#: The built-in kinds in groups without a dot in their name, except Secret. Any other kind in such a group may be a
#: Secret whose kind or apiVersion is misspelt.
# fmt: off
_BUILT_IN_KINDS: Final = frozenset((
    "Binding", "ComponentStatus", "ConfigMap", "Endpoints", "Event", "LimitRange", "Namespace", "Node",
    "PersistentVolume", "PersistentVolumeClaim", "Pod", "PodTemplate", "ReplicationController", "ResourceQuota",
    "Service", "ServiceAccount", "ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet",
    "Scale", "CronJob", "Job", "HorizontalPodAutoscaler", "Eviction", "PodDisruptionBudget", "PodSecurityPolicy",
    "Ingress", "NetworkPolicy",
))
# fmt: on
#: The apiVersion of other kinds: the group of a custom resource has a dot in its name.
_DOTTED_API_VERSION: Final = re.compile(
    r"(?P<group>[a-z0-9](?:[-a-z0-9]*+)(?:\.[a-z0-9][-a-z0-9]*+)*\.[a-z][-a-z0-9]*+)/[a-z][-a-z0-9]*+"
)

#: Groups that do not exist, but that people may write for the core group.
_NO_GROUPS: Final = frozenset({"core.k8s.io", "k8s.io", "kubernetes.io"})

#: Annotations of a Secret that are shown: they say how it is synced. All others are redacted, because they may hold a
#: copy of the values, as kubectl's last-applied, kapp's original and Rancher's objectset do.
_OPEN_ANNOTATIONS: Final = frozenset(
    {
        "argocd.argoproj.io/compare-options",
        "argocd.argoproj.io/hook",
        "argocd.argoproj.io/sync-options",
        "argocd.argoproj.io/sync-wave",
        "argocd.argoproj.io/tracking-id",
        "helm.sh/hook",
        "helm.sh/resource-policy",
        "helm.toolkit.fluxcd.io/driftDetection",
        "kapp.k14s.io/delete-strategy",
        "kustomize.toolkit.fluxcd.io/prune",
        "kustomize.toolkit.fluxcd.io/reconcile",
        "kustomize.toolkit.fluxcd.io/ssa",
        "meta.helm.sh/release-name",
        "meta.helm.sh/release-namespace",
    }
)
#: Labels without a domain prefix that are shown. Others are redacted: a password put under ``labels`` by mistake has no
#: domain in its key.
_OPEN_LABELS: Final = frozenset({"app", "k8s-app"})
#: The labels of the Secrets in which Helm keeps its releases, which have no domain either.
_HELM_STATUSES: Final = (
    *("deployed", "failed", "superseded", "unknown", "uninstalled", "uninstalling"),
    *("pending-install", "pending-rollback", "pending-upgrade"),
)
_HELM_LABELS: Final = frozenset({("owner", "helm"), *(("status", status) for status in _HELM_STATUSES)})

#: User and password in a URL, also if its two slashes became one because it was treated as a path.
_CREDENTIALS: Final = re.compile(r"(?<=:/)(/?)[^/?#\s]*@")
#: A credential in the query of a URL, such as ``private_token``, ``sshkey`` and ``X-Amz-Signature``.
_IN_QUERY: Final = re.compile(
    r"([?&][\w.-]*?(?:token|secret|passw|key|signature|\bsig\b|credential)[\w.-]*=)[^&#\s\"'`]+", re.IGNORECASE
)

_NAME: Final = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}")
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,62}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?Z", re.ASCII)
_DATA_KEY: Final = re.compile(r"[-._A-Za-z0-9]{1,253}")
_QUALIFIED: Final = re.compile(r"[a-z0-9][-a-z0-9.]{0,252}/[A-Za-z0-9][-._A-Za-z0-9]{0,252}")
_NAME_KEY: Final = re.compile(rf"{_QUALIFIED.pattern}|[A-Za-z0-9][-._A-Za-z0-9]{{0,62}}")
_LABEL_VALUE: Final = re.compile(r"(?:[A-Za-z0-9][-._A-Za-z0-9]{0,62})?")
#: Stands for keys that no Secret has. Their names are hidden too: a wrongly indented value can become a key.
_UNKNOWN: Final = "unknown fields"
#: Names of unknown fields that are shown: common misspellings and misplaced fields, which are not values.
_HARMLESS_NAMES: Final = frozenset({"binarydata", "data", "immutable", "spec", "status", "stringdata", "type"})


class Redacted:
    """A value that can be compared but not shown. It cannot be serialized to JSON."""

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
    """Removes users and passwords from the URLs in a text, and credentials from their queries."""
    return _IN_QUERY.sub(r"\1...", _CREDENTIALS.sub(r"\1", text))


# Cached, because it is asked for every object, and most are of few kinds.
@lru_cache(maxsize=1024)
def is_secret(api_version: str, kind: str) -> bool:
    """Returns whether objects of this kind are redacted like a Secret.

    Misspelt kinds and ``apiVersion``s that do not exist are redacted too. Custom resources are not, even if their kind
    is called Secret: their group is a domain.
    """
    dotted = _DOTTED_API_VERSION.fullmatch(api_version)
    if dotted is None or dotted["group"] in _NO_GROUPS:
        return kind not in _BUILT_IN_KINDS
    is_of_kubernetes = f".{dotted['group']}".endswith(".k8s.io")
    return is_of_kubernetes and kind.strip().casefold() in {"secret", "secrets"}


def is_name(text: str) -> bool:
    """Returns whether a text is a valid name or namespace of a Secret."""
    return _NAME.fullmatch(text) is not None


def redact_secret(body: Object) -> Object:
    """Returns a copy of a Secret that shows only known metadata with a valid format; other values are `Redacted`.

    ``stringData`` is merged into ``data`` as the server does it.

    Args:
        body: The Secret as parsed; it may be invalid.

    Returns:
        A new object that always has ``data``, so that each key is compared separately.
    """
    metadata = body.get("metadata")
    known = {name: _redact_unless(body[name], is_open) for name, is_open in _FIELDS.items() if name in body}
    if isinstance(metadata, dict):
        known["metadata"] = _redact_metadata(metadata)
    return {**known, **_redact_unknown(body, {*_FIELDS, "metadata", "data", "stringData"}), "data": _redact_data(body)}


def redacted_paths(body: Json, path: tuple[str | None, ...] = ()) -> Iterator[tuple[str | None, ...]]:
    """Yields the paths of redacted values: keys, and None for any item of a list."""
    if isinstance(body, Redacted):
        yield path
    elif isinstance(body, dict):
        for name, value in body.items():
            yield from redacted_paths(value, (*path, name))
    elif isinstance(body, list):
        for value in body:
            yield from redacted_paths(value, (*path, None))


def redact_at(body: Json, paths: Iterable[tuple[str | None, ...]]) -> Json:
    """Returns a copy of an object with the values at these paths redacted; `redacted_paths` yields such paths."""
    for path in paths:
        body = _redact_at(body, path)
    return body


def _redact_at(value: Json, path: tuple[str | None, ...]) -> Json:
    if not path:
        return Redacted(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else _redact_whole(value)
    step, rest = path[0], path[1:]
    if isinstance(value, list) and step is None:
        return [_redact_at(item, rest) for item in value]
    if isinstance(value, dict) and step in value:
        return {**value, step: _redact_at(value[step], rest)}
    return value


def _redact_metadata(metadata: Object) -> Object:
    known = {name: _redact_unless(metadata[name], is_open) for name, is_open in _METADATA.items() if name in metadata}
    given = {name: is_open for name, is_open in _LABELS_AND_ANNOTATIONS.items() if metadata.get(name) is not None}
    names = {name: _redact_names(metadata[name], is_open) for name, is_open in given.items()}
    return {**known, **names, **_redact_unknown(metadata, {*_METADATA, *_LABELS_AND_ANNOTATIONS})}


def _redact_unknown(body: Object, known: Collection[str]) -> Object:
    """Redacts fields that no Secret has. Their names may be secret values too."""
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


def _redact_base64(value: Json) -> Redacted | Incomparable:
    if not isinstance(value, str):
        return _redact_whole(value)
    try:
        # The server decodes and encodes the value, so different wrapping or padding makes no difference.
        return Redacted(base64.b64decode("".join(value.split()), validate=True))
    except (binascii.Error, ValueError):
        return _redact_whole(value)


def _redact_names(names: Json, is_open: Callable[[str, str], bool]) -> Json:
    """Redacts labels or annotations."""
    if not _has_keys(names, _NAME_KEY):
        return _redact_whole(names)
    return {
        name: value if isinstance(value, str) and is_open(name, value) else _redact_whole(value)
        for name, value in names.items()
    }


def _is_open_label(name: str, value: str) -> bool:
    is_known = "/" in name or name in _OPEN_LABELS or (name, value) in _HELM_LABELS
    return is_known and _LABEL_VALUE.fullmatch(value) is not None


def _is_open_annotation(name: str, value: str) -> bool:
    return name in _OPEN_ANNOTATIONS and value.isprintable() and " " not in value


def _has_keys(value: Json, pattern: re.Pattern[str]) -> bool:
    return isinstance(value, dict) and all(pattern.fullmatch(key) for key in value)


def _redact_unless(value: Json, is_open: Callable[[Json], bool]) -> Json:
    return value if value is None or is_open(value) else _redact_whole(value)


def _redact_whole(value: Json) -> Redacted | Incomparable:
    if isinstance(value, Incomparable | Redacted):
        return value
    # The leading byte, which no decoded text has, makes it differ from every decoded value.
    return Redacted(b"\xff" + repr(value).encode("utf-8", "surrogatepass"))


def _matches(pattern: re.Pattern[str]) -> Callable[[Json], bool]:
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_a(kind: type) -> Callable[[Json], bool]:
    return lambda value: isinstance(value, kind)


def _is_type(value: Json) -> bool:
    return value == "Opaque" or _matches(_QUALIFIED)(value)


def _are_finalizers(value: Json) -> bool:
    is_open = _matches(_QUALIFIED)
    return isinstance(value, list) and all(item in ("foregroundDeletion", "orphan") or is_open(item) for item in value)


def _are_owners(value: Json) -> bool:
    return isinstance(value, list) and all(
        isinstance(owner, dict) and all(name in _OWNER and _OWNER[name](part) for name, part in owner.items())
        for owner in value
    )


def _are_managed_fields(value: Json) -> bool:
    return isinstance(value, list) and all(entry is None or isinstance(entry, dict) for entry in value)


#: Fields that are shown if they have a valid format.
_FIELDS: Final[Mapping[str, Callable[[Json], bool]]] = {
    # The reader of objects has checked these two.
    "apiVersion": _is_a(str),
    "kind": _is_a(str),
    "type": _is_type,
    "immutable": _is_a(bool),
}
_METADATA: Final[Mapping[str, Callable[[Json], bool]]] = {
    "name": _matches(_NAME),
    "namespace": _matches(_NAME),
    "generateName": _matches(_NAME),
    "uid": _matches(re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")),
    "resourceVersion": _matches(re.compile(r"[0-9]{1,20}")),
    "generation": _is_a(int),
    "creationTimestamp": _matches(_TIME),
    "deletionTimestamp": _matches(_TIME),
    "deletionGracePeriodSeconds": _is_a(int),
    "finalizers": _are_finalizers,
    "ownerReferences": _are_owners,
    "managedFields": _are_managed_fields,
}
_LABELS_AND_ANNOTATIONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "labels": _is_open_label,
    "annotations": _is_open_annotation,
}
_OWNER: Final[Mapping[str, Callable[[Json], bool]]] = {
    "apiVersion": _matches(re.compile(rf"v[0-9][a-z0-9]*|[a-z]+/v[0-9][a-z0-9]*|{_DOTTED_API_VERSION.pattern}")),
    "kind": _matches(re.compile(r"[A-Z][A-Za-z0-9]{0,62}")),
    "name": _matches(_NAME),
    "uid": _matches(_NAME),
    "controller": _is_a(bool),
    "blockOwnerDeletion": _is_a(bool),
}
