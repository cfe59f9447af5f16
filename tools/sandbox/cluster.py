"""Start and stop one sandbox cluster, and act on it as its users do: with kubeconfigs, tokens and kubectl."""

import base64
import json
import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml

from tools.sandbox.audit import AuditEvent
from tools.sandbox.binaries import Binaries
from tools.sandbox.errors import KubectlError, StartError
from tools.sandbox.processes import Processes
from tools.sandbox.service_account_key import ServiceAccountKey
from tools.sandbox.supervisor import LESS_GARBAGE_COLLECTION

ISSUER = "https://kubernetes.default.svc.cluster.local"
READY_SECONDS = 180.0
POLL_SECONDS = 0.05
PORT_ATTEMPTS = 5
KUBECTL_SECONDS = 180.0

ADMIN = "kubernetes-admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
# The user of the sandbox's own requests, such as readiness checks, which ``audit`` leaves out.
PROBE = "sandbox-probe"
# People who may do everything, for tests of the audit log.
PEOPLE = tuple(f"user-{letter}@example.com" for letter in "abcde")
GROUPS = {
    ADMIN: "system:masters",
    CONTROLLER_MANAGER: "",
    PROBE: "system:masters",
    **dict.fromkeys(PEOPLE, "system:masters"),
}

FIRST_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")
# The controller manager fills the rules of these from other roles.
AGGREGATED_ROLES = ("admin", "edit", "view")


#: How many namespaces the API server audits with bodies at each level. One that is being deleted cannot be used again.
AUDITED_NAMESPACES = 20


def audited_namespace(level: str, number: int) -> str:
    """Returns the name of one of the namespaces whose requests are audited at a level other than Metadata."""
    return f"audited-{level.lower()}-{number}"


AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        *(
            {
                "level": level,
                "namespaces": [audited_namespace(level, number) for number in range(1, AUDITED_NAMESPACES + 1)],
            }
            for level in ("Request", "RequestResponse")
        ),
        {"level": "Metadata"},
    ],
}


class Cluster:
    """A running sandbox cluster: ``with Cluster.start() as cluster: ...``.

    ``kubeconfig`` is the path of an administrator's kubeconfig, ``server`` the URL of the API server, ``folder`` the
    folder with all files of the cluster, which is removed with it.
    """

    def __init__(self, binaries: Binaries) -> None:
        self._binaries = binaries
        self._processes = Processes()
        self._http: urllib3.PoolManager | None = None
        self._key = ServiceAccountKey()
        self._tokens = {user: secrets.token_hex(16) for user in GROUPS}
        self._port = 0
        self.folder = self._processes.folder
        self.kubeconfig = self.folder / "admin.kubeconfig"

    @classmethod
    def start(cls, binaries: Binaries | None = None) -> Self:
        """Starts a cluster, and returns it when it is ready.

        Raises:
            BinariesError: The programs are missing and cannot be built.
            StartError: A program ended or was not ready in time; the message holds the last lines of its log.
        """
        cluster = cls(binaries or Binaries.find())
        try:
            cluster._start()
        except BaseException:
            cluster.close()
            raise
        return cluster

    def close(self) -> None:
        """Ends the cluster and removes its folder. A second call does nothing."""
        if self._http is not None:
            self._http.clear()
        self._processes.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment for commands: KUBECONFIG, kubectl first on PATH, and its cache in the cluster's folder."""
        return {
            **os.environ,
            "PATH": os.pathsep.join((str(self._binaries.folder), os.environ.get("PATH", os.defpath))),
            "KUBECONFIG": str(self.kubeconfig),
            "KUBECACHEDIR": str(self.folder / "cache"),
            "KUBECTL_KUBERC": "false",
        }

    @property
    def pids(self) -> dict[str, int]:
        """The process ids of the running programs by name."""
        return dict(self._processes.pids)

    def check(self) -> None:
        """Checks that every program runs.

        Raises:
            StartError: A program has ended; the message holds the last lines of its log.
        """
        for name in self.pids:
            self._processes.check(name)

    def kubectl(
        self, *args: str, stdin: str | None = None, check: bool = True, kubeconfig: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Runs kubectl, as the administrator unless another kubeconfig is given.

        Raises:
            KubectlError: kubectl failed and ``check`` is true, or it timed out.
        """
        said = f"kubectl {' '.join(args)}"
        try:
            done = subprocess.run(
                [self._binaries.path("kubectl"), *args],
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=KUBECTL_SECONDS,
                # Like the programs of the cluster, it collects garbage less often.
                env={**self.environment, "KUBECONFIG": str(kubeconfig or self.kubeconfig), **LESS_GARBAGE_COLLECTION},
            )
        except subprocess.TimeoutExpired as error:
            raise KubectlError(f"{said} took more than {KUBECTL_SECONDS:.0f} s") from error
        if check and done.returncode:
            raise KubectlError(f"{said} ended with code {done.returncode}: {done.stderr.strip()}")
        return done

    def create_namespace(self, name: str) -> None:
        """Creates a namespace as ``kubectl create`` does, and waits for the objects that the cluster puts in it.

        Raises:
            KubectlError: The namespace cannot be created.
            StartError: The controller manager did not fill it in time.
        """
        # Without kubectl, whose start takes most of the time: most tests create a namespace.
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        headers = {"Authorization": f"Bearer {self._tokens[ADMIN]}", "Content-Type": "application/json"}
        path = f"{self.server}/api/v1/namespaces?fieldManager=kubectl-create"
        response = self._pool().request("POST", path, body=json.dumps(body), headers=headers)
        if response.status != HTTPStatus.CREATED:
            raise KubectlError(f"cannot create the namespace {name}: {response.data.decode(errors='replace')}")
        self._wait_for_namespace(name)

    def token(self, service_account: str, namespace: str = "default") -> str:
        """Returns a token for a service account that is valid for an hour.

        Raises:
            KubectlError: There is no such service account.
        """
        return self.kubectl("create", "token", service_account, "--namespace", namespace).stdout.strip()

    def expired_token(self, service_account: str, namespace: str = "default") -> str:
        """Returns a token for a service account that expired a minute ago.

        Raises:
            KubectlError: There is no such service account.
        """
        return self.token_until(int(time.time()) - 60, service_account, namespace)

    def token_until(self, expiry: int, service_account: str, namespace: str = "default") -> str:
        """Returns a token for a service account that is valid until a Unix time.

        Raises:
            KubectlError: There is no such service account.
        """
        described = self.kubectl("get", "serviceaccount", service_account, "--namespace", namespace, "--output=json")
        uid = json.loads(described.stdout)["metadata"]["uid"]
        now = int(time.time())
        return self._key.token(
            {
                "iss": ISSUER,
                "aud": [ISSUER],
                "sub": f"system:serviceaccount:{namespace}:{service_account}",
                "iat": now - 3600,
                "nbf": now - 3600,
                "exp": expiry,
                "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": service_account, "uid": uid}},
            }
        )

    def kubeconfig_for(self, token: str | None = None, namespace: str = "default") -> Path:
        """Writes a kubeconfig for a token, or for the administrator without one, and returns its path.

        The namespace is the default of its context.
        """
        path = self.folder / f"{secrets.token_hex(8)}.kubeconfig"
        user = ADMIN if token is None else "token"
        self._write_kubeconfig(path, user, self._tokens[ADMIN] if token is None else token, namespace)
        return path

    def kubeconfig_of(self, person: str) -> Path:
        """Returns the path of a kubeconfig for one of `PEOPLE`."""
        path = self.folder / f"{person}.kubeconfig"
        if not path.exists():
            self._write_kubeconfig(path, person, self._tokens[person], "default")
        return path

    def audit_mark(self) -> int:
        """Returns the current end of the audit log, for a later call of ``audit``.

        Raises:
            StartError: A program of the cluster has ended.
        """
        self._flush_audit()
        return self._audit_log.stat().st_size

    def audit_lines(self, since: int = 0) -> bytes:
        """Returns the audit log as written: all of it, or what follows a mark.

        Raises:
            StartError: A program of the cluster has ended.
        """
        self._flush_audit()
        with self._audit_log.open("rb") as file:
            file.seek(since)
            return file.read().rpartition(b"\n")[0] + b"\n"

    def audit(self, since: int = 0) -> list[AuditEvent]:
        """Returns the audited requests in the order of the log: all, or those since a mark.

        They include the requests of the cluster's own controllers.

        Raises:
            StartError: A program of the cluster has ended.
        """
        events = (AuditEvent.parse(line) for line in self.audit_lines(since).decode().splitlines())
        return [event for event in events if event.user != PROBE]

    def stop_api_server(self) -> None:
        """Kills the API server, as a crash does: connections are refused."""
        self._processes.kill("kube-apiserver")

    def start_api_server(self) -> None:
        """Starts the API server again, with the same address and certificate.

        Raises:
            StartError: It ended or was not ready in time.
        """
        self._start_api_server()

    @contextmanager
    def auditing_to(self, url: str, token: str) -> Iterator[str]:
        """Runs a second API server that sends its audit events to a webhook, in batches. Yields its URL.

        Args:
            url: The webhook. Over TLS, its certificate has to be that of the API servers, `key_pair`.
            token: The bearer token that it gets.

        Raises:
            StartError: It ended or was not ready in time.
        """
        webhook = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "webhook", "cluster": {"server": url, "certificate-authority": str(self._certificate)}}
            ],
            "users": [{"name": "webhook", "user": {"token": token}}],
            "contexts": [{"name": "webhook", "context": {"cluster": "webhook", "user": "webhook"}}],
            "current-context": "webhook",
        }
        file = self.folder / "audit-webhook.kubeconfig"
        file.write_text(yaml.safe_dump(webhook), encoding="utf-8")
        name, port = "kube-apiserver-auditing", _free_port()
        flags = (
            "--audit-webhook-mode=batch",
            "--audit-webhook-batch-max-wait=1s",
            "--audit-webhook-initial-backoff=1s",
        )
        command = self._api_server_command(port)
        self._processes.start(name, [*command, f"--audit-webhook-config-file={file}", *flags])
        try:
            self._wait(name, "to be ready", lambda: self._ready(f"https://127.0.0.1:{port}"))
            yield f"https://127.0.0.1:{port}"
        finally:
            self._processes.kill(name)

    @property
    def key_pair(self) -> tuple[Path, Path]:
        """The files of the API server's certificate, which is its own authority, and of its private key."""
        return self._certificate, self._certificate.with_suffix(".key")

    def stop_controller_manager(self) -> None:
        """Kills the controller manager, so that it no longer changes or creates objects."""
        self._processes.kill("kube-controller-manager")

    def compact(self) -> None:
        """Compacts etcd to the current revision, as the API server does every five minutes.

        Continue tokens of lists that etcd itself serves, such as Events, expire.
        """
        # So that there is a revision to compact.
        self.kubectl("create", "namespace", "forgotten")
        self.kubectl("delete", "namespace", "forgotten", "--wait=false")
        revision = self.ask_etcd("/v3/kv/range", {"key": "MA=="})["header"]["revision"]
        self.ask_etcd("/v3/kv/compaction", {"revision": revision, "physical": True})

    def ask_etcd(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        """Returns etcd's answer to a request for its JSON gateway, in which keys and values are Base64.

        Raises:
            StartError: etcd refused it.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.folder / "etcd.sock"))
            http = HTTPConnection("etcd")
            http.sock = connection
            http.request("POST", path, json.dumps(question))
            response = http.getresponse()
            answer: dict[str, Any] = json.loads(response.read())
            if response.status != HTTPStatus.OK:
                raise StartError(f"etcd does not do {path}: {answer}")
            return answer

    def _start(self) -> None:
        """Starts one program after the other."""
        self._write_settings()
        self._start_etcd()
        self._start_api_server_on_a_free_port()
        self._write_kubeconfig(self.kubeconfig, ADMIN, self._tokens[ADMIN], "default")
        self._start_controller_manager()
        self._wait_for_first_objects()

    def _write_settings(self) -> None:
        users = (f'{token},{user},{user},"{GROUPS[user]}"\n' for user, token in self._tokens.items())
        settings = {
            "users.csv": "".join(users),
            "audit-policy.yaml": yaml.safe_dump(AUDIT_POLICY),
            "service-account.key": self._key.pem(),
        }
        for name, text in settings.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        self._audit_log.touch()

    def _start_etcd(self) -> None:
        # Sockets in a private folder: other users of the machine cannot connect.
        client, peer = (f"unix://{self.folder / name}" for name in ("etcd.sock", "etcd-peer.sock"))
        # etcd wants an advertised host and port. Nothing uses them, and nothing listens there.
        advertised = "http://127.0.0.1:2380"
        self._processes.start(
            "etcd",
            [
                str(self._binaries.path("etcd")),
                f"--data-dir={self.folder / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={advertised}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={advertised}",
                f"--initial-cluster=default={advertised}",
                "--unsafe-no-fsync",
                "--log-level=warn",
            ],
        )

    def _start_api_server_on_a_free_port(self) -> None:
        for attempt in range(1, PORT_ATTEMPTS + 1):
            self._port = _free_port()
            try:
                self._start_api_server()
            except StartError:
                # Another program can take the port before the API server does.
                taken = "address already in use" in self._processes.log_tail("kube-apiserver")
                if not taken or attempt == PORT_ATTEMPTS:
                    raise
                self._processes.kill("kube-apiserver")
            else:
                return

    def _start_api_server(self) -> None:
        log = (f"--audit-log-path={self._audit_log}", "--audit-log-mode=blocking-strict", "--audit-log-maxsize=0")
        self._processes.start("kube-apiserver", [*self._api_server_command(self._port), *log])
        self._wait("kube-apiserver", "to be ready", lambda: self._ready(self.server))

    def _api_server_command(self, port: int) -> list[str]:
        key = self.folder / "service-account.key"
        return [
            str(self._binaries.path("kube-apiserver")),
            f"--etcd-servers=unix://{self.folder / 'etcd.sock'}",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            # Endpoints cannot be on loopback, so this advertises an address that is reserved for documentation.
            "--advertise-address=192.0.2.1",
            f"--cert-dir={self._certificates}",
            f"--service-account-issuer={ISSUER}",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-cluster-ip-range=10.0.0.0/16",
            f"--token-auth-file={self.folder / 'users.csv'}",
            "--authorization-mode=RBAC",
            f"--audit-policy-file={self.folder / 'audit-policy.yaml'}",
            "--profiling=false",
        ]

    def _start_controller_manager(self) -> None:
        kubeconfig = self.folder / "controller-manager.kubeconfig"
        self._write_kubeconfig(kubeconfig, CONTROLLER_MANAGER, self._tokens[CONTROLLER_MANAGER], "default")
        self._processes.start(
            "kube-controller-manager",
            [
                str(self._binaries.path("kube-controller-manager")),
                f"--kubeconfig={kubeconfig}",
                f"--service-account-private-key-file={self.folder / 'service-account.key'}",
                f"--root-ca-file={self._certificate}",
                # As in kubeadm: each controller has its own user in the audit log.
                "--use-service-account-credentials=true",
                "--leader-elect=false",
                "--secure-port=0",
                "--kube-api-qps=500",
                "--kube-api-burst=1000",
                "--profiling=false",
            ],
        )

    def _wait_for_first_objects(self) -> None:
        for namespace in FIRST_NAMESPACES:
            self._wait_for_namespace(namespace)
        for role in AGGREGATED_ROLES:
            self._wait_for_object(f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role}", "rules")

    def _wait_for_namespace(self, name: str) -> None:
        self._wait_for_object(f"/api/v1/namespaces/{name}/serviceaccounts/default", "metadata")
        self._wait_for_object(f"/api/v1/namespaces/{name}/configmaps/kube-root-ca.crt", "data")

    def _wait_for_object(self, path: str, field: str) -> None:
        """Waits until the controller manager has created an object and filled in a field of it."""
        self._wait("kube-controller-manager", f"to fill in {path}", lambda: bool(self._get(path).get(field)))

    def _wait(self, program: str, goal: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not reached():
            self.check()
            if time.monotonic() > deadline:
                raise StartError(
                    f"{program} took more than {READY_SECONDS:.0f} s {goal}; "
                    f"the last lines of its log:\n{self._processes.log_tail(program)}"
                )
            time.sleep(POLL_SECONDS)

    def _ready(self, server: str) -> bool:
        if not self._certificate.exists():
            return False
        try:
            return self._request("/readyz", server).status == HTTPStatus.OK
        except urllib3.exceptions.HTTPError:
            return False

    def _get(self, path: str) -> dict[str, Any]:
        """Returns the object at a path, or {}."""
        response = self._request(path)
        found: dict[str, Any] = response.json() if response.status == HTTPStatus.OK else {}
        return found

    def _request(self, path: str, server: str | None = None) -> urllib3.BaseHTTPResponse:
        return self._pool().request("GET", (server or self.server) + path)

    def _pool(self) -> urllib3.PoolManager:
        if self._http is None:
            self._http = urllib3.PoolManager(
                ca_certs=str(self._certificate),
                headers={"Authorization": f"Bearer {self._tokens[PROBE]}"},
                retries=False,
                timeout=urllib3.Timeout(10),
            )
        return self._http

    def _flush_audit(self) -> None:
        """Waits until a request made now is in the log, after all earlier ones."""
        self.check()
        if "kube-apiserver" not in self.pids:
            return
        start = self._audit_log.stat().st_size
        mark = secrets.token_hex(8)
        self._request(f"/version?mark={mark}")

        def logged() -> bool:
            with self._audit_log.open("rb") as file:
                file.seek(start)
                return mark.encode() in file.read()

        self._wait("kube-apiserver", "to write its audit log", logged)

    def _write_kubeconfig(self, path: Path, user: str, token: str, namespace: str) -> None:
        name = "sandbox"
        # Inline, so that a copy of the file works anywhere.
        authority = base64.b64encode(self._certificate.read_bytes()).decode()
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": name, "cluster": {"server": self.server, "certificate-authority-data": authority}},
            ],
            "users": [{"name": user, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": user, "namespace": namespace}}],
            "current-context": name,
        }
        path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")

    @property
    def _certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def _certificate(self) -> Path:
        """The self-signed certificate that the API server creates at its first start."""
        return self._certificates / "apiserver.crt"

    @property
    def _audit_log(self) -> Path:
        return self.folder / "audit.log"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
