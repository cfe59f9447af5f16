"""The backoff between two attempts."""

from drift.watch.timing import Timing, backoff

TIMING = Timing(min_backoff=1, max_backoff=10)


def test_the_backoff_doubles_up_to_a_maximum() -> None:
    for waits, longest in [(0, 1), (1, 2), (2, 4), (3, 8), (4, 10), (5, 10), (5000, 10)]:
        drawn = [backoff(waits, TIMING) for _ in range(100)]

        assert all(longest / 2 <= seconds <= longest for seconds in drawn)
        # Clients that lost the same server do not all return at once.
        assert len({*drawn}) > 1
