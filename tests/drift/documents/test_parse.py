"""YAML and JSON are read as kubectl reads them. Errors have a position and quote no value.

The fast reader either agrees with the exact one or leaves the text to it.
"""

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.documents import Document
from drift.documents.exact_yaml import MAX_ALIASED_NODES, MAX_DEPTH, YamlReader
from drift.documents.parse import read_documents, read_plain_documents, read_valid_documents
from drift.errors import ManifestError


def _values(text: str | bytes) -> list[Any]:
    data = text.encode() if isinstance(text, str) else text
    return [document.value for document in read_documents(data, "f.yaml")]


def _error(text: str | bytes) -> str:
    with pytest.raises(ManifestError) as error:
        _values(text)
    return str(error.value)


def test_keys_are_always_strings() -> None:
    assert _values("8080: a\nyes: b\n1.5: c\n'on': d\n0x10: e\n") == [
        {"8080": "a", "true": "b", "1.5": "c", "on": "d", "16": "e"}
    ]


#: Keys as they are written and as kubectl reads them: Go formats a float of 32 bits.
FLOAT_KEYS = {
    "2024.1215": "2024.1215",
    "1_000.5": "1000.5",
    "+2.5": "2.5",
    ".5": "0.5",
    "5.": "5",
    "-0.0": "-0",
    "1e5": "100000",
    "123456.5": "123456.5",
    "1e6": "1e+06",
    "12345678.0": "1.2345678e+07",
    "16777217.0": "1.6777216e+07",
    "3.14159265358979": "3.1415927",
    "99999999999999999999": "1e+20",
    "0.0001": "0.0001",
    "0.00001": "1e-05",
    "1e-50": "0",
    "1e39": ".inf",
    "-1e39": "-.inf",
    "._5": "._5",
}


@pytest.mark.parametrize("written", FLOAT_KEYS)
def test_a_float_key_has_the_digits_that_kubectl_gives_it(written: str) -> None:
    assert _values(f"{written}: a\n") == [{FLOAT_KEYS[written]: "a"}]
    assert _values(f"'{written}': a\n") == [{written: "a"}]


def test_an_integer_key_that_kubectl_refuses_is_an_error() -> None:
    assert _values("9223372036854775807: a\n") == [{"9223372036854775807": "a"}]
    assert _error("9223372036854775808: a\n") == "f.yaml:1:1: a key cannot be an integer above int64; quote it"


def test_quoted_scalars_are_strings() -> None:
    assert _values("['1', \"yes\", '', '<<', ! 5]") == [["1", "yes", "", "<<", "5"]]


def test_block_scalars_follow_their_indicators() -> None:
    assert _values("a: |\n  x\n  y\nb: |-\n  x\nc: >\n  x\n  y\nd: |+\n  x\n\n") == [
        {"a": "x\ny\n", "b": "x", "c": "x y\n", "d": "x\n\n"}
    ]


def test_an_alias_has_the_value_of_its_anchor() -> None:
    assert _values("a: &x {b: [1]}\nc: *x\nd: &y 5\ne: *y\n") == [{"a": {"b": [1]}, "c": {"b": [1]}, "d": 5, "e": 5}]


def test_a_repeated_anchor_replaces_the_first() -> None:
    assert _values("[&x 1, *x, &x 2, *x]") == [[1, 1, 2, 2]]


def test_an_anchor_ends_with_its_document() -> None:
    assert _error("a: &x 1\n---\nb: *x\n").startswith("f.yaml:3:4: unknown anchor")


def test_an_anchor_that_contains_itself_is_an_error() -> None:
    assert _error("a: &x [*x]\n").startswith("f.yaml:1:8: ")


#: What kubectl 1.36 and kustomize 5 read for a mapping with merge keys.
MERGES: dict[str, tuple[dict[str, int], dict[str, int]]] = {
    "{<<: *b, p: 0}": ({"p": 0, "q": 2}, {"p": 0, "q": 2}),
    "{p: 0, <<: *b}": ({"p": 1, "q": 2}, {"p": 0, "q": 2}),
    "{p: 0, <<: *b, q: 5}": ({"p": 1, "q": 5}, {"p": 0, "q": 5}),
    "{<<: [*b, *o], p: 0}": ({"p": 0, "q": 2, "r": 4}, {"p": 0, "q": 2, "r": 4}),
    "{p: 0, <<: [*o, *b]}": ({"p": 1, "q": 3, "r": 4}, {"p": 0, "q": 3, "r": 4}),
    "{q: 0, <<: {q: 7, <<: *b}}": ({"p": 1, "q": 2}, {"p": 1, "q": 0}),
    "{!!merge <<: *b, p: 0}": ({"p": 0, "q": 2}, {"p": 0, "q": 2}),
}


@pytest.mark.parametrize("text", MERGES)
@pytest.mark.parametrize("by_kustomize", [False, True])
def test_kubectl_merges_in_order_and_for_kustomize_the_keys_of_the_mapping_win(text: str, by_kustomize: bool) -> None:
    anchors = "base: &b {p: 1, q: 2}\nother: &o {q: 3, r: 4}\n"

    (document,) = read_documents(f"{anchors}all: {text}\n".encode(), "f.yaml", by_kustomize=by_kustomize)

    value = document.value
    assert isinstance(value, dict)
    assert value["all"] == MERGES[text][by_kustomize]
    assert document.repeated_keys == ()


def test_of_two_merge_keys_the_last_wins() -> None:
    text = "base: &b {p: 1, q: 2}\nother: &o {q: 3, r: 4}\nall: {<<: *b, <<: *o}\n"

    assert _values(text)[0]["all"] == {"p": 1, "q": 3, "r": 4}


def test_a_key_is_repeated_only_if_the_mapping_itself_has_it_twice() -> None:
    (document,) = read_documents(b"b: &b {p: 1, q: 2}\nc:\n  p: 0\n  <<: *b\n  q: 3\n  p: 4\n  q: 5\n", "f.yaml")

    assert document.value == {"b": {"p": 1, "q": 2}, "c": {"p": 4, "q": 5}}
    assert document.repeated_keys == (6, 7)


def test_a_quoted_merge_key_is_a_key() -> None:
    assert _values("'<<': {a: 1}\n") == [{"<<": {"a": 1}}]


def test_a_merge_key_takes_mappings_only() -> None:
    assert _error("a:\n  <<: 5\n").startswith("f.yaml:2:7: a merge key takes")


@pytest.mark.parametrize(
    "text",
    [
        "a: 1\na: 2\n",
        "yes: 1\n'true': 2\n",
        '{"a": 1,\n"a": 2}',
        '{"a": 1,\n\t"a": 2}',
        "8: 1\n010: 2\n",
        "- {a: 1,\n   a: 2}\n",
        '{"b": 1}\n{"a": 1, "a": 2}\n',
    ],
)
def test_the_last_of_repeated_keys_wins_and_its_line_is_known(text: str) -> None:
    *_, document = read_documents(text.encode(), "f.yaml")

    value = document.value[0] if isinstance(document.value, list) else document.value
    assert list(value.values()) == [2]
    assert document.repeated_keys == (2,)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a: 1\n---\nb: [\n---\nc: 1\n", [(1, 1), "f.yaml:4:1", (3, 5)]),
        ("# only a comment\n---\na: @\n--- # b\nb: 1\n", ["f.yaml:3:4", (2, 5)]),
        ("%YAML 1.1\n---\na: 1\n---\n---\nb: *a\n", [(1, 3), (2, 5), "f.yaml:6:4"]),
        ("a: |\n  ---\n  x\n---\nb: \x01\n---\nc: 1\n", [(1, 1), "f.yaml:5:4", (3, 7)]),
        ("a: 1\r\n---\r\nb: %\r\n---\r\nc: 1\r\n", [(1, 1), "f.yaml:3:4", (3, 5)]),
        ("a: 1\na: [\n", ["f.yaml:3:1"]),
    ],
)
def test_a_broken_document_does_not_hide_the_others(text: str, read: list[Any]) -> None:
    documents = read_valid_documents(text.encode(), "f.yaml")

    assert [
        (document.number, document.line) if isinstance(document, Document) else str(document).partition(": ")[0]
        for document in documents
    ] == read


DOCUMENTS = ["a: 1\n", "- x\n- y\n", "{a: [b]}\n", "a: |\n  ---\n  b\n", "# nothing\n", "a: &x 1\nb: *x\n", "'---'\n"]
BROKEN = ["a: [\n", "a: @\n", "b: *x\n", "a: 'b\n", "\ta: 1\n", "a: 1\n b: 2\n", "{a: {\n"]


@given(
    st.lists(st.sampled_from(DOCUMENTS), max_size=4),
    st.lists(st.sampled_from(DOCUMENTS), max_size=4),
    st.sampled_from(BROKEN),
)
def test_the_documents_around_a_broken_one_are_read_as_without_it(
    before: list[str], after: list[str], broken: str
) -> None:
    expected = list(read_valid_documents("---\n".join(["", *before, "a: 1\n", *after]).encode(), "f"))

    found = list(read_valid_documents("---\n".join(["", *before, broken, *after]).encode(), "f"))

    assert isinstance(found[len(before)], ManifestError)
    assert [one.value for one in found if isinstance(one, Document)] == [
        one.value for index, one in enumerate(expected) if index != len(before) and isinstance(one, Document)
    ]


def test_aliases_are_counted_across_the_documents_of_a_broken_file() -> None:
    bomb = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 6))
    parts = "---\n".join([f"a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{bomb}"] * 5)

    *_, last = read_valid_documents(f"a: @\n---\n{parts}".encode(), "f.yaml")

    assert "aliases expand to more than" in str(last)


def test_an_alias_bomb_is_an_error_before_it_expands() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    assert f"aliases expand to more than {MAX_ALIASED_NODES:,} nodes" in _error("\n".join(lines))


def test_a_reasonable_number_of_aliases_is_accepted() -> None:
    assert len(_values("a: &a [1, 2, 3]\nb: [" + ", ".join(["*a"] * 5000) + "]\n")[0]["b"]) == 5000


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{a: " * 100_000])
def test_deep_nesting_is_an_error_not_a_crash(text: str) -> None:
    assert f"nested deeper than {MAX_DEPTH} levels" in _error(text)


def test_json_follows_its_own_rules_not_those_of_yaml() -> None:
    assert _values('{\n\t"a": [1.0, 1e3, 2.5, "yes", null, true]\n}') == [{"a": [1, 1000, 2.5, "yes", None, True]}]


def test_several_json_values_are_several_documents() -> None:
    documents = list(read_documents(b'{"a": 1}\n\n{"b": 2}', "f.json"))

    assert [(document.number, document.line, document.value) for document in documents] == [
        (1, 1, {"a": 1}),
        (2, 3, {"b": 2}),
    ]


def test_json_escapes_are_characters() -> None:
    assert _values('{"a": "\\ud83d\\ude00 \\u00e9"}') == [
        {"a": "\N{GRINNING FACE} \N{LATIN SMALL LETTER E WITH ACUTE}"}
    ]


def test_half_a_surrogate_pair_is_an_error() -> None:
    assert _error('{"a": "\\ud83d"}').startswith("f.yaml:1:")


def test_json_numbers_have_the_precision_of_the_cluster() -> None:
    assert _values('{"a": 9223372036854775807, "b": 9999999999999999999}') == [
        {"a": 2**63 - 1, "b": int(float("9999999999999999999"))}
    ]


def test_yaml_in_flow_style_is_not_mistaken_for_json() -> None:
    assert _values("{a: yes, b: [c]}") == [{"a": True, "b": ["c"]}]


def test_documents_are_counted_and_located() -> None:
    text = "# a comment\na: 1\n---\n---\n# another\nb: 2\n...\n---\nc: 3\n"

    assert [(document.number, document.line, document.value) for document in read_documents(text.encode(), "f")] == [
        (1, 2, {"a": 1}),
        (2, 4, None),
        (3, 6, {"b": 2}),
        (4, 9, {"c": 3}),
    ]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n---\n"])
def test_an_empty_text_has_no_values(text: str) -> None:
    assert not any(_values(text))


def test_byte_order_marks_and_windows_line_ends_are_accepted() -> None:
    assert _values(b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\n") == [{"a": 1, "b": "x\ny\n"}]


def test_a_tab_in_the_indentation_is_an_error_with_its_position() -> None:
    assert _error("a:\n\tb: 1\n").startswith("f.yaml:2:1: ")


def test_bytes_that_are_not_text_are_an_error_with_their_position() -> None:
    assert _error(b"a: 1\nb: \xff\n").startswith("f.yaml:2:4: ")


def test_a_key_must_be_a_scalar() -> None:
    assert _error("? [a]\n: b\n").startswith("f.yaml:1:3: a key must be a scalar")


SECRET = "hunter2"  # noqa: S105 # planted
MALFORMED = [
    f"password: !!int {SECRET}\n",
    f"password: !!float {SECRET}\n",
    f"password: !!binary {SECRET}!\n",
    f"password: '{SECRET}\n",
    f'password: "{SECRET}\\q"\n',
    f"password: {SECRET}\n  bad: {SECRET}\n",
    f"a: [{SECRET}\nb: {SECRET}\n",
    f"a: @{SECRET}\n",
    f"a: %{SECRET}\n",
    f'{{"password": "{SECRET}",}}x',
    f"- {SECRET}\nb: {SECRET}\n",
    f"password: {SECRET}\n\t{SECRET}: x\n",
    f"data:\n  <<: {SECRET}\n",
    f"data: |\n {SECRET}\n{SECRET}\n",
]


@pytest.mark.parametrize("text", MALFORMED)
def test_an_error_has_a_position_and_quotes_no_value(text: str) -> None:
    message = _error(text)

    assert message.startswith("f.yaml:")
    assert message.split(":")[1].isdigit()
    assert message.split(":")[2].isdigit()
    assert SECRET not in message


def test_every_json_document_is_read_as_the_json_module_reads_it() -> None:
    value = {"a": [1, "x", None, {"b": True}], "c": {"d": 1.5}}

    assert _values(json.dumps(value, indent=2)) == [value]


ROOT = Path(__file__).parents[3]

#: Scalars on which YAML readers disagree, and similar ones on which they agree.
SCALARS = (
    *("y", "Y", "n", "yes", "No", "ON", "off", "true", "True", "FALSE", "null", "Null", "NULL", "~", "nullx", "only"),
    *("0", "-0", "+0", "7", "-7", "+7", "007", "0o7", "0x1F", "0b11", "1_000", "_1", "1__0", "12345678901234567890"),
    *("1e3_0", "1E+_3", "1e_-3", "1.5e_3", "1e_", "+_0", "-_1.5", "-_0x1F", "-_x", "1e-x"),
    *("1.0", "1.", ".5", "-.5", "1e3", "1E+3", "1.5e-3", "1e400", "1e", "e1", ".", "..", "1.2.3", "1_0.5", "0.10"),
    *(".inf", "-.INF", "+.inf", ".nan", "inf", "nan", "0x", "0xZ", "08", "0_7", "1-2", "2026-01-01", "12:30", "1:2:3"),
    *("2026-01-01T00:00:00Z", "10.0.0.1", "100m", "1Gi", "v1", "=", "<<", "&a", "*a", "!x", "!!str 1", "!!int '1'"),
    *(
        "'yes'",
        '"1"',
        '"a\\n\\u00e9"',
        '"\\ud800"',
        "'it''s'",
        "a b",
        "a: b",
        "a #b",
        "a#b",
        "#a",
        "-",
        "- a",
        "?",
        "? a",
    ),
    *("[1, yes]", "{a: on}", '{"a":1}', '{"a":yes}', "{yes: 1}", "{1: 2}", "[a, [b, {c: 0x1}]]", "{a, b}", "[,]", "{}"),
    *(
        "|\n    012\n    x",
        ">-\n    yes\n    no",
        "|+\n    x\n\n",
        "a\n    b",
        "a\n    yes",
        "\n    1_0",
        "\u00e9",
        "\u2028x",
    ),
    *("%x", "@x", "`x", "\tx", "x\ty", "---", "...", "{{ x }}", "%", "a\rb", "\ufeffx", "x\x85y", "'a\n\n    b'"),
)
KEYS = ("a", "b", "yes", "1", "1.5", "true", "~", "<<", '"k"', "'1'", "? k", "on", "&x k", "a b", "-1", "0x1")
PREFIXES = ("", "---\n", "# c\n---\n", "--- # c\n", "--- a\n", "%YAML 1.2\n---\n", "\n\n", "---\n---\n", "...\n")


@st.composite
def texts(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(PREFIXES))
    for _ in range(draw(st.integers(1, 3))):
        lines = []
        for _ in range(draw(st.integers(0, 4))):
            value = draw(st.sampled_from(SCALARS))
            shape = draw(
                st.sampled_from(("{k}: {v}", "- {v}", "{k}:\n  - {v}\n  - x", "{k}:\n  {k}: {v}", "{v}", "{k}:{v}"))
            )
            lines.append(shape.replace("{k}", draw(st.sampled_from(KEYS))).replace("{v}", value))
        text += "\n".join(lines) + draw(st.sampled_from(("", "\n", "\n---\n", " # end\n---\n", "\n...\n---\n")))
    return text


def _read_exact(text: bytes) -> list[tuple[int | None, str]] | None:
    try:
        # repr tells 1 from 1.0. The line of an empty document does not matter.
        return [(d.line if d.value is not None else None, repr(d.value)) for d in YamlReader("f").read(text)]
    except ManifestError:
        return None


def _read_fast(text: bytes) -> list[tuple[int | None, str]] | None:
    documents = read_plain_documents(text)
    if documents is None:
        return None
    return [(line if value is not None else None, repr(value)) for line, value in documents]


@settings(max_examples=1000, deadline=None)
@given(texts())
def test_the_fast_reader_agrees_with_the_exact_reader(text: str) -> None:
    read = _read_fast(text.encode("utf-8", "surrogatepass"))
    assert read is None or read == _read_exact(text.encode())


@settings(max_examples=1000, deadline=None)
@given(texts())
def test_fast_documents_survive_json(text: str) -> None:
    read = read_plain_documents(text.encode("utf-8", "surrogatepass"))
    if read is not None:
        try:
            sent = orjson.dumps(read)
        except TypeError:
            # orjson rejects half of a surrogate pair rather than changing it.
            return
        assert repr(orjson.loads(sent)) == repr([[line, value] for line, value in read])


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("shape", ["a: {}", "- {}", "[x, {}]", "a: [{}]", '"a":{}', "{}", "a:\n  {}\n", "a: {} # c"])
def test_every_scalar_is_read_alike_in_every_position(scalar: str, shape: str) -> None:
    text = shape.replace("{}", scalar).encode()
    read = _read_fast(text)
    assert read is None or read == _read_exact(text)


@pytest.mark.parametrize("path", sorted(map(str, (ROOT / "dist").rglob("*.yaml"))))
def test_synthesized_manifests_are_read_fast(path: str) -> None:
    text = Path(path).read_bytes()
    assert _read_fast(text) == _read_exact(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: yes",
        "a: 012",
        "a: 1_000",
        "a: 1.0",
        "1: a",
        "a: &x b\nb: *x",
        "a: !!str 1",
        "<<: {a: 1}",
        "a: x\ry",
        "",
        "{",
    ],
)
def test_ambiguous_text_is_left_to_the_exact_reader(text: str) -> None:
    assert read_plain_documents(text.encode()) is None


@pytest.mark.parametrize("nested", [b"a: [", b"- "])
def test_deeply_nested_text_is_left_to_the_exact_reader(nested: bytes) -> None:
    assert read_plain_documents(nested * 100_000) is None
