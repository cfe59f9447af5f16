"""Synthesizes once per session, since the start of jsii is most of the time."""

from pathlib import Path

import pytest

from rescan import environments
from rescan.examples import EXAMPLES
from tests.rescan.golden import synthesize

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the manifests that the code makes now of the real environments."""
    return synthesize(environments.load(), tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of the example environments."""
    return synthesize(EXAMPLES, tmp_path_factory.mktemp("examples"))
