"""The files that `drift adopt` edits, before and after, and the patch between them."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher, unified_diff
from typing import Final

from drift.documents.edit import EditError, lines_of
from drift.documents.parse import read_documents
from drift.errors import ManifestError
from drift.model import Json, as_object
from drift.redaction import is_secret

#: Reads a text file, with its line breaks. Raises OSError if it cannot, and UnicodeError if it is not UTF-8.
ReadText = Callable[[str], str]
_NOWHERE: Final = "/dev/null"


class RefusedError(Exception):
    """A finding cannot be adopted. The message is the reason."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """The new content of a file.

    Attributes:
        file: The path as the report has it.
        before: Its text; None if there is no such file.
        after: Its new text; None if the file is to be deleted.
    """

    file: str
    before: str | None
    after: str | None


@dataclass(slots=True)
class Files:
    """The text of files, before and after the edits so far."""

    read: ReadText
    _before: dict[str, str | None] = field(default_factory=dict)
    _after: dict[str, str | None] = field(default_factory=dict)

    def text(self, file: str) -> str:
        """Returns the text of a file as it is by now.

        Raises:
            RefusedError: It cannot be read, or an edit has deleted it.
        """
        if file not in self._before:
            try:
                self._before[file] = self._after[file] = self.read(file)
            except OSError as error:
                raise RefusedError(f"{file} cannot be read: {error.strerror}") from None
            except UnicodeError:
                raise RefusedError(f"{file} is not UTF-8 text") from None
        text = self._after[file]
        if text is None:
            raise RefusedError(f"{file} no longer holds this object")
        return text

    def exists(self, file: str) -> bool:
        """Returns whether there is a file of this name by now."""
        try:
            self.text(file)
        except RefusedError:
            return self._before.get(file) is not None
        return True

    def edit(self, file: str, text: str | None) -> None:
        """Sets the new text of a file; None deletes it."""
        self._before.setdefault(file, None)
        self._after[file] = text

    @property
    def deleted(self) -> Sequence[str]:
        """The files that the edits delete."""
        return [file for file, text in self._after.items() if text is None]

    def changes(self) -> Iterator[FileChange]:
        """Yields the changed files, sorted by path."""
        for file, before in sorted(self._before.items()):
            if self._after[file] != before:
                yield FileChange(file, before, self._after[file])


def patch(changes: Sequence[FileChange]) -> str:
    """Returns the changes as a unified diff for ``git apply`` or ``patch -p1``."""
    return "".join(map(_diff, changes))


def shows_secrets(change: FileChange) -> bool:
    """Returns whether the patch of a file would show values of a Secret: it has the lines around each change, too."""
    if change.before is None:
        return False
    try:
        hidden = {line for lines in _lines_of_secrets(change.before) for line in lines}
    except (ManifestError, EditError):
        return True
    matcher = SequenceMatcher(a=_lines(change.before), b=_lines(change.after or ""), autojunk=False)
    shown = (range(start, end) for group in matcher.get_grouped_opcodes() for _, start, end, _, _ in group)
    return any(not hidden.isdisjoint(lines) for lines in shown)


def _lines_of_secrets(text: str) -> Iterator[range]:
    for document in read_documents(text.encode(), ""):
        body = as_object(document.value)
        items = body.get("items")
        found: list[tuple[tuple[str | int, ...], Json]] = [((), body)]
        found += [(("items", index), item) for index, item in enumerate(items if isinstance(items, list) else ())]
        for steps, value in found:
            one = as_object(value)
            if one and is_secret(str(one.get("apiVersion")), str(one.get("kind"))):
                for name in ("data", "stringData"):
                    yield lines_of(text, document.number, (*steps, name))


def _diff(change: FileChange) -> str:
    lines = unified_diff(
        _lines(change.before or ""),
        _lines(change.after or ""),
        _NOWHERE if change.before is None else f"a/{change.file}",
        _NOWHERE if change.after is None else f"b/{change.file}",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _lines(text: str) -> list[str]:
    # Only a newline ends a line for git; str.splitlines knows others.
    return [line for line in re.split(r"(?<=\n)", text) if line]
