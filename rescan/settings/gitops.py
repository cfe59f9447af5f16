"""Settings of the hand-over to Argo CD or Flux."""

from dataclasses import dataclass, field
from enum import StrEnum


class WindowKind(StrEnum):
    """Whether syncs happen only in a window, or only outside of it."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, kw_only=True)
class SyncWindow:
    """When Argo CD may or may not sync by itself; a person may always sync."""

    kind: WindowKind
    schedule: str
    """When the window opens, in cron's notation."""
    duration: str
    """How long it stays open (`2h`)."""
    time_zone: str = "Etc/UTC"


@dataclass(frozen=True, kw_only=True)
class ArgoCd:
    """How Argo CD syncs the environment."""

    namespace: str = "argocd"
    server: str = "https://kubernetes.default.svc"
    """The cluster to deploy to, as Argo CD reaches it; the default is the one it runs in."""
    prune: bool = True
    self_heal: bool = True
    retries: int = 5
    sync_windows: tuple[SyncWindow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Flux:
    """How Flux syncs the environment; all times are durations such as `90s` or `10m`."""

    namespace: str = "flux-system"
    fetch_interval: str = "1m"
    interval: str = "10m"
    """How often the cluster is compared with Git and corrected."""
    retry_interval: str = "1m"
    timeout: str = "5m"
    prune: bool = True
    depends_on: tuple[str, ...] = ()
    """The Kustomizations that must be ready first: those that bring operators and their CRDs."""


@dataclass(frozen=True, kw_only=True)
class Gitops:
    """The repository that the manifests are committed to, and how it is synced."""

    repository_url: str = "https://git.example.com/rescan.git"
    """Put the address of your own repository here."""
    branch: str = "main"
    manifests_path: str = "dist"
    """The folder of the repository that the environments' folders are in."""
    argocd: ArgoCd = field(default_factory=ArgoCd)
    flux: Flux = field(default_factory=Flux)
