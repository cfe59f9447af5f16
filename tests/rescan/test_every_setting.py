"""The verdicts on every setting: with each example of its format, and with what keeps and what breaks each rule.

The rules judge each change to a valid environment by itself. The API server judges what they accept, many at once.
"""

import json
import types
import typing
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any

import pytest

from main import build
from rescan.examples.full import FULL
from rescan.examples.stateful import STATEFUL
from rescan.manifests import objects_by_path
from rescan.rules import broken_rules
from rescan.rules.model import BrokenRule
from rescan.settings import Environment
from rescan.variants import arms, sample
from tests.rescan.changes import changed
from tests.rescan.server import Server
from tests.rescan.settings_page import settings
from tests.rescan.test_formats import EXAMPLES, FORMATS
from tests.rescan.test_rules import CASES
from tests.rescan.test_sandbox import inside
from tools.sandbox.cluster import Cluster

FEWEST = 322
TYPE = "give it a value of type"
NAMES = {form: name for name, form in FORMATS.items()}
MISFITS: Mapping[str, set[str]] = {
    "autoscaling-is-possible": {"workload.autoscaling.min_replicas", "workload.autoscaling.max_replicas"},
    "backup-alert-waits-for-the-next-run": {"backup.schedule", "backup.late_after"},
    "container-port-is-target-port": {"workload.container_port", "service.target_port"},
    "disruption-budget-lets-nodes-drain": {"workload.disruption_budget.max_unavailable"},
    "drift-alert-waits-for-the-next-run": {"drift.schedule", "drift.stale_after", "drift.drifting_for"},
    "drift-volume-can-be-written": {"drift.access_mode"},
    "endpoint-has-the-openai-path": {"secrets.azure_openai_endpoint"},
    "files-fit-into-their-volume": {
        "workload.resources.ephemeral_storage_limit",
        "configuration.max_file_size",
        "storage.uploads_limit",
        "backup.resources.ephemeral_storage_limit",
        "drift.resources.ephemeral_storage_limit",
    },
    "image-is-pinned": {"backup.dump_image.tag", "backup.upload_image.tag", "drift.git_sync_image.tag"},
    "network-policy-lets-the-application-work": {"network_policy.from_namespaces", "network_policy.database_cidr"},
    "one-node-mounts-the-volume": {"storage.access_mode"},
    "pods-stop-in-time": {"workload.drain", "workload.grace_period"},
    "port-is-the-container-port": {"workload.container_port", "configuration.port"},
    "probes-ask-the-health-endpoints": {"workload.liveness.path", "workload.readiness.path", "workload.startup.path"},
    "production-runs-a-release": {
        "workload.image.registry",
        "workload.image.pull_policy",
        "backup.dump_image.registry",
        "backup.upload_image.registry",
        "drift.image.registry",
        "drift.git_sync_image.registry",
    },
    "requests-within-limits": {
        "workload.resources.cpu_request",
        "workload.resources.memory_request",
        "workload.resources.memory_limit",
        "workload.resources.ephemeral_storage_limit",
        "backup.resources.cpu_request",
        "backup.resources.memory_request",
        "backup.resources.memory_limit",
        "backup.resources.ephemeral_storage_limit",
        "drift.resources.cpu_request",
        "drift.resources.memory_request",
        "drift.resources.memory_limit",
        "drift.resources.ephemeral_storage_limit",
    },
    "required-variables-have-their-source": {"secrets.source.variables", "secrets.source.entries"},
    "rollout-can-proceed": {"workload.strategy.max_surge"},
    "sqlite-file-is-on-the-data-volume": {"configuration.database.url"},
    "storage-class-is-offered": {"storage.offered"},
    "storage-has-room-for-the-database": {"storage.size"},
    "topology-spread-is-possible": {"workload.topology_spread.topology_keys"},
}
"""For each rule, the settings that break it with some example of their format."""


@dataclass(frozen=True)
class Change:
    """A change of one setting in a valid environment; refused with a message that has `fix`, or accepted if None."""

    of: Environment
    setting: str
    value: object
    fix: str | None

    @property
    def made(self) -> Environment:
        return changed(self.of, {self.setting: self.value})


Examples = tuple[list[Any], list[tuple[Any, str]]]
"""Values that are accepted, and values that are refused, each with a part of the message."""


def examples(declared: Any) -> Examples:
    """Examples of a type, from those of the formats in it."""
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin is typing.Annotated:
        form = declared.__metadata__[0]
        good, bad = EXAMPLES[NAMES[form]]
        return good, [(value, form.fix) for value in bad]
    if origin in (types.UnionType, typing.Union):
        each = [examples(argument) for argument in arguments]
        # A union has one type with a format, beside None: what that refuses is refused.
        return [value for good, _ in each for value in good], [value for _, bad in each for value in bad]
    if origin is tuple:
        good, bad = examples(arguments[0])
        return [(), *((value,) for value in good)], [((value,), fix) for value, fix in bad]
    if origin is Mapping:
        (keys, no_keys), (values, no_values) = map(examples, arguments)
        good = [{}, *({key: values[0]} for key in keys), *({keys[0]: value} for value in values)]
        return good, [
            *(({key: values[0]}, fix) for key, fix in no_keys),
            *(({keys[0]: value}, fix) for value, fix in no_values),
        ]
    return _examples_of_class(declared)


def _examples_of_class(declared: Any) -> Examples:
    if declared is types.NoneType:
        return [None], []
    if declared is bool:
        return [True, False], [("yes", TYPE), (None, TYPE)]
    if issubclass(declared, Enum):
        return list(declared), [("Sometimes", TYPE)]
    assert is_dataclass(declared)
    hints = typing.get_type_hints(declared, include_extras=True)
    inner = {field.name: examples(hints[field.name]) for field in fields(declared)}
    first = replace(sample(declared), **{name: good[0] for name, (good, _) in inner.items()})
    return (
        [replace(first, **{name: value}) for name, (good, _) in inner.items() for value in good[1:]],
        [(replace(first, **{name: value}), fix) for name, (_, bad) in inner.items() for value, fix in bad],
    )


@cache
def judged() -> list[tuple[Change, list[BrokenRule]]]:
    """All changes, and the rules that each breaks."""
    return [(change, broken_rules(change.made)) for change in changes()]


def changes() -> Iterator[Change]:
    """Every setting with every example of its type, in an environment that has it."""
    for setting in settings():
        of = next(each for each in (FULL, STATEFUL) if _has(each, setting.path))
        group = _is_group(setting.declared)
        if group and types.NoneType not in arms(setting.declared):
            continue
        good, bad = ([None], []) if group else examples(setting.declared)
        yield from (Change(of, setting.path, value, None) for value in good)
        yield from (Change(of, setting.path, value, fix) for value, fix in bad)


def _has(environment: Environment, setting: str) -> bool:
    try:
        attrgetter(setting)(environment)
    except AttributeError:
        return False
    return True


def _is_group(declared: Any) -> bool:
    return any(map(is_dataclass, arms(declared)))


def test_the_rules_judge_each_change() -> None:
    wrong: list[str] = []
    misfits: defaultdict[str, set[str]] = defaultdict(set)
    for change, broken in judged():
        if change.fix is None:
            for found in broken:
                misfits[found.rule].add(change.setting)
        elif not any(_is_about(found, change) for found in broken):
            wrong.append(f"{change.setting} is {change.value!r}: {change.fix!r} is not in {[*map(str, broken)]}")

    assert wrong == []
    assert misfits == MISFITS
    assert len(judged()) > FEWEST


def _is_about(found: BrokenRule, change: Change) -> bool:
    return str(change.fix) in found.breach.fix and found.breach.setting.startswith(change.setting)


def accepted() -> Iterator[Change]:
    """The changes that the rules accept, and those that keep a rule."""
    yield from (change for change, broken in judged() if change.fix is None and not broken)
    for case in (case for cases in CASES.values() for case in cases):
        kept = Change(changed(case.of, case.also), case.setting, case.keeps, None)
        yield from () if broken_rules(kept.made) else (kept,)


def together() -> Iterator[Environment]:
    """Environments that have all accepted changes: the first values of all settings in one, as far as they fit."""
    made: dict[tuple[str, int], Environment] = {}
    number: Counter[tuple[str, str]] = Counter()
    for change in accepted():
        base = repr(change.of)
        place = base, number[base, change.setting]
        number[base, change.setting] += 1
        # Another group has other settings.
        is_group = is_dataclass(change.value) or change.value is None
        both = change.made if is_group else changed(made.get(place, change.of), {change.setting: change.value})
        if is_group or broken_rules(both):
            yield change.made
        else:
            made[place] = both
    yield from made.values()


@pytest.mark.usefixtures("custom_resources")
def test_the_api_server_accepts_what_the_rules_accept(cluster: Cluster, namespace: str) -> None:
    server = Server(cluster)

    environments = [inside(environment, namespace) for environment in together()]
    manifests = [made for each in environments for made in objects_by_path(build([each])).values()]
    different = {json.dumps(made, sort_keys=True): made for made in manifests if made["kind"] != "Namespace"}
    refusals = [refusal for made in different.values() if (refusal := server.refusal(made, namespace))]

    server.close()
    assert refusals == []
