"""Constructs for any application: plain typed props in, API objects out.

Each takes a scope, an id and a `...Props` object, finds others by reference, and exposes what it makes. Rescan is one
composition of them (`rescan.charts`); `rescan.wiki` is another.

They make the typed API objects of `cdk8s_plus_27.k8s`. The classes of cdk8s-plus itself cannot say what these need:
revisionHistoryLimit, seccompProfile, dropped capabilities, topology spread, CronJobs with a time zone. They also add a
selector label that depends on construct ids, and a selector cannot be changed later.
"""

from rescan.constructs.backup import BackupJob, BackupJobProps, PostgreSqlUrl
from rescan.constructs.base import Checked, FolderChart, Namespace
from rescan.constructs.configuration import ConfigVariables, ConfigVariablesProps, SecretVariables
from rescan.constructs.drift import ClusterSources, DriftReporter, DriftReporterProps, Repository
from rescan.constructs.network import IngressRoute, IngressRouteProps, NetworkPolicies, NetworkPoliciesProps, Traffic
from rescan.constructs.storage import SqliteStorage, SqliteStorageProps
from rescan.constructs.web import Scratch, WebService, WebServiceProps

# Not here, because the classes of custom resources take time to load and few charts need them all:
# rescan.constructs.handover, rescan.constructs.monitoring and rescan.constructs.vault.
__all__ = [
    "BackupJob",
    "BackupJobProps",
    "Checked",
    "ClusterSources",
    "ConfigVariables",
    "ConfigVariablesProps",
    "DriftReporter",
    "DriftReporterProps",
    "FolderChart",
    "IngressRoute",
    "IngressRouteProps",
    "Namespace",
    "NetworkPolicies",
    "NetworkPoliciesProps",
    "PostgreSqlUrl",
    "Repository",
    "Scratch",
    "SecretVariables",
    "SqliteStorage",
    "SqliteStorageProps",
    "Traffic",
    "WebService",
    "WebServiceProps",
]
