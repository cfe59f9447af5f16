"""Settings of the hand-over to Argo CD or Flux."""

from dataclasses import field

from rescan.formats import (
    AtLeastZero,
    DnsLabel,
    Duration,
    GitBranch,
    GitUrl,
    HttpsUrl,
    ObjectName,
    RelativePath,
    TimeZone,
    WindowSchedule,
)
from rescan.settings.declaration import Choice, props


class WindowKind(Choice):
    """Whether syncs happen only in a window, or only outside of it."""

    ALLOW = "allow"
    DENY = "deny"


@props
class SyncWindow:
    """When Argo CD may or may not sync by itself; a person may always sync."""

    kind: WindowKind
    schedule: WindowSchedule
    """When the window opens, in cron's notation."""
    duration: Duration
    """How long it stays open (`2h`)."""
    time_zone: TimeZone = "Etc/UTC"


@props
class ArgoCd:
    """How Argo CD syncs the environment."""

    namespace: DnsLabel = "argocd"
    server: HttpsUrl = "https://kubernetes.default.svc"
    """The cluster to deploy to, as Argo CD reaches it; the default is the one it runs in."""
    prune: bool = True
    self_heal: bool = True
    retries: AtLeastZero = 5
    sync_windows: tuple[SyncWindow, ...] = ()


@props
class Flux:
    """How Flux syncs the environment; all times are durations such as `90s` or `10m`."""

    namespace: DnsLabel = "flux-system"
    fetch_interval: Duration = "1m"
    interval: Duration = "10m"
    """How often the cluster is compared with Git and corrected."""
    retry_interval: Duration = "1m"
    timeout: Duration = "5m"
    prune: bool = True
    git_secret: ObjectName | None = None
    """An existing Secret in Flux's namespace with the credentials of the repository, which ssh always needs."""
    depends_on: tuple[ObjectName, ...] = ()
    """The Kustomizations that must be ready first: those that bring operators and their CRDs."""


@props
class Gitops:
    """The repository that the manifests are committed to, and how it is synced."""

    repository_url: GitUrl = "https://git.example.com/rescan.git"
    """Put the address of your own repository here."""
    branch: GitBranch = "main"
    manifests_path: RelativePath = "dist"
    """The folder of the repository that the environments' folders are in."""
    argocd: ArgoCd = field(default_factory=ArgoCd)
    flux: Flux = field(default_factory=Flux)
