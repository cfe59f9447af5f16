"""The parts that all pods have: what the restricted Pod Security Standard demands, resources, probes and volumes.

Parts that follow from one small settings object are made once for each that differs: jsii checks types at every making.
"""

import functools
from collections.abc import Mapping
from typing import Any

from cdk8s_plus_27 import k8s

from rescan.constructs.scalars import int_or_string, quantity
from rescan.settings import Identity, Image, Pods, Probe, Resources, Toleration

HTTP_PORT = "http"
TEMPORARY_VOLUME, TEMPORARY_PATH = "tmp", "/tmp"  # noqa: S108  # a mount of its own in a container


def pod_spec(pods: Pods, identity: Identity, **parts: Any) -> k8s.PodSpec:
    """A pod as the restricted standard demands it, without a token, with what all pods have in common.

    `parts` are the other fields of a PodSpec. The volumes belong to the group of the process.
    """
    return k8s.PodSpec(
        automount_service_account_token=False,
        security_context=_pod_security(identity),
        image_pull_secrets=[k8s.LocalObjectReference(name=name) for name in pods.pull_secrets] or None,
        node_selector=dict(pods.node_selector) or None,
        tolerations=[_toleration(toleration) for toleration in pods.tolerations] or None,
        **parts,
    )


def container(name: str, image: Image, resources: Resources, *, read_only_root: bool, **parts: Any) -> k8s.Container:
    """A container as the restricted standard demands it; `parts` are its other fields."""
    return k8s.Container(
        name=name,
        image=image.reference,
        image_pull_policy=image.pull_policy.value,
        resources=resource_requirements(resources),
        security_context=_container_security(read_only_root=read_only_root),
        **parts,
    )


@functools.cache
def probe(settings: Probe) -> k8s.Probe:
    """A probe by HTTP of the port that is named `http`."""
    return k8s.Probe(
        http_get=k8s.HttpGetAction(path=settings.path, port=int_or_string(HTTP_PORT)),
        initial_delay_seconds=settings.initial_delay,
        period_seconds=settings.period,
        timeout_seconds=settings.timeout,
        failure_threshold=settings.failure_threshold,
    )


@functools.cache
def resource_requirements(resources: Resources) -> k8s.ResourceRequirements:
    """Requests and limits as the API writes them."""
    requests = {
        "cpu": resources.cpu_request,
        "memory": resources.memory_request,
        "ephemeral-storage": resources.ephemeral_storage_request,
    }
    limits = {
        "cpu": resources.cpu_limit,
        "memory": resources.memory_limit,
        "ephemeral-storage": resources.ephemeral_storage_limit,
    }
    return k8s.ResourceRequirements(requests=_quantities(requests), limits=_quantities(limits))


def empty_volume(name: str, limit: str) -> k8s.Volume:
    """A volume that begins empty, and may hold `limit` bytes (a quantity) before the pod is evicted."""
    return k8s.Volume(name=name, empty_dir=k8s.EmptyDirVolumeSource(size_limit=quantity(limit)))


@functools.cache
def _pod_security(identity: Identity) -> k8s.PodSecurityContext:
    return k8s.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=identity.user,
        run_as_group=identity.group,
        fs_group=identity.group,
        seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
    )


@functools.cache
def _container_security(*, read_only_root: bool) -> k8s.SecurityContext:
    return k8s.SecurityContext(
        allow_privilege_escalation=False,
        capabilities=k8s.Capabilities(drop=["ALL"]),
        read_only_root_filesystem=read_only_root or None,
    )


def _toleration(toleration: Toleration) -> k8s.Toleration:
    return k8s.Toleration(
        key=toleration.key,
        operator="Exists" if toleration.value is None else "Equal",
        value=toleration.value,
        effect=toleration.effect and toleration.effect.value,
    )


def _quantities(texts: Mapping[str, str | None]) -> dict[str, k8s.Quantity]:
    return {name: quantity(text) for name, text in texts.items() if text is not None}
