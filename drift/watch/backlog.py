"""A bound on the events that have come and are not compared yet, so that a burst of edits does not fill the memory."""

import threading
from typing import Final

#: Bytes of events, as the server sent them. Parsed, they take several times as much memory.
_MOST: Final = 256 * 1024


class Backlog:
    """WatchCounts the events between the feeds and the comparison, and makes the feeds wait when there are too many.

    A feed that waits does not read, so the API server holds the rest back or ends the watch, which then goes on from
    where it was.

    Args:
        most: Bytes of events that may be on their way. One event of any size always may.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._used = 0
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Bytes of events on their way."""
        return self._used

    def add(self, size: int, stopped: threading.Event) -> None:
        """Waits until there is room for an event, or until the feed is stopped, and counts the event in.

        Args:
            size: Bytes of the event.
            stopped: Set when the feed is to end; `wake` has to follow.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: not self._used or self._used + size <= self._most or stopped.is_set(),
            )
            self._used += size

    def remove(self, size: int) -> None:
        """An event was compared."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def wake(self) -> None:
        """Lets feeds that wait see that they are stopped."""
        with self._changed:
            self._changed.notify_all()
