"""Durations on the command line, in the format of kubectl."""

import argparse
import re
from typing import Final

_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = r"(\d+(?:\.\d+)?)(h|ms|m|s)"


def duration(text: str) -> float:
    """Returns the seconds of a duration such as ``90s``, ``10m``, ``1h30m``, or a plain number of seconds.

    Raises:
        argparse.ArgumentTypeError: The text is not a duration, or is zero: there is no way to turn a timeout off.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    elif re.fullmatch(f"({_PART})+", text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
    else:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write it like 90s, 10m or 1h30m")
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is not longer than zero; write it like 90s, 10m or 1h30m")
    return seconds
