"""Whether an answer is the one that was asked for: its kind, its version, its namespace and its name.

A login page, a proxy or a broken aggregated API may answer anything with status 200. If a foreign answer counted as an
empty list, every object would be reported as missing.
"""

import re
from typing import Final

from drift.errors import RequestError
from drift.kube.requests import MALFORMED
from drift.kube.resources import Resource
from drift.model import Json, Object

_OK: Final = 200
_METADATA_GROUP: Final = "meta.k8s.io/"
_METADATA: Final = "PartialObjectMetadata"
#: What may be quoted of an answer: the name of a kind and of a version, and nothing else that a server could send.
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z0-9./-]{0,99}")
_BUILT_IN_DOMAIN: Final = ".k8s.io"


def is_object(item: Json) -> bool:
    """Whether an answer has what every Kubernetes object has: metadata with a name."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return (
        isinstance(metadata, dict)
        and isinstance(metadata.get("name"), str)
        and isinstance(metadata.get("namespace"), str | None)
    )


def check_list(
    answer: Object, resource: Resource, namespace: str | None, path: str, *, metadata_only: bool = False
) -> list[Object]:
    """Refuses a page of a list that is not one of this kind.

    Args:
        answer: The page.
        resource: The kind that was asked for.
        namespace: Where it was asked for; None for all namespaces, or for a cluster-scoped kind.
        path: What was asked for, for messages.
        metadata_only: Whether objects may come as ``PartialObjectMetadata``.

    Returns:
        Its objects.

    Raises:
        RequestError: It is something else, or holds objects of another kind or namespace.
    """
    items = answer.get("items") or []
    objects = items if isinstance(items, list) and all(map(is_object, items)) else None
    if not _is_list_of(answer, resource, objects or [], metadata_only=metadata_only):
        raise malformed(path, f"the answer is {_name(answer)}, not {resource.kind}List of {resource.api_version}")
    if objects is None:
        raise malformed(path, "the answer is not a list of objects")
    for item in objects:
        # The items of a list often leave out both kind and apiVersion.
        is_named = "kind" in item or "apiVersion" in item
        if is_named and not _is_of(item, resource, metadata_only=metadata_only):
            raise malformed(path, f"the list holds {_name(item)}, not only {resource.kind} of {resource.api_version}")
        if namespace is not None and item["metadata"].get("namespace") != namespace:
            raise malformed(path, "the list holds objects of another namespace")
    return objects


def check_object(
    body: Json, resource: Resource, namespace: str | None, name: str | None, path: str, *, metadata_only: bool = False
) -> None:
    """Refuses an object that is not the one that was asked for.

    Args:
        body: The answer, or the object of a watch event.
        resource: The kind that was asked for.
        namespace: Its namespace; None for any, and for a cluster-scoped kind.
        name: Its name; None for any.
        path: What was asked for, for messages.
        metadata_only: Whether it may come as ``PartialObjectMetadata``.

    Raises:
        RequestError: It is something else.
    """
    if not is_object(body):
        raise malformed(path, f"the answer is {_name(body)}, not an object")
    if not _is_of(body, resource, metadata_only=metadata_only):
        raise malformed(path, f"the answer is {_name(body)}, not {resource.kind} of {resource.api_version}")
    metadata = body["metadata"]
    if name not in {None, metadata["name"]} or namespace not in {None, metadata.get("namespace")}:
        raise malformed(path, "the answer is another object than the one that was asked for")


def malformed(path: str, what: str) -> RequestError:
    """The error of an answer with status 200 that cannot be believed."""
    return RequestError(f"GET {path}: {what}", status=_OK, reason=MALFORMED)


def _is_list_of(answer: Object, resource: Resource, items: list[Object], *, metadata_only: bool) -> bool:
    kind, api_version = answer.get("kind"), answer.get("apiVersion")
    if not isinstance(kind, str) or not isinstance(api_version, str) or "items" not in answer:
        return False
    if metadata_only and kind == f"{_METADATA}List":
        return api_version.startswith(_METADATA_GROUP)
    if api_version != resource.api_version:
        return False
    # A CustomResourceDefinition may name its lists as it likes (`listKind`); its objects then say what they are.
    is_custom = "." in resource.group and not resource.group.endswith(_BUILT_IN_DOMAIN)
    return kind == f"{resource.kind}List" or (
        (is_custom or bool(items)) and all(item.get("kind") == resource.kind for item in items)
    )


def _is_of(body: Object, resource: Resource, *, metadata_only: bool) -> bool:
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if metadata_only and kind == _METADATA:
        return isinstance(api_version, str) and api_version.startswith(_METADATA_GROUP)
    return kind == resource.kind and api_version == resource.api_version


def _name(body: Json) -> str:
    """What an answer calls itself, for messages."""
    if not isinstance(body, dict):
        return "no object"
    kind, api_version = body.get("kind"), body.get("apiVersion")
    if not isinstance(kind, str) or not _WORD.fullmatch(kind):
        return "of no kind"
    known = isinstance(api_version, str) and _WORD.fullmatch(api_version)
    return f"{kind} of {api_version}" if known else kind
