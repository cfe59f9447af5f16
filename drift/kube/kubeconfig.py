"""Reads and checks kubeconfig files for the official client.

The client's own reader is not used: a small hostile file keeps it busy for minutes, and its errors quote credentials.
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
_CLUSTER_TYPES: Final = (
    ("insecure-skip-tls-verify", bool, "true or false"),
    ("tls-server-name", str, "a string"),
    ("server", str, "a string"),
)
#: API servers accept no passwords since Kubernetes 1.19. kubectl has no cloud auth providers since 1.26.
_UNSUPPORTED: Final = ("username", "password", "auth-provider")


def read_kubeconfigs(files: Sequence[str]) -> "ConfigNode":
    """Merges kubeconfig files. If several define the same name, the first one wins, as with kubectl.

    Each part keeps its file, because paths in a kubeconfig are relative to its folder.

    Raises:
        ConnectError: A file cannot be read or is not a kubeconfig.
    """
    from kubernetes.config.kube_config import ConfigNode  # noqa: PLC0415

    merged: dict[str, Any] = {}
    parts: dict[str, dict[str, ConfigNode]] = {name: {} for name in _LISTS}
    for file in files:
        config = _read(file)
        for name in _LISTS:
            for item in _items(config, name, file):
                location = f"{name} {item['name']!r} of {file}"
                node = ConfigNode(location, item, file)  # type: ignore[no-untyped-call]
                parts[name].setdefault(item["name"], node)
        for name, value in config.items():
            merged.setdefault(name, value)
    merged.update({name: list(nodes.values()) for name, nodes in parts.items()})
    return ConfigNode(", ".join(files), merged, files[0])  # type: ignore[no-untyped-call]


def used_user(config: "ConfigNode", context: str | None) -> tuple[dict[str, Any], str]:
    """Returns the user of a context. Unsupported authentication methods are removed from ``config``.

    The context None is the current one.

    Returns:
        The user in the kubeconfig ({} if the context names none), and where it is, for messages.

    Raises:
        UsageError: The user has only authentication methods that are not supported.
    """
    user_name = _used_context(config, context).get("user")
    user = _named_entry(config, "users", user_name)
    location = f"kubeconfig {config.name}: user {user_name!r}"
    unsupported = [method for method in _UNSUPPORTED if user.get(method)]
    if unsupported and not any(user.get(method) for method in _SUPPORTED):
        raise UsageError(
            f"{location}: {' and '.join(unsupported)} cannot be used to log in; use a token, a client certificate or "
            "an exec plugin (for example kubelogin or gke-gcloud-auth-plugin)"
        )
    for method in unsupported:
        # The official client would prefer it.
        del user[method]
    return user, location


def used_cluster(config: "ConfigNode", context: str | None) -> dict[str, Any]:
    """Returns the cluster of a context.

    The context None is the current one.

    Raises:
        ConnectError: A setting has the wrong type. The official client would treat the string "false" as true.
    """
    name = _used_context(config, context).get("cluster")
    cluster = _named_entry(config, "clusters", name)
    for setting, expected, description in _CLUSTER_TYPES:
        if not isinstance(cluster.get(setting), expected | None):
            raise ConnectError(f"kubeconfig {config.name}: cluster {name!r}: {setting} is not {description}")
    return cluster


def _used_context(config: "ConfigNode", context: str | None) -> dict[str, Any]:
    return _named_entry(config, "contexts", config.value.get("current-context") if context is None else context)


def _named_entry(config: "ConfigNode", part: str, name: object) -> dict[str, Any]:
    """Returns the entry with a name in a list such as ``clusters``, or {} if there is none."""
    for node in config.value[part]:
        if node.value["name"] == name:
            entry: dict[str, Any] | None = node.value.get(part.removesuffix("s"))
            return entry or {}
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
        raise ConnectError(f"kubeconfig {file}: is {'empty' if value is None else 'not a mapping'}")
    return value


def _items(config: dict[str, Any], name: str, file: str) -> list[dict[str, Any]]:
    items = config.get(name) or []
    if not isinstance(items, list):
        raise ConnectError(f"kubeconfig {file}: {name} is not a list")
    part = name.removesuffix("s")
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise ConnectError(f"kubeconfig {file}: an entry of {name} has no name")
        if not isinstance(item.get(part) or {}, dict):
            raise ConnectError(f"kubeconfig {file}: {part} of {item['name']!r} is not a mapping")
        if any(isinstance(value, str) and "\0" in value for value in (item.get(part) or {}).values()):
            raise ConnectError(f"kubeconfig {file}: {part} of {item['name']!r} contains a NUL character")
    return items
