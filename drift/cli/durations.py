"""Durations on the command line, written as kubectl takes them."""

import argparse
import re
from typing import Final

_SECONDS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PART: Final = r"(\d+(?:\.\d+)?)(h|ms|m|s)"


def duration(text: str) -> float:
    """The seconds of a duration: ``90s``, ``10m``, ``1h30m``, or a plain number of seconds.

    Raises:
        argparse.ArgumentTypeError: It is none, or not longer than nothing: no wait is without end.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    elif re.fullmatch(f"({_PART})+", text):
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in re.findall(_PART, text))
    else:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; write it like 90s, 10m or 1h30m")
    if not seconds:
        raise argparse.ArgumentTypeError(f"{text!r} is no time at all; write it like 90s, 10m or 1h30m")
    return seconds
