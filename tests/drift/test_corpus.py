"""The corpus has no drift after a sync by each applier."""

import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from drift.compare.objects import compare_object
from drift.kube.api_server import ApiServer
from drift.kube.connection import connect
from drift.kube.dump import Dump
from drift.kube.live import LiveObject
from drift.kube.resources import Resource
from drift.model import Cause, Report, Status, Unmanaged
from drift.objects import Json, Manifest
from drift.redaction import Redacted
from drift.scanning import LiveSource, Options, scan_manifests
from drift.schema.types import SchemaDocument, Type
from drift.sources.git import manifests_info
from tests.corpus.syncing import CORPUS, built_in_resources, corpus_manifests, synced_corpus
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer

CORE = 2
IDENTITY = {("metadata", "name"), ("metadata", "namespace")}


@dataclass(frozen=True, slots=True)
class Synced:
    """The synced corpus, and its namespace."""

    cluster: Cluster
    namespace: str

    def scan_server(self) -> Report:
        kubeconfig = self.cluster.kubeconfig_for(namespace=self.namespace)
        return _scan(ApiServer(connect(str(kubeconfig), None)), self)

    def scan_dump(self, file: Path) -> Report:
        kinds = {
            (manifest.kind, *reversed(manifest.api_version.split("/"))) for manifest in corpus_manifests(self.cluster)
        }
        # KIND.VERSION.GROUP, or only KIND for the core group.
        names = ",".join(".".join(kind) if len(kind) > CORE else kind[0] for kind in sorted(kinds))
        dump = self.cluster.kubectl("get", names, "--all-namespaces", "--output=yaml", "--show-managed-fields")
        file.write_text(dump.stdout)
        return _scan(Dump([str(file)], built_in_resources(), self.namespace), self)


@pytest.fixture(scope="module", params=list(Syncer), ids=lambda syncer: str(syncer.value))
def synced(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Synced]:
    syncer: Syncer = request.param
    with synced_corpus(cluster, syncer) as namespace:
        yield Synced(cluster, namespace)


def _scan(source: LiveSource, synced: Synced) -> Report:
    return scan_manifests(
        corpus_manifests(synced.cluster),
        source,
        info=manifests_info([str(CORPUS)]),
        options=Options(namespace=synced.namespace, unmanaged=Unmanaged.OFF),
    )


def _complaints(report: Report) -> list[str]:
    """Returns all findings except a controller's work, which is not drift."""
    unread = [f"{item.key}: {item.status} {item.reason}" for item in report.objects if item.status is Status.UNCHECKED]
    return [*report.errors, *unread] + [
        f"{item.key} {finding.change} {finding.path}: {finding.desired} -> {finding.live} ({finding.cause})"
        for item in report.objects
        for finding in item.findings
        if finding.cause is not Cause.CONTROLLER
    ]


def test_the_corpus_covers_many_kinds() -> None:
    kinds = Counter(
        (body["apiVersion"], body["kind"])
        for file in CORPUS.glob("*.yaml")
        for body in yaml.safe_load_all(file.read_text("utf-8"))
    )

    assert len(kinds) >= 45
    assert kinds.total() >= 90


def test_a_synced_corpus_has_no_drift(synced: Synced) -> None:
    report = synced.scan_server()

    assert _complaints(report) == []
    assert len(report.objects) == len(corpus_manifests(synced.cluster))


def test_a_dump_of_a_synced_corpus_has_no_drift(synced: Synced, tmp_path: Path) -> None:
    report = synced.scan_dump(tmp_path / "dump.yaml")

    assert _complaints(report) == []
    assert len(report.objects) == len(corpus_manifests(synced.cluster))


def test_a_change_of_any_value_of_the_corpus_is_found(synced: Synced) -> None:
    source = ApiServer(connect(str(synced.cluster.kubeconfig_for(namespace=synced.namespace)), None))

    unseen = [
        f"{manifest.kind} {manifest.name}: {path}"
        for manifest in corpus_manifests(synced.cluster)
        for path, changed in _changed_by_one_value(manifest.body)
        if not _is_seen(source, manifest, changed, synced.namespace)
    ]

    assert unseen == []


def _changed_by_one_value(body: Json) -> Iterator[tuple[str, Json]]:
    """Yields the manifest once per scalar, with that scalar changed; leaves out those that identify the object."""
    for path, value in _scalars(body, ()):
        if path[-1] in {"apiVersion", "kind"} or path in IDENTITY or path[0] == "status" or isinstance(value, Redacted):
            continue
        changed = copy.deepcopy(body)
        parent = changed
        for step in path[:-1]:
            parent = parent[step]
        parent[path[-1]] = not value if isinstance(value, bool) else value + ("x" if isinstance(value, str) else 7)
        yield ".".join(map(str, path)), changed


def _scalars(value: Json, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    if isinstance(value, dict | list):
        for step, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _scalars(below, (*path, step))
    elif value is not None:
        yield path, value


def _is_seen(source: ApiServer, manifest: Manifest, changed: Json, namespace: str) -> bool:
    resource = source.resources.find(manifest.api_version, manifest.kind)
    assert resource is not None
    live, schema = _live(source, resource, manifest.namespace or namespace, manifest.name)
    return bool(compare_object(changed, live.body, live.last_applied, schema).differences)


@cache
def _live(source: ApiServer, resource: Resource, namespace: str, name: str) -> tuple[LiveObject, Type]:
    live = source.get(resource, namespace if resource.namespaced else None, name)
    schema = _schema(source, resource).kind(resource.group, resource.version, resource.kind)
    assert live is not None
    assert schema is not None
    return live, schema


@cache
def _schema(source: ApiServer, resource: Resource) -> SchemaDocument:
    document = source.schema(resource)
    assert document is not None
    return SchemaDocument(document)
