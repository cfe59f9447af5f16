"""The drift job for repositories that are not made by the generator: files with placeholders.

`python -m rescan.drift_job FOLDER` writes them; `make synth` writes them to docs/.
"""

import sys
from pathlib import Path

from cdk8s import App
from constructs import Construct

from rescan import constructs as k
from rescan.manifests import HEADER, manifest_files
from rescan.settings import DriftJob, Image

_NAME = "drift"
_NAMESPACE = "shop"
_FOLDER_HEADER = """\
# The drift job for a folder of any repository and one namespace: docs/in-cluster.md. Replace
#   shop                           with the namespace,
#   https://git.example.com/shop.git, main and manifests   with the repository, its branch and the folder,
#   registry.example.com/drift     with the image that you have built; kustomizations and charts need --target sources,
# and add the other kinds of your manifests to the Role. `make synth` writes this file.
"""
_FOLDER_KINDS = frozenset(
    {
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "ReplicaSet"),
        ("apps/v1", "StatefulSet"),
        ("autoscaling/v2", "HorizontalPodAutoscaler"),
        ("batch/v1", "CronJob"),
        ("batch/v1", "Job"),
        ("networking.k8s.io/v1", "Ingress"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("policy/v1", "PodDisruptionBudget"),
        ("v1", "Pod"),
        ("v1", "Service"),
    }
)
"""What the reporter looks for in a namespace, beside the kinds of the job itself."""
_CLUSTER_HEADER = """\
# The drift job for a whole cluster, with everything that Flux and Argo CD deploy to it: docs/in-cluster.md. Replace
#   shop                           with the namespace of the job,
#   https://git.example.com/shop.git and main   with the repository that they sync and its branch,
#   registry.example.com/drift     with the image that you have built with --target sources,
# remove the flag of the controller that you do not have, and add the other kinds of your manifests to the ClusterRole.
# `make synth` writes this file.
"""
# With the kinds of Flux and Argo CD that people write; what their controllers make of these is not in Git.
_CLUSTER_KINDS = _FOLDER_KINDS | {
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
    ("argoproj.io/v1alpha1", "AppProject"),
    ("argoproj.io/v1alpha1", "ApplicationSet"),
    ("image.toolkit.fluxcd.io/v1", "ImagePolicy"),
    ("image.toolkit.fluxcd.io/v1", "ImageRepository"),
    ("image.toolkit.fluxcd.io/v1", "ImageUpdateAutomation"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("notification.toolkit.fluxcd.io/v1", "Receiver"),
    ("notification.toolkit.fluxcd.io/v1beta3", "Alert"),
    ("notification.toolkit.fluxcd.io/v1beta3", "Provider"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("source.toolkit.fluxcd.io/v1", "HelmRepository"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("v1", "LimitRange"),
    ("v1", "PersistentVolume"),
    ("v1", "ResourceQuota"),
}


class DriftJobChart(k.FolderChart):
    """The job for one folder: its account and its volume."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, _NAME, namespace=_NAMESPACE, labels={"app": _NAME})
        props = _props(path="manifests")
        k.DriftReporter(self, "job", props).read(self, _FOLDER_KINDS)


class ClusterDriftJobChart(k.FolderChart):
    """The job for a whole cluster."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, _NAME, namespace=_NAMESPACE, labels={"app": _NAME})
        props = _props(sources=k.ClusterSources(flux=("all",), argocd=("all",)), depth=0)
        k.DriftReporter(self, "job", props).read(self, _CLUSTER_KINDS)


def _props(*, path: str | None = None, sources: k.ClusterSources | None = None, depth: int = 1) -> k.DriftReporterProps:
    return k.DriftReporterProps(
        name=_NAME,
        job=DriftJob(image=Image(registry="registry.example.com", repository="drift", tag="0.1.0"), git_depth=depth),
        namespace=_NAMESPACE,
        repository_url="https://git.example.com/shop.git",
        branch="main",
        path=path,
        sources=sources,
        environment=_NAMESPACE,
    )


def manifests() -> dict[str, str]:
    """The files by their names."""
    DriftJobChart(folder := App())
    ClusterDriftJobChart(cluster := App())
    return {
        "drift-job.yaml": _file(_FOLDER_HEADER, folder),
        "drift-job-cluster.yaml": _file(_CLUSTER_HEADER, cluster),
    }


def _file(header: str, app: App) -> str:
    return header + "---\n".join(text.removeprefix(HEADER) for text in manifest_files(app).values())


if __name__ == "__main__":
    for name, text in manifests().items():
        (Path(sys.argv[1]) / name).write_text(text, encoding="utf-8")
