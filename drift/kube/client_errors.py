"""What the official client raises and logs, in words of ours: its own can quote a kubeconfig, and so a credential."""

import re
from typing import Final

#: How the client's messages are recognized, and what is said instead, with the groups in it.
_KNOWN: Final = tuple(
    (re.compile(pattern, re.DOTALL), words)
    for pattern, words in (
        # What a plugin writes to standard error is for people: it says how to log in. kubectl shows it too.
        (r"exec: process returned (-?\d+)(?:\. (.{1,300}).*)?", "the exec plugin ended with status {0}: {1}"),
        (r"exec: failed to decode process output.*", "what the exec plugin wrote is not JSON"),
        (r"exec: malformed response.*", "what the exec plugin wrote is not an ExecCredential"),
        (r"exec: plugin api version.*", "the exec plugin does not answer in the apiVersion that it was asked in"),
        (r"exec: malformed request.*", "an exec plugin needs a command and an apiVersion"),
        (r"exec: missing .*", "the exec plugin gave no token and no complete certificate"),
        (r".*Expected key current-context\b.*", "has no current context; name one with --context"),
        (r".*Expected key ([a-z-]{1,40}) in .*", "{0} is missing where it is needed"),
        (r".*object with name ([\w.@:/-]{1,200}) in .*/(clusters|contexts|users) list", "has no {0!r} among its {1}"),
        (r"File does not exist: ([^\n]{1,4096})", "{0}: no such file"),
        (r"Service host/port is not set.*", "KUBERNETES_SERVICE_HOST or KUBERNETES_SERVICE_PORT is empty"),
        (r"(?:Service token file does|Token file exists but).*", "it has no token"),
        (r"(?:Service certification file does|Cert file exists but).*", "it has no ca.crt"),
    )
)


def in_our_words(error: BaseException | str) -> str:
    """What an error of the client, or a message that it logs, means; of an unknown one, its type at most."""
    text = error if isinstance(error, str) else str(error)
    for pattern, words in _KNOWN:
        found = pattern.fullmatch(text)
        if found is not None:
            return " ".join(words.format(*(group or "no message" for group in found.groups())).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if isinstance(error.filename, str) else error.strerror
    return (
        "an exec plugin or a file of credentials does not give what is needed"
        if isinstance(error, str)
        else (f"a part of it is not as it should be ({type(error).__name__})")
    )
