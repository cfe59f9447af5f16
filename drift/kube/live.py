"""Live objects: their interface to a scan, how one is read, and the check that a response is what was requested.

A login page, a proxy or a broken aggregated API may return anything with status 200. If that counted as an empty list,
every object would be reported as missing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from drift.errors import malformed
from drift.kube.resources import Resource, Resources
from drift.model import ClusterInfo
from drift.objects import LAST_APPLIED, Json, Object, as_object, at
from drift.redaction import is_secret, redact_secret

_METADATA_GROUP: Final = "meta.k8s.io/"
_METADATA: Final = "PartialObjectMetadata"
#: A kind or an apiVersion. Messages quote nothing else of a response.
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9./-]{0,99}")
_BUILT_IN_DOMAIN: Final = ".k8s.io"


@dataclass(frozen=True, slots=True)
class LiveObject:
    """One live object.

    Attributes:
        api_version: The version in which it was read.
        kind: Its kind.
        namespace: None for a cluster-scoped object.
        name: ``metadata.name``.
        body: The whole object, including ``managedFields``.
        last_applied: The parsed ``last-applied-configuration`` annotation of ``kubectl apply``, also redacted; None if
            it is missing or not valid.
    """

    api_version: str
    kind: str
    namespace: str | None
    name: str
    body: Object = field(repr=False)
    last_applied: Object | None = field(repr=False)

    @property
    def uid(self) -> str | None:
        """``metadata.uid``; None if a dump lacks it."""
        return self._metadata_text("uid")

    @property
    def resource_version(self) -> str | None:
        """``metadata.resourceVersion``; None if a dump lacks it."""
        return self._metadata_text("resourceVersion")

    @property
    def generation(self) -> int | None:
        """``metadata.generation``, which counts the changes of the spec; None for kinds without one."""
        generation = at(self.body, "metadata", "generation")
        return generation if type(generation) is int else None

    def _metadata_text(self, name: str) -> str | None:
        text = at(self.body, "metadata", name)
        return text if isinstance(text, str) else None


class LiveSource(Protocol):
    """A source of live objects."""

    @property
    def info(self) -> ClusterInfo | None:
        """The API server; None for a dump."""

    @property
    def resources(self) -> Resources:
        """The kinds that it has."""

    @property
    def default_namespace(self) -> str:
        """The namespace of objects that name none."""

    @property
    def request_count(self) -> int | None:
        """Requests sent so far; None for a dump."""

    def schema(self, resource: Resource) -> Mapping[str, Any] | None:
        """Returns the OpenAPI v3 document of a resource, or None if there is none.

        Raises RequestError if there may be one.
        """

    def get(self, resource: Resource, namespace: str | None, name: str) -> LiveObject | None:
        """Returns one object, or None if it does not exist. Raises RequestError."""

    def list(
        self, resource: Resource, namespace: str | None, *, metadata_only: bool = False, at_most: int | None = None
    ) -> Iterator[LiveObject]:
        """The objects of a kind. Raises RequestError, TooManyObjectsError."""


def read_live(body: Object, api_version: str, kind: str) -> LiveObject:
    """Returns a live object from its JSON.

    The items of a list often leave out apiVersion and kind.
    """
    metadata = as_object(body.get("metadata"))
    namespace = metadata.get("namespace")
    last_applied = _last_applied(as_object(metadata.get("annotations")).get(LAST_APPLIED))
    if is_secret(api_version, kind):
        body = redact_secret(body)
        last_applied = None if last_applied is None else redact_secret(last_applied)
    return LiveObject(
        api_version=api_version,
        kind=kind,
        # An empty text is no namespace: an aggregated API may write one for a cluster-scoped object.
        namespace=namespace if namespace and isinstance(namespace, str) else None,
        name=metadata["name"] if isinstance(metadata.get("name"), str) else "",
        body=body,
        last_applied=last_applied,
    )


def _last_applied(text: object) -> Object | None:
    if not isinstance(text, str):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def is_object(value: Json) -> bool:
    """Whether a value has what every Kubernetes object has: metadata with a name."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return (
        isinstance(metadata, dict)
        and isinstance(metadata.get("name"), str)
        and isinstance(metadata.get("namespace"), str | None)
    )


def check_list(
    body: Object, resource: Resource, namespace: str | None, path: str, *, metadata_only: bool = False
) -> list[Object]:
    """Returns the items of a list after checking that they were requested.

    The namespace None stands for all. With ``metadata_only``, items may be ``PartialObjectMetadata``.

    Raises:
        RequestError: It is something else, or contains objects of another kind or namespace.
    """
    items = body.get("items") or []
    objects = items if isinstance(items, list) and all(map(is_object, items)) else None
    if not _is_list_of(body, resource, objects or [], metadata_only=metadata_only):
        raise malformed(path, f"the response is {_describe(body)}, not {resource.kind}List of {resource.api_version}")
    if objects is None:
        raise malformed(path, "the response is not a list of objects")
    for item in objects:
        # The items of a list often leave out both kind and apiVersion.
        has_type = "kind" in item or "apiVersion" in item
        if has_type and not _is_of(item, resource, metadata_only=metadata_only):
            raise malformed(
                path, f"the list contains {_describe(item)}, not only {resource.kind} of {resource.api_version}"
            )
        if namespace is not None and item["metadata"].get("namespace") != namespace:
            raise malformed(path, "the list contains objects of another namespace")
    return objects


def check_object(
    body: Json, resource: Resource, namespace: str | None, name: str | None, path: str, *, metadata_only: bool = False
) -> None:
    """Checks that an object was requested.

    A namespace or name of None stands for any. With ``metadata_only``, it may be ``PartialObjectMetadata``.

    Raises:
        RequestError: It is something else.
    """
    if not is_object(body):
        raise malformed(path, f"the response is {_describe(body)}, not a Kubernetes object")
    if not _is_of(body, resource, metadata_only=metadata_only):
        raise malformed(path, f"the response is {_describe(body)}, not {resource.kind} of {resource.api_version}")
    metadata = body["metadata"]
    if name not in {None, metadata["name"]} or namespace not in {None, metadata.get("namespace")}:
        raise malformed(path, "the response is a different object from the requested one")


def _is_list_of(body: Object, resource: Resource, items: list[Object], *, metadata_only: bool) -> bool:
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str) or "items" not in body:
        return False
    if metadata_only and kind == f"{_METADATA}List":
        return api_version.startswith(_METADATA_GROUP)
    if api_version != resource.api_version:
        return False
    # A CustomResourceDefinition may give its lists any kind (`listKind`). Then the kinds of the items decide.
    is_custom = "." in resource.group and not resource.group.endswith(_BUILT_IN_DOMAIN)
    return kind == f"{resource.kind}List" or (
        (is_custom or bool(items)) and all(item.get("kind") == resource.kind for item in items)
    )


def _is_of(body: Object, resource: Resource, *, metadata_only: bool) -> bool:
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if metadata_only and kind == _METADATA:
        return isinstance(api_version, str) and api_version.startswith(_METADATA_GROUP)
    return kind == resource.kind and api_version == resource.api_version


def _describe(body: Json) -> str:
    """The kind and apiVersion of a response, for messages."""
    if not isinstance(body, dict):
        return "not a JSON object"
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if not isinstance(kind, str) or not _WORD.fullmatch(kind):
        return "without a kind"
    is_quotable = isinstance(api_version, str) and _WORD.fullmatch(api_version)
    return f"{kind} of {api_version}" if is_quotable else kind
