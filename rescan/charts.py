"""Which constructs make up which folder of manifests."""

from cdk8s import App, Chart
from constructs import Construct

from rescan.constructs.configuration import RescanConfiguration
from rescan.constructs.namespace import RescanNamespace
from rescan.constructs.service import RescanService
from rescan.constructs.storage import RescanStorage
from rescan.constructs.workload import RescanWorkload
from rescan.settings import Environment

# `App` too, so that main.py imports it from here: an import of cdk8s ahead of one of ours would start the wrong Node.
__all__ = ["App", "FolderChart", "RescanChart"]


class FolderChart(Chart):
    """A chart whose objects are written into `folder`, a path below the output folder with `/` between its parts.

    It has no namespace of its own, since cdk8s would write that on cluster-scoped objects too.
    """

    def __init__(self, scope: Construct, folder: str) -> None:
        super().__init__(scope, folder.replace("/", "-"), disable_resource_name_hashes=True)
        self.folder = folder


class RescanChart(FolderChart):
    """Everything that runs in one environment."""

    def __init__(self, scope: Construct, environment: Environment) -> None:
        super().__init__(scope, environment.name)
        RescanNamespace(self, "namespace", environment)
        RescanConfiguration(self, "configuration", environment)
        RescanStorage(self, "storage", environment)
        RescanWorkload(self, "workload", environment)
        RescanService(self, "service", environment)
