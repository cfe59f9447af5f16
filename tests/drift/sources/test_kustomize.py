"""Folders that the real kustomize builds: what is compared, where it comes from, and what goes wrong."""

import json
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drift.api import read_manifests
from drift.cli import main
from drift.model import SourceKind
from drift.objects import Source
from drift.sources.kustomizations import kind_of_path
from drift.sources.kustomize import build, read_built
from drift.sources.load import load_manifests, load_texts
from drift.sources.programs import Runner
from tests.drift.conftest import Application
from tests.git import git

FILES = {
    "base/kustomization.yaml": (
        "resources: [web.yaml, more.yaml]\nconfigMapGenerator:\n- {name: other}\n- name: conf\n  literals: [a=1]\n"
    ),
    "base/web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n"
    "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n"
    "    spec: {containers: [{name: web, image: 'nginx:1', envFrom: [{configMapRef: {name: conf}}]}]}\n",
    "base/more.yaml": "# more\napiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n---\n"
    "apiVersion: v1\nkind: Secret\nmetadata: {name: key, annotations: {example.com/kept: 'yes'}}\n"
    "stringData: {key: planted-in-git}\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\nsecretGenerator:\n- name: token\n"
    "  literals: [token=planted-in-generator]\npatches:\n- target: {kind: Deployment}\n"
    '  patch: \'[{"op": "add", "path": "/spec/replicas", "value": 3}]\'\n',
}
#: A dump of a cluster without objects.
EMPTY = "apiVersion: v1\nkind: List\nitems: []\n"


def config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: shop}}\n"


def write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a base and an overlay."""
    write(tmp_path, {**FILES, "live.yaml": EMPTY})
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_object_has_the_file_and_line_that_people_edit(folder: Path, kustomize: Path) -> None:
    del folder, kustomize

    sources = {f"{m.kind}/{m.name}": m.source for m in read_built(build(Path("prod"), Runner()), "prod")}

    assert {name: str(source) for name, source in sources.items()} == {
        "ConfigMap/prod-conf-h29d89cmmt": "base/kustomization.yaml:4",
        "ConfigMap/prod-other-6ct58987ht": "base/kustomization.yaml:3",
        "Deployment/prod-web": "base/web.yaml:1",
        "Secret/prod-key": "base/more.yaml:7",
        "Secret/prod-token-6ktmm8cb95": "prod/kustomization.yaml:4",
        "Service/prod-web": "base/more.yaml:2",
    }
    assert sources["Secret/prod-key"] == Source("base/more.yaml", 2, 7)


@pytest.mark.parametrize(
    "metadata",
    ["", "buildMetadata: [managedByLabel]\n", "buildMetadata: [originAnnotations, managedByLabel]\n"],
)
def test_the_objects_are_those_that_kustomize_build_prints(folder: Path, kustomize: Path, metadata: str) -> None:
    with (folder / "prod/kustomization.yaml").open("a") as file:
        file.write(metadata)
    subprocess.run([kustomize, "build", "prod", "-o", "plain.yaml"], check=True)

    found = {(m.kind, m.name): m.body for m in read_built(build(Path("prod"), Runner()), "prod")}

    assert found == {(m.kind, m.name): m.body for m in read_manifests(["plain.yaml"]).manifests}


@pytest.fixture
def synced(workspace: Application, kustomize: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """The overlay, synced."""
    write(workspace.manifests, FILES)
    output = subprocess.run([kustomize, "build", workspace.manifests / "prod"], check=True, capture_output=True)
    (workspace.scratch / "built.yaml").write_bytes(output.stdout)
    workspace.kubectl(
        *("apply", "--server-side", "--field-manager=kustomize-controller", "-f", str(workspace.scratch / "built.yaml"))
    )
    monkeypatch.chdir(workspace.manifests)
    return workspace


def report(workspace: Application, *arguments: str) -> tuple[int, dict[str, Any]]:

    file = workspace.scratch / "report.json"
    flags = ("--kubeconfig", str(workspace.cluster.kubeconfig), "--namespace", workspace.namespace)
    status = main(["report", *arguments, *flags, "--output", f"json={file}", "--output", "text"])
    return status, json.loads(file.read_text())


def test_an_overlay_is_in_sync_until_a_generated_config_map_is_deleted(synced: Application) -> None:
    status, document = report(synced, "prod")

    assert (status, document["summary"]["verdict"]) == (0, "in-sync")
    assert [(source["kind"], source["name"], source["objects"]) for source in document["sources"]] == [
        ("kustomize", "prod", 6)
    ]

    synced.kubectl("delete", "configmap", "prod-conf-h29d89cmmt")
    status, document = report(synced, "prod")

    assert status == 1
    [missing] = [item for item in document["objects"] if item["status"] == "missing"]
    assert (missing["name"], missing["origins"]) == ("prod-conf-h29d89cmmt", ["prod"])
    assert missing["source"] == {"file": "base/kustomization.yaml", "document": 1, "line": 4}


def test_an_unsynced_commit_in_a_base_and_an_edit_by_hand_have_different_causes(synced: Application) -> None:
    folder = synced.manifests
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "synced")
    commit = git(folder, "rev-parse", "HEAD")
    web = folder / "base/web.yaml"
    web.write_text(web.read_text().replace("nginx:1", "nginx:2"))
    synced.patch("deployment", "prod-web", {"spec": {"replicas": 9}})

    status, document = report(synced, "prod", "--synced-revision", commit)

    assert status == 1
    assert [(finding["path"], finding["cause"]) for item in document["objects"] for finding in item["findings"]] == [
        ("spec.replicas", "manual"),
        ("spec.template.spec.containers[name=web].image", "pending-sync"),
    ]


def _report(*arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["report", *arguments, "--live", "live.yaml", "--output", "json=report.json", "--quiet"])
    return status, json.loads(Path("report.json").read_text())


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"prod/kustomization.yaml": "resources: [../nowhere]\n"}, "prod: kustomize failed: accumulating resources"),
        ({"prod/kustomization.yaml": "resources: [https://git.invalid/x//y?ref=v1]\n"}, "prod: kustomize failed: "),
        ({"prod/kustomization.yaml": "{}\n"}, "prod: kustomize failed: kustomization.yaml is empty"),
        ({"base/more.yaml": "kind: Secret\nstringData:\n  a: hunter2\n b: hunter2\n"}, "prod: kustomize failed: "),
        (
            {"prod/kustomization.yaml": "secretGenerator: [{name: a, literals: [hunter2]}]\n"},
            "prod: kustomize failed: loading KV pairs: a literal of a generator is not KEY=VALUE",
        ),
        (
            {"prod/kustomization.yaml": 'patches: [{patch: "- {op: add, path: /data/a, value: hunter2}"}]\n'},
            "prod: kustomize failed: must specify a target for JSON patch ...",
        ),
    ],
)
@pytest.mark.usefixtures("kustomize", "folder")
def test_an_overlay_that_cannot_be_built_is_never_in_sync(folder: Path, files: dict[str, str], message: str) -> None:
    write(folder, files)

    status, document = _report("prod")

    assert (status, document["summary"]["verdict"]) == (3, "incomplete")
    [error] = document["errors"]
    assert error.startswith(message)
    assert "\n" not in error
    assert "hunter2" not in error


def test_without_kustomize_and_kubectl_the_error_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(folder))

    status, document = _report("prod")

    assert status == 3
    [error] = document["errors"]
    assert error.startswith("prod: needs kustomize or kubectl, and neither is on PATH; install one of them")


def test_kubectl_takes_the_place_of_kustomize(folder: Path, kubectl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "bin").mkdir()
    (folder / "bin/kubectl").symlink_to(kubectl)
    monkeypatch.setenv("PATH", f"{folder}/bin")

    status, document = _report("prod")

    assert status == 1
    assert document["summary"]["objects"]["missing"] == 6


def test_while_a_source_is_not_rendered_nothing_is_unmanaged_and_the_others_are_compared(folder: Path) -> None:
    write(
        folder,
        {
            "bad/kustomization.yaml": "resources: [missing.yaml]\n",
            "plain/a.yaml": config_map("a"),
            "live.yaml": f"{config_map('a')}---\n{config_map('b')}",
        },
    )

    status, document = _report("plain", "bad", "-n", "shop", "--unmanaged", "cluster")

    assert status == 3
    assert [item["name"] for item in document["inSync"]] == ["a"]
    assert document["objects"] == []
    assert [(source["name"], source["rendered"]) for source in document["sources"]] == [("plain", True), ("bad", False)]


def test_an_object_of_two_sources_is_one_object_if_they_describe_it_alike(folder: Path, kustomize: Path) -> None:
    del kustomize
    write(
        folder,
        {
            "one/kustomization.yaml": "resources: [a.yaml]\nlabels: [{pairs: {x: z}}]\n",
            "one/a.yaml": config_map("a"),
            "two/a.yaml": config_map("a").replace("metadata: {", "metadata: {labels: {x: z}, "),
            "three/a.yaml": config_map("a"),
            "live.yaml": config_map("a").replace("metadata: {", "metadata: {labels: {x: z}, "),
        },
    )

    status, document = _report("one", "two", "-n", "shop")

    assert (status, [item["origins"] for item in document["inSync"]]) == (0, [["one", "two"]])

    status, document = _report("one", "three", "-n", "shop")

    assert status == 3
    [item] = document["objects"]
    assert (item["status"], item["origins"]) == ("unchecked", ["one", "three"])
    assert item["reason"] == "described differently by one and three (one/a.yaml:1; three/a.yaml:1)"
    assert [source["unchecked"] for source in document["sources"]] == [1, 1]


def test_sources_come_from_the_settings_unless_the_command_line_names_some(folder: Path, kustomize: Path) -> None:
    del kustomize
    write(folder, {"drift.yaml": "sources: [{path: prod}, {path: plain}]\n", "plain/a.yaml": config_map("a")})

    assert [source["name"] for source in _report()[1]["sources"]] == ["prod", "plain"]
    assert [source["name"] for source in _report("plain")[1]["sources"]] == ["plain"]


#: What a kustomization may list, and what it may have beside its list.
_FILES = ("a.yaml", "b.yaml", "sub/c.yaml")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_kustomization_that_only_lists_files_reads_as_kustomize_builds_it(
    data: st.DataObject, tmp_path: Path, kustomize: Path
) -> None:
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    written = data.draw(st.lists(st.sampled_from(_FILES), unique=True, min_size=1))
    listed = data.draw(st.lists(st.sampled_from(written), unique=True))
    has_sub = data.draw(st.booleans())
    local = data.draw(st.sampled_from(["", "annotations: {config.kubernetes.io/local-config: 'true'}, "]))
    head = data.draw(st.sampled_from(["", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"]))
    for index, name in enumerate(written):
        body = config_map(f"c{index}").replace("metadata: {", f"metadata: {{{local if index == 0 else ''}")
        write(root, {name: f"{body}---\n{config_map(f'd{index}')}"})
    if has_sub:
        write(root, {"sub/kustomization.yaml": "resources: [e.yaml]\n", "sub/e.yaml": config_map("e")})
        listed.append("sub")
    write(root, {"kustomization.yaml": f"{head}resources: {json.dumps(listed)}\n"})
    done = subprocess.run([kustomize, "build", root], check=False, capture_output=True)

    if kind_of_path(str(root)) is SourceKind.FILES:
        read = load_manifests([str(root)]).manifests
        expected = load_texts([("built", done.stdout)]).manifests
        assert done.returncode == 0
        assert {(m.kind, m.name): m.body for m in read} == {(m.kind, m.name): m.body for m in expected}
    else:
        # It needs a build, which may fail.
        assert local or not listed


def test_words_and_dates_in_a_kustomization_that_only_lists_files_are_read_as_kustomize_builds_them(
    tmp_path: Path, kustomize: Path
) -> None:
    words = "y Y n N yes Yes YES no No NO on On ON off Off OFF true True TRUE false False FALSE null ~ Null NULL ="
    numbers = "0644 0o644 08 1e3 12e03 .5 1_000 +1 0x1F 0b11 12:30 1:30:00 1.10 1.0 -0 12345678901234567890"
    times = (
        "2026-01-01 2026-1-1 2026-13-01 2026-01-01T1:00:00Z 2026-01-01T00:00:00Z 2026-01-01t00:00:00.50Z "
        "2026-01-01T00:00:00+02:00 2026-01-01T00:00:00"
    )
    items = "".join(f"- {text}\n" for text in (*f"{words} {numbers} {times}".split(), "2026-01-01 10:11:12.25"))
    keys = "".join(f"  {text}: a\n" for text in ("on", "y", "No"))
    made = config_map("made") + "---\napiVersion: example.com/v1\nkind: Made\nmetadata: {name: a}\n"
    write(
        tmp_path,
        {
            "kustomization.yaml": "resources: [a.yaml]\n",
            "a.yaml": f"{made}keys:\n{keys}items:\n{items}flow: [off, on, {{mode: Off}}]\nquoted: ['off', \"on\"]\n",
        },
    )
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/a.yaml").write_text((tmp_path / "a.yaml").read_text())
    built = subprocess.run([kustomize, "build", tmp_path], check=True, capture_output=True).stdout
    expected = [manifest.body for manifest in load_texts([("built", built)]).manifests]
    assert ["off", "on", {"mode": "Off"}] in [body.get("flow") for body in expected]

    read = [manifest.body for manifest in load_manifests([str(tmp_path)]).manifests]

    assert sorted(read, key=str) == sorted(expected, key=str)
    # Without a kustomization, kubectl reads the file.
    plain = {manifest.kind: manifest.body for manifest in load_manifests([str(tmp_path / "plain")]).manifests}
    assert plain["Made"]["flow"] == [False, True, {"mode": False}]
