"""Finds words that this repository avoids: ``python -m tools.wording``, a part of ``make lint``.

``tools/wording.toml`` lists them, each with the reason and what to write instead.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LIST: Final = Path(__file__).with_suffix(".toml")
#: What may separate the words of a phrase: spaces, the underscores of names, and the start of the next comment line.
_GAP: Final = r"(?:[ \t_]+|[ \t]*\n[ \t]*(?:#:?|//|\*)?[ \t]*)"


@dataclass(frozen=True)
class Word:
    """A word or phrase to avoid."""

    text: str
    instead: str
    reason: str


@dataclass(frozen=True)
class WordList:
    """The words to avoid, and the Git path patterns of the files to check and to leave out."""

    words: tuple[Word, ...]
    files: tuple[str, ...]
    excluded: tuple[str, ...]


@dataclass(frozen=True)
class Use:
    """One place where a word to avoid stands."""

    line: int
    word: Word


def read_list(path: Path = LIST) -> WordList:
    """Reads the word list.

    Raises:
        KeyError: An entry lacks ``instead`` or ``reason``, or the file lacks ``files`` or ``except``.
    """
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    words = (Word(text, entry["instead"], entry["reason"]) for text, entry in data["words"].items())
    return WordList(tuple(words), tuple(data["files"]), tuple(data["except"]))


def uses(text: str, words: Sequence[Word]) -> list[Use]:
    """Returns each use of one of these words in a text, in order."""
    return sorted(_uses(text, words), key=lambda use: use.line)


def _uses(text: str, words: Sequence[Word]) -> Iterator[Use]:
    for word in words:
        phrase = _GAP.join(re.escape(part) for part in word.text.split())
        # Unlike \b, this ends a word at an underscore. A possessive form has its own entry.
        for match in re.finditer(rf"(?<![^\W_]){phrase}(?![^\W_]|['\u2019]s\b)", text, re.IGNORECASE):
            yield Use(text.count("\n", 0, match.start()) + 1, word)


def files(words: WordList, below: Sequence[str] = ()) -> list[Path]:
    """Returns the files to check that Git tracks or would track, at these paths or in the whole repository."""
    chosen = [f":(glob)**/{pattern}" for pattern in words.files]
    excluded = [f":(exclude){pattern}" for pattern in words.excluded]
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *chosen, *excluded]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in sorted(set(listed.split("\0"))) if name]
    roots = [Path(path).resolve() for path in below] or [ROOT]
    return [path for path in paths if path.is_file() and any(path.is_relative_to(root) for root in roots)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints ``file:line: word: what to write instead`` for each use. Returns 1 if there is one, 0 otherwise."""
    parser = argparse.ArgumentParser(prog="python -m tools.wording", description=__doc__)
    parser.add_argument("paths", nargs="*", help="check only these files and folders")
    options = parser.parse_args(arguments)
    words = read_list()
    found = False
    for path in files(words, options.paths):
        for use in uses(path.read_text(encoding="utf-8"), words.words):
            found = True
            print(f"{path.relative_to(ROOT)}:{use.line}: {use.word.text}: write {use.word.instead} ({use.word.reason})")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
