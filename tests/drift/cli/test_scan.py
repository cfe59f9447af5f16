"""-v prints the settings in use and why differences are not drift; --quiet prints only errors."""

import re
from pathlib import Path

import pytest

from drift.cli import main
from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: NAMESPACE
  annotations: {kustomize.toolkit.fluxcd.io/ssa: Merge}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: 'nginx:1.29', resources: {limits: {cpu: 1000m, memory: 1024Mi}}}
"""
Out = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("live.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndata: {k: x}\n")
    Path("git.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\ndata: {k: y}\n")
    Path("kustomization.yaml").write_text("resources: [git.yaml]\n")
    return tmp_path


def test_each_decision_is_explained(workspace: Application, capsys: Out) -> None:
    workspace.write(DEPLOYMENT)
    workspace.sync(Syncer.FLUX, owner="shop")
    config = workspace.scratch / "drift.yaml"
    config.write_text("ignore: [{path: spec.replicas, reason: scaled by hand on purpose}]\n")
    workspace.kubectl("scale", "deployment/web", "--replicas=2")
    workspace.kubectl("set", "env", "deployment/web", "DEBUG=1")
    workspace.kubectl("annotate", "deployment/web", "deployment.kubernetes.io/revision=7", "--overwrite")
    flags = ["--kubeconfig", str(workspace.cluster.kubeconfig), "--config", str(config), "--unmanaged", "off"]
    capsys.readouterr()

    assert main(["report", str(workspace.manifests), *flags, "-v"]) == 0

    out, err = capsys.readouterr()
    container = "spec.template.spec.containers[name=web]"
    for line in (
        "spec.progressDeadlineSeconds not reported: the API server's default",
        f"{container}.resources.limits.cpu not reported: the same value in another form: 1000m in Git, 1 live",
        f"{container}.resources.limits.memory not reported: the same value in another form: 1024Mi in Git, 1Gi live",
        'metadata.annotations["deployment.kubernetes.io/revision"] not reported: for internal use by Kubernetes',
        "not reported: a tracking label or annotation of the applier",
        "ignored by ignore rule 1 (path: spec.replicas): scaled by hand on purpose",
        "ignored by annotation kustomize.toolkit.fluxcd.io/ssa: Merge: Flux keeps what others add to this object",
    ):
        assert line in out
    assert f"drift: settings: {config}\n" in err
    assert f"drift: source {workspace.manifests} (files): 1 object\n" in err
    assert f"drift: compared with {workspace.cluster.server} (v1.36.3), context " in err
    assert "drift: appliers: argocd-application-controller, " in err
    assert re.search(r"drift: \d+ requests sent, all get or list; compared in \d", err)


def test_the_dump_and_skipped_objects_are_named(folder: Path, capsys: Out) -> None:
    del folder
    flags = ["--live", "live.yaml", "--applier", "my-syncer", "-v"]

    assert main(["report", "git.yaml", "kustomization.yaml", *flags]) == 1

    err = capsys.readouterr().err
    assert "drift: settings: defaults (no drift.yaml in this folder)\n" in err
    assert "drift: source git.yaml (files): 1 object\n" in err
    assert "drift: skipped kustomization.yaml:1: this Kustomization is input for kustomize" in err
    assert "drift: compared with the dump live.yaml\n" in err
    assert "drift: appliers: my-syncer; also argocd" in err
    assert "requests" not in err


@pytest.mark.usefixtures("folder")
def test_quiet_keeps_the_exit_status(capsys: Out) -> None:
    assert main(["report", "git.yaml", "--live", "live.yaml", "--quiet", "-v"]) == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("form", ["json", "text"])
def test_quiet_prints_the_chosen_format(form: str, capsys: Out) -> None:
    assert main(["report", "git.yaml", "--live", "live.yaml", "--quiet", "--output", form]) == 1

    out, err = capsys.readouterr()
    assert "data.k" in out
    assert err == ""


@pytest.mark.usefixtures("folder")
def test_quiet_still_prints_errors(capsys: Out) -> None:
    assert main(["report", "nowhere.yaml", "--live", "live.yaml", "--quiet"]) == 2
    assert capsys.readouterr() == ("", "drift: nowhere.yaml: no such file or folder\n")
