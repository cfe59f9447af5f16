"""Times as the history keeps them: texts of one length, in UTC, so that they sort as they follow each other."""

from datetime import UTC, datetime, timedelta


def stored(time: str) -> str:
    """An RFC 3339 time with its zone, to the millisecond.

    Raises:
        ValueError: It is none.
    """
    return store_datetime(datetime.fromisoformat(time))


def store_datetime(time: datetime) -> str:
    """A time that knows its zone, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(time: str) -> str:
    """A stored time as reports have it: without milliseconds where they are naught."""
    return time.replace(".000Z", "Z")


def before(time: str, span: timedelta) -> str:
    """The stored time that lies so much earlier."""
    return store_datetime(datetime.fromisoformat(time) - span)
