"""Reaching an API server with the official client's configuration: kubeconfig, contexts, exec plugins, in-cluster."""

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from drift.cluster.client_errors import in_our_words
from drift.cluster.kubeconfig import read_kubeconfigs
from drift.errors import ConnectError, UsageError
from drift.redaction import without_passwords

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True)
class Connection:
    """A configured client; no request was sent yet.

    Attributes:
        client: The official client, with credentials.
        context: The kubeconfig's context; None inside a pod.
        server: The API server's URL.
        namespace: Where objects live that name no namespace.
        renew: Configures another client from the same places, with the credentials that are there by then.
    """

    client: "ApiClient"
    context: str | None
    server: str
    namespace: str
    renew: "Callable[[], Connection]"

    def credentials(self) -> dict[str, str]:
        """The headers that say who asks; those known to have expired are replaced first. Certificates need none.

        Raises:
            ConnectError: They cannot be replaced.
        """
        from kubernetes.config import ConfigException  # noqa: PLC0415

        headers: dict[str, str] = {}
        try:
            with _errors_logged_by_the_client() as logged:
                self.client.update_params_for_auth(headers, [], ["BearerToken"], "/", "GET", None)
        except (ConfigException, OSError, ValueError) as error:
            raise ConnectError(f"{self.server}: no credentials: {in_our_words(error)}") from None
        if logged:
            raise ConnectError(f"{self.server}: no credentials: {in_our_words(logged[-1])}")
        return {name: self._header(value) for name, value in headers.items()}

    def _header(self, value: str) -> str:
        # A file with a token often ends with a newline, which kubectl strips too.
        stripped = value.strip()
        if not stripped.isascii() or not stripped.isprintable():
            raise ConnectError(
                f"{self.server}: no credentials: the token holds a character that no token has, such as a line break"
            )
        return stripped


def load_client() -> None:
    """Imports the official client, which takes longer than all the rest of a small scan; `connect` does it too."""
    import kubernetes.config.kube_config  # noqa: F401, PLC0415


def connect(kubeconfig: str | None, context: str | None) -> Connection:
    """Configures a client as kubectl would: the flags, then KUBECONFIG, then ~/.kube/config, then the pod's account.

    Args:
        kubeconfig: A file, or None.
        context: A context of it, or None for its current one.

    Raises:
        UsageError: The named file or context is not there.
        ConnectError: No configuration is found or it cannot be used.
    """
    files = kubeconfig or os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    present = [name for name in files.split(os.pathsep) if name and Path(name).expanduser().is_file()]
    if present:
        return _from_kubeconfig(present, context)
    if kubeconfig:
        raise UsageError(f"--kubeconfig {kubeconfig}: no such file")
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return _from_service_account()
    raise ConnectError(
        f"no kubeconfig found at {files}, and this is not a pod; name one with --kubeconfig or KUBECONFIG"
    )


def _from_kubeconfig(paths: Sequence[str], context: str | None) -> Connection:
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException, kube_config  # noqa: PLC0415

    config = read_kubeconfigs(paths)
    files = os.pathsep.join(paths)
    configuration = Configuration()
    try:
        with _errors_logged_by_the_client() as logged:
            # Refreshed tokens are not written back: the reporter writes nothing but its reports.
            loader = kube_config.KubeConfigLoader(config, active_context=context, config_base_path=None)  # type: ignore[no-untyped-call]
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        text = " ".join(str(error).split())
        if context is not None and f"object with name {context} in" in text and "/contexts" in text:
            raise UsageError(
                f"kubeconfig {files}: has no context {context!r}; `kubectl config get-contexts` lists them"
            ) from None
        raise ConnectError(f"kubeconfig {files}: {in_our_words(error)}") from None
    if logged:
        # The client only logs that an exec plugin failed and would go on without credentials.
        raise ConnectError(f"kubeconfig {files}: no credentials: {in_our_words(logged[-1])}")
    current: dict[str, Any] = loader.current_context
    return Connection(
        client=ApiClient(configuration),
        context=current["name"],
        # It is shown in reports. The client never sends what stands there as credentials.
        server=without_passwords(configuration.host),
        namespace=str((current.get("context") or {}).get("namespace") or "default"),
        renew=lambda: _from_kubeconfig(paths, context),
    )


def _from_service_account() -> Connection:
    from kubernetes.client import ApiClient, Configuration  # noqa: PLC0415
    from kubernetes.config import ConfigException, incluster_config  # noqa: PLC0415

    configuration = Configuration()
    try:
        incluster_config.load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration
        )
    except (ConfigException, OSError) as error:
        raise ConnectError(f"the pod's service account cannot be used: {in_our_words(error)}") from None
    try:
        namespace = (_SERVICE_ACCOUNT / "namespace").read_text("utf-8").strip()
    except OSError:
        namespace = ""
    return Connection(
        ApiClient(configuration), None, configuration.host, namespace or "default", renew=_from_service_account
    )


class _Collector(logging.Handler):
    """Keeps what one thread logs: others may be asking other clusters at the same time."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []
        self._of_thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._of_thread:
            self.messages.append(record.getMessage())


@contextmanager
def _errors_logged_by_the_client() -> Iterator[list[str]]:
    """Collects what the client logs to the root logger instead of raising it."""
    root, collector = logging.getLogger(), _Collector()
    root.addHandler(collector)
    try:
        yield collector.messages
    finally:
        root.removeHandler(collector)
