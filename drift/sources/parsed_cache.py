"""Keeps parsed manifests in the user's cache folder, so that later runs parse only the files that have changed.

An entry belongs to the content of a file, not to its name. The caller never passes the content of a Secret.
"""

import hashlib
import os
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from drift.cache_folder import cache_file, keep_newest, read_cache_file, write_cache_file

_FOLDER: Final = "manifests"
#: Nothing larger is kept. 50,000 objects take 40 MB.
_MAX_BYTES: Final = 64 * 1024 * 1024
#: One for each of the paths that were compared last.
_MAX_FILES: Final = 4

#: The modules that read plain YAML.
_PARSER: Final = ("drift.documents.parse", "ryaml._ryaml")

#: The digest of a file's content, and its documents as JSON on one line.
Parsed = tuple[bytes, bytes]


def digest_of(content: bytes) -> bytes:
    """Returns the digest by which an entry is found."""
    return hashlib.sha256(content).hexdigest().encode()


def read_parsed(paths: Sequence[str]) -> dict[bytes, bytes]:
    """Returns the documents from an earlier run with the same paths, by their digests; {} if there are none."""
    file = _file(paths)
    content = None if file is None else read_cache_file(file, _MAX_BYTES)
    checksum, _, lines = (content or b"").partition(b"\n")
    # The checksum finds damaged files.
    return dict(line.split(b" ", 1) for line in lines.splitlines()) if checksum == digest_of(lines) else {}


def write_parsed(paths: Sequence[str], parsed: Iterable[Parsed]) -> None:
    """Replaces what is kept for some paths."""
    file = _file(paths)
    lines = b"".join([b"%s %s\n" % one for one in parsed])
    if file is None or len(lines) > _MAX_BYTES:
        return
    write_cache_file(file, b"%s\n%s" % (digest_of(lines), lines))
    keep_newest(file.parent, _MAX_FILES)


def _file(paths: Sequence[str]) -> Path | None:
    # Another parser may read the same text differently.
    parser = _parser_digests()
    return None if parser is None else cache_file(_FOLDER, "\n".join([*parser, *map(os.path.abspath, paths)]))


@cache
def _parser_digests() -> Sequence[str] | None:
    """Returns the digests of the modules of the parser; None if it was installed in an unusual way."""
    try:
        return [digest_of(Path(sys.modules[name].__file__ or "").read_bytes()).decode() for name in _PARSER]
    except (OSError, KeyError):
        return None
