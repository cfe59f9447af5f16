"""The ConfigMap, and where each environment variable of the container comes from."""

import functools

from cdk8s_plus_27 import ConfigMap, k8s
from constructs import Construct

from rescan import names
from rescan.constructs.metadata import plus_metadata
from rescan.settings import Environment
from rescan.variables import config_map_data, secret_variables


class RescanConfiguration(Construct):
    """The application's settings that are not secret. A change takes effect when the pods restart."""

    def __init__(self, scope: Construct, construct_id: str, environment: Environment) -> None:
        super().__init__(scope, construct_id)
        ConfigMap(
            self,
            "config-map",
            metadata=plus_metadata(environment, names.CONFIG_MAP),
            data=config_map_data(environment),
            immutable=False,
        )


def container_env(environment: Environment) -> list[k8s.EnvVar]:
    """Every variable by its key, so that a pod with a missing one never starts half configured."""
    return [
        *(_from_config_map(key) for key in config_map_data(environment)),
        *secret_env(environment, names.APP_SECRET),
    ]


def secret_env(environment: Environment, secret: str) -> list[k8s.EnvVar]:
    """All variables of one Secret."""
    return [from_secret(secret, key) for key in secret_variables(environment)[secret]]


@functools.cache
def from_secret(secret: str, key: str) -> k8s.EnvVar:
    """A variable whose value is the key of that name in a Secret."""
    selector = k8s.SecretKeySelector(name=secret, key=key)
    return k8s.EnvVar(name=key, value_from=k8s.EnvVarSource(secret_key_ref=selector))


@functools.cache
def _from_config_map(key: str) -> k8s.EnvVar:
    selector = k8s.ConfigMapKeySelector(name=names.CONFIG_MAP, key=key)
    return k8s.EnvVar(name=key, value_from=k8s.EnvVarSource(config_map_key_ref=selector))
