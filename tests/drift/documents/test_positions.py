"""A value's place in a file is found again by its keys."""

import pytest

from drift.documents.positions import locate

TEXT = b"""\
# settings
ignore:
  - kind: Deployment
    reason: x
  - {kind: Service, reason: y}
base: &base
  a: 1
more:
  <<: *base
"""


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ((), (2, 1)),
        (("ignore",), (2, 1)),
        (("ignore", 0), (3, 5)),
        (("ignore", 0, "reason"), (4, 5)),
        (("ignore", 1, "reason"), (5, 21)),
        # What a merge key brought in, or what is not there, is placed where it would be.
        (("more", "a"), (8, 1)),
        (("ignore", 7), (2, 1)),
        (("nothing", "x"), (2, 1)),
    ],
)
def test_a_value_is_found(place: tuple[str | int, ...], found: tuple[int, int]) -> None:
    assert locate(TEXT, place) == found


def test_a_value_in_json_is_found() -> None:
    assert locate(b'{"exit":\n  {"causes": 1}}', ("exit", "causes")) == (2, 4)


def test_an_empty_text_has_no_places() -> None:
    assert locate(b"", ("a",)) is None
