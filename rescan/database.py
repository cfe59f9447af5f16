"""What a DATABASE_URL says about where the database is."""

import posixpath
import re

APPLICATION_FOLDER = "/app"
_SCHEME = "sqlite:"
_PATH = re.compile(r"[\w./-]+", re.ASCII)
"""No options after `?`, and nothing that a client may decode: the backup has to find the same file."""


def sqlite_file(url: str) -> str:
    """The absolute path of the database file in the container.

    A relative path starts at the application's folder: `sqlite:./data/rescan.db` is `/app/data/rescan.db`.

    Raises:
        ValueError: It is not the URL of a SQLite file.
    """
    if not url.startswith(_SCHEME):
        raise ValueError(f"{url!r} does not begin with {_SCHEME}")
    path = url.removeprefix(_SCHEME).removeprefix("//")
    if not _PATH.fullmatch(path) or path.endswith("/"):
        raise ValueError(f"{url!r} names no file")
    return posixpath.normpath(posixpath.join(APPLICATION_FOLDER, path))
