from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rescan import quantity


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("100m", Fraction(1, 10)),
        ("0.1", Fraction(1, 10)),
        ("1", 1),
        ("1.5", Fraction(3, 2)),
        ("2e3", 2000),
        ("1E3", 1000),
        ("1E", 10**18),
        ("128Mi", 128 * 1024**2),
        ("1k", 1000),
        ("1Ki", 1024),
        ("200M", 200 * 10**6),
        ("5n", Fraction(5, 10**9)),
    ],
)
def test_a_quantity_is_an_exact_number(text: str, number: Fraction) -> None:
    assert quantity.parse(text) == number


@pytest.mark.parametrize("text", ["", "Mi", "1 Gi", "1GB", "1K", "one", "1e", "0x10", "1mi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a Kubernetes quantity"):
        quantity.parse(text)


@given(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["", "+", "-"]),
        st.integers(0, 10**15).map(str) | st.decimals(0, 10**6, places=3).map(str),
        st.sampled_from(["", "m", "u", "n", "k", "M", "G", "T", "P", "Ki", "Mi", "Gi", "Ti", "Pi", "e3", "E2", "e-2"]),
    )
)
def test_the_number_is_the_one_that_the_kubernetes_client_reads(text: str) -> None:
    from kubernetes.utils import parse_quantity  # noqa: PLC0415 - it loads the whole client

    assert quantity.parse(text) == Fraction(parse_quantity(text))  # type: ignore[no-untyped-call]  # of the client


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1_000", "1K"])
def test_texts_that_the_kubernetes_client_accepts_and_the_api_server_refuses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a Kubernetes quantity"):
        quantity.parse(text)
