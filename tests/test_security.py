"""Every test that SECURITY.md names exists."""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
CLAIMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (REPOSITORY / "SECURITY.md").read_text())


def test_tests_are_named() -> None:
    assert len(CLAIMED) > 20


@pytest.mark.parametrize(("file", "name"), CLAIMED)
def test_each_test_that_is_named_exists(file: str, name: str) -> None:
    tree = ast.parse((REPOSITORY / file).read_text())

    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
