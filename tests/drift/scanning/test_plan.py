"""A namespace whose only manifests configure a GitOps controller is not searched for unmanaged objects."""

import secrets

import pytest

from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

CONFIG = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: %s}\ndata: {key: value}\n"
ARGOCD = """---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: %s, namespace: %s}
spec:
  project: web
  destination: {namespace: web, server: https://kubernetes.default.svc}
  source: {repoURL: https://git.example.com/web.git, path: ., targetRevision: main}
"""
FLUX = """---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: %s, namespace: %s}
spec: {interval: 10m, path: ./, prune: true, sourceRef: {kind: GitRepository, name: web}}
"""
PROJECT = """
apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: {name: %s, namespace: %s}
spec: {sourceRepos: ["*"]}
"""


@pytest.fixture
def controllers(workspace: Application, custom_resources: None) -> str:
    """The namespace of a GitOps controller, with objects that are not in the manifests."""
    del custom_resources
    name = f"controllers-{secrets.token_hex(4)}"
    workspace.cluster.create_namespace(name)
    workspace.cluster.kubectl("apply", "-f", "-", stdin=CONFIG % ("installation", name))
    workspace.cluster.kubectl("create", f"--namespace={name}", "serviceaccount", "installation")
    return name


def unmanaged(workspace: Application) -> list[str]:
    return [name for name, change, _, _ in workspace.report().findings if change == "unmanaged"]


@pytest.mark.parametrize("configuration", [ARGOCD, FLUX], ids=["argocd", "flux"])
def test_other_objects_in_the_controllers_namespace_are_not_unmanaged(
    workspace: Application, controllers: str, configuration: str
) -> None:
    workspace.write(CONFIG % ("one", "NAMESPACE") + configuration % ("web", controllers))
    workspace.sync(Syncer.FLUX)
    workspace.cluster.kubectl("apply", "-f", "-", stdin=CONFIG % ("by-hand", workspace.namespace))

    assert unmanaged(workspace) == ["ConfigMap/by-hand"]


@pytest.mark.parametrize("configuration", [ARGOCD, FLUX], ids=["argocd", "flux"])
def test_another_object_of_the_controllers_own_kind_is_unmanaged(
    workspace: Application, controllers: str, configuration: str
) -> None:
    workspace.write(CONFIG % ("one", "NAMESPACE") + configuration % ("web", controllers))
    workspace.sync(Syncer.FLUX)
    workspace.cluster.kubectl("apply", "-f", "-", stdin=configuration % ("by-hand", controllers))

    assert [name.partition("/")[2] for name in unmanaged(workspace)] == ["by-hand"]


def test_argo_cds_default_project_is_not_unmanaged(workspace: Application, controllers: str) -> None:
    workspace.write(PROJECT % ("web", controllers))
    workspace.sync(Syncer.FLUX)
    workspace.cluster.kubectl("apply", "-f", "-", stdin=PROJECT % ("default", controllers))
    workspace.cluster.kubectl("apply", "-f", "-", stdin=PROJECT % ("by-hand", controllers))

    assert unmanaged(workspace) == ["AppProject/by-hand"]


def test_a_namespace_with_any_other_manifest_is_searched(workspace: Application, controllers: str) -> None:
    workspace.write(CONFIG % ("one", controllers) + ARGOCD % ("web", controllers))
    workspace.sync(Syncer.FLUX)

    assert unmanaged(workspace) == ["ConfigMap/installation", "ServiceAccount/installation"]
