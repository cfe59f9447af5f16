"""Defaults that depend on other fields. A dump or a hostile server may send anything in these."""

from typing import Any

import pytest

from drift.schema.conditional import RULES, filled_in


class Malformed(dict[str, Any]):
    """An object in which every field has the same value."""

    def __init__(self, value: object) -> None:
        super().__init__({"name": "a"})
        self._value = value

    def get(self, key: str, default: Any = None) -> Any:
        del key, default
        return self._value


@pytest.mark.parametrize("value", [{"x": ["y"]}, [{"x": "y"}], {}, [], "", "x", 7, 1.5, True, None], ids=repr)
def test_no_value_of_another_field_breaks_a_default(value: object) -> None:
    for (parent, field), rule in RULES.items():
        rule(Malformed(value))
        filled_in(parent, field, Malformed(value))
