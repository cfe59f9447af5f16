"""What a rule is: a question to one environment's settings, answered by each setting that breaks it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rescan.formats import redacted
from rescan.settings import Environment


@dataclass(frozen=True)
class Breach:
    """A setting that breaks a rule, its value, and what to do about it."""

    setting: str
    """Where the setting is, from the environment down: `workload.replicas`."""
    value: object
    fix: str


Rule = Callable[[Environment], Iterator[Breach]]


def rule_name(rule: Callable[..., object]) -> str:
    """The name that an error shows: that of the function, with hyphens."""
    return rule.__name__.replace("_", "-")


@dataclass(frozen=True)
class BrokenRule:
    """A breach, with the rule it was found by, and the environment or the path of the construct."""

    environment: str
    rule: str
    breach: Breach

    def __str__(self) -> str:
        """One line that names environment, rule, setting, value and fix, and shows no credentials."""
        breach = self.breach
        value = f"{breach.value}" if isinstance(breach.value, int) else repr(redacted(breach.value))
        return f"{self.environment}: {self.rule}: {breach.setting} is {value}; {breach.fix}"
