"""The API server's OpenAPI v3 documents, cached on disk for good, because their URLs contain their hashes."""

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
        """Returns the document that describes a resource, or None if the server has none or does not return it.

        Raises:
            ConnectError: The server is gone.
        """
        address = self.addresses.get(resource.root.removeprefix("/"))
        if address is None:
            return None
        file = _cache_file(self._requests.server, address)
        cached = None if file is None else _read(file)
        return self._fetch(address, file) if cached is None else cached

    @property
    def addresses(self) -> dict[str, str]:
        """The URL of each document by group and version. A document that changes gets another URL.

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
            # Another prefix could lead to another host, with the credentials.
            return {path: address for path, address in addresses.items() if address.startswith(f"{_INDEX}/")}
        except (RequestError, AttributeError, KeyError, TypeError):
            return {}

    def _fetch(self, address: str, file: Path | None) -> dict[str, Any] | None:
        parts = urlsplit(address)
        parameters = {name: values[0] for name, values in parse_qs(parts.query).items()}
        try:
            body = self._requests.get_bytes(parts.path, parameters)
            document = orjson.loads(body)
        except (RequestError, orjson.JSONDecodeError):
            return None
        if not isinstance(document, dict):
            return None
        if file is not None:
            _write(file, body)
        return document


def _cache_file(server: str, address: str) -> Path | None:
    """Returns the cache file of a document, or None for a URL without a hash, whose content may change.

    Servers do not share files: a server that sends a wrong hash must not affect others.
    """
    if not parse_qs(urlsplit(address).query).get("hash"):
        return None
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - Path's raises without a home
    name = hashlib.sha256(f"{server}{address}".encode()).hexdigest()
    return Path(root) / "drift" / "openapi" / f"{name}.json" if Path(root).is_absolute() else None


def _read(file: Path) -> dict[str, Any] | None:
    """Returns a cached document, or None if it cannot be used. Anything may be in its place."""
    try:
        # Reading a pipe or a device may never end.
        if not file.is_file() or file.stat().st_size > RESPONSE_BYTES:
            return None
        document = orjson.loads(file.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return document if isinstance(document, dict) else None


def _write(file: Path, body: bytes | bytearray) -> None:
    """Writes a file atomically. Errors are ignored, because the cache is optional."""
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
