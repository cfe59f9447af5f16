"""Scalars with several forms: which forms are equal, and which only look equal."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.schema.types import Scalar
from drift.schema.values import Canonical, canonical, canonical_amount, parse_duration, parse_quantity


@pytest.mark.parametrize(
    "forms",
    [
        ("1", 1, "1000m", "1.0", "+1", "1e0", "1000000u", "1000000000n", 1.0),
        ("0.5Gi", "512Mi", "536870912", 536870912),
        ("1k", "1e3", "1E3", 1000),
        ("1.5Gi", "1536Mi"),
        ("1E", "1e18"),
        ("0", 0, "0m", "-0", "0Gi"),
        (".5", "500m", 0.5),
    ],
)
def test_forms_of_one_quantity_are_equal(forms: tuple[Any, ...]) -> None:
    values = [canonical(form, Scalar.QUANTITY) for form in forms]

    assert len(set(values)) == 1
    assert [value.written for value in values] == list(forms)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1M", "1Mi"),
        ("1m", "1M"),
        ("100m", "101m"),
        ("10000000000000000000000000000001", "10000000000000000000000000000002"),
        ("0.3", "300001u"),
    ],
)
def test_quantities_are_exact(one: str, other: str) -> None:
    assert canonical(one, Scalar.QUANTITY) != canonical(other, Scalar.QUANTITY)


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        (0.0875, "88m"),
        ("87.5m", "88m"),
        ("-87.5m", "-88m"),
        ("1n", "1m"),
        ("1.0001", "1001m"),
        ("0.25", "250m"),
        ("0.5Gi", "512Mi"),
        ("0", 0),
        ("3E", "3000P"),
        ("1e400", "10e399"),
    ],
)
def test_the_server_rounds_an_amount_up_to_a_thousandth(written: Any, stored: Any) -> None:
    assert canonical_amount(written) == canonical(stored, Scalar.QUANTITY)


@pytest.mark.parametrize("text", ["", "1 Gi", "Gi", "1ki", "1KI", "1e", "--1", "1_000", "1" * 65, True, None, "0x10"])
def test_an_invalid_quantity_is_unchanged(text: Any) -> None:
    assert parse_quantity(text) is None
    assert canonical(text, Scalar.QUANTITY) is text


@pytest.mark.parametrize("text", ["9" * 28 + "e999999", "9e99999999999999999999", "1e-99999999999999999999"])
def test_a_huge_quantity_raises_no_error(text: str) -> None:
    canonical(text, Scalar.QUANTITY)


@given(number=st.decimals(min_value="0", max_value="1e15", places=9), suffix=st.sampled_from(["", "m", "k", "Ki", "E"]))
def test_a_quantity_is_its_number_times_its_suffix(number: Decimal, suffix: str) -> None:
    factors = {"": Decimal(1), "m": Decimal("0.001"), "k": Decimal(1000), "Ki": Decimal(1024), "E": Decimal(10) ** 18}
    parsed = parse_quantity(f"{number:f}{suffix}")

    assert parsed is not None
    assert Fraction(parsed) == Fraction(number) * Fraction(factors[suffix])


@pytest.mark.parametrize(
    "forms", [("8760h", "8760h0m0s"), ("1h30m", "90m", "5400s", "1.5h"), ("0", "0s", "0h"), ("1ms", "1000us", "1000µs")]
)
def test_forms_of_one_duration_are_equal(forms: tuple[str, ...]) -> None:
    assert len({canonical(form, Scalar.DURATION) for form in forms}) == 1


@pytest.mark.parametrize(("one", "other"), [("1m", "1ms"), ("1h", "-1h"), ("1h", "1h1ns")])
def test_different_durations_differ(one: str, other: str) -> None:
    assert canonical(one, Scalar.DURATION) != canonical(other, Scalar.DURATION)


@pytest.mark.parametrize("text", ["", "1", "1d", "h", "1h ", "1h" * 40, 60, None])
def test_an_invalid_duration_is_unchanged(text: Any) -> None:
    assert parse_duration(text) is None
    assert canonical(text, Scalar.DURATION) is text


def test_an_int_or_string_number_equals_its_string() -> None:
    assert canonical(80, Scalar.INT_OR_STRING) == canonical("80", Scalar.INT_OR_STRING)
    assert canonical("http", Scalar.INT_OR_STRING) != canonical("80", Scalar.INT_OR_STRING)
    assert canonical(True, Scalar.INT_OR_STRING) is True  # noqa: FBT003


def test_a_time_with_a_zero_fraction_equals_one_without() -> None:
    assert canonical("2026-01-01T00:00:00.000Z", Scalar.TIME) == canonical("2026-01-01T00:00:00Z", Scalar.TIME)
    assert canonical("2026-01-01T00:00:00.001Z", Scalar.TIME) != canonical("2026-01-01T00:00:00Z", Scalar.TIME)


def test_line_breaks_in_base64_make_no_difference() -> None:
    assert canonical("AAEC\r\nAwQF\n", Scalar.BYTE) == canonical("AAECAwQF", Scalar.BYTE) == "AAECAwQF"
    assert canonical("AAEC\nAwQ=", Scalar.BYTE) != canonical("AAECAwQF", Scalar.BYTE)
    assert canonical("AAEC AwQF", Scalar.BYTE) != canonical("AAECAwQF", Scalar.BYTE)
    assert canonical(1, Scalar.BYTE) == 1


@pytest.mark.parametrize("value", ["1000m", "80", 80, "8760h", "1", 1, True, None])
def test_plain_scalars_are_unchanged(value: Any) -> None:
    assert canonical(value, Scalar.PLAIN) is value
    assert not isinstance(canonical(value, Scalar.PLAIN), Canonical)
