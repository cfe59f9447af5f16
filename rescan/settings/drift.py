"""Settings of the job that reports, from inside the cluster, what in it is not what Git says."""

from dataclasses import field

from rescan.formats import (
    AtLeastZero,
    CronSchedule,
    ObjectName,
    Port,
    PrometheusDuration,
    RelativePath,
    Seconds,
    Shards,
    Size,
    StartingDeadline,
    TimeZone,
    WebUrl,
)
from rescan.settings.declaration import props
from rescan.settings.storage import AccessMode
from rescan.settings.workload import Identity, Image, PullPolicy, Resources


def _git_sync() -> Image:
    return Image(
        registry="registry.k8s.io", repository="git-sync/git-sync", tag="v4.6.0", pull_policy=PullPolicy.ALWAYS
    )


@props
class DriftJob:
    """The drift reporter on a schedule, with rights to read the kinds of the manifests and nothing else."""

    image: Image
    """The reporter, as the Dockerfile of this repository makes it."""
    git_sync_image: Image = field(default_factory=_git_sync)
    """What fetches the repository of `gitops`. Pin it by the digest that your registry shows."""
    git_secret: ObjectName | None = None
    """An existing Secret: `username` and `password` for https, `ssh` and `known_hosts` for ssh; None needs none."""
    git_depth: AtLeastZero = 1
    """How many commits are fetched; 0 fetches all. What was synced can be compared only if it is among them."""
    schedule: CronSchedule = "*/30 * * * *"
    """In cron's notation."""
    time_zone: TimeZone = "Etc/UTC"
    deadline: StartingDeadline = 900
    """Seconds after which a scan that still runs has failed."""
    read_secrets: bool = False
    """Whether the job may read Secrets. Their values stay unread by people: reports say which key differs only."""
    config: RelativePath | None = None
    """The path of a drift.yaml in the repository, with your ignore rules. It then has to name Secrets as `unchecked`
    itself, unless they may be read. None: one that does that and no more."""
    shards: Shards = 1
    """Pods among which the namespaces are divided. Several write to one volume, maybe from several nodes."""
    history_size: Size = "256Mi"
    """The volume of the history and of the last report."""
    access_mode: AccessMode = AccessMode.READ_WRITE_ONCE
    storage_class: ObjectName | None = None
    """None takes the cluster's default class."""
    pushgateway_url: WebUrl | None = None
    """A Prometheus Pushgateway (`http://pushgateway.monitoring.svc:9091`); None pushes no metrics, and only the alert
    on a job that is late remains."""
    drifting_for: PrometheusDuration = "45m"
    """How long drift lasts before an alert is raised. The Pushgateway keeps what a scan found until the next one, so
    this must be longer than the pauses of `schedule`: then at least two scans found it."""
    stale_after: Seconds = 7200
    """Seconds without a scan after which an alert is raised."""
    api_server_port: Port = 6443
    """The port behind the Service `kubernetes`, which a network policy has to name beside 443."""
    identity: Identity = field(default_factory=lambda: Identity(user=65533, group=65533))
    """The user that the image of git-sync knows by name, which ssh asks for. Git trusts files of its own user only, so
    the reporter runs as the same."""
    resources: Resources = field(
        default_factory=lambda: Resources(
            cpu_request="100m",
            cpu_limit="1",
            memory_request="128Mi",
            memory_limit="512Mi",
            ephemeral_storage_request="64Mi",
            ephemeral_storage_limit="1Gi",
        )
    )
    """Of each of the two containers. The disk is for the clone."""
    clone_limit: Size = "512Mi"
    """The most that the clone, and temporary copies of its files, may each take before the pod is evicted."""
