"""Rewrites the errors of the official client, which can quote a kubeconfig and its credentials."""

import re
from typing import Final

#: Patterns of the client's messages, and the messages that replace them, with their groups.
_MESSAGES: Final = tuple(
    (re.compile(pattern, re.DOTALL), message)
    for pattern, message in (
        # A plugin's standard error often says how to log in. kubectl shows it as well.
        (r"exec: process returned (-?\d+)(?:\. (.{1,300}).*)?", "the exec plugin exited with status {0}: {1}"),
        (r"exec: failed to decode process output.*", "the output of the exec plugin is not JSON"),
        (r"exec: malformed response.*", "the output of the exec plugin is not an ExecCredential"),
        (
            r"exec: plugin api version.*",
            "the output of the exec plugin is not of the apiVersion in the kubeconfig",
        ),
        (r"exec: malformed request.*", "an exec plugin needs a command and an apiVersion"),
        (r"exec: missing .*", "the exec plugin returned neither a token nor a complete certificate"),
        (r".*Expected key current-context\b.*", "has no current context; name one with --context"),
        (r".*Expected key ([a-z-]{1,40}) in .*", "{0} is missing"),
        (r".*object with name ([\w.@:/-]{1,200}) in .*/(clusters|contexts|users) list", "{1} has no entry {0!r}"),
        (r"File does not exist: ([^\n]{1,4096})", "{0}: no such file"),
        (r"Service host/port is not set.*", "KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is empty"),
        (r"(?:Service token file does|Token file exists but).*", "it has no token"),
        (r"(?:Service certification file does|Cert file exists but).*", "it has no ca.crt"),
    )
)


def explain_client_error(error: BaseException | str) -> str:
    """Returns a safe message for an error that the client raises or logs."""
    text = error if isinstance(error, str) else str(error)
    for pattern, message in _MESSAGES:
        match = pattern.fullmatch(text)
        if match is not None:
            return " ".join(message.format(*(group or "no message" for group in match.groups())).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if isinstance(error.filename, str) else error.strerror
    if isinstance(error, str):
        return "an exec plugin or a credentials file does not provide valid credentials"
    return f"it contains a setting that is not valid ({type(error).__name__})"
