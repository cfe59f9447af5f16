"""Configures the official client as kubectl would: kubeconfig, context, credential plugins, or the pod's account.

Imports only what drift uses of the client.
"""

import errno
import hashlib
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import urllib3

from drift.errors import ConnectError, UsageError
from drift.imports import import_partly
from drift.kube.kubeconfig import (
    NO_IMPERSONATION,
    Impersonation,
    choose_proxy,
    from_kubeconfig,
    is_loopback,
    proxy_credentials,
    read_kubeconfigs,
    used_cluster,
    used_user,
)
from drift.redaction import without_passwords

if TYPE_CHECKING:
    from kubernetes.client.configuration import Configuration
    from kubernetes.client.rest import RESTClientObject
    from kubernetes.config.kube_config import KubeConfigLoader

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
#: A token is replaced this long before it expires, and at least this long after it was issued: the clock of this
#: machine may be ahead.
_LEAST_VALIDITY: Final = timedelta(seconds=10)
#: Patterns of the client's messages, which can quote credentials, and the messages that replace them.
_CLIENT_MESSAGES: Final = tuple(
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

#: What the operating system says of an exec plugin that cannot be started, which the client logs.
_NOT_STARTED: Final = re.compile(r"\[Errno (\d+)\] ([^:\n]{1,100}): (.{1,4096})")

#: A credential in what a plugin writes: a JSON Web Token, an ``Authorization`` header, a named or a very long value.
_CREDENTIAL: Final = re.compile(
    r"eyJ[\w-]{5,}(?:\.[\w-]*)*|(?<=\bbearer )\S+|[\w+/=-]{60,}"
    r"|(?:(?<=token)|(?<=secret)|(?<=password))[\"']?[=:] ?\S+",
    re.IGNORECASE,
)

#: What `kubernetes.config.kube_config` imports for the logins of `auth-provider`, which drift does not support, and to
#: read YAML. These load pydantic, requests and oauthlib, which would take a third of the time of a small report.
_UNUSED: Final = ("kubernetes.client.api_client", "oauthlib.oauth2", "requests_oauthlib", "yaml")


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Connection:
    """A configured client that has not sent a request yet.

    Attributes:
        client: The part of the official client that holds connections, with the configuration and the credentials.
        context: The context of the kubeconfig; None inside a pod.
        server: The API server's URL.
        namespace: The namespace of objects that name none.
        renew: Reads the same context again and returns a connection with the current credentials. Its server may have
            changed.
        has_expired: Returns whether only `renew` can replace the credentials, which have expired.
        impersonated: The user that requests impersonate, if any.
        proxy: The URL of the proxy, without its password; None for a direct connection.
        warnings: Sentences to show before the first request.
        cluster_id: The digest of the certificate authority of the pod's cluster; None outside of a pod.
    """

    client: "RESTClientObject"
    context: str | None
    server: str
    namespace: str
    renew: "Callable[[], Connection]"
    has_expired: Callable[[], bool] = _never
    impersonated: Impersonation = NO_IMPERSONATION
    proxy: str | None = None
    warnings: tuple[str, ...] = ()
    cluster_id: str | None = None
    #: Threads that need a new token at the same moment run the plugin once.
    _refreshing: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def credentials(self) -> "urllib3.HTTPHeaderDict":
        """Returns the headers for authentication and impersonation. Credentials that have expired are refreshed first.

        A header may occur several times. With a client certificate there may be none.

        Raises:
            ConnectError: The credentials cannot be refreshed.
        """
        from kubernetes.config import ConfigException  # noqa: PLC0415

        try:
            with self._refreshing, _errors_logged_by_the_client() as logged:
                token = self.client.configuration.auth_settings().get("BearerToken")
        except (ConfigException, OSError, ValueError) as error:
            raise ConnectError(f"{self.server}: no credentials: {_explain_client_error(error)}") from None
        if logged:
            raise ConnectError(f"{self.server}: no credentials: {_explain_client_error(logged[-1])}")
        sent = urllib3.HTTPHeaderDict()
        if token is not None and token["value"] is not None:
            sent[token["key"]] = self._header(token["value"])
        for name, value in self.impersonated.headers():
            sent.add(name, value)
        return sent

    def _header(self, value: str) -> str:
        # Token files often end with a newline. kubectl strips it as well.
        stripped = value.strip()
        if not stripped.isascii() or not stripped.isprintable():
            raise ConnectError(
                f"{self.server}: no credentials: the token contains an invalid character, such as a line break"
            )
        return stripped


def connect(kubeconfig: str | None, context: str | None, impersonate: Impersonation = NO_IMPERSONATION) -> Connection:
    """Configures a client: from the given file, KUBECONFIG, ~/.kube/config or the pod's service account, in this order.

    The kubeconfig supplies what ``impersonate`` leaves open.

    Raises:
        UsageError: The file or the context does not exist, or the authentication method is not supported.
        ConnectError: There is no configuration, or it cannot be used.
    """
    load_client()
    files = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    # As with kubectl, only the variable is a list. Path.expanduser raises an error if the user has no home.
    names = [kubeconfig] if kubeconfig else files.split(os.pathsep)
    paths = [os.path.expanduser(name) for name in names if name]  # noqa: PTH111
    existing = [path for path in paths if os.path.isfile(path)]  # noqa: PTH113
    if existing:
        return _from_kubeconfig(existing, context, impersonate)
    if kubeconfig:
        raise UsageError(f"--kubeconfig {kubeconfig}: no such file")
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        if context is not None:
            # The context may be of another cluster.
            raise UsageError(
                f"--context {context}: there is no kubeconfig (looked at {files}); "
                "the pod's service account has no contexts"
            )
        return _from_service_account(impersonate)
    raise ConnectError(
        f"no kubeconfig found at {files}, and this is not a pod; name one with --kubeconfig or KUBECONFIG"
    )


def _from_kubeconfig(paths: Sequence[str], context: str | None, impersonate: Impersonation) -> Connection:
    from kubernetes.client.configuration import Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException, kube_config  # noqa: PLC0415

    config = read_kubeconfigs(paths)
    files = os.pathsep.join(paths)
    cluster = used_cluster(config, context)
    user, location = used_user(config, context)
    impersonated = impersonate.with_fallback(from_kubeconfig(user, location))
    configuration = Configuration()
    try:
        with _errors_logged_by_the_client() as logged:
            # All paths are absolute. An exec plugin runs in the current folder, as with kubectl.
            loader = kube_config.KubeConfigLoader(config, active_context=context, config_base_path="")  # type: ignore[no-untyped-call]
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
            expiry = _Expiry(loader)
            expiry.use_for(configuration)
    except (ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        text = " ".join(str(error).split())
        if context is not None and f"object with name {context} in" in text and "/contexts" in text:
            raise UsageError(
                f"kubeconfig {files}: has no context {context!r}; `kubectl config get-contexts` lists them"
            ) from None
        raise ConnectError(f"kubeconfig {files}: {_explain_client_error(error)}") from None
    if logged:
        # The client only logs that a plugin failed, and would continue without credentials.
        raise ConnectError(f"kubeconfig {files}: no credentials: {_explain_client_error(logged[-1])}")
    current: dict[str, Any] = loader.current_context
    name: str = current["name"]
    return _connection(
        configuration,
        context=name,
        namespace=str((current.get("context") or {}).get("namespace") or "default"),
        # The current context may be another one by then.
        renew=lambda: _from_kubeconfig(paths, name, impersonate),
        impersonated=impersonated,
        proxy_url=cluster.get("proxy-url"),
        credentials=bool(user),
        # The client replaces tokens, but not certificates: its connections keep them.
        has_expired=_never if configuration.api_key else expiry.has_passed,
    )


class _Expiry:
    """Decides when credentials of an exec plugin have expired.

    The official client replaces a token five minutes before it expires: one that is valid for less with each request.

    Args:
        loader: Has just run the plugin.
    """

    def __init__(self, loader: "KubeConfigLoader") -> None:
        self._loader = loader
        self._issued = datetime.now(UTC)

    def has_passed(self) -> bool:
        """Whether the credentials have expired, or will before a request arrives."""
        expiry: datetime | None = getattr(self._loader, "expiry", None)
        now = datetime.now(UTC)
        return expiry is not None and now >= max(expiry - _LEAST_VALIDITY, self._issued + _LEAST_VALIDITY)

    def use_for(self, configuration: Any) -> None:
        """Makes the client run the plugin again only after its token has expired."""
        refresh = configuration.refresh_api_key_hook
        if refresh is None:
            return

        def refresh_if_expired(refreshed: Any) -> None:
            if self.has_passed():
                with _errors_logged_by_the_client() as logged:
                    refresh(refreshed)
                # The client has set its own hook again.
                refreshed.refresh_api_key_hook = refresh_if_expired
                if not logged:
                    self._issued = datetime.now(UTC)

        configuration.refresh_api_key_hook = refresh_if_expired


def _connection(
    configuration: "Configuration",
    *,
    context: str | None,
    namespace: str,
    renew: "Callable[[], Connection]",
    impersonated: Impersonation,
    proxy_url: object = None,
    credentials: bool = True,
    cluster_id: str | None = None,
    has_expired: Callable[[], bool] = _never,
) -> Connection:
    """Returns a connection for a configuration of the official client.

    Raises:
        UsageError: The proxy cannot be used, or credentials would be sent unencrypted to another machine.
        ConnectError: A certificate cannot be read, or the address is not a URL.
    """
    from kubernetes.client.rest import RESTClientObject  # noqa: PLC0415

    # Reports show the URL. The client does not send a password in it.
    server = without_passwords(configuration.host)
    _check_address(server, credentials=credentials)
    proxy = choose_proxy(server, proxy_url, os.environ)
    # The client would use a proxy for loopback addresses, and supports less of NO_PROXY than kubectl.
    configuration.proxy, configuration.no_proxy = proxy, None
    if proxy is not None:
        configuration.proxy_headers = proxy_credentials(proxy)
    warnings = []
    if not configuration.verify_ssl:
        # One warning of ours replaces urllib3's warning for each request.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        warnings.append(
            f"{server}: its certificate is not verified (insecure-skip-tls-verify), so any server could answer"
        )
    try:
        client = RESTClientObject(configuration)
    except ImportError:
        raise UsageError(f"{without_passwords(proxy or '')}: SOCKS proxies need the package PySocks") from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise ConnectError(f"{server}: cannot be used ({type(error).__name__}); check the kubeconfig") from None
    return Connection(
        client=client,
        context=context,
        server=server,
        namespace=namespace,
        renew=renew,
        has_expired=has_expired,
        impersonated=impersonated,
        proxy=None if proxy is None else without_passwords(proxy),
        warnings=tuple(warnings),
        cluster_id=cluster_id,
    )


def _check_address(server: str, *, credentials: bool) -> None:
    """Checks the URL of the server. kubectl sends no credentials over unencrypted connections.

    Raises:
        UsageError: Credentials would be sent unencrypted to another machine.
        ConnectError: It is not a URL. The client would assume http:// if there is no scheme.
    """
    try:
        parts = urlsplit(server)
        scheme, host = parts.scheme, parts.hostname if parts.port != 0 else None
    except ValueError:
        scheme, host = "", None
    if scheme not in {"http", "https"} or not host or not server.isprintable():
        raise ConnectError(f"the server {server!r} of the kubeconfig is not a URL; for example https://HOST:6443")
    if credentials and scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"{server}: no credentials are sent over http:// to another machine; use https:// in the kubeconfig"
        )


def _from_service_account(impersonate: Impersonation) -> Connection:
    from kubernetes.client.configuration import Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException, incluster_config  # noqa: PLC0415

    configuration = Configuration()
    try:
        incluster_config.load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration
        )
    except (ConfigException, OSError) as error:
        raise ConnectError(f"the pod's service account cannot be used: {_explain_client_error(error)}") from None
    try:
        namespace = (_SERVICE_ACCOUNT / "namespace").read_text("utf-8").strip()
    except OSError:
        namespace = ""
    return _connection(
        configuration,
        context=None,
        namespace=namespace or "default",
        renew=lambda: _from_service_account(impersonate),
        impersonated=impersonate.with_fallback(NO_IMPERSONATION),
        cluster_id=_cluster_id(),
    )


def _cluster_id() -> str | None:
    """Returns what tells the pod's cluster from another one with the same address, such as https://10.96.0.1:443."""
    try:
        authority = (_SERVICE_ACCOUNT / "ca.crt").read_bytes()
    except OSError:
        return None
    return f"sha256:{hashlib.sha256(authority).hexdigest()}"


def _explain_client_error(error: BaseException | str) -> str:
    """Returns a safe message for an error that the client raises or logs."""
    text = error if isinstance(error, str) else str(error)
    for pattern, message in _CLIENT_MESSAGES:
        match = pattern.fullmatch(text)
        if match is not None:
            explained = " ".join(message.format(*(group or "no message" for group in match.groups())).split())
            return _CREDENTIAL.sub("...", without_passwords(explained))
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if isinstance(error.filename, str) else error.strerror
    if isinstance(error, str):
        match = _NOT_STARTED.fullmatch(error)
        if match is not None:
            number, reason, command = match.groups()
            if int(number) == errno.ENOENT:
                return f"the exec plugin {command} was not found; is it installed?"
            return f"the exec plugin {command} cannot be started: {reason}"
        return "an exec plugin or a credentials file does not provide valid credentials"
    return f"it contains a setting that is not valid ({type(error).__name__})"


class _Collector(logging.Handler):
    """Collects the errors that the current thread logs. Other threads may talk to other clusters."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.messages.append(record.getMessage())


@contextmanager
def _errors_logged_by_the_client() -> Iterator[list[str]]:
    """Collects the errors that the client logs to the root logger instead of raising them."""
    root, collector = logging.getLogger(), _Collector()
    root.addHandler(collector)
    try:
        yield collector.messages
    finally:
        root.removeHandler(collector)


@cache
def load_client() -> None:
    """Imports the client's configuration and its connections. `connect` imports it, too.

    A program that imports the client later gets all of it.
    """
    import_partly(_import_client, unused=_UNUSED, package="kubernetes")


def _import_client() -> None:
    import_module("kubernetes.config.kube_config")
    import_module("kubernetes.client.rest")
