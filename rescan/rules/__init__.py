"""The rules that settings must keep before anything is synthesized, all of them checked at once.

One file per family; the name of a rule's function, with hyphens, is the name that an error shows.
"""

from collections.abc import Iterator, Sequence

from rescan.errors import BrokenRulesError
from rescan.rules import configuration, naming, network, operations, storage, workload
from rescan.rules.model import BrokenRule, Rule
from rescan.rules.types import settings_have_their_declared_type
from rescan.settings import Environment

RULES: tuple[Rule, ...] = (
    naming.names_are_valid,
    naming.image_is_valid,
    naming.production_runs_a_release,
    naming.version_is_a_label,
    naming.hand_over_is_valid,
    workload.at_least_one_replica,
    workload.sqlite_has_one_replica,
    workload.requests_within_limits,
    workload.container_port_is_target_port,
    workload.probes_ask_the_health_endpoints,
    workload.probe_times_are_possible,
    workload.rollout_can_proceed,
    workload.pods_do_not_run_as_root,
    workload.autoscaling_is_possible,
    workload.disruption_budget_lets_nodes_drain,
    workload.topology_spread_is_possible,
    workload.ephemeral_volumes_have_room,
    configuration.port_is_the_container_port,
    configuration.required_variables_have_their_source,
    configuration.required_values_are_given,
    configuration.extra_variables_are_extra,
    configuration.endpoint_has_the_openai_path,
    configuration.sqlite_file_is_on_the_data_volume,
    configuration.vault_can_be_reached,
    storage.storage_has_room_for_the_database,
    storage.one_node_mounts_the_volume,
    storage.storage_class_is_offered,
    network.service_port_exists,
    network.ingress_can_be_served,
    network.network_policy_lets_the_application_work,
    operations.backup_can_run,
    operations.monitoring_can_scrape,
    operations.drift_job_can_run,
    operations.drift_volume_can_be_written,
)


def broken_rules(environment: Environment) -> list[BrokenRule]:
    """Every breach of every rule by one environment. Values of a wrong type come first, and alone."""
    return list(_broken(settings_have_their_declared_type, environment)) or [
        broken for rule in RULES for broken in _broken(rule, environment)
    ]


def reject_broken(environments: Sequence[Environment]) -> None:
    """Check all rules against all environments.

    Raises:
        BrokenRulesError: At least one rule is broken; its text has a line for each.
    """
    broken = [str(broken) for environment in environments for broken in broken_rules(environment)]
    if broken:
        raise BrokenRulesError("\n".join(broken))


def _broken(rule: Rule, environment: Environment) -> Iterator[BrokenRule]:
    for breach in rule(environment):
        yield BrokenRule(environment.name, rule.__name__.replace("_", "-"), breach)
