"""Requests to the sandbox's API server: raw documents, and dry runs of create and apply."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3
import yaml

_CREATED: Final = 201
_OK: Final = 200


class RefusedError(Exception):
    """The API server refused a request."""


@dataclass(frozen=True, slots=True)
class Client:
    """An administrator's connection to one API server."""

    server: str
    _headers: dict[str, str]
    _pool: urllib3.PoolManager

    @classmethod
    def from_kubeconfig(cls, kubeconfig: Path, authority: Path) -> "Client":
        """Returns a client for the cluster of a sandbox kubeconfig.

        Args:
            kubeconfig: Has one cluster, and one user with a token.
            authority: The file to write the CA certificate to; the connection pool reads it from there.
        """
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster = config["clusters"][0]["cluster"]
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        token = config["users"][0]["user"]["token"]
        return cls(
            cluster["server"], {"Authorization": f"Bearer {token}"}, urllib3.PoolManager(ca_certs=str(authority))
        )

    def get(self, path: str, accept: str = "application/json") -> Any:
        """Returns the JSON at a path."""
        answer = self._pool.request("GET", self.server + path, headers={**self._headers, "Accept": accept})
        if answer.status != _OK:
            raise RefusedError(f"GET {path}: {answer.status}")
        return answer.json()

    def create_for_show(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Creates an object as a dry run, and returns what the server would store.

        Args:
            path: The path of the collection.
            body: The object; the server must know all its fields.

        Raises:
            RefusedError: The object is not valid.
        """
        return self.send("POST", f"{path}?dryRun=All&fieldValidation=Strict", body)

    def send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Sends a request with a body, and returns the object in the answer."""
        answer = self._pool.request(
            method,
            self.server + path,
            body=json.dumps(body),
            headers={**self._headers, "Content-Type": "application/json"},
        )
        if answer.status not in {_OK, _CREATED}:
            raise RefusedError(f"{method} {path}: {answer.json().get('message', answer.status)}")
        made: dict[str, Any] = answer.json()
        return made
