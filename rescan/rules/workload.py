"""Rules of the pods: what they run, how many there are, what they may use, and how they are checked and replaced."""

from collections.abc import Iterator

from rescan import quantity
from rescan.rules.model import Breach
from rescan.settings import Environment, Image, PullPolicy, Resources, RollingUpdate, Sqlite

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


def image_is_pinned(environment: Environment) -> Iterator[Breach]:
    """Without a tag or a digest, a container runtime pulls `latest`."""
    for setting, image in _images(environment).items():
        if image.tag is None and image.digest is None:
            yield Breach(f"{setting}.tag", None, "name a tag or a digest")


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


def requests_within_limits(environment: Environment) -> Iterator[Breach]:
    """A container cannot ask for more than it may use."""
    yield from _within_limits("workload.resources", environment.workload.resources)
    if environment.backup:
        yield from _within_limits("backup.resources", environment.backup.resources)
    if environment.drift:
        yield from _within_limits("drift.resources", environment.drift.resources)


def _within_limits(setting: str, resources: Resources) -> Iterator[Breach]:
    bounds = {
        "cpu": (resources.cpu_request, resources.cpu_limit),
        "memory": (resources.memory_request, resources.memory_limit),
        "ephemeral_storage": (resources.ephemeral_storage_request, resources.ephemeral_storage_limit),
    }
    for name, (request, limit) in bounds.items():
        if request is not None and limit is not None and quantity.parse(request) > quantity.parse(limit):
            yield Breach(f"{setting}.{name}_request", request, f"lower it to the limit, {limit}, or raise the limit")


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


def rollout_can_proceed(environment: Environment) -> Iterator[Breach]:
    """A rolling update needs room: one pod more, or one less."""
    strategy = environment.workload.strategy
    if (
        isinstance(strategy, RollingUpdate)
        and _is_nothing(strategy.max_surge)
        and _is_nothing(strategy.max_unavailable)
    ):
        yield Breach("workload.strategy.max_surge", strategy.max_surge, "set it or max_unavailable to 1 or more")


def autoscaling_is_possible(environment: Environment) -> Iterator[Breach]:
    """The autoscaler has somewhere to go."""
    scaling = environment.workload.autoscaling
    if scaling and scaling.max_replicas < scaling.min_replicas:
        yield Breach(
            "workload.autoscaling.max_replicas",
            scaling.max_replicas,
            f"set it to min_replicas, {scaling.min_replicas}, or more",
        )


def disruption_budget_lets_nodes_drain(environment: Environment) -> Iterator[Breach]:
    """A budget of zero would block every node's maintenance."""
    budget = environment.workload.disruption_budget
    if budget and _is_nothing(budget.max_unavailable):
        yield Breach(
            "workload.disruption_budget.max_unavailable",
            budget.max_unavailable,
            "set it to 1 or more, or to a percentage such as 25%",
        )


def topology_spread_is_possible(environment: Environment) -> Iterator[Breach]:
    """Pods are spread over labels of nodes, each named once."""
    spread = environment.workload.topology_spread
    if spread and (not spread.topology_keys or len(set(spread.topology_keys)) < len(spread.topology_keys)):
        yield Breach(
            "workload.topology_spread.topology_keys", spread.topology_keys, "name one or more node labels, each once"
        )


def _is_nothing(bound: int | str) -> bool:
    return int(str(bound).removesuffix("%")) == 0
