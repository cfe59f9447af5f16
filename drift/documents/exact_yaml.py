"""Reads YAML of any kind as kubectl does, and finds the positions of its values.

The reader uses the parser's events rather than its nodes. It needs no recursion, which a deeply nested file could
exhaust, and it counts aliases before it expands them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from drift.documents import Document, scalars
from drift.errors import ManifestError
from drift.objects import Json

#: Maximum nesting. Kubernetes objects stay far below; the schema of a CRD may have forty levels.
MAX_DEPTH: Final = 200
#: Maximum number of nodes that aliases may add to one file. An alias bomb adds billions.
MAX_ALIASED_NODES: Final = 1_000_000

_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _problem(error: yaml.MarkedYAMLError) -> str:
    """Returns a message that does not quote the text, which may be the value of a Secret.

    The messages of libyaml are constants. Those of the parser in Python, the fallback, quote the text.
    """
    return (_Loader is not yaml.SafeLoader and (error.problem or error.context)) or "not valid YAML"


class _Frame:
    """A mapping or list under construction."""

    __slots__ = ("anchor", "key", "merged", "merges", "nodes_before", "value")

    def __init__(self, value: dict[str, Json] | list[Json], anchor: str | None, nodes_before: int) -> None:
        self.value = value
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.key: str | None = None
        #: The merged mappings, for kustomize.
        self.merges: list[dict[str, Json]] = []
        #: The keys that only a merged mapping has so far.
        self.merged: set[str] = set()


@dataclass(frozen=True, slots=True)
class _Anchor:
    """The target of an alias.

    Attributes:
        value: The value of the anchor.
        nodes: The number of nodes in it, including those of aliases.
    """

    value: Json
    nodes: int


class _MergeKey(str):
    """A ``<<`` as a key, unquoted or with the tag ``!!merge``."""

    __slots__ = ()


_MERGE_KEY: Final = _MergeKey("<<")
_MERGE_TAG: Final = "tag:yaml.org,2002:merge"


class YamlReader:
    """Builds the documents of one file from the parser's events.

    Args:
        name: The name of the file, for errors.
        by_kustomize: Whether kustomize builds the file before kubectl reads it.

    Attributes:
        number: The number of documents so far.
    """

    def __init__(self, name: str, *, by_kustomize: bool = False) -> None:
        self.number = 0
        self._name = name
        self._by_kustomize = by_kustomize
        self._read_plain = scalars.read_plain_of_kustomize if by_kustomize else scalars.read_plain
        self._next_event: Any = None
        self._lines_before = 0
        self._nodes = 0
        self._aliased_nodes = 0
        self._repeated_keys: list[int] = []

    def read(self, text: bytes, lines_before: int = 0) -> Iterator[Document]:
        """Returns the documents of a part of the file.

        Args:
            text: The part.
            lines_before: The number of lines before it.

        Raises:
            ManifestError: As `read_documents`.
        """
        self._lines_before = lines_before
        try:
            loader = _Loader(text)
            try:
                self._next_event = loader.get_event
                yield from self._documents()
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            position = self._position(mark) if mark else self._name
            raise ManifestError(f"{position}: {_problem(error)}") from None
        except yaml.reader.ReaderError as error:
            before = text[: error.position] if isinstance(error.position, int) else b""
            line, column = lines_before + before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
            raise ManifestError(
                f"{self._name}:{line}:{column}: not UTF-8 or UTF-16 text, or a control character"
            ) from None

    def _documents(self) -> Iterator[Document]:
        while True:
            event = self._next_event()
            if isinstance(event, yaml.StreamEndEvent):
                return
            if isinstance(event, yaml.DocumentStartEvent):
                self._repeated_keys = []
                line, value = self._document()
                self.number += 1
                yield Document(self.number, line, value, tuple(self._repeated_keys))

    def _document(self) -> tuple[int, Json]:
        """Returns the first line and the content of one document. Consumes its events."""
        first = self._next_event()
        line = self._line(first.start_mark)
        value = self._collect(first)
        self._next_event()
        return line, value

    def _collect(self, event: Any) -> Json:
        """Returns the value that begins with an event. Consumes its events."""
        stack: list[_Frame] = []
        anchors: dict[str, _Anchor] = {}
        while True:
            self._nodes += 1
            if isinstance(event, yaml.CollectionStartEvent):
                stack.append(self._open(event, stack))
            else:
                value = self._value(event, stack, anchors)
                if not stack:
                    return value
                self._put(stack[-1], value, event)
            event = self._next_event()

    def _open(self, event: Any, stack: list[_Frame]) -> _Frame:
        if len(stack) >= MAX_DEPTH:
            raise self._error(event, f"nested deeper than {MAX_DEPTH} levels")
        if stack and isinstance(stack[-1].value, dict) and stack[-1].key is None:
            raise self._error(event, "a key must be a scalar")
        return _Frame({} if isinstance(event, yaml.MappingStartEvent) else [], event.anchor, self._nodes)

    def _value(self, event: Any, stack: list[_Frame], anchors: dict[str, _Anchor]) -> Json:
        """Returns a scalar, the target of an alias, or the collection that the event ends."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, anchors)
        if isinstance(event, yaml.ScalarEvent):
            value, anchor, nodes = self._scalar(event, stack), event.anchor, 1
        else:
            frame = stack.pop()
            value, anchor, nodes = self._close(frame), frame.anchor, self._nodes - frame.nodes_before
        if anchor:
            anchors[anchor] = _Anchor(value, nodes)
        return value

    def _alias(self, event: Any, anchors: dict[str, _Anchor]) -> Json:
        anchor = anchors.get(event.anchor)
        if anchor is None:
            raise self._error(event, "unknown anchor, or one that contains itself")
        # The value is shared, not copied, but code that walks it later visits every node again.
        self._nodes += anchor.nodes
        self._aliased_nodes += anchor.nodes
        if self._aliased_nodes > MAX_ALIASED_NODES:
            raise self._error(event, f"aliases expand to more than {MAX_ALIASED_NODES:,} nodes")
        return anchor.value

    def _scalar(self, event: Any, stack: list[_Frame]) -> Json:
        is_plain, _ = event.implicit
        is_key = bool(stack) and isinstance(stack[-1].value, dict) and stack[-1].key is None
        if event.value == "<<" and is_key and (event.tag == _MERGE_TAG or (event.tag is None and is_plain)):
            return _MERGE_KEY
        if event.tag == "!" or (event.tag is None and not is_plain):
            return event.value
        try:
            return self._read_plain(event.value) if event.tag is None else scalars.read_tagged(event.tag, event.value)
        except ValueError as error:
            raise self._error(event, str(error)) from None

    def _put(self, frame: _Frame, value: Json, event: Any) -> None:
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.key is None:
            frame.key = value if isinstance(value, _MergeKey) else self._key(value, frame, event)
        elif isinstance(frame.key, _MergeKey):
            self._merge(frame, self._merge_sources(value, event))
            frame.key = None
        else:
            frame.value[frame.key] = value
            frame.key = None

    def _key(self, value: Json, frame: _Frame, event: Any) -> str:
        try:
            key = scalars.as_key(value, event.value if isinstance(event, yaml.ScalarEvent) else None)
        except ValueError as error:
            raise self._error(event, str(error)) from None
        if key in frame.merged:
            frame.merged.remove(key)
        elif key in frame.value:
            self._repeated_keys.append(self._line(event.start_mark))
        return key

    def _merge_sources(self, value: Json, event: Any) -> list[dict[str, Json]]:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise self._error(event, "a merge key takes a mapping or a list of mappings")
        return sources

    def _merge(self, frame: _Frame, sources: list[dict[str, Json]]) -> None:
        if self._by_kustomize:
            frame.merges += sources
        elif isinstance(frame.value, dict):
            # go-yaml v2, with which kubectl reads, sets the keys where the merge stands: they override those before it,
            # and those after it override them. Of several mappings in one list, the first wins.
            for source in reversed(sources):
                frame.merged |= source.keys() - frame.value.keys()
                frame.value.update(source)

    @staticmethod
    def _close(frame: _Frame) -> Json:
        if isinstance(frame.value, dict):
            # For kustomize, keys of the mapping itself win, then those of the first merged mapping.
            for source in frame.merges:
                for key, value in source.items():
                    frame.value.setdefault(key, value)
        return frame.value

    def _line(self, mark: Any) -> int:
        line: int = self._lines_before + mark.line + 1
        return line

    def _position(self, mark: Any) -> str:
        return f"{self._name}:{self._line(mark)}:{mark.column + 1}"

    def _error(self, event: Any, problem: str) -> ManifestError:
        return ManifestError(f"{self._position(event.start_mark)}: {problem}")


# -- positions

#: Positions need no types, and finding the type of each scalar takes most of the time of the other loaders.
_BaseLoader: Final[Any] = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Node:
    """A part of the first document of a text.

    Args:
        node: The node of the YAML library.
        mark: Where its key begins, or the item of the list.
        lines_before: The number of lines before the text.
    """

    def __init__(self, node: Any, mark: Any, lines_before: int) -> None:
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
    def block(self) -> tuple[str, int] | None:
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
        """Returns the value of a key, or an item of a list; None if the text has none, as for a key from a merge."""
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

    def scalar_at(self, *path: str) -> str | None:
        """Returns the text of the scalar at a path; None if there is none."""
        node, depth = self.innermost(path)
        return node.scalar if depth == len(path) else None


def first_document(text: bytes, lines_before: int = 0) -> Node | None:
    """Returns the first document of a YAML or JSON text; None if it is empty, not valid or nested too deeply."""
    loader = _BaseLoader(text)
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
