"""Builds a Go program that tests run, once, into the cache of the sandbox's programs."""

import os
import sys
from pathlib import Path

import pytest

from tools.sandbox.binaries import Build, build_hash, build_in, cache_base
from tools.sandbox.errors import BinariesError


def go_program(package: str, module: Path, *flags: str) -> Path:
    """Returns a program of a Go module, at the version in its go.mod.

    The first build takes minutes; workers of one test run do not repeat it.
    """
    name = package.rpartition("/")[2]
    flags = ("-mod=readonly", *flags)
    folder = cache_base() / f"{name}-{build_hash(module, repr(flags))}"
    if not os.access(folder / name, os.X_OK):
        try:
            build_in(folder, [name], Build(module, flags, {name: package}), os.environ, sys.stderr)
        except (BinariesError, FileNotFoundError) as error:
            pytest.fail(f"{name} is built with Go (https://go.dev/dl): {error}", pytrace=False)
    return folder / name
