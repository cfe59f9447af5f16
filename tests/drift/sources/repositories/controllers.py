"""Does what Flux, Argo CD and Helm do with a repository: renders it, applies the objects, and records the sync."""

import base64
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.drift.sources.conftest import GitOps
from tools.sandbox.flux_oracle import ask

_NOW = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
Object = dict[str, Any]


@dataclass(frozen=True)
class Controllers:
    """Controllers that sync the work tree as it is.

    Attributes:
        gitops: The work tree, the cluster and the namespace.
        kustomize: The program.
        helm: The program.
        commit: Of the work tree.
    """

    gitops: GitOps
    kustomize: Path
    helm: Path
    commit: str

    def install(self, *arguments: str) -> None:
        """Installs a release with Helm."""
        place = ("--kubeconfig", str(self.gitops.cluster.kubeconfig), "--namespace", self.gitops.namespace)
        self._run(self.helm, "install", *arguments, *place)

    def apply(self, path: str) -> None:
        """Applies a folder of manifests, or a kustomization, in the way of Flux."""
        self._apply(self._rendered(path), "kustomize-controller")

    # -- Flux

    def flux(self, file: str) -> None:
        """Applies the objects of a file, and then what its Kustomizations and all that come from these describe."""
        waiting = self._applied_by_flux(_objects((self.gitops.root / file).read_text()), None)
        while waiting:
            kustomization = waiting.pop(0)
            objects = _decrypted(_objects(self._built_by_flux(kustomization)))
            _add_metadata(objects, kustomization["spec"].get("commonMetadata", {}))
            name = kustomization["metadata"]["name"]
            # A Kustomization may apply itself.
            children = self._applied_by_flux(objects, name)
            waiting += [child for child in children if child["metadata"]["name"] != name]
            self._record(kustomization, self._status_of_kustomization())

    def _applied_by_flux(self, objects: Sequence[Object], owner: str | None) -> list[Object]:
        if owner is not None:
            marks = {"name": owner, "namespace": self.gitops.namespace}
            for item in objects:
                labels = item["metadata"].setdefault("labels", {})
                labels |= {f"kustomize.toolkit.fluxcd.io/{key}": value for key, value in marks.items()}
        self._apply(objects, "kustomize-controller")
        for item in objects:
            if item["kind"] == "HelmRelease":
                self._release(item)
        return [item for item in objects if item["apiVersion"].startswith("kustomize.toolkit.fluxcd.io/")]

    def _built_by_flux(self, kustomization: Object) -> str:
        copy = self.gitops.scratch / "copy"
        shutil.copytree(self.gitops.root, copy, ignore=shutil.ignore_patterns(".git"))
        try:
            variables = json.loads(self.gitops.kubectl("get", "configmaps", "-o", "json"))["items"]
            return ask({"root": str(copy), "kustomization": kustomization, "configMaps": variables})
        finally:
            shutil.rmtree(copy)

    def _status_of_kustomization(self) -> Object:
        revision = f"main@sha1:{self.commit}"
        return {
            "conditions": [_ready("ReconciliationSucceeded", f"Applied revision: {revision}")],
            "lastAppliedRevision": revision,
            "lastAttemptedRevision": revision,
            "observedGeneration": 1,
        }

    def _release(self, release: Object) -> None:
        name, spec = release["metadata"]["name"], release["spec"]
        values = self.gitops.scratch / "values.yaml"
        values.write_text(json.dumps(spec.get("values", {})))
        self.install(name, str(self.gitops.root / spec["chart"]["spec"]["chart"]), "--values", str(values))
        times = {"firstDeployed": _NOW, "lastDeployed": _NOW}
        chart = {"chartName": name, "chartVersion": "1.0.0", "configDigest": "sha256:0", "digest": "sha256:0"}
        installed = {"name": name, "namespace": self.gitops.namespace, "version": 1, "status": "deployed"}
        history = [{**installed, **chart, **times}]
        conditions = [_ready("InstallSucceeded", "Helm install succeeded")]
        self._record(release, {"history": history, "conditions": conditions, "observedGeneration": 1})

    def _record(self, item: Object, status: Object) -> None:
        kind = f"{item['kind']}.{item['apiVersion'].partition('/')[0]}"
        patch = json.dumps({"status": status})
        self.gitops.kubectl(
            *("patch", kind, item["metadata"]["name"], "--subresource=status"),
            *("--field-manager=gotk-controller", "--type=merge", "--patch", patch),
        )

    # -- Argo CD

    def argocd(self, file: str, generated: Sequence[Object]) -> None:
        """Syncs the Application of a file, and all that come from it.

        Args:
            file: The file.
            generated: The Applications that an ApplicationSet makes.
        """
        waiting = _objects((self.gitops.root / file).read_text())
        self._apply(waiting, "kubectl-create")
        while waiting:
            application = waiting.pop(0)
            spec, name = application["spec"], application["metadata"]["name"]
            sources = spec.get("sources") or [spec["source"]]
            rendered = [item for source in sources if "path" in source for item in self._of_source(name, source)]
            objects = [item for item in rendered if "argocd.argoproj.io/hook" not in _annotations(item)]
            for item in objects:
                group, place = (
                    item["apiVersion"].rpartition("/")[0],
                    f"{self.gitops.namespace}/{item['metadata']['name']}",
                )
                mark = {"argocd.argoproj.io/tracking-id": f"{name}:{group}/{item['kind']}:{place}"}
                item["metadata"]["annotations"] = _annotations(item) | mark
            self._apply(objects, "argocd-controller")
            self._synced(application)
            waiting += [item for item in objects if item["kind"] == "Application"]
            waiting += [
                made for item in objects if item["kind"] == "ApplicationSet" for made in self._made(item, generated)
            ]

    def _made(self, application_set: Object, generated: Sequence[Object]) -> list[Object]:
        name = application_set["metadata"]["name"]
        uid = self.gitops.kubectl("get", "applicationset.argoproj.io", name, "-o", "jsonpath={.metadata.uid}")
        head = {key: application_set[key] for key in ("apiVersion", "kind")}
        owner = {**head, "name": name, "uid": uid, "controller": True, "blockOwnerDeletion": True}
        made = [
            {**head, "kind": "Application", **item, "metadata": {**item["metadata"], "ownerReferences": [owner]}}
            for item in generated
        ]
        self._apply(made, "argocd-applicationset-controller")
        return made

    def _of_source(self, name: str, source: Object) -> list[Object]:
        folder, options = self.gitops.root / source["path"], source.get("helm", {})
        if not (folder / "Chart.yaml").exists():
            return self._rendered(source["path"], *source.get("kustomize", {}).get("images", ()))
        flags = [f"--set={item['name']}={item['value']}" for item in options.get("parameters", ())]
        for file in options.get("valueFiles", ()):
            values = self.gitops.root / file.removeprefix("$values/") if file.startswith("$") else folder / file
            flags.append(f"--values={values}")
        release = options.get("releaseName", name)
        return _objects(self._run(self.helm, "template", release, str(folder), *flags))

    def _synced(self, application: Object) -> None:
        spec = application["spec"]
        several = "sources" in spec
        sources = {key: spec[key] for key in ("source", "sources") if key in spec}
        revisions = {"revisions": [self.commit] * len(spec["sources"])} if several else {"revision": self.commit}
        times = {"deployStartedAt": _NOW, "deployedAt": _NOW}
        status = {
            "history": [{"id": 0, **times, **({"source": {"repoURL": ""}} if several else {}), **sources, **revisions}],
            "health": {"status": "Healthy"},
            "sync": {"status": "Synced", "comparedTo": {"destination": spec["destination"], **sources}},
            "reconciledAt": _NOW,
        }
        patch = ("--type=merge", "--patch", json.dumps({"status": status}))
        self.gitops.kubectl(
            *("patch", "application.argoproj.io", application["metadata"]["name"], *patch),
            "--field-manager=argocd-application-controller",
        )

    # -- both

    def _rendered(self, path: str, *images: str) -> list[Object]:
        folder = self.gitops.root / path
        if not (folder / "kustomization.yaml").exists():
            files = sorted(file for file in folder.rglob("*.yaml") if "apiVersion" in file.read_text())
            return [item for file in files for item in _objects(file.read_text())]
        built = _decrypted(_objects(self._run(self.kustomize, "build", str(folder))))
        for image in images:
            # As `kustomize edit set image` does it.
            name, tag = image.split(":")
            for container in (c for item in built for c in _containers(item) if c["image"].startswith(f"{name}:")):
                container["image"] = f"{name}:{tag}"
        return built

    def _apply(self, objects: Sequence[Object], manager: str) -> None:
        text = "\n---\n".join(map(json.dumps, objects))
        flags = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
        self.gitops.kubectl("apply", *flags, "-f", "-", stdin=text)

    def _run(self, *command: str | Path) -> str:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=self.gitops.root)
        assert done.returncode == 0, done.stderr
        return done.stdout


def _objects(text: str) -> list[Object]:
    return [item for item in yaml.safe_load_all(text) if item]


def _decrypted(objects: Sequence[Object]) -> list[Object]:
    """Returns objects as they are after SOPS has decrypted them."""
    return [json.loads(json.dumps(_plain(item))) for item in objects]


def _plain(item: Object) -> Object:
    if "sops" not in item:
        return item
    kept = {name: value for name, value in item.items() if name != "sops"}
    for name in ("data", "stringData"):
        values: dict[str, str] = kept.get(name, {})
        secret = base64.b64encode(b"hidden").decode() if name == "data" else "hidden"
        kept |= (
            {name: {key: secret if text.startswith("ENC[") else text for key, text in values.items()}} if values else {}
        )
    return kept


def _add_metadata(objects: Sequence[Object], common: Object) -> None:
    for item in objects:
        for field, values in common.items():
            item["metadata"][field] = {**item["metadata"].get(field, {}), **values}


def _annotations(item: Object) -> dict[str, str]:
    return dict(item["metadata"].get("annotations", {}))


def _containers(item: Object) -> Iterator[Object]:
    yield from item.get("spec", {}).get("template", {}).get("spec", {}).get("containers", ())


def _ready(reason: str, message: str) -> Object:
    return {
        "type": "Ready",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": _NOW,
        "observedGeneration": 1,
    }
