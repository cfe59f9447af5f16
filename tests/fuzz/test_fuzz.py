"""A short fuzz run with the same inputs each time; ``make fuzz`` runs longer, guided by coverage."""

from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drift.errors import UsageError
from tests.fuzz.__main__ import ALL_TARGETS
from tests.fuzz.database import rework
from tests.fuzz.limits import MEGABYTES, NotOneLine, TooLarge, clear_errors_only, peak
from tests.fuzz.mutation import mutated, restructured
from tests.fuzz.seeds import NASTY, SEEDS
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.slow

#: Inputs per target; the number of an input is its seed.
EXAMPLES: Final = 60
every_target = pytest.mark.parametrize("target", TARGETS)


@every_target
@pytest.mark.parametrize("case", NASTY)
def test_known_hostile_inputs_give_one_clear_error_or_none(target: str, case: str) -> None:
    with clear_errors_only():
        TARGETS[target](NASTY[case])


def test_make_fuzz_covers_every_target() -> None:
    assert tuple(TARGETS) == ALL_TARGETS


@every_target
def test_the_seeds_are_read(target: str) -> None:
    TARGETS[target](SEEDS[target][0])


@every_target
@pytest.mark.parametrize("start", range(0, EXAMPLES, 20))
def test_changed_bytes_are_one_clear_error_or_a_report(target: str, start: int) -> None:
    for number in range(start, start + 20):
        random = Random(number)  # noqa: S311
        data = mutated(random.choice(SEEDS[target]), random)
        try:
            with clear_errors_only():
                TARGETS[target](data)
        except BaseException as error:
            error.add_note(f"target {target}, seed {number}: {data[:2000]!r}")
            raise


@pytest.mark.parametrize("target", [target for target in TARGETS if target != "history"])
def test_unexpected_structure_is_one_clear_error_or_a_report(target: str) -> None:
    seeds = SEEDS[target][:1] if target == "settings" else SEEDS[target][-8:]

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(restructured(seeds=seeds))
    def check(data: bytes) -> None:
        with clear_errors_only():
            TARGETS[target](data)

    check()


def test_unexpected_rows_of_a_history_are_one_clear_error_or_set_aside() -> None:
    @settings(max_examples=4 * EXAMPLES, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def check(data: st.DataObject) -> None:
        file = rework(SEEDS["history"][0], lambda values: values[data.draw(st.integers(0, len(values) - 1))])
        with clear_errors_only():
            TARGETS["history"](file)

    check()


def test_the_check_refuses_an_unexpected_exception() -> None:
    with pytest.raises(ZeroDivisionError), clear_errors_only():
        raise ZeroDivisionError


def test_the_check_refuses_an_error_of_two_lines() -> None:
    with pytest.raises(NotOneLine), clear_errors_only():
        raise UsageError("one\ntwo")


def test_the_check_refuses_too_much_memory() -> None:
    with pytest.raises(TooLarge), clear_errors_only():
        len(b"x" * ((peak() + 2 * MEGABYTES) * 1024 * 1024))
