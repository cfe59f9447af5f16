"""`drift guard` compares the base with what merging a branch into it gives, which Git works out without a work tree."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from drift.cli import main
from tests.git import git

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.29
"""
LIVE = DEPLOYMENT.replace("replicas: 2", "replicas: 5").replace("nginx:1.29", "nginx:1.30")
REPLICAS, IMAGE = "spec.replicas", "spec.template.spec.containers[name=web].image"
#: For the simulated older Git.
OLD = '#!/bin/sh\nfor word; do if [ "$word" = merge-tree ]; then exit 129; fi; done\nexec {git} "$@"\n'
Out = pytest.CaptureFixture[str]


@pytest.fixture(params=["new", "old"])
def version(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Git as it is installed, and one that cannot merge without a work tree."""
    if request.param == "old":
        program = tmp_path / "bin/git"
        program.parent.mkdir()
        program.write_text(OLD.format(git=shutil.which("git")))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return str(request.param)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working directory, a repository with two manifests on branch main. Its objects stay as they are."""
    folder = tmp_path / "shop"
    (folder / "manifests").mkdir(parents=True)
    monkeypatch.chdir(folder)
    (folder / "live.yaml").write_text(LIVE)
    (folder / ".gitignore").write_text("live.yaml\nreport.json\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    _commit("manifests/web.yaml", DEPLOYMENT)
    yield folder
    before, objects = git(folder, "rev-parse", "--all"), _objects(folder)
    for flags in ([], ["--head", "feature"]):
        main(["guard", "report.json", "--base", "main", *flags])
    assert (git(folder, "rev-parse", "--all"), _objects(folder)) == (before, objects)


def _objects(folder: Path) -> set[Path]:
    return {*(folder / ".git").rglob("*")}


def _commit(file: str, text: str) -> None:
    Path(file).parent.mkdir(exist_ok=True)
    Path(file).write_text(text)
    git(Path(), "add", ".")
    git(Path(), "commit", "--quiet", f"--message={text}")


def _branch(old: str, new: str) -> None:
    """Commits a change to the branch feature, and goes back to main."""
    exists = git(Path(), "branch", "--list", "feature")
    git(Path(), "switch", "--quiet", *([] if exists else ["--create"]), "feature")
    _commit("manifests/web.yaml", Path("manifests/web.yaml").read_text().replace(old, new))
    git(Path(), "switch", "--quiet", "main")


def _report(path: str = "manifests") -> None:
    assert main(["report", path, "--live", "live.yaml", "--output", "json=report.json"]) == 1


def _guard(capsys: Out, *flags: str) -> tuple[int, dict[str, str], str]:
    capsys.readouterr()
    status = main(["guard", "report.json", "--base", "main", "--output", "json", *flags])
    printed = capsys.readouterr()
    return status, {one["path"]: one["effect"] for one in json.loads(printed.out)["findings"]}, printed.err


@pytest.mark.usefixtures("shop")
def test_the_base_has_moved_the_file_that_the_change_edits(version: str, capsys: Out) -> None:
    _branch("nginx:1.29", "nginx:1.31")
    git(Path(), "mv", "manifests", "deploy")
    git(Path(), "commit", "--quiet", "--message=move")
    _report("deploy")
    known = (1, {IMAGE: "overwrites", REPLICAS: "leaves"}, "")
    expected = known if version == "new" else (3, {IMAGE: "unknown", REPLICAS: "unknown"}, "")

    assert _guard(capsys, "--head", "feature") == expected
    git(Path(), "switch", "--quiet", "feature")
    assert _guard(capsys) == expected

    git(Path(), "switch", "--quiet", "--detach", "main")
    git(Path(), "merge", "--quiet", "feature")
    assert _guard(capsys) == known


@pytest.mark.usefixtures("shop", "version")
def test_the_base_has_a_part_of_the_change(capsys: Out) -> None:
    """As after a squash merge of the branch below, or a cherry-pick."""
    _branch("nginx:1.29", "nginx:1.29.5")
    git(Path(), "merge", "--quiet", "--squash", "feature")
    git(Path(), "commit", "--quiet", "--message=squashed")
    _branch("app: web", "app: web, tier: front")
    _report()

    assert _guard(capsys, "--head", "feature") == (0, {IMAGE: "leaves", REPLICAS: "leaves"}, "")

    _branch("replicas: 2", "replicas: 3")
    assert _guard(capsys, "--head", "feature") == (1, {IMAGE: "leaves", REPLICAS: "overwrites"}, "")


@pytest.mark.usefixtures("version")
def test_the_base_has_added_or_dropped_what_the_change_has_too(shop: Path, capsys: Out) -> None:
    other = DEPLOYMENT.replace("web", "other").replace("replicas: 2", "replicas: 5").replace("1.29", "1.30")
    _branch("replicas: 2", "replicas: 2 # two")
    for branch in ("feature", "main"):
        git(shop, "switch", "--quiet", branch)
        _commit("manifests/other.yaml", other)
    _report()
    missing = ("", "leaves")

    status, effects, _ = _guard(capsys, "--head", "feature")
    assert (status, missing in effects.items(), {*effects.values()}) == (0, True, {"leaves"})

    (shop / "live.yaml").write_text(f"{LIVE}---\n{other}")
    for branch in ("feature", "main"):
        git(shop, "switch", "--quiet", branch)
        git(shop, "rm", "--quiet", "manifests/other.yaml")
        git(shop, "commit", "--quiet", "--message=dropped")
    _report()
    status, effects, _ = _guard(capsys, "--head", "feature")
    assert (status, {*effects.values()}) == (0, {"leaves"})


@pytest.mark.usefixtures("shop", "version")
def test_a_change_in_the_work_tree_of_a_branch_that_is_behind(capsys: Out) -> None:
    _branch("app: web", "app: web, tier: front")
    _commit("manifests/web.yaml", DEPLOYMENT.replace("1.29", "1.29.5"))
    _report()
    git(Path(), "switch", "--quiet", "feature")

    assert _guard(capsys) == (0, {IMAGE: "leaves", REPLICAS: "leaves"}, "")
    file = Path("manifests/web.yaml")
    file.write_text(file.read_text().replace("replicas: 2", "replicas: 3"))
    assert _guard(capsys) == (1, {IMAGE: "leaves", REPLICAS: "overwrites"}, "")
    assert _guard(capsys, "--head", "feature") == (0, {IMAGE: "leaves", REPLICAS: "leaves"}, "")


@pytest.mark.usefixtures("version")
def test_a_file_that_is_not_committed_yet_is_a_part_of_the_change(shop: Path, capsys: Out) -> None:
    git(shop, "branch", "feature")
    _commit("manifests/web.yaml", DEPLOYMENT.replace("1.29", "1.29.5"))
    stray = DEPLOYMENT.replace("web", "stray")
    (shop / "live.yaml").write_text(f"{LIVE}---\n{stray}")
    assert main(["report", "manifests", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    git(shop, "switch", "--quiet", "feature")
    (shop / "manifests/stray.yaml").write_text(stray.replace("replicas: 2", "replicas: 9"))

    assert _guard(capsys) == (1, {"": "overwrites", IMAGE: "leaves", REPLICAS: "leaves"}, "")


@pytest.mark.usefixtures("shop", "version")
def test_merging_an_older_revision_changes_nothing(capsys: Out) -> None:
    git(Path(), "branch", "feature")
    _commit("manifests/web.yaml", DEPLOYMENT.replace("1.29", "1.29.5"))
    _report()
    nothing = (
        "drift: main already has every commit of {}, so merging it changes nothing; "
        "to check a rollback, compare with a commit on top of main\n"
    )

    leaves = (0, {IMAGE: "leaves", REPLICAS: "leaves"})
    assert _guard(capsys, "--head", "feature") == (*leaves, nothing.format("feature"))
    assert _guard(capsys, "--head", "main") == (*leaves, nothing.format("main"))
    assert _guard(capsys) == (*leaves, "")
    git(Path(), "switch", "--quiet", "feature")
    assert _guard(capsys) == (*leaves, nothing.format("the work tree"))


@pytest.mark.usefixtures("shop")
def test_files_in_conflict_are_named(capsys: Out) -> None:
    _branch("nginx:1.29", "nginx:1.31")
    _commit("manifests/web.yaml", DEPLOYMENT.replace("1.29", "1.29.5"))
    _report()

    status, effects, said = _guard(capsys, "--head", "feature")

    assert (status, effects) == (1, {IMAGE: "conflicts", REPLICAS: "leaves"})
    assert said == (
        "drift: merging feature into main conflicts in manifests/web.yaml, so the result is that of the change alone; "
        "it may be another when the conflict is resolved\n"
    )


@pytest.mark.usefixtures("shop")
def test_a_merge_that_breaks_a_document_is_an_error_with_the_place(capsys: Out) -> None:
    _branch("kind: Deployment", "kind: {Deployment")
    _commit("manifests/other.yaml", DEPLOYMENT.replace("web", "other"))
    assert main(["report", "manifests", "--live", "live.yaml", "--output", "json=report.json"]) == 1

    assert main(["guard", "report.json", "--base", "main", "--head", "feature"]) == 2
    assert capsys.readouterr().err.startswith("drift: the merge of feature into main:manifests/web.yaml:")


def test_a_repository_that_may_not_be_written_is_guarded(shop: Path, capsys: Out) -> None:
    _branch("replicas: 2", "replicas: 3")
    _commit("manifests/other.yaml", DEPLOYMENT.replace("web", "other"))
    assert main(["report", "manifests", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    folders = [folder for folder in (shop, *shop.rglob("*")) if folder.is_dir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        status, effects, said = _guard(capsys, "--head", "feature")
    finally:
        for folder in folders:
            folder.chmod(0o755)

    assert (status, effects[REPLICAS], said) == (1, "overwrites", "")


def test_no_part_of_a_split_index_is_written(shop: Path, capsys: Out) -> None:
    git(shop, "branch", "feature")
    _commit("manifests/other.yaml", DEPLOYMENT.replace("web", "other"))
    assert main(["report", "manifests", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    git(shop, "switch", "--quiet", "feature")
    git(shop, "config", "core.splitIndex", "true")
    git(shop, "update-index", "--split-index")
    (shop / "manifests/web.yaml").write_text(DEPLOYMENT.replace("replicas: 2", "replicas: 3"))
    before = _objects(shop)

    assert _guard(capsys)[1][REPLICAS] == "overwrites"
    assert _objects(shop) == before


@pytest.mark.parametrize(
    "chosen_by", [".gitattributes", ".git/info/attributes", "core.attributesFile", "merge.default"]
)
def test_no_merge_driver_of_the_clone_is_run(shop: Path, capsys: Out, chosen_by: str) -> None:
    if chosen_by == ".gitattributes":
        _commit(chosen_by, "*.yaml merge=mine\n")
    elif chosen_by == "merge.default":
        git(shop, "config", chosen_by, "mine")
    else:
        attributes = shop / ".git/info/attributes"
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text("*.yaml merge=mine\n")
        if chosen_by == "core.attributesFile":
            git(shop, "config", chosen_by, str(attributes.rename(shop / ".git/attributes")))
    git(shop, "config", "merge.mine.driver", f"touch {shop}/ran; cp %B %A")
    _branch("replicas: 2", "replicas: 3")
    _commit("manifests/web.yaml", DEPLOYMENT.replace("1.29", "1.29.5"))
    _report()

    assert _guard(capsys, "--head", "feature")[:2] == (1, {REPLICAS: "overwrites", IMAGE: "leaves"})
    assert not (shop / "ran").exists()
