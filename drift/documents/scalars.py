"""Converts YAML scalars to JSON values as kubectl does, which follows neither YAML 1.1 nor YAML 1.2.

kubectl converts manifests to JSON with sigs.k8s.io/yaml, a fork of go-yaml v2. The rules are from its ``resolve.go``
and from Go's ``strconv``. Tests compare them with the real kubectl.
"""

import base64
import binascii
import math
import re
import struct
from datetime import datetime
from decimal import Decimal
from typing import Final

from drift.objects import Json

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_WORD_STARTS: Final = frozenset(word[:1] for word in _WORDS)
_NUMBER_STARTS: Final = frozenset("+-.0123456789")
# JSON cannot represent these, so kubectl rejects them.
_NOT_JSON: Final = frozenset(
    (
        *(".nan", ".NaN", ".NAN"),
        *(f"{sign}{word}" for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")),
    )
)
#: Digits after the first one that any float of 32 bits needs, and one more.
_SINGLE_DIGITS: Final = 10
#: The exponents with which Go writes a float without one.
_WITHOUT_EXPONENT: Final = range(-4, 6)
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED: Final = re.compile(r"([-+]?)0(?:[xX]([0-9a-fA-F]+)|[oO]?([0-7]+)|[bB]([01]+))")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_INTEGER: Final = 2**64 - 1
_MAX_SIGNED: Final = 2**63 - 1
_MIN_INTEGER: Final = -(2**63)
#: A date, or a date and a time, that kustomize reads as a time.
_TIME: Final = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2})"
    r"(?:(?P<letter>[Tt ])(?P<time>[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})(?P<fraction>\.[0-9]{1,9})?"
    r"(?P<zone>Z|[-+][0-9]{2}:[0-9]{2})?)?"
)
#: More digits than any integer in range has in base 2, without leading zeros.
_MAX_DIGITS: Final = 128

STR: Final = "tag:yaml.org,2002:str"
_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"
_INT: Final = "tag:yaml.org,2002:int"
_FLOAT_TAG: Final = "tag:yaml.org,2002:float"
_BINARY: Final = "tag:yaml.org,2002:binary"


def read_plain(text: str) -> Json:
    """Returns the JSON value of an untagged plain scalar.

    Raises:
        ValueError: JSON cannot represent it (``.inf``, ``.nan``).
    """
    start = text[:1]
    if start in _NUMBER_STARTS:
        return _read_number(text)
    if start in _WORD_STARTS:
        return _WORDS.get(text, text)
    return text


def read_plain_of_kustomize(text: str) -> Json:
    """Returns what kubectl reads for an untagged plain scalar in a file that kustomize has built.

    kustomize reads with go-yaml v3, where ``off``, ``yes`` and ``y`` are strings and a date is a time.

    Raises:
        ValueError: As `read_plain`.
    """
    value = read_plain(text)
    if isinstance(value, bool):
        return value if text.casefold() in {"true", "false"} else text
    return _time(text) if isinstance(value, str) else value


def _time(text: str) -> str:
    """Returns a time as RFC 3339; any other text unchanged."""
    found = _TIME.fullmatch(text)
    # Only a time after the letter T has a zone, and must have one.
    if found is None or (found["zone"] is not None) != (found["letter"] in {"T", "t"}):
        return text
    try:
        time = datetime.strptime(f"{found['date']} {found['time'] or '0:0:0'}Z", "%Y-%m-%d %H:%M:%S%z")
    except ValueError:
        return text
    return f"{time:%Y-%m-%dT%H:%M:%S}{(found['fraction'] or '').rstrip('0').rstrip('.')}{found['zone'] or 'Z'}"


def read_tagged(tag: str, text: str) -> Json:
    """Returns the JSON value of a scalar with an explicit tag.

    Args:
        tag: The full tag, for example ``tag:yaml.org,2002:int``. With an unknown tag, the value is the text.
        text: The scalar.

    Raises:
        ValueError: The text does not match its tag.
    """
    if tag == _BINARY:
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            raise ValueError("!!binary is not valid base64") from None
    if tag not in {_NULL, _BOOL, _INT, _FLOAT_TAG}:
        return text
    value = read_plain(text)
    matches = {
        _NULL: value is None,
        _BOOL: isinstance(value, bool),
        _INT: isinstance(value, int) and not isinstance(value, bool),
        _FLOAT_TAG: isinstance(value, int | float) and not isinstance(value, bool),
    }
    if not matches[tag]:
        # The text is not quoted, because it may be the value of a Secret.
        raise ValueError(f"the value does not match its tag !!{tag.rpartition(':')[2]}")
    return value


def as_key(value: Json, text: str | None = None) -> str:
    """Returns the JSON key for a scalar key.

    Args:
        value: Its value.
        text: As it is written; None if that is elsewhere, for an alias.

    Raises:
        ValueError: The key is null, or an integer that kubectl does not take as a key.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        digits = str(value) if text is None else text if text.startswith(".") else text.replace("_", "")
        number = _read_integer(digits)
        if number is None:
            # 1e6, too, whose value is an integer.
            return _float_key(float(digits))
        if number > _MAX_SIGNED:
            raise ValueError("a key cannot be an integer above int64; quote it")
        return str(number)
    raise ValueError("a key cannot be null")


def _float_key(number: float) -> str:
    """Returns what ``strconv.FormatFloat(number, 'g', -1, 32)`` returns in Go, with which kubectl makes a key."""
    single = _single(number)
    if math.isinf(single):
        return ".inf" if single > 0 else "-.inf"
    # The fewest digits that are this number and no other one of 32 bits.
    shortest = next(
        text for digits in range(_SINGLE_DIGITS) if _single(float(text := f"{single:.{digits}e}")) == single
    )
    exponent = int(shortest.partition("e")[2])
    return f"{Decimal(shortest):f}" if exponent in _WITHOUT_EXPONENT else shortest


def _single(number: float) -> float:
    """Returns the nearest float of 32 bits, which may be infinite."""
    (single,) = struct.unpack("f", struct.pack("f", number))
    return float(single)


def _read_number(text: str) -> Json:
    if text in _NOT_JSON:
        raise ValueError("JSON has no infinity or NaN; quote the value if it is a string")
    # go-yaml keeps the underscores of a text that begins with a dot, so it is not a float.
    digits = text if text.startswith(".") else text.replace("_", "")
    number = _read_integer(digits)
    if number is not None:
        return tidy_integer(number)
    if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return tidy_float(float(digits))
    # A number too large for a float is a string, for example the abbreviated commit 7e99999.
    return text


def _read_integer(digits: str) -> int | None:
    if len(digits) > _MAX_DIGITS:
        return None
    if _DECIMAL.fullmatch(digits):
        number = int(digits)
    else:
        based = _BASED.fullmatch(digits)
        if not based:
            return None
        sign, hexadecimal, octal, binary = based.groups()
        magnitude = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(binary, 2)
        number = -magnitude if sign == "-" else magnitude
    return number if _MIN_INTEGER <= number <= _MAX_INTEGER else None


def tidy_integer(number: int) -> int:
    """Returns an integer as Kubernetes stores it: outside of int64, it has the precision of a float."""
    return number if _MIN_INTEGER <= number <= _MAX_SIGNED else int(float(number))


def tidy_float(number: float) -> int | float:
    """Returns an integer for a float without a fraction, as JSON does (1e3 is 1000).

    Raises:
        ValueError: It is too large for a float.
    """
    if number in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    # Go writes floats from 1e21 on with an exponent, and reads them as floats again.
    return int(number) if number.is_integer() and abs(number) < 1e21 else number  # noqa: PLR2004
