"""Runs the steps of the Dockerfile in folders, without a container engine."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from fnmatch import fnmatch
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tools.sandbox.binaries import cache_base
from tools.sandbox.renderers import HELM_4, KUSTOMIZE

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
INSTRUCTIONS = [
    (name, " ".join(rest.split()))
    for name, rest in re.findall(
        r"^([A-Z]+) (.+)$", re.sub(r" *\\\n", " ", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE)), re.MULTILINE
    )
]


def stages() -> dict[str, list[tuple[str, str]]]:
    """Returns the instructions of each stage by its name; the last one is ""."""
    found: dict[str, list[tuple[str, str]]] = {}
    stage = "before"
    for name, rest in INSTRUCTIONS:
        if name == "FROM":
            stage = rest.partition(" AS ")[2]
        found.setdefault(stage, []).append((name, rest))
    return found


def test_every_stage_is_built_on_one_image_that_is_pinned_by_digest() -> None:
    arguments = [rest for name, rest in INSTRUCTIONS if name == "ARG"]
    bases = {rest.partition(" AS ")[0] for name, rest in INSTRUCTIONS if name == "FROM"}

    assert bases == {"${PYTHON_IMAGE}", "reporter"}
    assert [bool(re.fullmatch(r"PYTHON_IMAGE=\S+@sha256:[0-9a-f]{64}", argument)) for argument in arguments] == [True]


def test_the_image_runs_as_a_numbered_user_who_is_not_root_and_starts_drift() -> None:
    last = dict(stages()["reporter"])

    assert stages()[""] == [("FROM", "reporter")]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert last["ENTRYPOINT"] == '["drift"]'


def test_the_programs_are_those_of_the_tests() -> None:
    built = " ".join(rest for name, rest in stages()["programs"] if name == "RUN")

    for renderer in (KUSTOMIZE, HELM_4):
        assert f"-X {renderer.stamp}=$(version {renderer.module})" in built
        assert f"-o /programs/{renderer.name} {renderer.package}" in built
    assert ("COPY", "--from=programs /programs/ /usr/local/bin/") in stages()["sources"]


def test_the_build_context_holds_only_what_is_copied() -> None:
    allowed = {line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}

    copied = {
        source for name, rest in INSTRUCTIONS if name == "COPY" and "--from" not in rest for source in rest.split()[:-1]
    }

    assert copied == allowed


def _ignore(_folder: str, names: list[str]) -> list[str]:
    return [name for name in names if fnmatch(name, "__pycache__")]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that the first two stages write, below a folder that stands for /."""
    root = tmp_path_factory.mktemp("image")
    for stage in ("wheel", "packages"):
        _run_stage(stages()[stage], root, root / stage)
    return root


def _wheels(lock: Path) -> Path:
    """The packages of a lock file, downloaded once: to read an index takes pip fifteen times as long as to install."""
    digest = hashlib.sha256(f"{sys.version}\n{lock.read_text()}".encode()).hexdigest()
    folder = cache_base() / f"wheels-{digest[:12]}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as name:
            download = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
            _check(*download, "--dest", f"{name}/wheels", "--requirement", str(lock), folder=folder.parent)
            # Another worker may have downloaded them meanwhile.
            with contextlib.suppress(OSError):
                Path(name, "wheels").rename(folder)
    return folder


def _run_stage(instructions: list[tuple[str, str]], root: Path, source: Path) -> None:
    source.mkdir()
    # Stands for the Python of the base image. Its pip is that of the tests, which PIP_PYTHON makes install there.
    tools = root / f"tools-{source.name}"
    _check(sys.executable, "-m", "venv", "--without-pip", str(tools), folder=source)
    environment = {**os.environ, "PIP_PYTHON": f"{tools}/bin/python", "PIP_COMPILE": "0"}
    environment["PATH"] = os.pathsep.join([f"{tools}/bin", str(Path(sys.executable).parent), environment["PATH"]])
    for name, rest in instructions:
        if name == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            for item in sources:
                path = REPOSITORY / item
                if path.is_dir():
                    shutil.copytree(path, source / item, ignore=_ignore)
                else:
                    shutil.copy2(path, source)
                if path.suffix == ".lock":
                    environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(_wheels(path))}
        elif name == "RUN":
            script = re.sub(r"(?<= )/(?=opt|wheel)", f"{root}/", rest)
            _check("/bin/sh", "-c", script, folder=source, environment=environment)


def _check(*command: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_image_installs_only_locked_packages(root: Path) -> None:
    locked = re.findall(r"^([a-z0-9.-]+)==", (REPOSITORY / "requirements-reporter.lock").read_text(), re.MULTILINE)

    (packages,) = (root / "opt/drift/lib").glob("python*/site-packages")

    installed = {each.name.lower().replace("_", "-") for each in distributions(path=[str(packages)])}
    assert "drift-reporter" in installed
    assert installed - {"drift-reporter"} <= set(locked)


def test_the_image_runs_with_a_read_only_root(root: Path) -> None:
    elsewhere = root / "elsewhere"
    elsewhere.mkdir(mode=0o555)

    said = subprocess.run(
        [root / "opt/drift/bin/drift", "--version"],
        cwd=elsewhere,
        env={"PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
        text=True,
    )

    assert said.stdout.startswith("drift ")


def test_the_lock_files_of_the_image_match_that_of_the_tests() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"^([a-z0-9.-]+==\S+)", (REPOSITORY / name).read_text(), re.MULTILINE))

    assert pins("requirements-reporter.lock") | pins("requirements-build.lock") <= pins("requirements.lock")
