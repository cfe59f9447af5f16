"""Renders Kustomizations with Flux's own libraries: what tests compare the output of drift with."""

import hashlib
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from tools.sandbox.binaries import BUILD_FLAGS, Build, build_hash, build_in, cache_base
from tools.sandbox.errors import SandboxError

MODULE: Final = Path(__file__).parent / "flux"
_NAME: Final = "flux-render"


@cache
def find_flux_oracle() -> Path:
    """Returns the program of `MODULE`, after building it if it is missing, which takes a minute.

    Raises:
        BinariesError: The build failed.
    """
    source = hashlib.sha256((MODULE / "main.go").read_bytes()).hexdigest()[:12]
    folder = cache_base(os.environ) / f"{_NAME}-{build_hash(MODULE, source)}"
    if not os.access(folder / _NAME, os.X_OK):
        build_in(folder, [_NAME], Build(MODULE, BUILD_FLAGS, {_NAME: "."}), os.environ, sys.stderr)
    return folder / _NAME


def ask(request: dict[str, Any]) -> str:
    """Returns the answer to a request (see ``flux/main.go``).

    Raises:
        SandboxError: Flux cannot render it. The message is Flux's own.
    """
    done = subprocess.run([find_flux_oracle()], input=json.dumps(request), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SandboxError(done.stderr.strip())
    return done.stdout
