"""Environments for tests: a real one with some settings changed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rescan.settings import Environment


def changed(environment: Environment, changes: Mapping[str, object]) -> Environment:
    """A copy with other values for settings such as `workload.replicas`, one after the other."""
    for setting, value in changes.items():
        environment = _replaced(environment, setting.split("."), value)
    return environment


def _replaced(settings: Any, path: list[str], value: object) -> Any:
    name, *rest = path
    return replace(settings, **{name: _replaced(getattr(settings, name), rest, value) if rest else value})
