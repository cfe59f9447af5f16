"""Which files and documents are read as manifests, in which order, and which are errors."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from drift.cli import main
from drift.errors import ManifestError, UsageError
from drift.globs import FileGlob
from drift.objects import Source
from drift.redaction import Redacted
from drift.sources.load import LoadedManifests, load_manifests, load_texts


def _object(name: str, kind: str = "ConfigMap", extra: str = "") -> str:
    return f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\n{extra}"


def _load(text: str, name: str = "f.yaml") -> LoadedManifests:
    return load_texts([(name, text.encode())])


def _error(text: str) -> str:
    with pytest.raises(ManifestError) as error:
        _load(text)
    return str(error.value)


def test_folders_are_read_in_sorted_order(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    for name, file in (("four", "c.json"), ("three", "b/z.yml"), ("one", "a.yaml"), ("no", "readme.md")):
        text = f'{{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {{"name": "{name}"}}}}'
        (tmp_path / file).write_text(text)
    (tmp_path / "b" / "a.yaml").write_text(_object("two"))

    assert [manifest.name for manifest in load_manifests([str(tmp_path)]).manifests] == ["one", "two", "three", "four"]


def test_a_named_file_is_read_whatever_its_suffix(tmp_path: Path) -> None:
    (tmp_path / "manifest.txt").write_text(_object("a"))

    assert [manifest.name for manifest in load_manifests([str(tmp_path / "manifest.txt")]).manifests] == ["a"]


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_object("a").encode())))

    manifest = load_manifests(["-"]).manifests[0]

    assert str(manifest.source) == "<stdin>:1"


def test_no_manifests_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet\n---\n")

    with pytest.raises(UsageError, match="no manifest found"):
        load_manifests([str(tmp_path)])


def test_a_manifest_has_its_document_and_line() -> None:
    sources = [manifest.source for manifest in _load(f"# top\n{_object('a')}---\n---\n{_object('b')}").manifests]

    assert sources == [Source("f.yaml", 1, 2), Source("f.yaml", 3, 7)]


@pytest.mark.parametrize("kind", ["List", "ConfigMapList"])
def test_the_items_of_a_list_are_manifests(kind: str) -> None:
    item = "- {{apiVersion: v1, kind: ConfigMap, metadata: {{name: {}}}}}\n"
    items = f"items:\n{item.format('a')}{item.format('b')}"

    assert [manifest.name for manifest in _load(f"apiVersion: v1\nkind: {kind}\n{items}").manifests] == ["a", "b"]


@pytest.mark.parametrize("items", ["", "items:\n", "items: []\n"])
def test_a_list_may_be_empty(items: str) -> None:
    loaded = load_texts([("f.yaml", f"apiVersion: v1\nkind: List\nmetadata: {{name: a}}\n{items}".encode())])

    assert [manifest.kind for manifest in loaded.manifests] == ([] if items else ["List"])


def test_a_kind_that_only_ends_like_a_list_is_a_manifest() -> None:
    assert _load(_object("a", "AllowList", "spec: {items: [1]}\n")).manifests[0].kind == "AllowList"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("any.yaml", "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources: [a.yaml]\n"),
        ("any.yaml", "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"),
        ("a/kustomization.yaml", "resources: [a.yaml]\n"),
        ("a/kustomization.yml", "namespace: x\n"),
    ],
)
def test_a_kustomization_is_skipped_with_a_message(name: str, text: str) -> None:
    loaded = _load(text, name)

    assert loaded.manifests == ()
    assert "is input for kustomize" in loaded.skipped[0]


def test_a_kustomization_of_flux_is_a_manifest() -> None:
    text = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: apps, namespace: flux}\n"

    assert _load(text, "kustomization.yaml").manifests[0].group == "kustomize.toolkit.fluxcd.io"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("kind: ConfigMap\nmetadata: {name: a}\n", "apiVersion is missing"),
        ("apiVersion: 1\nkind: ConfigMap\nmetadata: {name: a}\n", "apiVersion must be a string, not a number"),
        ("apiVersion: v1\nmetadata: {name: a}\n", "kind is missing"),
        ("apiVersion: v1\nkind: ConfigMap\n", "metadata.name is missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: x\n", "metadata.name is missing"),
        ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: 8080}\n", "metadata.name must be a string, not a number"),
        ('apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ""}\n', "metadata.name is missing"),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: yes}\n",
            "must be a string, not a boolean",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: 0}\n",
            "must be a string, not a number",
        ),
        ("apiVersion: v1\nkind: List\nitems: [5]\n", "items[0]: not a Kubernetes object"),
        ("just text\n", "not a Kubernetes object"),
        ("[1, 2]\n", "not a Kubernetes object"),
        ("replicas: 2\n", "not a Kubernetes object"),
    ],
)
def test_a_document_beside_manifests_that_is_not_one_is_an_error_with_its_position(text: str, problem: str) -> None:
    message = _error(f"# a comment\n{text}---\n{_object('a')}")

    assert message.startswith("f.yaml:2:1: ")
    assert problem in message


FOREIGN = {
    "values.yaml": "replicas: 2\nimage: {tag: '1'}\n",
    "package.json": '{"name": "a", "kinds": []}',
    "patch.yaml": "- {op: remove, path: /spec}\n",
    "report.json": '{"apiVersion": "drift/v1", "kind": "DriftReport", "objects": []}',
    "settings.yml": "just text\n",
    "two.yaml": "a: 1\n---\nb: 2\nb: 3\n",
}


@pytest.mark.parametrize("file", FOREIGN)
def test_a_file_without_an_object_is_skipped_in_a_folder_and_an_error_if_it_is_named(file: str, tmp_path: Path) -> None:
    (tmp_path / file).write_text(FOREIGN[file])
    (tmp_path / "object.yaml").write_text(_object("a"))

    loaded = load_manifests([str(tmp_path)])

    assert [manifest.name for manifest in loaded.manifests] == ["a"]
    assert loaded.errors == ()
    assert loaded.skipped == (f"{tmp_path / file}: no Kubernetes object in it",)
    with pytest.raises(ManifestError, match=rf"{file}:1:1: not a Kubernetes object"):
        load_manifests([str(tmp_path / file)])


def test_one_note_counts_the_skipped_files_and_names_three(tmp_path: Path) -> None:
    for name, text in FOREIGN.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "object.yaml").write_text(_object("a"))

    (note,) = load_manifests([str(tmp_path)]).notes

    names = ", ".join(str(tmp_path / name) for name in sorted(FOREIGN)[:3])
    assert note == f"skipped 6 files without a Kubernetes object: {names} and 3 more (-v lists them)"


def test_a_folder_with_no_object_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("a: 1\n")

    with pytest.raises(UsageError, match="no manifest found"):
        load_manifests([str(tmp_path)])


def test_a_path_without_a_manifest_is_an_error_beside_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("plain", "empty", "values"):
        Path(folder).mkdir()
    Path("plain/p.yaml").write_text(_object("p"))
    Path("values/values.yaml").write_text("a: 1\n")
    Path("comments.yaml").write_text("# nothing\n")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))

    for path in ("empty", "values", "comments.yaml"):
        with pytest.raises(UsageError, match=rf"^no manifest found in {path} \(looked at"):
            load_manifests(["plain", path])
    with pytest.raises(UsageError, match="no manifest on standard input"):
        load_manifests(["plain", "-"])
    with pytest.raises(UsageError, match="no manifest found in empty, values "):
        load_manifests(["empty", "plain", "values"], exclude=[FileGlob("*.json")])


def test_a_path_may_be_emptied_on_purpose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("plain", "jobs", "tests", "broken"):
        Path(folder).mkdir()
        Path(f"{folder}/{folder}.yaml").write_text(_object(folder))
    Path("jobs/jobs.yaml").write_text("apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-}\n")
    Path("broken/broken.yaml").write_text("a: [\n")

    for glob in ("tests", "tests.yaml", "tests/**"):
        for path in ("tests", "tests/tests.yaml"):
            loaded = load_manifests(["plain", path, "jobs", "broken", "broken/broken.yaml"], exclude=[FileGlob(glob)])
            assert [manifest.name for manifest in loaded.manifests] == ["plain"]


def test_only_objects_without_a_name_of_their_own_are_not_in_sync(tmp_path: Path) -> None:
    job = "apiVersion: batch/v1\nkind: Job\nmetadata: {generateName: a-}\n"
    (tmp_path / "jobs.yaml").write_text(f"{job}---\n{job}")

    with pytest.raises(UsageError) as error:
        load_manifests([str(tmp_path)])

    assert str(error.value) == (
        f"{tmp_path}/jobs.yaml:1: Job is not compared: it has generateName, so each sync creates another object "
        "(and 1 more), and there is no other manifest"
    )


def test_an_empty_standard_input_points_at_the_command_before_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))

    with pytest.raises(UsageError, match="no manifest on standard input; check the command before the pipe"):
        load_manifests(["-"])


def test_broken_documents_are_listed_and_hide_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{_object('a')}---\nb: [\n---\n{_object('c')}")
    (tmp_path / "b.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n")
    (tmp_path / "c.yaml").write_text("apiVersion: v1\nkind: List\nitems: [5, {apiVersion: v1}]\n")
    (tmp_path / "d.json").write_text('{"apiVersion": "v1",\n')
    (tmp_path / "e.yaml").write_text(_object("e"))

    loaded = load_manifests([str(tmp_path)])

    assert [manifest.name for manifest in loaded.manifests] == ["a", "c", "e"]
    assert [error.removeprefix(f"{tmp_path}/") for error in loaded.errors] == [
        "a.yaml:6:1: did not find expected node content",
        "b.yaml:1:1: metadata.name is missing",
        "c.yaml:1:1: items[0]: not a Kubernetes object (a mapping with apiVersion and kind)",
        "c.yaml:1:1: items[1]: kind is missing",
        "d.json:2:1: did not find expected node content",
    ]
    assert "5 documents could not be read" in loaded.notes[-1]


def test_a_document_after_a_broken_one_keeps_its_number_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"---\na: @\n---\n\n{_object('b')}")

    loaded = load_manifests([str(tmp_path)])

    assert [manifest.source for manifest in loaded.manifests] == [Source(str(tmp_path / "a.yaml"), 2, 5)]


def test_twenty_errors_are_shown_and_the_others_counted(tmp_path: Path, stderr: Callable[[], str]) -> None:
    for number in range(23):
        (tmp_path / f"{number:02}.yaml").write_text("a: [\n")

    assert main(["report", str(tmp_path), "--live", str(tmp_path)]) == 2

    *lines, last = stderr().splitlines()
    assert [line.split(":")[1] for line in lines] == [f" {tmp_path}/{number:02}.yaml" for number in range(20)]
    assert last == "drift: and 3 more documents that cannot be read"


def test_a_broken_kustomization_is_an_error_and_what_it_lists_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "kustomization.yaml").write_text("resources: [a.yaml\n")
    (tmp_path / "base" / "a.yaml").write_text(_object("a"))
    (tmp_path / "b.yaml").write_text(_object("b"))

    loaded = load_manifests([str(tmp_path)])

    assert [manifest.name for manifest in loaded.manifests] == ["b"]
    (error,) = loaded.errors
    assert error.startswith(f"{tmp_path}/base/kustomization.yaml:2:1: ")


def test_a_key_that_is_given_twice_is_a_note_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{_object('a')}data: {{k: a}}\ndata: {{k: b}}\n")

    loaded = load_manifests([str(tmp_path)])

    assert loaded.manifests[0].body["data"] == {"k": "b"}
    assert loaded.notes == (f"{tmp_path}/a.yaml:5: this key is given twice; as for kubectl, the last one counts",)


def test_a_secret_is_redacted_when_it_is_loaded() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"password": "hunter2"}}

    for text in (json.dumps(secret), json.dumps({"apiVersion": "v1", "kind": "List", "items": [secret]})):
        loaded = _load(text)
        body = loaded.manifests[0].body
        assert isinstance(body["data"]["password"], Redacted)
        assert "hunter2" not in f"{loaded!r} {body!r}"


@pytest.mark.parametrize("name", ["", 'name: "", ', "name: null, "])
def test_a_manifest_with_generate_name_is_reported_but_not_compared(name: str) -> None:
    text = f"apiVersion: batch/v1\nkind: Job\nmetadata: {{{name}generateName: a-}}\n"
    loaded = load_texts([("a.yaml", text.encode())])

    assert loaded.manifests == ()
    assert loaded.notes == ("a.yaml:1: Job is not compared: it has generateName, so each sync creates another object",)


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
@pytest.mark.parametrize("namespace", ['""', "null"])
def test_an_empty_namespace_is_the_default_one(
    namespace: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest, live = tmp_path / "manifest.yaml", tmp_path / "live.yaml"
    metadata = f"{{name: a, namespace: {namespace}, labels: null, annotations: null}}"
    manifest.write_text(f"apiVersion: v1\nkind: {kind}\nmetadata: {metadata}\ndata: {{a: b25l}}\n")
    in_cluster = f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: a, namespace: default}}\ndata: {{a: b25l}}\n"

    live.write_text(in_cluster)
    assert main(["report", str(manifest), "--live", str(live)]) == 0
    live.write_text(in_cluster.replace("b25l", "dHdv"))
    capsys.readouterr()
    assert main(["report", str(manifest), "--live", str(live), "--output", f"json={tmp_path}/report.json"]) == 1
    report = json.loads((tmp_path / "report.json").read_text())
    found = [(item["namespace"], one["path"]) for item in report["objects"] for one in item["findings"]]
    assert found == [("default", "data.a")]


@pytest.mark.parametrize("named", ["plain/p.yaml", "link.yaml", "plain/../plain"])
def test_a_document_of_two_paths_is_one_document(named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plain").mkdir()
    Path("plain/p.yaml").write_text(_object("p", extra="data: {a: '1'}\n"))
    Path("link.yaml").symlink_to("plain/p.yaml")
    live = _object("p", extra="data: {a: '%s'}\n").replace("name: p", "name: p, namespace: default")

    Path("live.yaml").write_text(live % 1)
    assert main(["report", "plain", named, "--live", "live.yaml"]) == 0
    Path("live.yaml").write_text(live % 2)
    assert main(["report", "plain", named, "--live", "live.yaml", "--output", "json=report.json"]) == 1

    report = json.loads(Path("report.json").read_text())
    assert [(item["name"], item["origins"]) for item in report["objects"]] == [("p", ["plain", named])]
    assert [source["objects"] for source in report["sources"]] == [1, 1]


def test_two_documents_of_two_paths_stay_two(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(_object("same"))

    assert len(load_manifests([str(tmp_path / "a"), str(tmp_path / "b")]).manifests) == 2
