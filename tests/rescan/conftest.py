"""Synthesizes once per session, since the start of jsii is most of the time."""

from pathlib import Path

import pytest

from main import build
from rescan import environments
from rescan.manifests import manifest_files, write

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the manifests that the code makes now."""
    folder = tmp_path_factory.mktemp("dist")
    write(manifest_files(build(environments.load())), folder)
    return folder
