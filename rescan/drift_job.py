"""The drift job for a repository that is not made by the generator: one file with placeholders.

`python -m rescan.drift_job FILE` writes it; `make synth` writes docs/drift-job.yaml.
"""

import sys
from pathlib import Path

from cdk8s import App
from constructs import Construct

from rescan import constructs as k
from rescan.manifests import HEADER, manifest_files
from rescan.settings import DriftJob, Image

_HEADER = """\
# The drift job for any repository of plain manifests in one namespace: docs/in-cluster.md. Replace
#   shop                           with the namespace,
#   https://git.example.com/shop.git, main and manifests   with the repository, its branch and the folder,
#   registry.example.com/drift     with the image that you have built,
# and add the other kinds of your manifests to the Role. `make synth` writes this file.
"""
_NAME = "drift"
_NAMESPACE = "shop"
_KINDS = frozenset(
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


class DriftJobChart(k.FolderChart):
    """The job, its account and its volume."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, _NAME, namespace=_NAMESPACE, labels={"app": _NAME})
        props = k.DriftReporterProps(
            name=_NAME,
            job=DriftJob(image=Image(registry="registry.example.com", repository="drift", tag="0.1.0")),
            namespace=_NAMESPACE,
            repository_url="https://git.example.com/shop.git",
            branch="main",
            path="manifests",
            environment=_NAMESPACE,
        )
        k.DriftReporter(self, "job", props).read(self, _KINDS)


def manifest() -> str:
    """The whole file."""
    DriftJobChart(app := App())
    return _HEADER + "---\n".join(text.removeprefix(HEADER) for text in manifest_files(app).values())


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(manifest(), encoding="utf-8")
