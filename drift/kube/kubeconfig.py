"""Reads what kubeconfig files, flags and the environment say: the cluster, the user, impersonation and the proxy.

The official client's reader is not used: a small hostile file keeps it busy for minutes, and its errors quote
credentials. Impersonation is as with ``kubectl --as``, and proxies are chosen by the rules of Go's HTTP client, which
kubectl uses.
https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation
https://pkg.go.dev/golang.org/x/net/http/httpproxy
"""

import ipaddress
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import SplitResult, quote, unquote_to_bytes, urlsplit

from drift.documents.parse import read_documents
from drift.errors import ConnectError, ManifestError, UsageError
from drift.redaction import without_passwords

if TYPE_CHECKING:
    from kubernetes.config.kube_config import ConfigNode

_LISTS: Final = ("clusters", "contexts", "users")
_SUPPORTED: Final = ("token", "tokenFile", "exec", "client-certificate", "client-certificate-data")
_CLUSTER_TYPES: Final = (
    ("insecure-skip-tls-verify", bool, "true or false"),
    ("tls-server-name", str, "a string"),
    ("server", str, "a string"),
)
#: The settings of users and clusters that name a file.
_FILES: Final = ("certificate-authority", "client-certificate", "client-key", "tokenFile")
_DATA: Final = ("certificate-authority-data", "client-certificate-data", "client-key-data", "token")
#: API servers accept no passwords since Kubernetes 1.19. kubectl has no cloud auth providers since 1.26.
_UNSUPPORTED: Final = ("username", "password", "auth-provider")
#: The characters allowed in a header name besides those that `quote` never escapes.
_SAFE_IN_HEADER_NAMES: Final = "!#$&'*+^`|"
_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_PORTS: Final[dict[str, int]] = {"http": 80, "https": 443}
_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


def read_kubeconfigs(files: Sequence[str]) -> "ConfigNode":
    """Merges kubeconfig files. If several define the same name, the first one wins, as with kubectl.

    Each part keeps its file, because paths in a kubeconfig are relative to its folder.

    Raises:
        ConnectError: A file cannot be read or is not a kubeconfig.
    """
    from kubernetes.config.kube_config import ConfigNode  # noqa: PLC0415

    merged: dict[str, Any] = {}
    parts: dict[str, dict[str, ConfigNode]] = {name: {} for name in _LISTS}
    for file in files:
        config = _read(file)
        for name in _LISTS:
            for item in _items(config, name, file):
                entry = item.get(name.removesuffix("s")) or {}
                _remove_empty(entry)
                _resolve_paths(entry, file)
                location = f"{name} {item['name']!r} of {file}"
                node = ConfigNode(location, item, file)  # type: ignore[no-untyped-call]
                parts[name].setdefault(item["name"], node)
        for name, value in config.items():
            # `kubectl config unset current-context` leaves an empty one. It does not hide that of a later file.
            if value is not None and value != "":
                merged.setdefault(name, value)
    merged.update({name: list(nodes.values()) for name, nodes in parts.items()})
    return ConfigNode(", ".join(files), merged, files[0])  # type: ignore[no-untyped-call]


def used_user(config: "ConfigNode", context: str | None) -> tuple[dict[str, Any], str]:
    """Returns the user of a context. Authentication methods that do not count are removed from ``config``.

    The context None is the current one.

    Returns:
        The user in the kubeconfig ({} if the context names none), and where it is, for messages.

    Raises:
        UsageError: The user has only authentication methods that are not supported.
    """
    user_name = _used_context(config, context).get("user")
    user = _named_entry(config, "users", user_name)
    location = f"kubeconfig {config.name}: user {user_name!r}"
    unsupported = [method for method in _UNSUPPORTED if user.get(method)]
    if unsupported and not any(user.get(method) for method in _SUPPORTED):
        raise UsageError(
            f"{location}: {' and '.join(unsupported)} cannot be used to log in; use a token, a client certificate or "
            "an exec plugin (for example kubelogin or gke-gcloud-auth-plugin)"
        )
    for method in unsupported:
        # The official client would prefer it.
        del user[method]
    if "token" in user and _is_readable(user.get("tokenFile")):
        # The official client would prefer the token, which the file is to renew.
        del user["token"]
    return user, location


def _is_readable(file: object) -> bool:
    """Whether a token file has a token."""
    if not isinstance(file, str):
        return False
    with suppress(OSError):
        return bool(Path(file).read_bytes().strip())
    return False


def used_cluster(config: "ConfigNode", context: str | None) -> dict[str, Any]:
    """Returns the cluster of a context.

    The context None is the current one.

    Raises:
        ConnectError: A setting has the wrong type. The official client would treat the string "false" as true.
    """
    name = _used_context(config, context).get("cluster")
    cluster = _named_entry(config, "clusters", name)
    for setting, expected, description in _CLUSTER_TYPES:
        if not isinstance(cluster.get(setting), expected | None):
            raise ConnectError(f"kubeconfig {config.name}: cluster {name!r}: {setting} is not {description}")
    return cluster


def _used_context(config: "ConfigNode", context: str | None) -> dict[str, Any]:
    return _named_entry(config, "contexts", config.value.get("current-context") if context is None else context)


def _named_entry(config: "ConfigNode", part: str, name: object) -> dict[str, Any]:
    """Returns the entry with a name in a list such as ``clusters``, or {} if there is none."""
    for node in config.value[part]:
        if node.value["name"] == name:
            entry: dict[str, Any] | None = node.value.get(part.removesuffix("s"))
            return entry or {}
    return {}


def _read(file: str) -> dict[str, Any]:
    try:
        documents = list(read_documents(Path(file).read_bytes(), f"kubeconfig {file}"))
    except OSError as error:
        raise ConnectError(f"kubeconfig {file}: cannot be read: {error.strerror}") from None
    except ManifestError as error:
        raise ConnectError(str(error)) from None
    value = documents[0].value if documents else None
    if not isinstance(value, dict):
        raise ConnectError(f"kubeconfig {file}: is {'empty' if value is None else 'not a mapping'}")
    return value


def _items(config: dict[str, Any], name: str, file: str) -> list[dict[str, Any]]:
    items = config.get(name) or []
    if not isinstance(items, list):
        raise ConnectError(f"kubeconfig {file}: {name} is not a list")
    part = name.removesuffix("s")
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise ConnectError(f"kubeconfig {file}: an entry of {name} has no name")
        if not isinstance(item.get(part) or {}, dict):
            raise ConnectError(f"kubeconfig {file}: {part} of {item['name']!r} is not a mapping")
        if any(isinstance(value, str) and "\0" in value for value in (item.get(part) or {}).values()):
            raise ConnectError(f"kubeconfig {file}: {part} of {item['name']!r} contains a NUL character")
    return items


def _remove_empty(entry: dict[str, Any]) -> None:
    """Removes empty settings of a user, cluster or context. As with kubectl, they are none.

    The official client prefers empty data to a file, takes an empty file for the current folder, and sends an empty
    user name.
    """
    for name, value in [*entry.items()]:
        if value is None or (value == "" and name in {*_FILES, *_DATA, *_UNSUPPORTED}):
            del entry[name]


def _resolve_paths(entry: dict[str, Any], file: str) -> None:
    """Makes the paths of a user or cluster absolute.

    The official client takes them as relative to the file of the cluster, and runs a plugin in its folder.
    """
    folder = os.path.dirname(os.path.abspath(file))  # noqa: PTH100, PTH120 - Path.absolute keeps ..
    for name in _FILES:
        if isinstance(entry.get(name), str):
            entry[name] = os.path.join(folder, entry[name])  # noqa: PTH118
    plugin = entry.get("exec")
    # A command without a slash is looked for on PATH.
    if isinstance(plugin, dict) and isinstance(plugin.get("command"), str) and "/" in plugin["command"]:
        plugin["command"] = os.path.join(folder, plugin["command"])  # noqa: PTH118


# -- impersonation


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


# -- proxies


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
    return {"proxy-authorization": basic_authentication(parts)}


def basic_authentication(url: SplitResult) -> str:
    """Returns the value of the header that sends the user and the password of a URL."""
    # make_headers of urllib3 encodes as Latin-1 only.
    user = b":".join(unquote_to_bytes(os.fsencode(part or "")) for part in (url.username, url.password))
    return f"Basic {b64encode(user).decode()}"


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
