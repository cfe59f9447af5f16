"""Finds the sandbox's programs in ``KUBEBUILDER_ASSETS``, or builds them into a cache folder."""

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self, TextIO

from tools.sandbox.errors import BinariesError

MODULE = Path(__file__).parent
PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubectl": "k8s.io/kubernetes/cmd/kubectl",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
# The packages with the version: the first serves /version, the second is for User-Agent headers.
VERSION_PACKAGES = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
BUILD_FLAGS = ("-mod=readonly", "-buildvcs=false", "-trimpath")
GO_ENVIRONMENT = {"CGO_ENABLED": "0", "GOFLAGS": "", "GOTOOLCHAIN": "local", "GOWORK": "off"}


@dataclasses.dataclass(frozen=True, slots=True)
class Build:
    """How to build programs: the folder of the Go module, the flags of ``go build``, and the package of each."""

    module: Path
    flags: tuple[str, ...]
    packages: Mapping[str, str] = dataclasses.field(default_factory=lambda: PACKAGES)


@dataclasses.dataclass(frozen=True, slots=True)
class Binaries:
    """The programs of a sandbox, all in one folder."""

    folder: Path

    def path(self, name: str) -> Path:
        """Returns the path of a program of ``PACKAGES``."""
        return self.folder / name

    @classmethod
    def find(cls, environment: Mapping[str, str] = os.environ, progress: TextIO | None = None) -> Self:
        """Returns the programs, after building those that are missing.

        A build takes minutes and shows its progress, by default on standard error.

        Raises:
            BinariesError: ``KUBEBUILDER_ASSETS`` lacks a program, Go is missing, or a build failed.
        """
        assets = environment.get("KUBEBUILDER_ASSETS")
        if assets:
            folder = Path(assets).absolute()
            if absent := _missing(folder):
                raise BinariesError(
                    f"KUBEBUILDER_ASSETS={assets} lacks {', '.join(absent)}: "
                    "put it there, or unset KUBEBUILDER_ASSETS to have all programs built with Go"
                )
            return cls(folder)
        folder = cache_folder(environment)
        if _missing(folder):
            _build_missing(folder, environment, progress or sys.stderr)
        return cls(folder)


def kubernetes_version() -> str:
    """Returns the version of Kubernetes that go.mod pins, such as ``v1.36.3``."""
    pinned = re.search(r"^\tk8s\.io/kubernetes (v\S+)", (MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if pinned is None:
        raise BinariesError("tools/sandbox/go.mod does not require k8s.io/kubernetes: restore the file")
    return pinned[1]


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the folder for the built programs; its name has a hash of all that they are built from."""
    return cache_base(environment) / f"{kubernetes_version()}-{build_hash(MODULE, _linker_flags())}"


def build_hash(module: Path, linker_flags: str) -> str:
    """Returns a hash of all that the programs of a Go module are built from."""
    content = hashlib.sha256()
    for file in ("go.mod", "go.sum"):
        content.update((module / file).read_bytes())
    content.update(repr((BUILD_FLAGS, linker_flags, sys.platform, platform.machine())).encode())
    return content.hexdigest()[:12]


def cache_base(environment: Mapping[str, str] = os.environ) -> Path:
    """Returns the folder with one folder of programs per version."""
    return Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "drift-sandbox"


def _missing(folder: Path) -> list[str]:
    return [name for name in PACKAGES if not os.access(folder / name, os.X_OK)]


def _linker_flags() -> str:
    return stamps(kubernetes_version(), VERSION_PACKAGES)


def stamps(version: str, packages: Sequence[str]) -> str:
    """Returns the linker flags that set a version, such as ``v1.36.3``."""
    major, minor, _ = version.removeprefix("v").split(".", 2)
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    written = (f"-X {package}.{key}={value}" for package in packages for key, value in values.items())
    return " ".join(("-s", "-w", *written))


def _build_missing(folder: Path, environment: Mapping[str, str], progress: TextIO) -> None:
    if shutil.which("go", path=environment.get("PATH")) is None:
        raise BinariesError(
            f"the sandbox cluster needs Go, to build {', '.join(_missing(folder))}: install Go (https://go.dev/dl), "
            f"or set KUBEBUILDER_ASSETS to a folder that has {', '.join(PACKAGES)}"
        )
    build = Build(module=MODULE, flags=(*BUILD_FLAGS, "-ldflags", _linker_flags()))
    build_in(folder, list(PACKAGES), build, environment, progress)


def build_in(
    folder: Path, names: Sequence[str], build: Build, environment: Mapping[str, str], progress: TextIO
) -> None:
    """Builds the named programs that a folder lacks. Only one process builds at a time.

    Raises:
        BinariesError: The folder cannot be written, or a build failed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BinariesError(f"cannot write to the cache: {error}; set XDG_CACHE_HOME to a folder of yours") from error
    with _locked(folder / ".lock", progress):
        # After locking, because another process may have built them meanwhile.
        missing = [name for name in names if not os.access(folder / name, os.X_OK)]
        for number, name in enumerate(missing, start=1):
            ticker = _Ticker(f"Building {name} ({number} of {len(missing)})", progress)
            _build(folder / name, build, environment, ticker)


@contextlib.contextmanager
def _locked(path: Path, progress: TextIO) -> Iterator[None]:
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.write("Waiting for another process that builds the sandbox cluster ...\n")
            progress.flush()
            fcntl.flock(file, fcntl.LOCK_EX)
        yield  # closing the file unlocks it, as does the end of the process


def _build(target: Path, build: Build, environment: Mapping[str, str], ticker: "_Ticker") -> None:
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as scratch:
        built = Path(scratch, target.name)
        messages = Path(scratch, "messages")
        go = shutil.which("go", path=environment.get("PATH")) or "go"
        command = [go, "build", *build.flags, "-o", str(built), build.packages[target.name]]
        with (
            messages.open("wb") as output,
            subprocess.Popen(
                command, cwd=build.module, env={**environment, **GO_ENVIRONMENT}, stdout=output, stderr=output
            ) as process,
        ):
            try:
                ticker.wait(process)
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            lines = [line for line in messages.read_text(encoding="utf-8", errors="replace").splitlines() if line]
            said = "\n".join(line for line in lines if not line.startswith("go: downloading "))
            raise BinariesError(f"building {target.name} failed; go build said:\n{said}")
        built.rename(target)


class _Ticker:
    """Shows how long a build has taken: every second on a terminal, else one line before and one after."""

    def __init__(self, label: str, output: TextIO) -> None:
        self._label = label
        self._output = output
        self._live = output.isatty()
        self._start = time.monotonic()

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        self._write(" ..." if self._live else " ...\n")
        while True:
            try:
                process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                if self._live:
                    self._write(f" ... {self._elapsed()}")
            else:
                self._write(f": {'failed' if process.returncode else 'done'} after {self._elapsed()}\n")
                return

    def _elapsed(self) -> str:
        return f"{time.monotonic() - self._start:.0f} s"

    def _write(self, text: str) -> None:
        self._output.write(f"{chr(13) if self._live else ''}{self._label}{text}")
        self._output.flush()
