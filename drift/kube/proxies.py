"""Which proxy a server is reached through, by the rules of Go's HTTP client and so of kubectl.

https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

import ipaddress
from collections.abc import Mapping
from typing import Final, TypeAlias
from urllib.parse import unquote, urlsplit

import urllib3

from drift.errors import UsageError
from drift.redaction import without_passwords

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS: Final[dict[str, int]] = {"http": 80, "https": 443}
_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


def choose_proxy(server: str, configured: object, environment: Mapping[str, str]) -> str | None:
    """The URL of the proxy for a server, with the password that it may hold; None where there is none.

    Args:
        server: The URL of the API server.
        configured: ``proxy-url`` of the kubeconfig, which wins and has no exceptions; None without one.
        environment: ``HTTPS_PROXY`` and the like.

    Raises:
        UsageError: It is not the URL of a proxy.
    """
    if configured:
        return _checked(configured, "proxy-url in the kubeconfig")
    try:
        target = urlsplit(server)
        port = target.port or _PORTS[target.scheme]
    except (ValueError, KeyError):
        # No request can be sent there, and the first one says so.
        return None
    for variable in (f"{target.scheme}_proxy".upper(), f"{target.scheme}_proxy"):
        if environment.get(variable):
            exceptions = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
            return (
                None
                if _is_direct(target.hostname or "", str(port), exceptions)
                else _checked(environment[variable], variable)
            )
    return None


def proxy_credentials(proxy: str) -> dict[str, str] | None:
    """The header by which a proxy lets in who its URL names; None where it names no user."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    return dict(urllib3.make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}"))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _checked(value: object, place: str) -> str:
    """A proxy's URL; without a scheme it is an HTTP proxy."""
    if isinstance(value, str):
        text = value if "://" in value else f"http://{value}"
        try:
            parts = urlsplit(text)
            usable = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            usable = False
        if usable and text.isprintable() and " " not in text:
            return text
        value = without_passwords(text)
    raise UsageError(f"{place} is not the URL of a proxy: {value!r}; for example http://proxy.example.com:3128")


def _is_direct(host: str, port: str, exceptions: str) -> bool:
    """Whether a server is reached without the proxy: on this machine, or named in ``NO_PROXY``."""
    address = _address(host)
    if is_loopback(host):
        return True
    entries = [entry.strip().lower() for entry in exceptions.split(",")]
    return any(entry and _matches(entry, host, port, address) for entry in entries)


def _matches(entry: str, host: str, port: str, address: _Address | None) -> bool:
    """Whether an item of ``NO_PROXY`` names a host: ``*``, a range, or an address or a domain, perhaps with a port."""
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _is_in(address, entry)
    name, separator, its_port = entry.rpartition(":")
    if not separator or (":" in name and not name.endswith("]")):
        name, its_port = entry, ""
    name = name.removeprefix("[").removesuffix("]")
    excepted = _address(name)
    if excepted is not None:
        is_named = excepted == address
    else:
        domain = name.removeprefix("*").removeprefix(".")
        is_named = bool(domain) and (host.endswith(f".{domain}") or (host == name == domain))
    return is_named and its_port in {"", port}


def _is_in(address: _Address, network: str) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def _address(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped
