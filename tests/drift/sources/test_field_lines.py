"""The line of a field in the file of its manifest."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.objects import Place
from drift.sources import field_lines
from drift.sources.field_lines import FieldLines, _BlockYaml
from drift.sources.git import Revisions
from drift.sources.load import load_manifests
from tests.git import git

TEXT = """\
# The first document is another one.
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {a: x}
---
apiVersion: v1
kind: Secret
metadata:
  name: db
data:
  user: eA==
stringData:
  password: x
---
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: a, namespace: one}
  data:
    a: x
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: a, namespace: two}
  data:
    b: first
    b: last
    c: &c
    - x
    - {y: z}
    d: *c
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "a.yaml"
    written.write_text(TEXT)
    return written


@pytest.mark.parametrize(
    ("number", "path", "line"),
    [
        (0, ("data", "a"), 5),
        (0, ("metadata", "labels", "x"), 4),
        (0, (), 2),
        (0, ("status",), 2),
        (1, ("data", "user"), 12),
        (1, ("data", "password"), 14),
        (1, ("data", "missing"), 11),
        (2, ("data", "a"), 24),
        (3, ("data", "a"), 28),
        (3, ("data", "b"), 30),
        (3, ("data", "c", 1, "y"), 33),
        (3, ("data", "c", 7), 31),
        (3, ("data", "d", 0), 32),
    ],
)
def test_it_is_that_of_the_field_or_of_what_is_around_it(
    file: Path, number: int, path: tuple[str | int, ...], line: int
) -> None:
    manifests = load_manifests([str(file)]).manifests

    assert FieldLines().find(manifests[number], path) == Place(str(file), line)


@pytest.mark.parametrize("change", [lambda text: text.replace("name: other", "name: changed"), lambda _: "a: [", None])
def test_it_is_that_of_the_object_if_the_file_has_changed_since(
    file: Path, change: Callable[[str], str] | None
) -> None:
    manifest = load_manifests([str(file)]).manifests[0]
    if change is None:
        file.unlink()
    else:
        file.write_text(change(TEXT))

    assert FieldLines().find(manifest, ("data", "a")) == Place(str(file), 2)


def test_it_is_that_of_the_object_in_a_huge_document(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field_lines, "_MAX_BYTES", 10)

    assert FieldLines().find(load_manifests([str(file)]).manifests[0], ("data", "a")) == Place(str(file), 2)


def test_a_file_in_json_has_lines_too(tmp_path: Path) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"x": "1"}}
    (tmp_path / "a.json").write_text(json.dumps(body, indent=1))
    (manifest,) = load_manifests([str(tmp_path)]).manifests

    assert FieldLines().find(manifest, ("data", "x")) == Place(str(tmp_path / "a.json"), 8)


def test_a_file_of_another_commit_has_its_own_lines(file: Path) -> None:
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        git(file.parent, *arguments)
    file.write_text("a: 1\n")
    revisions = Revisions([str(file)])
    manifest = revisions.load("HEAD")[0]

    assert FieldLines(revisions).find(manifest, ("data", "a")) == Place("HEAD:a.yaml", 5)
    assert FieldLines(Revisions([str(file)])).find(manifest, ("data", "a")) == Place("HEAD:a.yaml", 2)


ODD = """\
--- # first
apiVersion: v1
kind: ConfigMap
metadata:
  name: a
data:
  x: "first
  y: no key
  z: last"
  y: "1"
---
apiVersion: v1
kind: ConfigMap
metadata:
  # a comment: here
    name: b
    labels: &labels
      app.kubernetes.io/name: b
    annotations:
      <<: *labels
      "quoted": x
      plain: y
data:
  text: |
    kind: Secret
  - no item

  folded: >-
    a: b

    c: d
  last: x
---
apiVersion: v1
kind: Pod
metadata:
  name: c
spec:
  containers:
  - name: one
    args:
    - "a
    - b"
    - - c
    -
      d: e
    - |
      - f
    - g
  -   image: two
      name: two
  volumes:
      - name: v
        secret: {secretName: s}
      - # a comment
        name: w
---
apiVersion: v1
kind: Secret
metadata:
  name: d
data:
  a: eA==
stringData:
  b: x
"""


def test_lines_are_found_without_a_yaml_parser_as_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "odd.yaml").write_text(ODD)
    folders = [str(tmp_path), str(Path(__file__).parents[2] / "corpus")]
    fields = [(manifest, path) for manifest in load_manifests(folders).manifests for path in _paths(manifest.body, ())]

    found = list(starmap(FieldLines().find, fields))
    monkeypatch.setattr(_BlockYaml, "line", lambda *_: None)

    assert found == list(starmap(FieldLines().find, fields))


def _paths(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield path
    for step, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _paths(part, (*path, step))


DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template:
    spec:
      containers:
      - name: sidecar
        image: sidecar:1
      - name: web
        image: web:1
        env:
        - name: A
          value: a
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone, namespace: shop}
"""


def test_each_finding_names_the_line_of_its_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("git.yaml").write_text(DEPLOYMENT)
    containers: list[dict[str, Any]] = [
        {"name": "web", "image": "web:2", "env": [{"name": "A", "value": "b"}, {"name": "B", "value": "c"}]},
        {"name": "sidecar", "image": "sidecar:1"},
    ]
    live = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"paused": True, "replicas": 3, "template": {"spec": {"containers": containers}}},
    }
    extra = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "extra", "namespace": "shop"}}
    Path("live.json").write_text("\n".join(map(json.dumps, [live, extra])))
    outputs = [f"--output={form}=r.{form}" for form in ("json", "sarif", "github", "junit", "markdown", "text", "html")]

    assert main(["report", "git.yaml", "--live", "live.json", *outputs]) == 1

    found = {
        (finding["path"] or finding["change"]): (finding["file"], finding["line"])
        for item in json.loads(Path("r.json").read_text())["objects"]
        for finding in item["findings"]
    }
    web = "spec.template.spec.containers[name=web]"
    assert found == {
        "spec.paused": ("git.yaml", 4),
        "spec.replicas": ("git.yaml", 5),
        "spec.template.spec.containers": ("git.yaml", 8),
        f"{web}.image": ("git.yaml", 12),
        f"{web}.env[name=A].value": ("git.yaml", 15),
        f"{web}.env[name=B]": ("git.yaml", 13),
        "missing": ("git.yaml", 17),
        "unmanaged": (None, None),
    }
    regions = [
        result["locations"][0]["physicalLocation"].get("region", {}).get("startLine")
        for result in json.loads(Path("r.sarif").read_text())["runs"][0]["results"]
    ]
    assert sorted(filter(None, regions)) == [4, 5, 8, 12, 13, 15, 17]
    assert f"::error file=git.yaml,line=12,title=Deployment shop/web%3A {web}.image::" in Path("r.github").read_text()
    for form in ("junit", "markdown", "text", "html"):
        assert "git.yaml:12" in Path(f"r.{form}").read_text()


@pytest.mark.parametrize("names", [("web", "web-canary"), ("web-canary", "web")])
@pytest.mark.parametrize("kind", ["List", "ConfigMapList"])
def test_an_item_of_a_list_whose_name_contains_that_of_another_has_its_own_line(
    names: tuple[str, str], kind: str, tmp_path: Path
) -> None:
    item = "- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {}}},\n   data: {{a: x}}}}\n"
    (tmp_path / "list.yaml").write_text(f"apiVersion: v1\nkind: {kind}\nitems:\n" + "".join(map(item.format, names)))
    manifests = load_manifests([str(tmp_path)]).manifests

    places = [FieldLines().find(manifest, ("data", "a")) for manifest in manifests]

    assert [place and place.line for place in places] == [5, 7]


def test_an_item_of_a_list_without_a_namespace_has_its_own_line(tmp_path: Path) -> None:
    item = "- {apiVersion: v1, kind: ConfigMap, metadata: {name: a%s},\n   data: {a: x}}\n"
    items = [item % namespace for namespace in (", namespace: other", ', namespace: ""')]
    (tmp_path / "list.yaml").write_text("apiVersion: v1\nkind: List\nitems:\n" + "".join(items))
    other, unset = load_manifests([str(tmp_path)]).manifests
    lines = FieldLines()

    # Argo CD puts it into the namespace of the destination.
    found = [lines.find(one, ("data", "a")) for one in (other, unset, replace(unset, namespace="shop"))]
    assert [place and place.line for place in found] == [5, 7, 7]


def test_a_missing_item_of_a_list_has_its_own_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("git.yaml").write_text(TEXT)
    Path("live.json").write_text('{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}}')

    main(["report", "git.yaml", "--live", "live.json", "--output", "json=r.json"])

    objects = json.loads(Path("r.json").read_text())["objects"]
    lines = {item["namespace"]: item["findings"][0]["line"] for item in objects if item["name"] == "a"}
    assert lines == {"one": 20, "two": 25}
