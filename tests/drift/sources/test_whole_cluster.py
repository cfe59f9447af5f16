"""One job compares a whole cluster with all that Flux, Argo CD and Helm deploy, and says what no Git knows."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cdk8s import App

from rescan import constructs as k
from rescan.manifests import manifest_files
from rescan.settings import DriftJob, Image
from tests.drift.sources.conftest import URL, GitOps, install_controller_crds
from tests.drift.sources.repositories.controllers import Controllers
from tests.drift.sources.repositories.test_repositories import Case
from tests.rescan.test_drift_job import READ, contained, run_container
from tools.sandbox.binaries import Binaries
from tools.sandbox.cluster import Cluster

REPOSITORIES = Path(__file__).parent / "repositories"
NAMESPACES = "".join(
    f"---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n" for name in ("shop", "tools")
)
USUAL = frozenset(
    {("apps/v1", "Deployment"), ("v1", "Service"), ("apiextensions.k8s.io/v1", "CustomResourceDefinition")}
)
OTHERS = frozenset(
    {("networking.k8s.io/v1", "NetworkPolicy"), ("policy/v1", "PodDisruptionBudget"), ("v1", "ResourceQuota")}
)


def job() -> str:
    """The drift job for everything, with the right to read Secrets."""
    chart = k.FolderChart(App(), "drift", namespace="shop", labels={"app": "drift"})
    props = k.DriftReporterProps(
        name="drift",
        job=DriftJob(image=Image(registry="registry.example.com", repository="drift", tag="1"), read_secrets=True),
        namespace="shop",
        repository_url=f"{URL}.git",
        branch="main",
        sources=k.ClusterSources(flux=("all",), argocd=("all",), helm_releases=("all",)),
        environment="shop",
    )
    others = {("argoproj.io/v1alpha1", "ApplicationSet"), ("source.toolkit.fluxcd.io/v1", "HelmRepository")}
    k.DriftReporter(chart, "job", props).read(chart, USUAL | OTHERS | others)
    app = chart.node.root
    assert isinstance(app, App)
    return "---\n".join(manifest_files(app).values())


@contained
@pytest.mark.usefixtures("flux_oracle")
def test_a_job_with_the_rights_of_its_role_says_what_no_git_knows(
    tmp_path: Path, kubectl: Path, kustomize: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Cluster.start(Binaries(kubectl.parent)) as cluster:
        install_controller_crds(cluster)
        root = tmp_path / "origin"
        shop, tools = (GitOps(cluster, namespace, root, tmp_path) for namespace in ("shop", "tools"))
        for gitops in (shop, tools):
            cluster.create_namespace(gitops.namespace)
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", root], check=True)  # noqa: S607
        cases = [Case(REPOSITORIES / "flux-clusters", shop), Case(REPOSITORIES / "argocd-addons", tools)]
        text = job()
        production = {"namespaces.yaml": NAMESPACES, "drift-job.yaml": text}
        commit = shop.commit({f"clusters/production/{name}": made for name, made in production.items()})
        for case in cases:
            case.sync(Controllers(case.gitops, kustomize, helm, commit))
        Controllers(tools, kustomize, helm, commit).install("cache", str(root / "charts/ingress"))
        subprocess.run(["git", "clone", "--quiet", f"file://{root}", tmp_path / "clone"], check=True)  # noqa: S607
        objects = {item["kind"]: item for item in yaml.safe_load_all(text)}
        (tmp_path / "settings").mkdir()
        (tmp_path / "settings/drift.yaml").write_text(objects["ConfigMap"]["data"]["drift.yaml"])
        pod = objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]

        def run() -> dict[str, Any]:
            path = f"{kustomize.parent}:{helm.parent}:/usr/local/bin:/usr/bin:/bin"
            done = run_container(cluster, tmp_path, pod, "shop", path=path)
            assert done.returncode == 0, done.stdout + done.stderr
            report: dict[str, Any] = json.loads((tmp_path / "history/report.json").read_text())
            return report

        mark = cluster.audit_mark()
        report = run()

        # The first Application is created by hand, as the CRDs are here.
        first = ("Application/addons", "unmanaged", "manual")
        assert findings(report) == [first]
        assert {source["name"] for source in report["sources"]} == {
            *(f"Kustomization shop/{name}" for name in ("apps", "flux-system", "infra-configs", "infra-controllers")),
            *(f"HelmRelease shop/{name}" for name in ("ingress", "podinfo")),
            *(f"Application tools/{name}" for name in ("addons", "metrics source 1", "metrics source 3")),
            "release tools/cache",
        }
        asked = [event for event in cluster.audit(mark) if event.user_agent == "drift"]
        assert {event.user for event in asked} == {"system:serviceaccount:shop:drift"}
        assert {event.verb for event in asked} <= READ

        cluster.create_namespace("forgotten")
        cluster.kubectl("create", "deployment", "old", "--image=old:1", "--namespace=forgotten")
        cluster.kubectl("create", "clusterrole", "everything", "--verb=*", "--resource=*")
        cluster.kubectl("create", "configmap", "loose", "--from-literal=a=b", "--namespace=tools")
        cluster.kubectl("scale", "deployment/metrics", "--replicas=7", "--namespace=tools")
        cluster.kubectl("delete", "deployment/podinfo", "--namespace=shop")

        assert findings(run()) == [
            first,
            ("ClusterRole/everything", "unmanaged", "manual"),
            ("ConfigMap/loose", "unmanaged", "manual"),
            ("Deployment/metrics", "changed", "manual"),
            ("Deployment/old", "unmanaged", "manual"),
            ("Deployment/podinfo", "missing", "manual"),
            ("Namespace/forgotten", "unmanaged", "manual"),
        ]


def findings(report: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Returns the findings without those of the CRDs."""
    return sorted(
        (f"{item['kind']}/{item['name']}", finding["change"], finding["cause"])
        for item in report["objects"]
        for finding in item["findings"]
        if item["kind"] != "CustomResourceDefinition"
    )
