"""Reads the map that a generator writes beside its manifests: which setting decides a field, and where it is set.

The map of the folder ``dist`` is ``dist.settings.json``. ``docs/fixing.md`` describes it for authors of generators.
"""

import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from drift.errors import UsageError
from drift.model import Change, Finding, ObjectReport
from drift.paths import escape_pointer

SUFFIX: Final = ".settings.json"
_PLAIN: Final = re.compile(r"[\w.:/@%+-]+")

#: What a setting is to a field: its value, one of the things it follows from, or what its items come from.
_Effect = Literal["is", "shapes", "fills"]
_STRONGEST_FIRST: Final[Sequence[_Effect]] = ("is", "shapes", "fills")


class _Manifest(Struct, frozen=True, rename="camel"):
    """The fields of an object that follow from a setting, by JSON pointers into the manifest."""

    api_version: str
    kind: str
    name: str
    fields: Mapping[str, _Effect]
    namespace: str | None = None

    def describes(self, item: ObjectReport) -> bool:
        same = (self.api_version, self.kind, self.name) == (item.api_version, item.kind, item.name)
        return same and self.namespace in {None, item.namespace}


class Setting(Struct, frozen=True):
    """A setting of a generator.

    Attributes:
        setting: Its name, as users of the generator know it.
        file: The file in which it is set, or could be, from the folder of the map.
        line: The line.
        manifests: What follows from it.
    """

    setting: str
    file: str
    line: Annotated[int, Meta(ge=1)]
    manifests: Sequence[_Manifest]


class SettingsMap(Struct, frozen=True):
    """The settings of a generator, and the command that synthesizes."""

    version: Literal[1]
    command: str
    settings: Sequence[Setting]


def read_settings_map(text: bytes, name: str) -> SettingsMap:
    """Returns the map in a file, with the files of the settings beside it.

    Args:
        text: The content of the map.
        name: Its path.

    Raises:
        UsageError: It is not such a map.
    """
    folder = posixpath.dirname(name)
    try:
        found = msgspec.json.decode(text, type=SettingsMap)
        settings = [replace(each, file=posixpath.join(folder, each.file)) for each in found.settings]
        return replace(found, settings=settings)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise UsageError(f"{name}: not a map of settings: {error}; synthesize it again") from None


def instruction(found: SettingsMap, item: ObjectReport, finding: Finding, steps: Sequence[str | int]) -> str:
    """Returns what to change so that the manifests say what is live.

    Args:
        found: The map.
        item: The object.
        finding: What differs.
        steps: Where that is in the manifest.
    """
    pointer = "".join(f"/{escape_pointer(str(step))}" for step in steps)
    fields = _fields(found, item)
    settings = _deciding(fields, pointer, is_added=finding.change is Change.ADDED)
    if not settings:
        return "no setting decides this; change the code that synthesizes it, or revert it with `drift revert`"
    is_value = "is" in fields.get(pointer, {}) and len(settings) == 1
    to = "" if not is_value or isinstance(finding.live, dict | list | None) else f" to {_written(finding.live)}"
    places = [
        f"{_any_of([setting.setting for setting in group])} in {file}:{line}"
        for (file, line), group in groupby(settings, key=lambda setting: (setting.file, setting.line))
    ]
    return f"{'set' if to else 'change'} {_any_of(places)}{to}, and run `{found.command}`"


def _fields(found: SettingsMap, item: ObjectReport) -> Mapping[str, Mapping[_Effect, Sequence[Setting]]]:
    """Returns the settings of each field of an object."""
    fields: dict[str, dict[_Effect, list[Setting]]] = {}
    for setting in found.settings:
        for manifest in setting.manifests:
            if manifest.describes(item):
                for pointer, effect in manifest.fields.items():
                    fields.setdefault(pointer, {}).setdefault(effect, []).append(setting)
    return fields


def _deciding(
    fields: Mapping[str, Mapping[_Effect, Sequence[Setting]]], pointer: str, *, is_added: bool
) -> Sequence[Setting]:
    """Returns the settings of a field, or of the fields in it, or of what a new field is put into."""
    if pointer in fields:
        places = [pointer]
    elif is_added:
        around = (place for place in fields if place and pointer.startswith(f"{place}/"))
        places = sorted(around, key=len)[-1:]
    else:
        places = [place for place in fields if pointer and place.startswith(f"{pointer}/")]
    decisive = [
        next(fields[place][effect] for effect in _STRONGEST_FIRST if effect in fields[place]) for place in places
    ]
    return list({setting.setting: setting for settings in decisive for setting in settings}.values())


def _any_of(names: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _written(value: str | float | bool) -> str:
    return value if isinstance(value, str) and _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
