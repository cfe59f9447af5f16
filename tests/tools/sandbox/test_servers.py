import json
from pathlib import Path

import pytest

from tools.sandbox import servers
from tools.sandbox.binaries import PACKAGES, cache_folder
from tools.sandbox.errors import BinariesError
from tools.sandbox.servers import main, with_server

GO_MOD = {
    "Require": [
        {"Path": "example.com/lib", "Version": "v1.2.3"},
        {"Path": "k8s.io/api", "Version": "v0.0.0"},
    ],
    "Replace": [
        {"Old": {"Path": "k8s.io/api"}, "New": {"Path": "./staging/src/k8s.io/api"}},
        {"Old": {"Path": "example.com/lib"}, "New": {"Path": "example.com/fork", "Version": "v1.2.4"}},
    ],
}
#: Simulates the three commands in use: `mod download`, `mod edit` and `build ... -o FILE PACKAGE`.
GO = """\
echo "$@" >> "$0.calls"
case "$2" in
  download) echo '{"Dir": "SOURCE"}';;
  edit) cat SOURCE/go.mod.json;;
  *) while [ $# -gt 2 ]; do shift; done; echo "#!/bin/sh" > "$1"; chmod +x "$1";;
esac
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment with a shell script as go, and a cache with the pinned programs."""
    source, binaries = tmp_path / "source", tmp_path / "bin"
    source.mkdir()
    binaries.mkdir()
    (source / "go.sum").write_text("sums")
    (source / "go.mod.json").write_text(json.dumps(GO_MOD))
    (binaries / "go").write_text("#!/bin/sh\n" + GO.replace("SOURCE", str(source)))
    (binaries / "go").chmod(0o755)
    environment = {"PATH": f"{binaries}:/usr/bin:/bin", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    pinned = cache_folder(environment)
    pinned.mkdir(parents=True)
    for name in PACKAGES:
        (pinned / name).write_text("#!/bin/sh\n")
        (pinned / name).chmod(0o755)
    return environment


def test_one_server_is_built_beside_the_pinned_programs(environment: dict[str, str]) -> None:
    binaries = with_server("v1.27.16", environment)

    assert not binaries.path("kube-apiserver").is_symlink()
    pinned = cache_folder(environment)
    assert {name: binaries.path(name).resolve() for name in PACKAGES if name != "kube-apiserver"} == {
        name: pinned / name for name in PACKAGES if name != "kube-apiserver"
    }
    assert binaries.folder.name.startswith("server-v1.27.16-")


def test_its_module_copies_requires_and_replaces_of_kubernetes(environment: dict[str, str]) -> None:
    module = with_server("v1.27.16", environment).folder / "module"

    lines = (module / "go.mod").read_text().splitlines()
    assert "require k8s.io/kubernetes v1.27.16" in lines
    assert "require k8s.io/api v0.27.16 // indirect" in lines
    assert "replace k8s.io/api => k8s.io/api v0.27.16" in lines
    assert "replace example.com/lib => example.com/fork v1.2.4" in lines
    assert not any("./" in line for line in lines)
    assert (module / "go.sum").read_text() == "sums"


def test_the_server_says_its_version_and_is_built_once(environment: dict[str, str]) -> None:
    with_server("v1.27.16", environment)
    with_server("v1.27.16", environment)

    go = Path(environment["PATH"].partition(":")[0])
    builds = [line for line in (go / "go.calls").read_text().splitlines() if line.startswith("build")]
    assert len(builds) == 1
    assert "-X k8s.io/component-base/version.gitVersion=v1.27.16" in builds[0]
    assert "-tags=providerless" in builds[0]


@pytest.mark.parametrize("version", ["1.27.16", "v1.27", "latest", "v1.27.16 -x"])
def test_an_invalid_release_is_one_clear_line(environment: dict[str, str], version: str) -> None:
    with pytest.raises(BinariesError, match=r"is not a release of Kubernetes: write it like v1\.27\.16$"):
        with_server(version, environment)


def test_the_command_runs_with_the_folder_and_gives_its_exit_status(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)

    assert main(["v1.27.16", "--", "sh", "-c", 'test -x "$KUBEBUILDER_ASSETS/kube-apiserver" && exit 7']) == 7
    assert main(["newest"]) == 1
    assert servers.with_server("v1.27.16").path("kubectl").exists()
