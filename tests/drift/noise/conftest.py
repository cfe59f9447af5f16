"""Fixtures of the tests that nothing false is reported."""

from collections.abc import Callable

import pytest

from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

Quiet = Callable[..., None]
#: With the first, defaults have no owner in managedFields; with the second, the syncer owns them.
BOTH = (Syncer.FLUX, Syncer.ARGOCD)


@pytest.fixture
def quiet(workspace: Application) -> Quiet:
    """Asserts that manifests are in sync after a sync in each of the given ways."""

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
    """Custom resource definitions are the cluster's, so they are removed behind each test."""
    yield None
    workspace.cluster.kubectl(
        "delete", "crd", f"widgets.{workspace.namespace}.example.com", "--ignore-not-found", "--wait=false"
    )
