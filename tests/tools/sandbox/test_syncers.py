import json
from pathlib import Path
from typing import Any

import pytest

from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

MANIFESTS = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
  namespace: {namespace}
data:
  mode: "on"
---
# The namespace comes last: appliers sort.
apiVersion: v1
kind: Namespace
metadata:
  name: {namespace}
"""
SERVER_SIDE = "Apply"
CLIENT_SIDE = "Update"


def settings(cluster: Cluster, namespace: str) -> dict[str, Any]:
    shown = cluster.kubectl(
        "get", "configmap", "settings", "--namespace", namespace, "--output=json", "--show-managed-fields"
    )
    found: dict[str, Any] = json.loads(shown.stdout)["metadata"]
    return found


@pytest.mark.parametrize(
    ("syncer", "managers", "last_applied"),
    [
        (Syncer.FLUX, [("kustomize-controller", SERVER_SIDE)], False),
        (Syncer.ARGOCD, [("argocd-controller", CLIENT_SIDE)], True),
        (Syncer.ARGOCD_SERVER_SIDE, [("argocd-controller", SERVER_SIDE)], False),
        (Syncer.KUBECTL, [("kubectl-client-side-apply", CLIENT_SIDE)], True),
        (Syncer.HELM, [("helm", CLIENT_SIDE)], False),
        (Syncer.HELM_SERVER_SIDE, [("helm", SERVER_SIDE)], False),
        (Syncer.ADOPTED, [("kustomize-controller", SERVER_SIDE), ("kubectl-create", CLIENT_SIDE)], False),
    ],
)
def test_each_applier_leaves_its_field_manager(
    cluster: Cluster,
    namespace: str,
    tmp_path: Path,
    *,
    syncer: Syncer,
    managers: list[tuple[str, str]],
    last_applied: bool,
) -> None:
    (tmp_path / "all.yaml").write_text(MANIFESTS.format(namespace=namespace))

    for _ in range(2):
        sync(cluster, syncer, tmp_path)

    metadata = settings(cluster, namespace)
    assert [(entry["manager"], entry["operation"]) for entry in metadata["managedFields"]] == managers
    annotations = metadata.get("annotations", {})
    assert ("kubectl.kubernetes.io/last-applied-configuration" in annotations) is last_applied


def test_flux_labels_what_it_owns(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(MANIFESTS.format(namespace=namespace))

    sync(cluster, Syncer.FLUX, tmp_path / "all.yaml", owner="apps")

    assert settings(cluster, namespace)["labels"] == {
        "kustomize.toolkit.fluxcd.io/name": "apps",
        "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
    }


def test_argocd_annotates_objects_with_the_application(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text(MANIFESTS.format(namespace=namespace))

    sync(cluster, Syncer.ARGOCD_SERVER_SIDE, tmp_path, owner="apps")

    assert settings(cluster, namespace)["annotations"] == {
        "argocd.argoproj.io/tracking-id": f"apps:/ConfigMap:{namespace}/settings"
    }
