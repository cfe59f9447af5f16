"""The pod: its container, volumes, probes, and what the restricted Pod Security Standard demands of it."""

from cdk8s_plus_27 import k8s

from rescan.constructs import names
from rescan.constructs.configuration import container_env
from rescan.settings import Environment, Identity, Probe, Resources


def pod_template(environment: Environment) -> k8s.PodTemplateSpec:
    """The template of the workload's pods."""
    workload = environment.workload
    return k8s.PodTemplateSpec(
        metadata=k8s.ObjectMeta(labels={**names.SELECTOR, "version": workload.version}),
        spec=k8s.PodSpec(
            automount_service_account_token=False,
            security_context=pod_security(workload.identity),
            containers=[_container(environment)],
            volumes=_volumes(environment),
        ),
    )


def pod_security(identity: Identity) -> k8s.PodSecurityContext:
    """What the restricted standard demands of a pod, and its volumes owned by the group of its process."""
    return k8s.PodSecurityContext(
        run_as_non_root=True,
        run_as_user=identity.user,
        run_as_group=identity.group,
        fs_group=identity.group,
        seccomp_profile=k8s.SeccompProfile(type="RuntimeDefault"),
    )


def container_security() -> k8s.SecurityContext:
    """What the restricted standard demands of a container."""
    return k8s.SecurityContext(allow_privilege_escalation=False, capabilities=k8s.Capabilities(drop=["ALL"]))


def resource_requirements(resources: Resources) -> k8s.ResourceRequirements:
    """Requests and limits as the API writes them."""
    quantity = k8s.Quantity.from_string
    return k8s.ResourceRequirements(
        requests={"cpu": quantity(resources.cpu_request), "memory": quantity(resources.memory_request)},
        limits={"cpu": quantity(resources.cpu_limit), "memory": quantity(resources.memory_limit)},
    )


def _container(environment: Environment) -> k8s.Container:
    workload = environment.workload
    return k8s.Container(
        name=names.APP,
        image=workload.image.reference,
        image_pull_policy=workload.image.pull_policy.value,
        ports=[k8s.ContainerPort(name=names.HTTP_PORT, container_port=workload.container_port, protocol="TCP")],
        env=container_env(environment),
        resources=resource_requirements(workload.resources),
        liveness_probe=_probe(workload.liveness),
        readiness_probe=_probe(workload.readiness),
        security_context=container_security(),
        volume_mounts=[
            k8s.VolumeMount(name=names.DATA_VOLUME, mount_path=names.DATA_PATH),
            k8s.VolumeMount(name=names.UPLOADS_VOLUME, mount_path=names.UPLOADS_PATH),
        ],
    )


def _probe(probe: Probe) -> k8s.Probe:
    return k8s.Probe(
        http_get=k8s.HttpGetAction(path=probe.path, port=k8s.IntOrString.from_string(names.HTTP_PORT)),
        initial_delay_seconds=probe.initial_delay,
        period_seconds=probe.period,
        timeout_seconds=probe.timeout,
        failure_threshold=probe.failure_threshold,
    )


def _volumes(environment: Environment) -> list[k8s.Volume]:
    claim = k8s.PersistentVolumeClaimVolumeSource(claim_name=names.VOLUME_CLAIM)
    uploads = k8s.EmptyDirVolumeSource(size_limit=k8s.Quantity.from_string(environment.storage.uploads_limit))
    return [
        k8s.Volume(name=names.DATA_VOLUME, persistent_volume_claim=claim),
        k8s.Volume(name=names.UPLOADS_VOLUME, empty_dir=uploads),
    ]
