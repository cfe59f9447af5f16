"""Environments for tests: a real one with some settings changed."""

from collections.abc import Mapping

from rescan.settings import Environment
from rescan.variants import with_setting


def changed(environment: Environment, changes: Mapping[str, object]) -> Environment:
    """A copy with other values for settings such as `workload.replicas`, one after the other."""
    for setting, value in changes.items():
        environment = with_setting(environment, setting, value)
    return environment
