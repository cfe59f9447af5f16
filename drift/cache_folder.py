"""Files in the user's cache folder. They are optional: anything may be in their place, and writing may fail."""

import hashlib
import os
import tempfile
from contextlib import suppress
from pathlib import Path


def cache_file(folder: str, key: str, ending: str = "") -> Path | None:
    """Returns the path of a cache file, or None if there is no cache folder.

    Args:
        folder: The name of the folder in drift's cache folder.
        key: What the file is for. Its name is a hash of it.
        ending: The suffix of its name.
    """
    root = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - Path's raises without a home
    name = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
    return Path(root) / "drift" / folder / f"{name}{ending}" if Path(root).is_absolute() else None


def read_cache_file(file: Path, max_bytes: int) -> bytes | None:
    """Returns the content of a cache file, or None if it cannot be read or is larger than ``max_bytes``."""
    try:
        # Reading a pipe or a device may never end.
        if not file.is_file() or file.stat().st_size > max_bytes:
            return None
        return file.read_bytes()
    except OSError:
        return None


def write_cache_file(file: Path, content: bytes | bytearray) -> None:
    """Writes a cache file atomically, readable by the user only. Errors are ignored."""
    temporary = None
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as opened:
            temporary = Path(opened.name)
            opened.write(content)
        temporary.replace(file)
    except OSError:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def keep_newest(folder: Path, number: int) -> None:
    """Removes cache files but for those that were written or marked as used last. Errors are ignored."""
    with suppress(OSError):
        for old in sorted(folder.iterdir(), key=lambda one: one.stat().st_mtime)[:-number]:
            old.unlink()


def mark_as_used(file: Path) -> None:
    """Makes a cache file one of the newest. Errors are ignored."""
    with suppress(OSError):
        os.utime(file)
