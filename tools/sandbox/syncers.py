"""Applies manifests as the common appliers do, with their field managers and tracking metadata."""

import enum
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tools.sandbox.cluster import Cluster
from tools.sandbox.errors import KubectlError

FLUX_NAMESPACE = "flux-system"
ARGOCD_TRACKING = "argocd.argoproj.io/tracking-id"
ARGOCD_LABEL = "app.kubernetes.io/instance"
KAPP_LABEL = "kapp.k14s.io/app"
KAPP_ASSOCIATION = "kapp.k14s.io/association"
# Other objects need these, so every applier sends them first.
FIRST_KINDS = {"CustomResourceDefinition", "Namespace"}
SUFFIXES = {".json", ".yaml", ".yml"}

Command = tuple[str, ...]


class Syncer(enum.Enum):
    """An applier."""

    FLUX = "flux"
    ARGOCD = "argocd"
    ARGOCD_SERVER_SIDE = "argocd-server-side"
    KUBECTL = "kubectl"
    HELM = "helm"  # as Helm 3 installs; a second sync changes nothing
    HELM_SERVER_SIDE = "helm-server-side"  # as Helm 4 does
    KAPP = "kapp"  # as kapp creates objects; a second sync changes nothing
    ADOPTED = "adopted"  # kubectl create by hand, then taken over by Flux


#: Appliers whose second sync updates existing objects.
TAKING_OVER = tuple(syncer for syncer in Syncer if syncer not in {Syncer.HELM, Syncer.KAPP})
#: Argo CD's `application.resourceTrackingMethod`.
TRACKING_METHODS = ("annotation", "label", "annotation+label")

_FLUX: Command = ("apply", "--server-side", "--force-conflicts", "--field-manager=kustomize-controller")
_COMMANDS: dict[Syncer, tuple[Command, ...]] = {
    Syncer.FLUX: (_FLUX,),
    Syncer.ARGOCD: (("apply", "--field-manager=argocd-controller"),),
    Syncer.ARGOCD_SERVER_SIDE: (("apply", "--server-side", "--force-conflicts", "--field-manager=argocd-controller"),),
    Syncer.KUBECTL: (("apply",),),
    Syncer.HELM: (("create", "--save-config=false", "--field-manager=helm"),),
    Syncer.HELM_SERVER_SIDE: (("apply", "--server-side", "--force-conflicts", "--field-manager=helm"),),
    Syncer.KAPP: (("create", "--save-config=false", "--field-manager=kapp"),),
    Syncer.ADOPTED: (("create", "--save-config=false"), _FLUX),
}
_ARGOCD = {Syncer.ARGOCD, Syncer.ARGOCD_SERVER_SIDE}
_HELM = {Syncer.HELM, Syncer.HELM_SERVER_SIDE}


def sync(
    cluster: Cluster,
    syncer: Syncer,
    manifests: Path,
    *,
    namespace: str = "default",
    owner: str | None = None,
    tracking: str = "annotation",
    label: str = ARGOCD_LABEL,
) -> None:
    """Applies a file, or every YAML and JSON file below a folder.

    Args:
        cluster: The target.
        syncer: The applier to imitate.
        manifests: A file or a folder.
        namespace: The namespace of objects that name none.
        owner: The name of the Flux Kustomization, the Argo CD Application, the Helm release or the kapp app. Every
            object gets its tracking metadata. Without it, and for ``Syncer.KUBECTL``, objects are unchanged.
        tracking: Argo CD's tracking method, one of `TRACKING_METHODS`.
        label: The key of Argo CD's tracking label.

    Raises:
        KubectlError: kubectl refused something; its message is in the error.
    """
    # kubectl --namespace refuses objects of other namespaces; the namespace of a context does not.
    kubeconfig = cluster.kubeconfig_for(namespace=namespace)
    first: list[str] = []
    rest: list[str] = []
    crds: list[str] = []
    for text, kind in _documents(manifests):
        (first if kind in FIRST_KINDS else rest).append(text)
        if kind == "CustomResourceDefinition":
            crds.append(text)
    for number, command in enumerate(_COMMANDS[syncer]):
        for documents in filter(None, (first, rest)):
            text = "---\n".join(documents)
            # Only the last command is that of the applier: adopted objects are created without its metadata.
            if owner is not None and number == len(_COMMANDS[syncer]) - 1:
                text = _marked(cluster, syncer, text, _Marking(owner, namespace, tracking, label))
            _run(cluster, command, text, kubeconfig)
            if documents is first and crds:
                wait_for_crds(cluster, "--filename=-", stdin="---\n".join(crds))


def wait_for_crds(cluster: Cluster, *which: str, stdin: str | None = None) -> None:
    """Waits until the API server serves CRDs: not all, since others may be deleted meanwhile.

    Args:
        cluster: The cluster that has them.
        which: The flags that choose them.
        stdin: Their manifests, for ``--filename=-``.
    """
    # kubectl fails on an object that has no conditions yet; the API server sets both a moment later.
    for condition in ("jsonpath={.status.conditions}", "condition=Established"):
        cluster.kubectl("wait", f"--for={condition}", "--timeout=180s", *which, stdin=stdin)


def _documents(manifests: Path) -> Iterator[tuple[str, str]]:
    """Yields the text and the kind of each object.

    kubectl gets the original text: loading and dumping it could change values such as ``yes``, ``1e3`` and dates.
    """
    files = sorted(manifests.rglob("*")) if manifests.is_dir() else [manifests]
    for file in files:
        if file.suffix in SUFFIXES:
            for text in re.split(r"^---.*\n?", file.read_text(encoding="utf-8"), flags=re.MULTILINE):
                content = yaml.safe_load(text)
                # A kustomization file is not an object of the API server.
                if content and not content.get("apiVersion", "").startswith("kustomize.config.k8s.io/"):
                    yield text.rstrip() + "\n", content["kind"]


def _run(cluster: Cluster, command: Command, text: str, kubeconfig: Path) -> None:
    done = cluster.kubectl(*command, "--filename=-", stdin=text, check=False, kubeconfig=kubeconfig)
    if done.returncode == 0:
        return
    complaints = [line for line in done.stderr.splitlines() if "(AlreadyExists)" not in line]
    # kubectl create continues after existing objects, which a second sync leaves unchanged.
    if command[0] != "create" or complaints:
        raise KubectlError(f"kubectl {' '.join(command)} ended with code {done.returncode}: {done.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class _Marking:
    owner: str
    namespace: str
    tracking: str
    label: str


def _marked(cluster: Cluster, syncer: Syncer, text: str, marking: _Marking) -> str:
    """Returns the objects as JSON with the tracking metadata of the applier."""
    owner, namespace = marking.owner, marking.namespace
    if syncer is Syncer.KUBECTL:
        return text
    if syncer in _HELM:
        release = (f"meta.helm.sh/release-name={owner}", f"meta.helm.sh/release-namespace={namespace}")
        annotated = _edited(cluster, "annotate", text, *release)
        return _edited(cluster, "label", annotated, "app.kubernetes.io/managed-by=Helm")
    if syncer is Syncer.KAPP:
        objects = list(
            json_stream(_edited(cluster, "annotate", text, "kapp.k14s.io/original-diff-md5=c6e94dc94aed3401"))
        )
        return "\n".join(json.dumps(_marked_by_kapp(item, owner, namespace)) for item in objects)
    if syncer not in _ARGOCD:
        prefix = "kustomize.toolkit.fluxcd.io"
        return _edited(cluster, "label", text, f"{prefix}/name={owner}", f"{prefix}/namespace={FLUX_NAMESPACE}")
    objects = list(json_stream(_edited(cluster, "annotate", text, f"{ARGOCD_TRACKING}={owner}")))
    for item in objects:
        _mark_by_argocd(item, marking)
    return "\n".join(json.dumps(item) for item in objects)


def _mark_by_argocd(item: dict[str, Any], marking: _Marking) -> None:
    """As in Argo CD's `SetAppInstance`: CRDs get no tracking metadata."""
    group = item["apiVersion"].rpartition("/")[0]
    metadata = item["metadata"]
    where = f"{metadata.get('namespace', marking.namespace)}/{metadata['name']}"
    is_definition = item["kind"] == "CustomResourceDefinition"
    if marking.tracking == "label" or is_definition:
        del metadata["annotations"][ARGOCD_TRACKING]
    else:
        metadata["annotations"][ARGOCD_TRACKING] = f"{marking.owner}:{group}/{item['kind']}:{where}"
    if marking.tracking != "annotation" and not is_definition:
        metadata["labels"] = {**(metadata.get("labels") or {}), marking.label: marking.owner[:63]}


def _marked_by_kapp(item: dict[str, Any], owner: str, namespace: str) -> dict[str, Any]:
    """As in kapp's default ownership and label scoping rules. The app's label is a number, here made from its name."""
    original = json.dumps(item)
    metadata = item["metadata"]
    key = f"{metadata.get('namespace', namespace)}/{item['apiVersion']}/{item['kind']}/{metadata['name']}"
    app = {KAPP_LABEL: str(int(hashlib.sha256(owner.encode()).hexdigest()[:15], 16))}
    labels = {**app, KAPP_ASSOCIATION: f"v1.{hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()}"}
    metadata["annotations"] |= {"kapp.k14s.io/identity": f"v1;{key}", "kapp.k14s.io/original": original}
    spec = item.get("spec") or {}
    owned = [item]
    if item["kind"] in {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"}:
        owned += [spec["template"], *(spec.get("volumeClaimTemplates") or ())]
        selector = spec.get("selector") or {}
        if selector.get("matchLabels"):
            selector["matchLabels"] |= app
    elif item["kind"] == "CronJob":
        owned.append(spec["jobTemplate"]["spec"]["template"])
    elif item["kind"] == "Service" and spec.get("selector"):
        spec["selector"] |= app
    for part in owned:
        part["metadata"] = part.get("metadata") or {}
        part["metadata"]["labels"] = {**(part["metadata"].get("labels") or {}), **labels}
    return item


def _edited(cluster: Cluster, verb: str, text: str, *pairs: str) -> str:
    """Adds labels or annotations with kubectl."""
    return cluster.kubectl(verb, "--local", "--overwrite", "--output=json", "--filename=-", *pairs, stdin=text).stdout


def json_stream(text: str) -> Iterator[dict[str, Any]]:
    """Yields the objects of concatenated JSON texts, as kubectl prints them."""
    decoder = json.JSONDecoder()
    position = 0
    text = text.strip()
    while position < len(text):
        item, end = decoder.raw_decode(text, position)
        yield item
        position = end + len(text[end:]) - len(text[end:].lstrip())
