"""Kubeconfig files into what the official client makes a connection of; nothing in them is trusted to be well made.

The client's own reading is not used: it takes a file of a few lines for minutes, and its messages quote credentials.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drift.documents.parse import read_documents
from drift.errors import ConnectError, ManifestError, UsageError

if TYPE_CHECKING:
    from kubernetes.config.kube_config import ConfigNode

_LISTS: Final = ("clusters", "contexts", "users")
_SUPPORTED: Final = (
    "token",
    "tokenFile",
    "exec",
    "client-certificate",
    "client-certificate-data",
)
_TYPES: Final = (
    ("insecure-skip-tls-verify", bool, "true or false"),
    ("tls-server-name", str, "a text"),
    ("server", str, "a text"),
)
#: API servers have refused passwords since Kubernetes 1.19, and kubectl the providers of clouds since 1.26.
_UNSUPPORTED: Final = ("username", "password", "auth-provider")


def read_kubeconfigs(files: Sequence[str]) -> "ConfigNode":
    """The files as one: if several define the same name, the first one wins, as with kubectl.

    Args:
        files: At least one. Paths in a file are relative to its folder, so each part remembers its file.

    Raises:
        ConnectError: A file cannot be read, or is no kubeconfig.
    """
    from kubernetes.config.kube_config import ConfigNode  # noqa: PLC0415

    merged: dict[str, Any] = {}
    parts: dict[str, dict[str, ConfigNode]] = {name: {} for name in _LISTS}
    for file in files:
        config = _read(file)
        for name in _LISTS:
            for item in _items(config, name, file):
                place = f"{name} {item['name']!r} of {file}"
                node = ConfigNode(place, item, file)  # type: ignore[no-untyped-call]
                parts[name].setdefault(item["name"], node)
        for name, value in config.items():
            merged.setdefault(name, value)
    merged.update({name: list(found.values()) for name, found in parts.items()})
    return ConfigNode(", ".join(files), merged, files[0])  # type: ignore[no-untyped-call]


def used_user(config: "ConfigNode", context: str | None) -> tuple[dict[str, Any], str]:
    """The user of a context, without the means of authentication that are not supported if it has another one.

    Args:
        config: What `read_kubeconfigs` made; what is not supported is removed from it.
        context: The name of the context; None for the current one.

    Returns:
        The user's part of the kubeconfig, {} where the context names none; and where it is, for messages.

    Raises:
        UsageError: The user has no means of authentication but such as are not supported.
    """
    user_name = _used_context(config, context).get("user")
    user = _named_part(config, "users", user_name)
    place = f"kubeconfig {config.name}: user {user_name!r}"
    found = [means for means in _UNSUPPORTED if user.get(means)]
    if found and not any(user.get(means) for means in _SUPPORTED):
        raise UsageError(
            f"{place}: {' and '.join(found)} cannot be used to log in; use a token, a client certificate or an exec "
            "plugin (kubelogin, gke-gcloud-auth-plugin and the like)"
        )
    for means in found:
        # The official client would prefer it.
        del user[means]
    return user, place


def used_cluster(config: "ConfigNode", context: str | None) -> dict[str, Any]:
    """The cluster of a context.

    Args:
        config: What `read_kubeconfigs` made.
        context: The name of the context; None for the current one.

    Raises:
        ConnectError: A setting of it has the wrong type. The official client would take the text "false" for true.
    """
    name = _used_context(config, context).get("cluster")
    cluster = _named_part(config, "clusters", name)
    for setting, kind, words in _TYPES:
        if not isinstance(cluster.get(setting), kind | None):
            raise ConnectError(f"kubeconfig {config.name}: cluster {name!r}: {setting} is not {words}")
    return cluster


def _used_context(config: "ConfigNode", context: str | None) -> dict[str, Any]:
    return _named_part(config, "contexts", config.value.get("current-context") if context is None else context)


def _named_part(config: "ConfigNode", part: str, name: object) -> dict[str, Any]:
    """What a name stands for in one of the lists, for instance of ``clusters``; {} where nothing has that name."""
    for node in config.value[part]:
        if node.value["name"] == name:
            found: dict[str, Any] | None = node.value.get(part.removesuffix("s"))
            return found or {}
    return {}


def _read(file: str) -> dict[str, Any]:
    try:
        documents = list(read_documents(Path(os.path.expanduser(file)).read_bytes(), f"kubeconfig {file}"))  # noqa: PTH111
    except OSError as error:
        raise ConnectError(f"kubeconfig {file}: cannot be read: {error.strerror}") from None
    except ManifestError as error:
        raise ConnectError(str(error)) from None
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        raise ConnectError(f"kubeconfig {file}: is {'empty' if value is None else 'no mapping'}")
    return value


def _items(config: dict[str, Any], name: str, file: str) -> list[dict[str, Any]]:
    items = config.get(name) or []
    if not isinstance(items, list):
        raise ConnectError(f"kubeconfig {file}: {name} is not a list")
    part = name.removesuffix("s")
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise ConnectError(f"kubeconfig {file}: an item of {name} has no name")
        if not isinstance(item.get(part) or {}, dict):
            raise ConnectError(f"kubeconfig {file}: {part} of {item['name']!r} is no mapping")
        if any(isinstance(value, str) and "\0" in value for value in (item.get(part) or {}).values()):
            raise ConnectError(f"kubeconfig {file}: {part} of {item['name']!r} holds a NUL character")
    return items
