"""`drift guard` renders kustomizations and charts at both revisions; what it cannot render, it does not judge."""

import json
from pathlib import Path

import pytest

from drift.cli import main
from tests.git import git

KUSTOMIZED = {
    "base/a.yaml": 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {mode: fast, level: "1"}\n',
    "base/kustomization.yaml": "resources: [a.yaml]\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamespace: shop\nnamePrefix: prod-\npatches: [{path: p.yaml}]\n",
    "prod/p.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {level: '2'}\n",
}
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
    "chart/templates/a.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: prod-a, namespace: shop}\n"
        "data: {mode: {{ .Values.mode }}, level: '2'}\n"
    ),
    "prod.yaml": "mode: fast\n",
    "drift.yaml": "sources: [{path: chart, namespace: shop, release: shop, values: [prod.yaml]}]\n",
}
LIVE = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: prod-a, namespace: shop}\ndata: {mode: slow, level: "2"}\n'
Out = pytest.CaptureFixture[str]


def _repository(files: dict[str, str], *sources: str) -> None:
    """Makes the working directory a repository, and a report on one edit by hand: data.mode is slow, and not fast."""
    for name, text in {"live.yaml": LIVE, **files}.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text)
    git(Path(), "init", "--quiet", "--initial-branch=main", ".")
    git(Path(), "add", ".")
    git(Path(), "commit", "--quiet", "--message=first")
    assert main(["report", *sources, "--live", "live.yaml", "--output", "json=report.json"]) == 1


def _effect(capsys: Out, *flags: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(["guard", "report.json", "--base", "main", "--output", "json", *flags])
    printed = capsys.readouterr()
    (finding,) = json.loads(printed.out)["findings"]
    return status, finding["effect"], printed.err


@pytest.mark.usefixtures("kustomize")
def test_a_kustomization_is_built_at_both_revisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    _repository(KUSTOMIZED, "prod")
    for file, old, new, expected in (
        ("base/a.yaml", 'level: "1"', 'level: "3"', (0, "leaves")),
        ("base/a.yaml", "mode: fast", "mode: faster", (1, "overwrites")),
        ("base/a.yaml", "mode: fast", "mode: slow", (0, "codifies")),
        ("prod/p.yaml", "level:", "mode: faster, level:", (1, "overwrites")),
        ("prod/p.yaml", "level:", "mode: slow, level:", (0, "codifies")),
        ("prod/kustomization.yaml", "namePrefix: prod-", "namePrefix: test-", (1, "overwrites")),
        ("prod/kustomization.yaml", "../base", "../nowhere", (3, "unknown")),
    ):
        Path(file).write_text(KUSTOMIZED[file].replace(old, new))

        *found, said = _effect(capsys)

        assert tuple(found) == expected, (new, said)
        assert said.startswith("drift: prod: ") == (expected[1] == "unknown")
        Path(file).write_text(KUSTOMIZED[file])

    Path("base/a.yaml").write_text(KUSTOMIZED["base/a.yaml"].replace("fast", "faster"))
    git(Path(), "commit", "--quiet", "--all", "--message=second")
    assert _effect(capsys, "--base", "main^", "--head", "main")[:2] == (1, "overwrites")
    assert _effect(capsys)[:2] == (0, "leaves")


@pytest.mark.usefixtures("kustomize")
def test_a_change_removes_the_kustomization(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.chdir(tmp_path)
    files = {f"clusters/{name}": text for name, text in KUSTOMIZED.items()}
    _repository(files, "clusters/prod")
    for folder in ("clusters/prod", "clusters"):
        git(Path(), "rm", "-r", "--quiet", folder)
        assert _effect(capsys)[:2] == (1, "overwrites")
    git(Path(), "commit", "--quiet", "--message=gone")
    assert _effect(capsys, "--base", "main^", "--head", "main")[:2] == (1, "overwrites")


@pytest.mark.usefixtures("helm")
def test_a_chart_is_rendered_with_the_values_of_each_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    _repository(CHART)

    assert _effect(capsys)[:2] == (0, "leaves")
    Path("prod.yaml").write_text("mode: faster\n")
    assert _effect(capsys)[:2] == (1, "overwrites")
    git(Path(), "commit", "--quiet", "--all", "--message=second")
    assert _effect(capsys, "--base", "main^", "--head", "main")[:2] == (1, "overwrites")
    Path("prod.yaml").write_text("mode: slow\n")
    assert _effect(capsys, "--base", "main^")[:2] == (0, "codifies")

    Path("drift.yaml").write_text("")
    status, effect, said = _effect(capsys)
    assert (status, effect) == (3, "unknown")
    assert said == (
        "drift: chart (shop/shop): how this chart is installed is not known; "
        "name it in drift.yaml under sources, with its namespace and values\n"
    )


@pytest.mark.usefixtures("kustomize")
def test_a_link_to_a_kustomization_is_followed_at_each_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    other = {name.replace("base/", "other/"): text.replace("fast", "faster") for name, text in KUSTOMIZED.items()}
    Path("current").symlink_to("base")
    prod = KUSTOMIZED["prod/kustomization.yaml"].replace("../base", "../current")
    _repository({**other, **KUSTOMIZED, "prod/kustomization.yaml": prod}, "prod")
    assert _effect(capsys)[:2] == (0, "leaves")

    Path("current").unlink()
    Path("current").symlink_to("other")

    assert _effect(capsys)[:2] == (1, "overwrites")
    Path("deployed").symlink_to("prod")
    git(Path(), "add", ".")
    git(Path(), "commit", "--quiet", "--message=second")
    assert main(["report", "deployed", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    Path("deployed").unlink()
    Path("deployed").symlink_to("test")
    Path("test").mkdir()
    Path("test/kustomization.yaml").write_text("resources: [../base]\nnamespace: shop\nnamePrefix: prod-\n")
    assert _effect(capsys)[:2] == (1, "overwrites")


@pytest.mark.usefixtures("helm")
def test_a_link_to_values_is_followed_at_each_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("current.yaml").symlink_to("prod.yaml")
    files = {**CHART, "faster.yaml": "mode: faster\n", "drift.yaml": CHART["drift.yaml"].replace("prod", "current")}
    _repository(files)
    assert _effect(capsys)[:2] == (0, "leaves")

    Path("current.yaml").unlink()
    Path("current.yaml").symlink_to("faster.yaml")

    assert _effect(capsys)[:2] == (1, "overwrites")
