"""The classes that an environment's settings are written with. They hold values and know nothing of cdk8s."""

from rescan.settings.configuration import Configuration, PostgreSql, Sqlite
from rescan.settings.environment import Environment
from rescan.settings.network import Service, ServiceType
from rescan.settings.storage import AccessMode, Storage, StorageClass
from rescan.settings.workload import (
    Identity,
    Image,
    Probe,
    PullPolicy,
    Recreate,
    Resources,
    RollingUpdate,
    Workload,
)

__all__ = [
    "AccessMode",
    "Configuration",
    "Environment",
    "Identity",
    "Image",
    "PostgreSql",
    "Probe",
    "PullPolicy",
    "Recreate",
    "Resources",
    "RollingUpdate",
    "Service",
    "ServiceType",
    "Sqlite",
    "Storage",
    "StorageClass",
    "Workload",
]
