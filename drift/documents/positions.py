"""Finds the position of a value in a YAML or JSON text."""

from collections.abc import Sequence
from typing import Any, Final

import yaml

#: Positions need no types, and finding the type of each scalar takes most of the time of the other loaders.
_Loader: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Node:
    """A part of the first document of a text.

    Args:
        node: The node of the YAML library.
        mark: Where its key begins, or the item of the list.
        lines_before: The number of lines before the text.
    """

    def __init__(self, node: Any, mark: Any, lines_before: int = 0) -> None:
        self._node = node
        self._mark = mark
        self._lines_before = lines_before

    @property
    def line(self) -> int:
        """The line on which it begins, counted from 1."""
        line: int = self._lines_before + self._mark.line + 1
        return line

    @property
    def column(self) -> int:
        """The column in which it begins, counted from 1."""
        column: int = self._mark.column + 1
        return column

    @property
    def scalar(self) -> str | None:
        """The text of a scalar as it is written; None for a mapping or a list."""
        return self._node.value if isinstance(self._node, yaml.ScalarNode) else None

    @property
    def block(self) -> "tuple[str, int] | None":
        """The text of a scalar that is a document itself, and the number of lines before it.

        None if it is folded or has quotes on several lines, so that its lines are not those of the file.
        """
        if not isinstance(self._node, yaml.ScalarNode):
            return None
        start, end = self._node.start_mark, self._node.end_mark
        if self._node.style == "|":
            return self._node.value, self._lines_before + start.line + 1
        return (self._node.value, self._lines_before + start.line) if start.line == end.line else None

    @property
    def items(self) -> "list[Node]":
        """The items of a list; empty for anything else."""
        nodes = self._node.value if isinstance(self._node, yaml.SequenceNode) else ()
        return [Node(node, node.start_mark, self._lines_before) for node in nodes]

    def child(self, step: str | int) -> "Node | None":
        """Returns the value of a key, or an item of a list; None if there is none, or if a merge key brings it."""
        if isinstance(self._node, yaml.MappingNode):
            # The last of repeated keys wins.
            for key, value in reversed(self._node.value):
                if isinstance(key, yaml.ScalarNode) and key.value == step:
                    return Node(value, key.start_mark, self._lines_before)
        elif isinstance(step, int) and step < len(self.items):
            return self.items[step]
        return None

    def innermost(self, path: Sequence[str | int]) -> "tuple[Node, int]":
        """Returns the innermost part on a path that the text has, and how many steps lead to it."""
        node = self
        for depth, step in enumerate(path):
            child = node.child(step)
            if child is None:
                return node, depth
            node = child
        return node, len(path)


def first_document(text: bytes, lines_before: int = 0) -> Node | None:
    """Returns the first document of a YAML or JSON text; None if it is empty, not valid or nested too deeply."""
    loader = _Loader(text)
    try:
        node: Any = loader.get_node() if loader.check_node() else None
    except (yaml.YAMLError, RecursionError):
        return None
    finally:
        loader.dispose()
    return None if node is None else Node(node, node.start_mark, lines_before)


def locate(text: bytes, path: Sequence[str | int]) -> tuple[int, int] | None:
    """Returns the line and column, counted from 1, of a value in the first document of a YAML or JSON text.

    Args:
        text: A valid text.
        path: The keys and list indexes that lead to the value.

    Returns:
        The position of the last key, or of the list item. If a part of the path comes from a merge key, the position of
        the innermost part that is in the text. None for an empty text.
    """
    document = first_document(text)
    if document is None:
        return None
    node, _ = document.innermost(path)
    return node.line, node.column
