"""Rules of one group of settings each, wherever it occurs: in an environment, or in the props of any construct."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rescan import quantity
from rescan.formats import longest_pause, prometheus_seconds
from rescan.rules.model import Breach
from rescan.settings import (
    AccessMode,
    Autoscaling,
    Backup,
    DisruptionBudget,
    DriftJob,
    Image,
    Ingress,
    Resources,
    RollingUpdate,
    TopologySpread,
    Workload,
)

_ISSUER_ANNOTATIONS = {"cert-manager.io/cluster-issuer", "cert-manager.io/issuer"}


def image_is_pinned(image: Image) -> Iterator[Breach]:
    """Without a tag or a digest, a container runtime pulls `latest`."""
    if image.tag is None and image.digest is None:
        yield Breach("tag", None, "name a tag or a digest")


def requests_within_limits(resources: Resources) -> Iterator[Breach]:
    """A container cannot ask for more than it may use."""
    bounds = {
        "cpu": (resources.cpu_request, resources.cpu_limit),
        "memory": (resources.memory_request, resources.memory_limit),
        "ephemeral_storage": (resources.ephemeral_storage_request, resources.ephemeral_storage_limit),
    }
    for name, (request, limit) in bounds.items():
        if request is not None and limit is not None and quantity.parse(request) > quantity.parse(limit):
            yield Breach(f"{name}_request", request, f"lower it to the limit, {limit}, or raise the limit")


def rollout_can_proceed(strategy: RollingUpdate) -> Iterator[Breach]:
    """A rolling update needs room: one pod more, or one less."""
    if _is_nothing(strategy.max_surge) and _is_nothing(strategy.max_unavailable):
        yield Breach("max_surge", strategy.max_surge, "set it or max_unavailable to 1 or more")


def pods_stop_in_time(workload: Workload) -> Iterator[Breach]:
    """The process needs time after the load balancers have noticed."""
    if workload.drain >= workload.grace_period:
        yield Breach("drain", workload.drain, f"set it to less than grace_period, {workload.grace_period}")


def autoscaling_is_possible(scaling: Autoscaling) -> Iterator[Breach]:
    """The autoscaler has somewhere to go."""
    if scaling.max_replicas < scaling.min_replicas:
        fix = f"set it to min_replicas, {scaling.min_replicas}, or more"
        yield Breach("max_replicas", scaling.max_replicas, fix)


def disruption_budget_lets_nodes_drain(budget: DisruptionBudget) -> Iterator[Breach]:
    """A budget of zero would block every node's maintenance."""
    if _is_nothing(budget.max_unavailable):
        yield Breach("max_unavailable", budget.max_unavailable, "set it to 1 or more, or to a percentage such as 25%")


def topology_spread_is_possible(spread: TopologySpread) -> Iterator[Breach]:
    """Pods are spread over labels of nodes."""
    if not spread.topology_keys:
        yield Breach("topology_keys", spread.topology_keys, "name one or more node labels")


def issuer_is_a_setting(ingress: Ingress) -> Iterator[Breach]:
    """An annotation would silently replace the issuer of the settings, or contradict it."""
    for annotation in _ISSUER_ANNOTATIONS & ingress.annotations.keys():
        yield Breach("annotations", annotation, "leave it out: cluster_issuer names the issuer")


def backup_alert_waits_for_the_next_run(backup: Backup) -> Iterator[Breach]:
    """An alert on a job that is late must not be raised between two runs of its schedule."""
    yield from _not_between_runs("late_after", backup.late_after, backup.schedule)


def drift_alert_waits_for_the_next_run(job: DriftJob) -> Iterator[Breach]:
    """The same for the drift job, and for an alert on drift: a Pushgateway keeps what one scan found until the next."""
    yield from _not_between_runs("stale_after", job.stale_after, job.schedule)
    if job.pushgateway_url is not None:
        yield from _not_between_runs("drifting_for", job.drifting_for, job.schedule)


def drift_volume_can_be_written(job: DriftJob) -> Iterator[Breach]:
    """The history is written, and with several shards from several nodes."""
    many = AccessMode.READ_WRITE_MANY
    if job.shards > 1 and job.access_mode is not many:
        yield Breach("access_mode", job.access_mode.value, f"set it to {many.value}, or shards to 1")
    elif job.access_mode is AccessMode.READ_ONLY_MANY:
        yield Breach("access_mode", job.access_mode.value, f"set it to {AccessMode.READ_WRITE_ONCE.value}")


def _not_between_runs(setting: str, value: int | str, schedule: str) -> Iterator[Breach]:
    pause = longest_pause(schedule)
    seconds, unit = (value, "") if isinstance(value, int) else (prometheus_seconds(value), "s")
    if seconds <= pause:
        yield Breach(setting, value, f"set it to more than {pause:.0f}{unit}, the longest pause of {schedule!r}")


def _is_nothing(bound: int | str) -> bool:
    return int(str(bound).removesuffix("%")) == 0


PART_RULES: Mapping[type, tuple[Callable[[Any], Iterator[Breach]], ...]] = {
    Image: (image_is_pinned,),
    Resources: (requests_within_limits,),
    RollingUpdate: (rollout_can_proceed,),
    Workload: (pods_stop_in_time,),
    Autoscaling: (autoscaling_is_possible,),
    DisruptionBudget: (disruption_budget_lets_nodes_drain,),
    TopologySpread: (topology_spread_is_possible,),
    Ingress: (issuer_is_a_setting,),
    Backup: (backup_alert_waits_for_the_next_run,),
    DriftJob: (drift_alert_waits_for_the_next_run, drift_volume_can_be_written),
}
