"""The corpus as each syncer leaves it in a cluster: manifests and cluster agree, and no finding says otherwise."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from drift.cluster.connection import connect
from drift.cluster.dump import Dump
from drift.cluster.server import ApiServer
from drift.manifests.git import describe
from drift.model import Cause, Report, Status, Unmanaged
from drift.scan import LiveSource, Options, scan_manifests
from drift.schema.shipped import compact_schemas
from tests.corpus.syncing import CORPUS, built_in_resources, corpus_manifests, synced_corpus
from tests.sandbox.cluster import Cluster
from tests.sandbox.syncers import Syncer

CORE = 2


@dataclass(frozen=True, slots=True)
class Synced:
    """The corpus in a namespace of its own."""

    cluster: Cluster
    namespace: str

    def scan_server(self) -> Report:
        kubeconfig = self.cluster.kubeconfig_for(namespace=self.namespace)
        return _scan(ApiServer(connect(str(kubeconfig), None)), self.namespace)

    def scan_dump(self, file: Path) -> Report:
        kinds = {(manifest.kind, *reversed(manifest.api_version.split("/"))) for manifest in corpus_manifests()}
        # KIND.VERSION.GROUP; the core group has no name, and none of its kinds needs one.
        names = ",".join(".".join(kind) if len(kind) > CORE else kind[0] for kind in sorted(kinds))
        dump = self.cluster.kubectl("get", names, "--all-namespaces", "--output=yaml", "--show-managed-fields")
        file.write_text(dump.stdout)
        return _scan(Dump([str(file)], built_in_resources(), self.namespace), self.namespace)


@pytest.fixture(scope="module", params=list(Syncer), ids=lambda syncer: str(syncer.value))
def synced(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Synced]:
    syncer: Syncer = request.param
    with synced_corpus(cluster, syncer) as namespace:
        yield Synced(cluster, namespace)


def _scan(source: LiveSource, namespace: str) -> Report:
    return scan_manifests(
        corpus_manifests(),
        source,
        info=describe([str(CORPUS)]),
        options=Options(namespace=namespace, unmanaged=Unmanaged.OFF),
        schemas=compact_schemas() if isinstance(source, Dump) else None,
    )


def _complaints(report: Report) -> list[str]:
    """Everything but what a controller did, which counts as no drift."""
    unread = [f"{item.key}: {item.status} {item.reason}" for item in report.objects if item.status is Status.UNCHECKED]
    return [*report.errors, *unread] + [
        f"{item.key} {finding.change} {finding.path}: {finding.desired} -> {finding.live} ({finding.cause})"
        for item in report.objects
        for finding in item.findings
        if finding.cause is not Cause.CONTROLLER
    ]


def test_a_synced_corpus_has_no_drift(synced: Synced) -> None:
    report = synced.scan_server()

    assert _complaints(report) == []
    assert len(report.objects) == len(corpus_manifests())


def test_a_dump_of_a_synced_corpus_has_no_drift(synced: Synced, tmp_path: Path) -> None:
    report = synced.scan_dump(tmp_path / "dump.yaml")

    assert _complaints(report) == []
    assert len(report.objects) == len(corpus_manifests())
