"""Rules of the pods: replicas, resources, ports, probes."""

from collections.abc import Iterator

from rescan import quantity
from rescan.rules.model import Breach
from rescan.settings import Environment, Sqlite


def at_least_one_replica(environment: Environment) -> Iterator[Breach]:
    """A workload without pods serves nobody."""
    replicas = environment.workload.replicas
    if replicas < 1:
        yield Breach("workload.replicas", replicas, "set it to 1 or more")


def sqlite_has_one_replica(environment: Environment) -> Iterator[Breach]:
    """SQLite allows one writer at a time."""
    replicas = environment.workload.replicas
    if isinstance(environment.configuration.database, Sqlite) and replicas > 1:
        yield Breach("workload.replicas", replicas, "set it to 1, or use a database that takes several writers")


def requests_within_limits(environment: Environment) -> Iterator[Breach]:
    """A container cannot ask for more than it may use."""
    resources = environment.workload.resources
    for name in ("cpu", "memory"):
        request, limit = (getattr(resources, f"{name}_{bound}") for bound in ("request", "limit"))
        try:
            within = quantity.parse(request) <= quantity.parse(limit)
        except ValueError as error:
            yield Breach(f"workload.resources.{name}_request", request, f"{error}; write `100m`, `128Mi` or the like")
        else:
            if not within:
                yield Breach(
                    f"workload.resources.{name}_request", request, f"lower it to the limit, {limit}, or raise the limit"
                )


def container_port_is_target_port(environment: Environment) -> Iterator[Breach]:
    """The Service sends its traffic to the port that the container listens on."""
    target, port = environment.service.target_port, environment.workload.container_port
    if target != port:
        yield Breach("service.target_port", target, f"set it to the container's port, {port}")
