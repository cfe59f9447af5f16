"""From charts to a tree of files: which object goes into which file, as what text, and what is no longer made."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from cdk8s import ApiObject, App, Chart

from rescan import quantity, yaml_style
from rescan.constructs.base import FolderChart, validate
from rescan.errors import GeneratorError, ImmutableError, OverwriteError

HEADER = "# Synthesized from rescan/: change it there and run `make synth`.\n"

Object = dict[str, Any]

# A syncer that runs would recreate what is deleted, from the manifest that Git still has.
_STOP = "stop the syncer (docs/backups.md#restore)"
_DELETE = "delete it with `kubectl -n {namespace} delete {kind} {name} --cascade=orphan`, which keeps its pods"
_SYNTHESIZE = "then delete this file and run the synthesis again"
_START = "start the syncer when it has fetched the commit"
_RECREATE = f"{_STOP}, and {_DELETE}; {_SYNTHESIZE}; {_START}"
_RESIZE = f"{_STOP}, resize its claims, as far as their class allows, and {_DELETE}; {_SYNTHESIZE}; {_START}"
_MOVE = (
    f"{_STOP}, scale the application to 0, copy the data into a claim with another name, and delete this one;"
    f" {_SYNTHESIZE}; create the claim from the new file and copy the data back; {_START}"
)
_IMMUTABLE = {
    "Deployment": {"selector": _RECREATE},
    "StatefulSet": {
        "selector": _RECREATE,
        "serviceName": _RECREATE,
        "volumeClaimTemplates": _RESIZE,
    },
    "PersistentVolumeClaim": {"accessModes": _MOVE, "storageClassName": _MOVE},
}
"""For each kind, fields of the spec that the API server does not let change, and the way out."""


def manifest_files(app: App) -> dict[str, str]:
    """The text of every manifest of an app, by its path below the output folder.

    Raises:
        BrokenRulesError: A construct breaks a rule.
        OverwriteError: Two objects would be written to one file.
    """
    validate(app)
    objects = objects_by_path(app)
    for chart in _charts(app):
        if chart.kustomized:
            objects[f"{chart.folder}/kustomization.yaml"] = _kustomization(objects, chart.folder)
    return {path: HEADER + yaml_style.dump(manifest) for path, manifest in objects.items()}


def objects_by_path(app: App) -> dict[str, Object]:
    """Every object of an app, by the path of its file below the output folder. No rule is checked.

    Raises:
        OverwriteError: Two objects would be written to one file.
    """
    manifests: dict[str, Object] = {}
    for path, manifest in _objects(app):
        if path in manifests:
            raise OverwriteError(
                f"{path} would hold two objects: {_title(manifests[path])} and {_title(manifest)}; rename one of them"
            )
        manifests[path] = manifest
    return manifests


def stream(files: Mapping[str, str]) -> str:
    """What runs in the environments, as one stream of documents for `kubectl`: without hand-over and kustomizations."""
    apart = ("argocd/", "flux/")
    chosen = {path: text for path, text in files.items() if not path.startswith(apart)}
    return "---\n".join(text for path, text in chosen.items() if not path.endswith("/kustomization.yaml"))


def reject_impossible(files: Mapping[str, str], folder: Path) -> None:
    """Compare the files with those that `folder` holds, which were synced.

    Raises:
        ImmutableError: A field would change that Kubernetes does not let change; the text has a line for each.
        GeneratorError: A file is needed for the comparison and cannot be read; the text has a line for each.
    """
    lines, unreadable = [], []
    for name, text in sorted(files.items()):
        path, new = folder / name, yaml.safe_load(text)
        # A broken file of any other kind is simply written again.
        if new["kind"] in _IMMUTABLE and path.is_file():
            old = _synced(path, new["kind"])
            if old is None:
                restore = shlex.join(["git", "checkout", "HEAD", "--", str(path)])
                unreadable.append(
                    f"{path}: is not the manifest of one {new['kind']} (after a merge conflict?), so changes that the"
                    f" cluster would refuse cannot be found; restore it with `{restore}`, or delete it, and run the"
                    " synthesis again"
                )
            else:
                lines += [f"{path}: {line}" for line in _impossible(old, new)]
    if unreadable:
        raise GeneratorError("\n".join([*unreadable, *lines]))
    if lines:
        raise ImmutableError("\n".join(lines))


def _synced(path: Path, kind: str) -> Object | None:
    """The object of a file, or None if the file does not hold one object of this kind, with what is compared."""
    try:
        old = yaml.safe_load(path.read_text(encoding="utf-8"))
        if kind == "PersistentVolumeClaim":
            quantity.parse(old["spec"]["resources"]["requests"]["storage"])
        is_one = old["kind"] == kind and "namespace" in old["metadata"] and isinstance(old["spec"], dict)
    except (yaml.YAMLError, LookupError, TypeError, ValueError):
        return None
    return old if is_one else None


def _impossible(old: Object, new: Object) -> Iterator[str]:
    kind = new["kind"]
    if old["metadata"]["namespace"] != new["metadata"]["namespace"]:
        return
    name = new["metadata"]["name"]
    for field, way_out in _IMMUTABLE[kind].items():
        if old["spec"].get(field) != new["spec"].get(field):
            namespace = new["metadata"]["namespace"]
            yield (
                f"spec.{field} of the {kind} {name} cannot be changed in the cluster: "
                + way_out.format(kind=kind.lower(), name=name, namespace=namespace)
            )
    if kind == "PersistentVolumeClaim":
        before, after = (each["spec"]["resources"]["requests"]["storage"] for each in (old, new))
        if quantity.parse(after) < quantity.parse(before):
            yield f"the PersistentVolumeClaim {name} cannot shrink from {before} to {after}: keep {before} or more"


def write(files: Mapping[str, str], folder: Path) -> None:
    """Make `folder` hold these files and, of those synthesized earlier, no others.

    Only files that bear the header are ever deleted, so a wrong output folder loses nothing.
    """
    for path in sorted(folder.rglob("*.yaml")):
        if path.relative_to(folder).as_posix() not in files and _is_ours(path):
            path.unlink()
            _remove_if_empty(path.parent, folder)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file is the old or the new one, whenever the program is interrupted.
        new = path.with_name(f".{path.name}.new")
        new.write_text(text, encoding="utf-8", newline="\n")
        new.replace(path)


def _is_ours(path: Path) -> bool:
    return path.read_text(encoding="utf-8", errors="replace").startswith(HEADER)


def _remove_if_empty(folder: Path, top: Path) -> None:
    if folder != top and not any(folder.iterdir()):
        folder.rmdir()
        _remove_if_empty(folder.parent, top)


def _charts(app: App) -> list[FolderChart]:
    return [chart for chart in app.charts if isinstance(chart, FolderChart)]


def _kustomization(paths: Iterable[str], folder: str) -> Object:
    """The list of a folder's files by which `kubectl apply -k`, Argo CD and Flux find them."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": sorted(path.removeprefix(f"{folder}/") for path in paths if path.startswith(f"{folder}/")),
    }


def _objects(app: App) -> Iterator[tuple[str, Object]]:
    # Not by `chart.to_json`, which runs the validations a second time.
    for construct in app.node.find_all():
        if isinstance(construct, ApiObject):
            chart = Chart.of(construct)
            if not isinstance(chart, FolderChart):
                raise GeneratorError(f"{construct.node.path}: {chart.node.path} has no folder; make it a FolderChart")
            manifest = construct.to_json()
            yield f"{chart.folder}/{_file_name(manifest)}", manifest


def _file_name(manifest: Object) -> str:
    """`kind-name.yaml` in lower case, for file systems that do not tell the cases apart."""
    name = f"{manifest['kind']}-{manifest['metadata']['name']}".lower()
    return re.sub(r"[^a-z0-9.-]", "-", name) + ".yaml"


def _title(manifest: Object) -> str:
    metadata = manifest["metadata"]
    return f"{manifest['apiVersion']} {manifest['kind']} {metadata.get('namespace', '')}/{metadata['name']}"
