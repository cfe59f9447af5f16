"""The check of the words that the repository avoids."""

from pathlib import Path

import pytest

from tools import wording
from tools.wording import ROOT, Word, read_list, uses

WORDS = [Word("nobody", "no one", "vague"), Word("nobody's", "unowned", "vague"), Word("of which", "whose", "long")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Nobody reads it.", [(1, "nobody")]),
        ("def test_what_nobody_owns() -> None: ...", [(1, "nobody")]),
        ("This is nobody's field.", [(1, "nobody's")]),
        ("Two fields,\none of\nwhich is set.", [(2, "of which")]),
        ("x = 1  # two, one of\n# which is set", [(1, "of which")]),
        ("#: two, one of\n#: which is set", [(1, "of which")]),
        ("nobodyelse, antinobody: a kind of whichever", []),
        ("of\n\nwhich", []),
        ("of which\nnobody", [(1, "of which"), (2, "nobody")]),
    ],
)
def test_words_are_found_in_prose_names_and_across_lines(text: str, found: list[tuple[int, str]]) -> None:
    assert [(use.line, use.word.text) for use in uses(text, WORDS)] == found


def test_every_word_on_the_list_is_found_and_has_a_reason() -> None:
    words = read_list().words

    assert words
    for word in words:
        assert word.instead
        assert word.reason
        assert [use.word for use in uses(f"It is {word.text.capitalize()} here.", words)] == [word]


def test_it_prints_file_and_line_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\nIt is made anew.\n")
    monkeypatch.setattr(wording, "ROOT", tmp_path)
    monkeypatch.setattr(wording, "files", lambda _words, _paths: [page])

    assert wording.main([]) == 1
    assert capsys.readouterr().out.startswith("page.md:3: anew: write again")
    page.write_text("It is made again.\n")
    assert wording.main([]) == 0
    assert not capsys.readouterr().out


def test_it_reads_code_pages_and_scripts_and_no_generated_files() -> None:
    names = {path.relative_to(ROOT).as_posix() for path in wording.files(read_list())}

    assert {"README.md", "Makefile", "drift/model.py", "docs/outputs.md", ".github/scripts/drift.sh"} <= names
    assert not any(name.startswith(("dist/", "imports/")) for name in names)
    assert {path.name for path in wording.files(read_list(), [str(ROOT / "benchmarks")])} < {
        path.name for path in wording.files(read_list())
    }
