"""The corpus in a namespace of the sandbox, as a syncer leaves it there."""

import contextlib
import json
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from drift.kube.resources import Resource
from drift.model import Manifest
from drift.schema.shipped import built_in_kinds
from drift.sources.load import load_manifests
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

CORPUS = Path(__file__).parent
# What the controllers fill in a moment after an object is made.
FILLED_IN = (
    ("clusterrole/corpus-harbor", "{.rules[0]}"),
    ("persistentvolumeclaim/berth-manual", "{.spec.volumeName}"),
    ("deployment/berth-web", "{.metadata.annotations.deployment\\.kubernetes\\.io/revision}"),
    ("customresourcedefinition/docks.harbor.example.com", "{.status.conditions[0]}"),
)


def corpus_manifests() -> Sequence[Manifest]:
    return load_manifests([str(CORPUS)]).manifests


def built_in_resources() -> list[Resource]:
    return [Resource.from_data(kind) for kind in built_in_kinds()]


@contextlib.contextmanager
def synced_corpus(cluster: Cluster, syncer: Syncer) -> Iterator[str]:
    """The name of the namespace that holds the corpus; afterwards all of it is gone, cluster-wide objects too."""
    namespace = f"corpus-{secrets.token_hex(4)}"
    cluster.create_namespace(namespace)
    try:
        sync(cluster, syncer, CORPUS, namespace=namespace, owner=None if syncer is Syncer.KUBECTL else "corpus")
        for what, field in FILLED_IN:
            cluster.kubectl("wait", f"--namespace={namespace}", what, f"--for=jsonpath={field}", "--timeout=180s")
        yield namespace
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
        _remove_cluster_wide(cluster)


def _remove_cluster_wide(cluster: Cluster) -> None:
    scopes = {(resource.api_version, resource.kind): resource.namespaced for resource in built_in_resources()}
    # Custom resources go with their definitions.
    wide = [m.body for m in corpus_manifests() if not scopes.get((m.api_version, m.kind), True)]
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": wide})
    cluster.kubectl("delete", "--wait=false", "--ignore-not-found", "--filename=-", stdin=objects)
    cluster.kubectl("wait", "--for=delete", "--timeout=180s", "--filename=-", stdin=objects)
