"""Fixtures of the tests for false positives."""

from collections.abc import Callable

import pytest

from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

Quiet = Callable[..., None]
#: After a sync by Flux, defaults have no owner in managedFields; after one by Argo CD, the applier owns them.
BOTH = (Syncer.FLUX, Syncer.ARGOCD)


@pytest.fixture
def quiet(workspace: Application) -> Quiet:
    """A function that asserts that manifests are in sync after each of these appliers syncs them."""

    def check(*documents: str, syncers: tuple[Syncer, ...] = (Syncer.FLUX,), after: str = "") -> None:
        workspace.write("---\n".join(documents))
        for syncer in syncers:
            workspace.sync(syncer)
            if after:
                workspace.kubectl(*after.split())
            scanned = workspace.report()
            assert scanned.findings == []
            assert scanned.status == 0

    return check


@pytest.fixture
def crd(workspace: Application) -> object:
    """Removes the cluster-wide CRD after the test."""
    yield None
    workspace.cluster.kubectl(
        "delete", "crd", f"widgets.{workspace.namespace}.example.com", "--ignore-not-found", "--wait=false"
    )
