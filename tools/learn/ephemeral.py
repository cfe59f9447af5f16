"""Defaults of ephemeral containers, which are added to a running pod through a subresource."""

from collections.abc import Iterator
from typing import Any, Final

from drift.schema.types import Type
from tools.learn.client import Client
from tools.learn.observe import Observation, Observer

_POD: Final = "learn-ephemeral"
_PATH: Final = "/api/v1/namespaces/default/pods"


def observe_ephemeral_containers(client: Client, observer: Observer, pod: Type) -> Iterator[Observation]:
    """Adds ephemeral containers to a pod, and returns what the server fills in. Deletes the pod afterwards."""
    body: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": _POD},
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "app", "image": "example.invalid/app:1"}],
        },
    }
    stored = client.send("POST", _PATH, body)
    added = [
        {"name": "tagged", "image": "example.invalid/app:1"},
        {"name": "untagged", "image": "example.invalid/app"},
    ]
    sent = {**stored, "spec": {**stored["spec"], "ephemeralContainers": added}}
    try:
        returned = client.send("PUT", f"{_PATH}/{_POD}/ephemeralcontainers?dryRun=All", sent)
    finally:
        client.send("DELETE", f"{_PATH}/{_POD}?gracePeriodSeconds=0", {})
    yield from observer.compare(sent, returned, pod)
