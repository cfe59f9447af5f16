"""Chooses the proxy for a server by the rules of Go's HTTP client, which kubectl uses.

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
    """Returns the URL of the proxy for a server, including its password, or None for a direct connection.

    Args:
        server: The URL of the API server.
        configured: ``proxy-url`` of the kubeconfig, or None. It takes precedence, and ``NO_PROXY`` does not apply.
        environment: ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``NO_PROXY``.

    Raises:
        UsageError: It is not a valid URL of a proxy.
    """
    if configured:
        return _check_proxy(configured, "proxy-url in the kubeconfig")
    try:
        target = urlsplit(server)
        port = target.port or _PORTS[target.scheme]
    except (ValueError, KeyError):
        # The first request will fail with a clear error.
        return None
    for variable in (f"{target.scheme}_proxy".upper(), f"{target.scheme}_proxy"):
        if environment.get(variable):
            no_proxy = environment.get("NO_PROXY") or environment.get("no_proxy") or ""
            return (
                None
                if _is_direct(target.hostname or "", str(port), no_proxy)
                else _check_proxy(environment[variable], variable)
            )
    return None


def proxy_credentials(proxy: str) -> dict[str, str] | None:
    """Returns the ``Proxy-Authorization`` header for a proxy, or None if its URL names no user."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return None
    return dict(urllib3.make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}"))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    address = _address(host)
    return host == "localhost" or (address is not None and address.is_loopback)


def _check_proxy(value: object, origin: str) -> str:
    """Returns the URL of a proxy after checking it. A URL without a scheme is an HTTP proxy."""
    if isinstance(value, str):
        url = value if "://" in value else f"http://{value}"
        try:
            parts = urlsplit(url)
            is_valid = parts.scheme in _SCHEMES and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            is_valid = False
        if is_valid and url.isprintable() and " " not in url:
            return url
        value = without_passwords(url)
    raise UsageError(f"{origin} is not the URL of a proxy: {value!r}; for example http://proxy.example.com:3128")


def _is_direct(host: str, port: str, no_proxy: str) -> bool:
    """Whether a server needs no proxy: it is on this machine, or ``NO_PROXY`` lists it."""
    address = _address(host)
    if is_loopback(host):
        return True
    entries = [entry.strip().lower() for entry in no_proxy.split(",")]
    return any(entry and _matches(entry, host, port, address) for entry in entries)


def _matches(entry: str, host: str, port: str, address: _Address | None) -> bool:
    """Whether an entry of ``NO_PROXY`` matches: ``*``, a CIDR range, an address or a domain, optionally with a port."""
    if entry == "*":
        return True
    if "/" in entry:
        return address is not None and _is_in(address, entry)
    name, separator, entry_port = entry.rpartition(":")
    if not separator or (":" in name and not name.endswith("]")):
        name, entry_port = entry, ""
    name = name.removeprefix("[").removesuffix("]")
    entry_address = _address(name)
    if entry_address is not None:
        matches_host = entry_address == address
    else:
        domain = name.removeprefix("*").removeprefix(".")
        matches_host = bool(domain) and (host.endswith(f".{domain}") or (host == name == domain))
    return matches_host and entry_port in {"", port}


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
