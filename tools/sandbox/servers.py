"""Runs a command, such as the tests, with an API server of another version than go.mod pins.

``python -m tools.sandbox.servers v1.27.16 -- pytest tests/corpus`` builds that kube-apiserver once, from its Go module,
puts it beside the pinned etcd, kubectl and controller manager, and runs the command with ``KUBEBUILDER_ASSETS`` naming
that folder. The Go module for a version is generated in the cache.
"""

import argparse
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tools.sandbox.binaries import (
    GO_ENVIRONMENT,
    PACKAGES,
    VERSION_PACKAGES,
    Binaries,
    Build,
    build_in,
    cache_base,
    stamps,
)
from tools.sandbox.errors import BinariesError

_SERVER: Final = "kube-apiserver"
_VERSION: Final = re.compile(r"v1\.(\d+)\.(\d+)")
# Newer than the language version in old go.mod files; their code compiles with it.
_LANGUAGE: Final = "1.24"


@dataclasses.dataclass(frozen=True, slots=True)
class _Requirements:
    """Reads a go.mod file: module -> version, and module -> its replacement ("path version")."""

    required: Mapping[str, str]
    replaced: Mapping[str, str]


def with_server(version: str, environment: Mapping[str, str] = os.environ) -> Binaries:
    """Returns the sandbox's programs with the API server of another version, after building what is missing.

    Args:
        version: A release of Kubernetes, such as ``v1.27.16``.
        environment: The environment variables that locate Go and the cache.

    Raises:
        BinariesError: The version is not a release, Go is missing, or a download or a build failed.
    """
    if not _VERSION.fullmatch(version):
        raise BinariesError(f"{version} is not a release of Kubernetes: write it like v1.27.16")
    go = shutil.which("go", path=environment.get("PATH"))
    if go is None:
        raise BinariesError(f"kube-apiserver {version} is built with Go: install Go (https://go.dev/dl)")
    pinned = Binaries.find({name: value for name, value in environment.items() if name != "KUBEBUILDER_ASSETS"})
    source = _downloaded(go, version, environment)
    module_file = _module_file(version, _requirements(go, source / "go.mod", environment))
    folder = cache_base(environment) / f"server-{version}-{hashlib.sha256(module_file.encode()).hexdigest()[:12]}"
    module = folder / "module"
    if not os.access(folder / _SERVER, os.X_OK):
        module.mkdir(parents=True, exist_ok=True)
        (module / "go.mod").write_text(module_file, encoding="utf-8")
        shutil.copyfile(source / "go.sum", module / "go.sum")
        flags = ("-mod=mod", "-buildvcs=false", "-trimpath", "-tags=providerless")
        build = Build(module=module, flags=(*flags, "-ldflags", stamps(version, VERSION_PACKAGES)))
        build_in(folder, [_SERVER], build, environment, sys.stderr)
    for name in PACKAGES.keys() - {_SERVER}:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(pinned.path(name))
    return Binaries(folder)


def _downloaded(go: str, version: str, environment: Mapping[str, str]) -> Path:
    """Returns the folder of the Kubernetes module in Go's module cache."""
    answer = _run([go, "mod", "download", "-json", f"k8s.io/kubernetes@{version}"], environment)
    return Path(str(answer["Dir"]))


def _requirements(go: str, file: Path, environment: Mapping[str, str]) -> _Requirements:
    content = _run([go, "mod", "edit", "-json", str(file)], environment)
    required = {entry["Path"]: entry["Version"] for entry in content["Require"]}
    replaced = {
        entry["Old"]["Path"]: f"{entry['New']['Path']} {entry['New'].get('Version', '')}".rstrip()
        for entry in content.get("Replace") or ()
    }
    return _Requirements(required, replaced)


def _module_file(version: str, kubernetes: _Requirements) -> str:
    """Returns a go.mod that builds Kubernetes outside its repository.

    The go.mod of Kubernetes replaces its ``k8s.io`` modules with folders that its module archive lacks. This one
    requires the released modules of the same version.
    """
    released = version.replace("v1.", "v0.", 1)
    required = dict(kubernetes.required)
    replaced = dict(kubernetes.replaced)
    for module, target in kubernetes.replaced.items():
        if target.startswith("./"):
            required[module] = released
            replaced[module] = f"{module} {released}"
    lines = ["module drift-reporter.invalid/server", "", f"go {_LANGUAGE}", ""]
    lines += [f"require k8s.io/kubernetes {version}"]
    lines += [f"require {module} {wanted} // indirect" for module, wanted in sorted(required.items())]
    lines += [f"replace {module} => {target}" for module, target in sorted(replaced.items())]
    return "\n".join([*lines, ""])


def _run(command: list[str], environment: Mapping[str, str]) -> dict[str, Any]:
    # Outside any module, so that Go does not use the one in the work tree.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd="/", env={**environment, **GO_ENVIRONMENT}
    )
    if done.returncode:
        said = done.stderr.strip() or done.stdout.strip()
        raise BinariesError(f"`go {' '.join(command[1:])}` failed: {said}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def main(arguments: list[str] | None = None) -> int:
    """Builds the server if needed, runs the command, and returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.sandbox.servers", description=__doc__)
    parser.add_argument("version", help="a release of Kubernetes, such as v1.27.16")
    parser.add_argument("command", nargs="*", help="what to run, after --; the folder's path is printed without one")
    chosen = parser.parse_args(arguments)
    try:
        binaries = with_server(chosen.version)
    except BinariesError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if not chosen.command:
        sys.stdout.write(f"{binaries.folder}\n")
        return 0
    environment = {**os.environ, "KUBEBUILDER_ASSETS": str(binaries.folder)}
    return subprocess.run(chosen.command, check=False, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
