"""Tells whether a chart may render other values each time: whether it uses a random function of Helm, or a clock.

https://helm.sh/docs/chart_template_guide/function_list/
"""

import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

_ACTION: Final = re.compile(rb"\{\{.*?\}\}", re.DOTALL)
#: A chart that has one of these words in a comment or a name is only rendered once more than needed.
_CHANGING: Final = re.compile(
    rb"""(?<![.\w])(?:
        rand[A-Z]\w* | shuffle | uuidv4 | gen[A-Z]\w* | htpasswd | bcrypt | encryptAES | getHostByName |
        now | ago | date\w* | htmlDate\w* | unixEpoch |
        keys | values  # In the order of a map of Go, which is another one each time.
    )\b""",
    re.VERBOSE,
)
_CRDS: Final = "crds"
_ARCHIVES: Final = (".tgz", ".tar.gz")


def may_change(chart: Path, given: Iterable[bytes]) -> bool:
    """Returns whether a chart may render other values if it is rendered again.

    Args:
        chart: Its folder or archive.
        given: The values that it is given, which may be templates, too.
    """
    try:
        return any(map(_uses_changing, given)) or any(map(_uses_changing, _texts(chart)))
    except (OSError, EOFError, tarfile.TarError):
        # Helm says what is wrong.
        return True


def _uses_changing(text: bytes) -> bool:
    return any(_CHANGING.search(action[0]) for action in _ACTION.finditer(text))


def _texts(path: Path) -> Iterator[bytes]:
    """Yields the files of a chart and of the charts in it. CRDs are no templates."""
    if path.is_file():
        yield from _texts_of_archive(path)
        return
    for file in sorted(path.rglob("*")):
        if file.is_symlink():
            raise OSError("a link, whose target Helm would read")
        if not file.is_file() or _CRDS in file.relative_to(path).parts:
            continue
        if file.name.endswith(_ARCHIVES):
            yield from _texts_of_archive(file)
        else:
            yield file.read_bytes()


def _texts_of_archive(file: Path) -> Iterator[bytes]:
    with tarfile.open(file) as archive:
        for member in archive:
            if member.name.endswith(_ARCHIVES) or member.issym() or member.islnk():
                raise OSError("an archive or a link in an archive")
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None and _CRDS not in PurePosixPath(member.name).parts:
                yield content.read()
