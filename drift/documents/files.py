"""Which files of a folder hold documents: kubectl's rule, for manifests and dumps alike."""

from pathlib import Path
from typing import Final

#: How the names of files with documents end.
ENDINGS: Final = frozenset({".yaml", ".yml", ".json"})


def document_files(path: Path) -> list[Path]:
    """The files below a folder, sorted; a path that is no folder stands for itself, whatever its name ends in."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.suffix in ENDINGS and file.is_file())
