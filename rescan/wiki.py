"""Another application made of the same constructs: a wiki on SQLite, with backups, HTTPS, alerts and Argo CD.

`python -m rescan.wiki FOLDER` writes its manifests.
"""

import sys
from pathlib import Path

from cdk8s import App
from constructs import Construct

from rescan import constructs as k
from rescan.alerts import Watched, backup_alert, volume_alert, web_alerts
from rescan.constructs.handover import ArgoCdHandOver, HandOverProps
from rescan.constructs.monitoring import Alerts, AlertsProps
from rescan.manifests import manifest_files, write
from rescan.settings import Backup, Gitops, Image, Ingress, Monitoring, Probe, Service, Storage, Workload

TOOLS = Image(registry="registry.example.com", repository="backup-tools", tag="v3")
SERVICE = Service(port=80, target_port=8080)
BACKUP = Backup(bucket="your-backups", prefix="wiki", dump_image=TOOLS, upload_image=TOOLS)
WORKLOAD = Workload(
    image=Image(registry="registry.example.com", repository="wiki", tag="v2.5.0"),
    version="v2.5.0",
    container_port=8080,
    startup=None,
    liveness=Probe(path="/healthz"),
    readiness=Probe(path="/healthz"),
)
GIT = Gitops(repository_url="https://git.example.com/wiki.git")
KEYS = k.SecretVariables(name="wiki-backup", keys=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))


class Wiki(k.FolderChart):
    """Everything that runs in the namespace of a wiki, and its hand-over to Argo CD."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name, namespace=name, labels={"app": name}, kustomized=True)
        k.Namespace(self, "namespace")
        config = k.ConfigVariables(self, "config", k.ConfigVariablesProps(name=name, data={"TITLE": "Our wiki"}))
        volume = k.SqliteStorageProps(name=name, storage=Storage(), path="/data", file="/data/wiki.db")
        disk = k.SqliteStorage(self, "storage", volume)
        props = k.WebServiceProps(name=name, workload=WORKLOAD, service=SERVICE, env=config.env, storage=disk)
        web = k.WebService(self, "web", props)
        ingress = Ingress(host=f"{name}.example.com", class_name="nginx", cluster_issuer="letsencrypt")
        k.IngressRoute(self, "ingress", k.IngressRouteProps(name=name, ingress=ingress, web=web))
        job = k.BackupJobProps(name=KEYS.name, folder=name, web=web, database=disk, backup=BACKUP, credentials=KEYS)
        backup = k.BackupJob(self, "backup", job)
        seen = Watched(title="Wiki", namespace=name, workload=name, service=web.service_name, container=web.app)
        late = backup_alert(seen, backup.name, BACKUP.late_after)
        alerts = (*web_alerts(seen), volume_alert(seen, disk.claim_name), late)
        Alerts(self, "alerts", AlertsProps(name=name, monitoring=Monitoring(), alerts=alerts))
        hand_over = HandOverProps(name=name, title="Wiki", gitops=GIT, path=f"dist/{name}", namespace=name)
        ArgoCdHandOver(k.FolderChart(scope, f"argocd/{name}", namespace="argocd"), "hand-over", hand_over)


if __name__ == "__main__":
    Wiki(app := App(), "wiki")
    write(manifest_files(app), Path(sys.argv[1]))
