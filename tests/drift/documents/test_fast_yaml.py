from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.documents.exact_yaml import YamlReader
from drift.documents.fast_yaml import read_plain_documents
from drift.errors import ManifestError

ROOT = Path(__file__).parents[3]

#: Scalars on which YAML readers disagree, and similar ones on which they agree.
SCALARS = (
    *("y", "Y", "n", "yes", "No", "ON", "off", "true", "True", "FALSE", "null", "Null", "NULL", "~", "nullx", "only"),
    *("0", "-0", "+0", "7", "-7", "+7", "007", "0o7", "0x1F", "0b11", "1_000", "_1", "1__0", "12345678901234567890"),
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
