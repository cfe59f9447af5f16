"""Rules of the pods: how many, what they may use, how they are checked and replaced, and who they run as."""

from collections.abc import Iterator

from rescan.rules.formats import has_form, positive_quantity
from rescan.rules.model import Breach
from rescan.settings import Environment, Resources, RollingUpdate, Sqlite

LIVENESS_PATH = "/health"
READINESS_PATH = "/ready"


def at_least_one_replica(environment: Environment) -> Iterator[Breach]:
    """A workload needs at least one pod."""
    replicas = environment.workload.replicas
    if replicas < 1:
        yield Breach("workload.replicas", replicas, "set it to 1 or more")


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
        numbers = []
        for bound, text in {"request": request, "limit": limit}.items():
            number = positive_quantity(text) if text is not None else None
            if text is not None and number is None:
                yield Breach(f"{setting}.{name}_{bound}", text, "write a quantity above zero, such as 100m or 128Mi")
            numbers.append(number)
        asked, allowed = numbers
        if asked is not None and allowed is not None and asked > allowed:
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


def probe_times_are_possible(environment: Environment) -> Iterator[Breach]:
    """A probe has time to answer."""
    for name in ("liveness", "readiness"):
        probe = getattr(environment.workload, name)
        for setting, least in {"initial_delay": 0, "period": 1, "timeout": 1, "failure_threshold": 1}.items():
            if getattr(probe, setting) < least:
                yield Breach(f"workload.{name}.{setting}", getattr(probe, setting), f"set it to {least} or more")


def rollout_can_proceed(environment: Environment) -> Iterator[Breach]:
    """A rolling update needs room: one pod more, or one less."""
    workload = environment.workload
    if workload.revision_history < 0:
        yield Breach("workload.revision_history", workload.revision_history, "set it to 0 or more")
    if not isinstance(workload.strategy, RollingUpdate):
        return
    bounds = {"max_surge": workload.strategy.max_surge, "max_unavailable": workload.strategy.max_unavailable}
    for setting, bound in bounds.items():
        if not _is_pod_bound(bound):
            yield Breach(f"workload.strategy.{setting}", bound, "set it to 0 or more, or to a percentage such as 25%")
    if all(bound in (0, "0%") for bound in bounds.values()):
        yield Breach("workload.strategy.max_surge", bounds["max_surge"], "set it or max_unavailable to 1 or more")


def pods_do_not_run_as_root(environment: Environment) -> Iterator[Breach]:
    """The restricted Pod Security Standard."""
    identities = {"workload": environment.workload.identity}
    if environment.drift:
        identities["drift"] = environment.drift.identity
    for part, identity in identities.items():
        for setting, number in {"user": identity.user, "group": identity.group}.items():
            if number < 1:
                yield Breach(f"{part}.identity.{setting}", number, "set it to 1 or more; 0 is root")


def autoscaling_is_possible(environment: Environment) -> Iterator[Breach]:
    """The autoscaler has somewhere to go."""
    scaling = environment.workload.autoscaling
    if scaling is None:
        return
    if scaling.min_replicas < 1:
        yield Breach("workload.autoscaling.min_replicas", scaling.min_replicas, "set it to 1 or more")
    if scaling.max_replicas < scaling.min_replicas:
        yield Breach(
            "workload.autoscaling.max_replicas",
            scaling.max_replicas,
            f"set it to min_replicas, {scaling.min_replicas}, or more",
        )
    if scaling.cpu_percent < 1:
        yield Breach("workload.autoscaling.cpu_percent", scaling.cpu_percent, "set it to 1 or more")


def disruption_budget_lets_nodes_drain(environment: Environment) -> Iterator[Breach]:
    """A budget of zero would block every node's maintenance."""
    budget = environment.workload.disruption_budget
    if budget and (not _is_pod_bound(budget.max_unavailable) or budget.max_unavailable in (0, "0%")):
        yield Breach(
            "workload.disruption_budget.max_unavailable",
            budget.max_unavailable,
            "set it to 1 or more, or to a percentage such as 25%",
        )


def topology_spread_is_possible(environment: Environment) -> Iterator[Breach]:
    """Pods are spread over labels that nodes can have, each named once."""
    spread = environment.workload.topology_spread
    if spread is None:
        return
    keys = spread.topology_keys
    if not keys or len(set(keys)) < len(keys) or not all(has_form("label key", key) for key in keys):
        yield Breach("workload.topology_spread.topology_keys", keys, "name one or more node labels, each once")
    if spread.max_skew < 1:
        yield Breach("workload.topology_spread.max_skew", spread.max_skew, "set it to 1 or more")


def ephemeral_volumes_have_room(environment: Environment) -> Iterator[Breach]:
    """Volumes that begin empty have a limit above zero."""
    limits = {
        "storage.uploads_limit": environment.storage.uploads_limit,
        "storage.temporary_limit": environment.storage.temporary_limit,
    }
    if environment.backup:
        limits["backup.scratch_limit"] = environment.backup.scratch_limit
    if environment.drift:
        limits["drift.clone_limit"] = environment.drift.clone_limit
    for setting, limit in limits.items():
        if positive_quantity(limit) is None:
            yield Breach(setting, limit, "write a quantity above zero, such as 512Mi")


def _is_pod_bound(bound: int | str) -> bool:
    return bound >= 0 if isinstance(bound, int) else has_form("percentage", bound)
