"""Pointer fields of the API's Go types: the server distinguishes their zero value from absent."""

import json
import os
import subprocess
from collections.abc import Collection
from pathlib import Path
from typing import Final

from tools.sandbox.binaries import GO_ENVIRONMENT, MODULE

_MODULES: Final = (
    "k8s.io/api",
    "k8s.io/apimachinery",
    "k8s.io/apiextensions-apiserver",
    "k8s.io/kube-aggregator",
)
_PROGRAM: Final = Path(__file__).parent / "gotypes" / "main.go"


def learn_pointers(structs: Collection[str]) -> dict[str, list[str]]:
    """Returns the pointer fields of schema types.

    Args:
        structs: The schema types that have fields.

    Returns:
        Schema type -> the JSON names of its pointer fields, sorted; a type without any has an empty list.
    """
    # The module cache may lack the sources if the programs came prebuilt.
    _go("mod", "download", *_MODULES)
    folders = _go("list", "-m", "-f", "{{.Path}}={{.Dir}}", *_MODULES).splitlines()
    found: dict[str, list[str]] = json.loads(_go("run", str(_PROGRAM), *folders))
    return {name: fields for name, fields in found.items() if name in structs}


def _go(*arguments: str) -> str:
    environment = {**os.environ, **GO_ENVIRONMENT}
    # In the sandbox's module: its go.mod pins the version of the API server's types.
    return subprocess.run(
        ["go", *arguments],  # noqa: S607 - the Go that built the sandbox
        cwd=MODULE,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
