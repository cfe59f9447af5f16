"""Syncs the corpus into a namespace of the sandbox."""

import contextlib
import json
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import yaml

from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.resources import Resource
from drift.objects import Json, Manifest
from drift.schema.types import SchemaDocument, Shape, Type, built_in_kinds
from drift.sources.load import load_manifests
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

CORPUS = Path(__file__).parent
# The end of the API groups of its custom resources.
CUSTOM = ".example.com/"
# Objects with a field that these versions declare behind a feature gate that is off: the server drops it.
GATED = {
    ("ValidatingWebhookConfiguration", "corpus-customs"): "v1.27.",  # matchConditions
    ("Job", "import"): "v1.30.",  # successPolicy
}
# Cluster-wide objects with a finalizer that a controller removes late.
SLOWLY_DELETED = (("servicecidr", "corpus-range"), ("persistentvolume", "corpus-disk", "corpus-iscsi"))
#: A namespace with one ConfigMap.
ANNEX = "corpus-annex"
# Fields that controllers fill in shortly after an object is created.
FILLED_IN = (
    ("clusterrole/corpus-harbor", "{.rules[0]}"),
    ("persistentvolumeclaim/berth-manual", "{.spec.volumeName}"),
    ("deployment/berth-web", "{.metadata.annotations.deployment\\.kubernetes\\.io/revision}"),
    ("customresourcedefinition/docks.harbor.example.com", "{.status.conditions[0]}"),
)


def corpus_manifests(cluster: Cluster | None = None) -> Sequence[Manifest]:
    """Returns the corpus, or only the part whose kinds and fields the cluster has: older ones lack some."""
    manifests = load_manifests([str(CORPUS)]).manifests
    return manifests if cluster is None else [m for m in manifests if (m.kind, m.name) in _served(cluster)]


@cache
def _served(cluster: Cluster) -> frozenset[tuple[str, str]]:
    """Returns kind and name of the objects that the cluster can hold."""
    source = ApiServer(connect(str(cluster.kubeconfig), None))
    return frozenset((m.kind, m.name) for m in corpus_manifests() if CUSTOM in m.api_version or _is_served(source, m))


def _is_served(source: ApiServer, manifest: Manifest) -> bool:
    resource = source.resources.find(manifest.api_version, manifest.kind)
    document = None if resource is None else source.schema(resource)
    gated = GATED.get((manifest.kind, manifest.name))
    is_gated = gated is not None and source.info.version.startswith(gated)
    if resource is None or document is None or is_gated:
        return False
    schema = SchemaDocument(document).kind(resource.group, resource.version, resource.kind)
    return schema is not None and _declares(schema, manifest.body)


def _declares(schema: Type, value: Json) -> bool:
    if isinstance(value, list):
        return all(_declares(schema.items, item) for item in value)
    if not isinstance(value, dict) or schema.shape not in {Shape.STRUCT, Shape.MAP}:
        return True
    known = schema.shape is Shape.MAP or value.keys() <= {*schema.field_names}
    return known and all(_declares(schema.field(name), below) for name, below in value.items())


@contextlib.contextmanager
def _served_part(cluster: Cluster) -> Iterator[Path]:
    """Yields a folder with the part of the corpus that the cluster serves."""
    with tempfile.TemporaryDirectory() as folder:
        for file in CORPUS.glob("*.yaml"):
            documents = file.read_text("utf-8").split("\n---\n")
            bodies = [yaml.safe_load(text) for text in documents]
            kept = [
                text
                for text, body in zip(documents, bodies, strict=True)
                if body and (body["kind"], body["metadata"]["name"]) in _served(cluster)
            ]
            Path(folder, file.name).write_text("\n---\n".join(kept), "utf-8")
        yield Path(folder)


def built_in_resources() -> list[Resource]:
    return [Resource.from_data(kind) for kind in built_in_kinds()]


@contextlib.contextmanager
def synced_corpus(cluster: Cluster, syncer: Syncer, namespace: str | None = None) -> Iterator[str]:
    """Yields the namespace that holds the corpus, a new one by default, and removes all its objects afterwards."""
    namespace = namespace or f"corpus-{secrets.token_hex(4)}"
    cluster.create_namespace(namespace)
    try:
        with _served_part(cluster) as folder:
            sync(cluster, syncer, folder, namespace=namespace, owner=None if syncer is Syncer.KUBECTL else "corpus")
        for what, field in FILLED_IN:
            cluster.kubectl("wait", f"--namespace={namespace}", what, f"--for=jsonpath={field}", "--timeout=180s")
        yield namespace
    finally:
        # As long as the claim is there, it takes the volume of the next corpus, which has the same name.
        cluster.kubectl("delete", "persistentvolumeclaim", "--all", f"--namespace={namespace}")
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")
        _remove_cluster_wide(cluster)


def _remove_cluster_wide(cluster: Cluster) -> None:
    scopes = {(resource.api_version, resource.kind): resource.namespaced for resource in built_in_resources()}
    # Deleting a CRD deletes its custom resources.
    wide = [m.body for m in corpus_manifests(cluster) if not scopes.get((m.api_version, m.kind), True)]
    objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": wide})
    cluster.kubectl("delete", "--wait=false", "--ignore-not-found", "--filename=-", stdin=objects)
    _end_now(cluster)
    cluster.kubectl("wait", "--for=delete", "--timeout=180s", "--filename=-", stdin=objects)


def _end_now(cluster: Cluster) -> None:
    """Does what controllers do only after five to ten seconds with the objects that are being deleted."""
    for what in SLOWLY_DELETED:
        patch = ("--type=merge", "--patch", '{"metadata": {"finalizers": null}}')
        # A controller may be faster, and older servers lack some.
        cluster.kubectl("patch", *what, *patch, check=False)
    cluster.kubectl("delete", "configmap", "annex", f"--namespace={ANNEX}", "--ignore-not-found")
    namespace = json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ANNEX}})
    path = f"/api/v1/namespaces/{ANNEX}/finalize"
    cluster.kubectl("replace", f"--raw={path}", "--filename=-", stdin=namespace, check=False)
