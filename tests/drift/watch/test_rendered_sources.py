"""A watch follows sources that are rendered: their files, wherever they are, and the releases of Helm."""

import subprocess
from pathlib import Path

from tests.drift.conftest import Application
from tests.drift.sources.test_helm import CHART, run_helm
from tests.drift.sources.test_kustomize import write
from tests.drift.watch.conftest import Start, eventually

FILES = {
    "base/kustomization.yaml": "resources: [a.yaml]\nconfigMapGenerator: [{name: settings, envs: [settings.env]}]\n",
    "base/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: '1'}\n",
    "base/settings.env": "LEVEL=info\n",
    "manifests/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\n",
}


def test_a_watch_builds_an_overlay_again_when_a_file_of_its_base_changes(
    workspace: Application, start: Start, kustomize: Path
) -> None:
    write(workspace.scratch, FILES)
    built = subprocess.run([kustomize, "build", workspace.manifests], check=True, capture_output=True, text=True).stdout
    workspace.kubectl("apply", "--server-side", "--field-manager=kustomize-controller", "-f", "-", stdin=built)
    watching = start()
    assert watching.findings() == []

    write(workspace.scratch, {"base/settings.env": "LEVEL=debug\n"})

    eventually(lambda: "missing" in [found[1] for found in watching.findings()], watching.findings)


def test_a_watch_reads_a_release_again_when_helm_has_upgraded_it(
    workspace: Application, start: Start, helm: Path
) -> None:
    write(workspace.scratch, CHART)
    chart = str(workspace.scratch / "web")
    run_helm(workspace, helm, "install", "shop", chart)
    workspace.write("apiVersion: v1\nkind: Namespace\nmetadata: {name: NAMESPACE}\n")
    watching = start("--helm-release", "shop")
    assert [source["revision"] for source in watching.report()["sources"]][1:] == ["1 (web 1.2.3)"]

    run_helm(workspace, helm, "upgrade", "shop", chart, "--set", "replicas=4")

    eventually(
        lambda: [source["revision"] for source in watching.report()["sources"]][1:] == ["2 (web 1.2.3)"],
        watching.report,
    )
    eventually(lambda: watching.findings() == [], watching.findings)
