"""The rules that settings must keep before anything is synthesized, all of them checked at once.

One file per family; the name of a rule's function, with hyphens, is the name that an error shows.
"""

from collections.abc import Iterator, Sequence

from rescan.errors import BrokenRulesError
from rescan.rules import workload
from rescan.rules.model import BrokenRule, Rule
from rescan.settings import Environment

RULES: tuple[Rule, ...] = (
    workload.at_least_one_replica,
    workload.sqlite_has_one_replica,
    workload.requests_within_limits,
    workload.container_port_is_target_port,
)


def broken_rules(environment: Environment) -> Iterator[BrokenRule]:
    """Every breach of every rule by one environment."""
    for rule in RULES:
        for breach in rule(environment):
            yield BrokenRule(environment.name, rule.__name__.replace("_", "-"), breach)


def reject_broken(environments: Sequence[Environment]) -> None:
    """Check all rules against all environments.

    Raises:
        BrokenRulesError: At least one rule is broken; its text has a line for each.
    """
    broken = [str(rule) for environment in environments for rule in broken_rules(environment)]
    if broken:
        raise BrokenRulesError("\n".join(broken))
