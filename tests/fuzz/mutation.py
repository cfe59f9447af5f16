"""Edits inputs: bytes, as a fuzzer does, and structure, with unexpected values."""

import json
from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any, Final

import yaml
from hypothesis import strategies as st

_WORDS: Final = [
    *(
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!binary ",
        b"!x ",
        b"? ",
        b"- ",
        b": ",
        b"\n---\n",
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b"'",
    ),
    *(
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\\ud800",
        b"\n",
        b"\t",
        b"#",
        b"|",
        b">",
        b"%",
        b"@",
        b"null",
        b"~",
        b".inf",
    ),
    *(
        b"9" * 30,
        b"-1",
        b"1e400",
        b"0x",
        b"true",
        b"items",
        b"List",
        b"metadata",
        b"name",
        b"spec",
        b"k:{}",
        b"v:",
        b"i:",
    ),
]
DEEP: Final[Any] = json.loads("[" * 150 + "]" * 150)
#: Unexpected values. JSON can express all of them.
HOSTILE_VALUES: Final[Sequence[Any]] = [
    *(None, True, False, 0, -1, 0.1, 2**31, 2**63, -(2**63) - 1, 10**40, 1e308, -0.0),
    *(
        "",
        " ",
        "\0",
        "\x1b]0;x\x07",
        "\ud800",
        "\u202eevil",
        "\u2028",
        "<script>",
        "]]>",
        "::error::",
        "| a |",
        "`",
        "{{x}}",
    ),
    *("x" * 5_000, "9" * 5_000, "1e9999", "0x" + "f" * 400, "1Zi", "..", "/", "~", "~1", "*", "**", "[", "(?P<"),
    *("2026-13-45T99:99:99Z", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2026-01-01"),
    *("v1", "a/b/c", "f:", "k:{", 'k:{"a":{}}', "v:[", "i:x", "."),
    *([], {}, [[]], [{}], {"": ""}, [None], {"name": None}, [{"name": "a"}, {"name": "a"}], {"\ud800": 1}, DEEP),
]


def mutated(data: bytes, random: Random) -> bytes:
    """Returns the data with some bytes changed."""
    changed = bytearray(data)
    for _ in range(random.randint(1, 8)):
        start = random.randint(0, len(changed))
        end = min(len(changed), start + random.choice([0, 1, 1, 2, 8, 64, 1000]))
        match random.randrange(6):
            case 0:
                del changed[start:end]
            case 1:
                changed[start:start] = random.choice(_WORDS)
            case 2:
                changed[start:end] = random.choice(_WORDS)
            case 3:
                changed[start:start] = changed[start:end] * random.choice([1, 2, 30])
            case 4:
                changed[start:end] = random.randbytes(end - start)
            case _:
                if start < len(changed):
                    changed[start] ^= 1 << random.randrange(8)
    return bytes(changed)


@st.composite
def restructured(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Draws a seed with some values replaced, repeated, renamed or removed."""
    text = seeds[draw(st.integers(0, len(seeds) - 1))]
    return restructure(text, lambda values: values[draw(st.integers(0, len(values) - 1))])


def restructure(text: bytes, choose: Callable[[Sequence[Any]], Any]) -> bytes:
    """Edits the structure of a text.

    Args:
        text: YAML or JSON.
        choose: Returns one of several values.

    Raises:
        ValueError, yaml.YAMLError: The text is neither.
    """
    documents = [json.loads(text)] if text[:1] in {b"{", b"["} else list(yaml.load_all(text, _TextLoader))
    for _ in range(choose(range(1, 5))):
        places = [place for document in documents for place in _places(document)]
        if places:
            _edit(choose, *choose(places))
    return b"\n---\n".join(json.dumps(document).encode() for document in documents)


class _TextLoader(yaml.SafeLoader):
    """Reads times as strings: JSON has no times."""


_TextLoader.add_constructor("tag:yaml.org,2002:timestamp", lambda _, node: str(node.value))


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Returns every nested value, as its container and its key or index."""
    found: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        container = pending.pop()
        items = container.items() if isinstance(container, dict) else enumerate(container or ())
        for key, below in items:
            found.append((container, key))
            if isinstance(below, dict | list) and below is not DEEP:
                pending.append(below)
    return found


def _edit(choose: Callable[[Sequence[Any]], Any], container: Any, key: Any) -> None:
    action = choose(["replace", "replace", "replace", "remove", "wrap", "repeat"])
    if action == "replace":
        value = choose(HOSTILE_VALUES)
        # A copy, because a later edit may change it.
        container[key] = value if value is DEEP else deepcopy(value)
    elif action == "remove":
        del container[key]
    elif action == "wrap":
        container[key] = choose([[container[key]], {"a": container[key]}])
    elif isinstance(container, list):
        container.append(container[key])
    else:
        container[choose(["", "x", "name", "f:x", "\ud800", "<<"])] = container[key]
