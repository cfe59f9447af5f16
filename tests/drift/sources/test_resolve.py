"""Which sources are rendered, and from which local files: a watch renders them again when one of these changes."""

import json
import os
from pathlib import Path

import pytest

from drift.cli import main
from drift.config.settings import RequestKind, SourceRequest
from drift.sources.resolve import ref_folders, rendered_files
from drift.watch.manifest_files import Fingerprint, fingerprint
from tests.drift.sources.test_kustomize import write
from tests.git import git

FILES = {
    "overlay/kustomization.yaml": """\
resources: [../base]
components: [../components/labels]
patches: [{path: ../patches/web.yaml}, {patch: '[{op: add, path: /tmp, value: x}]'}]
configMapGenerator: [{name: web, files: [settings=../settings/web.ini]}]
""",
    "base/kustomization.yml": "resources: [web.yaml, https://example.com/remote]\n",
    "base/web.yaml": "",
    "components/labels/kustomization.yaml": "patches: [{path: ../../patches/component.yaml}]\n",
    "patches/web.yaml": "",
    "patches/component.yaml": "",
    "settings/web.ini": "",
    "elsewhere/kustomization.yaml": "resources: [web.yaml]\n",
    "chart/Chart.yaml": "",
    "chart/templates/_helpers.tpl": "",
    "chart/templates/web.yaml": "",
    "values/prod.yaml": "",
}


def state(*requests: SourceRequest, checkouts: tuple[str, ...] = ()) -> Fingerprint:
    return fingerprint(rendered_files(requests, checkouts))


@pytest.mark.parametrize(
    ("target", "inputs"),
    [
        (
            "overlay",
            {*(file for file in FILES if file.startswith(("overlay", "base", "components", "patches", "set")))},
        ),
        ("overlay/kustomization.yaml", {*(file for file in FILES if file.startswith(("overlay", "base")))}),
        ("chart", {*(file for file in FILES if file.startswith("chart")), "values/prod.yaml"}),
    ],
)
def test_a_path_is_rendered_from_its_folder_and_what_that_refers_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, inputs: set[str]
) -> None:
    write(tmp_path, FILES)
    monkeypatch.chdir(tmp_path)
    values = ("values/prod.yaml",) if target == "chart" else ()
    request = SourceRequest(RequestKind.PATH, target, values=values)
    before = state(request)

    changed = set()
    for file, text in FILES.items():
        Path(file).write_text(text + "#")
        changed |= {file} if state(request) != before else set()
        before = state(request)

    assert changed >= inputs
    assert not {file for file in changed if file.startswith("elsewhere")}
    assert "/tmp" not in rendered_files([request], ())  # noqa: S108 - what a patch changes is no file


def test_manifests_that_are_read_as_they_are_are_not_rendered(tmp_path: Path) -> None:
    write(tmp_path, {"web.yaml": "", "kustomization.yaml": "resources: [web.yaml]\n"})

    assert rendered_files([SourceRequest(RequestKind.PATH, str(tmp_path))], ()) == ()
    # Its file does not have to change if what it lists does.
    by_file = SourceRequest(RequestKind.PATH, str(tmp_path / "kustomization.yaml"))
    before = state(by_file)
    write(tmp_path, {"web.yaml": "a: 1"})
    assert state(by_file) != before


@pytest.mark.parametrize("kind", [RequestKind.FLUX, RequestKind.ARGOCD])
def test_what_controllers_apply_is_rendered_from_the_files_and_the_commit_of_the_checkouts(
    tmp_path: Path, kind: RequestKind
) -> None:
    trees = [tmp_path / name for name in ("one", "two")]
    for tree in trees:
        write(tree, {"apps/web.yaml": "a: 1", "base/web.yaml": "b: 1"})
        git(tmp_path, "init", "--quiet", str(tree))
        git(tree, "remote", "add", "origin", "git@git.example.com:apps")
        git(tree, "add", ".")
        git(tree, "commit", "--quiet", "--message=first")
    link = tmp_path / "current"
    link.symlink_to("one")
    checkouts = (f"https://git.example.com/apps={link}/apps",)
    states = [state(SourceRequest(kind, "all"), checkouts=checkouts)]

    # The watch itself may write files there.
    write(trees[0], {"history.db": "", "watch.log": ""})
    assert state(SourceRequest(kind, "all"), checkouts=checkouts) == states[0]

    write(trees[0], {"base/web.yaml": "b: 20"})
    states.append(state(SourceRequest(kind, "all"), checkouts=checkouts))
    git(trees[0], "commit", "--quiet", "--all", "--message=second")
    states.append(state(SourceRequest(kind, "all"), checkouts=checkouts))
    git(trees[0], "fetch", "--quiet", str(trees[1]))
    states.append(state(SourceRequest(kind, "all"), checkouts=checkouts))
    # As git-sync does it.
    (tmp_path / "new").symlink_to("two")
    os.replace(tmp_path / "new", link)  # noqa: PTH105
    states.append(state(SourceRequest(kind, "all"), checkouts=checkouts))

    assert len({*states}) == len(states)
    assert states[-1] == state(SourceRequest(kind, "all"), checkouts=checkouts)


@pytest.mark.parametrize("kind", [RequestKind.FLUX, RequestKind.ARGOCD])
@pytest.mark.parametrize("is_linked", [False, True])
def test_what_controllers_apply_is_rendered_from_branches_and_tags_that_are_not_checked_out(
    tmp_path: Path, kind: RequestKind, *, is_linked: bool
) -> None:
    main, linked = tmp_path / "main", tmp_path / "linked"
    write(main, {"web.yaml": "a: 1"})
    git(main, "init", "--quiet")
    git(main, "add", ".")
    commits = []
    for _ in range(2):
        git(main, "commit", "--quiet", "--allow-empty", "--message=change")
        commits.append(git(main, "rev-parse", "HEAD"))
    git(main, "worktree", "add", "--quiet", "--detach", str(linked))
    checkouts = (f"https://git.example.com/apps={linked if is_linked else main}",)
    # The files that are watched are listed once, when the sources are read.
    watched = [SourceRequest(kind, "all")], checkouts
    files, folders = rendered_files(*watched), ref_folders(*watched)
    states = [fingerprint(files, folders)]

    for changed in (
        ("update-ref", "refs/remotes/origin/env/prod", commits[0]),
        ("update-ref", "refs/remotes/origin/env/prod", commits[1]),
        ("branch", "feature"),
        ("tag", "v1", commits[0]),
        ("pack-refs", "--all"),
        ("remote", "add", "origin", "https://git.example.com/apps"),
    ):
        git(main, *changed)
        states.append(fingerprint(files, folders))

    assert len({*states}) == len(states)
    git(main, "status")
    git(main, "notes", "add", "--message=note")
    assert fingerprint(files, folders) == states[-1]
    assert ref_folders([SourceRequest(RequestKind.PATH, str(main))], ()) == ()


ABSENT = {
    "--flux all": "the cluster has no Kustomization or HelmRelease of Flux",
    "--argocd all": "the cluster has no Application of Argo CD",
}
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"


@pytest.mark.parametrize("others", [["a.yaml"], []])
def test_all_of_what_a_cluster_does_not_have_is_skipped_beside_other_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], others: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"a.yaml": CONFIG_MAP, "live.yaml": CONFIG_MAP})

    status = main(
        ["report", *others, "--flux=all", "--argocd=all", "--live=live.yaml", "--output=text", "--output=json=r"]
    )

    report = json.loads(Path("r").read_text())
    messages = {source["name"]: source["message"] for source in report["sources"] if source["name"] != "a.yaml"}
    shown = capsys.readouterr().out
    assert all(text in shown for text in ABSENT.values())
    if others:
        assert (status, report["errors"], messages) == (0, [], ABSENT)
    else:
        assert status == 3
        assert report["errors"] == sorted(
            f"{name}: {text}, so there is nothing to compare" for name, text in ABSENT.items()
        )


ELSEWHERE = """apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {name: apps, namespace: flux-system}
spec: {kubeConfig: {secretRef: {name: other}}}
"""


@pytest.mark.parametrize(("others", "status"), [(["a.yaml"], 0), ([], 3)])
@pytest.mark.parametrize("flux", ["all", "flux-system/apps"])
def test_a_report_that_compares_nothing_in_this_cluster_is_incomplete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flux: str, others: list[str], status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"a.yaml": CONFIG_MAP, "live.yaml": f"{CONFIG_MAP}---\n{ELSEWHERE}"})

    found = main(["report", *others, f"--flux={flux}", "--argocd=all", "--live=live.yaml", "--output=json=r"])

    errors = json.loads(Path("r").read_text())["errors"]
    assert found == status
    assert (errors == []) is (status == 0)
    assert all(error.endswith(", so there is nothing to compare") for error in errors)


@pytest.mark.parametrize("kind", ["flux", "argocd", "helm-release"])
def test_a_name_that_does_not_exist_is_a_failure_beside_other_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, {"a.yaml": CONFIG_MAP, "live.yaml": CONFIG_MAP})

    assert main(["report", "a.yaml", f"--{kind}=shop/none", "--live=live.yaml"]) == 3
