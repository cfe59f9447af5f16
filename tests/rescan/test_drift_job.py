"""The drift job: what it may do, and that it does its work with that and no more."""

import base64
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import urllib3
import yaml

from rescan import environments
from rescan.examples.full import FULL
from rescan.examples.stateful import STATEFUL
from rescan.kinds import resource_of
from rescan.settings import AccessMode, Environment, NetworkPolicy
from tests.pushed import Receiver, receive
from tests.rescan.changes import changed
from tests.rescan.golden import synthesize
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer, sync

REPOSITORY = Path(__file__).parents[2]
(PROD,) = environments.load(["prod"])
READ = {"get", "list"}
VERBS = (*sorted(READ), "watch", "create", "update", "patch", "delete", "deletecollection", "impersonate", "bind")
Manifest = dict[str, Any]


def manifests(folder: Path) -> list[Manifest]:
    found = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
    return [manifest for manifest in found if manifest["kind"] != "Kustomization"]


def pick(folder: Path, kind: str, name: str = "rescan-drift") -> Manifest:
    (only,) = (it for it in manifests(folder) if (it["kind"], it["metadata"]["name"]) == (kind, name))
    return only


def pod(folder: Path) -> Manifest:
    return dict(pick(folder, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"])


@pytest.fixture(scope="module", params=[PROD, FULL, STATEFUL], ids=lambda environment: environment.name)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Environment, Path]:
    """An environment, and the folder of its manifests."""
    environment: Environment = request.param
    return environment, synthesize([environment], tmp_path_factory.mktemp("made")) / environment.name


Made = tuple[Environment, Path]


def test_it_is_off_until_an_environment_turns_it_on(synthesized: Path) -> None:
    assert not list((synthesized / "dev").glob("*drift*"))
    assert list((synthesized / "prod").glob("*drift*"))


def test_the_role_names_the_kinds_of_the_manifests_and_no_other(made: Made) -> None:
    environment, folder = made
    kinds = {(it["apiVersion"].rpartition("/")[0], resource_of(it["kind"])) for it in manifests(folder)}
    if environment.drift and environment.drift.read_secrets:
        kinds.add(("", "secrets"))

    rules = pick(folder, "Role")["rules"]

    granted = {(group, resource) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]}
    assert granted == kinds
    assert {verb for rule in rules for verb in rule["verbs"]} == READ


def test_of_what_is_cluster_wide_it_may_get_its_own_namespace_only(made: Made) -> None:
    environment, folder = made
    (rule,) = (rule for rule in pick(folder, "Role")["rules"] if "namespaces" in rule["resources"])

    assert rule["resourceNames"] == [environment.namespace]
    assert rule["verbs"] == ["get"]
    assert not [it for it in manifests(folder) if it["kind"].startswith("ClusterRole")]


def test_secrets_are_left_out_on_purpose_unless_they_may_be_read(tmp_path: Path) -> None:
    synthesize([PROD], tmp_path / "without")
    synthesize([changed(PROD, {"drift.read_secrets": True})], tmp_path / "with")

    def settings(folder: str) -> Manifest:
        return dict(yaml.safe_load(pick(tmp_path / folder / "prod", "ConfigMap")["data"]["drift.yaml"]) or {})

    assert [(it["group"], it["kind"]) for it in settings("without")["unchecked"]] == [("", "Secret")]
    assert settings("with") == {}


def test_the_token_is_in_the_one_container_that_needs_it(made: Made) -> None:
    _, folder = made
    spec = pod(folder)

    assert spec["automountServiceAccountToken"] is False
    assert pick(folder, "ServiceAccount")["automountServiceAccountToken"] is False
    (account,) = (volume["name"] for volume in spec["volumes"] if "projected" in volume)
    having = [
        container["name"]
        for container in (*spec["initContainers"], *spec["containers"])
        if account in {mount["name"] for mount in container["volumeMounts"]}
    ]
    assert having == ["drift"]


def test_nothing_is_writable_but_what_has_to_be(made: Made) -> None:
    _, folder = made
    spec = pod(folder)
    (reporter,) = spec["containers"]

    for container in (*spec["initContainers"], reporter):
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert [it["mountPath"] for it in reporter["volumeMounts"] if not it.get("readOnly")] == ["/history", "/tmp"]  # noqa: S108


def test_one_scan_at_a_time_and_none_without_an_end(made: Made) -> None:
    _, folder = made
    spec = pick(folder, "CronJob")["spec"]
    job = spec["jobTemplate"]["spec"]

    assert spec["concurrencyPolicy"] == "Forbid"
    assert min(spec["startingDeadlineSeconds"], job["activeDeadlineSeconds"]) > 0
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (1, 3)


def test_every_volume_is_mounted_and_every_mount_has_a_volume(made: Made) -> None:
    _, folder = made
    spec = pod(folder)

    mounted = {it["name"] for box in (*spec["initContainers"], *spec["containers"]) for it in box["volumeMounts"]}

    assert mounted == {volume["name"] for volume in spec["volumes"]}


def test_credentials_for_git_come_from_an_existing_secret(tmp_path: Path) -> None:
    over_ssh = {"gitops.repository_url": "ssh://git@git.example.com/rescan.git", "drift.git_secret": "git"}
    synthesize([changed(PROD, {"drift.git_secret": "git"})], tmp_path / "https")
    synthesize([changed(PROD, over_ssh)], tmp_path / "ssh")

    (https,) = pod(tmp_path / "https/prod")["initContainers"]
    (ssh,) = pod(tmp_path / "ssh/prod")["initContainers"]

    assert {it["name"]: it["valueFrom"]["secretKeyRef"] for it in https["env"]} == {
        "GITSYNC_USERNAME": {"name": "git", "key": "username"},
        "GITSYNC_PASSWORD": {"name": "git", "key": "password"},
    }
    assert "env" not in ssh
    assert {"name": "git-secret", "mountPath": "/etc/git-secret", "readOnly": True} in ssh["volumeMounts"]


@pytest.mark.parametrize(
    ("address", "gateway", "ports"),
    [
        ("https://git.example.com/a.git", None, []),
        ("https://git.example.com:8443/a.git", "https://metrics.example.com", [[8443]]),
        ("ssh://git@git.example.com/a.git", "http://pushgateway:9091", [[22, 9091]]),
        ("ssh://git@git.example.com:2222/a.git", "http://pushgateway", [[80, 2222]]),
    ],
)
def test_its_pods_reach_the_api_server_the_git_host_and_the_gateway(
    tmp_path: Path, address: str, gateway: str | None, ports: list[list[int]]
) -> None:
    changes: dict[str, object] = {
        "network_policy": NetworkPolicy(),
        "gitops.repository_url": address,
        "drift.git_secret": None if address.startswith("https:") else "git-key",
        "drift.pushgateway_url": gateway,
    }
    synthesize([changed(PROD, changes)], tmp_path)

    spec = pick(tmp_path / "prod", "NetworkPolicy")["spec"]

    assert spec["podSelector"] == {"matchLabels": {"app": "rescan-drift"}}
    assert [[port["port"] for port in rule["ports"]] for rule in spec["egress"]] == [[53, 53], [443, 6443], *ports]
    # An API server on a node is reached whether or not the network plugin matches nodes by their addresses.
    assert ["to" in rule for rule in spec["egress"]] == [True, False, *(True for _ in ports)]
    assert "ingress" not in spec


def test_shards_are_the_pods_of_an_indexed_job(made: Made) -> None:
    environment, folder = made
    spec = pick(folder, "CronJob")["spec"]["jobTemplate"]["spec"]
    assert environment.drift

    if environment.drift.shards == 1:
        assert "completionMode" not in spec
    else:
        assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
        variables = pod(folder)["containers"][0]["env"]
        assert {"name": "JOB_COMPLETIONS", "value": "3"} in variables


# -- on a real API server


@dataclass(frozen=True)
class Job:
    """The synced manifests of an environment, and the means to do what the kubelet would do with its drift job."""

    cluster: Cluster
    environment: Environment
    folder: Path
    """Holds the clone, the volume of the history and the settings."""

    @property
    def namespace(self) -> str:
        return self.environment.namespace

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def manifests(self) -> Path:
        return self.clone / "dist" / self.environment.name

    def token(self) -> str:
        return self.cluster.token("rescan-drift", self.namespace)

    def run(self, index: int | None = None) -> "subprocess.CompletedProcess[str]":
        """Run the reporter's container."""
        return run_container(self.cluster, self.folder, pod(self.manifests), self.namespace, index=index)

    def report(self, part: str = "") -> Manifest:
        return dict(json.loads((self.folder / f"history/report{part}.json").read_text()))


def run_container(
    cluster: Cluster,
    folder: Path,
    spec: Manifest,
    namespace: str,
    *,
    index: int | None = None,
    path: str = "/usr/local/bin:/usr/bin:/bin",
) -> "subprocess.CompletedProcess[str]":
    """Run the reporter of a pod as user 65533, with a root that is read-only and with the account's token.

    The process is root of nothing: a user namespace maps it to that user, and a mount namespace holds the token. The
    folder has the clone, the settings and the other volumes.
    """
    container = spec["containers"][0]
    variables = {} if index is None else {"JOB_COMPLETION_INDEX": str(index)}
    for variable in container.get("env", ()):
        variables.setdefault(variable["name"], _expanded(variable.get("value", ""), variables))
    arguments = [_here(_expanded(argument, variables), folder) for argument in container["args"]]
    _mount_account(cluster, folder, cluster.token(spec["serviceAccountName"], namespace), namespace)
    writable = {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    for place in ("history", *(["work"] if "/tmp" in writable else [])):  # noqa: S108  # in the container
        (folder / place).mkdir(exist_ok=True)
    host, port = cluster.server.removeprefix("https://").split(":")
    return subprocess.run(
        [*CONTAINER, str(folder), sys.executable, "-m", "drift", *arguments],
        cwd=REPOSITORY,
        env={
            **variables,
            "PATH": path,
            "HOME": "/tmp",  # noqa: S108  # as in the image
            "TMPDIR": str(folder / "work"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
        },
        check=False,
        capture_output=True,
        text=True,
        timeout=600,
    )


def _mount_account(cluster: Cluster, folder: Path, token: str, namespace: str) -> None:
    kubeconfig = yaml.safe_load(cluster.kubeconfig.read_text())
    authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    account = folder / "account"
    account.mkdir(exist_ok=True)
    (account / "token").write_text(token)
    (account / "namespace").write_text(namespace)
    (account / "ca.crt").write_bytes(base64.b64decode(authority))


def _here(argument: str, folder: Path) -> str:
    """The argument with the places of the container's volumes as they are on this machine."""
    for mount, place in {"/git/current": "clone", "/history": "history", "/etc/drift": "settings"}.items():
        argument = re.sub(rf"(?<![^=]){mount}(?=/|$)", str(folder / place), argument)
    return argument


CONTAINER = (
    *("unshare", "--user", "--map-root-user", "--mount", "--", "/bin/sh", "-euc"),
    # $0 is the folder of the job, "$@" the command.
    """
    for place in history work; do
      [ ! -d "$0/$place" ] || mount --bind "$0/$place" "$0/$place"
    done
    mount -t tmpfs tmpfs /run
    mkdir -p /run/secrets/kubernetes.io
    cp -r "$0/account" /run/secrets/kubernetes.io/serviceaccount
    mount -o remount,bind,ro /
    exec unshare --user --map-user=65533 --map-group=65533 -- "$@"
    """,
)


def _expanded(text: str, variables: Mapping[str, str]) -> str:
    """As the kubelet replaces `$(NAME)`."""
    return re.sub(r"\$\((\w+)\)", lambda found: variables[found[1]], text)


def _can_contain() -> bool:
    """Whether this machine lets its users make user and mount namespaces."""
    unshare = shutil.which("unshare")
    command = [unshare or "", "--user", "--map-root-user", "--mount", "true"]
    return unshare is not None and subprocess.run(command, check=False, capture_output=True).returncode == 0


contained = pytest.mark.skipif(not _can_contain(), reason="this machine makes no user and mount namespaces")


def start(cluster: Cluster, environment: Environment, folder: Path) -> Job:
    """Commit an environment's manifests to a repository, sync them, and clone the repository as git-sync does."""
    job = Job(cluster, environment, folder)
    origin = folder / "origin"
    synthesize([environment], origin / "dist")
    git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.com", "-C", str(origin))
    clone = ("clone", "--quiet", "--depth=1", f"file://{origin}", str(job.clone))
    for command in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "--message=all"), clone):
        subprocess.run([*git, *command], check=True, capture_output=True)
    (folder / "settings").mkdir()
    (folder / "settings/drift.yaml").write_text(pick(job.manifests, "ConfigMap")["data"]["drift.yaml"])
    sync(cluster, Syncer.FLUX, job.manifests, owner="rescan-prod")
    return job


@pytest.fixture
def job(cluster: Cluster, namespace: str, custom_resources: None, tmp_path: Path) -> Job:
    del custom_resources
    return start(cluster, changed(PROD, {"namespace": namespace}), tmp_path)


@dataclass
class Reviews:
    """Asks the API server, as an account itself, what that account may do."""

    cluster: Cluster
    token: str
    _http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(cert_reqs="CERT_NONE"))

    def rules(self, namespace: str) -> list[Manifest]:
        status = self._create("selfsubjectrulesreviews", {"namespace": namespace})
        return [rule for rule in status["resourceRules"] if rule["resources"]]

    def allowed(self, verb: str, namespace: str, group: str, resource: str) -> bool:
        name, _, subresource = resource.partition("/")
        attributes = {"verb": verb, "namespace": namespace, "group": group, "resource": name}
        if subresource:
            attributes["subresource"] = subresource
        if name == "namespaces":
            attributes["name"] = namespace
        return bool(self._create("selfsubjectaccessreviews", {"resourceAttributes": attributes})["allowed"])

    def _create(self, kind: str, spec: Mapping[str, Any]) -> Manifest:
        body = {"apiVersion": "authorization.k8s.io/v1", "kind": KINDS[kind], "spec": spec}
        answer = self._http.request(
            "POST",
            f"{self.cluster.server}/apis/authorization.k8s.io/v1/{kind}",
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        )
        assert answer.status == 201, answer.data
        return dict(answer.json()["status"])


KINDS = {
    "selfsubjectrulesreviews": "SelfSubjectRulesReview",
    "selfsubjectaccessreviews": "SelfSubjectAccessReview",
}


def served(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """The group and the name of every resource and subresource of the API server."""
    groups = json.loads(cluster.kubectl("get", "--raw", "/apis").stdout)["groups"]
    versions = ["/api/v1", *(f"/apis/{version['groupVersion']}" for group in groups for version in group["versions"])]
    for path in versions:
        group = path.removeprefix("/apis/").partition("/")[0] if path != "/api/v1" else ""
        for resource in json.loads(cluster.kubectl("get", "--raw", path).stdout)["resources"]:
            yield group, resource["name"]


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_the_account_may_get_and_list_the_kinds_of_the_manifests_and_nothing_else(cluster: Cluster, job: Job) -> None:
    cluster.kubectl("create", "serviceaccount", "plain", "--namespace", job.namespace)
    account = Reviews(cluster, job.token())
    plain = Reviews(cluster, cluster.token("plain", job.namespace))
    common = plain.rules(job.namespace)
    kinds = {(it["apiVersion"].rpartition("/")[0], it["kind"]) for it in manifests(job.manifests)}

    own = [rule for rule in account.rules(job.namespace) if rule not in common]
    assert {verb for rule in own for verb in rule["verbs"]} == READ
    assert account.rules("default") == plain.rules("default")
    allowed = {
        (verb, group, resource)
        for group, resource in set(served(cluster))
        for verb in VERBS
        if account.allowed(verb, job.namespace, group, resource)
        and not (verb == "create" and resource.startswith("selfsubject"))  # to ask this very question
    }
    readable = {(group, resource_of(kind)) for group, kind in kinds}
    assert allowed == {(verb, *kind) for kind in readable for verb in READ} - {("list", "", "namespaces")}


@pytest.mark.parametrize(
    "command",
    [
        ("create", "configmap", "written"),
        ("label", "deployment/rescan-app", "written=yes"),
        ("apply", "--server-side", "--filename=-"),
        ("scale", "deployment/rescan-app", "--replicas=0"),
        ("delete", "service/rescan-service"),
    ],
)
def test_what_the_account_writes_is_refused(cluster: Cluster, job: Job, command: tuple[str, ...]) -> None:
    kubeconfig = cluster.kubeconfig_for(job.token(), job.namespace)
    stdin = "{apiVersion: v1, kind: ConfigMap, metadata: {name: written}}"

    done = cluster.kubectl(*command, stdin=stdin, check=False, kubeconfig=kubeconfig)

    assert done.returncode == 1
    assert "is forbidden" in done.stderr


@contained
def test_the_job_reports_what_differs_and_is_no_failure_by_that(cluster: Cluster, job: Job) -> None:
    mark = cluster.audit_mark()

    done = job.run()

    assert (done.returncode, job.report()["summary"]["verdict"]) == (0, "in-sync"), done.stdout + done.stderr
    assert job.report()["manifests"]["gitCommit"]
    asked = [event for event in cluster.audit(mark) if event.user_agent == "drift"]
    assert {event.user for event in asked} == {f"system:serviceaccount:{job.namespace}:rescan-drift"}
    assert {event.verb for event in asked} <= READ
    assert not [event for event in asked if event.resource == "secrets"]
    cluster.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1", "--namespace", job.namespace)

    done = job.run()

    assert done.returncode == 0, done.stderr
    (drifted,) = job.report()["objects"]
    assert (drifted["kind"], drifted["name"], drifted["status"]) == ("Deployment", "rescan-app", "drifted")
    assert "DEBUG" in done.stdout


@contained
def test_the_job_fails_when_it_may_not_look(cluster: Cluster, job: Job) -> None:
    cluster.kubectl("delete", "rolebinding", "rescan-drift", "--namespace", job.namespace)

    assert job.run().returncode == 3
    assert job.report()["summary"]["verdict"] == "incomplete"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receive() as received:
        yield received


@contained
def test_shards_write_reports_that_merge_and_push_metrics_of_their_own(
    cluster: Cluster, namespace: str, custom_resources: None, tmp_path: Path, receiver: Receiver
) -> None:
    del custom_resources
    sharded = {
        "drift.shards": 2,
        "drift.access_mode": AccessMode.READ_WRITE_MANY,
        "drift.pushgateway_url": receiver.url,
    }
    job = start(cluster, changed(PROD, {"namespace": namespace} | sharded), tmp_path)
    cluster.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1", "--namespace", namespace)

    for index in range(2):
        done = job.run(index)
        assert done.returncode == 0, done.stderr

    group = "/metrics/job/rescan-drift/environment/prod/shard"
    assert [path for _, path, _, _ in receiver.requests] == [f"{group}/0", f"{group}/1"]
    parts = [str(tmp_path / f"history/report-{index}.json") for index in range(2)]
    merged = subprocess.run(
        [sys.executable, "-m", "drift", "render", *parts, "--output", "json"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
    )
    whole = json.loads(merged.stdout)
    (drifted,) = whole["objects"]
    assert (drifted["kind"], drifted["status"]) == ("Deployment", "drifted")
    assert whole["summary"]["objects"]["checked"] == len(manifests(job.manifests))
    # One of the two had the namespace, and the other one nothing to do.
    checked = [job.report(f"-{index}")["summary"]["objects"]["checked"] for index in range(2)]
    assert min(checked) < max(checked)
