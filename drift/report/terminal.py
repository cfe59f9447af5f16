"""Writes lines to a terminal: in colour, folded at its width."""

import io
from itertools import starmap
from typing import Final

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

#: A folded line is only indented if this many columns remain.
_MIN_COLUMNS: Final = 20


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
        # Cutting would hide text, so a word that is too long is folded too.
        for part in body.wrap(self._console, self._width - indent, overflow="fold"):
            self._write(head + part)
            head = Text(" " * indent)

    def _write(self, line: Text) -> None:
        if self._color:
            for segment in line.render(self._console):
                self._out.write(_colored(segment.text, segment.style or ""))
            self._out.write("\n")
        else:
            self._out.write(f"{line.plain}\n")


def _colored(text: str, style: str | Style) -> str:
    parsed = Style.parse(style) if isinstance(style, str) else style
    return parsed.render(text, color_system=ColorSystem.STANDARD)
