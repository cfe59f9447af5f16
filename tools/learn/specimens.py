"""The objects from which defaults are learnt: every kind as bare as it can be, and richer ones for what is optional."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).parent / "specimens"


def specimens() -> Iterator[dict[str, Any]]:
    """The specimens, in the order of their files."""
    for file in sorted(_FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text("utf-8"))
