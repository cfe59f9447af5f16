"""Charts, rendered and installed by the real Helm 3 and Helm 4."""

import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from drift.cli import main
from drift.errors import SourceError
from drift.sources.helm import RANDOM, Installation, Variation, read_chart, render_chart, variation_of
from drift.sources.programs import Runner
from tests.drift.conftest import Application
from tests.drift.sources.test_kustomize import EMPTY, write
from tests.drift.test_planted_secrets import everything, said
from tests.git import git

CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.2.3\n",
    "web/values.yaml": "image: nginx:1\nreplicas: 2\ngreeting: hello\n",
    "web/templates/web.yaml": (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: {{ .Release.Name }}}\nspec:\n"
        "  replicas: {{ .Values.replicas }}\n  selector: {matchLabels: {app: web}}\n  template:\n"
        "    metadata: {labels: {app: web}}\n    spec: {containers: [{name: web, image: {{ .Values.image }}}]}\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
        "data: {greeting: {{ .Values.greeting }}, kube: {{ .Capabilities.KubeVersion.Version }}}\n"
    ),
    "web/templates/secret.yaml": (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\n"
        "stringData: {password: {{ randAlphaNum 16 }}, fixed: planted-in-chart}\n"
    ),
    "web/templates/hook.yaml": (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hook, annotations: {helm.sh/hook: pre-install}}\n"
    ),
}

#: What kubectl edit leaves behind.
EDITED = [
    {
        "manager": "kubectl-edit",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-05-12T10:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:level": {}}},
    }
]


@pytest.fixture
def installed(workspace: Application, helm: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """A chart in the working directory, installed as the release shop."""
    write(workspace.manifests, CHART)
    monkeypatch.chdir(workspace.manifests)
    run_helm(workspace, helm, "install", "shop", "web")
    return workspace


def run_helm(workspace: Application, helm: Path, *arguments: str) -> None:
    place = ("--kubeconfig", str(workspace.cluster.kubeconfig), "--namespace", workspace.namespace)
    subprocess.run([helm, *arguments, *place], check=True, capture_output=True)


def report(workspace: Application, *arguments: str) -> tuple[int, dict[str, Any]]:
    file = workspace.scratch / "report.json"
    flags = ("--kubeconfig", str(workspace.cluster.kubeconfig), "--namespace", workspace.namespace)
    status = main(["report", *arguments, *flags, "--output", f"json={file}", "--output", "text"])
    return status, json.loads(file.read_text())


def findings(document: dict[str, Any]) -> list[tuple[str, str, str, str, list[str]]]:
    return [
        (
            f"{item['kind']}/{item['name']}",
            finding["change"],
            finding["path"],
            finding["cause"],
            [actor["manager"] for actor in finding["actors"]],
        )
        for item in document["objects"]
        for finding in item["findings"]
    ]


@pytest.mark.parametrize("helm", ["helm 3", "helm 4"], indirect=True)
@pytest.mark.parametrize("sources", [["--helm-release", "shop"], ["web", "--release", "shop"]])
def test_a_release_is_in_sync_until_it_is_edited_by_hand(installed: Application, sources: list[str]) -> None:
    status, document = report(installed, *sources)

    assert (status, findings(document), document["errors"]) == (0, [], [])
    assert document["summary"]["objects"]["inSync"] == 3

    installed.patch("deployment", "shop", {"spec": {"replicas": 5}})
    status, document = report(installed, *sources)

    assert status == 1
    assert findings(document) == [("Deployment/shop", "changed", "spec.replicas", "manual", ["kubectl-patch"])]


@pytest.mark.parametrize("sources", [["--helm-release", "shop"], ["web", "--release", "shop"]])
def test_an_empty_namespace_in_a_chart_is_that_of_the_release(
    workspace: Application, helm: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str]
) -> None:
    metadata = "metadata: {name: a, namespace: {{ .Values.namespace | quote }}}"
    template = f"apiVersion: v1\nkind: ConfigMap\n{metadata}\ndata: {{key: value}}\n"
    values = 'namespace: ""\n'
    write(
        workspace.manifests,
        {**CHART, "web/templates/a.yaml": template, "web/values.yaml": CHART["web/values.yaml"] + values},
    )
    monkeypatch.chdir(workspace.manifests)
    run_helm(workspace, helm, "install", "shop", "web")

    status, document = report(workspace, *sources)
    assert (status, findings(document), document["errors"]) == (0, [], [])

    workspace.patch("configmap", "a", {"data": {"key": "edited"}})
    status, document = report(workspace, *sources)
    assert status == 1
    assert findings(document) == [("ConfigMap/a", "changed", "data.key", "manual", ["kubectl-patch"])]


@pytest.mark.parametrize("helm", ["helm 3", "helm 4"], indirect=True)
def test_a_pending_upgrade_and_an_edit_by_hand_have_different_causes(installed: Application) -> None:
    installed.patch(
        "deployment", "shop", {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "evil"}]}}}}
    )

    status, document = report(installed, "web", "--release", "shop", "--set", "replicas=3", "--set", "greeting=hi")

    assert status == 1
    assert findings(document) == [
        ("ConfigMap/shop", "changed", "data.greeting", "pending-sync", ["helm"]),
        ("Deployment/shop", "changed", "spec.replicas", "pending-sync", ["helm"]),
        ("Deployment/shop", "changed", "spec.template.spec.containers[name=web].image", "manual", ["kubectl-patch"]),
    ]
    [source] = document["sources"]
    assert (source["kind"], source["name"], source["revision"], source["syncedRevision"]) == (
        "helm-chart", "web (shop)", "1.2.3", "1.2.3"
    )  # fmt: skip
    [web] = [item for item in document["objects"] if item["kind"] == "Deployment"]
    assert web["source"] == {"file": "web/templates/web.yaml", "document": 1, "line": 2}


def test_a_value_that_is_random_is_not_compared_without_a_release(
    workspace: Application, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace.manifests, CHART)
    monkeypatch.chdir(workspace.manifests)
    output = subprocess.run([helm, "template", "web", "web", "--no-hooks"], check=True, capture_output=True).stdout
    (workspace.scratch / "built.yaml").write_bytes(output)
    workspace.kubectl(
        "apply", "--server-side", "--field-manager=kustomize-controller", "-f", str(workspace.scratch / "built.yaml")
    )

    _, document = report(workspace, "web")

    [secret] = [item for item in document["objects"] if item["kind"] == "Secret"]
    assert secret["notCompared"] == [{"path": "data.password", "reason": "the chart renders another value each time"}]
    assert (secret["status"], secret["findings"]) == ("in-sync", [])

    workspace.kubectl("patch", "secret", "web", "--type=json", "-p", '[{"op": "remove", "path": "/data/password"}]')
    status, document = report(workspace, "web")

    assert status == 1
    assert ("Secret/web", "removed", "data.password") in [found[:3] for found in findings(document)]


def test_a_newer_release_that_failed_is_said_and_what_it_changed_waits_for_a_sync(
    installed: Application, helm: Path
) -> None:
    bad = "apiVersion: v1\nkind: Service\nmetadata: {name: zz}\nspec: {ports: [{port: 0}]}\n"
    write(installed.manifests, {"web/templates/zz.yaml": bad})
    with pytest.raises(subprocess.CalledProcessError):
        run_helm(installed, helm, "upgrade", "shop", "web", "--set", "replicas=7,greeting=bye")

    status, document = report(installed, "--helm-release", f"{installed.namespace}/shop")

    assert status == 1
    assert {found[1:4] for found in findings(document)} <= {
        ("changed", "spec.replicas", "pending-sync"),
        ("changed", "data.greeting", "pending-sync"),
        ("changed", "data.password", "pending-sync"),
    }
    [source] = document["sources"]
    assert (source["name"], source["ready"], source["message"]) == (
        f"release {installed.namespace}/shop", False, "revision 2 is failed; 1 is deployed"
    )  # fmt: skip


def test_no_value_of_a_release_is_on_any_stream(installed: Application, tmp_path: Path) -> None:
    installed.kubectl("patch", "secret", "shop", "-p", '{"stringData": {"fixed": "planted-by-hand"}}')
    place = ["--kubeconfig", str(installed.cluster.kubeconfig), "--namespace", installed.namespace]

    status, shown = everything(["--helm-release", "shop", *place], tmp_path)

    assert status == 1
    for action in ("adopt", "revert", "guard"):
        shown += said([action, str(tmp_path / "report.json")])[1]
    assert "data.fixed" in shown
    for value in ("planted-in-chart", "planted-by-hand", "cGxhbnRlZC1pbi1jaGFydA", "cGxhbnRlZC1ieS1oYW5k"):
        assert value not in shown


def test_a_release_that_may_not_be_read_names_the_permission(installed: Application) -> None:
    status, document = report(installed, "--helm-release", "shop", "--as", "system:serviceaccount:default:no-rights")

    assert (status, document["summary"]["verdict"], document["objects"]) == (3, "incomplete", [])
    [error] = document["errors"]
    assert "it needs get and list for secrets in the namespace" in error
    assert [source["rendered"] for source in document["sources"]] == [False]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {
                "web/Chart.yaml": CHART["web/Chart.yaml"]
                + "dependencies: [{name: redis, version: 1.x, repository: 'https://x.invalid'}]\n"
            },
            "web: the charts that it depends on are missing (redis); run: helm dependency build web",
        ),
        ({"web/templates/bad.yaml": '{{ fail "no region" }}'}, "no region"),
        ({"web/Chart.yaml": "apiVersion: v2\n"}, "web: its Chart.yaml has no name"),
    ],
)
@pytest.mark.usefixtures("helm")
def test_a_chart_that_cannot_be_rendered_is_never_in_sync(
    files: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {**CHART, **files, "live.yaml": EMPTY})
    monkeypatch.chdir(tmp_path)

    assert main(["report", "web", "--live", "live.yaml", "--output", "json=report.json"]) == 3

    [error] = json.loads(Path("report.json").read_text())["errors"]
    assert message in error
    assert "\n" not in error


def test_a_chart_without_helm_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    write(tmp_path, {**CHART, "live.yaml": EMPTY})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert main(["report", "web", "--live", "live.yaml"]) == 3

    assert (
        "web: needs helm, which is not on PATH; install it, or pipe the rendered manifests" in capsys.readouterr().out
    )


def test_a_packed_chart_is_rendered_too(installed: Application, helm: Path) -> None:
    subprocess.run([helm, "package", "web"], check=True, capture_output=True)

    status, document = report(installed, "web-1.2.3.tgz", "--release", "shop")

    assert (status, document["summary"]["objects"]["inSync"]) == (0, 3)


def test_a_release_that_helm_keeps_in_config_maps_is_read_too(
    workspace: Application, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(workspace.manifests, CHART)
    monkeypatch.chdir(workspace.manifests)
    monkeypatch.setenv("HELM_DRIVER", "configmap")
    run_helm(workspace, helm, "install", "shop", "web")
    workspace.kubectl("delete", "configmap", "shop")

    status, document = report(workspace, "--helm-release", "shop")

    assert status == 1
    assert [found[:4] for found in findings(document)] == [("ConfigMap/shop", "missing", "", "manual")]


@pytest.mark.usefixtures("helm")
def test_an_unsynced_values_file_and_an_edit_by_hand_have_different_causes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {level: '{{ .Values.a }}'}\n"
    )
    write(tmp_path, {"web/Chart.yaml": CHART["web/Chart.yaml"], "web/templates/a.yaml": template, "prod.yaml": "a: 2"})
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=synced")
    Path("prod.yaml").write_text("a: 3")
    git(tmp_path, "commit", "--quiet", "--all", "--message=not synced yet")
    live = template.replace("metadata: {", f"metadata: {{managedFields: {json.dumps(EDITED)}, ")
    options = ("--values", "prod.yaml", "--namespace", "shop", "--live", "live.yaml", "--synced-revision", "HEAD~1")

    causes = {}
    for level in (2, 3, 4):
        Path("live.yaml").write_text(live.replace("{{ .Values.a }}", str(level)))
        main(["report", "web", *options, "--output", "json=report.json", "--quiet"])
        document = json.loads(Path("report.json").read_text())
        causes[level] = [one["cause"] for item in document["objects"] for one in item["findings"]]

    assert causes == {2: ["pending-sync"], 3: [], 4: ["manual"]}


def test_a_cluster_may_have_more_apis_than_fit_into_one_argument(tmp_path: Path, helm: Path) -> None:
    del helm
    has = '{{ .Capabilities.APIVersions.Has "g4999.example.com/v1/Kind" }}'
    template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{has: '{has}'}}\n"
    write(tmp_path, {"web/Chart.yaml": CHART["web/Chart.yaml"], "web/templates/a.yaml": template})
    apis = tuple(f"g{number}.example.com/v1/Kind" for number in range(5000))

    manifests, _ = render_chart(
        read_chart(tmp_path / "web"), Installation("a", "shop", api_versions=apis), "web", Runner()
    )

    assert [manifest.body["data"] for manifest in manifests] == [{"has": "true"}]


def test_the_seconds_and_the_date_of_a_clock_are_not_compared(tmp_path: Path, helm: Path) -> None:
    del helm
    clock = {"epoch": "unixEpoch", "time": 'date "15:04:05"', "day": 'date "2006-01-02"'}
    data = "".join(f"  {name}: '{{{{ now | {shown} }}}}'\n" for name, shown in clock.items())
    template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n{data}  fixed: a\n"
    write(tmp_path, {"web/Chart.yaml": CHART["web/Chart.yaml"], "web/templates/a.yaml": template})

    [manifest], _ = render_chart(read_chart(tmp_path / "web"), Installation("a", "shop"), "web", Runner())

    assert manifest.body["data"] == {"epoch": RANDOM, "time": RANDOM, "day": RANDOM, "fixed": "a"}


def test_a_cluster_without_a_release_is_not_called_in_sync(workspace: Application) -> None:
    workspace.cluster.kubectl("delete", "secrets,configmaps", "--all-namespaces", "--selector=owner=helm")

    status, document = report(workspace, "--helm-release", "all")

    assert status == 3
    assert document["errors"] == ["--helm-release all: the cluster has no Helm release, so there is nothing to compare"]
    workspace.write("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: NAMESPACE}\n")
    workspace.sync()
    assert report(workspace, str(workspace.manifests), "--helm-release", "all")[0] == 0


@pytest.mark.parametrize(
    ("files", "variation"),
    [
        ({"templates/a.yaml": "a: {{ .Values.now }}\nrandAlpha: {{ .Values.x | quote }}\nuuidv4"}, Variation.NONE),
        ({"crds/a.yaml": "description: {{ now }}"}, Variation.NONE),
        ({"templates/a.yaml": "a: {{ .Values.x |\n default (randAlphaNum 8) }}"}, Variation.RANDOM),
        ({"templates/a.yaml": 'a: {{- now | date "2006" }}'}, Variation.CLOCK),
        ({"templates/a.yaml": "a: {{ keys .Values | first }}"}, Variation.RANDOM),
        ({"values.yaml": 'a: "{{ uuidv4 }}"'}, Variation.RANDOM),
        ({"templates/a.yaml": "a: {{ uuidv4 }}", "templates/b.yaml": "b: {{ unixEpoch now }}"}, Variation.CLOCK),
        ({"charts/b/templates/a.tpl": '{{ genCA "a" 1 }}'}, Variation.RANDOM),
    ],
)
def test_a_chart_without_a_random_function_or_a_clock_is_rendered_once(
    tmp_path: Path, files: dict[str, str], variation: Variation
) -> None:
    write(tmp_path / "web", files)
    archive = tmp_path / "web.tgz"
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(tmp_path / "web", "web")
    (tmp_path / "parent/charts").mkdir(parents=True)
    (tmp_path / "parent/charts/web.tgz").write_bytes(archive.read_bytes())

    for chart in (tmp_path / "web", archive, tmp_path / "parent"):
        assert variation_of(chart, ()) is variation
    assert variation_of(tmp_path / "web", [b"a={{ now }}"]) is Variation.CLOCK


def _archive(files: dict[str, bytes], compression: Literal["w:gz", "w:xz"] = "w:gz") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=compression) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


CHART_FILE = {"web/Chart.yaml": b"apiVersion: v2\nname: web\nversion: 1.0.0\n"}
#: A gzip file whose content cannot be unpacked.
NOT_DEFLATED = gzip.compress(b"")[:10] + b"\xff" * 100


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(lambda: b"", id="empty"),
        pytest.param(lambda: b"no archive", id="another file"),
        pytest.param(lambda: NOT_DEFLATED, id="damaged"),
        pytest.param(lambda: _archive({"web/a": bytes(range(256)) * 9, **CHART_FILE})[:300], id="cut off"),
        pytest.param(lambda: _archive(CHART_FILE, "w:xz"), id="another compression"),
        pytest.param(lambda: _archive({"web/bomb": bytes(101 * 1024 * 1024), **CHART_FILE}), id="a bomb"),
    ],
)
def test_an_archive_that_cannot_be_read_is_one_clear_line(tmp_path: Path, content: Callable[[], bytes]) -> None:
    archive = tmp_path / "web.tgz"
    archive.write_bytes(content())

    with pytest.raises(SourceError, match=r"^not a chart archive, damaged, or larger than 100 MiB when unpacked; "):
        read_chart(archive)


def test_an_archive_is_not_unpacked_beyond_what_helm_accepts(tmp_path: Path) -> None:
    (tmp_path / "web.tgz").write_bytes(_archive({**CHART_FILE, "web/bomb": bytes(101 * 1024 * 1024)}))
    (tmp_path / "damaged.tgz").write_bytes(NOT_DEFLATED)

    assert read_chart(tmp_path / "web.tgz").name == "web"
    # It cannot be told, and Helm refuses to render it.
    assert variation_of(tmp_path / "web.tgz", ()) is Variation.RANDOM
    assert variation_of(tmp_path / "damaged.tgz", ()) is Variation.RANDOM
