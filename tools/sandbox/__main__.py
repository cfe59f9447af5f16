"""``python -m tools.sandbox``: a sandbox cluster for the shell."""

import argparse
import contextlib
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from tools.sandbox.binaries import Binaries, kubernetes_version
from tools.sandbox.cluster import Cluster
from tools.sandbox.errors import SandboxError

INTERRUPTED = 130  # what shells report for a command that Ctrl-C ended

EXAMPLES = """\
examples:
  python -m tools.sandbox                         keep a cluster up until Ctrl-C
  python -m tools.sandbox -- kubectl get pods -A  run one command with its own cluster
  python -m tools.sandbox --build-only            only fill the cache, for CI or an image

The programs come from the folder that KUBEBUILDER_ASSETS names; without it, they are built once with Go, which takes
some minutes, and kept in a cache folder ($XDG_CACHE_HOME or ~/.cache). Everything listens on 127.0.0.1 only.
"""


def parser() -> argparse.ArgumentParser:
    """Returns the command-line parser."""
    made = argparse.ArgumentParser(
        prog="python -m tools.sandbox",
        description=f"Run a Kubernetes {kubernetes_version()} API server, with etcd and the controller manager,\n"
        "without a container or a virtual machine. There is no kubelet: pods stay Pending.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--build-only", action="store_true", help="build what is missing, start nothing")
    made.add_argument(
        "--kubeconfig",
        type=Path,
        metavar="FILE",
        help="also write the administrator's kubeconfig to FILE, which must not exist; it is removed at the end",
    )
    made.add_argument(
        "command",
        nargs="*",
        help="a command to run with KUBECONFIG and kubectl set for the cluster; the cluster ends with it, "
        "and its exit code is the result",
    )
    return made


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns its exit status."""
    options = parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    # A shell starts what it puts in the background with this one ignored.
    signal.signal(signal.SIGINT, _interrupt)
    try:
        binaries = Binaries.find()
        if options.build_only:
            sys.stdout.write(f"The sandbox cluster's programs are in {binaries.folder}\n")
            return 0
        with Cluster.start(binaries) as cluster, _copied(cluster.kubeconfig, options.kubeconfig):
            if options.command:
                return subprocess.run(options.command, env=cluster.environment, check=False).returncode
            _keep_up(cluster, binaries)
    except (SandboxError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


@contextlib.contextmanager
def _copied(kubeconfig: Path, target: Path | None) -> Iterator[None]:
    if target is None:
        yield
        return
    try:
        target.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        # It may hold the credentials of other clusters.
        raise SandboxError(f"{target} exists and is not overwritten: remove it, or name another file") from None
    try:
        shutil.copyfile(kubeconfig, target)
        yield
    finally:
        target.unlink()


def _keep_up(cluster: Cluster, binaries: Binaries) -> None:
    # Before the first write: a reader may end the cluster before the last one.
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdout.write(
            f"The sandbox cluster is ready at {cluster.server}. Ctrl-C ends it. In another shell:\n\n"
            f"  export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}\n"
            f'  export PATH={shlex.quote(str(binaries.folder.absolute()))}:"$PATH"\n'
            "  kubectl get namespaces\n\n"
        )
        sys.stdout.flush()
        while True:
            cluster.check()
            time.sleep(1)
    sys.stdout.write("The sandbox cluster ends.\n")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Lets SIGTERM end the program as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
