"""Asking as another user, with the rights of that user, as ``kubectl --as`` does.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from drift.errors import ConnectError, UsageError

#: The characters that the name of a header may hold, apart from letters, digits and what `quote` never touches.
_IN_NAMES: Final = "!#$&'*+^`|"


@dataclass(frozen=True, slots=True)
class Impersonation:
    """Whom to impersonate; by default no other user.

    Attributes:
        user: A user name; None for the user whose credentials are sent.
        groups: All groups of that user; the API server adds ``system:authenticated``.
        uid: The user's UID.
        extra: More attributes of the user, each a key with its values.
    """

    user: str | None = None
    groups: tuple[str, ...] = ()
    uid: str | None = None
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def over(self, below: "Impersonation") -> "Impersonation":
        """These, and what they leave open from elsewhere: flags over a kubeconfig.

        Raises:
            UsageError: Groups, a UID or extra attributes without a user.
        """
        merged = Impersonation(
            self.user or below.user, self.groups or below.groups, self.uid or below.uid, self.extra or below.extra
        )
        if merged.user is None and merged != NO_IMPERSONATION:
            what = (
                "--as-group and --as-uid need"
                if self != NO_IMPERSONATION
                else "as-groups, as-uid and as-user-extra need"
            )
            raise UsageError(f"{what} a user to impersonate: name one with --as USER")
        return merged

    def headers(self) -> Iterator[tuple[str, str]]:
        """The headers of a request, as client-go sends them; a group each, and a value of an attribute each."""
        if self.user is None:
            return
        yield "Impersonate-User", _sent(self.user)
        if self.uid is not None:
            yield "Impersonate-Uid", _sent(self.uid)
        for group in self.groups:
            yield "Impersonate-Group", _sent(group)
        for key, values in self.extra:
            for value in values:
                yield f"Impersonate-Extra-{quote(key.lower(), safe=_IN_NAMES)}", _sent(value)


NO_IMPERSONATION: Final = Impersonation()


def from_flags(user: str | None, groups: list[str], uid: str | None) -> Impersonation:
    """What ``--as``, ``--as-group`` and ``--as-uid`` say.

    Raises:
        UsageError: A name cannot be sent.
    """
    for flag, value in (("--as", user), ("--as-uid", uid), *(("--as-group", group) for group in groups)):
        if value is not None and not (value.strip() and value.isprintable()):
            raise UsageError(f"{flag} {value!r}: is empty, or holds characters that cannot be sent")
    return Impersonation(user, tuple(groups), uid)


def from_kubeconfig(user: Mapping[str, Any], place: str) -> Impersonation:
    """What ``as``, ``as-groups``, ``as-uid`` and ``as-user-extra`` of a kubeconfig's user say.

    Args:
        user: The user's part of the kubeconfig.
        place: Where that is, for messages.

    Raises:
        ConnectError: They are not as they should be.
    """
    extra = user.get("as-user-extra") or {}
    if not isinstance(extra, dict):
        raise ConnectError(f"{place}: as-user-extra is not a mapping of lists")
    return Impersonation(
        _text(user, "as", place),
        _texts(user.get("as-groups"), f"{place}: as-groups"),
        _text(user, "as-uid", place),
        tuple((str(key), _texts(values, f"{place}: as-user-extra")) for key, values in extra.items()),
    )


def _text(user: Mapping[str, Any], name: str, place: str) -> str | None:
    value = user.get(name)
    if value is None or value == "":
        return None
    (text,) = _texts([value], f"{place}: {name}")
    return text


def _texts(values: object, place: str) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) and value.isprintable() for value in values):
        raise ConnectError(f"{place}: is not as it should be; see `kubectl config view`")
    return tuple(values)


def _sent(value: str) -> str:
    """A value as the HTTP client takes it: it sends Latin-1, API servers read UTF-8."""
    return value.encode().decode("latin-1")
