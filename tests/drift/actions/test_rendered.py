"""Where kustomize or Helm renders a manifest, `drift adopt` says what to change, and the patch that it prints works."""

import json
import re
from pathlib import Path

import pytest
import yaml

from drift.cli import main
from drift.documents.edit import EditError, add_document
from drift.objects import Object
from tests.drift.actions.test_guard_rendered import CHART, _repository

BASE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.29
          env: [{name: A, value: "1"}, {name: B, value: "2"}]
          ports: [{containerPort: 80}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prod-a}
data: {mode: fast, gone: "1", text: "one\\ntwo\\n"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: deleted}
"""
LIVE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: prod-web, namespace: shop, labels: {tier: front}}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.30
          env: [{name: B, value: "3"}, {name: C, value: "4"}]
          ports: [{containerPort: 80}, {containerPort: 8080, name: debug}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prod-prod-a, namespace: shop}
data: {mode: slow, text: "one\\nthree\\n"}
"""
FILES = {
    "base/all.yaml": BASE,
    "base/kustomization.yaml": "resources: [all.yaml]\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamespace: shop\nnamePrefix: prod-\n",
}
Out = pytest.CaptureFixture[str]


@pytest.mark.usefixtures("kustomize")
def test_the_patches_make_a_kustomization_say_what_is_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    _repository({**FILES, "live.yaml": LIVE}, "prod")
    capsys.readouterr()

    assert main(["adopt", "report.json"]) == 1
    printed = capsys.readouterr()

    assert printed.out == ""
    assert "Kustomization" not in printed.err
    assert "spec.replicas: prod is built from base/all.yaml; add a patch to its kustomization" in printed.err
    (block,) = re.findall(r"add to prod/kustomization.yaml:\n((?:(?!drift:).*\n)+)", printed.err)
    assert block.count("patch: ") == 3
    Path("prod/kustomization.yaml").write_text(FILES["prod/kustomization.yaml"] + block)
    main(["report", "prod", "--live", "live.yaml", "--output", "json=report.json"])
    left = [finding for one in json.loads(Path("report.json").read_text())["objects"] for finding in one["findings"]]
    # kustomize puts new list items first.
    assert [(finding["path"], finding["change"]) for finding in left] == [
        ("spec.template.spec.containers[name=web].ports", "reordered")
    ]


@pytest.mark.usefixtures("kustomize")
@pytest.mark.parametrize("source", ["prod", "prod/", "prod/kustomization.yaml"])
def test_the_patch_is_for_the_kustomization_however_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, source: str
) -> None:
    monkeypatch.chdir(tmp_path)
    _repository({**FILES, "live.yaml": LIVE}, source)

    main(["adopt", "report.json"])

    assert "add to prod/kustomization.yaml:\n" in capsys.readouterr().err


@pytest.mark.usefixtures("kustomize")
def test_a_closed_standard_error_does_not_stop_what_is_adopted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _repository({**FILES, "live.yaml": LIVE}, "prod")
    # As in a process that was started without it.
    monkeypatch.setattr("sys.stderr", None)

    assert main(["adopt", "report.json"]) == 1


@pytest.mark.usefixtures("kustomize")
def test_a_patch_finds_an_object_with_a_namespace_beside_other_patches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    base = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: {x: git, y: git}\n"
    existing = '[{"op": "add", "path": "/data/z", "value": "z"}]'
    patched = f"resources: [../base]\npatches:\n  - target: {{kind: ConfigMap}}\n    patch: '{existing}'\n"
    live = base.replace("{x: git, y: git}", "{x: live, y: git, z: z}")
    files = {"base/a.yaml": base, "base/kustomization.yaml": "resources: [a.yaml]\n"}
    _repository({**files, "prod/kustomization.yaml": patched, "live.yaml": live}, "prod")
    capsys.readouterr()

    assert main(["adopt", "report.json"]) == 1
    (entries,) = re.findall(
        r"add to `patches` of prod/kustomization.yaml:\n((?:(?!drift:).*\n)+)", capsys.readouterr().err
    )
    kustomization = yaml.safe_load(patched)
    kustomization["patches"] += yaml.safe_load(entries)
    Path("prod/kustomization.yaml").write_text(yaml.safe_dump(kustomization))

    assert main(["report", "prod", "--live", "live.yaml"]) == 0


@pytest.mark.usefixtures("kustomize")
def test_a_value_that_no_patch_can_hold_is_not_adopted_and_the_others_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    _repository({**FILES, "live.yaml": LIVE}, "prod")
    capsys.readouterr()

    def write(text: str, value: Object, like: str = "") -> str:
        if "slow" in str(value):
            raise EditError("the way in which the file is written does not allow another document")
        return add_document(text, value, like)

    monkeypatch.setattr("drift.actions.rendered.add_document", write)

    assert main(["adopt", "report.json"]) == 1
    printed = capsys.readouterr().err
    assert "data.mode: no patch can be written: the way" in printed
    assert "three" in printed
    assert "slow" not in printed


@pytest.mark.usefixtures("kustomize")
@pytest.mark.parametrize("text", ["x\n\n", "🚀\n", "a\nb\n\n", "x\u2028🚀"])
def test_a_patch_holds_any_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "o"}, "data": {"a": "1"}}
    live = {**config_map, "metadata": {"name": "o", "namespace": "mix"}, "data": {"a": "1", "n": text}}
    kustomization = "resources: [../base]\nnamespace: mix\n"
    files = {"base/c.yaml": json.dumps(config_map), "base/kustomization.yaml": "resources: [c.yaml]\n"}
    _repository({**files, "ov/kustomization.yaml": kustomization, "live.yaml": yaml.safe_dump(live)}, "ov")
    capsys.readouterr()

    assert main(["adopt", "report.json"]) == 1
    (block,) = re.findall(r"add to ov/kustomization.yaml:\n((?:(?!drift:).*\n)+)", capsys.readouterr().err)
    Path("ov/kustomization.yaml").write_text(kustomization + block)

    assert main(["report", "ov", "--live", "live.yaml"]) == 0


SET_AFTER_PATCHES = """\
replicas:
- {name: web, count: 3}
images:
- {name: nginx, newTag: "1.28"}
labels:
- {pairs: {team: web}, includeTemplates: true}
commonAnnotations:
  owner: me
"""


@pytest.mark.usefixtures("kustomize")
def test_what_kustomize_sets_after_patches_is_not_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    live = LIVE.replace("{tier: front}", "{tier: front, team: ops}, annotations: {owner: you}").replace(
        "metadata: {labels: {app: web}}", "metadata: {labels: {app: web}, annotations: {owner: me}}"
    )
    kustomization = FILES["prod/kustomization.yaml"] + SET_AFTER_PATCHES
    _repository({**FILES, "prod/kustomization.yaml": kustomization, "live.yaml": live}, "prod")
    capsys.readouterr()

    assert main(["adopt", "report.json"]) == 1
    printed = capsys.readouterr().err

    entries = {
        "spec.replicas": "`replicas` in prod/kustomization.yaml:5",
        "spec.template.spec.containers[name=web].image": "`images` in prod/kustomization.yaml:7",
        "metadata.labels.team": "`labels` in prod/kustomization.yaml:9",
        "spec.template.metadata.labels.team": "`labels` in prod/kustomization.yaml:9",
        "metadata.annotations.owner": "`commonAnnotations` in prod/kustomization.yaml:11",
    }
    for path, entry in entries.items():
        assert f"{path}: kustomize would undo a patch; change the entry of {entry}\n" in printed
    (block,) = re.findall(r"add to prod/kustomization.yaml:\n((?:(?!drift:).*\n)+)", printed)
    assert "tier: front" in block
    assert "slow" in block
    assert not re.search("replicas|image|team|owner", block)


@pytest.mark.usefixtures("kustomize")
def test_labels_and_annotations_that_kustomize_adds_are_not_removed_by_a_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    live = LIVE.replace(", labels: {tier: front}", "")
    kustomization = FILES["prod/kustomization.yaml"] + SET_AFTER_PATCHES
    _repository({**FILES, "prod/kustomization.yaml": kustomization, "live.yaml": live}, "prod")
    capsys.readouterr()

    assert main(["adopt", "report.json"]) == 1
    printed = capsys.readouterr().err
    assert "web metadata.labels: kustomize would undo a patch; change the entry of `labels` in prod/" in printed
    assert "metadata.annotations: kustomize would undo a patch; change the entry of `commonAnnotations`" in printed
    assert "labels: null" not in printed
    assert "annotations: null" not in printed


@pytest.mark.usefixtures("kustomize")
def test_transformers_may_undo_any_patch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.chdir(tmp_path)
    transformer = "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: x}\nlabels: {a: b}\n"
    kustomization = FILES["prod/kustomization.yaml"] + "transformers: [t.yaml]\n"
    files = {**FILES, "prod/t.yaml": transformer, "prod/kustomization.yaml": kustomization, "live.yaml": LIVE}
    _repository(files, "prod")
    capsys.readouterr()

    assert main(["adopt", "report.json"]) == 1
    printed = capsys.readouterr().err
    assert "spec.replicas: kustomize runs `transformers` of prod/kustomization.yaml after patches" in printed
    assert "add to" not in printed


@pytest.mark.usefixtures("kustomize")
@pytest.mark.parametrize("substitutes", [True, False])
def test_flux_replaces_no_variable_in_a_patch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, *, substitutes: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    _repository({**FILES, "live.yaml": LIVE.replace("mode: slow", "mode: '$HOME-${HOME}'")}, "prod")
    report = json.loads(Path("report.json").read_text())
    report["sources"][0] |= {"kind": "flux-kustomization", "substitutes": substitutes}
    Path("report.json").write_text(json.dumps(report))
    capsys.readouterr()

    main(["adopt", "report.json"])

    assert f"$HOME-{'$$' if substitutes else '$'}{{HOME}}" in capsys.readouterr().err


@pytest.mark.usefixtures("kustomize")
def test_no_patch_gives_a_list_item_another_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.chdir(tmp_path)
    service = (
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, namespace: shop}\n"
        "spec: {ports: [{name: http, port: 80, targetPort: 8080}], selector: {app: a}}\n"
    )
    files = {"prod/a.yaml": service, "prod/kustomization.yaml": "resources: [a.yaml]\nnameSuffix: -b\n"}
    for edited, is_patched in (("port: 81, targetPort: 8080", False), ("port: 80, targetPort: 8081", True)):
        live = service.replace("port: 80, targetPort: 8080", edited).replace("name: a,", "name: a-b,")
        _repository({**files, "live.yaml": live}, "prod")
        capsys.readouterr()

        assert main(["adopt", "report.json"]) == 1

        said = capsys.readouterr().err
        # kustomize would keep port 80 beside port 81.
        assert ("add to prod/kustomization.yaml:" in said) == is_patched, said
        assert "a patch to its kustomization" in said


@pytest.mark.usefixtures("helm")
def test_of_a_chart_the_template_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.chdir(tmp_path)
    _repository(CHART)
    capsys.readouterr()

    assert main(["adopt", "report.json"]) == 1
    assert capsys.readouterr().err.splitlines()[0] == (
        "drift: not adopted: ConfigMap shop/prod-a data.mode: it is rendered by chart (shop/shop); "
        "change the template chart/templates/a.yaml, or the values that it uses"
    )


OF_CHART = (
    "it is rendered by Application argocd/apps; change the template charts/web/templates/a.yaml, or the values that it "
    "uses\ndrift: the patch adopts 0 of 1 finding, in 0 files\n"
)


@pytest.mark.parametrize(
    ("built_as", "said"), [("helm-chart", OF_CHART), ("files", "drift: the patch adopts 1 of 1 finding, in 1 file\n")]
)
def test_of_an_application_what_argocd_reads_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, built_as: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    manifest = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: prod-a, namespace: shop}\ndata: {mode: fast, level: '2'}\n"
    )
    _repository({"charts/web/templates/a.yaml": manifest}, "charts/web")
    report = json.loads(Path("report.json").read_text())
    report["sources"][0] |= {"kind": "argocd-application", "name": "Application argocd/apps", "builtAs": built_as}
    report["objects"][0]["origins"] = ["Application argocd/apps"]
    Path("report.json").write_text(json.dumps(report))
    if built_as == "helm-chart":
        Path("charts/web/Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    capsys.readouterr()

    assert main(["adopt", "report.json", "ConfigMap/prod-a"]) == (1 if built_as == "helm-chart" else 0)

    # Only what kustomize builds has a kustomization for a patch.
    printed = capsys.readouterr().err
    assert printed.endswith(said)
    assert "add to" not in printed


@pytest.mark.parametrize(
    ("substitutes", "opted_out", "written"),
    [(True, False, "$${HOME}"), (True, True, "${HOME}"), (False, False, "${HOME}")],
)
def test_flux_replaces_no_variable_in_what_is_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, substitutes: bool, opted_out: bool, written: str
) -> None:
    monkeypatch.chdir(tmp_path)
    annotations = ", annotations: {kustomize.toolkit.fluxcd.io/substitute: disabled}" if opted_out else ""
    manifest = CHART["chart/templates/a.yaml"].replace("{{ .Values.mode }}", "fast")
    manifest = manifest.replace("shop}", f"shop{annotations}}}")
    live = manifest.replace("fast", '"${HOME}"')
    _repository({"apps/a.yaml": manifest, "live.yaml": live}, "apps")

    def adopt() -> str:
        report = json.loads(Path("report.json").read_text())
        report["sources"][0] |= {
            "kind": "flux-kustomization",
            "name": "Kustomization flux-system/apps",
            "substitutes": substitutes,
        }
        report["objects"][0]["origins"] = ["Kustomization flux-system/apps"]
        Path("report.json").write_text(json.dumps(report))
        assert main(["adopt", "report.json", "--write"]) == 0
        adopted: str = yaml.safe_load(Path("apps/a.yaml").read_text())["data"]["mode"]
        return adopted

    assert adopt() == written

    # What Git has is what Flux makes of the file.
    desired = json.loads(Path("report.json").read_text())
    desired["objects"][0]["findings"][0] |= {"desired": "${HOME}", "live": "slow"}
    Path("report.json").write_text(json.dumps(desired))
    assert adopt() == "slow"


@pytest.mark.parametrize("value", ["fast", "${mode}"])
def test_the_files_that_flux_applies_as_they_are_are_edited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    manifest = CHART["chart/templates/a.yaml"].replace("{{ .Values.mode }}", "fast")
    _repository({"apps/a.yaml": manifest, "apps/kustomization.yaml": "resources: [a.yaml]\n"}, "apps")
    report = json.loads(Path("report.json").read_text())
    report["sources"][0] |= {"kind": "flux-kustomization", "name": "Kustomization flux-system/apps"}
    report["objects"][0]["origins"] = ["Kustomization flux-system/apps"]
    Path("report.json").write_text(json.dumps(report))
    # What Flux substitutes is not in the file.
    Path("apps/a.yaml").write_text(manifest.replace("fast", value))
    capsys.readouterr()

    assert main(["adopt", "report.json", "--write"]) == (0 if value == "fast" else 1)
    said = "; or Kustomization flux-system/apps changes what the file has" in capsys.readouterr().err
    assert said == (value != "fast")
    edited = "slow" if value == "fast" else value
    assert Path("apps/a.yaml").read_text() == manifest.replace("fast", edited)
