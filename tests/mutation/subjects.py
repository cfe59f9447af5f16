"""The objects of the corpus, with what is needed to edit and compare each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from drift.compare.classify import ClassifiedDifference
from drift.compare.objects import compare_object
from drift.compare.proof import InSyncProof
from drift.gitops.tracking import reserved_metadata
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.live import read_live
from drift.kube.resources import Resource
from drift.objects import Manifest, Object
from drift.schema.facts import known_facts
from drift.schema.types import SchemaDocument, Type
from tests.corpus.syncing import corpus_manifests
from tests.mutation.schema import Node
from tests.mutation.server import Server
from tools.sandbox.cluster import Cluster

_PROOF: Final = InSyncProof(known_facts(), reserved_metadata())


@dataclass(frozen=True, slots=True)
class Subject:
    """One object of the corpus.

    Attributes:
        manifest: The object in Git.
        path: The live object's URL path.
        schema: The type of its kind, as the comparison reads it.
        node: The same type, as the edits and the oracle read it.
    """

    manifest: Manifest
    resource: Resource
    path: str
    schema: Type = field(repr=False)
    node: Node = field(repr=False)

    def __str__(self) -> str:
        return f"{self.manifest.kind}/{self.manifest.name} ({self.manifest.api_version})"

    def report(self, live: Object) -> tuple[ClassifiedDifference, ...]:
        """Compares the manifest with a live object."""
        read = read_live(live, self.resource.api_version, self.resource.kind)
        # tests/conftest.py checks each proof that holds against the comparison: here, for every edit.
        _PROOF.holds(self.manifest.body, read.body, None, read.last_applied, self.schema)
        _PROOF.without_equal_template(self.manifest.body, read.body, None, read.last_applied, self.schema)
        return compare_object(self.manifest.body, read.body, read.last_applied, self.schema).differences


def subjects(cluster: Cluster, namespace: str) -> tuple[Server, list[Subject]]:
    """Returns a connection to the sandbox, and the objects of the corpus in a namespace."""
    kubeconfig = cluster.kubeconfig_for(namespace=namespace)
    api = ApiServer(connect(str(kubeconfig), None))
    return Server(kubeconfig), list(_subjects(api, namespace, corpus_manifests(cluster)))


def _subjects(api: ApiServer, namespace: str, manifests: Sequence[Manifest]) -> Iterator[Subject]:
    documents: dict[str, Object] = {}
    for manifest in manifests:
        resource = api.resources.find(manifest.api_version, manifest.kind)
        assert resource is not None
        if resource.root not in documents:
            documents[resource.root] = api.schema(resource) or {}
        document = documents[resource.root]
        identity = (resource.group, resource.version, resource.kind)
        schema = SchemaDocument(document).kind(*identity)
        assert schema is not None
        where = (manifest.namespace or namespace) if resource.namespaced else None
        path = resource.path(where, manifest.name)
        yield Subject(manifest, resource, path, schema, Node.of_kind(document, *identity))
