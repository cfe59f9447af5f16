"""What requests say: the errors of responses that cannot be used, and the default for notices."""

from http import HTTPStatus
from typing import Final

from drift.errors import RequestError

#: `RequestError.reason` of a response that does not come from an API server.
MALFORMED: Final = "Malformed"
#: `RequestError.reason` of a response that is too large to be read.
TOO_LARGE: Final = "TooLarge"


def malformed(path: str, problem: str) -> RequestError:
    """The error of a response with status 200 that cannot be used."""
    return RequestError(f"GET {path}: {problem}", status=HTTPStatus.OK, reason=MALFORMED)


def not_an_api_server(path: str) -> RequestError:
    """The error of a response from something that is not an API server."""
    return malformed(path, "this is not the response of an API server; is this the right --context?")


def ignore_message(_: str) -> None:
    """Drops a message."""
