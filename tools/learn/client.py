"""Requests to the sandbox's API server: documents as they are, and objects created for show only."""

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
    """The API server did not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class Client:
    """An administrator's connection to one API server."""

    server: str
    _headers: dict[str, str]
    _pool: urllib3.PoolManager

    @classmethod
    def from_kubeconfig(cls, kubeconfig: Path, authority: Path) -> "Client":
        """A client for the cluster that a kubeconfig of the sandbox names.

        Args:
            kubeconfig: With one cluster and one user, who has a token.
            authority: Where to write the cluster's certificate, which the pool reads from a file.
        """
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster = config["clusters"][0]["cluster"]
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        token = config["users"][0]["user"]["token"]
        return cls(
            cluster["server"], {"Authorization": f"Bearer {token}"}, urllib3.PoolManager(ca_certs=str(authority))
        )

    def get(self, path: str, accept: str = "application/json") -> Any:
        """The JSON that a path answers with."""
        answer = self._pool.request("GET", self.server + path, headers={**self._headers, "Accept": accept})
        if answer.status != _OK:
            raise RefusedError(f"GET {path}: {answer.status}")
        return answer.json()

    def create_for_show(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The object as the server would have stored it; nothing is stored.

        Args:
            path: Of the collection.
            body: The object, every field of which the server must know.

        Raises:
            RefusedError: It is not valid.
        """
        return self.send("POST", f"{path}?dryRun=All&fieldValidation=Strict", body)

    def send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The object that a request with a body answers with."""
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
