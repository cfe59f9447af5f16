"""User impersonation, as with ``kubectl --as``.

https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from drift.errors import ConnectError, UsageError

#: The characters allowed in a header name besides those that `quote` never escapes.
_SAFE_IN_HEADER_NAMES: Final = "!#$&'*+^`|"


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The user to impersonate; by default none.

    Attributes:
        user: The user name; None for no impersonation.
        groups: All groups of the user. The API server adds ``system:authenticated``.
        uid: The UID of the user.
        extra: Extra attributes of the user, each a key with its values.
    """

    user: str | None = None
    groups: tuple[str, ...] = ()
    uid: str | None = None
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def with_fallback(self, fallback: "Impersonation") -> "Impersonation":
        """Fills in missing values, for example those of the flags from the kubeconfig.

        Raises:
            UsageError: There are groups, a UID or extra attributes, but no user.
        """
        merged = Impersonation(
            self.user or fallback.user,
            self.groups or fallback.groups,
            self.uid or fallback.uid,
            self.extra or fallback.extra,
        )
        if merged.user is None and merged != NO_IMPERSONATION:
            settings = "--as-group and --as-uid" if self != NO_IMPERSONATION else "as-groups, as-uid and as-user-extra"
            raise UsageError(f"{settings} need a user to impersonate: name one with --as USER")
        return merged

    def headers(self) -> Iterator[tuple[str, str]]:
        """The request headers, as client-go sends them: one per group and one per value of an extra attribute."""
        if self.user is None:
            return
        yield "Impersonate-User", _header_value(self.user)
        if self.uid is not None:
            yield "Impersonate-Uid", _header_value(self.uid)
        for group in self.groups:
            yield "Impersonate-Group", _header_value(group)
        for key, values in self.extra:
            for value in values:
                yield f"Impersonate-Extra-{quote(key.lower(), safe=_SAFE_IN_HEADER_NAMES)}", _header_value(value)


NO_IMPERSONATION: Final = Impersonation()


def from_flags(user: str | None, groups: list[str], uid: str | None) -> Impersonation:
    """Reads ``--as``, ``--as-group`` and ``--as-uid``.

    Raises:
        UsageError: A value is not valid.
    """
    for flag, value in (("--as", user), ("--as-uid", uid), *(("--as-group", group) for group in groups)):
        if value is not None and not (value.strip() and value.isprintable()):
            raise UsageError(f"{flag} {value!r}: is empty or contains characters that cannot be sent")
    return Impersonation(user, tuple(groups), uid)


def from_kubeconfig(user: Mapping[str, Any], location: str) -> Impersonation:
    """Reads ``as``, ``as-groups``, ``as-uid`` and ``as-user-extra`` of a user in a kubeconfig.

    Raises:
        ConnectError: A value is not valid.
    """
    extra = user.get("as-user-extra") or {}
    if not isinstance(extra, dict):
        raise ConnectError(f"{location}: as-user-extra is not a mapping of lists")
    return Impersonation(
        _string(user, "as", location),
        _strings(user.get("as-groups"), f"{location}: as-groups"),
        _string(user, "as-uid", location),
        tuple((str(key), _strings(values, f"{location}: as-user-extra")) for key, values in extra.items()),
    )


def _string(user: Mapping[str, Any], name: str, location: str) -> str | None:
    value = user.get(name)
    if value is None or value == "":
        return None
    (string,) = _strings([value], f"{location}: {name}")
    return string


def _strings(values: object, location: str) -> tuple[str, ...]:
    if values is None:
        return ()
    if not isinstance(values, list) or not all(isinstance(value, str) and value.isprintable() for value in values):
        raise ConnectError(f"{location}: is not valid; see `kubectl config view`")
    return tuple(values)


def _header_value(value: str) -> str:
    """Encodes a header value: the HTTP client sends Latin-1, but API servers read UTF-8."""
    return value.encode().decode("latin-1")
