"""The classes that an environment's settings are written with. They hold values and know nothing of cdk8s."""

from rescan.settings.backup import Backup
from rescan.settings.configuration import Configuration, PostgreSql, Sqlite
from rescan.settings.drift import DriftJob
from rescan.settings.environment import Environment
from rescan.settings.gitops import ArgoCd, Flux, Gitops, SyncWindow, WindowKind
from rescan.settings.monitoring import Monitoring
from rescan.settings.network import Ingress, NetworkPolicy, Service, ServiceType
from rescan.settings.secrets import AzureKeyVault, CreatedByHand, Secrets
from rescan.settings.storage import AccessMode, Storage, StorageClass
from rescan.settings.workload import (
    Autoscaling,
    Controller,
    DisruptionBudget,
    Identity,
    Image,
    Pods,
    Probe,
    PullPolicy,
    Recreate,
    Resources,
    RollingUpdate,
    TaintEffect,
    Toleration,
    TopologySpread,
    Workload,
)

__all__ = [
    "AccessMode",
    "ArgoCd",
    "Autoscaling",
    "AzureKeyVault",
    "Backup",
    "Configuration",
    "Controller",
    "CreatedByHand",
    "DisruptionBudget",
    "DriftJob",
    "Environment",
    "Flux",
    "Gitops",
    "Identity",
    "Image",
    "Ingress",
    "Monitoring",
    "NetworkPolicy",
    "Pods",
    "PostgreSql",
    "Probe",
    "PullPolicy",
    "Recreate",
    "Resources",
    "RollingUpdate",
    "Secrets",
    "Service",
    "ServiceType",
    "Sqlite",
    "Storage",
    "StorageClass",
    "SyncWindow",
    "TaintEffect",
    "Toleration",
    "TopologySpread",
    "WindowKind",
    "Workload",
]
