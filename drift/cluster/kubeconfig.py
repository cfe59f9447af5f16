"""Kubeconfig files into what the official client makes a connection of; nothing in them is trusted to be well made.

The client's own reading is not used: it takes a file of a few lines for minutes, and its messages quote credentials.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drift.documents.reader import read_documents
from drift.errors import ConnectError, ManifestError

if TYPE_CHECKING:
    from kubernetes.config.kube_config import ConfigNode

_LISTS: Final = ("clusters", "contexts", "users")


def read_kubeconfigs(files: Sequence[str]) -> "ConfigNode":
    """The files as one: of what several name alike, the first has its way, as with kubectl.

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


def _read(file: str) -> dict[str, Any]:
    try:
        documents = list(read_documents(Path(file).expanduser().read_bytes(), f"kubeconfig {file}"))
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
