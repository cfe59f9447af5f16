"""The backoff between two attempts."""

from hypothesis import given
from hypothesis import strategies as st

from drift.watch.timing import Backoff


def test_the_backoff_doubles_up_to_a_maximum() -> None:
    backoff = Backoff(1, 10, lambda: 1.0)

    assert [backoff.next_wait() for _ in range(6)] == [1, 2, 4, 8, 10, 10]


def test_a_success_resets_the_backoff() -> None:
    backoff = Backoff(1, 10, lambda: 1.0)
    backoff.next_wait()
    backoff.next_wait()

    backoff.reset()

    assert backoff.next_wait() == 1


@given(draws=st.lists(st.floats(0, 1), min_size=1, max_size=2000))
def test_no_wait_exceeds_the_maximum_or_falls_below_half_of_it(draws: list[float]) -> None:
    chosen = iter(draws)
    backoff = Backoff(0.25, 10, lambda: next(chosen))

    waits = [backoff.next_wait() for _ in draws]

    assert all(0.125 <= wait <= 10 for wait in waits)
    assert all(wait >= 5 for wait in waits[10:])
