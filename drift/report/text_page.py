"""Lines for a terminal: in colours, and folded where it ends."""

import io
from itertools import starmap
from typing import Final

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text

#: Columns that must be left for a folded line to be set in.
_NARROWEST: Final = 20


class Page:
    """Writes lines, folded where the terminal ends. Rich could lay out the whole, but takes most of a scan's time.

    Args:
        out: Where to.
        width: Columns; None leaves lines as long as they are.
        color: Whether to write ANSI colours.
    """

    def __init__(self, out: io.StringIO, width: int | None, *, color: bool) -> None:
        self._out = out
        self._width = width
        self._color = color
        self._console = Console(file=out, width=width, color_system=None, legacy_windows=False)

    def line(self, *parts: tuple[str, str], indent: int = 0) -> None:
        """Writes a line; where it is too long, it goes on below its own beginning.

        Args:
            parts: Texts that hold nothing which steers a terminal, and their styles.
            indent: Columns in front of where a folded line goes on.
        """
        plain = "".join(text for text, _ in parts)
        if self._width is None or cell_len(plain) <= self._width:
            self._out.write(("".join(starmap(_coloured, parts)) if self._color else plain) + "\n")
            return
        indent = indent if self._width - indent >= _NARROWEST else 0
        line = Text.assemble(*parts)
        head, body = line[:indent], line[indent:]
        # What is cut would be hidden, so even a word that is too long is folded.
        for part in body.wrap(self._console, self._width - indent, overflow="fold"):
            self._write(head + part)
            head = Text(" " * indent)

    def _write(self, line: Text) -> None:
        if self._color:
            for segment in line.render(self._console):
                self._out.write(_coloured(segment.text, segment.style or ""))
            self._out.write("\n")
        else:
            self._out.write(f"{line.plain}\n")


def _coloured(text: str, style: str | Style) -> str:
    parsed = Style.parse(style) if isinstance(style, str) else style
    return parsed.render(text, color_system=ColorSystem.STANDARD)
