"""Finds the CRDs of Flux and Argo CD in the archives of their Go modules."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.sandbox.errors import BinariesError


@dataclass(frozen=True, slots=True)
class CrdModule:
    """A Go module that contains CRDs.

    Attributes:
        module: Its path and version.
        checksum: Of its archive, as in go.sum.
        folder: The folder of the CRDs.
    """

    module: str
    checksum: str
    folder: str

    def files(self) -> list[Path]:
        """Returns the files of the CRDs, after downloading the archive if it is missing.

        Raises:
            BinariesError: Go is missing, the download failed, or the archive is another one.
        """
        command = ["go", "mod", "download", "-json", self.module]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
            answer = json.loads(done.stdout or "{}")
        except (OSError, ValueError) as error:
            raise BinariesError(f"cannot download {self.module}: {error}") from error
        if answer.get("Sum") != self.checksum:
            raise BinariesError(f"cannot download {self.module}: {answer.get('Error') or 'it has another checksum'}")
        names = sorted(Path(answer["Dir"], self.folder).glob("*.yaml"))
        return [file for file in names if file.name != "kustomization.yaml"]


FLUX: Final = (
    CrdModule(
        "github.com/fluxcd/kustomize-controller@v1.9.6",
        "h1:XB+G3A0mky0j5uVHZWv4oSlS2RvZBoNIUhstIvY0JKE=",
        "config/crd/bases",
    ),
    CrdModule(
        "github.com/fluxcd/source-controller@v1.9.5",
        "h1:MFPyCodUi9hZIMaKDsC/rYbNoyzpvrAdrPVixj7W9F0=",
        "config/crd/bases",
    ),
    CrdModule(
        "github.com/fluxcd/helm-controller@v1.6.0",
        "h1:jlS5X11SG26gspubB5aLrdVSCm0q0tA4ULsY+vwSkL0=",
        "config/crd/bases",
    ),
)
ARGOCD: Final = (
    CrdModule(
        "github.com/argoproj/argo-cd/v3@v3.1.5",
        "h1:dm1SY5CaILDIQIQINA4H6uJrXpExyif2Yz5915g91kQ=",
        "manifests/crds",
    ),
)
