"""Small repositories in the shape of public ones: in sync after a sync, and then exactly what has changed.

Each folder has a `repository` and a `case.yaml`: the sources, how they are synced, edits by hand as arguments of
kubectl, a commit that is not synced, and the findings expected. NAMESPACE stands for the namespace of the test.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.cli import main
from tests.drift.sources.conftest import GitOps
from tests.drift.sources.repositories.controllers import Controllers

REPOSITORIES = sorted(file.parent for file in Path(__file__).parent.glob("*/case.yaml"))


class Case:
    """A repository in the work tree, and what is expected of it."""

    def __init__(self, folder: Path, gitops: GitOps) -> None:
        self.gitops = gitops
        self.settings: dict[str, Any] = yaml.safe_load(self._here((folder / "case.yaml").read_text()))
        shutil.copytree(folder / "repository", gitops.root, dirs_exist_ok=True)
        for file in (file for file in gitops.root.rglob("*") if file.is_file() and ".git" not in file.parts):
            file.write_text(self._here(file.read_text()))

    def _here(self, text: str) -> str:
        return text.replace("NAMESPACE", self.gitops.namespace)

    def sync(self, controllers: Controllers) -> None:
        """Lets each tool deploy what it deploys of the repository."""
        settings = self.settings
        if "install" in settings:
            controllers.install(*settings["install"])
        for path in settings.get("apply", [path for path in settings["sources"] if isinstance(path, str)]):
            if (self.gitops.root / path).is_dir() and not (self.gitops.root / path / "Chart.yaml").exists():
                controllers.apply(path)
        if "flux" in settings:
            controllers.flux(settings["flux"])
        if "argocd" in settings:
            controllers.argocd(settings["argocd"], settings.get("applications", ()))

    def commit(self, *, is_undone: bool = False) -> str:
        """Commits the change of the case, or undoes it, and returns the commit."""
        files = {}
        for name, pair in self.settings["commit"].items():
            old, new = reversed(pair) if is_undone else pair
            text = (self.gitops.root / name).read_text()
            assert old in text
            files[name] = text.replace(old, new)
        return self.gitops.commit(files)

    def report(self, synced: str) -> tuple[int, list[str], list[str]]:
        """Returns the exit status, the findings and the notes."""
        file = self.gitops.scratch / "report.json"
        place = ("--kubeconfig", str(self.gitops.cluster.kubeconfig), "--namespace", self.gitops.namespace)
        flags = [
            part
            for source in self.settings["sources"]
            for part in (
                [source]
                if isinstance(source, str)
                else [f"--{kind}={self.gitops.namespace}/{name}" for kind, name in source.items()]
            )
        ]
        # Other sources record it themselves.
        revision = () if {"flux", "argocd"} & self.settings.keys() else ("--synced-revision", synced)
        status = main(["report", *flags, *place, *revision, "--output", f"json={file}", "--output", "text"])
        document = json.loads(file.read_text())
        found = [
            " ".join(
                part
                for part in (f"{item['kind']}/{item['name']}", finding["change"], finding["path"], finding["cause"])
                if part
            )
            for item in document["objects"]
            for finding in item["findings"]
        ]
        return status, sorted(found), [*document["errors"], *document["notes"]]


@pytest.mark.parametrize("folder", REPOSITORIES, ids=lambda folder: folder.name)
@pytest.mark.usefixtures("controller_crds", "flux_oracle")
def test_a_repository_is_in_sync_and_then_has_exactly_the_findings_expected(
    folder: Path, gitops: GitOps, kustomize: Path, helm: Path
) -> None:
    case = Case(folder, gitops)
    expected = sorted(case.settings["expected"])
    stale = case.commit()
    synced = case.commit(is_undone=True)
    case.sync(Controllers(gitops, kustomize, helm, synced))

    status, found, notes = case.report(synced)
    assert (status, found, notes) == (0, [], case.settings.get("notes", []))

    for edit in case.settings["edits"]:
        gitops.kubectl(*edit)
    case.commit()

    status, found, notes = case.report(synced)
    assert (status, found) == (1, expected), notes

    # The same files, but of a commit before the one that was synced.
    gitops.git("checkout", "--quiet", stale)

    status, found, notes = case.report(synced)
    wanted = case.settings.get("stale", [finding for finding in expected if not finding.endswith("pending-sync")])
    assert (status, found) == (1, sorted(wanted)), notes
    if "stale" not in case.settings:
        assert any("behind" in note for note in notes), notes
