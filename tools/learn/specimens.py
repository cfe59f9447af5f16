"""Objects to learn defaults from: each kind with required fields only, and objects with optional fields."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

_FOLDER: Final = Path(__file__).parent / "specimens"


def specimens() -> Iterator[dict[str, Any]]:
    """Returns the specimens, in the order of their files."""
    for file in sorted(_FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text("utf-8"))
