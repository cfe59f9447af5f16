"""The pod: its container, volumes, probes, and what the restricted Pod Security Standard demands of it.

Parts that follow from one small settings object are made once for each that differs: jsii checks types at every making.
"""

import functools
from collections.abc import Mapping

from cdk8s_plus_27 import k8s

from rescan import names
from rescan.constructs.configuration import container_env
from rescan.constructs.scalars import int_or_string, quantity
from rescan.settings import Controller, Environment, Identity, Probe, Resources, Sqlite, TopologySpread


def pod_template(environment: Environment) -> k8s.PodTemplateSpec:
    """The template of the workload's pods."""
    workload = environment.workload
    spread = workload.topology_spread
    return k8s.PodTemplateSpec(
        metadata=k8s.ObjectMeta(labels={**names.SELECTOR, "version": workload.version}),
        spec=k8s.PodSpec(
            automount_service_account_token=False,
            security_context=pod_security(workload.identity),
            topology_spread_constraints=_spread(spread) if spread else None,
            containers=[_container(environment)],
            volumes=_volumes(environment),
        ),
    )


@functools.cache
def pod_security(identity: Identity) -> k8s.PodSecurityContext:
    """What the restricted standard demands of a pod, and its volumes owned by the group of its process."""
    return k8s.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=identity.user,
        run_as_group=identity.group,
        fs_group=identity.group,
        seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
    )


@functools.cache
def container_security(*, read_only_root: bool) -> k8s.SecurityContext:
    """What the restricted standard demands of a container, and a read-only root where it is asked for."""
    return k8s.SecurityContext(
        allow_privilege_escalation=False,
        capabilities=k8s.Capabilities(drop=["ALL"]),
        read_only_root_filesystem=read_only_root or None,
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


def _container(environment: Environment) -> k8s.Container:
    workload = environment.workload
    return k8s.Container(
        name=names.APP,
        image=workload.image.reference,
        image_pull_policy=workload.image.pull_policy.value,
        ports=[k8s.ContainerPort(name=names.HTTP_PORT, container_port=workload.container_port, protocol="TCP")],
        env=container_env(environment),
        liveness_probe=_probe(workload.liveness),
        readiness_probe=_probe(workload.readiness),
        resources=resource_requirements(workload.resources),
        security_context=container_security(read_only_root=workload.read_only_root),
        volume_mounts=_mounts(environment),
    )


def _quantities(texts: Mapping[str, str | None]) -> dict[str, k8s.Quantity]:
    return {name: quantity(text) for name, text in texts.items() if text is not None}


@functools.cache
def _probe(probe: Probe) -> k8s.Probe:
    return k8s.Probe(
        http_get=k8s.HttpGetAction(path=probe.path, port=int_or_string(names.HTTP_PORT)),
        initial_delay_seconds=probe.initial_delay,
        period_seconds=probe.period,
        timeout_seconds=probe.timeout,
        failure_threshold=probe.failure_threshold,
    )


def _spread(spread: TopologySpread) -> list[k8s.TopologySpreadConstraint]:
    return [
        k8s.TopologySpreadConstraint(
            max_skew=spread.max_skew,
            topology_key=key,
            when_unsatisfiable="DoNotSchedule" if spread.required else "ScheduleAnyway",
            label_selector=k8s.LabelSelector(match_labels=names.SELECTOR),
        )
        for key in spread.topology_keys
    ]


def _keeps_data(environment: Environment) -> bool:
    return isinstance(environment.configuration.database, Sqlite)


def _mounts(environment: Environment) -> list[k8s.VolumeMount]:
    paths = {
        **({names.DATA_VOLUME: names.DATA_PATH} if _keeps_data(environment) else {}),
        names.UPLOADS_VOLUME: names.UPLOADS_PATH,
        **({names.TEMPORARY_VOLUME: names.TEMPORARY_PATH} if environment.workload.read_only_root else {}),
    }
    return [k8s.VolumeMount(name=name, mount_path=path) for name, path in paths.items()]


def _volumes(environment: Environment) -> list[k8s.Volume]:
    volumes = [empty_volume(names.UPLOADS_VOLUME, environment.storage.uploads_limit)]
    # A StatefulSet adds the volume of its own claim by itself.
    if _keeps_data(environment) and environment.workload.controller is Controller.DEPLOYMENT:
        claim = k8s.PersistentVolumeClaimVolumeSource(claim_name=names.VOLUME_CLAIM)
        volumes.insert(0, k8s.Volume(name=names.DATA_VOLUME, persistent_volume_claim=claim))
    if environment.workload.read_only_root:
        volumes.append(empty_volume(names.TEMPORARY_VOLUME, environment.storage.temporary_limit))
    return volumes
