"""Durations have the format of kubectl, and must be longer than zero."""

import argparse

import pytest

from drift.cli import main
from drift.cli.parser import duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60", 60), ("60s", 60), ("10m", 600), ("1h30m", 5400), ("500ms", 0.5), ("1.5s", 1.5), ("1m0.5s", 60.5)],
)
def test_a_duration_is_converted_to_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "0s", "-1s", "1d", "s", "1 s", "inf", "nan", "1e3", "1m-1s"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)


@pytest.mark.parametrize("flag", ["--request-timeout", "--deadline"])
def test_a_flag_with_an_invalid_duration_exits_with_2(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", "x", flag, "soon"])

    assert ended.value.code == 2
    assert "'soon' is not a duration; write it like 90s, 10m or 1h30m" in capsys.readouterr().err
