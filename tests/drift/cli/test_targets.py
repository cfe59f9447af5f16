"""Several clusters in one run: how flags are paired, and that a cluster that fails does not affect the others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.cli import main
from drift.cli.targets import ClusterTarget, chosen_targets
from drift.errors import UsageError
from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NAMESPACE}\ndata: {key: git}\n"


@pytest.mark.parametrize(
    ("kubeconfigs", "contexts", "targets"),
    [
        ([], [], [ClusterTarget()]),
        (["f"], ["a"], [ClusterTarget("f", "a")]),
        ([], ["a", "b"], [ClusterTarget(None, "a"), ClusterTarget(None, "b")]),
        (["f", "g"], [], [ClusterTarget("f"), ClusterTarget("g")]),
        (["f"], ["a", "b"], [ClusterTarget("f", "a"), ClusterTarget("f", "b")]),
        (["f", "g"], ["a"], [ClusterTarget("f", "a"), ClusterTarget("g", "a")]),
        (["f", "g"], ["a", "b"], [ClusterTarget("f", "a"), ClusterTarget("g", "b")]),
    ],
)
def test_the_flags_name_clusters(kubeconfigs: list[str], contexts: list[str], targets: list[ClusterTarget]) -> None:
    assert chosen_targets(kubeconfigs, contexts) == targets


def test_flags_that_do_not_pair_are_refused() -> None:
    with pytest.raises(UsageError, match="--kubeconfig is given 2 times and --context 3 times"):
        chosen_targets(["f", "g"], ["a", "b", "c"])
    with pytest.raises(UsageError, match="context a of kubeconfig f is named twice"):
        chosen_targets(["f"], ["a", "a"])


@pytest.fixture
def kubeconfig(workspace: Application) -> Path:
    """A kubeconfig with two addresses of the sandbox, ``near`` and ``same``, and an unreachable one, ``far``."""
    known = yaml.safe_load(workspace.cluster.kubeconfig.read_text())
    server = known["clusters"][0]["cluster"]["server"]
    addresses = {
        "near": server,
        "same": server.replace("127.0.0.1", "localhost"),
        "far": "https://127.0.0.1:1",
        "away": "https://127.0.0.1:2",
    }
    user = known["users"][0]["name"]
    settings: dict[str, Any] = {
        **known,
        "clusters": [
            {
                "name": name,
                "cluster": {**known["clusters"][0]["cluster"], "server": address, "tls-server-name": "127.0.0.1"},
            }
            for name, address in addresses.items()
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": user}} for name in addresses],
    }
    file = workspace.scratch / "kubeconfig"
    file.write_text(yaml.safe_dump(settings))
    return file


@pytest.fixture
def drifted(workspace: Application) -> Application:
    workspace.write(CONFIG_MAP)
    workspace.sync(Syncer.FLUX)
    workspace.kubectl("patch", "configmap", "a", "--patch", '{"data": {"key": "live"}}')
    return workspace


def contexts(*names: str) -> list[str]:
    return [flag for name in names for flag in ("--context", name)]


def test_several_clusters_give_the_report_that_render_merges(drifted: Application, kubeconfig: Path) -> None:
    scanned = drifted.report(*contexts("near", "same"), kubeconfig=kubeconfig)
    saved = []
    for name in ("near", "same"):
        drifted.report(*contexts(name), kubeconfig=kubeconfig)
        saved.append(shutil.copy(drifted.scratch / "report.json", drifted.scratch / f"{name}.json"))
    file = drifted.scratch / "merged.json"
    main(["render", *map(str, saved), "--output", f"json={file}"])
    merged = json.loads(file.read_text())

    assert scanned.status == 1
    assert [item["cluster"] for item in scanned.document["objects"]] == ["near", "same"]
    for name in ("generatedAt", "scan"):
        merged[name] = scanned.document[name]
    assert merged == scanned.document


def test_an_unreachable_cluster_does_not_affect_the_others(drifted: Application, kubeconfig: Path) -> None:
    scanned = drifted.report(*contexts("near", "far"), kubeconfig=kubeconfig)

    assert scanned.status == 3
    assert [(item["cluster"], item["status"]) for item in scanned.document["objects"]] == [("near", "drifted")]
    (error,) = scanned.document["errors"]
    assert error.startswith("far: https://127.0.0.1:1: the connection was refused")
    assert [cluster["context"] for cluster in scanned.document["clusters"]] == ["far", "near"]


def test_an_unknown_context_is_a_usage_error(drifted: Application, kubeconfig: Path, stderr: Callable[[], str]) -> None:
    flags = contexts("near", "nowhere")

    assert main(["report", str(drifted.manifests), "--kubeconfig", str(kubeconfig), *flags]) == 2
    assert "has no context 'nowhere'" in stderr()


def test_if_all_clusters_fail_there_is_one_line(
    drifted: Application, kubeconfig: Path, stderr: Callable[[], str]
) -> None:
    flags = contexts("far", "away")

    assert main(["report", str(drifted.manifests), "--kubeconfig", str(kubeconfig), *flags]) == 3
    text = stderr()
    assert text.count("\n") == 1
    assert text.startswith(f"drift: context far of kubeconfig {kubeconfig}: https://127.0.0.1:1: the connection")
    assert f"; context away of kubeconfig {kubeconfig}: " in text


def test_shards_of_several_clusters_merge_to_the_report_of_one_run(drifted: Application, kubeconfig: Path) -> None:
    clusters = contexts("near", "same", "far")
    whole = drifted.report(*clusters, kubeconfig=kubeconfig).document
    saved = []
    for index in (1, 2):
        part = drifted.report(*clusters, "--shard", f"{index}/2", kubeconfig=kubeconfig).document
        assert part["shard"]["index"] == index
        saved.append(shutil.copy(drifted.scratch / "report.json", drifted.scratch / f"{index}.json"))
    file = drifted.scratch / "merged.json"
    main(["render", *map(str, saved), "--output", f"json={file}"])
    merged = json.loads(file.read_text())

    for name in ("generatedAt", "scan"):
        merged[name] = whole[name]
    assert merged == whole
