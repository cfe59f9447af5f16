"""Where in a file a value stands, for the messages about it. Looked up only once something is wrong."""

from collections.abc import Sequence
from typing import Any, Final

import yaml

_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def locate(text: bytes, place: Sequence[str | int]) -> tuple[int, int] | None:
    """The line and the column, both counted from 1, of a value in the first document of a YAML or JSON text.

    Args:
        text: A text that could be read.
        place: From the root down: a key of a mapping or an index of a list.

    Returns:
        Where the last key stands, or the value for an item of a list; of the innermost part that can be found, as a
        merge key may have brought in the rest. None for an empty text.
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
    for step in place:
        found = _step(node, step)
        if found is None:
            break
        mark, node = found
    return mark.line + 1, mark.column + 1


def _step(node: Any, step: str | int) -> tuple[Any, Any] | None:
    """The mark of one part, and the part."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == step:
                return key.start_mark, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark, node.value[step]
    return None
