"""What Argo CD renders in a way that drift does not know is not compared."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.sources.argocd_build import ApplicationBuilder
from tests.drift.sources.conftest import URL
from tests.git import git

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {a: '1'}\n"
OTHER = "0" * 40
SETTINGS = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm, namespace: argocd}
data: {kustomize.buildOptions: --load-restrictor LoadRestrictionsNone}
"""
MARKER = "+argocd:skip-file-rendering"
OF_B = CONFIG.replace("name: a", "name: b")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work tree with a directory and a kustomization, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    write({"dir/a.yaml": CONFIG, "k/a.yaml": CONFIG, "k/kustomization.yaml": "resources: [a.yaml]\n"})
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "remote", "add", "origin", URL)
    commit()
    return tmp_path


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)


def commit() -> str:
    git(Path(), "add", "--all")
    git(Path(), "commit", "--quiet", "--message=change")
    return git(Path(), "rev-parse", "HEAD")


def source(path: str = "dir", **more: Any) -> dict[str, Any]:
    return {"repoURL": URL, "path": path, "targetRevision": "main", **more}


def report(*sources: dict[str, Any], checkout: str = ".", **status: Any) -> tuple[int, str]:
    """Returns the exit status, and what is said about the sources of an Application."""
    ours: dict[str, Any] = {"sources": sources} if len(sources) > 1 else {"source": sources[0]}
    application = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "team"},
        "spec": {"destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"}, **ours},
        "status": status,
    }
    Path("../live.yaml").write_text(f"{CONFIG}---\n{json.dumps(application)}\n---\n{SETTINGS}")
    flags = ("--live", "../live.yaml", "--unmanaged", "off", "--output", "json=../report.json")
    code = main(["report", "--argocd", "team/web", "--checkout", checkout, *flags])
    return code, " ".join(one["message"] or "" for one in json.loads(Path("../report.json").read_text())["sources"])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (
            {"images": ["web=r/web:$ARGOCD_APP_REVISION"]},
            "the image web=r/web:$ARGOCD_APP_REVISION contains a variable",
        ),
        ({"commonLabels": {"commit": "${ARGOCD_APP_REVISION}"}}, "the label commit contains a variable"),
    ],
)
def test_a_variable_in_a_kustomization_is_refused(options: dict[str, Any], reason: str) -> None:
    status, message = report(source("k", kustomize=options))

    assert (status, reason in message) == (3, True)


@pytest.mark.parametrize(
    ("name", "status"), [("team_web", 3), ("web", 3), ("other_web", 0), ("team_other", 0), ("other", 0)]
)
def test_a_file_that_changes_the_parameters_of_the_application_is_refused(name: str, status: int) -> None:
    write({f"dir/.argocd-source-{name}.yaml": "directory: {recurse: true}\n"})
    commit()

    code, message = report(source())

    assert (code, "which changes its parameters, is not supported" in message) == (status, status == 3)


def test_the_report_says_how_a_source_is_read() -> None:
    assert report(source())[0] == 0

    (read,) = json.loads(Path("../report.json").read_text())["sources"]
    assert (read["kind"], read["builtAs"]) == ("argocd-application", "files")


def test_a_source_that_a_plugin_has_recognized_is_refused() -> None:
    one = source()
    for compared in (one, {**one, "targetRevision": "other"}):
        status, message = report(one, sourceType="Plugin", sync={"comparedTo": {"source": compared}})
        assert (status, "it is rendered by a plugin of Argo CD" in message) == (3, True)
    for other in (source("k"), source(directory={"recurse": True}), None):
        assert report(one, sourceType="Plugin", sync={"comparedTo": {"source": other}})[0] == 0
    assert report(one, sourceType="Directory", sync={"comparedTo": {"source": one}})[0] == 0


def test_one_of_several_sources_that_a_plugin_has_recognized_is_refused() -> None:
    values = {"repoURL": URL, "ref": "values"}
    sources = (source(), values, source("k"))
    sync = {"comparedTo": {"source": {"repoURL": ""}, "sources": sources}}

    status, message = report(*sources, sourceTypes=["Directory", "", "Plugin"], sync=sync)

    assert (status, message.count("it is rendered by a plugin of Argo CD")) == (3, 1)


def test_a_source_that_argocd_has_read_as_another_type_at_this_commit_is_refused() -> None:
    one, now = source("k"), git(Path(), "rev-parse", "HEAD")
    sync = {"comparedTo": {"source": one}, "revision": now}

    status, message = report(one, sourceType="Directory", sync=sync)

    assert (status, "Argo CD reads it as directory, and drift would read it as kustomize" in message) == (3, True)


def test_a_source_may_have_been_of_another_type_at_another_commit() -> None:
    one = source()
    assert report(one, sourceType="Kustomize", sync={"comparedTo": {"source": one}, "revision": OTHER})[0] == 0


@pytest.mark.parametrize(
    ("name", "text", "is_skipped"),
    [
        ("b.yaml", f"{MARKER}\n{OF_B}", True),
        ("b.yaml", f"{OF_B}  # {MARKER}\n", True),
        ("b.yaml", OF_B.replace("'1'", f"'x {MARKER}'"), True),
        ("b.yaml", f"  # {MARKER}\r\n{{{{ template }}}}\n", True),
        ("b.json", json.dumps({"comment": MARKER}), True),
        ("b.jsonnet", f"// {MARKER}\n", True),
        ("b.yaml", OF_B, False),
        ("b.yaml", f"# argocd:skip-file-rendering\n{OF_B}", False),
    ],
)
def test_a_file_with_the_marker_anywhere_is_skipped(name: str, text: str, *, is_skipped: bool) -> None:
    write({f"dir/{name}": text})
    commit()

    # The cluster has no ConfigMap b.
    assert report(source())[0] == (0 if is_skipped else 1)


def test_a_folder_with_a_chart_and_a_kustomization_is_a_kustomization(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def record(kind: str) -> Callable[..., tuple[()]]:
        def render(*_: object) -> tuple[()]:
            seen.append(kind)
            return ()

        return render

    for kind in ("kustomize", "helm"):
        monkeypatch.setattr(ApplicationBuilder, f"_{kind}", record(kind))
    write({"k/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"})
    write({"chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"})
    commit()

    for one in (source("k"), source("chart"), source("k", helm={"releaseName": "web"})):
        report(one)

    assert seen == ["kustomize", "helm", "helm"]


@pytest.mark.parametrize(("path", "status"), [("both", 3), ("k", 0)])
def test_a_folder_of_two_types_that_argocd_reads_as_the_other_is_refused(path: str, status: int) -> None:
    write({f"both/{name}": Path(f"k/{name}").read_text() for name in ("a.yaml", "kustomization.yaml")})
    write({"both/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n"})
    commit()
    one = source(path)

    code, message = report(one, sourceType="Helm", sync={"comparedTo": {"source": one}, "revision": OTHER})

    assert (code, "Argo CD reads it as helm, and drift would read it as kustomize" in message) == (status, status == 3)


@pytest.mark.parametrize(
    ("url", "version", "command"),
    [
        (
            "https://charts.example.com",
            "1.2.3",
            "helm pull web --repo https://charts.example.com --version 1.2.3 --untar",
        ),
        ("ghcr.io/acme/charts", "1.2.3", "helm pull oci://ghcr.io/acme/charts/web --version 1.2.3 --untar"),
        ("oci://ghcr.io/acme/charts/", "1.2.3", "helm pull oci://ghcr.io/acme/charts/web --version 1.2.3 --untar"),
        ("localhost:5000/charts", ">=1 <2", "helm pull oci://localhost:5000/charts/web --version '>=1 <2' --untar"),
    ],
)
def test_a_chart_without_a_checkout_has_the_command_that_downloads_it(url: str, version: str, command: str) -> None:
    chart = {"repoURL": url, "chart": "web", "targetRevision": version}

    status, message = report(chart)

    assert (status, f"run `{command}` and add --checkout {url}=FOLDER" in message) == (3, True)
    Path("charts/web").mkdir(parents=True)
    assert "helm pull" not in report(chart, checkout=f"{url}=charts")[1]


@pytest.mark.parametrize(("namespace", "status"), [("argocd", 0), ("team", 3), ("other", 3)])
def test_the_build_options_are_those_of_the_argocd_that_applies_the_application(namespace: str, status: int) -> None:
    write({"k/kustomization.yaml": "resources: [../dir/a.yaml]\n"})
    commit()

    assert report(source("k"), controllerNamespace=namespace)[0] == status


@pytest.mark.parametrize("count", ["x", "", "1_0", "9" * 5000])
def test_a_number_of_replicas_that_is_none_is_a_failure(count: str) -> None:
    code, said = report(source("k", kustomize={"replicas": [{"name": "a", "count": count}]}))

    assert code == 3
    assert "its kustomize.replicas of a has a count that is no number" in said
