"""Scans that need a real API server: served versions, scopes, and objects that every cluster has."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tools.sandbox.binaries import Binaries
from tools.sandbox.cluster import Cluster


def _report(cluster: Cluster, folder: Path, manifest: dict[str, Any], *flags: str) -> tuple[int, dict[str, Any]]:
    (folder / "manifest.json").write_text(json.dumps(manifest))
    report = folder / "report.out"
    status = main(
        [
            *("report", str(folder / "manifest.json"), "--kubeconfig", str(cluster.kubeconfig)),
            *("--output", f"json={report}", *flags),
        ]
    )
    return status, json.loads(report.read_text())


def test_a_version_that_is_not_served_is_unchecked(cluster: Cluster, tmp_path: Path) -> None:
    manifest = {"apiVersion": "autoscaling/v2beta2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "a"}}

    status, report = _report(cluster, tmp_path, manifest)

    assert status == 3
    assert report["objects"][0]["reason"] == (
        "autoscaling/v2beta2 is not served here; move the manifest to autoscaling/v2"
    )


def test_a_kind_that_is_not_served_is_missing(cluster: Cluster, tmp_path: Path) -> None:
    manifest = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}

    status, report = _report(cluster, tmp_path, manifest)

    assert status == 1
    assert [(item["status"], item["reason"]) for item in report["objects"]] == [
        ("missing", "the server has no kind Widget in example.com/v1; is its CRD installed?")
    ]


def test_the_namespace_of_a_cluster_scoped_object_is_ignored(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "namespace": "elsewhere"}}

    assert _report(cluster, tmp_path, manifest)[0] == 0


def test_several_kubeconfigs_are_merged_as_kubectl_merges_them(
    cluster: Cluster, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json").stdout)
    users = {"apiVersion": "v1", "kind": "Config", "users": whole.pop("users")}
    whole["contexts"][0]["context"]["namespace"] = namespace
    for name, content in (("clusters", whole), ("users", users)):
        (tmp_path / name).write_text(json.dumps(content))
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'clusters'}:{tmp_path / 'nowhere'}:{tmp_path / 'users'}")
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: default}\n")

    assert main(["report", str(manifest)]) == 0


@pytest.fixture(scope="module")
def new_cluster() -> Iterator[Cluster]:
    """A cluster without the CRDs and namespaces of other tests."""
    with Cluster.start(Binaries.find()) as started:
        yield started


@pytest.mark.sandbox
def test_a_new_cluster_has_no_unmanaged_objects(tmp_path: Path, new_cluster: Cluster) -> None:
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "default"}}

    status, report = _report(new_cluster, tmp_path, manifest, "--unmanaged", "cluster")

    assert report["objects"] == []
    assert report["errors"] == []
    assert status == 0
