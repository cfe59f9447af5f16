"""What Flux synced last, in every format of the status of a Kustomization."""

from typing import Any

import pytest

from drift.gitops.flux_status import kustomization_record
from drift.model import ObjectKey

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OTHER = "f" * 40
DIGEST = "a" * 64
KEY = ObjectKey("apps", "Deployment", "web", "web")


def last(**status: Any) -> tuple[str, ...] | None:
    sources = kustomization_record({"kind": "Kustomization", "status": status}).sources(KEY)
    return None if sources is None else tuple(source.commit for source in sources)


@pytest.mark.parametrize(
    "revision",
    [
        f"main@sha1:{COMMIT}",
        f"main/{COMMIT}",
        f"feature/x/{COMMIT}",
        f"feature/x@y@sha1:{COMMIT}",
        f"sha1:{COMMIT}",
        f"v1.2.3@sha1:{COMMIT}",
        f"v1.2.3/{COMMIT}",
        f"refs/tags/v1.2.3@sha1:{COMMIT}",
        f"refs/pull/12/head@sha1:{COMMIT}",
        f"HEAD/{COMMIT}",
        COMMIT,
    ],
)
def test_the_commit_is_found_in_every_revision_format(revision: str) -> None:
    assert last(lastAppliedRevision=revision) == (COMMIT,)


@pytest.mark.parametrize("revision", [f"latest@sha256:{DIGEST}", f"sha256:{'a' * 64}", "a" * 64, "v1.2.3", "", "main"])
def test_a_revision_without_a_commit_gives_no_base(revision: str) -> None:
    assert last(lastAppliedRevision=revision) is None


def test_the_origin_revision_of_an_artifact_gives_the_commit() -> None:
    artifact = f"latest@sha256:{DIGEST}"

    assert last(lastAppliedRevision=artifact, lastAppliedOriginRevision=f"main@sha1:{COMMIT}") == (COMMIT,)


@pytest.mark.parametrize("status", [{}, {"lastAttemptedRevision": f"main@sha1:{COMMIT}"}, {"lastAppliedRevision": 1}])
def test_without_a_sync_nothing_is_known(status: dict[str, Any]) -> None:
    assert last(**status) is None


@pytest.mark.parametrize(("attempted", "says"), [(COMMIT, False), (OTHER, True)])
def test_an_unfinished_sync_contradicts_in_sync(attempted: str, says: bool) -> None:
    status = {"lastAppliedRevision": f"main@sha1:{COMMIT}", "lastAttemptedRevision": f"main@sha1:{attempted}"}

    assert kustomization_record({"status": status}).contradicts(KEY) is says


@pytest.mark.parametrize(("attempted", "says"), [(DIGEST, False), ("b" * 64, True)])
def test_an_unfinished_sync_of_an_artifact_contradicts_in_sync(attempted: str, says: bool) -> None:
    status = {"lastAppliedRevision": f"latest@sha256:{DIGEST}", "lastAttemptedRevision": f"latest@sha256:{attempted}"}

    assert kustomization_record({"kind": "Kustomization", "status": status}).is_syncing is says
