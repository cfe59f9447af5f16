"""``--flux`` compares the cluster with what Flux applies: what it has still to apply differs from what it would undo.

Objects are applied as kustomize-controller does it: Flux's own libraries render them, and its field manager owns them.
"""

import json
import secrets
import shutil
import subprocess
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import pytest

from drift.api import open_cluster, source_context
from drift.config.settings import RequestKind, SourceRequest
from drift.sources.resolve import cluster_states
from tests.drift.conftest import Application
from tests.drift.samples import web
from tests.drift.sources.conftest import URL, GitOps
from tests.drift.test_planted_secrets import CORE, everything, holds, said
from tests.drift.watch.conftest import Start, eventually, start
from tools.sandbox.cluster import Cluster
from tools.sandbox.flux_oracle import ask
from tools.sandbox.syncers import Syncer, sync

__all__ = ["start"]  # a fixture
pytestmark = pytest.mark.usefixtures("controller_crds", "flux_oracle")

DEPLOYMENT = web("""\
image: "nginx:${tag}"
env: [{name: MODE, value: "${mode:=fast}"}]
envFrom: [{configMapRef: {name: settings}}]
""")
FILES = {
    "base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: settings, literals: [color=red]}]\n",
    "base/web.yaml": DEPLOYMENT,
    "apps/kustomization.yaml": "namespace: NAMESPACE\nresources: [../base, extra.yaml]\n",
    "apps/extra.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: extra}\ndata: {a: '1'}\n",
}
SPEC = {
    "interval": "10m",
    "path": "./apps",
    "prune": True,
    "sourceRef": {"kind": "GitRepository", "name": "apps"},
    "postBuild": {"substitute": {"tag": "1.29"}, "substituteFrom": [{"kind": "ConfigMap", "name": "vars"}]},
}
CONTAINER = "spec.template.spec.containers[name=web]"


def kustomization(spec: dict[str, Any] | None = None, name: str = "apps") -> dict[str, Any]:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name},
        "spec": SPEC if spec is None else spec,
    }


def status(commit: str, *, ready: str = "True", message: str = "") -> dict[str, Any]:
    """The status of a Kustomization as kustomize-controller 1.9 writes it."""
    revision = f"main@sha1:{commit}"
    time = "2026-11-29T10:00:00Z"
    return {
        "conditions": [
            {
                "type": "Ready",
                "status": ready,
                "reason": "ReconciliationSucceeded" if ready == "True" else "ReconciliationFailed",
                "message": message or f"Applied revision: {revision}",
                "lastTransitionTime": time,
                "observedGeneration": 1,
            }
        ],
        "inventory": {"entries": []},
        "lastAppliedRevision": revision,
        "lastAttemptedRevision": revision,
        "observedGeneration": 1,
    }


@pytest.fixture
def namespace_of_another(cluster: Cluster) -> str:
    """Another namespace."""
    name = f"test-{secrets.token_hex(4)}"
    cluster.create_namespace(name)
    return name


@pytest.fixture
def applied(gitops: GitOps) -> Callable[..., str]:
    """Commits files, applies what Flux renders of them, and records that; returns the commit."""

    def apply(files: dict[str, str] = FILES, spec: dict[str, Any] | None = None, **recorded: Any) -> str:
        commit = gitops.commit(files)
        gitops.kubectl("create", "configmap", "vars", "--from-literal=mode=slow")
        repository = {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": "apps"},
            "spec": {"interval": "1m", "url": f"ssh://git@{URL.removeprefix('https://')}", "ref": {"branch": "main"}},
        }
        gitops.create(repository, "flux")
        made = kustomization(spec)
        copy = gitops.scratch / "copy"
        shutil.copytree(gitops.root, copy, ignore=shutil.ignore_patterns(".git"))
        variables = {"metadata": {"name": "vars", "namespace": gitops.namespace}, "data": {"mode": "slow"}}
        for_flux = {**made, "metadata": {"name": "apps", "namespace": gitops.namespace}}
        output = ask({"root": str(copy), "kustomization": for_flux, "configMaps": [variables]})
        file = gitops.scratch / "applied.yaml"
        file.write_text(output)
        sync(gitops.cluster, Syncer.FLUX, file, namespace=gitops.namespace, owner="apps")
        labels = f"kustomize.toolkit.fluxcd.io/namespace={gitops.namespace}"
        gitops.kubectl("label", "--overwrite", "--field-manager=kustomize-controller", "-f", str(file), labels)
        gitops.create({**made, "status": status(commit, **recorded)}, "kustomize-controller")
        return commit

    return apply


def test_what_flux_applied_is_in_sync(gitops: GitOps, applied: Callable[..., str]) -> None:
    commit = applied()

    scanned = gitops.flux()

    assert (scanned.status, scanned.findings) == (0, [])
    [source] = scanned.document["sources"]
    assert (source["kind"], source["name"]) == ("flux-kustomization", f"Kustomization {gitops.namespace}/apps")
    assert (source["path"], source["revision"], source["syncedRevision"]) == ("apps", commit, commit)
    assert (source["suspended"], source["ready"], source["objects"]) == (False, True, 3)


def test_an_edit_and_a_commit_that_is_not_applied_yet_have_another_cause(
    gitops: GitOps, applied: Callable[..., str]
) -> None:
    applied()
    settings = json.loads(gitops.kubectl("get", "configmap", "-o", "json"))
    [generated] = [
        item["metadata"]["name"] for item in settings["items"] if item["metadata"]["name"].startswith("settings-")
    ]
    gitops.kubectl("set", "env", "deployment/web", "MODE=broken")
    gitops.kubectl("scale", "deployment/web", "--replicas=3")
    gitops.kubectl("delete", "configmap", generated)
    gitops.commit(
        {
            "base/web.yaml": DEPLOYMENT.replace("nginx:", "httpd:"),
            "apps/kustomization.yaml": "namespace: NAMESPACE\nresources: [../base, new.yaml]\n",
            "apps/new.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: new}\n",
        }
    )

    scanned = gitops.flux("--unmanaged", "namespace", "--checkout", str(gitops.root))

    assert scanned.status == 1
    places = {item["name"].partition("-")[0]: item["source"] for item in scanned.document["objects"]}
    assert {name: place["file"] for name, place in places.items() if place} == {
        "new": "apps/new.yaml",
        "settings": "base/kustomization.yaml",
        "web": "base/web.yaml",
    }
    assert sorted(scanned.findings) == sorted(
        [
            ("ConfigMap/extra", "unmanaged", "", "pending-sync"),
            ("ConfigMap/new", "missing", "", "pending-sync"),
            ("ConfigMap/vars", "unmanaged", "", "manual"),
            (f"ConfigMap/{generated}", "missing", "", "manual"),
            ("Deployment/web", "changed", f"{CONTAINER}.env[name=MODE].value", "manual"),
            ("Deployment/web", "changed", f"{CONTAINER}.image", "pending-sync"),
            ("Deployment/web", "changed", "spec.replicas", "manual"),
        ]
    )


def test_an_object_in_the_inventory_that_git_dropped_is_found_in_any_namespace(
    gitops: GitOps, applied: Callable[..., str], namespace_of_another: str
) -> None:
    applied()
    labels = {"name": "apps", "namespace": gitops.namespace}
    metadata = {
        "name": "left",
        "labels": {f"kustomize.toolkit.fluxcd.io/{key}": value for key, value in labels.items()},
    }
    body = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    apply = ("apply", "--server-side", "--field-manager=kustomize-controller", "-n", namespace_of_another, "-f", "-")
    gitops.cluster.kubectl(*apply, stdin=body)
    entries = [{"id": f"{namespace_of_another}_{name}__ConfigMap", "v": "v1"} for name in ("left", "gone")]
    patch = json.dumps({"status": {"inventory": {"entries": entries}}})
    kustomize = "kustomization.kustomize.toolkit.fluxcd.io"
    gitops.kubectl("patch", kustomize, "apps", "--subresource=status", "--type=merge", "--patch", patch)

    assert gitops.flux().findings == []
    assert ("ConfigMap/left", "unmanaged", "", "pending-sync") in gitops.flux("--unmanaged", "namespace").findings

    gitops.kubectl("patch", kustomize, "apps", "--type=merge", "--patch", '{"spec": {"prune": false}}')
    kept = gitops.flux("--unmanaged", "namespace")

    setting = f"prune: false of Kustomization {gitops.namespace}/apps"
    [left] = [item for item in kept.document["objects"] if item["name"] == "left"]
    assert left["reason"] == f"it has been removed from Git, but is kept on purpose ({setting})"
    assert left["findings"][0]["ignored"] == {"rule": setting, "reason": "what applied this object does not prune"}


def test_what_explains_the_findings_of_a_source_is_said(gitops: GitOps, applied: Callable[..., str]) -> None:
    ignore = [{"paths": ["/spec/replicas"], "target": {"kind": "Deploy.*"}}]
    applied(spec={**SPEC, "ignore": ignore})
    gitops.kubectl("scale", "deployment/web", "--replicas=3")
    gitops.kubectl("set", "env", "deployment/web", "MODE=broken")
    name = f"Kustomization {gitops.namespace}/apps"

    scanned = gitops.flux()
    assert scanned.document["notes"] == [f"{name}: Flux says that it is ready, and has not reverted one edit by hand"]
    assert scanned.document["summary"]["findings"]["ignored"] == 1

    history = [{"digest": "x", "firstReconciled": "2026-01-01T00:00:00Z", "lastReconciled": "2026-01-01T00:00:00Z"}]
    more = {
        "lastReconciledDuration": "1s",
        "lastReconciledStatus": "ReconciliationSucceeded",
        "totalReconciliations": 1,
    }
    patch = {"status": {"history": [history[0] | more]}}
    kustomize = "kustomization.kustomize.toolkit.fluxcd.io"
    gitops.kubectl("patch", kustomize, "apps", "--subresource=status", "--type=merge", "--patch", json.dumps(patch))
    assert any("Flux reconciled it last on 2026-01-01" in note for note in gitops.flux().document["notes"])

    gitops.kubectl("patch", kustomize, "apps", "--type=merge", "--patch", '{"spec": {"suspend": true}}')
    scanned = gitops.flux()
    assert any(
        note.startswith(f"{name}: it is suspended, so Flux neither applies") for note in scanned.document["notes"]
    )
    assert scanned.document["sources"][0]["suspended"] is True


def test_a_stale_checkout_is_compared_at_the_applied_commit(gitops: GitOps, applied: Callable[..., str]) -> None:
    before = gitops.commit({"README.md": "old"})
    applied()
    gitops.git("checkout", "--quiet", before)

    scanned = gitops.flux()

    assert (scanned.status, scanned.findings) == (0, [])
    assert any("the checkout is one commit behind" in note for note in scanned.document["notes"])


def test_without_the_applied_commit_the_cause_is_unknown_and_said(gitops: GitOps, applied: Callable[..., str]) -> None:
    applied()
    gitops.kubectl(
        "patch", "kustomization.kustomize.toolkit.fluxcd.io", "apps", "--subresource=status", "--type=merge",
        "--patch", json.dumps({"status": {"lastAppliedRevision": f"main@sha1:{'0' * 40}"}}),
    )  # fmt: skip

    scanned = gitops.flux()

    assert scanned.findings == []
    assert any("fetch origin" in note for note in scanned.document["notes"])


def test_a_watch_reads_a_kustomization_again_if_it_or_what_it_refers_to_changes(
    gitops: GitOps, applied: Callable[..., str]
) -> None:
    applied()
    gitops.create(HELM_RELEASE | {"spec": SHOP | {"releaseName": "web"}}, "flux")
    server = open_cluster(str(gitops.cluster.kubeconfig))
    requests = [SourceRequest(RequestKind.FLUX, f"{gitops.namespace}/{name}") for name in ("apps", "shop")]
    kustomize = "kustomization.kustomize.toolkit.fluxcd.io/apps"
    repository = "gitrepository.source.toolkit.fluxcd.io/apps"
    stored = ("--from-literal=release=x", "--dry-run=client", "--output=json")
    revision = json.loads(gitops.kubectl("create", "secret", "generic", "sh.helm.release.v1.web.v1", *stored))
    revision["metadata"]["labels"] = {"owner": "helm", "name": "web", "status": "deployed"}

    def ask() -> dict[SourceRequest, Hashable]:
        return dict(cluster_states(requests, source_context(server, gitops.namespace)))

    states = [ask()]
    assert ask() == states[0]

    def patch(what: str, body: dict[str, Any], *where: str) -> None:
        gitops.kubectl("patch", what, *where, "--type=merge", "--patch", json.dumps(body))
        states.append(ask())

    patch(kustomize, {"status": {"lastAppliedRevision": f"main@sha1:{'0' * 40}"}}, "--subresource=status")
    patch(kustomize, {"spec": {"suspend": True}})
    patch(repository, {"spec": {"ignore": "extra.yaml"}})
    patch("configmap/vars", {"data": {"mode": "fast"}})
    gitops.kubectl("create", "-f", "-", stdin=json.dumps(revision))
    states.append(ask())

    apps, shop = ([state[request] for state in states] for request in requests)
    assert len(set(apps[:5])) == 5
    assert apps[4] == apps[5]
    assert len({*shop[:5]}) == 1
    assert shop[5] != shop[4]


def test_a_watch_builds_a_kustomization_again_when_a_base_of_its_checkout_changes(
    gitops: GitOps, applied: Callable[..., str], workspace: Application, start: Start
) -> None:
    applied()
    workspace.write("apiVersion: v1\nkind: Namespace\nmetadata: {name: NAMESPACE}\n")
    watching = start("--flux", f"{gitops.namespace}/apps", "--checkout", str(gitops.root), "--unmanaged=off")
    assert watching.findings() == []

    gitops.write({"base/web.yaml": DEPLOYMENT.replace("nginx:", "httpd:")})

    image = ("Deployment/web", "changed", f"{CONTAINER}.image", "pending-sync")
    eventually(lambda: watching.findings() == [image], watching.findings)


def test_values_of_secrets_are_not_compared_and_not_read(
    gitops: GitOps, applied: Callable[..., str], stderr: Callable[[], str]
) -> None:
    spec = {**SPEC, "postBuild": {"substituteFrom": [{"kind": "Secret", "name": "hidden", "optional": True}]}}
    applied(spec=spec)
    gitops.kubectl("create", "secret", "generic", "hidden", "--from-literal=tag=planted")
    gitops.kubectl("set", "image", "deployment/web", "web=nginx:planted")

    scanned = gitops.flux()

    assert (scanned.status, scanned.findings) == (0, [])
    [web] = [item for item in scanned.document["objects"] if item["name"] == "web"]
    assert [item["path"] for item in web["notCompared"]] == [f"{CONTAINER}.env[name=MODE].value", f"{CONTAINER}.image"]
    assert "it comes from the Secret" in web["notCompared"][0]["reason"]
    assert [one["substitutes"] for one in scanned.document["sources"] if one["kind"] == "flux-kustomization"] == [True]
    assert "planted" not in json.dumps(scanned.document) + stderr()


@pytest.mark.parametrize("is_base_known", [True, False])
def test_values_of_secrets_that_a_commit_moves_out_are_not_shown_before_the_sync(
    gitops: GitOps, applied: Callable[..., str], is_base_known: bool
) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {%s}\n"
    before = config % "token: 'x-${tag}', url: 'db://app:${tag}@db', level: info"
    spec = {**SPEC, "postBuild": {"substituteFrom": [{"kind": "Secret", "name": "hidden", "optional": True}]}}
    applied({"apps/kustomization.yaml": "namespace: NAMESPACE\nresources: [app.yaml]\n", "apps/app.yaml": before}, spec)
    data = {"token": "x-planted", "url": "db://app:planted@db"}
    patch = ("--type=merge", "--field-manager=kustomize-controller", "--patch", json.dumps({"data": data}))
    gitops.kubectl("patch", "configmap", "app", *patch)
    gitops.commit({"apps/app.yaml": config % "url: 'db://db', level: debug"})
    if not is_base_known:
        kind = "kustomization.kustomize.toolkit.fluxcd.io"
        unknown = json.dumps({"status": {"lastAppliedRevision": f"main@sha1:{'0' * 40}"}})
        gitops.kubectl("patch", kind, "apps", "--subresource=status", "--type=merge", "--patch", unknown)

    scanned = gitops.flux()

    [app] = scanned.document["objects"]
    assert {(one["path"], one["change"], one["redacted"]) for one in app["findings"]} == {
        ("data.level", "changed", not is_base_known),
        ("data.token", "added", True),
        ("data.url", "changed", True),
    }
    assert "planted" not in json.dumps(scanned.document)
    assert any("are not shown" in note for note in scanned.document["notes"]) != is_base_known


def test_values_of_secrets_are_compared_if_a_setting_allows_it_and_are_in_no_output(
    gitops: GitOps, applied: Callable[..., str]
) -> None:
    post_build = {"substituteFrom": [{"kind": "Secret", "name": "hidden", "optional": True}]}
    applied(spec={**SPEC, "postBuild": post_build})
    gitops.kubectl("create", "secret", "generic", "hidden", f"--from-literal=tag={CORE}", "--from-literal=mode=3")
    gitops.kubectl("set", "image", "deployment/web", f"web=nginx:{CORE}", "--field-manager=kustomize-controller")
    gitops.kubectl("set", "env", "deployment/web", "MODE=3", "--field-manager=kustomize-controller")
    Path("drift.yaml").write_text("flux: {readSecrets: true}\n")
    flags = ["--kubeconfig", str(gitops.cluster.kubeconfig), "-n", gitops.namespace, "--unmanaged=off"]
    flags += ["--flux", f"{gitops.namespace}/apps"]

    scanned = gitops.flux()

    assert (scanned.status, scanned.findings) == (0, [])
    [web] = [item for item in scanned.document["objects"] if item["name"] == "web"]
    assert web["notCompared"] == [
        {
            "path": f"{CONTAINER}.env[name=MODE].value",
            "reason": "it comes from a Secret of substituteFrom, and is not text",
        }
    ]

    gitops.kubectl("set", "image", "deployment/web", f"web=nginx:old-{CORE}")
    gitops.kubectl("set", "env", "deployment/web", f"EXTRA={CORE}")
    found, text = everything(flags, gitops.scratch)

    assert found == 1
    report = json.loads((gitops.scratch / "report.json").read_text())
    [web] = [item for item in report["objects"] if item["name"] == "web"]
    assert {(finding["path"], finding["change"], finding["redacted"]) for finding in web["findings"]} == {
        # What Flux applied is not known, so the name may be a value of a Secret, too.
        (f"{CONTAINER}.env", "changed", True),
        (f"{CONTAINER}.image", "changed", True),
    }
    for action in ("adopt", "revert", "guard"):
        text += said([action, str(gitops.scratch / "report.json")])[1]
    assert not holds(text, CORE)

    status, text = everything([*flags, "--as", "system:serviceaccount:default:no-rights"], gitops.scratch)
    assert status == 3
    assert not holds(text, CORE)


def test_a_build_that_fails_is_incomplete_and_hides_nothing_else(gitops: GitOps, applied: Callable[..., str]) -> None:
    applied()
    gitops.create(kustomization({**SPEC, "path": "./none"}, "broken"), "flux")
    gitops.create(kustomization({**SPEC, "kubeConfig": {"secretRef": {"name": "x"}}}, "elsewhere"), "flux")
    gitops.create(kustomization({**SPEC, "sourceRef": {"kind": "GitRepository", "name": "none"}}, "homeless"), "flux")
    gitops.kubectl("scale", "deployment/web", "--replicas=3")

    scanned = gitops.flux(names=("apps", "broken", "elsewhere", "homeless"))

    assert scanned.status == 3
    assert scanned.findings == [("Deployment/web", "changed", "spec.replicas", "manual")]
    messages = {source["name"].rpartition("/")[2]: source["message"] for source in scanned.document["sources"]}
    assert "the path ./none does not exist in the repository" in messages["broken"]
    assert messages["elsewhere"] == "it is applied to another cluster (spec.kubeConfig)"
    assert "GitRepository" in messages["homeless"]
    assert "does not exist" in messages["homeless"]


def test_no_checkout_is_an_error_that_says_what_to_do(
    gitops: GitOps, applied: Callable[..., str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    applied()
    monkeypatch.chdir(tmp_path)

    scanned = gitops.flux()

    assert scanned.status == 3
    assert "name one with --checkout PATH" in scanned.document["sources"][0]["message"]


def test_a_name_that_does_not_exist_is_said(gitops: GitOps) -> None:
    assert "with this name" in gitops.report("--flux", "nothing").document["sources"][0]["message"]


SHOP: dict[str, Any] = {
    "interval": "10m",
    "chart": {"spec": {"chart": "web", "sourceRef": {"kind": "HelmRepository", "name": "charts"}}},
    "driftDetection": {"mode": "warn", "ignore": [{"paths": ["/data/ignored"]}]},
}
HELM_RELEASE = {
    "apiVersion": "helm.toolkit.fluxcd.io/v2",
    "kind": "HelmRelease",
    "metadata": {"name": "shop"},
    "spec": SHOP,
}


def test_a_helm_release_is_what_helm_recorded_and_is_compared_once(gitops: GitOps, helm: Path) -> None:
    gitops.write(
        {
            "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
            "web/templates/config.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: '1'}\n",
        }
    )
    install = [str(helm), "install", "web", "web", "--namespace", gitops.namespace]
    subprocess.run(install, check=True, capture_output=True, cwd=gitops.root, env=gitops.cluster.environment)
    history = {
        "name": "web",
        "namespace": gitops.namespace,
        "version": 1,
        "chartName": "web",
        "chartVersion": "1.0.0",
        "configDigest": "sha256:0",
        "digest": "sha256:0",
        "firstDeployed": "2026-11-29T10:00:00Z",
        "lastDeployed": "2026-11-29T10:00:00Z",
        "status": "deployed",
    }
    ready = {**status("0" * 40)["conditions"][0], "message": "Helm install succeeded"}
    body = {**HELM_RELEASE, "status": {"history": [history], "conditions": [ready]}}
    gitops.create(body, "helm-controller")
    release = ("--helm-release", f"{gitops.namespace}/web")

    scanned = gitops.flux(*release, names=("shop",))
    assert (scanned.status, scanned.findings) == (0, [])
    [source] = scanned.document["sources"]
    assert (source["kind"], source["revision"]) == ("flux-helm-release", "1 (web 1.0.0)")

    patch = '{"data": {"ignored": "x", "edited": "by hand"}}'
    gitops.kubectl("patch", "configmap", "web", "--type=merge", "--patch", patch)
    scanned = gitops.flux(*release, names=("shop",))
    ignored = {
        finding["path"]: finding["ignored"] and finding["ignored"]["rule"]
        for item in scanned.document["objects"]
        for finding in item["findings"]
    }
    assert ignored == {"data.edited": None, "data.ignored": f"ignore of HelmRelease {gitops.namespace}/shop"}
    assert scanned.status == 1


def test_a_helm_release_that_is_not_installed_is_incomplete(gitops: GitOps) -> None:
    gitops.create({**HELM_RELEASE, "metadata": {"name": "new"}}, "flux")

    scanned = gitops.flux(names=("new",))

    assert scanned.status == 3
    assert "Flux has not installed it" in scanned.document["sources"][0]["message"]
