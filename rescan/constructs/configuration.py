"""Where the environment variables of a container come from: a ConfigMap, or Secrets that others make."""

import functools
from collections.abc import Mapping

from cdk8s_plus_27 import k8s
from constructs import Construct

from rescan.constructs.base import Checked, object_meta
from rescan.formats import ObjectName, Text, VariableName
from rescan.settings.declaration import props


@props
class ConfigVariablesProps:
    """The name of a ConfigMap, and its variables with their values."""

    name: ObjectName
    data: Mapping[VariableName, Text]


class ConfigVariables(Checked):
    """A ConfigMap whose keys are variables. A change takes effect when the pods restart."""

    def __init__(self, scope: Construct, construct_id: str, props: ConfigVariablesProps) -> None:
        super().__init__(scope, construct_id, props)
        self.name = props.name
        self.config_map = k8s.KubeConfigMap(
            self, "config-map", metadata=object_meta(props.name), data=dict(props.data), immutable=False
        )
        # Every variable by its key, so that a pod with a missing one never starts half configured.
        self.env = tuple(_from_config_map(props.name, key) for key in props.data)


@props
class SecretVariables:
    """Variables that are keys of one Secret. The Secret is made elsewhere: no manifest holds its values."""

    name: ObjectName
    keys: tuple[VariableName, ...]

    @property
    def env(self) -> list[k8s.EnvVar]:
        """All of them, each by its key."""
        return [from_secret(self.name, key) for key in self.keys]


@functools.cache
def from_secret(secret: str, key: str, name: str | None = None) -> k8s.EnvVar:
    """A variable whose value is a key of a Secret; it is called as the key unless it has another name."""
    selector = k8s.SecretKeySelector(name=secret, key=key)
    return k8s.EnvVar(name=name or key, value_from=k8s.EnvVarSource(secret_key_ref=selector))


@functools.cache
def _from_config_map(name: str, key: str) -> k8s.EnvVar:
    selector = k8s.ConfigMapKeySelector(name=name, key=key)
    return k8s.EnvVar(name=key, value_from=k8s.EnvVarSource(config_map_key_ref=selector))
