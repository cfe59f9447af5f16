"""The API server's own OpenAPI v3 documents, cached on disk for good: their addresses carry their hashes."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson

from drift.errors import RequestError
from drift.kube.limits import RESPONSE_BYTES
from drift.kube.requests import Requests
from drift.kube.resources import Resource

_INDEX: Final = "/openapi/v3"


class SchemaSource:
    """Fetches OpenAPI v3 documents by group and version."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._addresses: dict[str, str] | None = None

    def document(self, resource: Resource) -> dict[str, Any] | None:
        """The document that describes a resource; None where the server has none or does not give it.

        Raises:
            ConnectError: The server is gone.
        """
        address = self.addresses.get(resource.root.removeprefix("/"))
        if address is None:
            return None
        cached = _cache_file(self._requests.server, address)
        document = None if cached is None else _read(cached)
        return self._fetch(address, cached) if document is None else document

    @property
    def addresses(self) -> dict[str, str]:
        """The address of each document by group and version; a document that changes gets another one.

        Raises:
            ConnectError: The server is gone.
        """
        if self._addresses is None:
            self._addresses = self._read_index()
        return self._addresses

    def _read_index(self) -> dict[str, str]:
        try:
            paths = self._requests.get(_INDEX).get("paths") or {}
            addresses = {path: str(entry["serverRelativeURL"]) for path, entry in paths.items()}
            # What begins otherwise could lead to another host, credentials and all.
            return {path: address for path, address in addresses.items() if address.startswith(f"{_INDEX}/")}
        except (RequestError, AttributeError, KeyError, TypeError):
            return {}

    def _fetch(self, address: str, cached: Path | None) -> dict[str, Any] | None:
        parts = urlsplit(address)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            body = self._requests.get_bytes(parts.path, parameters)
            document = orjson.loads(body)
        except (RequestError, orjson.JSONDecodeError):
            return None
        if not isinstance(document, dict):
            return None
        if cached is not None:
            _write(cached, body)
        return document


def _cache_file(server: str, address: str) -> Path | None:
    """Where a document is kept; None for an address without a hash, which may change its meaning.

    Each server has its own: the hash is only its word, and one that lies must not change what is found in another.
    """
    if not parse_qs(urlsplit(address).query).get("hash"):
        return None
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - Path's raises without a home
    name = hashlib.sha256(f"{server}{address}".encode()).hexdigest()
    return Path(root) / "drift" / "openapi" / f"{name}.json" if Path(root).is_absolute() else None


def _read(file: Path) -> dict[str, Any] | None:
    """The document of a file of the cache; None where there is none that can be used, whatever is there instead."""
    try:
        # A pipe or a device would have no end, and another program may write here, too.
        if not file.is_file() or file.stat().st_size > RESPONSE_BYTES:
            return None
        document = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return document if isinstance(document, dict) else None


def _write(file: Path, body: bytes | bytearray) -> None:
    """Writes the file as a whole or not at all; a cache that cannot be written is no error."""
    temporary = None
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as opened:
            temporary = Path(opened.name)
            opened.write(body)
        temporary.replace(file)
    except OSError:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
