"""The rules that settings must keep before anything is synthesized, all of them checked at once.

`declared` checks each setting by itself: whether it exists, its type and its format. `parts` has the rules of one group
of settings, which the props of constructs keep too. The other files have rules about an environment as a whole, one
file per family. The name of a function, with hyphens, is the rule's name.
"""

from collections.abc import Iterator, Sequence

from rescan.errors import BrokenRulesError
from rescan.rules import configuration, operations, storage, workload
from rescan.rules.declared import DECLARED_RULES, mistakes
from rescan.rules.model import BrokenRule, Rule, rule_name
from rescan.settings import Environment

RULES: tuple[Rule, ...] = (
    workload.folder_is_free,
    workload.production_runs_a_release,
    workload.sqlite_has_one_replica,
    workload.container_port_is_target_port,
    workload.probes_ask_the_health_endpoints,
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
    operations.namespace_is_no_operators,
    operations.each_secret_has_one_purpose,
    operations.network_policy_lets_the_application_work,
    operations.drift_job_can_clone,
    operations.flux_waits_for_others,
)


def broken_rules(environment: Environment) -> list[BrokenRule]:
    """Every breach of every rule by one environment."""
    found = [BrokenRule(environment.name, rule, breach) for rule, breach in mistakes(environment)]
    certain = not any(broken.rule in DECLARED_RULES for broken in found)
    return [*found, *(broken for rule in RULES for broken in _broken(rule, environment, certain=certain))]


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
            yield BrokenRule(environment.name, rule_name(rule), breach)
    except (AttributeError, KeyError, TypeError, ValueError):
        if certain:
            raise
