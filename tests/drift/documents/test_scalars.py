"""Scalars are read as kubectl reads them: by table, and compared with the real kubectl."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from drift.documents import scalars
from drift.documents.parse import read_documents
from drift.errors import ManifestError

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nx:\n"
FRAGMENTS = [
    *"0123456789+-.eE_xXoObByYnN~:",
    *("yes", "no", "on", "off", "null", "true", "False", "0x", "0o", "0b", ".inf", ".nan", "inf", "nan", "-0", "+."),
    *("2026-01-01", "12:30", "T00:00:00Z", "1e", "=", "9223372036854775807"),
]
# go-yaml accepts a sign after 0b by accident. No one writes that.
PLAIN = st.lists(st.sampled_from(FRAGMENTS), min_size=1, max_size=5).map("".join).filter(lambda text: "0b" not in text)


def _as_kubectl_reads(kubectl: Path, text: str) -> Any:
    """Returns the field x as kubectl reads it. An empty local patch needs no server."""
    done = subprocess.run(
        [kubectl, "patch", "--local", "--type=merge", "--patch={}", "--output=json", "--filename=-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "KUBECONFIG": "/nonexistent", "KUBECTL_KUBERC": "false"},
    )
    return json.loads(done.stdout, parse_int=_integer)["x"] if done.returncode == 0 else None


def _integer(text: str) -> int:
    # Go writes only the significant digits of a float, and then zeros.
    number = int(text)
    return number if abs(number) < 2**63 else int(float(text))


def _read(text: str) -> Any:
    return next(iter(read_documents(text.encode(), "f"))).value["x"]


def _item(text: str) -> str:
    return f"{CONFIG_MAP}- {text}\n"


def _is_readable(text: str) -> bool:
    try:
        return not isinstance(_read(_item(text))[0], dict | list)
    except ManifestError:
        return False


@given(texts=st.lists(PLAIN, min_size=200, max_size=200))
# Each example runs kubectl. A failure names the text, so there is no need to shrink it.
@settings(
    max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate)
)
def test_plain_scalars_are_read_as_kubectl_reads_them(kubectl: Path, texts: list[str]) -> None:
    readable = [text for text in texts if _is_readable(text)]
    actual = _read(CONFIG_MAP + "".join(f"- {text}\n" for text in readable))

    expected = _as_kubectl_reads(kubectl, CONFIG_MAP + "".join(f"- {text}\n" for text in readable))

    assert [
        (text, one, other)
        for text, one, other in zip(readable, actual, expected, strict=True)
        if (type(one), one) != (type(other), other)
    ] == []


# Of `yes` and 'true', or of 8 and '8', kubectl takes one at random.
@pytest.mark.parametrize(
    "text",
    [
        "{a: 1, b: {c: 1}, b: {d: 2}}",
        "{<<: {a: 1, b: 1}, a: 2, a: 3}",
        "{a: &x {p: 1}, <<: *x, p: 2, p: 3}",
        "{a: &x {p: 1}, p: 2, <<: *x}",
        "{a: &x {p: 1}, b: &y {p: 2, q: 2}, p: 3, <<: [*x, *y]}",
        "{a: &x {p: 1}, b: &y {p: 2, q: 2}, <<: *y, <<: *x}",
        "{q: 0, <<: {q: 7, <<: {p: 1, q: 2}}}",
        "{a: &x {p: 1}, p: 2, !!merge <<: *x}",
        "{2024.1215: 1, 1e6: 2, 1e5: 3, 1234567.5: 4, 0.00001: 5, 1e39: 6, -0.0: 7, 99999999999999999999: 8}",
    ],
)
def test_keys_are_read_as_kubectl_reads_them(kubectl: Path, text: str) -> None:
    assert _read(f"x: {text}\n") == _as_kubectl_reads(kubectl, f"{CONFIG_MAP[:-3]}x: {text}\n")


@pytest.mark.parametrize("text", [".inf", "-.INF", "+.Inf", ".nan", "!!int x", "!!binary '!'", "1: 2: 3", "[", "%"])
def test_a_scalar_that_kubectl_rejects_is_an_error(kubectl: Path, text: str) -> None:
    assert _as_kubectl_reads(kubectl, _item(text)) is None
    assert not _is_readable(text)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        *(("0644", 420), ("0o644", 420), ("08", 8)),
        *((word, True) for word in ("yes", "on", "y", "true", "TRUE")),
        *((word, False) for word in ("off", "n", "no", "false", "False")),
        *((word, word) for word in ("12:30", "2026-01-01", "2026-01-01T00:00:00Z", "=", "yEs", "nULL", "0x", "_1")),
        *((word, None) for word in ("", "~", "null", "Null")),
        *(("1e3", 1000), ("12e03", 12000), (".5", 0.5), ("1_000", 1000), ("+1", 1), ("0x1F", 31), ("0b11", 3)),
        *(
            (".1_0", ".1_0"),
            ("-0b11", -3),
            ("-0x1f", -31),
            ("-0o17", -15),
            ("1.0", 1),
            ("1.10", 1.1),
            ("-0", 0),
            ("1e21", 1e21),
        ),
    ],
)
def test_a_plain_scalar(written: str, read: Any) -> None:
    value = scalars.read_plain(written)

    assert (type(value), value) == (type(read), read)


@pytest.mark.parametrize("text", ["1e999", "-1e999", "7e99999", "9" * 400, "9" * 5000])
def test_a_number_too_large_for_a_float_is_a_string(text: str) -> None:
    # For example an abbreviated commit without quotes, such as 7e99999.
    assert scalars.read_plain(text) == text


@pytest.mark.parametrize("text", ["9223372036854775807", "-9223372036854775808"])
def test_an_integer_of_64_bits_is_exact(text: str) -> None:
    assert scalars.read_plain(text) == int(text)


@pytest.mark.parametrize("text", ["9999999999999999999", "-9999999999999999999"])
def test_a_larger_integer_has_the_precision_of_a_float_as_in_the_cluster(text: str) -> None:
    assert scalars.read_plain(text) == int(float(text))


@pytest.mark.parametrize(
    ("tag", "text", "read"),
    [
        ("binary", "aG k=", "hi"),
        ("int", "0x10", 16),
        ("float", "5", 5),
        ("bool", "yes", True),
        ("null", "~", None),
        ("str", "5", "5"),
        ("timestamp", "2026-01-01", "2026-01-01"),
    ],
)
def test_a_tagged_scalar(tag: str, text: str, read: Any) -> None:
    assert scalars.read_tagged(f"tag:yaml.org,2002:{tag}", text) == read


@pytest.mark.parametrize("tag", ["int", "float", "bool", "null", "binary"])
def test_a_value_that_does_not_match_its_tag_is_not_quoted(tag: str) -> None:
    with pytest.raises(ValueError, match=tag) as error:
        scalars.read_tagged(f"tag:yaml.org,2002:{tag}", "hunter2 hunter2")

    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("value", "key"), [("a", "a"), (True, "true"), (False, "false"), (8080, "8080"), (1.5, "1.5"), (-1, "-1")]
)
def test_a_key_becomes_a_string(value: Any, key: str) -> None:
    assert scalars.as_key(value) == key


def test_a_key_cannot_be_null() -> None:
    with pytest.raises(ValueError, match="null"):
        scalars.as_key(None)
