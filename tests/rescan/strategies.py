"""Settings that Hypothesis makes up: any value that the format of a setting allows, and settings that fit together."""

import dataclasses
import enum
import functools
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from rescan import formats, quantity
from rescan.formats import Format
from rescan.settings import (
    AccessMode,
    AzureKeyVault,
    Backup,
    CreatedByHand,
    DisruptionBudget,
    DriftJob,
    Environment,
    Image,
    PostgreSql,
    Resources,
    RollingUpdate,
    Sqlite,
    Storage,
    StorageClass,
    Workload,
)

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL}){{0,2}}\.[a-z]{{2,9}}"
_NAME = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_COMPONENT = r"[a-z0-9]+([._-][a-z0-9]+){0,3}"
_PATTERNS = {
    "DNS label": _LABEL,
    "short name": r"[a-z0-9]([-a-z0-9]{0,24}[a-z0-9])?",
    "namespace of its own": _LABEL,
    "object name": rf"{_LABEL}(\.{_LABEL}){{0,3}}",
    "label key": rf"({_HOST}/)?{_NAME}",
    "annotation key": rf"({_HOST}/)?{_NAME}",
    "label value": rf"({_NAME})?",
    "version": _NAME,
    "variable name": r"X_[A-Za-z0-9_]{0,250}",
    "mode": r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}",
    "registry": rf"({_HOST}|localhost)(:[1-9][0-9]{{0,3}})?(/{_COMPONENT})?",
    "repository": rf"{_COMPONENT}(/{_COMPONENT}){{0,2}}",
    "image tag": r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}",
    "image digest": r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}",
    "duration": r"[1-9][0-9]{0,3}(\.[0-9])?(ms|s|m|h)([0-9]{1,3}s)?",
    "Prometheus duration": r"([1-9]d)?[1-9][0-9]?h([0-9]m)?([0-9]s)?",
    "host name": rf"(\*\.)?{_HOST}",
    "HTTPS URL": rf"https://{_HOST}(:[1-9][0-9]{{0,3}})?(/[a-z/]{{0,9}})?",
    "URL": rf"https?://{_HOST}(:[1-9][0-9]{{0,3}})?(/[a-z/]{{0,9}})?",
    "URL of a storage": rf"https://{_HOST}(:[1-9][0-9]{{0,3}})?|http://[a-z]{{1,9}}\.[a-z]{{1,9}}\.svc:9000",
    "URL of a Git repository": rf"(https://|ssh://git@){_HOST}(:[1-9][0-9]{{0,3}})?/[a-z/.]{{1,20}}",
    "branch": r"[A-Za-z0-9#_+=,!'\"-]{1,9}(/[A-Za-z0-9#_]{1,9})?",
    "URL path": r"/[!\"$->@-~]{0,30}",
    "relative path": r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}){0,2}",
    "UUID": r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "bucket name": r"[a-z0-9][-a-z0-9]{1,61}[a-z0-9]",
    "region": r"[a-z]{2}-[a-z]{4,9}-[1-9]",
    "entry of a key vault": r"(secret/)?[0-9A-Za-z-]{1,127}",
}
_field = st.sampled_from(["*", "?", "0", "1-5", "*/2", "1,3,5", "5/2"])
#: Bounds that let no pod go.
_NOTHING = (0, "0%")
_OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "plain text": st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t")),
    "cron schedule": st.tuples(
        _field, _field, _field.map(lambda text: text.replace("0", "1")), *[st.just("*")] * 2
    ).map(" ".join)
    | st.sampled_from(["@daily", "@weekly", "@every 90m", "0 3 * * SUN", "15 2 28-31 DEC ?"]),
    "time zone": st.sampled_from(sorted(formats.time_zones())),
    "quantity of CPU": st.integers(1, 10**7).map("{}m".format) | st.sampled_from(["0.1", "2", "1e1", "1k"]),
    "quantity of bytes": st.integers(1, 2**20).map("{}Mi".format) | st.sampled_from(["1.5Gi", "2e9", "3Ti", "7E"]),
    "number or percentage": st.integers(0, formats.INT32) | st.integers(0, 10**9 - 1).map("{}%".format),
    "number or share": st.integers(0, formats.INT32) | st.integers(0, 100).map("{}%".format),
    "CIDR": st.ip_addresses(v=4).map("{}/32".format)
    | st.ip_addresses(v=6).map("{}/128".format)
    | st.sampled_from(["10.0.0.0/8", "fd00::/64", "0.0.0.0/0"]),
}
_OTHERS["schedule of a window"] = _OTHERS["cron schedule"]


def _formatted(form: Format) -> st.SearchStrategy[Any]:
    bounds = re.fullmatch(r"number from (\d+) to (\d+)", form.name)
    if bounds:
        return st.integers(int(bounds[1]), int(bounds[2]))
    if form.name in _OTHERS:
        return _OTHERS[form.name].filter(form.accepts)
    return st.from_regex(re.compile(_PATTERNS[form.name], re.ASCII), fullmatch=True).filter(form.accepts)


@functools.cache
def values(declared: Any) -> st.SearchStrategy[Any]:
    """Any value that a type of a setting allows."""
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin is typing.Annotated:
        return _formatted(declared.__metadata__[0])
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*map(values, arguments))
    if origin is tuple:
        return st.lists(values(arguments[0]), max_size=2, unique=True).map(tuple)
    if origin is Mapping:
        return st.dictionaries(*map(values, arguments), max_size=2)
    return _values_of_class(declared)


def _values_of_class(declared: Any) -> st.SearchStrategy[Any]:
    if dataclasses.is_dataclass(declared):
        hints = typing.get_type_hints(declared, include_extras=True)
        return st.builds(typing.cast("Any", declared), **{name: values(hint) for name, hint in hints.items()})
    if issubclass(declared, enum.Enum):
        return st.sampled_from(declared)
    return {bool: st.booleans(), types.NoneType: st.none()}[declared]


def environments() -> st.SearchStrategy[Environment]:
    """Environments with any value in any setting, except where settings must fit together."""
    return values(Environment).map(fitting)


def fitting(made: Environment) -> Environment:
    """The environment, with settings changed that contradict others."""
    several = isinstance(made.configuration.database, PostgreSql)
    port = made.workload.container_port
    policy, ingress = made.network_policy, made.ingress
    if policy:
        policy = replace(
            policy,
            database_cidr=policy.database_cidr or "10.0.0.0/8",
            from_namespaces=policy.from_namespaces or ("ingress-nginx",),
        )
    operators = (made.gitops.argocd.namespace, made.gitops.flux.namespace, policy and policy.dns_namespace)
    return replace(
        made,
        namespace=made.namespace if made.namespace not in operators else f"own-{made.namespace}"[:63].rstrip("-"),
        production=False,
        workload=_workload(made.workload, several=several),
        configuration=replace(
            made.configuration,
            port=port,
            max_file_size=min(made.configuration.max_file_size, 2**20),
            database=made.configuration.database if several else Sqlite(url=f"sqlite:./data/{made.name}.db"),
        ),
        secrets=replace(made.secrets, azure_openai_endpoint="https://a.example.com/openai/", source=_source(made)),
        service=replace(made.service, target_port=port),
        storage=_storage(made.storage),
        ingress=ingress and replace(ingress, tls_secret=ingress.tls_secret and _prefixed("tls", ingress.tls_secret)),
        network_policy=policy,
        backup=made.backup and _backup(made.backup),
        drift=made.drift and _drift(made.drift),
        pods=replace(made.pods, pull_secrets=tuple(_prefixed("pull", secret) for secret in made.pods.pull_secrets)),
    )


def _prefixed(prefix: str, name: str) -> str:
    """The name of a Secret that has another purpose than those with other prefixes."""
    return f"{prefix}.{name}"[:253].rstrip("-.")


def _workload(made: Workload, *, several: bool) -> Workload:
    strategy, scaling, spread, budget = made.strategy, made.autoscaling, made.topology_spread, made.disruption_budget
    if isinstance(strategy, RollingUpdate) and strategy.max_unavailable in _NOTHING:
        strategy = replace(strategy, max_surge="100%")
    if scaling:
        fewest, most = sorted((scaling.min_replicas, scaling.max_replicas))
        scaling = replace(scaling, min_replicas=fewest, max_replicas=most)
    return replace(
        made,
        image=_image(made.image),
        replicas=made.replicas if several else 1,
        strategy=strategy,
        resources=_resources(made.resources),
        liveness=replace(made.liveness, path="/health"),
        readiness=replace(made.readiness, path="/ready"),
        startup=made.startup and replace(made.startup, path="/health"),
        drain=min(made.drain, made.grace_period - 1),
        autoscaling=scaling if several else None,
        disruption_budget=DisruptionBudget() if budget and budget.max_unavailable in _NOTHING else budget,
        topology_spread=spread and replace(spread, topology_keys=spread.topology_keys or ("kubernetes.io/hostname",)),
    )


def _image(made: Image) -> Image:
    return made if made.tag or made.digest else replace(made, tag="v1")


def _resources(made: Resources) -> Resources:
    cpu = sorted((made.cpu_request, made.cpu_limit), key=quantity.parse)
    memory = sorted((made.memory_request, made.memory_limit), key=quantity.parse)
    disk = made.ephemeral_storage_limit and "8000000Ti"
    return replace(
        made,
        cpu_request=cpu[0],
        cpu_limit=cpu[1],
        memory_request=memory[0],
        memory_limit=memory[1],
        ephemeral_storage_limit=disk,
    )


def _source(made: Environment) -> CreatedByHand | AzureKeyVault:
    variables = CreatedByHand().variables
    if isinstance(made.configuration.database, PostgreSql):
        variables += ("DATABASE_URL", "BACKUP_DATABASE_URL")
    if made.backup:
        variables += ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    source = made.secrets.source
    if isinstance(source, CreatedByHand):
        return CreatedByHand(variables=variables)
    return replace(source, entries={**dict.fromkeys(variables, "entry"), **source.entries})


def _storage(made: Storage) -> Storage:
    chosen = made.storage_class or "standard"
    return replace(
        made,
        size=made.size if quantity.parse(made.size) >= quantity.parse("500Mi") else "500Mi",
        storage_class=chosen,
        offered=(*(offer for offer in made.offered if offer.name != chosen), StorageClass(name=chosen)),
        access_mode=AccessMode.READ_WRITE_ONCE,
    )


def _backup(made: Backup) -> Backup:
    return replace(
        made,
        late_after=formats.INT32,
        resources=_resources(made.resources),
        dump_image=_image(made.dump_image),
        upload_image=_image(made.upload_image),
    )


def _drift(made: DriftJob) -> DriftJob:
    return replace(
        made,
        stale_after=formats.INT32,
        drifting_for="99y",
        access_mode=AccessMode.READ_WRITE_MANY,
        resources=_resources(made.resources),
        git_secret=_prefixed("git", made.git_secret or "key"),
        image=_image(made.image),
        git_sync_image=_image(made.git_sync_image),
    )
