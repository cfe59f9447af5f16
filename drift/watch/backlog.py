"""Limits the events that wait to be compared, so that a burst of edits does not fill the memory."""

import threading
from typing import Final

#: Bytes of events as the server sent them. Parsed, they take several times as much memory.
_MAX_BYTES: Final = 256 * 1024


class Backlog:
    """Counts the events between the reflectors and the comparison, and blocks the reflectors while there are too many.

    A blocked reflector does not read. The API server then buffers the rest or ends the watch, and the reflector resumes
    from its last resourceVersion.

    Args:
        max_bytes: Bytes of events that may wait. A single event may be larger.
    """

    def __init__(self, max_bytes: int = _MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._used = 0
        self._changed = threading.Condition()

    @property
    def used(self) -> int:
        """Bytes of events that wait."""
        return self._used

    def add(self, size: int, stopped: threading.Event) -> None:
        """Blocks until there is room for an event or the reflector is stopped, then counts the event.

        Args:
            size: Bytes of the event.
            stopped: Set to stop the reflector. Call `wake` after setting it.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: not self._used or self._used + size <= self._max_bytes or stopped.is_set(),
            )
            self._used += size

    def remove(self, size: int) -> None:
        """Takes out an event that was compared."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def wake(self) -> None:
        """Lets blocked reflectors notice that they are stopped."""
        with self._changed:
            self._changed.notify_all()
