"""Writes lines to a terminal: in colour, folded at its width."""

import io
import re
from itertools import starmap
from typing import Final

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

#: A folded line is only indented if this many columns remain.
_MIN_COLUMNS: Final = 20
#: A word with the spaces around it.
_WORD: Final = re.compile(r"\s*\S+\s*")


class TerminalWriter:
    """Writes lines, folded at the terminal's width. Rich's own layout would take longer than most scans.

    Args:
        out: The output.
        width: Columns to fold at; None does not fold.
        color: Whether to write ANSI colours.
    """

    def __init__(self, out: io.StringIO, width: int | None, *, color: bool) -> None:
        self._out = out
        self._width = width
        self._color = color
        self._console = Console(file=out, width=width, color_system=None, legacy_windows=False)

    def line(self, *parts: tuple[str, str], indent: int | None = 0) -> None:
        """Writes a line, and continues it below with an indent if it is too long.

        Args:
            parts: Texts without control characters, and their styles.
            indent: Columns before each continuation line; None does not fold the line.
        """
        plain = "".join(text for text, _ in parts)
        if self._width is None or indent is None or cell_len(plain) <= self._width:
            self._out.write(("".join(starmap(_colored, parts)) if self._color else plain) + "\n")
            return
        indent = indent if self._width - indent >= _MIN_COLUMNS else 0
        line = Text.assemble(*parts)
        head, body = line[:indent], line[indent:]
        for part in body.divide(_breaks(body.plain, self._width - indent)):
            part.rstrip()
            self._write(head + part)
            head = Text(" " * indent)

    def _write(self, line: Text) -> None:
        if self._color:
            for segment in line.render(self._console):
                self._out.write(_colored(segment.text, segment.style or ""))
            self._out.write("\n")
        else:
            self._out.write(f"{line.plain}\n")


def _breaks(text: str, width: int) -> list[int]:
    """Returns the positions of the words that begin a new line.

    A path or a name that is too long stays whole, so that it can be searched and copied.
    """
    breaks: list[int] = []
    column = 0
    for word in _WORD.finditer(text):
        if column and column + cell_len(word[0].rstrip()) > width:
            breaks.append(word.start())
            column = 0
        column += cell_len(word[0])
    return breaks


def _colored(text: str, style: str | Style) -> str:
    parsed = Style.parse(style) if isinstance(style, str) else style
    return parsed.render(text, color_system=ColorSystem.STANDARD)
