"""The errors that a user can cause or meet, as one tree; each carries the exit status that the command line ends with.

    DriftError
    +-- UsageError          2   a flag or an argument that cannot be
    +-- ConfigError         2   settings (drift.yaml) that are not as they should be
    +-- ManifestError       2   a file of manifests that cannot be read as one
    +-- SavedReportError    2   a saved report that cannot be read as one
    +-- DumpError           2   a dump of live objects that cannot be read as one
    +-- HistoryError        2   a history that cannot be read or written
        +-- BrokenHistoryError  it is no database, or damaged
    +-- ScanError           3   the cluster could not be read
        +-- ConnectError    no API server, no credentials, it did not let us in, or no time is left
        +-- RequestError    one request was answered with an error
            +-- TooManyObjectsError   there are more than are worth asking for in this way

The message of each is one line that names the file, object or flag, and the way out.
"""

from typing import ClassVar


class DriftError(Exception):
    """The base of all errors that end in one line for the user rather than in a traceback."""

    exit_status: ClassVar[int] = 2


class UsageError(DriftError):
    """A flag or an argument that cannot be; nothing was read yet."""


class ConfigError(DriftError):
    """Settings that are not as they should be, located as ``file:line:column`` where that is known."""


class ManifestError(DriftError):
    """A manifest that cannot be read, located as ``file:line:column`` where that is known."""


class SavedReportError(DriftError):
    """A saved report that cannot be read as one, located as the path of what is wrong in it."""


class DumpError(DriftError):
    """A dump that cannot be read as one, located as ``file:line`` where that is known."""


class HistoryError(DriftError):
    """A history that cannot be read or written; the report does not depend on it and is made all the same."""


class BrokenHistoryError(HistoryError):
    """A history that is no database, or a damaged one."""


class ScanError(DriftError):
    """The live side could not be read, so that "in sync" cannot be claimed."""

    exit_status: ClassVar[int] = 3


class ConnectError(ScanError):
    """No API server answers, it does not accept who we are, or no time is left: nothing more can be scanned."""


class RequestError(ScanError):
    """The API server answered one request with an error.

    Attributes:
        status: The HTTP status, 0 where no answer came.
        reason: The API server's own word for it (``Forbidden``, ``NotFound``, ...), one word.
        continue_token: For an expired list (410): the continue token that the server offers instead, or None.
    """

    def __init__(self, message: str, *, status: int, reason: str, continue_token: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.continue_token = continue_token


class TooManyObjectsError(RequestError):
    """A list holds more objects than its caller wants to get; none of them was handed out."""
