"""Finds the programs that render manifests, kustomize and helm, or builds them beside the sandbox's programs.

``python -m tools.sandbox.renderers`` builds all of them, which takes about three minutes.
"""

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

from tools.sandbox.binaries import BUILD_FLAGS, Build, build_hash, build_in, cache_base
from tools.sandbox.errors import BinariesError

MODULE: Final = Path(__file__).parent / "programs"


@dataclasses.dataclass(frozen=True, slots=True)
class Renderer:
    """A program that renders manifests.

    Attributes:
        name: The command.
        module: The Go module, whose version go.mod pins.
        package: The package of the command.
        stamp: The variable that holds the version.
    """

    name: str
    module: str
    package: str
    stamp: str

    @property
    def version(self) -> str:
        """The pinned version, such as ``v5.8.1``."""
        text = (MODULE / "go.mod").read_text(encoding="utf-8")
        pinned = re.search(rf"^\t{re.escape(self.module)} (v\S+)", text, re.MULTILINE)
        if pinned is None:
            raise BinariesError(f"tools/sandbox/programs/go.mod does not require {self.module}: restore the file")
        return pinned[1]


KUSTOMIZE: Final = Renderer(
    "kustomize",
    "sigs.k8s.io/kustomize/kustomize/v5",
    "sigs.k8s.io/kustomize/kustomize/v5",
    "sigs.k8s.io/kustomize/api/provenance.version",
)
HELM_3: Final = Renderer(
    "helm", "helm.sh/helm/v3", "helm.sh/helm/v3/cmd/helm", "helm.sh/helm/v3/internal/version.version"
)
HELM_4: Final = Renderer(
    "helm", "helm.sh/helm/v4", "helm.sh/helm/v4/cmd/helm", "helm.sh/helm/v4/internal/version.version"
)


def find_renderer(
    renderer: Renderer, environment: Mapping[str, str] = os.environ, progress: TextIO | None = None
) -> Path:
    """Returns a program of the pinned version: the one on PATH, else the one in the cache, which is built if missing.

    The file has the name of the command, so that its folder can be put on PATH.

    Raises:
        BinariesError: Go is missing, or the build failed.
    """
    installed = shutil.which(renderer.name, path=environment.get("PATH"))
    if installed is not None and _has_version(installed, renderer.version):
        return Path(installed)
    flags = f"-s -w -X {renderer.stamp}={renderer.version}"
    folder = cache_base(environment) / f"{renderer.name}-{renderer.version}-{build_hash(MODULE, flags)}"
    if not os.access(folder / renderer.name, os.X_OK):
        if shutil.which("go", path=environment.get("PATH")) is None:
            raise BinariesError(
                f"{renderer.name} {renderer.version} is built with Go: install Go (https://go.dev/dl), or that version "
                f"of {renderer.name}"
            )
        build = Build(MODULE, (*BUILD_FLAGS, "-ldflags", flags), {renderer.name: renderer.package})
        build_in(folder, [renderer.name], build, environment, progress or sys.stderr)
    return folder / renderer.name


def _has_version(program: str, version: str) -> bool:
    try:
        done = subprocess.run([program, "version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return re.search(rf"(?<![\w.]){re.escape(version)}(?![\w.-])", done.stdout) is not None


if __name__ == "__main__":
    for wanted in (KUSTOMIZE, HELM_3, HELM_4):
        print(find_renderer(wanted))
