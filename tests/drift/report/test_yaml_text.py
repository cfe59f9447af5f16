"""The YAML has kubectl's layout and reads back as the same value."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.documents.parse import read_documents
from drift.report.yaml_text import scalar, to_yaml

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
