"""A field that kustomize or Helm made names the line that people edit, and never another one."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from drift.cli import main
from drift.objects import Json, Manifest, Object, Source
from drift.sources.field_lines import FieldLines
from drift.sources.helm import Installation, read_chart, render_chart
from drift.sources.kustomize import Built, build, read_built
from drift.sources.load import load_texts
from drift.sources.programs import Runner
from tests.drift.sources.test_kustomize import write

KUSTOMIZED = {
    "base/kustomization.yaml": """\
resources: [web.yaml]
labels:
- pairs: {team: shop}
  includeSelectors: true
configMapGenerator:
- name: conf
  literals: [a=1, b=2]
  files:
  - app.properties
  - renamed=other.txt
patchesStrategicMerge:
- |-
  apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web}
  spec: {paused: true}
""",
    "base/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1
        envFrom: [{configMapRef: {name: conf}}]
""",
    "base/app.properties": """\
x=1
""",
    "base/other.txt": """\
y
""",
    "prod/kustomization.yaml": """\
resources: [../base]
namePrefix: prod-
images:
- name: nginx
  newTag: "2"
replicas:
- {name: web, count: 5}
commonAnnotations:
  owner: shop
configMapGenerator:
- name: conf
  behavior: merge
  literals:
  - b=3
secretGenerator:
- name: token
  envs: [token.env]
patches:
- path: patch.yaml
- target: {kind: Deployment}
  patch: |-
    - op: add
      path: /spec/minReadySeconds
      value: 3
    - op: add
      path: /spec/template/spec/containers/-
      value:
        name: proxy
        image: envoy:1
- target: {kind: Deployment, name: web}
  patch: '[{"op": "add", "path": "/spec/template/metadata/annotations", "value": {"a~b/c": "d"}}]'
replacements:
- path: replacement.yaml
""",
    "prod/patch.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  revisionHistoryLimit: 4
  template:
    spec:
      containers:
      - name: web
        env:
        - name: A
          value: a
        - name: C
          value: replaced
""",
    "prod/replacement.yaml": """\
- source: {kind: ConfigMap, name: conf, fieldPath: data.a}
  targets:
  - select: {kind: Deployment}
    fieldPaths:
    - spec.template.spec.containers.[name=web].env.[name=C].value
""",
    "prod/token.env": """\
# not this
other=x
token=planted
""",
}
#: The overlay sets the fields of web alone to what web-canary has anyway, and one field of both.
ALIKE = {
    "base/kustomization.yaml": """\
resources: [web.yaml]
configMapGenerator:
- name: app
  literals: [LEVEL=1]
- name: app-env
  literals: [LEVEL=2]
""",
    "base/web.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  minReadySeconds: 1
  paused: false
  revisionHistoryLimit: 1
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web-canary}
spec:
  replicas: 1
  minReadySeconds: 3
  paused: true
  revisionHistoryLimit: 3
""",
    "prod/kustomization.yaml": """\
resources: [../base]
namePrefix: prod-
replicas:
- {name: web-canary, count: 3}
- {name: web, count: 3}
patches:
- target: {kind: Deployment, name: web}
  patch: '[{"op": "replace", "path": "/spec/minReadySeconds", "value": 3}]'
- patch: |-
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec: {paused: true}
configMapGenerator:
- name: app
  behavior: merge
  literals: [LEVEL=3]
replacements:
- source: {kind: Deployment, name: web, fieldPath: spec.minReadySeconds}
  targets:
  - select: {kind: Deployment, name: web}
    fieldPaths:
    - spec.revisionHistoryLimit
""",
}
ALIKE_LINES = {
    "web": {
        "replicas": "prod/kustomization.yaml:5",
        "minReadySeconds": "prod/kustomization.yaml:8",
        "paused": "prod/kustomization.yaml:13",
        "revisionHistoryLimit": "prod/kustomization.yaml:23",
    },
    "web-canary": {
        "replicas": "prod/kustomization.yaml:4",
        "minReadySeconds": "base/web.yaml:15",
        "paused": "base/web.yaml:16",
        "revisionHistoryLimit": "base/web.yaml:17",
    },
    "app": {"LEVEL": "prod/kustomization.yaml:17"},
    "app-env": {"LEVEL": "base/kustomization.yaml:6"},
}
CHART = {
    "web/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "web/values.yaml": "{replicas: 2, image: nginx, extra: {a: b}, resources: {limits: {cpu: 1}}, ports: [80, 81]}\n",
    "web/templates/_helpers.tpl": """\
{{- define "labels" -}}
app: web
chart: {{ .Chart.Name }}
{{- end }}
""",
    "web/templates/all.yaml": """\
{{- /* A comment
kind: Service
*/ -}}
{{- if .Values.nope }}
apiVersion: v1
kind: Service
metadata: {name: other}
{{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "labels" . | nindent 4 }}
spec:
  selector: {app: web}
  ports:
  {{- range .Values.ports }}
  - name: p{{ . }}
    port: {{ . }}
  {{- end }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels:
    own: label
    {{- include "labels" . | nindent 4 }}
spec:
  {{- if .Values.replicas }}
  replicas: {{ .Values.replicas }}
  {{- else }}
  replicas: 7
  {{- end }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, x: {{ .Values.image | quote }}}}
    spec:
      containers:
        - name: {{ .Chart.Name }}
          image: "{{ .Values.image }}:1"
          args: ["--a", "b"]
          env:
            - name: A
              value: a
            - name: B
              value: {{ .Values.image }}
          resources: {{- toYaml .Values.resources | nindent 12 }}
        - name: sidecar
          image: side:1
          command:
          - sh
          - -c
          - |
            name: x
            image: y
      volumes: [{name: v, emptyDir: {}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-conf}
data:
  app.yaml: |
    image: x
    nested: y
  {{- range $k, $v := .Values.extra }}
  {{ $k }}: {{ $v }}
  {{- end }}
  z: "1"
""",
}


def leaves(value: Json, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Json]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from leaves(below, (*path, index))
    else:
        yield path, value


def named_lines(manifests: Sequence[Manifest]) -> dict[str, str]:
    """Returns the place of each field, after checking that the line has its key or value."""
    lines = FieldLines()
    found: dict[str, str] = {}
    for manifest in manifests:
        for path, value in leaves(manifest.body):
            place = lines.find(manifest, path)
            assert place is not None
            if place.line is not None:
                line = Path(place.file).read_text().splitlines()[place.line - 1]
                key = next(str(step) for step in reversed(path) if isinstance(step, str))
                parts = (key, str(value).lower(), str(value).rpartition(":")[2])
                assert any(part in line.lower() or part in line for part in parts), (path, line)
            found[f"{manifest.kind} {'.'.join(map(str, path))}"] = f"{place.file}:{place.line}"
    return found


def test_a_field_of_an_overlay_names_the_patch_or_the_entry_that_set_it(
    tmp_path: Path, kustomize: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del kustomize
    write(tmp_path, KUSTOMIZED)
    monkeypatch.chdir(tmp_path)

    found = named_lines(read_built(build(Path("prod"), Runner()), "prod"))

    container = "Deployment spec.template.spec.containers"
    expected = {
        "ConfigMap data.a": "base/kustomization.yaml:7",
        "ConfigMap data.app.properties": "base/kustomization.yaml:9",
        "ConfigMap data.b": "prod/kustomization.yaml:14",
        "ConfigMap data.renamed": "base/kustomization.yaml:10",
        "ConfigMap metadata.labels.team": "base/kustomization.yaml:3",
        "ConfigMap metadata.annotations.owner": "prod/kustomization.yaml:9",
        "Secret data.token": "prod/token.env:3",
        "Deployment metadata.name": "base/web.yaml:3",
        "Deployment spec.minReadySeconds": "prod/kustomization.yaml:24",
        "Deployment spec.paused": "base/kustomization.yaml:16",
        "Deployment spec.replicas": "prod/kustomization.yaml:7",
        "Deployment spec.revisionHistoryLimit": "prod/patch.yaml:5",
        "Deployment spec.selector.matchLabels.app": "base/web.yaml:6",
        "Deployment spec.selector.matchLabels.team": "base/kustomization.yaml:3",
        "Deployment spec.template.metadata.annotations.a~b/c": "prod/kustomization.yaml:31",
        f"{container}.0.env.0.value": "prod/patch.yaml:12",
        f"{container}.0.env.1.value": "prod/replacement.yaml:5",
        f"{container}.0.envFrom.0.configMapRef.name": "base/web.yaml:13",
        f"{container}.0.image": "prod/kustomization.yaml:5",
        f"{container}.1.image": "prod/kustomization.yaml:29",
    }
    assert {name: found[name] for name in expected} == expected


def test_a_field_that_no_file_seems_to_set_names_no_line(
    tmp_path: Path, kustomize: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del kustomize
    write(tmp_path, KUSTOMIZED)
    monkeypatch.chdir(tmp_path)
    manifests = read_built(build(Path("prod"), Runner()), "prod")
    # As if the files had been edited after the build.
    write(tmp_path, {"prod/kustomization.yaml": "resources: [../base]\n", "base/kustomization.yaml": "a: ["})

    found = named_lines(manifests)

    assert found["Deployment spec.replicas"] == "base/web.yaml:None"
    assert found["ConfigMap data.a"] == "base/kustomization.yaml:None"


def alike_lines(manifests: Mapping[str, Manifest]) -> dict[str, dict[str, str]]:
    """Returns the places of the fields of `ALIKE_LINES`."""
    lines = FieldLines()
    places = {
        name: {key: lines.find(manifest, ("data" if key == "LEVEL" else "spec", key)) for key in ALIKE_LINES[name]}
        for name, manifest in manifests.items()
    }
    return {
        name: {key: f"{place.file}:{place.line}" for key, place in found.items() if place}
        for name, found in places.items()
    }


@pytest.mark.usefixtures("kustomize")
def test_of_two_objects_in_an_overlay_none_names_a_line_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, ALIKE)
    monkeypatch.chdir(tmp_path)

    manifests = {
        re.sub("prod-|-[a-z0-9]{10}$", "", manifest.name): manifest
        for manifest in read_built(build(Path("prod"), Runner()), "prod")
    }

    assert alike_lines(manifests) == ALIKE_LINES


@pytest.fixture
def alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Manifest]:
    """What kustomize builds of `ALIKE`."""
    write(tmp_path, ALIKE)
    monkeypatch.chdir(tmp_path)
    spec = {"replicas": 3, "minReadySeconds": 3, "paused": True, "revisionHistoryLimit": 3}
    base, prod = "base/kustomization.yaml", "prod/kustomization.yaml"

    def manifest(name: str, body: Object, source: Source, layers: tuple[str, ...]) -> Manifest:
        (found,) = load_texts([("a.yaml", json.dumps({**body, "metadata": {"name": name}}).encode())]).manifests
        return replace(found, source=source, layers=layers)

    def deployment(name: str, line: int) -> Manifest:
        body = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
        return manifest(f"prod-{name}", body, Source("base/web.yaml", 1, line), (prod,))

    def config_map(name: str, line: int, level: str) -> Manifest:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"LEVEL": level}}
        return manifest(f"prod-{name}-h29d89cmmt", body, Source(base, 1, line), (base, prod))

    return {
        "web": deployment("web", 1),
        "web-canary": deployment("web-canary", 10),
        "app": config_map("app", 3, "3"),
        "app-env": config_map("app-env", 5, "2"),
    }


def test_an_object_whose_name_contains_that_of_another_names_its_own_lines(alike: dict[str, Manifest]) -> None:
    assert alike_lines(alike) == ALIKE_LINES


def test_without_the_name_in_its_file_the_longest_name_decides(alike: dict[str, Manifest]) -> None:
    Path("base/web.yaml").unlink()

    found = alike_lines(alike)

    assert found["web"] == ALIKE_LINES["web"]
    assert found["web-canary"]["replicas"] == ALIKE_LINES["web-canary"]["replicas"]


def test_a_prefix_of_a_kustomization_is_known_to_the_ones_above_it(alike: dict[str, Manifest]) -> None:
    above = "resources: [../prod]\npatches:\n- target: {name: prod-w.b}\n  patch: '%s'\n"
    operation = '[{"op": "add", "path": "/spec/minReadySeconds", "value": 3}]'
    write(Path(), {"top/kustomization.yaml": above % operation})
    manifests = {name: replace(one, layers=(*one.layers, "top/kustomization.yaml")) for name, one in alike.items()}

    found = alike_lines(manifests)

    assert found["web"] == {**ALIKE_LINES["web"], "minReadySeconds": "top/kustomization.yaml:4"}
    assert found["web-canary"] == ALIKE_LINES["web-canary"]


NAMESPACED = {
    "a.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: one}
data: {a: x}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: web, namespace: two}
data: {a: x}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: listed, namespace: one}
  data: {a: x}
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: listed, namespace: two}
  data: {a: x}
""",
    "kustomization.yaml": """\
resources: [a.yaml]
commonLabels: {a: b}
configMapGenerator:
- {name: made, namespace: one, literals: [a=x]}
- {name: made, namespace: two, literals: [a=x]}
patches:
- patch: |-
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: web, namespace: two}
    data: {a: x}
""",
}
#: The place of the object and that of data.a in it.
NAMESPACED_LINES = {
    ("one", "web"): ("a.yaml:1", "a.yaml:4"),
    ("two", "web"): ("a.yaml:6", "kustomization.yaml:11"),
    ("one", "listed"): ("a.yaml:11", "a.yaml:17"),
    ("two", "listed"): ("a.yaml:11", "a.yaml:21"),
    ("one", "made"): ("kustomization.yaml:4", "kustomization.yaml:4"),
    ("two", "made"): ("kustomization.yaml:5", "kustomization.yaml:5"),
}


def namespaced_lines(built: Built) -> dict[tuple[str | None, str], tuple[str, str]]:
    """Returns the places of `NAMESPACED_LINES`."""
    lines = FieldLines()
    return {
        (one.namespace, one.name.partition("-")[0]): (str(one.source), f"{place.file}:{place.line}")
        for one in read_built(built, ".")
        if (place := lines.find(one, ("data", "a")))
    }


@pytest.mark.usefixtures("kustomize")
def test_of_two_objects_in_two_namespaces_none_names_a_line_of_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, NAMESPACED)
    monkeypatch.chdir(tmp_path)

    assert namespaced_lines(build(Path(), Runner())) == NAMESPACED_LINES


def test_the_namespace_tells_two_objects_of_one_name_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, NAMESPACED)
    monkeypatch.chdir(tmp_path)
    made = json.dumps({"configuredIn": "kustomization.yaml", "configuredBy": {"kind": "ConfigMapGenerator"}})

    def printed(namespace: str, name: str) -> str:
        annotations = {
            "config.kubernetes.io/origin": made if name == "made" else "path: a.yaml",
            "alpha.config.kubernetes.io/transformations": "- configuredIn: kustomization.yaml",
        }
        hashed = f"{name}-5642bm9b6f" if name == "made" else name
        metadata = {"name": hashed, "namespace": namespace, "annotations": annotations}
        return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "x"}})

    output = "\n---\n".join(printed(*one) for one in NAMESPACED_LINES)

    assert namespaced_lines(Built(output.encode(), tmp_path, tmp_path)) == NAMESPACED_LINES


def test_a_field_of_a_chart_names_the_line_of_the_template_where_it_is_known(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del helm
    write(tmp_path, CHART)
    monkeypatch.chdir(tmp_path)

    manifests, _ = render_chart(read_chart(Path("web")), Installation("web", "shop"), "web", Runner())
    found = named_lines(manifests)

    assert {manifest.kind: str(manifest.source) for manifest in manifests} == {
        "ConfigMap": "web/templates/all.yaml:61",
        "Service": "web/templates/all.yaml:11",
        "Deployment": "web/templates/all.yaml:24",
    }
    container = "Deployment spec.template.spec.containers"
    lines = {
        "ConfigMap metadata.name": 62,
        "ConfigMap data.app.yaml": 64,
        "ConfigMap data.a": None,
        "ConfigMap data.z": 70,
        "Service metadata.labels.app": None,
        "Service spec.ports.1.port": 20,
        "Deployment metadata.labels.own": 28,
        "Deployment spec.replicas": 32,
        "Deployment spec.template.metadata.labels.x": 38,
        f"{container}.0.image": 42,
        f"{container}.0.env.0.value": 46,
        f"{container}.0.env.1.value": 48,
        f"{container}.0.resources.limits.cpu": None,
        f"{container}.1.image": 51,
        f"{container}.1.command.2": None,
        "Deployment spec.template.spec.volumes.0.name": 58,
    }
    assert {name: found[name] for name in lines} == {
        name: f"web/templates/all.yaml:{line}" for name, line in lines.items()
    }


def test_of_two_objects_of_one_kind_in_a_template_the_name_decides_or_nothing_does(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del helm
    body = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: '%s'}\n"
    off = "{{ if .Values.on }}\n" + body % ("{{ .Release.Name }}", 1) + "{{ end }}\n"
    write(
        tmp_path,
        {
            "web/Chart.yaml": CHART["web/Chart.yaml"],
            "web/templates/a.yaml": f"{off}---\n{body % ('two', 2)}",
            "web/templates/b.yaml": f"{off}---\n{body % ('{{ .Chart.Name }}', 3)}",
        },
    )
    monkeypatch.chdir(tmp_path)
    lines = FieldLines()

    manifests, _ = render_chart(read_chart(Path("web")), Installation("x", "shop"), "web", Runner())

    places = {manifest.name: lines.find(manifest, ("data", "a")) for manifest in manifests}
    assert {name: str(manifest.source) for name, manifest in zip(places, manifests, strict=True)} == {
        "two": "web/templates/a.yaml:9",
        "web": "web/templates/b.yaml:1",
    }
    assert {name: place and place.line for name, place in places.items()} == {"two": 11, "web": None}


@pytest.mark.usefixtures("kustomize")
def test_every_format_names_the_file_of_the_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, KUSTOMIZED)
    monkeypatch.chdir(tmp_path)
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "prod-web", "namespace": "shop"},
        "spec": {"replicas": 9, "minReadySeconds": 3, "paused": True, "revisionHistoryLimit": 4},
    }
    Path("live.json").write_text(json.dumps(live))
    outputs = [f"--output={form}=r.{form}" for form in ("json", "sarif", "github", "junit", "markdown", "text", "html")]

    assert main(["report", "prod", "-n", "shop", "--live", "live.json", *outputs]) == 1

    assert "file=prod/kustomization.yaml,line=7" in Path("r.github").read_text()
    for form in ("junit", "markdown", "text", "html"):
        assert "prod/kustomization.yaml:7" in Path(f"r.{form}").read_text(), form
    results = json.loads(Path("r.sarif").read_text())["runs"][0]["results"]
    [place] = [
        result["locations"][0]["physicalLocation"] for result in results if "spec.replicas" in result["message"]["text"]
    ]
    assert (place["artifactLocation"]["uri"], place["region"]) == ("prod/kustomization.yaml", {"startLine": 7})
