"""Fixtures for every test; tests that use the sandbox cluster get the marker ``sandbox`` by that."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.binaries import Binaries
from tests.sandbox.cluster import Cluster
from tests.sandbox.errors import BinariesError
from tests.sandbox.syncers import Syncer, sync

CRDS = Path(__file__).parents[1] / "rescan/crds"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and "cluster" in item.fixturenames:
            item.add_marker(pytest.mark.sandbox)


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """One cluster for the test run; with pytest-xdist, one for each worker (about 500 MB of memory each)."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # A first run builds for minutes: that must be seen while it happens.
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        try:
            binaries = Binaries.find()
        except BinariesError as error:
            pytest.fail(str(error), pytrace=False)
    with Cluster.start(binaries) as started:
        yield started


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a fresh namespace, deleted afterwards; what is cluster-wide is for the test to remove."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.create_namespace(name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(scope="session")
def custom_resources(cluster: Cluster) -> None:
    """The CRDs of the custom resources that the generator emits; they stay as long as the cluster."""
    sync(cluster, Syncer.FLUX, CRDS)
