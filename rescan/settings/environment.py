"""One environment: everything that is deployed together into one namespace."""

from dataclasses import field

from rescan.formats import OwnNamespace, ShortName
from rescan.settings.backup import Backup
from rescan.settings.configuration import Configuration
from rescan.settings.declaration import props
from rescan.settings.drift import DriftJob
from rescan.settings.gitops import Gitops
from rescan.settings.monitoring import Monitoring
from rescan.settings.network import Ingress, NetworkPolicy, Service
from rescan.settings.secrets import Secrets
from rescan.settings.storage import Storage
from rescan.settings.workload import Pods, Workload


@props
class Environment:
    """The settings of one environment, from which its manifests follow and nothing else."""

    name: ShortName
    """Names the folder below dist/ and the `environment` label."""
    namespace: OwnNamespace
    workload: Workload
    production: bool = True
    """Demand what production needs: an image from a registry, at a release."""
    pods: Pods = field(default_factory=Pods)
    configuration: Configuration = field(default_factory=Configuration)
    secrets: Secrets = field(default_factory=Secrets)
    service: Service = field(default_factory=Service)
    storage: Storage = field(default_factory=Storage)
    ingress: Ingress | None = None
    network_policy: NetworkPolicy | None = None
    backup: Backup | None = None
    monitoring: Monitoring | None = None
    drift: DriftJob | None = None
    gitops: Gitops = field(default_factory=Gitops)
