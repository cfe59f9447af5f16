import io
import subprocess
import sys
from pathlib import Path

import pytest

from tools.sandbox import binaries
from tools.sandbox.binaries import PACKAGES, Binaries, cache_folder, kubernetes_version
from tools.sandbox.errors import BinariesError

REPOSITORY = Path(__file__).parents[3]


def put(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)


def go(folder: Path, script: str) -> dict[str, str]:
    """Returns an environment in which go is a shell script."""
    folder.mkdir()
    (folder / "go").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "go").chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin", "XDG_CACHE_HOME": str(folder / "cache")}


def test_kubebuilder_assets_come_first(tmp_path: Path) -> None:
    put(tmp_path, *PACKAGES)

    assert Binaries.find({"KUBEBUILDER_ASSETS": str(tmp_path)}) == Binaries(tmp_path)


def test_a_program_missing_from_kubebuilder_assets_is_one_clear_line(tmp_path: Path) -> None:
    put(tmp_path, "etcd", "kube-apiserver", "kubectl")

    with pytest.raises(BinariesError, match="lacks kube-controller-manager: put it there, or unset") as raised:
        Binaries.find({"KUBEBUILDER_ASSETS": str(tmp_path)})

    assert "\n" not in str(raised.value)


def test_without_go_one_line_says_what_is_missing(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}

    with pytest.raises(BinariesError, match=r"needs Go, to build etcd, .*install Go .* or set KUBEBUILDER_ASSETS") as e:
        Binaries.find(environment)

    assert "\n" not in str(e.value)


def test_built_programs_need_no_go_the_next_time(tmp_path: Path) -> None:
    environment = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    folder = cache_folder(environment)
    put(folder, *PACKAGES)

    assert Binaries.find(environment) == Binaries(folder)
    assert folder.parent == tmp_path / "drift-sandbox"
    assert folder.name.startswith(f"{kubernetes_version()}-")


def test_only_missing_programs_are_built_and_progress_is_shown(tmp_path: Path) -> None:
    # `go build ... -o FILE PACKAGE`
    environment = go(tmp_path / "bin", 'while [ $# -gt 2 ]; do shift; done; echo "#!/bin/sh" > "$1"; chmod +x "$1"')
    put(cache_folder(environment), "etcd", "kubectl")
    progress = io.StringIO()

    found = Binaries.find(environment, progress)

    assert progress.getvalue().splitlines() == [
        "Building kube-apiserver (1 of 2) ...",
        "Building kube-apiserver (1 of 2): done after 0 s",
        "Building kube-controller-manager (2 of 2) ...",
        "Building kube-controller-manager (2 of 2): done after 0 s",
    ]
    assert sorted(file.name for file in found.folder.iterdir()) == sorted([*PACKAGES, ".lock"])


def test_two_processes_build_a_program_once(tmp_path: Path) -> None:
    script = 'echo "$@" >> "$0.calls"; sleep 0.2; while [ $# -gt 2 ]; do shift; done; touch "$1"; chmod +x "$1"'
    environment = go(tmp_path / "bin", script)
    program = "from tools.sandbox.binaries import Binaries; Binaries.find()"

    both = [
        subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    shown = [process.communicate()[1].decode() for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert len((tmp_path / "bin" / "go.calls").read_text().splitlines()) == len(PACKAGES)
    assert sum("Waiting for another process" in text for text in shown) == 1


def test_a_failed_build_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    environment = go(tmp_path / "bin", "echo 'go: downloading a v1'; echo 'go: go.mod requires go >= 9.9'; exit 1")

    with pytest.raises(BinariesError, match=r"building etcd failed; go build said:\ngo: go.mod requires go >= 9.9$"):
        Binaries.find(environment, io.StringIO())

    assert [file.name for file in cache_folder(environment).iterdir()] == [".lock"]


def test_the_build_changes_no_file_of_the_repository() -> None:
    assert "-mod=readonly" in binaries.BUILD_FLAGS
    assert binaries.GO_ENVIRONMENT["GOTOOLCHAIN"] == "local"
