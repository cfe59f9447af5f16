"""One environment: everything that is deployed together into one namespace."""

from dataclasses import dataclass, field

from rescan.settings.configuration import Configuration
from rescan.settings.network import Service
from rescan.settings.storage import Storage
from rescan.settings.workload import Workload


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The settings of one environment, from which its manifests follow and nothing else."""

    name: str
    """Names the folder below dist/ and the `environment` label."""
    namespace: str
    workload: Workload
    configuration: Configuration = field(default_factory=Configuration)
    service: Service = field(default_factory=Service)
    storage: Storage = field(default_factory=Storage)
