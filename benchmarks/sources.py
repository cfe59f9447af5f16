"""Measures how long 200 sources take to render: ``python -m benchmarks.sources``.

Half of them are kustomizations, the other half charts. Every second chart has a random password. The floor is the
programs themselves, once for each kustomization and twice for each chart, two at a time, their output thrown away.
Whole processes take turns, so that other load on the machine affects both alike.
"""

import json
import os
import shlex
import statistics
import tempfile
from pathlib import Path

from benchmarks.installed import install_reporter
from benchmarks.measure import Cost, median_cost, run
from tools.sandbox.renderers import HELM_4, KUSTOMIZE, find_renderer

SOURCES = 200
RUNS = 3
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: %s
        envFrom: [{configMapRef: {name: settings}}]
        resources: {requests: {cpu: 100m, memory: 64Mi}}
"""
_SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n"
_OVERLAY = """\
resources: [../base]
namePrefix: shop-%d-
images: [{name: nginx, newTag: "1.29"}]
configMapGenerator: [{name: settings, literals: [color=blue]}]
patches:
- target: {kind: Deployment}
  patch: '[{"op": "add", "path": "/spec/replicas", "value": 3}]'
"""
_HELPERS = """\
{{- define "web.labels" -}}
app: web
release: {{ .Release.Name }}
{{- end }}
"""
_TEMPLATE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels: {{- include "web.labels" . | nindent 4 }}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: {{ .Values.image }}
        resources: {{- toYaml .Values.resources | nindent 10 }}
---
apiVersion: v1
kind: Service
metadata: {name: {{ .Release.Name }}}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}}
data: {color: {{ .Values.color | quote }}}
"""
_RANDOM = "apiVersion: v1\nkind: Secret\nmetadata: {name: {{ .Release.Name }}}\nstringData: {a: {{ %s | quote }}}\n"
_VALUES = "replicas: 2\nimage: nginx:1.29\ncolor: blue\nresources: {requests: {cpu: 100m, memory: 64Mi}}\n"


def write_sources(root: Path) -> tuple[list[str], list[str]]:
    """Writes the sources and ``drift.yaml``, and returns the names of the kustomizations and of the charts."""
    names = [f"source-{number}" for number in range(SOURCES)]
    kustomizations, charts = names[: SOURCES // 2], names[SOURCES // 2 :]
    for number, name in enumerate(kustomizations):
        _write(
            root / name,
            {
                "base/kustomization.yaml": "resources: [web.yaml, service.yaml]\n",
                "base/web.yaml": _DEPLOYMENT % ("web", "nginx"),
                "base/service.yaml": _SERVICE,
                "prod/kustomization.yaml": _OVERLAY % number,
            },
        )
    for number, name in enumerate(charts):
        _write(
            root / name,
            {
                "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: 1.0.0\n",
                "values.yaml": _VALUES,
                "templates/_helpers.tpl": _HELPERS,
                "templates/web.yaml": _TEMPLATE,
                "templates/secret.yaml": _RANDOM % ("randAlphaNum 8" if number % 2 else '"fixed"'),
            },
        )
    paths = [*(f"{name}/prod" for name in kustomizations), *charts]
    _write(root, {"drift.yaml": json.dumps({"sources": [{"path": path} for path in paths]})})
    return [f"{name}/prod" for name in kustomizations], charts


def _write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def main() -> None:
    """Measures and prints a Markdown table."""
    kustomize, helm = find_renderer(KUSTOMIZE), find_renderer(HELM_4)
    environment = {**os.environ, "PATH": os.pathsep.join([str(kustomize.parent), str(helm.parent), os.environ["PATH"]])}
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        programs = install_reporter(root / "venv")
        kustomizations, charts = write_sources(root / "git")
        _write(root, {"live.json": '{"apiVersion": "v1", "kind": "List", "items": []}'})
        commands = [f"{kustomize} build {path}" for path in kustomizations]
        commands += [f"{helm} template {name} {name}" for name in charts for _ in range(2)]
        _write(root, {"commands": "\n".join(commands)})
        floor = f"xargs -P 2 -I COMMAND sh -c 'exec COMMAND >/dev/null' < {shlex.quote(str(root / 'commands'))}"
        report = f"{programs}/drift report --live ../live.json --output json=/dev/null"
        costs: dict[str, list[Cost]] = {"the programs alone": [], "`drift report`": []}
        for _ in range(RUNS):
            for (_, runs), command in zip(costs.items(), (floor, report), strict=True):
                runs.append(run(["sh", "-c", f"cd {root}/git && {command}"], environment))
    print(f"| {SOURCES} sources | median of {RUNS} | processor time |\n|---|---|---|")
    for title, runs in costs.items():
        cost = median_cost(runs)
        print(f"| {title} | {cost.wall:.1f} s | {cost.cpu:.1f} s |")
    ratios = [report.wall / alone.wall for alone, report in zip(*costs.values(), strict=True)]
    print(f"\nratio of the two: {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
