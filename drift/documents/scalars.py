"""What a plain YAML scalar means to kubectl, which is neither YAML 1.1 nor YAML 1.2.

kubectl reads manifests with sigs.k8s.io/yaml, a fork of go-yaml v2, and turns them into JSON. Rules are those of its
``resolve.go`` and of Go's ``strconv``; the tests hold them against the real kubectl.
"""

import base64
import binascii
import math
import re
from typing import Final

from drift.model import Json

_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}
_WORD_STARTS: Final = frozenset(word[:1] for word in _WORDS)
_NUMBER_STARTS: Final = frozenset("+-.0123456789")
# JSON has no word for these, so kubectl fails on them.
_NOT_JSON: Final = frozenset(
    (
        *(".nan", ".NaN", ".NAN"),
        *(f"{sign}{word}" for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")),
    )
)
_DECIMAL: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED: Final = re.compile(r"([-+]?)0(?:[xX]([0-9a-fA-F]+)|[oO]?([0-7]+)|[bB]([01]+))")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_MAX_INTEGER: Final = 2**64 - 1
_MAX_SIGNED: Final = 2**63 - 1
_MIN_INTEGER: Final = -(2**63)
#: Longer than any integer in range is written, in base 2 at the longest, zeros in front aside.
_MAX_DIGITS: Final = 128

STR: Final = "tag:yaml.org,2002:str"
_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"
_INT: Final = "tag:yaml.org,2002:int"
_FLOAT_TAG: Final = "tag:yaml.org,2002:float"
_BINARY: Final = "tag:yaml.org,2002:binary"


def read_plain(text: str) -> Json:
    """The JSON value of an untagged plain scalar.

    Raises:
        ValueError: JSON cannot hold it (``.inf``, ``.nan``).
    """
    start = text[:1]
    if start in _NUMBER_STARTS:
        return _read_number(text)
    if start in _WORD_STARTS:
        return _WORDS.get(text, text)
    return text


def read_tagged(tag: str, text: str) -> Json:
    """The JSON value of a scalar with an explicit tag.

    Args:
        tag: In full, for instance ``tag:yaml.org,2002:int``. One that YAML does not define leaves the text as it is.
        text: The scalar.

    Raises:
        ValueError: The text is not what its tag says.
    """
    if tag == _BINARY:
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            raise ValueError("!!binary is not valid base64") from None
    if tag not in {_NULL, _BOOL, _INT, _FLOAT_TAG}:
        return text
    value = read_plain(text)
    fits = {
        _NULL: value is None,
        _BOOL: isinstance(value, bool),
        _INT: isinstance(value, int) and not isinstance(value, bool),
        _FLOAT_TAG: isinstance(value, int | float) and not isinstance(value, bool),
    }
    if not fits[tag]:
        # The text is not quoted: it may be a Secret's value.
        raise ValueError(f"the value is not what its tag !!{tag.rpartition(':')[2]} says")
    return value


def as_key(value: Json) -> str:
    """The JSON object key that a scalar key becomes.

    Raises:
        ValueError: JSON keys cannot be made of it (null).
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return f"{value:g}"
    raise ValueError("a key cannot be null")


def _read_number(text: str) -> Json:
    if text in _NOT_JSON:
        raise ValueError("infinity and NaN have no place in JSON; quote the value if a string is meant")
    # go-yaml leaves underscores in what begins with a dot, and they are no part of a float.
    digits = text if text.startswith(".") else text.replace("_", "")
    number = _read_integer(digits)
    if number is not None:
        return tidy_integer(number)
    if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return tidy_float(float(digits))
    # What is too large for a float is a string, such as the abbreviated commit 7e99999.
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
    """An integer as Kubernetes holds it: what does not fit into 64 bits with a sign has the precision of a float."""
    return number if _MIN_INTEGER <= number <= _MAX_SIGNED else int(float(number))


def tidy_float(number: float) -> int | float:
    """A float without a fraction as the integer that JSON writes it as (1e3 is 1000).

    Raises:
        ValueError: It is too large for a float.
    """
    if number in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    # Go writes floats from 1e21 on with an exponent, and reads those back as floats.
    return int(number) if number.is_integer() and abs(number) < 1e21 else number  # noqa: PLR2004
