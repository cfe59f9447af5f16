"""What Flux's own kustomize-controller applied is in sync. `make test-flux` runs this; it builds for minutes."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.drift.sources.conftest import URL, GitOps
from tools.sandbox.cluster import Cluster
from tools.sandbox.kustomize_controller import Artifacts, find_kustomize_controller, kustomize_controller

pytestmark = [pytest.mark.usefixtures("controller_crds", "controller"), pytest.mark.sandbox]

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: '%s'}\n"
WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: 'web:1'}]}
"""
FILES = {
    "plain/a.yaml": CONFIG % ("plain-a", 1),
    "plain/below/b.yaml": CONFIG % ("plain-b", 1),
    "json/list.json": json.dumps(
        {
            "apiVersion": "v1",
            "kind": "List",
            "items": [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "listed"}}],
        }
    ),
    "json/kustomization.yaml": "resources: [list.json]\n",
    "base/kustomization.yaml": "resources: [web.yaml]\nconfigMapGenerator: [{name: made, literals: [color=red]}]\n",
    "base/web.yaml": WEB % "overlay-web",
    "overlay/kustomization.yaml": "resources: [../base]\nreplicas: [{name: overlay-web, count: 3}]\n",
    "named/a.yaml": CONFIG % ("named", 1),
    "patched/web.yaml": WEB % "patched-web",
    "patched/a.yaml": CONFIG % ("patched-a", 1),
    "with-component/a.yaml": CONFIG % ("with-component", 1),
    "component/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [b.yaml]\n"
    ),
    "component/b.yaml": CONFIG % ("component", 1),
    "marked/web.yaml": WEB % "marked-web",
    "variables/a.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: variables, labels: {tier: "${tier}"}}
data:
  number: port ${number}
  default: ${missing:=fallback}
  upper: ${tier^^}
  escaped: $${tier}
  script: |
    echo ${tier} ${optional:-none}
---
apiVersion: v1
kind: Service
metadata: {name: variables}
spec:
  selector: {app: "${tier}"}
  ports:
  - port: ${number}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: literal
  annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}
data: {script: 'echo ${tier}'}
""",
    "policies/a.yaml": "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, annotations: "
        f"{{kustomize.toolkit.fluxcd.io/{key}: {value}}}}}\ndata: {{a: '1'}}\n"
        for name, key, value in (
            ("if-not-present", "ssa", "IfNotPresent"),
            ("merged", "ssa", "Merge"),
            ("kept", "prune", "disabled"),
        )
    ),
    "ignored/web.yaml": WEB % "ignored-web",
}
#: The fields of each Kustomization, whose path is its name.
FIELDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "json": {},
    "overlay": {"force": True},
    "named": {"namePrefix": "x-", "nameSuffix": "-y"},
    "patched": {
        "images": [{"name": "web", "newName": "registry.example.com/web", "newTag": "2"}],
        "patches": [
            {"patch": "- {op: replace, path: /data/a, value: '2'}", "target": {"kind": "ConfigMap"}},
            {"patch": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: patched-web}\nspec: {replicas: 4}\n"},
        ],
    },
    "with-component": {"components": ["../component"]},
    "marked": {"commonMetadata": {"labels": {"team": "a"}, "annotations": {"example.com/owner": "a"}}},
    "variables": {
        "postBuild": {
            "substitute": {"number": "8080"},
            "substituteFrom": [
                {"kind": "ConfigMap", "name": "vars"},
                {"kind": "ConfigMap", "name": "none", "optional": True},
            ],
        }
    },
    "policies": {"deletionPolicy": "Orphan"},
    "ignored": {"ignore": [{"paths": ["/spec/replicas"], "target": {"kind": "Deployment"}}]},
}
CONTAINER = "spec.template.spec.containers[name=web].image"


@pytest.fixture(scope="session")
def kustomize_controller_program() -> Path:
    """The controller; found before a test changes HOME, where the cache is."""
    return find_kustomize_controller()


@pytest.fixture
def controller(kustomize_controller_program: Path, cluster: Cluster, controller_crds: None) -> Iterator[None]:
    """Runs the controller."""
    del controller_crds
    with kustomize_controller(kustomize_controller_program, cluster) as log:
        yield
        # pytest shows it if the test failed.
        sys.stdout.writelines(line for line in log.read_text().splitlines(keepends=True) if '"level":"error"' in line)


@pytest.fixture
def artifacts(tmp_path: Path) -> Iterator[Artifacts]:
    """Serves the commits that source-controller would serve."""
    folder = tmp_path / "artifacts"
    folder.mkdir()
    with Artifacts(folder) as server:
        yield server


def publish(gitops: GitOps, artifacts: Artifacts, commit: str) -> None:
    """Lets the controller apply a commit, and waits until it has."""
    patch = ("--subresource=status", "--type=merge", "--patch", artifacts.publish(gitops.root, commit))
    gitops.kubectl("patch", "gitrepository.source.toolkit.fluxcd.io", "apps", *patch)
    for name in FIELDS:
        revision = f"--for=jsonpath={{.status.lastAppliedRevision}}=main@sha1:{commit}"
        kind = f"kustomization.kustomize.toolkit.fluxcd.io/{name}"
        gitops.kubectl("wait", kind, revision, "--timeout=60s")
        gitops.kubectl("wait", kind, "--for=condition=Ready", "--timeout=60s")


Found = dict[tuple[str, str, str, str], str | None]


def findings(gitops: GitOps) -> Found:
    """Returns object, change, path and cause of each finding, and what ignores it."""
    scanned = gitops.flux("--unmanaged", "namespace", names=tuple(FIELDS))
    assert scanned.document["errors"] == []
    return {
        (f"{item['kind']}/{item['name']}", finding["change"], finding["path"], finding["cause"]): (
            finding["ignored"] and finding["ignored"]["rule"]
        )
        for item in scanned.document["objects"]
        for finding in item["findings"]
    }


def test_the_reporter_and_the_controller_agree(gitops: GitOps, artifacts: Artifacts) -> None:
    commit = gitops.commit(FILES)
    gitops.kubectl("create", "configmap", "vars", "--from-literal=tier=back")
    source = {"interval": "1h", "url": f"{URL}.git", "ref": {"branch": "main"}}
    head = {"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository", "metadata": {"name": "apps"}}
    gitops.create({**head, "spec": source}, "flux")
    for name, fields in FIELDS.items():
        spec = {
            "interval": "1h",
            "path": f"./{name}",
            "prune": True,
            "targetNamespace": gitops.namespace,
            "sourceRef": {"kind": "GitRepository", "name": "apps"},
            **fields,
        }
        head = {"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": name}}
        gitops.create({**head, "spec": spec}, "flux")
    publish(gitops, artifacts, commit)
    by_hand: Found = {("ConfigMap/vars", "unmanaged", "", "manual"): None}

    assert findings(gitops) == by_hand

    # Edits by hand, and a commit that is not applied yet.
    gitops.kubectl("set", "image", "deployment/overlay-web", "web=web:hand")
    gitops.kubectl("patch", "service", "variables", "-p", '{"spec": {"selector": {"app": "front"}}}')
    gitops.kubectl("delete", "configmap", "x-named-y")
    gitops.kubectl("scale", "deployment/ignored-web", "--replicas=9")
    gitops.kubectl("patch", "configmap", "if-not-present", "-p", '{"data": {"a": "9"}}')
    (gitops.root / "plain/below/b.yaml").unlink()
    (gitops.root / "policies/a.yaml").write_text(FILES["policies/a.yaml"].replace("name: kept", "name: other"))
    commit = gitops.commit(
        {
            "marked/web.yaml": FILES["marked/web.yaml"].replace("web:1", "web:2"),
            "with-component/c.yaml": CONFIG % ("new", 1),
        }
    )

    ignored: Found = {
        ("ConfigMap/if-not-present", "changed", "data.a", "manual"): (
            "annotation kustomize.toolkit.fluxcd.io/ssa: IfNotPresent"
        ),
        ("ConfigMap/kept", "unmanaged", "", "pending-sync"): "annotation kustomize.toolkit.fluxcd.io/prune: disabled",
        ("Deployment/ignored-web", "changed", "spec.replicas", "manual"): (
            f"ignore of Kustomization {gitops.namespace}/ignored"
        ),
    }
    assert findings(gitops) == by_hand | ignored | {
        ("ConfigMap/new", "missing", "", "pending-sync"): None,
        ("ConfigMap/other", "missing", "", "pending-sync"): None,
        ("ConfigMap/plain-b", "unmanaged", "", "pending-sync"): None,
        ("ConfigMap/x-named-y", "missing", "", "manual"): None,
        ("Deployment/marked-web", "changed", CONTAINER, "pending-sync"): None,
        ("Deployment/overlay-web", "changed", CONTAINER, "manual"): None,
        ("Service/variables", "changed", "spec.selector", "manual"): None,
    }

    # The controller applies the commit, prunes what it dropped, and reverts the edits that it does not ignore.
    publish(gitops, artifacts, commit)

    assert findings(gitops) == by_hand | ignored
