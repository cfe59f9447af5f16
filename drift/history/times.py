"""Times as the history stores them: UTC text of a fixed length, so that text order is time order."""

from datetime import UTC, datetime, timedelta


def stored(time: str) -> str:
    """Converts an RFC 3339 time with a zone to the stored form, with milliseconds.

    Raises:
        ValueError: The text is not a time.
    """
    return store_datetime(datetime.fromisoformat(time))


def store_datetime(time: datetime) -> str:
    """Converts a time with a zone to the stored form, with milliseconds."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def shown(time: str) -> str:
    """Converts a stored time to the form in reports, which omits zero milliseconds."""
    return time.replace(".000Z", "Z")


def before(time: str, span: timedelta) -> str:
    """Returns the stored time that is ``span`` earlier."""
    return store_datetime(datetime.fromisoformat(time) - span)
