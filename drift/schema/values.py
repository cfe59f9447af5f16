"""Scalars in one canonical form, so that equal means equal: quantities, durations, int-or-string."""

import re
from decimal import Context, Decimal, DecimalException
from typing import Final, Self

from drift.model import Json
from drift.schema.types import Scalar

_QUANTITY: Final = re.compile(
    r"([+-]?(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++))(?:([eE][+-]?[0-9]+)|([numkMGTPE]|[KMGTPE]i)?)"
)
_SUFFIX: Final[dict[str | None, Decimal]] = {
    None: Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal("1e3"),
    "M": Decimal("1e6"),
    "G": Decimal("1e9"),
    "T": Decimal("1e12"),
    "P": Decimal("1e15"),
    "E": Decimal("1e18"),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_DURATION_WHOLE: Final = re.compile(r"[+-]?(?:(?:[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++)(?:ns|us|µs|μs|ms|s|m|h))+")
_DURATION_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS: Final = {
    "ns": Decimal(1),
    "us": Decimal(1_000),
    "µs": Decimal(1_000),
    "μs": Decimal(1_000),
    "ms": Decimal(1_000_000),
    "s": Decimal(1_000_000_000),
    "m": Decimal(60_000_000_000),
    "h": Decimal(3_600_000_000_000),
}
_TIME_FRACTION: Final = re.compile(r"\.0+(?=Z$|[+-]\d\d:\d\d$)")
#: Longer than any quantity or duration; longer texts are compared as they are.
_MAX_LENGTH: Final = 64
#: More digits than a text of that length times any unit can have; the usual 28 would round.
_EXACT: Final = Context(prec=256)


class Canonical(str):
    """A scalar in canonical form, which equality and hashing go by, with the value as it was written.

    Attributes:
        written: The value as the manifest or the server has it, for showing.
    """

    __slots__ = ("written",)
    written: Json

    def __new__(cls, text: str, written: Json) -> Self:
        """Args: the canonical text, and the value as written."""
        self = super().__new__(cls, text)
        self.written = written
        return self


def canonical(value: Json, scalar: Scalar) -> Json:
    """A scalar in canonical form.

    Args:
        value: A JSON scalar.
        scalar: What the schema says it is.

    Returns:
        A `Canonical` where other texts mean the same; the value itself where it is plain or is not what the schema
        says (the server would refuse it, or the schema is newer).
    """
    if scalar is Scalar.QUANTITY:
        return _number(parse_quantity(value), value)
    if scalar is Scalar.INT_OR_STRING:
        return _int_or_string(value)
    if scalar is Scalar.DURATION:
        return _number(parse_duration(value), value)
    if scalar is Scalar.TIME and isinstance(value, str):
        return Canonical(_TIME_FRACTION.sub("", value), value)
    return value


def parse_quantity(value: Json) -> Decimal | None:
    """The exact number that a Kubernetes quantity stands for; None for what is not one.

    Args:
        value: A string such as ``500m`` or ``0.5Gi``, or a number.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    match = _QUANTITY.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if not match:
        return None
    number, exponent, suffix = match.groups()
    try:
        return _EXACT.multiply(Decimal(number + (exponent or "")), _SUFFIX[suffix])
    except DecimalException:
        return None


def parse_duration(value: Json) -> Decimal | None:
    """The nanoseconds that a Go duration stands for; None for what is not one.

    Args:
        value: A string such as ``1h30m``.
    """
    if not isinstance(value, str) or len(value) > _MAX_LENGTH:
        return None
    if value.lstrip("+-") == "0":
        return Decimal(0)
    if not _DURATION_WHOLE.fullmatch(value):
        return None
    total = Decimal(0)
    for number, unit in _DURATION_PART.findall(value):
        total = _EXACT.add(total, _EXACT.multiply(Decimal(number), _NANOSECONDS[unit]))
    return -total if value.startswith("-") else total


def _number(number: Decimal | None, written: Json) -> Json:
    if number is None:
        return written
    number = number.normalize(_EXACT)
    return Canonical(str(number or Decimal(0)), written)


def _int_or_string(value: Json) -> Json:
    # 80 and "80" mean the same port to whoever reads the object.
    if isinstance(value, int | str) and not isinstance(value, bool):
        return Canonical(str(value), value)
    return value
