"""Small repositories in the shape of public ones: in sync after a sync, and then exactly what has changed.

Each folder has a `repository` and a `case.yaml`: the sources, what is installed with Helm, edits by hand as arguments
of kubectl, a commit that is not synced, and the findings expected.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.cli import main
from tests.drift.conftest import Application

REPOSITORIES = sorted(file.parent for file in Path(__file__).parent.glob("*/case.yaml"))


def _run(*command: str | Path) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout


def _git(*arguments: str) -> str:
    return _run("git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments).decode().strip()


def _sync(workspace: Application, case: dict[str, Any], kustomize: Path, helm: Path) -> None:
    """Syncs each source as its own tool does: charts with Helm, the rest as Flux applies it."""
    place = ("--kubeconfig", workspace.cluster.kubeconfig, "--namespace", workspace.namespace)
    if "install" in case:
        _run(helm, "install", *case["install"], *place)
    for path in map(Path, case["sources"]):
        if not path.is_dir() or (path / "Chart.yaml").exists():
            continue
        if (path / "kustomization.yaml").exists():
            (workspace.scratch / "built.yaml").write_bytes(_run(kustomize, "build", path))
        else:
            texts = (file.read_text() for file in path.glob("*.yaml") if "apiVersion" in file.read_text())
            (workspace.scratch / "built.yaml").write_text("---\n".join(texts))
        flux = ("--server-side", "--field-manager=kustomize-controller")
        workspace.kubectl("apply", *flux, "-f", str(workspace.scratch / "built.yaml"))


def _report(workspace: Application, case: dict[str, Any], *flags: str) -> tuple[int, list[str]]:
    file = workspace.scratch / "report.json"
    place = ("--kubeconfig", str(workspace.cluster.kubeconfig), "--namespace", workspace.namespace)
    status = main(["report", *case["sources"], *place, *flags, "--output", f"json={file}", "--output", "text"])
    found = [
        " ".join(
            part
            for part in (f"{item['kind']}/{item['name']}", finding["change"], finding["path"], finding["cause"])
            if part
        )
        for item in json.loads(file.read_text())["objects"]
        for finding in item["findings"]
    ]
    return status, sorted(found)


@pytest.mark.parametrize("folder", REPOSITORIES, ids=lambda folder: folder.name)
def test_a_repository_is_in_sync_and_then_has_exactly_the_findings_expected(
    folder: Path, workspace: Application, kustomize: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = yaml.safe_load((folder / "case.yaml").read_text())
    shutil.copytree(folder / "repository", workspace.manifests, dirs_exist_ok=True)
    monkeypatch.chdir(workspace.manifests)
    _git("init", "--quiet")
    _git("add", ".")
    _git("commit", "--quiet", "--message", "synced")
    _sync(workspace, case, kustomize, helm)

    assert _report(workspace, case) == (0, [])

    for edit in case["edits"]:
        workspace.kubectl(*edit)
    for name, (old, new) in case["commit"].items():
        text = Path(name).read_text()
        assert old in text
        Path(name).write_text(text.replace(old, new))
    synced = _git("rev-parse", "HEAD")

    assert _report(workspace, case, "--synced-revision", synced) == (1, sorted(case["expected"]))
