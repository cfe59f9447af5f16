"""Canonical forms of quantities, durations, times and int-or-string values, so that equal values compare equal."""

import re
from contextlib import suppress
from decimal import ROUND_UP, Context, Decimal, DecimalException
from typing import Final, Self

from drift.objects import Json
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
#: What Go ignores in base64.
_LINE_BREAK: Final = re.compile(r"[\r\n]")
_TIME_FRACTION: Final = re.compile(r"\.0+(?=Z$|[+-]\d\d:\d\d$)")
#: The longest string that is read as a quantity or a duration. Longer ones are compared unchanged.
_MAX_LENGTH: Final = 64
#: Enough digits for a string of that length times any unit. The default precision of 28 would round.
_EXACT: Final = Context(prec=256)
_THOUSANDTH: Final = Decimal("0.001")


class Canonical(str):
    """A scalar in canonical form, with the value as it was written. Equality and hash use the canonical form.

    Attributes:
        written: The original value, which reports show.
    """

    __slots__ = ("written",)
    written: Json

    def __new__(cls, text: str, written: Json) -> Self:
        """Takes the canonical form and the value as it was written."""
        self = super().__new__(cls, text)
        self.written = written
        return self


def canonical(value: Json, scalar: Scalar) -> Json:
    """Returns a scalar in canonical form.

    Returns:
        A `Canonical` if the type allows several forms of a value. The value itself if the type is plain, or if the
        value does not fit the type: the server would reject it, or has a newer schema.
    """
    if scalar is Scalar.QUANTITY:
        return _canonical_number(parse_quantity(value), value)
    if scalar is Scalar.INT_OR_STRING:
        return _int_or_string(value)
    if scalar is Scalar.DURATION:
        return _canonical_number(parse_duration(value), value)
    if scalar is Scalar.TIME and isinstance(value, str):
        return Canonical(_TIME_FRACTION.sub("", value), value)
    if scalar is Scalar.BYTE and isinstance(value, str) and _LINE_BREAK.search(value):
        return Canonical(_LINE_BREAK.sub("", value), value)
    return value


def canonical_amount(value: Json) -> Json:
    """Returns an amount in a ``ResourceList`` of a built-in type in canonical form.

    The API server rounds it up, away from zero, to a thousandth (``SetDefaults_ResourceList``).
    """
    number = parse_quantity(value)
    if number is not None:
        # A number with too many digits for the context is far too large to have a fraction.
        with suppress(DecimalException):
            number = number.quantize(_THOUSANDTH, ROUND_UP, _EXACT)
    return _canonical_number(number, value)


def parse_quantity(value: Json) -> Decimal | None:
    """Returns the exact number of a quantity such as ``500m`` or ``0.5Gi``, or None if the value is not a quantity."""
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
    """Returns the nanoseconds of a Go duration such as ``1h30m``, or None if the value is not a duration."""
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


def _canonical_number(number: Decimal | None, written: Json) -> Json:
    if number is None:
        return written
    return Canonical(str(number.normalize(_EXACT) or Decimal(0)), written)


def _int_or_string(value: Json) -> Json:
    # 80 and "80" are the same port.
    if isinstance(value, int | str) and not isinstance(value, bool):
        return Canonical(str(value), value)
    return value
