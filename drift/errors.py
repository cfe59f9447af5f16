"""The errors that users can cause or run into. Each class has the exit status of the command.

    DriftError
    +-- UsageError          2   an invalid flag or argument
    +-- ConfigError         2   invalid settings (drift.yaml)
    +-- ManifestError       2   a file that is not a valid manifest
        +-- UnreadableManifestsError  several files, or several documents of one
    +-- SavedReportError    2   a file that is not a valid saved report
    +-- DumpError           2   a file that is not a valid dump of live objects
    +-- HistoryError        2   a history that cannot be read or written
        +-- BrokenHistoryError  the file is damaged
    +-- SourceError         3   a source of manifests that could not be rendered
    +-- ScanError           3   the cluster could not be read
        +-- ConnectError    no API server, no valid credentials, or no time left
        +-- RequestError    the API server answered one request with an error
            +-- TooManyObjectsError   a list has more objects than the caller accepts

Each message is one line that names the file, object or flag, and says how to fix it.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import ClassVar, Final

#: What a fault of drift may raise while it reads a malformed object. The tests empty it, to see each fault.
UNEXPECTED: Final[tuple[type[Exception], ...]] = (AttributeError, LookupError, TypeError, ValueError)
#: The number of problems with manifests that are listed; the others are counted.
MAX_PROBLEMS: Final = 20
#: Temporary failures: the API server, or a proxy in front of it, is overloaded, starting or restarting.
TEMPORARY: Final = frozenset({429, 500, 502, 503, 504})
#: `RequestError.reason` of a response that does not come from an API server.
MALFORMED: Final = "Malformed"
#: `RequestError.reason` of a response that is too large to be read.
TOO_LARGE: Final = "TooLarge"


class DriftError(Exception):
    """The base of all errors that are shown as one line, without a traceback."""

    exit_status: ClassVar[int] = 2

    @property
    def lines(self) -> tuple[str, ...]:
        """The message, one line for each problem."""
        return (str(self),)


class UsageError(DriftError):
    """An invalid flag or argument."""


class ConfigError(DriftError):
    """Invalid settings. The message begins with ``file:line:column`` if that is known."""


class ManifestError(DriftError):
    """An invalid manifest. The message begins with ``file:line:column`` if that is known."""


class UnreadableManifestsError(ManifestError):
    """Manifests that cannot be read, with no other ones to compare.

    Args:
        problems: One line each, as the message of a `ManifestError`.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self._lines = first_problems(problems)
        super().__init__("; ".join(self._lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each problem: the first twenty, and the number of the others."""
        return self._lines


def first_problems(problems: Sequence[str]) -> tuple[str, ...]:
    """Returns the first twenty problems with manifests, and a line with the number of the others."""
    more = len(problems) - MAX_PROBLEMS
    rest = (f"and {more} more documents that cannot be read",) if more > 0 else ()
    return (*problems[:MAX_PROBLEMS], *rest)


class SavedReportError(DriftError):
    """An invalid saved report. The message names the path of the invalid value in it."""


class DumpError(DriftError):
    """An invalid dump. The message begins with ``file:line`` if that is known."""


class HistoryError(DriftError):
    """A history that cannot be read or written. The report is made without it."""


class BrokenHistoryError(HistoryError):
    """A history file that is damaged."""


class SourceError(DriftError):
    """A source could not be rendered, so what Git wants is unknown. The message names the source and the way out."""

    exit_status: ClassVar[int] = 3


class ScanError(DriftError):
    """The live objects could not be read, so the result is unknown."""

    exit_status: ClassVar[int] = 3


class ConnectError(ScanError):
    """No API server answers, it rejects the credentials, or no time is left; the scan stops."""


class RequestError(ScanError):
    """The API server answered one request with an error.

    Attributes:
        status: The HTTP status, 0 if there was no response.
        reason: The reason in the API server's status (``Forbidden``, ``NotFound``, ...).
        continue_token: Of an expired list (410): the continue token that the server offers instead, or None.
    """

    def __init__(self, message: str, *, status: int, reason: str, continue_token: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.continue_token = continue_token

    @property
    def is_temporary(self) -> bool:
        """Whether the same request may succeed later: there was no response, or the server could not serve it."""
        return self.status == 0 or self.status in TEMPORARY

    @property
    def is_refused(self) -> bool:
        """Whether this account lacks the permission, or the resource does not support the verb."""
        return self.status in {HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED}


class TooManyObjectsError(RequestError):
    """A list has more objects than the caller accepts; none were returned."""


def malformed(path: str, problem: str) -> RequestError:
    """Returns the error of a response with status 200 that cannot be used."""
    return RequestError(f"GET {path}: {problem}", status=HTTPStatus.OK, reason=MALFORMED)


def not_an_api_server(path: str) -> RequestError:
    """Returns the error of a response from something that is not an API server."""
    return malformed(path, "this is not the response of an API server; is this the right --context?")
