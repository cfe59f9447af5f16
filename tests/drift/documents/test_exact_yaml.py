"""The position of a value in a file is found by its path."""

import pytest

from drift.documents.exact_yaml import locate

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
    ("path", "position"),
    [
        ((), (2, 1)),
        (("ignore",), (2, 1)),
        (("ignore", 0), (3, 5)),
        (("ignore", 0, "reason"), (4, 5)),
        (("ignore", 1, "reason"), (5, 21)),
        # A value from a merge key, or a missing one, has the position of its parent.
        (("more", "a"), (8, 1)),
        (("ignore", 7), (2, 1)),
        (("nothing", "x"), (2, 1)),
    ],
)
def test_a_value_is_found(path: tuple[str | int, ...], position: tuple[int, int]) -> None:
    assert locate(TEXT, path) == position


def test_a_value_in_json_is_found() -> None:
    assert locate(b'{"exit":\n  {"causes": 1}}', ("exit", "causes")) == (2, 4)


def test_an_empty_text_has_no_positions() -> None:
    assert locate(b"", ("a",)) is None
