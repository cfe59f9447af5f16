"""Several clusters or shards in one run: how flags are paired, and that one that fails does not affect the others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.cli import main
from drift.cli.choices import ClusterTarget, chosen_shard, chosen_targets
from drift.errors import UsageError
from drift.model import Shard
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


ONE_OF_MANY = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: %s}\n---\n"


@pytest.fixture(autouse=True)
def _no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOB_COMPLETION_INDEX", raising=False)
    monkeypatch.delenv("JOB_COMPLETIONS", raising=False)


def in_job(monkeypatch: pytest.MonkeyPatch, index: str, count: str) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", index)
    monkeypatch.setenv("JOB_COMPLETIONS", count)


@pytest.mark.parametrize(("flag", "shard"), [("1/4", Shard(1, 4)), ("4/4", Shard(4, 4)), ("1/1", None), (None, None)])
def test_the_flag_counts_from_1(flag: str | None, shard: Shard | None) -> None:
    assert chosen_shard(flag, quiet=False) == shard


@pytest.mark.parametrize(
    "flag", ["0/4", "5/4", "1/0", "-1/4", "1", "1/", "a/b", "1/4/7", "1 / 4", "\u0661/\u0664", "1/" + "9" * 5000]
)
def test_an_invalid_shard_is_refused(flag: str) -> None:
    with pytest.raises(UsageError, match="must be I/N"):
        chosen_shard(flag, quiet=False)


def test_the_shard_of_an_indexed_job_is_printed(monkeypatch: pytest.MonkeyPatch, stderr: Callable[[], str]) -> None:
    in_job(monkeypatch, "0", "4")

    assert chosen_shard(None, quiet=False) == Shard(1, 4)
    assert stderr() == "drift: scanning shard 1 of 4, from JOB_COMPLETION_INDEX=0 and JOB_COMPLETIONS=4\n"
    assert chosen_shard(None, quiet=True) == Shard(1, 4)
    assert stderr() == ""


def test_the_flag_wins_over_the_job(monkeypatch: pytest.MonkeyPatch) -> None:
    in_job(monkeypatch, "0", "4")

    assert chosen_shard("2/3", quiet=False) == Shard(2, 3)


def test_without_job_completions_everything_is_scanned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "2")

    assert chosen_shard(None, quiet=False) is None


@pytest.mark.parametrize(("index", "count"), [("4", "4"), ("-1", "4"), ("", ""), ("x", "4"), ("0", "0")])
def test_an_invalid_job_index_is_refused(monkeypatch: pytest.MonkeyPatch, index: str, count: str) -> None:
    in_job(monkeypatch, index, count)

    with pytest.raises(UsageError, match="JOB_COMPLETION_INDEX="):
        chosen_shard(None, quiet=False)


@pytest.mark.parametrize("count", [2, 3, 50])
def test_each_namespace_is_always_in_the_same_shard(count: int) -> None:
    for namespace in (None, "", "default", "kube-system", "prod"):
        assert sum(Shard(index, count).owns(namespace) for index in range(1, count + 1)) == 1
    # Other versions and machines must compute the same hash.
    assert [index for index in range(1, 51) if Shard(index, 50).owns("default")] == [50]


@pytest.fixture
def shards(tmp_path: Path) -> list[str]:
    """Returns the saved reports of three shards."""
    manifests = tmp_path / "manifests.yaml"
    manifests.write_text("".join(ONE_OF_MANY % f"namespace-{number}" for number in range(9)))
    files = [str(tmp_path / f"{index}.json") for index in (1, 2, 3)]
    for index, file in enumerate(files, start=1):
        command = ["report", str(manifests), "--live", str(manifests), "--shard", f"{index}/3"]
        assert main([*command, "--output", f"json={file}"]) == 0
    return files


def merged(files: list[str], tmp_path: Path) -> dict[str, object]:
    file = tmp_path / "merged.json"
    assert main(["render", *files, "--output", f"json={file}"]) == 0
    document: dict[str, object] = json.loads(file.read_text())
    return document


def test_a_report_names_its_shard(shards: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads(Path(shards[1]).read_text())

    assert document["shard"] == {"index": 2, "count": 3, "unusedRules": []}
    main(["report", str(tmp_path / "manifests.yaml"), "--live", str(tmp_path / "manifests.yaml"), "--shard", "2/3"])
    assert capsys.readouterr().out.rstrip().endswith("(shard 2 of 3)")


def test_all_shards_together_are_complete(shards: list[str], tmp_path: Path) -> None:
    document = merged(shards, tmp_path)

    assert (document["shard"], document["errors"]) == (None, [])
    assert len(document["inSync"]) == 9  # type: ignore[arg-type]


@pytest.mark.parametrize(("present", "missing"), [([0, 2], "2"), ([1], "1, 3"), ([1, 1, 1], "1, 3")])
def test_a_missing_shard_makes_the_merged_report_incomplete(
    shards: list[str], tmp_path: Path, present: list[int], missing: str
) -> None:
    document = merged([shards[index] for index in present], tmp_path)

    assert document["errors"] == [f"missing shard {missing} of 3; render the reports of all shards together"]
    assert document["summary"]["verdict"] == "incomplete"  # type: ignore[index]


@pytest.mark.parametrize("index", [0, 4, -1, 1.5, "1", None, True])
def test_a_saved_report_with_an_invalid_shard_is_refused(
    shards: list[str], index: object, stderr: Callable[[], str]
) -> None:
    document = json.loads(Path(shards[0]).read_text())
    document["shard"]["index"] = index
    Path(shards[0]).write_text(json.dumps(document))

    assert main(["render", shards[0]]) == 2
    assert f"{shards[0]}: shard" in stderr()


def test_a_huge_number_of_shards_does_not_slow_the_merge(shards: list[str], tmp_path: Path) -> None:
    document = json.loads(Path(shards[0]).read_text())
    document["shard"]["count"] = 10**300
    Path(shards[0]).write_text(json.dumps(document))

    errors = str(merged(shards[:1], tmp_path)["errors"])

    assert errors.startswith("['missing shard 2, 3, 4, 5, 6, 7, 8, 9, 10, ")
    assert " and others of 1000000000" in errors


def test_the_shards_of_one_history_do_not_resolve_each_other(shards: list[str], tmp_path: Path) -> None:
    manifests, live = tmp_path / "manifests.yaml", tmp_path / "live.yaml"
    live.write_text(manifests.read_text().replace("name: a,", "name: a, labels: {by: hand},"))
    command = ["report", str(manifests), "--live", str(live), "--history", str(tmp_path / "history.db")]
    for _ in range(2):
        for index, file in enumerate(shards, start=1):
            assert main([*command, "--shard", f"{index}/3", "--output", f"json={file}"]) == 1

    document = merged(shards, tmp_path)

    assert document["resolved"] == []
    assert str(document["objects"]).count("'lifecycle': 'ongoing'") == 9
