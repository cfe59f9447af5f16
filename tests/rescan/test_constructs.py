"""The constructs, used as another application uses them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from cdk8s import App, Chart
from cdk8s_plus_27 import k8s

from rescan import constructs as k
from rescan import drift_job
from rescan.constructs.monitoring import WebMonitor, WebMonitorProps
from rescan.errors import BrokenRulesError, GeneratorError, OverwriteError
from rescan.manifests import manifest_files
from rescan.settings import (
    Autoscaling,
    Controller,
    DriftJob,
    Image,
    Ingress,
    Monitoring,
    NetworkPolicy,
    Service,
    Storage,
    Workload,
)
from rescan.wiki import Wiki
from tests.rescan.schemas import validate
from tests.rescan.server import Server
from tools.sandbox.cluster import Cluster

IMAGE = Image(registry="registry.example.com", repository="shop", tag="v1")
SERVICE = Service(port=80)


def chart() -> k.FolderChart:
    return k.FolderChart(App(), "shop", namespace="shop", labels={"team": "a"})


def web(scope: k.FolderChart, name: str, **props: Any) -> k.WebService:
    given: dict[str, Any] = {"workload": Workload(image=IMAGE), "service": SERVICE} | props
    return k.WebService(scope, name, k.WebServiceProps(name=name, **given))


def synthesized(scope: k.FolderChart) -> dict[str, dict[str, Any]]:
    app = scope.node.root
    assert isinstance(app, App)
    return {path: yaml.safe_load(text) for path, text in manifest_files(app).items()}


def mistakes(scope: k.FolderChart) -> list[str]:
    with pytest.raises(BrokenRulesError) as error:
        synthesized(scope)
    return str(error.value).splitlines()


def test_the_second_application_is_complete_in_less_than_sixty_lines() -> None:
    app = App()
    Wiki(app, "wiki")
    files = manifest_files(app)

    kinds = sorted(yaml.safe_load(text)["kind"] for path, text in files.items() if path.startswith("wiki/"))
    assert kinds == [
        *("ConfigMap", "CronJob", "Deployment", "Ingress", "Kustomization", "Namespace", "PersistentVolumeClaim"),
        *("PrometheusRule", "Service"),
    ]
    assert "argocd/wiki/application-wiki.yaml" in files
    assert len(Path("rescan/wiki.py").resolve().read_text().splitlines()) < 60
    assert "escan" not in "".join(text.split("\n", 1)[1] for text in files.values())


@pytest.mark.parametrize(("name", "kind"), [("drift-job.yaml", "Role"), ("drift-job-cluster.yaml", "ClusterRole")])
def test_the_drift_job_for_other_repositories_is_committed_and_valid(name: str, kind: str) -> None:
    text = Path("docs", name).resolve().read_text()

    assert text == drift_job.manifests()[name], "run `make synth`"
    objects = list(yaml.safe_load_all(text))
    for each in objects:
        validate(each)
        assert ("namespace" in each["metadata"]) is not each["kind"].startswith("Cluster")
    (role,) = [each for each in objects if each["kind"] == kind]
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list"}
    assert "secrets" not in {resource for rule in role["rules"] for resource in rule["resources"]}
    assert "escan" not in text


def test_the_drift_job_for_a_whole_cluster_reads_what_people_write_for_flux_and_argocd() -> None:
    (role,) = [
        each
        for each in yaml.safe_load_all(drift_job.manifests()["drift-job-cluster.yaml"])
        if each["kind"] == "ClusterRole"
    ]

    granted = {
        f"{resource}.{group}" for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]
    }

    assert granted >= {
        *(f"{name}.argoproj.io" for name in ("applications", "applicationsets", "appprojects")),
        *(
            f"{name}.image.toolkit.fluxcd.io"
            for name in ("imagepolicies", "imagerepositories", "imageupdateautomations")
        ),
        *(f"{name}.notification.toolkit.fluxcd.io" for name in ("alerts", "providers", "receivers")),
        *(
            f"{name}.source.toolkit.fluxcd.io"
            for name in ("buckets", "gitrepositories", "helmrepositories", "ocirepositories")
        ),
    }


def drift_reporter(**changes: Any) -> k.FolderChart:
    job = DriftJob(image=Image(registry="registry.example.com", repository="drift", tag="1"))
    given: dict[str, Any] = {"name": "drift", "job": job, "namespace": "shop", "branch": "main", "environment": "shop"}
    scope = chart()
    props = k.DriftReporterProps(**given | {"repository_url": "https://git.example.com/a.git"} | changes)
    k.DriftReporter(scope, "job", props).read(scope)
    return scope


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({}, "shop/job: nothing is compared; set path or sources"),
        ({"sources": k.ClusterSources()}, "shop/job: nothing is compared; set path or sources"),
        (
            {"sources": k.ClusterSources(helm_releases=("all",))},
            "shop/job: sources.helm_releases are stored in Secrets; set job.read_secrets=True",
        ),
        ({"sources": k.ClusterSources(flux=("Apps",))}, "write all, or NAMESPACE/NAME"),
    ],
)
def test_a_drift_job_that_cannot_do_its_work_is_refused(changes: dict[str, Any], mistake: str) -> None:
    assert any(mistake in line for line in mistakes(drift_reporter(**changes)))


def test_a_drift_job_reads_secrets_only_by_a_setting() -> None:
    job = DriftJob(image=Image(registry="registry.example.com", repository="drift", tag="1"), read_secrets=True)
    made = synthesized(drift_reporter(job=job, sources=k.ClusterSources(helm_releases=("shop/web",))))

    (rules,) = [each["rules"] for each in made.values() if each["kind"] == "ClusterRole"]
    assert [rule["resources"] for rule in rules if "secrets" in rule["resources"]] == [
        ["configmaps", "namespaces", "persistentvolumeclaims", "secrets", "serviceaccounts"]
    ]
    assert not [rule for rule in rules if "toolkit" in rule["apiGroups"][0] or "argoproj" in rule["apiGroups"][0]]
    made = synthesized(drift_reporter(job=job, sources=k.ClusterSources(flux=("all",))))
    (config,) = [each["data"]["drift.yaml"] for each in made.values() if each["kind"] == "ConfigMap"]
    assert yaml.safe_load(config) == {"flux": {"readSecrets": True}}


def test_a_drift_job_fetches_each_repository_and_finds_it_by_its_url() -> None:
    image = Image(registry="registry.example.com", repository="drift", tag="1")
    job = DriftJob(image=image, git_secret="git")  # noqa: S106  # its name
    more = (k.Repository(url="ssh://git@git.example.com/b.git", branch="live"),)
    made = synthesized(drift_reporter(job=job, sources=k.ClusterSources(flux=("all",), repositories=more)))

    (spec,) = [
        each["spec"]["jobTemplate"]["spec"]["template"]["spec"] for each in made.values() if each["kind"] == "CronJob"
    ]
    (reporter,) = spec["containers"]
    assert [flag for flag in reporter["args"] if flag.startswith("--checkout")] == [
        "--checkout=https://git.example.com/a.git=/git/current",
        "--checkout=ssh://git@git.example.com/b.git=/git-2/current",
    ]
    first, second = spec["initContainers"]
    assert first["args"][:2] == ["--repo=https://git.example.com/a.git", "--ref=main"]
    assert second["args"][:2] == ["--repo=ssh://git@git.example.com/b.git", "--ref=live"]
    # The password is for the one, the key for the other.
    assert ("env" in first, "env" in second) == (True, False)
    mounted = {mount["name"] for each in (first, second, reporter) for mount in each["volumeMounts"]}
    assert mounted == {volume["name"] for volume in spec["volumes"]}
    assert {mount["mountPath"] for mount in reporter["volumeMounts"] if mount.get("readOnly")} >= {"/git", "/git-2"}


def test_two_of_everything_fit_into_one_chart() -> None:
    scope = chart()
    k.Namespace(scope, "namespace")
    traffic = []
    for name in ("blue", "green"):
        config = k.ConfigVariables(
            scope, f"{name}-config", k.ConfigVariablesProps(name=f"{name}-config", data={"COLOUR": name})
        )
        disk = k.SqliteStorage(
            scope,
            f"{name}-disk",
            k.SqliteStorageProps(name=f"{name}-disk", storage=Storage(), path="/data", file="/data/a.db"),
        )
        made = web(scope, name, env=config.env, storage=disk)
        ingress = Ingress(host=f"{name}.example.com", class_name="nginx", cluster_issuer="ca", tls_secret=f"{name}-tls")
        k.IngressRoute(scope, f"{name}-ingress", k.IngressRouteProps(name=name, ingress=ingress, web=made))
        traffic.append(k.Traffic(name=name, pods=made.selector, serves=made.port))
    k.NetworkPolicies(scope, "policies", k.NetworkPoliciesProps(policy=NetworkPolicy(), traffic=tuple(traffic)))

    found = synthesized(scope)

    for name in ("blue", "green"):
        pod = found[f"shop/deployment-{name}.yaml"]["spec"]["template"]["spec"]
        assert pod["volumes"][0]["persistentVolumeClaim"] == {"claimName": f"{name}-disk"}
        assert pod["containers"][0]["env"][0]["valueFrom"]["configMapKeyRef"]["name"] == f"{name}-config"
        assert found[f"shop/service-{name}.yaml"]["spec"]["selector"] == {"app": name}
        rule = found[f"shop/ingress-{name}.yaml"]["spec"]["rules"][0]
        assert rule["http"]["paths"][0]["backend"]["service"] == {"name": name, "port": {"number": 80}}
        assert found[f"shop/networkpolicy-{name}.yaml"]["spec"]["podSelector"] == {"matchLabels": {"app": name}}
    for manifest in found.values():
        validate(manifest)


def test_objects_get_the_namespace_and_labels_of_their_chart_and_a_namespace_gets_none() -> None:
    scope = chart()
    k.Namespace(scope, "namespace")
    web(scope, "shop")

    found = synthesized(scope)

    assert found["shop/deployment-shop.yaml"]["metadata"] == {
        "name": "shop",
        "namespace": "shop",
        "labels": {"team": "a"},
    }
    assert "namespace" not in found["shop/namespace-shop.yaml"]["metadata"]


def test_a_wrong_format_is_a_mistake_of_the_tree() -> None:
    scope = chart()
    web(scope, "shop", workload=Workload(image=Image(repository="Shop", tag="v1"), replicas=0))
    k.ConfigVariables(scope, "config", k.ConfigVariablesProps(name="My Config", data={"A B": "1"}))

    assert [line.split("; ")[0] for line in mistakes(scope)] == [
        "shop/shop: settings-have-their-format: workload.image.repository is 'Shop'",
        "shop/shop: settings-have-their-format: workload.replicas is 0",
        "shop/config: settings-have-their-format: name is 'My Config'",
        "shop/config: settings-have-their-format: data is 'A B'",
    ]


def test_a_rule_about_parts_that_depend_on_each_other_is_checked_on_the_tree() -> None:
    scope = chart()
    disk = k.SqliteStorage(
        scope, "disk", k.SqliteStorageProps(name="disk", storage=Storage(), path="/data", file="/data/a.db")
    )
    scaling = Autoscaling(min_replicas=2, max_replicas=3)
    workload = Workload(image=IMAGE, autoscaling=scaling, controller=Controller.STATEFUL_SET, drain=60)
    web(scope, "shop", workload=workload, service=Service(target_port=80), storage=disk)

    assert mistakes(scope) == [
        "shop/shop: pods-stop-in-time: workload.drain is 60; set it to less than grace_period, 30",
        "shop/shop: service.target_port is not workload.container_port, 3000",
        "shop/shop: workload.replicas is 3; SQLite allows one writer, so set it to 1",
        "shop/shop: the storage has stateful_set=None; set it to shop",
    ]


def test_a_label_of_the_chart_cannot_be_replaced() -> None:
    scope = chart()
    monitoring = Monitoring(labels={"team": "b", "release": "prometheus"})
    WebMonitor(scope, "monitor", WebMonitorProps(name="shop", monitoring=monitoring, web=web(scope, "shop")))

    assert mistakes(scope) == ["shop/monitor: all objects have the label team; leave it out"]


def test_an_object_in_a_chart_without_a_folder_is_one_clear_line() -> None:
    app = App()
    k8s.KubeNamespace(Chart(app, "plain"), "namespace")

    with pytest.raises(GeneratorError, match="plain/namespace: plain has no folder; make it a FolderChart"):
        manifest_files(app)


@pytest.mark.parametrize(
    ("props", "message"),
    [
        ({"prot": 80}, "settings-exist: prot is 80; there is no such setting"),
        ({"workload": None}, "settings-have-their-type: workload is None; give it a value of type Workload"),
        ({"workload": Workload()}, "settings-exist: workload.image is missing; give it a value of type Image"),  # type: ignore[call-arg]
    ],
)
def test_a_prop_that_cannot_be_used_ends_at_the_construct(props: dict[str, Any], message: str) -> None:
    with pytest.raises(BrokenRulesError, match=f"shop/shop: {message}"):
        web(chart(), "shop", **props)


def test_cdk8s_own_synthesis_runs_the_same_rules() -> None:
    scope = chart()
    web(scope, "shop", workload=Workload(image=Image(repository="Shop", tag="v1")))

    with pytest.raises(RuntimeError, match=r"workload\.image\.repository is 'Shop'"):
        scope.to_json()


def test_two_objects_of_one_name_are_one_clear_line() -> None:
    scope = chart()
    for place in ("a", "b"):
        k.ConfigVariables(scope, place, k.ConfigVariablesProps(name="same", data={}))

    with pytest.raises(OverwriteError, match=r"configmap-same\.yaml would hold two objects"):
        synthesized(scope)


@pytest.mark.usefixtures("custom_resources")
def test_the_api_server_accepts_the_second_application(cluster: Cluster, namespace: str) -> None:
    app, server = App(), Server(cluster)
    Wiki(app, namespace)
    made = [yaml.safe_load(text) for path, text in manifest_files(app).items() if "kustomization" not in path]

    refusals = [
        server.refusal({**manifest, "metadata": {**manifest["metadata"], "namespace": namespace}}, namespace)
        for manifest in made
        if manifest["kind"] != "Namespace"
    ]

    server.close()
    assert [refusal for refusal in refusals if refusal] == []
