"""Runs ``kubectl diff --server-side``."""

import json
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from drift.objects import Object
from tools.sandbox.cluster import Cluster

_DIFF = ("diff", "--server-side", "--field-manager=kustomize-controller", "--force-conflicts")
_KEEP_BOTH = """#!/bin/sh
cp -R "$1/." {live}
cp -R "$2/." {merged}
"""


def kubectl_diff(
    cluster: Cluster, namespace: str, manifests: Sequence[Object], folder: Path
) -> Iterator[tuple[Object, Object]]:
    """Returns each object that differs: the live one, and the result of an apply."""
    live, merged, script, file = (folder / name for name in ("live", "merged", "keep-both", "manifests.json"))
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
    live.mkdir()
    merged.mkdir()
    script.write_text(_KEEP_BOTH.format(live=live, merged=merged))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    kubeconfig = cluster.kubeconfig_for(namespace=namespace)
    environment = {**cluster.environment, "KUBECONFIG": str(kubeconfig), "KUBECTL_EXTERNAL_DIFF": str(script)}
    kubectl = shutil.which("kubectl", path=environment["PATH"])
    assert kubectl is not None
    done = subprocess.run([kubectl, *_DIFF, f"--filename={file}"], env=environment, capture_output=True, check=False)
    # The exit status comes from the external diff program, which says nothing here.
    assert done.returncode == 0, done.stderr
    for file in sorted(merged.iterdir()):
        before = yaml.safe_load((live / file.name).read_text("utf-8"))
        if before is not None:
            yield before, yaml.safe_load(file.read_text("utf-8"))
