"""Applications for the cluster of the report are compared, whatever Argo CD calls it, and none is left out silently."""

import json
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.drift.sources.conftest import URL
from tests.git import git

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, namespace: shop}\ndata: {a: '1'}\n"
INTERNAL = "https://kubernetes.default.svc"
OUTSIDE = "https://api.mgmt.example.com:6443"
ANNOTATION = {"annotations": {"argocd.argoproj.io/tracking-id": "web:/ConfigMap:shop/a"}}


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A work tree with one ConfigMap, which is the working directory."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("dir").mkdir()
    Path("dir/a.yaml").write_text(CONFIG % "a")
    git(Path(), "init", "--quiet", "--initial-branch=main")
    git(Path(), "remote", "add", "origin", URL)
    git(Path(), "add", "--all")
    git(Path(), "commit", "--quiet", "--message=change")
    return tmp_path


def application(name: str = "web", /, *, kind: str = "ConfigMap", **destination: str) -> dict[str, Any]:
    """An Application that has applied the ConfigMap."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "destination": {**destination, "namespace": "shop"},
            "source": {"repoURL": URL, "path": "dir", "targetRevision": "main"},
        },
        "status": {
            "controllerNamespace": "argocd",
            "resources": [{"version": "v1", "kind": kind, "namespace": "shop", "name": "a"}],
        },
    }


def report(
    *applications: dict[str, Any], metadata: dict[str, Any] | None = None, manager: str = "argocd-controller"
) -> tuple[int, list[str], Any]:
    """Reports Applications whose ConfigMap was edited by hand, beside a file: status, paths, document."""
    live = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "namespace": "shop",
            **(metadata or {}),
            "managedFields": [
                {
                    "manager": manager,
                    "operation": "Apply",
                    "apiVersion": "v1",
                    "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:data": {}},
                }
            ],
        },
        "data": {"a": "edited"},
    }
    Path("../beside.yaml").write_text(CONFIG % "beside")
    objects = (*(f"{json.dumps(one)}\n" for one in (live, *applications)), CONFIG % "beside")
    Path("../live.yaml").write_text("---\n".join(objects))
    flags = ("--live", "../live.yaml", "--unmanaged", "off", "--output", "json=../report.json")
    code = main(["report", "../beside.yaml", "--argocd", "all", "--checkout", ".", *flags])
    document = json.loads(Path("../report.json").read_text())
    return code, [one["path"] for item in document["objects"] for one in item["findings"]], document


@pytest.mark.parametrize(
    "destination",
    [
        *({"server": f"{INTERNAL}{end}"} for end in ("", "/", "//", ":443", ":443/", ".cluster.local/", ".corp.test")),
        {"server": "HTTPS://Kubernetes.Default"},
        {"name": "in-cluster"},
    ],
)
def test_every_form_of_the_internal_address_is_this_cluster(destination: dict[str, str]) -> None:
    assert report(application(**destination))[:2] == (1, ["data.a"])


@pytest.mark.parametrize(
    "server", [OUTSIDE, "https://kubernetes.defaults.example.com", "https://kubernetes.default.svc.x/y"]
)
def test_another_address_is_another_cluster(server: str) -> None:
    code, found, document = report(application(server=server))

    assert (code, found) == (0, [])
    assert document["sources"][1]["message"] == f"it is applied to another cluster ({server})"


@pytest.mark.parametrize("destination", [{"name": "mgmt"}, {"server": OUTSIDE}])
@pytest.mark.parametrize("metadata", [ANNOTATION, {"labels": {"app.kubernetes.io/instance": "web"}}])
def test_a_cluster_with_objects_of_the_application_is_this_one(
    destination: dict[str, str], metadata: dict[str, Any]
) -> None:
    assert report(application(**destination), metadata=metadata)[:2] == (1, ["data.a"])


@pytest.mark.parametrize("destination", [{"name": "mgmt"}, {"server": OUTSIDE}])
@pytest.mark.parametrize(("key", "is_here"), [("acme.io/app", True), ("", False)])
def test_the_tracking_label_may_have_a_key_of_its_own(destination: dict[str, str], key: str, *, is_here: bool) -> None:
    one = application(**destination)
    one["status"]["controllerNamespace"] = "openshift-gitops"
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "openshift-gitops"},
        "data": {"application.instanceLabelKey": key},
    }
    labels = {"app.kubernetes.io/instance": "web-release", "acme.io/app": "argocd_web"}

    _, found, _ = report(one, settings, metadata={"labels": labels})

    assert ("data.a" in found) is is_here


def test_one_application_is_enough_to_know_the_cluster() -> None:
    others = [application(name, kind="Pod", name="mgmt") for name in ("aaa", "bbb")]

    code, found, document = report(*others, application(name="mgmt"), metadata=ANNOTATION)

    assert (code, found) == (1, ["data.a"])
    assert [(one["name"], one["objects"]) for one in document["sources"][1:]] == [
        ("Application argocd/aaa", 1),
        ("Application argocd/bbb", 1),
        ("Application argocd/web", 1),
    ]


@pytest.mark.parametrize(
    ("metadata", "manager"),
    [
        ({}, "argocd-controller"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "other:/ConfigMap:shop/a"}}, "argocd-controller"),
        ({"labels": {"app.kubernetes.io/instance": "other"}}, "argocd-controller"),
        ({"labels": {"app.kubernetes.io/instance": "web"}}, "helm"),
    ],
)
def test_a_name_that_may_be_this_cluster_is_incomplete(metadata: dict[str, Any], manager: str) -> None:
    code, found, document = report(application(name="mgmt"), metadata=metadata, manager=manager)

    assert (code, found) == (3, [])
    (error,) = document["errors"]
    assert error == (
        "Applications for mgmt: drift does not know which names this cluster has in Argo CD, so argocd/web is not "
        "compared; list them, or only in-cluster, as argocd.thisCluster in drift.yaml: Applications for other names "
        "are then skipped"
    )


def test_hundreds_of_applications_for_unknown_clusters_are_one_error() -> None:
    many = [application(f"web-{number:03}", name=f"cluster-{number % 50:02}") for number in range(200)]

    code, found, document = report(*many, application(server=INTERNAL))

    assert (code, found, len(document["errors"]), len(document["sources"])) == (3, ["data.a"], 1, 3)
    assert "Applications for cluster-00, cluster-01, cluster-02 and 47 more: " in document["errors"][0]
    assert "argocd/web-000, argocd/web-001, argocd/web-002 and 197 more are not compared" in document["errors"][0]


@pytest.mark.parametrize(
    ("given", "status"),
    [("[mgmt]", 1), ("[in-cluster]", 0), ("[]", 0), ("[prod, MGMT]", 0), (f"['{OUTSIDE}/']", 0), ("null", 3)],
)
def test_the_setting_decides_names(given: str, status: int) -> None:
    Path("drift.yaml").write_text(f"argocd: {{thisCluster: {given}}}\n")

    code, found, _ = report(application(name="mgmt"))

    assert (code, found) == (status, ["data.a"] if status == 1 else [])


def test_the_setting_decides_addresses_and_needs_no_objects() -> None:
    Path("drift.yaml").write_text(f"argocd: {{thisCluster: ['{OUTSIDE}/']}}\n")
    assert report(application(server=OUTSIDE))[:2] == (1, ["data.a"])
    assert report(application(server=INTERNAL))[:2] == (1, ["data.a"])
    assert report(application(name="mgmt"), metadata=ANNOTATION)[:2] == (0, [])


def test_a_kind_that_is_not_checked_says_nothing_about_the_cluster() -> None:
    Path("drift.yaml").write_text("unchecked: [{kind: ConfigMap, reason: no rights}]\n")

    assert report(application(name="mgmt"), metadata=ANNOTATION)[0] == 3
