"""Reads a source of Argo CD that is a directory of manifests.

https://argo-cd.readthedocs.io/en/stable/user-guide/directory/
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from drift.documents.files import read_file
from drift.documents.parse import read_documents
from drift.errors import DriftError, SourceError
from drift.gitops.sync_record import text
from drift.model import Manifest, Object
from drift.sources.load import load_texts

_MANIFEST_FILE: Final = re.compile(r".*\.(yaml|yml|json|jsonnet)")
_SKIPPED_FILE: Final = re.compile(rb"^#\s*\+argocd:skip-file-rendering", re.MULTILINE)
_GLOB: Final = {"*": ".*", "?": ".", "{": "(?:", "}": ")"}


def read_directory(options: Object, folder: Path, shown: str, notes: list[str]) -> tuple[Manifest, ...]:
    """Returns the manifests of a directory.

    Args:
        options: ``directory`` of the source.
        folder: The directory.
        shown: The same for messages.
        notes: A sentence is added for each file that Argo CD skips.

    Raises:
        SourceError: A file cannot be read, or not as Argo CD would.
    """
    include, exclude = (_glob(text(options, name)) for name in ("include", "exclude"))
    manifests: list[Manifest] = []
    for name in _files_in(folder, recurse=options.get("recurse") is True):
        is_chosen = include is None or include.fullmatch(name) is not None
        if not is_chosen or (exclude is not None and exclude.fullmatch(name)):
            continue
        if name.endswith(".jsonnet"):
            raise SourceError(f"{name} is jsonnet, which is not supported")
        try:
            content = read_file(folder / name)
        except OSError as error:
            raise SourceError(f"{name} cannot be read: {error.strerror}") from None
        if _SKIPPED_FILE.search(content):
            continue
        try:
            manifests += load_texts([(f"{shown}/{name}", content)]).manifests
        except DriftError as error:
            if _begins_with_an_object(content, name):
                raise SourceError(str(error)) from None
            notes.append(f"{shown}/{name}: Argo CD skips this file, because it does not begin with an object")
    return tuple(manifests)


def _files_in(folder: Path, *, recurse: bool) -> Iterator[str]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            if _MANIFEST_FILE.fullmatch(name):
                yield (Path(parent) / name).relative_to(folder).as_posix()
        if not recurse:
            return


def _begins_with_an_object(content: bytes, name: str) -> bool:
    try:
        first = next((document.value for document in read_documents(content, name) if document.value is not None), None)
    except DriftError:
        return False
    return isinstance(first, dict) and isinstance(first.get("kind"), str)


def _glob(pattern: str) -> re.Pattern[str] | None:
    """Returns the expression of a glob in which ``*`` also matches slashes and ``{a,b}`` is one of several."""
    if not pattern:
        return None
    if re.search(r"[\[\]\\]", pattern):
        raise SourceError(f"the pattern {pattern} is not supported")
    expression, depth = "", 0
    for character in pattern:
        depth += {"{": 1, "}": -1}.get(character, 0)
        special = _GLOB | ({",": "|"} if depth else {})
        expression += special.get(character) or re.escape(character)
    try:
        return re.compile(expression, re.DOTALL)
    except re.error:
        raise SourceError(f"the pattern {pattern} is not valid") from None
