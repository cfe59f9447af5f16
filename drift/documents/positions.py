"""Finds the position of a value in a file, for error messages."""

from collections.abc import Sequence
from typing import Any, Final

import yaml

_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def locate(text: bytes, path: Sequence[str | int]) -> tuple[int, int] | None:
    """Returns the line and column, counted from 1, of a value in the first document of a YAML or JSON text.

    Args:
        text: A valid text.
        path: The keys and list indexes that lead to the value.

    Returns:
        The position of the last key, or of the list item. If a part of the path comes from a merge key, the position of
        the innermost part that is in the text. None for an empty text.
    """
    loader = _Loader(text)
    try:
        node: Any = loader.get_node() if loader.check_node() else None
    except (yaml.YAMLError, RecursionError):
        return None
    finally:
        loader.dispose()
    if node is None:
        return None
    mark = node.start_mark
    for step in path:
        child = _child(node, step)
        if child is None:
            break
        mark, node = child
    return mark.line + 1, mark.column + 1


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    """Returns the mark of a child node, and the node."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == step:
                return key.start_mark, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    return None
