"""How the difference of two values is shown."""

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.documents.parse import read_documents
from drift.model import Change
from drift.redaction import Redacted
from drift.report.diff import Mark, differing_pieces, line_diff, scalar, to_yaml
from tests.drift.report.reports import finding

CONTAINER = {"name": "debug", "image": "busybox:1.36", "command": ["sh", "-c", "sleep 1\nexec top\n"], "stdin": True}
LINES = st.lists(st.sampled_from(["a", "b", "c", "", " x"]), min_size=1, max_size=30)


def diff(desired: object, live: object, change: Change = Change.CHANGED) -> list[str]:
    return [str(line) for line in line_diff(finding(1, desired=desired, live=live, change=change))]


@pytest.mark.parametrize("value", [1, None, True, "x", "x\n", "a long line " * 20, {"a": 1}, ["get", "list"], {}, []])
def test_a_value_that_fits_on_one_line_has_no_diff(value: object) -> None:
    assert diff(value, "y") == []


@pytest.mark.parametrize("change", [Change.REORDERED, Change.MISSING, Change.UNMANAGED])
def test_a_finding_without_values_has_no_diff(change: Change) -> None:
    assert diff("a\nb\n", "a\nc\n", change) == []


def test_a_redacted_finding_has_no_diff() -> None:
    assert line_diff(finding(1, desired="a\nb", live="c\nd", redacted=True)) == ()


def test_a_redacted_value_in_a_report_is_an_error() -> None:
    with pytest.raises(TypeError):
        diff(None, {"key": Redacted(b"x")}, Change.ADDED)


def test_a_whole_container_is_shown_as_yaml() -> None:
    assert diff(None, CONTAINER, Change.ADDED) == [
        "+ command:",
        "+ - sh",
        '+ - "-c"',
        "+ - |",
        "+   sleep 1",
        "+   exec top",
        "+ image: busybox:1.36",
        "+ name: debug",
        "+ stdin: true",
    ]
    assert diff(CONTAINER, None, Change.REMOVED)[0] == "- command:"


def test_a_diff_has_hunks_with_context() -> None:
    lines = [f"line {number}" for number in range(1, 41)]
    changed = [*lines[:9], "ten", *lines[10:29], *lines[30:]]

    assert diff("\n".join(lines) + "\n", "\n".join(changed) + "\n") == [
        "@@ -7,7 +7,7 @@",
        *("  line 7", "  line 8", "  line 9", "- line 10", "+ ten", "  line 11", "  line 12", "  line 13"),
        "@@ -27,7 +27,6 @@",
        *("  line 27", "  line 28", "  line 29", "- line 30", "  line 31", "  line 32", "  line 33"),
    ]


def test_a_diff_of_all_lines_has_no_hunk_headers() -> None:
    assert diff("a\nb\n", "a\nc\n") == ["  a", "- b", "+ c"]


def test_a_missing_newline_at_the_end_is_shown() -> None:
    assert diff("a\nb\n", "a\nb") == ["  a", "  b", "+ \\ no newline at the end"]


def test_trailing_spaces_are_shown() -> None:
    assert diff("a\nb \n", "a\nb\n") == ["  a", "- b\\x20", "+ b"]


def test_long_lines_are_cut_where_they_differ() -> None:
    same = "setting " * 100
    (_, removed, added) = diff(f"a\n{same}=1", f"a\n{same}=2")

    assert removed.endswith("=1 (802 characters)")
    assert added.endswith("=2 (802 characters)")
    assert len(removed) < 200


def test_a_long_run_of_one_side_leaves_space_for_the_other() -> None:
    shown = diff("\n".join(f"old {n}" for n in range(30)), "\n".join(f"new {n}" for n in range(30)))

    assert len(shown) == 30
    assert shown[14] == " - 16 more lines"
    assert shown[15] == "+ new 0"


def test_a_long_diff_is_cut_and_counts_the_rest() -> None:
    lines = [f"{number}" for number in range(400)]
    every_tenth = [f"{line}x" if number % 10 == 0 else line for number, line in enumerate(lines)]

    shown = diff("\n".join(lines), "\n".join(every_tenth))

    assert len(shown) == 40
    assert shown[-1].endswith(" more lines of this difference")


def test_texts_of_any_length_are_compared() -> None:
    shown = diff("a\n" * 100_000 + "old\n" * 2000, "a\n" * 100_000 + "new\n" * 2000)

    assert shown[:2] == ["@@ -99998,2003 +99998,2003 @@", "  a"]
    assert shown[4:6] == ["- old", "- old"]
    assert "+ new" in shown


@pytest.mark.parametrize("value", [["x" * 100_000], {"a": {"b": ["y" * 90_000]}}])
def test_a_very_large_value_has_no_diff(value: object) -> None:
    assert diff("x", value) == []


def test_a_deeply_nested_value_has_no_diff() -> None:
    deep: object = "bottom"
    for _ in range(960):
        deep = [deep]

    assert diff("x", deep) == []


@settings(max_examples=200, deadline=None)
@given(LINES, LINES)
def test_applying_the_diff_to_one_side_gives_the_other(desired: list[str], live: list[str]) -> None:
    left, right = [*desired, "", "x"], [*live, "", "x"]
    shown = line_diff(finding(1, desired="\n".join(left), live="\n".join(right)))

    if any(line.mark is Mark.LEFT_OUT for line in shown):
        return
    made, position = [], 0
    for line in shown:
        text = line.text.replace("\\x20", " ")
        if line.mark is Mark.HUNK:
            start = int(re.split("[-, ]", line.text)[2]) - 1
            made += left[position:start]
            position = start
        else:
            if line.mark is not Mark.LIVE:
                assert left[position] == text
                position += 1
            if line.mark is not Mark.GIT:
                made.append(text)
    assert [*made, *left[position:]] == right


TEXTS = st.text("ab1 .-é", max_size=60)


@pytest.mark.parametrize(
    ("desired", "live", "pieces"),
    [
        ("api:v2.14.0", "api:v2.14.1-hotfix", (("api:v2.14.", "0"), ("api:v2.14.", "1-hotfix"))),
        ("cpu 100m", "cpu 250m", (("cpu ", "100m"), ("cpu ", "250m"))),
        ("a, b, c", "x, b, y", (("", "a", ", b, ", "c"), ("", "x", ", b, ", "y"))),
        ("a", "a b", (("a",), ("a", " b"))),
        ("same", "same", (("same",), ("same",))),
    ],
)
def test_whole_words_that_differ_are_marked(desired: str, live: str, pieces: tuple[object, object]) -> None:
    assert differing_pieces(desired, live) == pieces


@pytest.mark.parametrize(("desired", "live"), [("2", "5"), ('["get"]', '["*"]'), ("", "x"), ("a.b", "c.d")])
def test_nothing_is_marked_if_no_word_is_the_same(desired: str, live: str) -> None:
    assert differing_pieces(desired, live) == ((desired,), (live,))


def test_long_texts_are_marked_from_the_first_to_the_last_difference() -> None:
    words = [str(number) for number in range(400)]
    desired, live = " ".join(words), " ".join(["x", *words[1:200], "y", *words[201:399], "z"])

    assert differing_pieces(f"- {desired} end", f"- {live} end") == (("- ", desired, " end"), ("- ", live, " end"))


@settings(max_examples=200, deadline=None)
@given(TEXTS, TEXTS)
def test_the_pieces_are_the_texts_and_the_equal_ones_are_on_both_sides(desired: str, live: str) -> None:
    git, cluster = differing_pieces(desired, live)

    assert ("".join(git), "".join(cluster)) == (desired, live)
    if len(git) > 1 or len(cluster) > 1:
        assert "".join(git[::2]) == "".join(cluster[::2])


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"])) | st.sampled_from(
    [
        "",
        "yes",
        "1e3",
        "0x1",
        "null",
        "~",
        "a: b",
        "a #b",
        "- a",
        "a\nb\n",
        "a\n\n b",
        " a\nb",
        "a\n\n",
        "\n",
        "a:",
        "1:30",
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.integers(-(2**20), 2**20).map(lambda quarters: quarters / 4)
    | TEXT,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4),
    max_leaves=20,
)


def test_it_has_kubectls_layout() -> None:
    value = {"b": [{"name": "x", "args": ["-c", "a\nb"]}, [1, [2]], {}], "a": {"t": "x y\nz\n", "n": None, "e": []}}

    assert to_yaml(value) == (
        'a:\n  e: []\n  "n": null\n  t: |\n    x y\n    z\n'
        'b:\n- args:\n  - "-c"\n  - |-\n    a\n    b\n  name: x\n- - 1\n  - - 2\n- {}\n'
    )


@pytest.mark.parametrize(
    ("text", "written"), [("busybox:1.36", "busybox:1.36"), ("on", '"on"'), ("1", '"1"'), ("a:", '"a:"')]
)
def test_ambiguous_texts_are_quoted(text: str, written: str) -> None:
    assert scalar(text) == written


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_it_reads_back_as_the_same_value(value: object) -> None:
    written = to_yaml(value)

    assert yaml.safe_load(written) == value
    assert [document.value for document in read_documents(written.encode(), "x")] == [value]
