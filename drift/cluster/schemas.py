"""The API server's own OpenAPI v3 documents, cached on disk for good: their addresses carry their hashes."""

import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import orjson

from drift.cluster.requests import Requests
from drift.cluster.resources import Resource
from drift.errors import RequestError

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
        if cached is not None and cached.is_file():
            try:
                document: dict[str, Any] = orjson.loads(cached.read_bytes())
            except (OSError, orjson.JSONDecodeError):
                pass
            else:
                return document
        return self._fetch(address, cached)

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
    root = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(root) / "drift" / "openapi" / f"{hashlib.sha256(f'{server}{address}'.encode()).hexdigest()}.json"


def _write(file: Path, body: bytes) -> None:
    """Writes the file as a whole or not at all; a cache that cannot be written is no error."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as temporary:
            temporary.write(body)
        Path(temporary.name).replace(file)
    except OSError:
        pass
