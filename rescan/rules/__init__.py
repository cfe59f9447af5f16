"""The rules that settings must keep before anything is synthesized, all of them checked at once.

`declared` checks each setting by itself: whether it exists, its type and its format. The other files have rules about
settings that depend on each other, one file per family; the name of a function, with hyphens, is the rule's name.
"""

from collections.abc import Iterator, Sequence

from rescan.errors import BrokenRulesError
from rescan.rules import configuration, operations, storage, workload
from rescan.rules.declared import mistakes
from rescan.rules.model import BrokenRule, Rule
from rescan.settings import Environment

RULES: tuple[Rule, ...] = (
    workload.folder_is_free,
    workload.image_is_pinned,
    workload.production_runs_a_release,
    workload.sqlite_has_one_replica,
    workload.requests_within_limits,
    workload.container_port_is_target_port,
    workload.probes_ask_the_health_endpoints,
    workload.rollout_can_proceed,
    workload.autoscaling_is_possible,
    workload.disruption_budget_lets_nodes_drain,
    workload.topology_spread_is_possible,
    configuration.port_is_the_container_port,
    configuration.required_variables_have_their_source,
    configuration.extra_variables_are_extra,
    configuration.config_map_fits,
    configuration.endpoint_has_the_openai_path,
    configuration.sqlite_file_is_on_the_data_volume,
    storage.storage_has_room_for_the_database,
    storage.one_node_mounts_the_volume,
    storage.storage_class_is_offered,
    storage.files_fit_into_their_volume,
    operations.certificate_has_a_secret_of_its_own,
    operations.network_policy_lets_the_application_work,
    operations.alerts_wait_for_the_next_run,
    operations.drift_volume_can_be_written,
)


def broken_rules(environment: Environment) -> list[BrokenRule]:
    """Every breach of every rule by one environment."""
    declared = [BrokenRule(environment.name, rule, breach) for rule, breach in mistakes(environment)]
    return [*declared, *(broken for rule in RULES for broken in _broken(rule, environment, certain=not declared))]


def reject_broken(environments: Sequence[Environment]) -> None:
    """Check all rules against all environments.

    Raises:
        BrokenRulesError: At least one rule is broken; its text has a line for each.
    """
    broken = [str(broken) for environment in environments for broken in broken_rules(environment)]
    if broken:
        raise BrokenRulesError("\n".join(broken))


def _broken(rule: Rule, environment: Environment, *, certain: bool) -> Iterator[BrokenRule]:
    """What breaks a rule. Unless it is `certain` that every setting has its type and format, a rule may fail."""
    try:
        for breach in rule(environment):
            yield BrokenRule(environment.name, rule.__name__.replace("_", "-"), breach)
    except (AttributeError, KeyError, TypeError, ValueError):
        if certain:
            raise
