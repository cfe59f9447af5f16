"""Edits values in the text of a YAML or JSON file and leaves every other character as it is.

The parser tells where each value is in the text, and an edit replaces only that part: comments, quotes, the order of
keys and line ends stay. Every result is read again, as kubectl reads it. If it is not the expected one, for example
because an alias repeats the value elsewhere, the edit is refused.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import count
from typing import Any, Final

import yaml

from drift.documents.parse import read_documents
from drift.errors import ManifestError
from drift.objects import Json, Object

#: The keys and list indexes that lead from the root of a document to a value.
Steps = Sequence[str | int]

_Loader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INDENT: Final = 2
#: A plain scalar that needs no quotes anywhere, in block and in flow style.
_PLAIN: Final = re.compile(r"[A-Za-z0-9_./-][A-Za-z0-9_./:@%+=*-]*(?: [A-Za-z0-9_./+=@-]+)*", re.ASCII)
#: Text that a literal block scalar can hold: no control characters, and no blanks that an editor may strip.
_LITERAL: Final = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\ufeff\u2028\u2029][^\x00-\x09\x0b-\x1f\x7f-\x9f\ufeff\u2028\u2029]*\n?"
)
#: The last character that JSON can escape on its own.
_LAST_OF_JSON: Final = "\uffff"


class EditError(ValueError):
    """An edit that the text does not allow. The message is a sentence without a full stop, and quotes no values."""


def set_value(text: str, document: int, steps: Steps, value: Json) -> str:
    """Returns the text with another value at a place, which must exist except for the last key.

    Args:
        text: The whole file.
        document: The number of the document, counted from 1, including empty ones.
        steps: The place.
        value: The new value.

    Raises:
        EditError: The text does not allow it.
    """

    def change(root: Json) -> Json:
        if not steps:
            return value
        _parent_at(root, steps)[steps[-1]] = value
        return root

    return _checked(text, document, change, lambda edited: _update(edited, document, steps, value))


def insert_item(text: str, document: int, steps: Steps, index: int, value: Json) -> str:
    """Returns the text with one more item in a list.

    Args:
        text: The whole file.
        document: As in `set_value`.
        steps: The place of the list.
        index: The index of the new item; the end of the list if it is shorter.
        value: The item.

    Raises:
        EditError: As in `set_value`.
    """

    def change(root: Json) -> Json:
        _list_at(root, steps).insert(index, value)
        return root

    return _checked(text, document, change, lambda edited: _insert_item(edited, document, steps, index, value))


def remove(text: str, document: int, steps: Steps) -> str:
    """Returns the text without a field or a list item. Arguments and errors as in `set_value`."""

    def change(root: Json) -> Json:
        del _parent_at(root, steps)[steps[-1]]
        return root

    return _checked(text, document, change, lambda edited: _remove(edited, document, steps))


def remove_document(text: str, document: int) -> str:
    """Returns the text without one of several documents. Arguments and errors as in `set_value`."""
    values = _values(text)
    markers = [marker.start() for marker in re.finditer(r"^---(?=\s|\Z)", text, re.MULTILINE)]
    root = _compose(text, document)
    begin = max((marker for marker in markers if marker <= root.start_mark.index), default=0)
    end = min((marker for marker in markers if marker > root.start_mark.index), default=len(text))
    edited = text[:begin] + text[end:]
    if _same([value for number, value in enumerate(values, 1) if number != document], _values(edited)):
        return edited
    raise EditError("the document cannot be taken out of its file without changing others")


def add_document(text: str, value: Object, like: str = "") -> str:
    """Returns a YAML text with one more document at its end.

    Args:
        text: The whole file; "" for a new one.
        value: The value of the document.
        like: A text whose style a new file takes over.

    Raises:
        EditError: The text does not allow it.
    """
    # The text ends with a line break before the document is added, and after it.
    writer = _Writer("\n" if like.lstrip().startswith("{") else f"{text or like}\n")
    start = text if not text or text.endswith("\n") else text + writer.line_break
    separator = f"---{writer.line_break}" if text.strip() else ""
    edited = f"{start}{separator}{writer.block(value, 0)}{writer.line_break}"
    if not _same([*_objects(text), value], _objects(edited)):
        raise EditError("the way in which the file is written does not allow another document")
    return edited


def lines_of(text: str, document: int, steps: Steps) -> range:
    """Returns the lines of a field with its key, counted from 0; none if the text has no such field.

    Args:
        text: The whole file.
        document: As in `set_value`.
        steps: The place.

    Raises:
        EditError: There is no such document, or no value that would hold the field.
    """
    place = _find(text, document, steps)
    if place is None:
        return range(0)
    first = (place.key or place.node).start_mark.line
    return range(first, text.count("\n", 0, _content_end(text, place.node)) + 1)


def _checked(text: str, document: int, change: Callable[[Json], Json], edit: Callable[[str], str]) -> str:
    """Returns the edited text, if reading it gives the same as changing the value of the document."""
    # A copy in which no two places share a value, as the values of aliases do.
    expected: list[Json] = json.loads(json.dumps(_values(text)))
    try:
        expected[document - 1] = change(expected[document - 1])
        edited = edit(text)
        result = _values(edited)
    except (LookupError, TypeError):
        raise EditError("the file has no such field") from None
    except (ManifestError, yaml.YAMLError, RecursionError):
        raise EditError(_why_not(text)) from None
    if not _same(expected, result):
        raise EditError(_why_not(text))
    return edited


def _why_not(text: str) -> str:
    if re.search(r"(?:^|[\s\[{,])[&*][^\s&*]", text):
        return "an anchor or an alias repeats this value elsewhere in the file"
    return "the way in which this part of the file is written does not allow the edit"


def _values(text: str, *, by_kustomize: bool = False) -> list[Json]:
    return [document.value for document in read_documents(text.encode(), "", by_kustomize=by_kustomize)]


def _objects(text: str) -> list[Json]:
    try:
        return [value for value in _values(text) if value is not None]
    except ManifestError:
        return []


def _same(one: Json, other: Json) -> bool:
    # In Python, True equals 1 and 1 equals 1.0.
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _at(value: Json, steps: Steps) -> Json:
    for step in steps:
        value = value[step]
    return value


def _parent_at(value: Json, steps: Steps) -> Json:
    found = _at(value, steps[:-1])
    if not isinstance(found, dict | list):
        raise EditError("the file has no such field")
    return found


def _list_at(value: Json, steps: Steps) -> list[Json]:
    found = _at(value, steps)
    if not isinstance(found, list):
        raise EditError("the file has no list there")
    return found


# -- where values are


@dataclass(frozen=True, slots=True)
class _Place:
    """A value in the text.

    Attributes:
        node: The parsed value.
        parent: The mapping or list that holds it; None for the root.
        key: The key of the value in a mapping, else None.
        position: The index of the value among those of its parent.
    """

    node: Any
    parent: "_Place | None" = None
    key: Any = None
    position: int = 0

    @property
    def is_in_flow(self) -> bool:
        """Whether it is in a mapping or list in flow style."""
        return self.parent is not None and bool(self.parent.node.flow_style)

    def child(self, step: str | int) -> "_Place | None":
        """Returns the value of a key, or an item of a list; None if the text has none."""
        node = self.node
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            return _Place(node.value[step], self, None, step)
        if isinstance(node, yaml.MappingNode):
            # As for kubectl, the last of two equal keys counts.
            for position, (key, value) in reversed(list(enumerate(node.value))):
                if isinstance(key, yaml.ScalarNode) and key.value == step:
                    return _Place(value, self, key, position)
        return None


def _compose(text: str, document: int) -> Any:
    loader = _Loader(text)
    try:
        for number in count(1):
            if not loader.check_node():
                break
            node = loader.get_node()
            if number == document:
                return node
    finally:
        loader.dispose()
    raise EditError("the file has no such document")


def _find(text: str, document: int, steps: Steps) -> _Place | None:
    """Returns the place of a value; None if the last key is missing.

    Raises:
        EditError: An earlier step is missing, for example because it comes from a merge key.
    """
    place = _Place(_compose(text, document))
    for number, step in enumerate(steps, start=1):
        child = place.child(step)
        if child is None:
            if number == len(steps):
                return None
            raise EditError("the field comes from a merge key, or the file has no such field")
        place = child
    return place


def _content_end(text: str, node: Any) -> int:
    """Returns where the content of a node ends. The parser also counts the comments and blank lines after it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _content_end(text, last[1] if isinstance(node, yaml.MappingNode) else last)
    start: int = node.start_mark.index
    end: int = node.end_mark.index
    # A block scalar includes the line breaks after it.
    is_block_scalar = isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}
    return start + len(text[start:end].rstrip()) if is_block_scalar else end


def _line_start(text: str, index: int) -> int:
    """Returns the beginning of the line that holds an index."""
    return text.rfind("\n", 0, index) + 1


def _line_end(text: str, index: int) -> int:
    """Returns the end of a line, before its line break."""
    newline = text.find("\n", index)
    end = len(text) if newline < 0 else newline
    return end - 1 if end > index and text[end - 1] == "\r" else end


def _dash(text: str, parent: Any, node: Any) -> int:
    """Returns where the ``-`` of an item of a block list is."""
    column: int = parent.start_mark.column
    start = _line_start(text, node.start_mark.index)
    while text[start + column : start + column + 1] != "-" or text[start : start + column].strip(" -"):
        if start == 0:
            raise EditError("the way in which this list is written does not allow the edit")
        start = _line_start(text, start - 1)
    return start + column


# -- edits


def _update(text: str, document: int, steps: Steps, new: Json) -> str:
    """Changes a value part by part, so that the equal parts of it stay as they are written."""
    place = _find(text, document, steps)
    if place is None:
        return _insert_key(text, document, steps, new)
    old = _at(_values(text)[document - 1], steps)
    if isinstance(old, dict) and isinstance(new, dict) and old and new:
        for name in [name for name in old if name not in new]:
            text = _remove(text, document, (*steps, name))
        for name, value in new.items():
            if name not in old or not _same(old[name], value):
                text = _update(text, document, (*steps, name), value)
        return text
    if isinstance(old, list) and isinstance(new, list) and old and new:
        return _update_list(text, document, steps, old, new)
    return _replace(text, place, new)


def _update_list(text: str, document: int, steps: Steps, old: Sequence[Json], new: Sequence[Json]) -> str:
    before, after = ([json.dumps(item, sort_keys=True) for item in items] for items in (old, new))
    changes = SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    # From the end, so that the indexes of what is still to do stay right.
    for _, start, end, other_start, other_end in reversed([change for change in changes if change[0] != "equal"]):
        common = min(end - start, other_end - other_start)
        for index in range(end - 1, start + common - 1, -1):
            text = _remove(text, document, (*steps, index))
        for offset in range(other_end - other_start - 1, common - 1, -1):
            text = _insert_item(text, document, steps, start + common, new[other_start + offset])
        for offset in range(common):
            text = _update(text, document, (*steps, start + offset), new[other_start + offset])
    return text


def _replace(text: str, place: _Place, new: Json) -> str:
    node, writer = place.node, _Writer(text)
    start, end = node.start_mark.index, _content_end(text, node)
    column: int | None = None if place.parent is None else place.parent.node.start_mark.column
    if place.is_in_flow or not isinstance(new, dict | list) or not new:
        old = text[start:end]
        quote = node.style if isinstance(node, yaml.ScalarNode) and node.style in {"'", '"'} else None
        # A comment after a block scalar would be a part of it.
        has_more = place.is_in_flow or text[end : _line_end(text, end)].strip()
        written = writer.scalar_or_flow(new, quote, None if has_more or column is None else column + _INDENT)
        if place.key is not None and not (isinstance(node, yaml.ScalarNode) or node.flow_style):
            start = text.index(":", place.key.end_mark.index) + 1
            old = ""
        space = " " if not old and start > 0 and text[start - 1] in ":-" else ""
        return text[:start] + space + written + text[end:]
    if place.parent is None or column is None:
        return text[:start] + writer.block(new, 0) + text[end:]
    if place.key is not None:
        start = text.index(":", place.key.end_mark.index) + 1
        return text[:start] + writer.below_key(new, column) + text[end:]
    dash = _dash(text, place.parent.node, node)
    return text[: dash + 1] + " " + writer.block(new, column + _INDENT) + text[end:]


def _insert_key(text: str, document: int, steps: Steps, value: Json) -> str:
    parent = _find(text, document, steps[:-1])
    name = steps[-1]
    if parent is None or not isinstance(name, str):
        raise EditError("the file has no such field")
    node, writer = parent.node, _Writer(text)
    if not isinstance(node, yaml.MappingNode) or not node.value:
        return _replace(text, parent, {name: value})
    if node.flow_style:
        return _insert_in_flow(text, node, f"{writer.key(name)}: {writer.scalar_or_flow(value)}")
    column = node.value[0][0].start_mark.column
    at = _line_end(text, _content_end(text, node))
    return f"{text[:at]}{writer.line_break}{' ' * column}{writer.entry(name, value, column)}{text[at:]}"


def _insert_item(text: str, document: int, steps: Steps, index: int, value: Json) -> str:
    place = _find(text, document, steps)
    if place is None:
        raise EditError("the file has no list there")
    node, writer = place.node, _Writer(text)
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        return _replace(text, place, [value])
    index = min(index, len(node.value))
    if node.flow_style:
        return _insert_in_flow(text, node, writer.scalar_or_flow(value), index)
    column = node.start_mark.column
    item = f"{' ' * column}- {writer.block(value, column + _INDENT)}"
    if index == 0:
        at = _line_start(text, _dash(text, node, node.value[0]))
        return f"{text[:at]}{item}{writer.line_break}{text[at:]}"
    at = _line_end(text, _content_end(text, node.value[index - 1]))
    return f"{text[:at]}{writer.line_break}{item}{text[at:]}"


def _insert_in_flow(text: str, node: Any, written: str, index: int | None = None) -> str:
    """Inserts an entry into a list or mapping in flow style, separated as the others are."""
    spans = list(_spans(text, node))
    index = len(spans) if index is None else index
    if len(spans) > 1:
        separator = text[spans[-2][1] : spans[-1][0]]
    else:
        separator = "," + (text[node.start_mark.index + 1 : spans[0][0]] or " ")
    if separator.strip() != ",":
        separator = ", "
    if index == 0:
        return text[: spans[0][0]] + written + separator + text[spans[0][0] :]
    return text[: spans[index - 1][1]] + separator + written + text[spans[index - 1][1] :]


def _spans(text: str, node: Any) -> Iterator[tuple[int, int]]:
    """Yields where each entry of a list or mapping in flow style begins and ends."""
    for child in node.value:
        key, value = child if isinstance(node, yaml.MappingNode) else (child, child)
        yield key.start_mark.index, max(_content_end(text, value), _content_end(text, key))


def _remove(text: str, document: int, steps: Steps) -> str:
    place = _find(text, document, steps)
    if place is None or place.parent is None:
        raise EditError("the field comes from a merge key, or the file has no such field")
    parent = place.parent.node
    if len(parent.value) == 1:
        return _replace(text, place.parent, {} if isinstance(parent, yaml.MappingNode) else [])
    if parent.flow_style:
        spans = list(_spans(text, parent))
        index = place.position
        start, end = (spans[0][0], spans[1][0]) if index == 0 else (spans[index - 1][1], spans[index][1])
        return text[:start] + text[end:]
    start = place.key.start_mark.index if place.key is not None else _dash(text, parent, place.node)
    end = _line_end(text, max(_content_end(text, place.node), start))
    line = _line_start(text, start)
    if text[line:start].strip():
        # It follows the dash of a list item: the next entry takes its place.
        if place.position + 1 == len(parent.value):
            raise EditError("the way in which this part of the file is written does not allow the edit")
        following = parent.value[place.position + 1]
        start_of_next = following[0].start_mark.index if place.key is not None else _dash(text, parent, following)
        return text[:start] + text[start_of_next:]
    next_line = text.find("\n", end)
    return text[:line] + (text[next_line + 1 :] if next_line >= 0 else "")


# -- how new values are written


class _Writer:
    """Writes new values in the style of a file.

    Attributes:
        line_break: The line break of the file.
    """

    def __init__(self, text: str) -> None:
        self.line_break = "\r\n" if "\r\n" in text else "\n"
        # A literal block scalar that is the end of a file needs a line break there.
        self._has_literals = text.endswith("\n")
        self._is_json = text.lstrip("\ufeff \t\r\n").startswith("{")
        # Whether the items of a list are indented below its key.
        lists = re.search(r"^( *)(?:- )*[^\s#-][^\n]*:[ \t]*\r?\n(?: *(?:#[^\n]*)?\r?\n)*( *)- ", text, re.MULTILINE)
        self._list_indent = _INDENT if lists is not None and len(lists[2]) > len(lists[1]) else 0

    def key(self, name: str) -> str:
        return _json(name) if self._is_json else _scalar(name, None)

    def scalar_or_flow(self, value: Json, quote: str | None = None, column: int | None = None) -> str:
        """Writes a value on one line, or a long text as a literal block scalar.

        Args:
            value: The value.
            quote: The quotes of the value that this one replaces, or None.
            column: Where the lines of a block scalar may begin; None if there can be none.
        """
        if isinstance(value, dict):
            entries = (f"{self.key(name)}: {self.scalar_or_flow(below)}" for name, below in value.items())
            return "{" + ", ".join(entries) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(self.scalar_or_flow(item) for item in value) + "]"
        if self._is_json:
            return _json(value)
        if not self._has_literals:
            column = None
        if isinstance(value, str) and column is not None and "\n" in value[:-1] and _LITERAL.fullmatch(value):
            lines = value.removesuffix("\n").split("\n")
            # The blank lines at its end would be in the way of the next edit.
            if lines[-1] and all(line == line.rstrip() for line in lines):
                header = "|" if value.endswith("\n") else "|-"
                return self.line_break.join([header, *(" " * column + line if line else "" for line in lines)])
        return _scalar(value, quote)

    def entry(self, name: str, value: Json, column: int) -> str:
        """Writes a key with its value in block style. The key is at this column."""
        if isinstance(value, dict | list) and value:
            return f"{self.key(name)}:{self.below_key(value, column)}"
        return f"{self.key(name)}: {self.scalar_or_flow(value, column=column + _INDENT)}"

    def below_key(self, value: Json, column: int) -> str:
        """Writes a list or mapping on the lines below its key, which is at this column."""
        column += self._list_indent if isinstance(value, list) else _INDENT
        return f"{self.line_break}{' ' * column}{self.block(value, column)}"

    def block(self, value: Json, column: int) -> str:
        """Writes a value in block style. Its first line follows other text, and all others begin at this column."""
        following = self.line_break + " " * column
        if isinstance(value, dict) and value:
            return following.join(self.entry(name, field, column) for name, field in value.items())
        if isinstance(value, list) and value:
            return following.join(f"- {self.block(item, column + _INDENT)}" for item in value)
        return self.scalar_or_flow(value, column=column)


def _scalar(value: Json, quote: str | None) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    if quote == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if quote is None and _PLAIN.fullmatch(value) and _reads_as(value, value):
        return value
    # A JSON string is a YAML string in double quotes, but YAML has no surrogate pairs.
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in _json(value))


def _json(value: Json) -> str:
    """Writes a scalar as JSON that YAML reads, too: YAML allows fewer characters without an escape."""
    written = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() or char > _LAST_OF_JSON else f"\\u{ord(char):04x}" for char in written)


def _reads_as(text: str, value: str) -> bool:
    """Returns whether kubectl and kustomize, which may build the file first, both read a text as this string."""
    try:
        return all(
            _values(written, by_kustomize=by_kustomize) == [expected]
            for written, expected in ((f"a: {text}\n", {"a": value}), (f"[{text}]\n", [value]))
            for by_kustomize in (False, True)
        )
    except ManifestError:
        return False
