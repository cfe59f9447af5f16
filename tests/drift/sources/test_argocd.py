"""``--argocd`` compares the cluster with what Argo CD applies, from every kind of source that it renders."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.drift.sources.conftest import URL, GitOps
from tools.sandbox.syncers import Syncer, sync

pytestmark = pytest.mark.usefixtures("controller_crds")

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: '%s'}\n"
CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/values.yaml": "color: red\nsize: 1\nname: plain\n",
    "chart/templates/config.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}-{{ .Values.name }}}\n"
        "data: {color: {{ .Values.color | quote }}, size: {{ .Values.size | quote }}, "
        "list: {{ .Values.list | quote }}}\n"
    ),
    "chart/templates/hook.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n"
    ),
}
HERE = "https://kubernetes.default.svc"


def application(source: dict[str, Any] | list[dict[str, Any]], name: str = "web", server: str = HERE) -> dict[str, Any]:
    sources = {"sources": source} if isinstance(source, list) else {"source": source}
    spec = {"project": "default", "destination": {"server": server, "namespace": "NAMESPACE"}, **sources}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": name}, "spec": spec}


def git(path: str, **options: Any) -> dict[str, Any]:
    return {"repoURL": URL, "path": path, "targetRevision": "main", **options}


def create(gitops: GitOps, body: dict[str, Any], *commits: str) -> None:
    """Creates an Application that has synced commits, as Argo CD 3 records it."""
    body = json.loads(json.dumps(body).replace("NAMESPACE", gitops.namespace))
    spec = body["spec"]
    if commits:
        several = {"sources": spec.get("sources", []), "revisions": list(commits), "source": {"repoURL": ""}}
        synced = several if "sources" in spec else {"source": spec["source"], "revision": commits[0]}
        times = {"deployStartedAt": "2026-11-29T10:00:00Z", "deployedAt": "2026-11-29T10:00:05Z"}
        compared = {"destination": spec["destination"], **({"source": spec["source"]} if "source" in spec else {})}
        body["status"] = {
            "history": [{"id": 0, **times, **synced}],
            "health": {"status": "Healthy"},
            "sync": {"status": "Synced", "comparedTo": compared},
            "reconciledAt": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }
    gitops.create(body, "argocd-application-controller")


def applied(gitops: GitOps, text: str, name: str = "web") -> None:
    file = gitops.scratch / "applied.yaml"
    file.write_text(text)
    sync(gitops.cluster, Syncer.ARGOCD, file, namespace=gitops.namespace, owner=name)


def config(name: str, **data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}) + "\n---\n"


def report(gitops: GitOps, *flags: str, name: str = "web") -> Any:
    return gitops.report("--argocd", f"{gitops.namespace}/{name}", *flags)


#: The files, the source, and what Argo CD applies of it: names and data of ConfigMaps.
SOURCES: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, dict[str, str]]]] = {
    "a directory": (
        {"dir/a.yaml": CONFIG % ("a", 1), "dir/below/b.yaml": CONFIG % ("b", 1), "dir/values.yaml": "x: 1\n"},
        git("dir"),
        {"a": {"a": "1"}},
    ),
    "a directory with everything below": (
        {"dir/a.yaml": CONFIG % ("a", 1), "dir/below/b.yaml": CONFIG % ("b", 1)},
        git("dir", directory={"recurse": True}),
        {"a": {"a": "1"}, "b": {"a": "1"}},
    ),
    "a directory with patterns": (
        {f"dir/{name}.yaml": CONFIG % (name, 1) for name in ("one", "two", "three")},
        git("dir", directory={"include": "{one,t*}.yaml", "exclude": "thr*"}),
        {"one": {"a": "1"}, "two": {"a": "1"}},
    ),
    "a directory with a file to skip": (
        {"dir/a.yaml": CONFIG % ("a", 1), "dir/b.yaml": "# +argocd:skip-file-rendering\n" + CONFIG % ("b", 1)},
        git("dir"),
        {"a": {"a": "1"}},
    ),
    "a kustomization": (
        {"k/kustomization.yaml": "resources: [a.yaml]\n", "k/a.yaml": CONFIG % ("a", 1)},
        git("k", kustomize={"namePrefix": "x-", "nameSuffix": "-y"}),
        {"x-a-y": {"a": "1"}},
    ),
    "a kustomization with patches and components": (
        {
            "k/kustomization.yaml": "resources: [a.yaml]\n",
            "k/a.yaml": CONFIG % ("a", 1),
            "k/c/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\n"
            "kind: Component\nresources: [b.yaml]\n",
            "k/c/b.yaml": CONFIG % ("b", 1),
        },
        git(
            "k",
            kustomize={
                "components": ["c"],
                "patches": [{"target": {"name": "a"}, "patch": "- {op: replace, path: /data/a, value: '2'}"}],
            },
        ),
        {"a": {"a": "2"}, "b": {"a": "1"}},
    ),
}
#: The same for charts.
CHARTS: dict[str, tuple[dict[str, str], dict[str, Any], dict[str, dict[str, str]]]] = {
    "a chart": (CHART, git("chart"), {"web-plain": {"color": "red", "size": "1", "list": ""}}),
    "a chart with values": (
        {**CHART, "chart/prod.yaml": "color: green\nsize: 2\n", "shared.yaml": "size: 3\n"},
        git(
            "chart",
            helm={
                "releaseName": "shop",
                "valueFiles": ["prod.yaml", "/shared.yaml", "missing.yaml"],
                "ignoreMissingValueFiles": True,
                "values": "name: inline\n",
                "parameters": [
                    {"name": "color", "value": "a,b"},
                    {"name": "list", "value": "{x,y}"},
                    {"name": "size", "value": "007", "forceString": True},
                ],
            },
        ),
        {"shop-inline": {"color": "a,b", "size": "007", "list": "[x y]"}},
    ),
    "a chart with an object of values": (
        CHART,
        git("chart", helm={"valuesObject": {"color": "blue"}}),
        {"web-plain": {"color": "blue", "size": "1", "list": ""}},
    ),
}


@pytest.mark.parametrize("case", SOURCES)
def test_what_argocd_applied_is_in_sync_and_an_edit_is_not(gitops: GitOps, case: str) -> None:
    check(gitops, *SOURCES[case])


@pytest.mark.parametrize("case", CHARTS)
def test_a_chart_that_argocd_applied_is_in_sync_and_an_edit_is_not(gitops: GitOps, helm: Path, case: str) -> None:
    del helm
    check(gitops, *CHARTS[case])


def check(gitops: GitOps, files: dict[str, str], source: dict[str, Any], expected: dict[str, dict[str, str]]) -> None:
    """Checks that what Argo CD applied is in sync, and that only an edit of the first object is a finding."""
    commit = gitops.commit(files)
    applied(gitops, "".join(config(name, **data) for name, data in expected.items()))
    create(gitops, application(source), commit)

    scanned = report(gitops)
    assert (scanned.status, scanned.findings) == (0, [])
    [info] = scanned.document["sources"]
    assert (info["kind"], info["name"]) == ("argocd-application", f"Application {gitops.namespace}/web")
    assert (info["revision"], info["syncedRevision"], info["ready"], info["suspended"]) == (commit, commit, True, True)

    edited = min(expected)
    gitops.kubectl("patch", "configmap", edited, "--type=merge", "--patch", '{"data": {"edited": "by hand"}}')
    gitops.commit({name: text.replace("metadata:", "metadata: # changed\n ") for name, text in files.items()})
    scanned = report(gitops)
    assert scanned.findings == [(f"ConfigMap/{edited}", "added", "data.edited", "manual")]
    note = (
        f"Application {gitops.namespace}/web: automatic sync is off, so Argo CD neither applies commits nor reverts "
        "edits by itself; Argo CD says Synced, and does not count one edit by hand"
    )
    assert scanned.document["notes"] == [note]


@pytest.mark.parametrize(("value", "is_skipped"), [("true", True), ("1", True), ("false", False), ("yes", False)])
def test_an_application_that_argocd_skips_is_not_synced(gitops: GitOps, value: str, is_skipped: bool) -> None:
    commit = gitops.commit({"dir/a.yaml": CONFIG % ("a", 1)})
    applied(gitops, config("a", a="1"), "web")
    body = application(git("dir"))
    body["metadata"]["annotations"] = {"argocd.argoproj.io/skip-reconcile": value}
    body["spec"]["syncPolicy"] = {"automated": {"selfHeal": True}}
    create(gitops, body, commit)

    [info] = report(gitops).document["sources"]

    assert (info["suspended"], info["skipsReconcile"]) == (is_skipped, is_skipped)


def test_what_the_application_ignores_is_ignored_in_its_own_objects(gitops: GitOps) -> None:
    commit = gitops.commit({"dir/a.yaml": CONFIG % ("a", 1), "other/b.yaml": CONFIG % ("b", 1)})
    applied(gitops, config("a", a="1"), "web")
    applied(gitops, config("b", a="1"), "other")
    body = application(git("dir"))
    body["spec"]["ignoreDifferences"] = [{"kind": "ConfigMap", "jsonPointers": ["/data/edited"]}]
    body["spec"]["syncPolicy"] = {"automated": {"selfHeal": True}}
    create(gitops, body, commit)
    create(gitops, application(git("other"), "other"), commit)
    for name in ("a", "b"):
        gitops.kubectl("patch", "configmap", name, "--type=merge", "--patch", '{"data": {"edited": "by hand"}}')

    scanned = report(gitops, "--argocd", f"{gitops.namespace}/other")

    ignored = {item["name"]: finding["ignored"] for item in scanned.document["objects"] for finding in item["findings"]}
    assert ignored["a"]["rule"] == "ignoreDifferences of web"
    assert ignored["b"] is None
    assert [note.partition(":")[0] for note in scanned.document["notes"]] == [f"Application {gitops.namespace}/other"]


def test_what_is_not_synced_yet_is_pending(gitops: GitOps) -> None:
    commit = gitops.commit({"dir/a.yaml": CONFIG % ("a", 1), "dir/b.yaml": CONFIG % ("b", 1)})
    applied(gitops, config("a", a="1") + config("b", a="1"))
    create(gitops, application(git("dir")), commit)
    (gitops.root / "dir/b.yaml").unlink()
    gitops.commit({"dir/a.yaml": CONFIG % ("a", 2), "dir/c.yaml": CONFIG % ("c", 1)})

    assert report(gitops).findings == [
        ("ConfigMap/a", "changed", "data.a", "pending-sync"),
        ("ConfigMap/b", "unmanaged", "", "pending-sync"),
        ("ConfigMap/c", "missing", "", "pending-sync"),
    ]


def test_several_sources_share_values_and_one_without_a_checkout_prunes_nothing(gitops: GitOps, helm: Path) -> None:
    del helm
    commit = gitops.commit({**CHART, "values/prod.yaml": "color: green\n"})
    chart = git("chart", helm={"valueFiles": ["$values/values/prod.yaml"]})
    values = {"repoURL": URL, "targetRevision": "main", "ref": "values"}
    other = {**git("elsewhere"), "repoURL": "https://git.example.com/acme/other"}
    applied(gitops, config("web-plain", color="green", size="1", list="") + config("from-other", a="1"))
    create(gitops, application([chart, values]), commit, commit)

    assert report(gitops).findings == [("ConfigMap/from-other", "unmanaged", "", "pending-sync")]

    gitops.kubectl("delete", "application.argoproj.io", "web")
    create(gitops, application([chart, values, other]), commit, commit, "0" * 40)
    scanned = report(gitops)
    assert (scanned.status, scanned.findings) == (3, [])
    names = {source["name"].partition("web ")[2]: source["message"] for source in scanned.document["sources"]}
    assert names["source 1"] == "Synced, Healthy"
    assert "no local checkout of https://git.example.com/acme/other" in names["source 3"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (git("dir", plugin={"name": "x"}), "plugin of Argo CD"),
        (git("dir", directory={"jsonnet": {"libs": ["x"]}}), "directory.jsonnet is not supported"),
        (git("jsonnet"), "is jsonnet"),
        (git("none"), "the path none does not exist"),
        (git("dir", kustomize={"namePrefix": "x-"}), "no kustomization in its path"),
        (git("override"), ".argocd-source.yaml, which changes its parameters"),
        (git("chart", helm={"valueFiles": ["../../outside.yaml"]}), "is outside the repository"),
        (git("chart", helm={"valueFiles": ["https://example.com/values.yaml"]}), "is a URL"),
        (git("chart", helm={"parameters": [{"name": "a", "value": "$ARGOCD_APP_NAME"}]}), "contains a variable"),
        ({"repoURL": "https://charts.example.com", "chart": "web", "targetRevision": "1.0.0"}, "helm pull web --repo"),
        ({**git("dir"), "targetRevision": "1.*"}, "a range of versions"),
    ],
)
def test_what_is_not_supported_is_incomplete_with_a_reason(gitops: GitOps, source: dict[str, Any], reason: str) -> None:
    gitops.commit(
        {
            **CHART,
            "dir/a.yaml": CONFIG % ("a", 1),
            "override/.argocd-source.yaml": "{}",
            "override/a.yaml": CONFIG % ("a", 1),
            "jsonnet/a.jsonnet": "{}",
        }
    )
    create(gitops, application(source))

    scanned = report(gitops)

    assert scanned.status == 3
    assert reason in scanned.document["sources"][0]["message"]


def test_a_downloaded_chart_is_a_checkout(gitops: GitOps, helm: Path) -> None:
    del helm
    gitops.commit({"README.md": ""})
    for name, text in CHART.items():
        file = gitops.scratch / "charts" / name.replace("chart/", "web/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    applied(gitops, config("web-plain", color="red", size="1", list=""))
    source = {"repoURL": "https://charts.example.com", "chart": "web", "targetRevision": "1.0.0"}
    create(gitops, application(source), "1.0.0")
    checkout = f"https://charts.example.com={gitops.scratch}/charts"

    assert report(gitops, "--checkout", checkout).findings == []


def test_an_application_for_another_cluster_is_not_compared(gitops: GitOps) -> None:
    gitops.commit({"dir/a.yaml": CONFIG % ("a", 1)})
    create(gitops, application(git("dir"), server="https://other.example.com"))

    scanned = report(gitops)

    assert scanned.status == 3
    (error,) = scanned.document["errors"]
    assert "it is applied to another cluster (https://other.example.com), so there is nothing to compare" in error


def test_another_name_of_the_cluster_is_known_by_the_objects_of_its_applications(gitops: GitOps) -> None:
    commit = gitops.commit({"dir/a.yaml": CONFIG % ("a", 1)})
    applied(gitops, config("a", a="1"))
    body = application(git("dir"))
    body["spec"]["destination"] = {"name": "mgmt", "namespace": "NAMESPACE"}
    create(gitops, body, commit)
    assert report(gitops).status == 3

    resources = [{"version": "v1", "kind": "ConfigMap", "namespace": gitops.namespace, "name": "a"}]
    patch = ("--type=merge", "--patch", json.dumps({"status": {"resources": resources}}))
    gitops.kubectl("patch", "application.argoproj.io", "web", *patch)

    scanned = report(gitops)
    assert (scanned.status, scanned.findings) == (0, [])
    gitops.kubectl("patch", "configmap", "a", "--type=merge", "--patch", '{"data": {"edited": "by hand"}}')
    assert report(gitops).findings == [("ConfigMap/a", "added", "data.edited", "manual")]


def test_a_tag_is_read_at_its_commit(gitops: GitOps) -> None:
    commit = gitops.commit({"dir/a.yaml": CONFIG % ("a", 1)})
    gitops.git("tag", "v1")
    gitops.commit({"dir/a.yaml": CONFIG % ("a", 2)})
    applied(gitops, config("a", a="1"))
    create(gitops, application({**git("dir"), "targetRevision": "v1"}), commit)

    assert (report(gitops).status, report(gitops).findings) == (0, [])
