"""What a DATABASE_URL says about where the database is."""

import posixpath

APPLICATION_FOLDER = "/app"
_SCHEME = "sqlite:"


def sqlite_file(url: str) -> str:
    """The absolute path of the database file in the container.

    A relative path starts at the application's folder: `sqlite:./data/rescan.db` is `/app/data/rescan.db`.

    Raises:
        ValueError: It is not the URL of a SQLite file.
    """
    if not url.startswith(_SCHEME):
        raise ValueError(f"{url!r} does not begin with {_SCHEME}")
    path = url.removeprefix(_SCHEME).removeprefix("//")
    if not path or path.startswith(":"):
        raise ValueError(f"{url!r} names no file")
    return posixpath.normpath(posixpath.join(APPLICATION_FOLDER, path))
