"""Reads what a Flux Kustomization applied last from its status.

https://fluxcd.io/flux/components/kustomize/kustomizations/#last-applied-revision
"""

import re
from typing import Final

from drift.gitops.sync_record import SyncedSource, SyncRecord, at, text
from drift.model import Object

#: ``main@sha1:COMMIT``, ``v1.2.3@sha1:COMMIT``, ``sha1:COMMIT``; ``main/COMMIT`` and ``COMMIT`` before Flux 2.0.
#: Branch names may contain slashes. ``latest@sha256:DIGEST`` is the digest of an OCI artifact, not a commit.
_COMMIT: Final = re.compile(r"(?:.*@)?sha1:([0-9a-f]{40})|(?:.*/)?([0-9a-f]{40})")


def kustomization_record(kustomization: Object) -> SyncRecord:
    """Reads what a Kustomization applied last.

    Args:
        kustomization: The live object, in any API version.
    """
    status = at(kustomization, "status")
    applied, attempted = text(status, "lastAppliedRevision"), text(status, "lastAttemptedRevision")
    # An OCI artifact may name the commit that it was built from.
    commit = commit_of(applied) or commit_of(text(status, "lastAppliedOriginRevision"))
    is_another = (commit_of(attempted) or attempted) != (commit_of(applied) or applied)
    return SyncRecord(
        last=(SyncedSource(commit),) if commit else None,
        is_syncing=bool(applied and attempted) and is_another,
        keeps=None if at(kustomization, "spec", "prune") is not False else "prune: false",
    )


def commit_of(revision: str) -> str | None:
    """Returns the commit in a revision, or None if it has none."""
    found = _COMMIT.fullmatch(revision)
    return None if found is None else found[1] or found[2]
