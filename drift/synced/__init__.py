"""What was last synced: the manifests at the commits that Flux or Argo CD records for the objects it syncs."""

from drift.synced.base import Ahead, Repository, SyncedRevisions
from drift.synced.syncer import SyncedBy, synced_by

__all__ = ["Ahead", "Repository", "SyncedBy", "SyncedRevisions", "synced_by"]
