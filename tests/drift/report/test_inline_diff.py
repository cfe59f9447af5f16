"""The parts of two texts that differ."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.report.inline_diff import differing_pieces

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
