"""The API server as the judge of single objects: a strict dry run in a few milliseconds."""

import base64
import json
from typing import Any
from urllib.parse import quote, urlencode

import urllib3
import yaml

from rescan.kinds import resource_of
from tools.sandbox.cluster import Cluster

_STRICTLY = urlencode({"dryRun": "All", "fieldManager": "judge", "force": "true", "fieldValidation": "Strict"})
_APPLIED = (200, 201)


class Server:
    """The API server of a cluster, asked as the administrator."""

    def __init__(self, cluster: Cluster) -> None:
        config = yaml.safe_load(cluster.kubeconfig.read_text())
        authority = config["clusters"][0]["cluster"]["certificate-authority-data"]
        token = config["users"][0]["user"]["token"]
        self._url = cluster.server
        self._http = urllib3.PoolManager(
            ca_cert_data=base64.b64decode(authority).decode(), headers={"Authorization": f"Bearer {token}"}
        )

    def refusal(self, manifest: dict[str, Any], namespace: str) -> str | None:
        """Why the API server would not apply an object in a namespace, as syncers do; None if it would."""
        kind, version = manifest["kind"], manifest["apiVersion"]
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        path += "/namespaces" if kind == "Namespace" else f"/namespaces/{namespace}/{resource_of(kind)}"
        response = self._http.request(
            "PATCH",
            f"{self._url}{path}/{quote(manifest['metadata']['name'], safe='')}?{_STRICTLY}",
            # The server reads this as YAML, which has no surrogate pairs.
            body=json.dumps(manifest, ensure_ascii=False).encode(),
            headers={**self._http.headers, "Content-Type": "application/apply-patch+yaml"},
        )
        return None if response.status in _APPLIED else str(response.json()["message"])

    def close(self) -> None:
        """Close the connections."""
        self._http.clear()
