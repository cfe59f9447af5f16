"""Rules of the pods: what they run, how many there are, what they may use, and how they are checked and replaced."""

from collections.abc import Iterator

from rescan.rules.model import Breach
from rescan.settings import Environment, Image, PullPolicy, Sqlite

LIVENESS_PATH = "/health"
READINESS_PATH = "/ready"
_RESERVED = ("argocd", "flux")
"""Folders of dist/ that are no environments."""


def folder_is_free(environment: Environment) -> Iterator[Breach]:
    """The folders of the hand-over are no environments."""
    if environment.name in _RESERVED:
        yield Breach("name", environment.name, f"choose another: dist/{environment.name}/ is for the hand-over")


def _images(environment: Environment) -> dict[str, Image]:
    images = {"workload.image": environment.workload.image}
    if environment.backup:
        images["backup.dump_image"] = environment.backup.dump_image
        images["backup.upload_image"] = environment.backup.upload_image
    if environment.drift:
        images["drift.image"] = environment.drift.image
        images["drift.git_sync_image"] = environment.drift.git_sync_image
    return images


def production_runs_a_release(environment: Environment) -> Iterator[Breach]:
    """What production runs can be told from its manifest, and pulled again tomorrow."""
    if not environment.production:
        return
    for setting, image in _images(environment).items():
        if image.registry is None:
            yield Breach(f"{setting}.registry", None, "name the registry that the cluster pulls from")
        if image.tag is not None and image.tag.lower() == "latest" and image.digest is None:
            yield Breach(f"{setting}.tag", image.tag, "name a release, or pin the image by digest")
    policy = environment.workload.image.pull_policy
    if policy is not PullPolicy.ALWAYS:
        yield Breach("workload.image.pull_policy", policy.value, f"set it to {PullPolicy.ALWAYS.value}")


def sqlite_has_one_replica(environment: Environment) -> Iterator[Breach]:
    """SQLite allows one writer at a time."""
    if not isinstance(environment.configuration.database, Sqlite):
        return
    workload = environment.workload
    if workload.replicas > 1:
        yield Breach("workload.replicas", workload.replicas, "set it to 1, or configuration.database to PostgreSql()")
    if workload.autoscaling and workload.autoscaling.max_replicas > 1:
        yield Breach(
            "workload.autoscaling.max_replicas",
            workload.autoscaling.max_replicas,
            "leave autoscaling out, or set configuration.database to PostgreSql()",
        )


def container_port_is_target_port(environment: Environment) -> Iterator[Breach]:
    """The Service sends its traffic to the port that the container listens on."""
    target, port = environment.service.target_port, environment.workload.container_port
    if target != port:
        yield Breach("service.target_port", target, f"set it to workload.container_port, {port}")


def probes_ask_the_health_endpoints(environment: Environment) -> Iterator[Breach]:
    """Liveness must not depend on the database, or an outage of that would restart every pod."""
    workload = environment.workload
    if workload.liveness.path != LIVENESS_PATH:
        yield Breach("workload.liveness.path", workload.liveness.path, f"set it to {LIVENESS_PATH}")
    if workload.readiness.path != READINESS_PATH:
        yield Breach("workload.readiness.path", workload.readiness.path, f"set it to {READINESS_PATH}")
    if workload.startup and workload.startup.path != LIVENESS_PATH:
        yield Breach("workload.startup.path", workload.startup.path, f"set it to {LIVENESS_PATH}")
