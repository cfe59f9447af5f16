"""What the parameters of a source of Argo CD change: fields of its kustomization, and flags and values of its chart."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from drift.errors import SourceError
from drift.gitops.sync_record import items, text
from drift.model import Object, as_object

#: ``NAME=NEW:TAG``, ``NAME=NEW@DIGEST``, or without the first part.
_IMAGE: Final = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<new>[^@]+?)(?::(?P<tag>[^:/@]+))?(?:@(?P<digest>.+))?")
#: In an image, what keeps the value of the kustomization.
_KEPT: Final = "*"


def with_parameters(kustomization: Object, options: Object, folder: Path) -> Object:
    """Returns a kustomization as ``kustomize edit`` changes it for Argo CD."""
    changed = dict(kustomization)
    for name in ("namePrefix", "nameSuffix", "namespace"):
        if text(options, name):
            changed[name] = text(options, name)
    images = _with_images(list(items(changed, "images")), _texts(options, "images"))
    if images:
        changed["images"] = images
    replicas = {text(item, "name"): item for item in items(changed, "replicas")}
    for item in items(options, "replicas"):
        count = item.get("count")
        replicas[text(item, "name")] = {
            "name": item.get("name"),
            "count": int(count) if isinstance(count, str) else count,
        }
    if replicas:
        changed["replicas"] = list(replicas.values())
    _add_labels(changed, options)
    annotations = as_object(options.get("commonAnnotations"))
    if annotations:
        changed["commonAnnotations"] = _merged(
            changed, "commonAnnotations", options, "forceCommonAnnotations", annotations
        )
    components = [
        name
        for name in _texts(options, "components")
        if options.get("ignoreMissingComponents") is not True or (folder / name).exists()
    ]
    for name, values in (("components", components), ("patches", list(items(options, "patches")))):
        if values:
            changed[name] = [*(changed.get(name) or ()), *values]
    return changed


def _add_labels(kustomization: Object, options: Object) -> None:
    labels = as_object(options.get("commonLabels"))
    if not labels:
        return
    if options.get("labelWithoutSelector") is True:
        entry = {"pairs": labels, "includeTemplates": options.get("labelIncludeTemplates") is True}
        kustomization["labels"] = [*(kustomization.get("labels") or ()), entry]
    else:
        kustomization["commonLabels"] = _merged(kustomization, "commonLabels", options, "forceCommonLabels", labels)


def _merged(kustomization: Object, name: str, options: Object, force: str, values: Object) -> Object:
    before = as_object(kustomization.get(name))
    if before.keys() & values.keys() and options.get(force) is not True:
        raise SourceError(f"its kustomization has a label or annotation that kustomize.{name} has too")
    return {**before, **values}


def _with_images(images: Sequence[Object], changes: Iterable[str]) -> Sequence[Object]:
    merged = {text(image, "name"): image for image in images}
    for change in changes:
        found = _IMAGE.fullmatch(change)
        if found is None:
            raise SourceError(f"the image {change} is not valid")
        name = found["name"] or found["new"]
        before = merged.get(name, {})
        image = {"newName": found["new"] if found["name"] else "", "newTag": found["tag"], "digest": found["digest"]}
        merged[name] = {"name": name} | {
            key: before.get(key) if value == _KEPT else value for key, value in image.items() if value
        }
    return list(merged.values())


def _texts(value: Object, name: str) -> Iterator[str]:
    found = value.get(name)
    return (item for item in (found if isinstance(found, list) else ()) if isinstance(item, str))


def inline_values(options: Object, folder: Path) -> Iterator[str]:
    """Writes the values in an Application to a file."""
    values = options.get("valuesObject")
    content = json.dumps(values) if isinstance(values, dict) and values else text(options, "values")
    if content:
        file = folder / "values.yaml"
        file.write_text(content, encoding="utf-8")
        yield str(file)


def helm_flags(options: Object) -> Iterator[str]:
    """Yields the flags of ``helm template``.

    Raises:
        SourceError: A parameter contains a variable of Argo CD.
    """
    parameters = {text(item, "name"): item for item in items(options, "parameters")}
    for name, item in parameters.items():
        value = text(item, "value")
        if "$" in value:
            raise SourceError(f"the parameter {name} contains a variable, which is not supported")
        is_list = value.startswith("{") and value.endswith("}")
        # As Argo CD does: a comma would begin the next parameter.
        escaped = value if is_list else re.sub(r"(?<!\\),", r"\\,", value)
        yield from ("--set-string" if item.get("forceString") is True else "--set", f"{name}={escaped}")
    for name, flag in (("skipTests", "--skip-tests"), ("skipSchemaValidation", "--skip-schema-validation")):
        if options.get(name) is True:
            yield flag
