"""Fixtures for every test. Tests that use the sandbox cluster, or its kubectl, get the marker ``sandbox``."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from drift import errors
from drift.compare.objects import ObjectComparison, compare_object
from drift.compare.proof import InSyncProof
from drift.objects import Object, ObjectKey
from drift.policy.findings import deletion_findings
from drift.schema.types import Type
from tools.sandbox.binaries import Binaries
from tools.sandbox.cluster import Cluster
from tools.sandbox.errors import BinariesError
from tools.sandbox.renderers import HELM_3, HELM_4, KUSTOMIZE, Renderer, find_renderer
from tools.sandbox.syncers import Syncer, sync

CRDS = Path(__file__).parents[1] / "rescan/crds"

# The same examples in every run, without a time limit: a run fails because of a change, not by chance or load.
# To try other examples: `pytest --hypothesis-profile=default`.
settings.load_profile("ci")
# Hypothesis also takes examples from the constants of all modules that are imported so far, which differ by worker.
providers._get_local_constants = Constants  # noqa: SLF001

_GIT_SETTINGS = {
    "commit.gpgsign": "false",
    "tag.gpgsign": "false",
    "core.hooksPath": os.devnull,
    "init.templateDir": "",
}


def _forget_the_callers_environment() -> None:
    """Removes what a Git hook, an indexed Job or a user's shell sets, and what the user's Git signs and runs."""
    names = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"}
    for name in list(os.environ):
        if name in names or name.startswith(("GIT_", "DRIFT_", "HELM_")):
            del os.environ[name]
    os.environ["GIT_CONFIG_COUNT"] = str(len(_GIT_SETTINGS))
    for number, (key, value) in enumerate(_GIT_SETTINGS.items()):
        os.environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}


_forget_the_callers_environment()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and {"cluster", "kubectl", "kustomize", "helm"} & set(item.fixturenames):
            item.add_marker(pytest.mark.sandbox)


def _compare(
    proof: InSyncProof,
    given: tuple[Object, Object, Object | None],
    synced: Object | None,
    schema: Type,
    *,
    out_of_sync: bool = False,
) -> ObjectComparison:
    return compare_object(
        *given,
        schema,
        managers=proof.managers,
        synced_manifest=synced,
        reserved=proof.reserved,
        out_of_sync=out_of_sync,
    )


@pytest.fixture(autouse=True, scope="session")
def _proofs_are_checked_by_the_comparison() -> Iterator[None]:
    """Checks each in-sync proof of any test, of an object or of its Pod template, against the full comparison."""
    prove = InSyncProof.holds

    def prove_and_compare(  # noqa: PLR0917
        self: InSyncProof,
        desired: Object,
        live: Object,
        synced: Object | None,
        last_applied: Object | None,
        schema: Type,
    ) -> bool:
        holds = prove(self, desired, live, synced, last_applied, schema)
        if holds:
            compared = _compare(self, (desired, live, last_applied), synced, schema)
            assert not compared.differences, compared.differences
            assert not compared.assumes_admission, compared.decisions
            assert not compared.remarks, compared.remarks
            assert not compared.lacks_owners
            assert not deletion_findings(live, ObjectKey("", "", None, ""), "")
        return holds

    leave_out = InSyncProof.without_equal_template

    def leave_out_and_compare(  # noqa: PLR0917
        self: InSyncProof,
        desired: Object,
        live: Object,
        synced: Object | None,
        last_applied: Object | None,
        schema: Type,
    ) -> tuple[Object, Object, Object | None]:
        whole = desired, live, last_applied
        rest = leave_out(self, desired, live, synced, last_applied, schema)
        if rest[0] is not desired:
            for out_of_sync in (False, True):
                compared, expected = (
                    _compare(self, given, synced, schema, out_of_sync=out_of_sync) for given in (rest, whole)
                )
                assert compared.differences == expected.differences
                assert compared.assumes_admission == expected.assumes_admission
                assert (compared.remarks, compared.concealed) == (expected.remarks, expected.concealed)
                assert (compared.lacks_owners, compared.not_compared) == (expected.lacks_owners, expected.not_compared)
        return rest

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(InSyncProof, "holds", prove_and_compare)
        patch.setattr(InSyncProof, "without_equal_template", leave_out_and_compare)
        yield


@pytest.fixture(autouse=True, scope="session")
def _faults_have_a_traceback() -> Iterator[None]:
    """Lets what a fault raises during a comparison fail the test, instead of making the object unchecked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(errors, "UNEXPECTED", ())
        yield


@pytest.fixture(scope="session")
def cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """One cluster for the test run; with pytest-xdist, one per worker (about 500 MB of memory each)."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    # The first run builds for minutes: show its progress.
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        try:
            binaries = Binaries.find()
        except BinariesError as error:
            pytest.fail(str(error), pytrace=False)
    with Cluster.start(binaries) as started:
        yield started


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The sandbox's kubectl, which needs no cluster for much of its work."""
    return Binaries.find().path("kubectl")


def _renderer(pytestconfig: pytest.Config, renderer: Renderer) -> Path:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        try:
            return find_renderer(renderer)
        except BinariesError as error:
            pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def _kustomize(pytestconfig: pytest.Config) -> Path:
    return _renderer(pytestconfig, KUSTOMIZE)


@pytest.fixture(scope="session")
def _helms(pytestconfig: pytest.Config) -> dict[str, Path]:
    return {"helm 3": _renderer(pytestconfig, HELM_3), "helm 4": _renderer(pytestconfig, HELM_4)}


@pytest.fixture
def kustomize(_kustomize: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """kustomize, which is built once; it is first on PATH."""
    monkeypatch.setenv("PATH", f"{_kustomize.parent}{os.pathsep}{os.environ['PATH']}")
    return _kustomize


@pytest.fixture
def helm(request: pytest.FixtureRequest, _helms: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Helm 4, or the version that the test names, which is built once; it is first on PATH."""
    program = _helms[getattr(request, "param", "helm 4")]
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """The name of a new namespace. A test removes its cluster-wide objects itself.

    The namespace ends with the cluster: to delete one, the controller manager searches it for every kind of object,
    which takes longer than most tests.
    """
    name = f"test-{secrets.token_hex(4)}"
    cluster.create_namespace(name)
    return name


@pytest.fixture(scope="session")
def custom_resources(cluster: Cluster) -> None:
    """Installs the CRDs of the generator's custom resources; they stay until the cluster ends."""
    sync(cluster, Syncer.FLUX, CRDS)
