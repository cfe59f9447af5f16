"""``make demo``: shows drift on a temporary sandbox cluster.

It syncs ``dist/prod`` as Flux does, makes three edits by hand, and reports the drift.
"""

import shlex
import subprocess
import sys
from pathlib import Path

from tools.sandbox.binaries import Binaries
from tools.sandbox.cluster import Cluster
from tools.sandbox.errors import SandboxError
from tools.sandbox.syncers import Syncer, sync

REPOSITORY = Path(__file__).parents[1]
MANIFESTS = "dist/prod"
CRDS = "rescan/crds"
NAMESPACE = "rescan-prod"
EDITS = (
    "set image deployment/rescan-app rescan=registry.example.com/rescan:hotfix",
    "set env deployment/rescan-app DEBUG=1",
    "create configmap notes --from-literal=todo=clean-up",
)
DRIFT = 1


def main() -> int:
    """Runs the demo, and returns the exit status of its last report."""
    try:
        binaries = Binaries.find()
        say("Starting a sandbox cluster: etcd, kube-apiserver, kube-controller-manager")
        with Cluster.start(binaries) as cluster:
            return _show(cluster)
    except SandboxError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1


def _show(cluster: Cluster) -> int:
    say(f"Installing the CRDs of the operators that {MANIFESTS} relies on")
    sync(cluster, Syncer.FLUX, REPOSITORY / CRDS)
    say(f"Syncing {MANIFESTS} as Flux does: server-side apply as kustomize-controller")
    sync(cluster, Syncer.FLUX, REPOSITORY / MANIFESTS, owner="rescan")
    say("Nothing has drifted yet")
    in_sync = report(cluster)
    say("Editing by hand")
    for edit in EDITS:
        print(f"$ kubectl -n {NAMESPACE} {edit}", flush=True)
        cluster.kubectl("--namespace", NAMESPACE, *shlex.split(edit))
    say("What does the drift reporter say?")
    drifted = report(cluster)
    say("The cluster is gone; `make sandbox` starts one to play with")
    return 0 if (in_sync, drifted) == (0, DRIFT) else 1


def report(cluster: Cluster) -> int:
    """Runs ``drift report`` as a user does, and returns its exit status."""
    print(f"$ drift report {MANIFESTS}", flush=True)
    command = [sys.executable, "-m", "drift", "report", MANIFESTS, "--kubeconfig", str(cluster.kubeconfig)]
    status = subprocess.run(command, cwd=REPOSITORY, check=False).returncode
    print(f"exit status {status}", flush=True)
    return status


def say(text: str) -> None:
    """Prints a heading."""
    print(f"\n== {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
