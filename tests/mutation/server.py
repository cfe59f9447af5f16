"""Requests to the real API server, mostly as dry runs: validated, defaulted, with owners, and not stored."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import urllib3
import yaml

from drift.objects import Json, Object

#: The field manager of every edit.
EDITOR: Final = "editor"
_OK: Final = 200
_QUERY: Final = f"fieldValidation=Strict&fieldManager={EDITOR}"


@dataclass(frozen=True, slots=True)
class Refused:
    """The server's reason to refuse an edit."""

    why: str


class Server:
    """An administrator's connection to the sandbox's API server."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster = config["clusters"][0]["cluster"]
        authority = kubeconfig.with_suffix(".crt")
        authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self._server: str = cluster["server"]
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        self._pool = urllib3.PoolManager(ca_certs=str(authority), maxsize=8)

    def get(self, path: str) -> Object:
        body: Object = self._pool.request("GET", self._server + path, headers=self._headers).json()
        return body

    def patch(self, path: str, patch: Iterable[dict[str, Any]]) -> Object | Refused:
        """Patches the object, and returns it or the reason of a refusal."""
        return self._patch(f"{path}?{_QUERY}", patch)

    def patch_as(self, path: str, patch: Iterable[dict[str, Any]], manager: str) -> Object | Refused:
        """Patches the object under a field manager, and returns it or the reason of a refusal."""
        return self._patch(f"{path}?fieldValidation=Strict&fieldManager={manager}", patch)

    def scale(self, path: str, replicas: int) -> Object | Refused:
        """Sets the replicas through the subresource, as `kubectl scale` does."""
        body = {"spec": {"replicas": replicas}}
        return self._send(f"{path}/scale?fieldManager=kubectl", body, "application/merge-patch+json")

    def create(self, path: str, manifest: Object, manager: str) -> int:
        """Creates the object, and returns the HTTP status."""
        address = f"{self._server}{path.rpartition('/')[0]}?fieldManager={manager}"
        return self._pool.request("POST", address, body=json.dumps(manifest), headers=self._headers).status

    def delete(self, path: str) -> int:
        """Deletes the object, and returns the HTTP status."""
        return self._pool.request("DELETE", self._server + path, headers=self._headers).status

    def patch_for_show(self, path: str, patch: Iterable[dict[str, Any]]) -> Object | Refused:
        """Patches the object as a dry run, and returns it or the reason of a refusal."""
        return self._patch(f"{path}?dryRun=All&{_QUERY}", patch)

    def apply_for_show(self, path: str, manifest: Object) -> Object | Refused:
        """Applies the manifest as Flux does, as a dry run, and returns the object or the reason of a refusal."""
        query = "dryRun=All&force=true&fieldManager=kustomize-controller"
        return self._send(f"{path}?{query}", manifest, "application/apply-patch+yaml")

    def apply(self, path: str, manifest: Object, manager: str) -> Object | Refused:
        """Applies the manifest server-side, and returns the object or the reason of a refusal."""
        return self._send(f"{path}?force=true&fieldManager={manager}", manifest, "application/apply-patch+yaml")

    def _patch(self, address: str, patch: Iterable[dict[str, Any]]) -> Object | Refused:
        return self._send(address, list(patch), "application/json-patch+json")

    def _send(self, address: str, body: Json, content_type: str) -> Object | Refused:
        headers = {**self._headers, "Content-Type": content_type}
        try:
            answer = self._pool.request("PATCH", self._server + address, body=json.dumps(body), headers=headers)
        except urllib3.exceptions.ProtocolError as error:
            # The server panics on a few edits and closes the connection: removing completions of an Indexed Job is one.
            return Refused(str(error))
        answered: Object = answer.json()
        return answered if answer.status == _OK else Refused(f"{answer.status} {answered.get('message')}")
