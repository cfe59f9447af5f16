"""How a manifest looks as text: key order, quotes, line breaks.

The order is the one that people write: what an object is, what it is called, then the rest by the alphabet.
"""

import re
from typing import Any

import yaml

_FIRST = (
    *("apiVersion", "kind", "metadata", "name", "namespace", "type"),
    *("image", "imagePullPolicy", "command", "args", "ports", "env"),
)
_RANK = {key: rank for rank, key in enumerate(_FIRST)}

# Plain scalars that PyYAML writes without quotes, and that another YAML reader takes for a number or a boolean.
_NUMBER_ELSEWHERE = re.compile(r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|^[-+]?0[ox][0-9a-fA-F]+$")
_BOOLEAN_ELSEWHERE = re.compile(r"^[yYnN]$")


class _Dumper(yaml.CSafeDumper):
    """Writes strings so that every YAML reader, old and new, reads strings."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write a value that occurs twice twice: `&id001` is for programs."""
        del data
        return True


def _represent_string(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    if "\n" in value:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|")
    plain_is_a_string = dumper.resolve(yaml.ScalarNode, value, (True, False)) == "tag:yaml.org,2002:str"  # type: ignore[no-untyped-call]  # PyYAML's stubs leave it untyped
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain_is_a_string else '"')


_Dumper.add_representer(str, _represent_string)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER_ELSEWHERE, list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:bool", _BOOLEAN_ELSEWHERE, list("yYnN"))


def dump(value: Any) -> str:
    """One YAML document."""
    # The widest line of a manifest is a value that must not be folded, such as a certificate or a query.
    return yaml.dump(_ordered(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (_RANK.get(key, len(_RANK)), key))
        return {key: _ordered(value[key]) for key in keys}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value
