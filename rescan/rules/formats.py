"""The forms that names, addresses and durations must have to be accepted by Kubernetes and its operators."""

import ipaddress
import re
from fractions import Fraction

from rescan import quantity

_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_PATTERNS = {
    "DNS label": re.compile(_LABEL),
    "host name": re.compile(rf"(?=.{{1,253}}$)(?:\*\.)?{_LABEL}(?:\.{_LABEL})+"),
    "object name": re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*"),
    "label value": re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"),
    "label key": re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?"),
    "variable name": re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "registry": re.compile(r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?(?::[0-9]{1,5})?(?:/[a-z0-9](?:[-a-z0-9._/]*[a-z0-9])?)?"),
    "repository": re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"),
    "image tag": re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
    "image digest": re.compile(r"sha256:[0-9a-f]{64}"),
    "percentage": re.compile(r"(?:100|[1-9]?[0-9])%"),
    "duration": re.compile(r"(?=.)(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+s)?"),
    "cron schedule": re.compile(r"[-0-9*/,A-Za-z]+(?: [-0-9*/,A-Za-z?]+){4}"),
    "HTTPS address": re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/\S*)?"),
    "web address": re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[^\s?#]*)?"),
    "repository address": re.compile(r"(?:https|ssh)://\S+"),
    "bucket name": re.compile(r"[a-z0-9](?:[-a-z0-9.]{1,61})[a-z0-9]"),
    "folder": re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)*"),
    "UUID": re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"),
    "URL path": re.compile(r"/[^\s?#]*"),
}
FORMS = frozenset(_PATTERNS)


def has_form(form: str, text: str) -> bool:
    """Whether a text is a `DNS label`, a `duration` or whatever else `FORMS` names."""
    return _PATTERNS[form].fullmatch(text) is not None


def positive_quantity(text: str) -> Fraction | None:
    """The number that a quantity stands for, or None where it is no quantity or not above zero."""
    try:
        number = quantity.parse(text)
    except ValueError:
        return None
    return number if number > 0 else None


def is_cidr(text: str) -> bool:
    """Whether a text is a range of IP addresses, such as `10.0.0.0/8`, with no bits set beyond the prefix."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return "/" in text
