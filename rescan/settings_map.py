"""Which setting decides each field of the manifests, and where it is set: what `drift adopt` tells people to change.

docs/fixing.md describes the format. The fields of a setting are found by trying: an environment with another value for
it has other manifests.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from enum import StrEnum
from pathlib import Path
from typing import Any

from cdk8s import App

from rescan import environments
from rescan.manifests import Object, objects_by_path
from rescan.setting_lines import line_of
from rescan.settings import Environment
from rescan.variants import Variant, variants

_REPOSITORY = Path(__file__).resolve().parent.parent
_COMMAND = "make synth"

Build = Callable[[Sequence[Environment]], App]


class Effect(StrEnum):
    """What a setting is to a field."""

    IS = "is"
    """The field is the value of the setting."""
    SHAPES = "shapes"
    """The field follows from the setting, and maybe from others too."""
    FILLS = "fills"
    """The setting adds items to the field, which is a list or an object."""


Place = tuple[str, str]
"""The path of an object's file below dist/, and a JSON pointer into the object; that of the object itself is empty."""


def settings_map(build: Build, chosen: Sequence[Environment]) -> str:
    """The map of the manifests of these environments, as JSON."""
    # A line for each setting, so that a change of one is a change of one line.
    lines = ",\n".join(
        json.dumps(each, ensure_ascii=False) for environment in chosen for each in _settings(build, environment)
    )
    return f'{{"version": 1, "command": {json.dumps(_COMMAND)}, "settings": [\n{lines}\n]}}\n'


def _settings(build: Build, environment: Environment) -> Iterator[dict[str, Any]]:
    file = environments.file_of(environment.name)
    text = file.read_text(encoding="utf-8")
    objects = objects_by_path(build([environment]))
    found: defaultdict[str, dict[Place, Effect]] = defaultdict(dict)
    for variant in variants(environment):
        for place, effect in effects(build, variant, objects).items():
            found[variant.setting][place] = min(
                effect, found[variant.setting].get(place, effect), key=list(Effect).index
            )
    for setting, places in found.items():
        yield {
            "setting": setting,
            "file": file.relative_to(_REPOSITORY).as_posix(),
            "line": line_of(text, setting),
            "manifests": [
                {
                    **_identity(objects[path]),
                    "fields": {pointer: effect for (where, pointer), effect in places.items() if where == path},
                }
                for path in dict.fromkeys(path for path, _ in places)
            ],
        }


def _identity(manifest: Object) -> dict[str, str]:
    metadata = manifest["metadata"]
    namespace = {"namespace": metadata["namespace"]} if "namespace" in metadata else {}
    return {"apiVersion": manifest["apiVersion"], "kind": manifest["kind"], **namespace, "name": metadata["name"]}


def effects(build: Build, variant: Variant, objects: Mapping[str, Object]) -> dict[Place, Effect]:
    """The fields of the objects of an environment that a variant of it changes."""
    others = objects_by_path(build([variant.environment]))
    if variant.setting == "name":
        # It is a part of paths.
        others = {path.replace(str(variant.other), str(variant.value)): other for path, other in others.items()}
    found: dict[Place, Effect] = {}
    for path, old in objects.items():
        if path in others:
            found |= {(path, pointer): effect for pointer, effect in _changes(old, others[path], variant)}
        elif variant.other is None:
            found[path, ""] = Effect.SHAPES
    return found


def _changes(old: Any, new: Any, variant: Variant, pointer: str = "") -> Iterator[tuple[str, Effect]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            inner = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if key not in old:
                yield _added(new[key], variant, inner, pointer)
            elif key not in new:
                yield from ((leaf, Effect.SHAPES) for leaf in _leaves(old[key], inner))
            else:
                yield from _changes(old[key], new[key], variant, inner)
    elif isinstance(old, list) and isinstance(new, list):
        yield from _changed_items(old, new, variant, pointer)
    elif old != new:
        yield pointer, Effect.IS if (_same(old, variant.value) and _same(new, variant.other)) else Effect.SHAPES


def _added(value: Any, variant: Variant, pointer: str, parent: str) -> tuple[str, Effect]:
    if variant.adds:
        return (pointer if isinstance(value, dict | list) else parent), Effect.FILLS
    return pointer, Effect.IS if _same(value, variant.other) else Effect.SHAPES


def _changed_items(old: list[Any], new: list[Any], variant: Variant, pointer: str) -> Iterator[tuple[str, Effect]]:
    """Items may come or go anywhere in a list; what is moved by that has not changed."""
    texts = [[json.dumps(item, sort_keys=True) for item in items] for items in (old, new)]
    for _, start, end, new_start, new_end in SequenceMatcher(a=texts[0], b=texts[1], autojunk=False).get_opcodes():
        if end - start == new_end - new_start:
            for place, (item, other) in enumerate(zip(old[start:end], new[new_start:new_end], strict=True), start):
                yield from _changes(item, other, variant, f"{pointer}/{place}")
            continue
        for place in range(start, end):
            yield from ((leaf, Effect.SHAPES) for leaf in _leaves(old[place], f"{pointer}/{place}"))
        if variant.adds and new_end > new_start:
            yield pointer, Effect.FILLS


def _leaves(value: Any, pointer: str) -> Iterator[str]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    leaves = [
        leaf
        for key, item in inner
        for leaf in _leaves(item, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    ]
    yield from leaves or [pointer]


def _same(field: Any, value: object) -> bool:
    """Whether a field holds a value, as itself or as text."""
    return not isinstance(field, dict | list) and str(field) == str(value)
