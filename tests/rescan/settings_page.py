"""The page on settings: what each means, may be, is by default, and which manifests it changes.

`python -m tests.rescan.settings_page` writes it. The manifests are found by trying: each setting gets another value.
"""

import ast
import dataclasses
import enum
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from main import build
from rescan.examples.full import FULL
from rescan.examples.stateful import STATEFUL
from rescan.formats import INT32
from rescan.manifests import Object, objects_by_path
from rescan.settings import Environment
from rescan.variants import variants, with_setting

PAGE = Path(__file__).parents[2] / "docs/settings.md"
HEAD = """\
# Settings

Every setting of an environment, as the classes in [rescan/settings/](../rescan/settings) declare them. *Manifests* are
the files that another value changes: search for a file to find the settings behind it. `make settings` writes this
page, and finds the files by trying another value for each setting. A test compares the page.
"""
MANY = 6
SAMPLED = 12
"""A test tries each setting whose number this divides."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting: its place below the environment, its class and what that declares."""

    path: str
    owner: type
    name: str
    declared: Any


def settings(owner: Any = Environment, prefix: str = "") -> Iterator[Setting]:
    """Every setting, groups before their members."""
    hints = typing.get_type_hints(owner, include_extras=True)
    for field in dataclasses.fields(owner):
        declared = hints[field.name]
        yield Setting(f"{prefix}{field.name}", owner, field.name, declared)
        arms = typing.get_args(declared) if _is_union(declared) else (declared,)
        for arm in arms:
            if dataclasses.is_dataclass(arm):
                yield from settings(arm, f"{prefix}{field.name}.")


def _is_union(declared: Any) -> bool:
    return typing.get_origin(declared) in (types.UnionType, typing.Union)


def page(manifests: Callable[["Setting"], str]) -> str:
    """The text of the page, with what `manifests` returns in the last column."""
    lines, group = [HEAD], ""
    # The settings of the environment itself first.
    for setting in sorted(settings(), key=lambda setting: "." in setting.path):
        if _is_group(setting.declared):
            continue
        section = setting.path.split(".")[0] if "." in setting.path else "environment"
        if section != group:
            group = section
            lines.append(f"\n## {group}\n\n| setting | value | default | manifests |\n|---|---|---|---|\n")
        lines.append(_row(setting, manifests(setting)))
    return "".join(lines)


def _is_group(declared: Any) -> bool:
    """Whether it always holds other settings; one that may be None says by that whether something is there."""
    arms = typing.get_args(declared) if _is_union(declared) else (declared,)
    return all(dataclasses.is_dataclass(arm) for arm in arms)


def _row(setting: Setting, manifests: str) -> str:
    text = _documentation(setting.owner).get(setting.name, "")
    value = _value(setting.declared) + (f". {text}" if text else "")
    cells = [f"`{setting.path}`", value, _default(setting), manifests]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _value(declared: Any) -> str:
    origin, arguments = typing.get_origin(declared), typing.get_args(declared)
    if origin is typing.Annotated:
        return str(declared.__metadata__[0].name).replace(f" to {INT32}", "")
    if _is_union(declared):
        return " or ".join(map(_value, arguments))
    if origin is tuple:
        return f"any number of: {_value(arguments[0])}"
    if origin is Mapping:
        return f"mapping of {_value(arguments[0])} to {_value(arguments[1])}"
    if isinstance(declared, type) and issubclass(declared, enum.Enum):
        return " or ".join(f"`{member}`" for member in declared)
    return "none" if declared is types.NoneType else f"`{declared.__name__}`"


def _documentation(owner: type) -> dict[str, str]:
    """The text below each field of a class."""
    (tree,) = ast.parse(inspect.getsource(owner)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for field, after in zip(tree.body, tree.body[1:], strict=False):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            text = ast.literal_eval(after.value)
            found[field.target.id] = " ".join(text.split()).replace("<", "&lt;")
    return found


def _default(setting: Setting) -> str:
    (field,) = (field for field in dataclasses.fields(setting.owner) if field.name == setting.name)
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "must be given"
    if value in (None, (), {}):
        return "none"
    if dataclasses.is_dataclass(value):
        return f"`{type(value).__name__}`"
    if isinstance(value, Mapping):
        return ", ".join(f"`{key}: {item}`" for key, item in value.items())
    return ", ".join(f"`{item}`" for item in (value if isinstance(value, tuple) else (value,)))


def changed_manifests(setting: Setting) -> str:
    """The files that other values of a setting change, in the first example where any is."""
    for environment, before in _examples():
        # An entry of a mapping is written as `extra[LOG_LEVEL]`.
        chosen = (variant for variant in variants(environment) if variant.setting.partition("[")[0] == setting.path)
        files = [before, *(_files(variant.environment) for variant in chosen)]
        names = sorted(
            name for name in set().union(*files) if any(before.get(name) != each.get(name) for each in files)
        )
        if names:
            return "most" if len(names) > MANY else ", ".join(f"`{name}`" for name in names)
    return "none: it is only checked"


@functools.cache
def _examples() -> list[tuple[Environment, dict[str, Object]]]:
    """The environments to change settings of, with their manifests."""
    environments = (FULL, with_setting(FULL, "workload.autoscaling", None), STATEFUL)
    return [(environment, _files(environment)) for environment in environments]


def _files(environment: Environment) -> dict[str, Object]:
    """The manifests by the names of their files, which are the same in every environment but for its own name."""
    name = f"-{environment.name}."
    return {
        path.rpartition("/")[2].replace(name, "-ENVIRONMENT."): manifest
        for path, manifest in objects_by_path(build([environment])).items()
    }


if __name__ == "__main__":
    PAGE.write_text(page(changed_manifests), encoding="utf-8")
