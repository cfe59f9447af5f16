"""Which files of a repository Flux leaves out: ``.sourceignore``, ``spec.ignore`` of the source, and its own defaults.

The syntax is nearly that of ``.gitignore``. Unlike Git, Flux asks for each file, so that a file below an excluded
folder can be included again.
https://fluxcd.io/flux/components/source/gitrepositories/#excluding-files
https://github.com/fluxcd/pkg/tree/main/sourceignore
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Self

from drift.sources.substitution import compile_glob

IGNORE_FILE: Final = ".sourceignore"
#: What Flux leaves out unless a later pattern includes it again.
_DEFAULTS: Final = """\
.git/
.gitignore
.gitmodules
.gitattributes
*.jpg
*.jpeg
*.gif
*.png
*.wmv
*.flv
*.tar.gz
*.zip
.github/
.circleci/
.travis.yml
.gitlab-ci.yml
appveyor.yml
.drone.yml
cloudbuild.yaml
codeship-services.yml
codeship-steps.yml
**/.goreleaser.yml
**/.sops.yaml
**/.flux.yaml
"""
_ANY_FOLDERS: Final = "**"


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One line.

    Attributes:
        folder: The parts of the folder whose files it is about.
        parts: Between the slashes; None for a part that is not valid.
        texts: The same, as written.
        includes: Whether it includes files instead.
        only_folders: Whether it matches only folders, and so what is in them.
    """

    folder: tuple[str, ...]
    parts: tuple[re.Pattern[str] | None, ...]
    texts: tuple[str, ...]
    includes: bool
    only_folders: bool

    @classmethod
    def parse(cls, line: str, folder: tuple[str, ...]) -> Self:
        includes = line.startswith("!")
        text = line[1:] if includes else line
        if not text.endswith("\\ "):
            text = text.rstrip(" ")
        only_folders = text.endswith("/")
        texts = tuple((text[:-1] if only_folders else text).split("/"))
        return cls(folder, tuple(map(compile_glob, texts)), texts, includes, only_folders)

    def matches(self, file: tuple[str, ...]) -> bool:
        """Returns whether it matches a file, or a folder above it."""
        if len(file) <= len(self.folder) or file[: len(self.folder)] != self.folder:
            return False
        path = file[len(self.folder) :]
        return self._matches_path(path) if len(self.parts) > 1 else self._matches_name(path)

    def _matches_name(self, path: Sequence[str]) -> bool:
        names = path[:-1] if self.only_folders else path
        return any(self._matches_part(0, name) for name in names)

    def _matches_path(self, path: Sequence[str]) -> bool:
        position, matched, skips = 0, False, False
        for index, text in enumerate(self.texts):
            if not text:
                skips = False
            elif text == _ANY_FOLDERS:
                if index == len(self.texts) - 1:
                    break
                skips = True
            elif _ANY_FOLDERS in text or position == len(path):
                return False
            else:
                rest = range(position, len(path) if skips else position + 1)
                found = next((place for place in rest if self._matches_part(index, path[place])), None)
                if found is None and not skips:
                    return False
                matched = found is not None
                position = len(path) if found is None else found + 1
                skips = False
        return matched and not (self.only_folders and position == len(path))

    def _matches_part(self, index: int, name: str) -> bool:
        part = self.parts[index]
        return part is not None and part.fullmatch(name) is not None


def kept_files(files: Iterable[str], ignore_files: Mapping[str, str], ignore: str | None) -> Iterator[str]:
    """Yields the files that Flux keeps.

    Args:
        files: Paths relative to the root of the repository.
        ignore_files: The text of each ``.sourceignore``, by its path.
        ignore: ``spec.ignore`` of the source, or None.
    """
    patterns = [*_parse(_DEFAULTS, ())]
    # A parent's patterns come before those of its folders, which are in the order of their names.
    for file in sorted(ignore_files, key=lambda name: PurePosixPath(name).parent.parts):
        patterns += _parse(ignore_files[file], PurePosixPath(file).parent.parts)
    patterns += _parse(ignore or "", ())
    patterns.reverse()
    for file in files:
        parts = PurePosixPath(file).parts
        last = next((pattern for pattern in patterns if pattern.matches(parts)), None)
        if last is None or last.includes:
            yield file


def _parse(text: str, folder: tuple[str, ...]) -> Iterator[_Pattern]:
    for line in text.split("\n"):
        line = line.removesuffix("\r")  # noqa: PLW2901
        if line.strip() and not line.startswith("#"):
            yield _Pattern.parse(line, folder)
