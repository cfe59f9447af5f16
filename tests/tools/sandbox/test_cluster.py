import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.sandbox.binaries import Binaries
from tools.sandbox.cluster import Cluster
from tools.sandbox.errors import KubectlError, StartError

REPOSITORY = Path(__file__).parents[3]


def eventually(condition: Callable[[], bool], seconds: float = 180) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_new_namespace_has_what_every_namespace_has(cluster: Cluster, namespace: str) -> None:
    found = cluster.kubectl("get", "serviceaccounts,configmaps", "--namespace", namespace, "--output=name").stdout

    assert found.split() == ["serviceaccount/default", "configmap/kube-root-ca.crt"]


def test_pods_are_admitted_and_stay_pending(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("run", "web", "--image=nginx:1.29", "--namespace", namespace)

    pod = json.loads(cluster.kubectl("get", "pod", "web", "--namespace", namespace, "--output=json").stdout)

    assert pod["status"]["phase"] == "Pending"
    assert pod["spec"]["serviceAccountName"] == "default"


def test_an_error_of_kubectl_quotes_its_message(cluster: Cluster) -> None:
    with pytest.raises(KubectlError, match=r'kubectl get pod absent ended with code 1: .*pods "absent" not found'):
        cluster.kubectl("get", "pod", "absent")


def test_a_service_account_may_do_what_its_roles_allow_and_no_more(cluster: Cluster, namespace: str) -> None:
    cluster.kubectl("create", "serviceaccount", "reader", "--namespace", namespace)
    cluster.kubectl(
        "create",
        "rolebinding",
        "reader",
        "--clusterrole=view",
        f"--serviceaccount={namespace}:reader",
        "--namespace",
        namespace,
    )
    kubeconfig = cluster.kubeconfig_for(cluster.token("reader", namespace), namespace)

    assert cluster.kubectl("get", "configmaps", kubeconfig=kubeconfig).returncode == 0
    with pytest.raises(KubectlError, match="Forbidden"):
        cluster.kubectl("get", "secrets", kubeconfig=kubeconfig)


def test_a_token_is_refused_once_it_has_expired(cluster: Cluster) -> None:
    kubeconfig = cluster.kubeconfig_for(cluster.expired_token("default"))

    with pytest.raises(KubectlError, match="Unauthorized"):
        cluster.kubectl("get", "configmaps", kubeconfig=kubeconfig)

    assert eventually(lambda: "token has expired" in (cluster.folder / "kube-apiserver.log").read_text())


def test_the_audit_log_records_who_did_what(cluster: Cluster, namespace: str) -> None:
    kubeconfig = cluster.kubeconfig_for(cluster.token("default", namespace), namespace)
    mark = cluster.audit_mark()

    cluster.kubectl("get", "deployments", check=False, kubeconfig=kubeconfig)

    user = f"system:serviceaccount:{namespace}:default"
    (event,) = [event for event in cluster.audit(mark) if event.user == user and event.resource]
    assert (event.verb, event.api_group, event.resource, event.namespace) == ("list", "apps", "deployments", namespace)
    assert event.uri == f"/apis/apps/v1/namespaces/{namespace}/deployments?limit=500"
    assert event.code == 403
    assert event.user_agent.startswith("kubectl/v")


@pytest.mark.sandbox
def test_the_api_server_can_be_away_for_a_while() -> None:
    with Cluster.start() as cluster:
        cluster.kubectl("create", "configmap", "kept")

        cluster.stop_api_server()
        with pytest.raises(KubectlError, match="refused"):
            cluster.kubectl("get", "configmap", "kept")

        cluster.start_api_server()
        assert cluster.kubectl("get", "configmap", "kept", "--output=name").stdout == "configmap/kept\n"
        folder = cluster.folder

    assert not folder.exists()
    with pytest.raises(StartError, match="has been closed"):
        cluster.check()


@pytest.mark.sandbox
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_processes_and_folder_are_removed_if_the_owner_is_killed(end: signal.Signals) -> None:
    program = (
        "import json, time\n"
        "from tools.sandbox.cluster import Cluster\n"
        "cluster = Cluster.start()\n"
        "print(json.dumps([str(cluster.folder), cluster.pids]), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        folder, pids = json.loads(owner.stdout.readline())
        assert sorted(pids) == ["etcd", "kube-apiserver", "kube-controller-manager"]
        assert all(alive(pid) for pid in pids.values())
        assert Path(folder).is_dir()

        owner.send_signal(end)
        owner.wait()

        assert eventually(lambda: not any(alive(pid) for pid in pids.values()))
        assert eventually(lambda: not Path(folder).exists())


def test_a_program_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kubectl"):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {name} has no room left >&2\nexit 3\n")
        program.chmod(0o755)

    with pytest.raises(StartError, match=r"(etcd|kube-apiserver) ended with code 3; .*:\n(etcd|kube-apiserver) has no"):
        Cluster.start(Binaries(tmp_path))
