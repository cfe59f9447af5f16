"""Overlays and charts are an error with the command to render them. Kustomizations that only list files are read."""

from collections.abc import Callable
from pathlib import Path

import pytest

from drift.cli import main
from drift.errors import UsageError
from drift.globs import FileGlob
from drift.sources.git import load_manifests_at, manifests_info
from drift.sources.load import load_manifests
from tests.git import git

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Returns a function that writes files into an empty folder and changes to it."""
    monkeypatch.chdir(tmp_path)

    def files(**texts: str) -> Path:
        for name, text in texts.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return files


def config_map(name: str, more: str = "") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop{more}}}\n"


def names(*paths: str) -> list[str]:
    return sorted(manifest.name for manifest in load_manifests(paths).manifests)


OVERLAY = "resources: [../base]\nconfigMapGenerator: [{name: made, literals: [a=b]}]\n"
BASE = {"base/kustomization.yaml": "resources: [a.yaml]\n", "base/a.yaml": config_map("a")}


def test_a_folder_with_an_overlay_is_an_error_that_says_what_to_name(write: Write, stderr: Callable[[], str]) -> None:
    write(**{f"apps/{name}": text for name, text in {**BASE, "prod/kustomization.yaml": OVERLAY}.items()})
    write(**{"live.yaml": config_map("a")})

    assert main(["report", "apps", "--live", "live.yaml"]) == 2

    (line,) = stderr().splitlines()
    assert line.startswith("drift: apps: contains kustomizations or Helm charts, whose files are not what is deployed")
    assert line.endswith("drift report apps/prod")


@pytest.mark.parametrize(
    "text",
    [
        "resources: [a.yaml]\nnamePrefix: x-\n",
        "resources: [a.yaml]\npatches: []\n",
        "resources: [missing.yaml]\n",
        "resources: [https://example.com/a.yaml]\n",
        "resources: [folder]\n",
        "resources: a.yaml\n",
        "resources: []\n",
        "resources: [1]\n",
        "{}\n",
        "",
        "bases: [a.yaml]\n",
        "Resources: [a.yaml]\n",
        "kind: Component\nresources: [a.yaml]\n",
        "resources: [a.yaml]\n---\nresources: [a.yaml]\n",
    ],
)
@pytest.mark.parametrize("name", ["kustomization.yaml", "kustomization.yml", "Kustomization"])
def test_a_kustomization_that_does_more_than_list_files_is_an_error(write: Write, name: str, text: str) -> None:
    write(**{f"top/{name}": text, "top/a.yaml": config_map("a"), "outside.yaml": "", "top/folder/b.yaml": ""})

    for path in ("top", "."):
        with pytest.raises(UsageError, match=r"drift report top"):
            load_manifests([path])


def test_a_listed_file_outside_of_the_named_folder_is_not_read(write: Write) -> None:
    write(**{"top/kustomization.yaml": "resources: [../outside.yaml]\n", "outside.yaml": config_map("a")})

    with pytest.raises(UsageError, match=r"drift report top"):
        load_manifests(["top"])
    assert names(".") == ["a"]


@pytest.mark.parametrize("exclude", ["cm.yaml", "sub"])
@pytest.mark.parametrize("path", ["kz", ".", "kz/kustomization.yaml"])
def test_a_part_of_a_kustomization_cannot_be_excluded(write: Write, path: str, exclude: str) -> None:
    write(
        **{
            "kz/kustomization.yaml": "resources: [cm.yaml, web.yaml, sub]\n",
            "kz/cm.yaml": config_map("cm"),
            "kz/web.yaml": config_map("web"),
            "kz/other.yaml": config_map("other"),
            "kz/sub/kustomization.yaml": "resources: [a.yaml]\n",
            "kz/sub/a.yaml": config_map("a"),
            "free/a.yaml": config_map("free"),
        }
    )
    part = "kz/cm.yaml" if exclude == "cm.yaml" else "kz/sub/a.yaml"

    with pytest.raises(UsageError, match=rf"^exclude cannot leave out what a kustomization lists: {part}; exclude the"):
        load_manifests([path], exclude=[FileGlob(exclude)])
    assert len(load_manifests([path], exclude=[FileGlob("other.yaml")]).manifests) == (4 if path == "." else 3)
    if path == ".":
        assert [one.name for one in load_manifests([path], exclude=[FileGlob("kz")]).manifests] == ["free"]


def test_an_overlay_is_an_error_that_says_what_to_name_whatever_is_excluded(write: Write) -> None:
    write(**BASE, **{"prod/kustomization.yaml": OVERLAY, "prod/notes.yaml": ""})

    with pytest.raises(UsageError, match=r"drift report prod"):
        load_manifests(["."], exclude=[FileGlob("notes.yaml")])


def test_a_part_of_a_kustomization_cannot_be_excluded_at_a_revision(write: Write) -> None:
    folder = write(**BASE)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")

    with pytest.raises(UsageError, match=r"^exclude cannot leave out what a kustomization lists: base/a\.yaml;"):
        load_manifests_at("HEAD", ["base"], [FileGlob("a.yaml")])


def test_two_kustomizations_in_one_folder_are_an_error(write: Write) -> None:
    write(**BASE, **{"base/Kustomization": "resources: [a.yaml]\n"})

    with pytest.raises(UsageError, match="drift report base"):
        load_manifests(["base"])


def test_listed_files_and_folders_are_read_and_no_others(write: Write) -> None:
    write(
        **BASE,
        **{
            "base/unlisted.yaml": config_map("unlisted"),
            "base/below/unlisted.yaml": config_map("below"),
            "top/kustomization.yml": "kind: Kustomization\nresources: [../base, ./b.yaml, c.txt, sub/]\n",
            "top/b.yaml": config_map("b"),
            "top/c.txt": config_map("c"),
            "top/sub/Kustomization": "resources: [d.yaml]\n",
            "top/sub/d.yaml": config_map("d"),
            "free/e.yaml": config_map("e"),
        },
    )

    assert names(".") == ["a", "b", "c", "d", "e"]
    assert names("base") == ["a"]
    assert names("top/sub") == ["d"]


def test_a_kustomization_that_lists_an_overlay_is_an_error(write: Write) -> None:
    write(**{"top/kustomization.yaml": "resources: [sub]\n", "top/sub/kustomization.yaml": "namePrefix: x\n"})

    with pytest.raises(UsageError, match=r"drift report top"):
        load_manifests(["."])


def test_kustomizations_that_list_each_other_end(write: Write) -> None:
    write(
        **{
            "a/kustomization.yaml": "resources: [../b, a.yaml]\n",
            "a/a.yaml": config_map("a"),
            "b/kustomization.yaml": "resources: [../a]\n",
        }
    )

    assert names(".") == ["a"]


@pytest.mark.parametrize("value", ["'true'", "''"])
def test_an_object_that_kustomize_leaves_out_is_an_error(write: Write, value: str) -> None:
    more = f", annotations: {{config.kubernetes.io/local-config: {value}}}"
    write(**{**BASE, "base/a.yaml": config_map("a", more)})

    with pytest.raises(UsageError, match=r"a\.yaml:1: .*kubectl kustomize base"):
        load_manifests(["base"])


def test_a_flux_kustomization_is_a_cluster_object(write: Write) -> None:
    flux = config_map("apps").replace("v1", "kustomize.toolkit.fluxcd.io/v1").replace("ConfigMap", "Kustomization")
    write(**{"flux/kustomization.yaml": flux, "flux/a.yaml": config_map("a")})

    assert names("flux") == ["a", "apps"]


def test_a_chart_is_one_error_with_the_command_to_render_it(write: Write) -> None:
    chart = {"a chart/Chart.yaml": "name: x\n", "a chart/charts/sub/Chart.yaml": "name: y\n"}
    write(**chart, **{"a chart/templates/a.yaml": "{{ x }}", "a chart/kustomization.yaml": "namePrefix: x\n"})

    for path in ("a chart", ".", "a chart/Chart.yaml"):
        with pytest.raises(UsageError) as error:
            load_manifests([path])
        assert str(error.value).count("drift report 'a chart'") == 1
        assert "sub" not in str(error.value)
        assert "kubectl" not in str(error.value)


def test_a_named_file_of_an_overlay_is_an_error(write: Write) -> None:
    write(**BASE, **{"prod/kustomization.yaml": OVERLAY, "prod/patch.yaml": config_map("a")})

    with pytest.raises(UsageError, match=r"drift report prod"):
        load_manifests(["prod/kustomization.yaml", "prod/patch.yaml"])
    assert names("base/a.yaml", "base/kustomization.yaml") == ["a"]


LISTED = {"kz/kustomization.yaml": "resources: [a.yaml]\n", "kz/a.yaml": config_map("a"), "kz/b.yaml": config_map("b")}


def test_a_kustomization_that_is_named_by_its_file_is_read_as_its_folder(write: Write) -> None:
    write(**LISTED, **{"plain/p.yaml": config_map("p")})

    for paths in (["kz/kustomization.yaml"], ["kz", "kz/kustomization.yaml"], ["kz/a.yaml", "kz/kustomization.yaml"]):
        assert names(*paths) == ["a"]
    assert names("plain", "kz/kustomization.yaml") == ["a", "p"]
    (manifest,) = load_manifests(["kz/kustomization.yaml"]).manifests
    assert (str(manifest.source), manifest.origins) == ("kz/a.yaml:1", ("kz/kustomization.yaml",))


@pytest.mark.parametrize("paths", [["kz/kustomization.yaml"], ["plain", "kz/kustomization.yaml"]])
def test_what_a_named_kustomization_lists_is_compared(write: Write, paths: list[str]) -> None:
    write(**LISTED, **{"plain/p.yaml": config_map("p"), "live.yaml": config_map("a") + "---\n" + config_map("p")})

    assert main(["report", *paths, "--live", "live.yaml", "--unmanaged", "off"]) == 0

    write(**{"kz/a.yaml": config_map("a") + "data: {a: '1'}\n"})
    assert main(["report", *paths, "--live", "live.yaml", "--unmanaged", "off"]) == 1


def test_a_kustomization_that_only_lists_files_is_read_from_the_folder_that_is_the_working_directory(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(**LISTED) / "kz")

    assert names("kustomization.yaml") == ["a"]
    with pytest.raises(UsageError, match="no manifest found"):
        load_manifests(["kustomization.yaml"], exclude=[FileGlob("kustomization.yaml")])


def test_a_broken_kustomization_that_is_named_by_its_file_is_one_error(write: Write) -> None:
    write(**{**LISTED, "kz/kustomization.yaml": "resources: [\n"})

    loaded = load_manifests(["kz/a.yaml", "kz/kustomization.yaml"])

    assert [error.partition(": ")[0] for error in loaded.errors] == ["kz/kustomization.yaml:2:1"]


def test_a_cluster_object_in_a_file_with_the_name_of_a_kustomization_is_read_alone(write: Write) -> None:
    write(**{"flux/kustomization.yaml": config_map("apps"), "flux/a.yaml": config_map("a")})

    assert names("flux/kustomization.yaml") == ["apps"]


def test_twenty_folders_are_named_and_the_rest_counted(write: Write) -> None:
    write(**{f"{number:02}/kustomization.yaml": OVERLAY for number in range(23)})

    with pytest.raises(UsageError) as error:
        load_manifests(["."])

    assert str(error.value).count("drift report") == 20
    assert str(error.value).endswith("; and 3 more")


def test_kustomizations_at_a_git_revision_are_checked_too(write: Write) -> None:
    folder = write(**BASE, **{"base/unlisted.yaml": config_map("unlisted"), "prod/kustomization.yaml": OVERLAY})
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        git(folder, *arguments)

    for path in ("base", "base/kustomization.yaml"):
        (manifest,) = load_manifests_at("HEAD", [path])
        assert (str(manifest.source), manifest.origins) == ("HEAD:base/a.yaml:1", (path,))
    (folder / "base/a.yaml").write_text("")
    assert manifests_info(["base/kustomization.yaml"]).git_dirty
    with pytest.raises(UsageError, match=r"drift report"):
        load_manifests_at("HEAD", ["prod"])
