"""Dumps as a source of live objects: kinds, versions, and files that are not dumps."""

import json
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.errors import DumpError, RequestError
from drift.kube.dump import Dump
from drift.kube.resources import Resource
from drift.scanning.read import Autoscalers
from drift.schema.types import built_in_kinds

BUILT_IN = [Resource.from_data(kind) for kind in built_in_kinds()]


def _autoscaler(version: str) -> dict[str, Any]:
    metadata = {"name": "a", "namespace": "n"}
    return {"apiVersion": f"autoscaling/{version}", "kind": "HorizontalPodAutoscaler", "metadata": metadata}


def _dump(folder: Path, content: object) -> Dump:
    file = folder / "dump.json"
    file.write_text(json.dumps(content))
    return Dump([str(file)], BUILT_IN, "default")


def test_objects_are_found_by_kind_namespace_and_name(tmp_path: Path) -> None:
    dump = _dump(tmp_path, {"kind": "List", "items": [_autoscaler("v2")]})
    resource = dump.resources.find("autoscaling/v2", "HorizontalPodAutoscaler")
    assert resource is not None

    assert dump.get(resource, "n", "a") is not None
    assert dump.get(resource, "m", "a") is None
    assert [live.name for live in dump.list(resource, None)] == ["a"]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_autoscalers_are_read_in_the_version_of_the_dump(tmp_path: Path, version: str) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    dump = _dump(tmp_path, {**_autoscaler(version), "spec": {"scaleTargetRef": reference, "maxReplicas": 5}})

    autoscalers = Autoscalers(dump, dump.resources)

    assert [found.name for found in autoscalers.in_namespace("n")] == ["a"]
    assert autoscalers.notes == []


def test_an_unmanaged_object_is_read_in_the_version_of_the_dump(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _dump(tmp_path, _autoscaler("v2"))
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b", "namespace": "n"}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    assert main(["report", str(tmp_path / "manifest.json"), "--live", str(tmp_path / "dump.json")]) == 1
    out = capsys.readouterr().out
    assert "HorizontalPodAutoscaler" in out
    assert "could not read" not in out


def test_an_object_dumped_in_another_version_is_unchecked_not_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dump = _dump(tmp_path, _autoscaler("v2"))
    resource = dump.resources.find("autoscaling/v1", "HorizontalPodAutoscaler")
    assert resource is not None
    with pytest.raises(RequestError, match="dump that version"):
        list(dump.list(resource, "n"))
    manifest = tmp_path / "manifest.json"
    manifest.write_text(json.dumps(_autoscaler("v1")))

    assert main(["report", str(manifest), "--live", str(tmp_path / "dump.json")]) == 3
    out = capsys.readouterr().out
    assert "unchecked" in out
    assert "kubectl get horizontalpodautoscalers.v1.autoscaling" in out


def test_custom_kinds_are_known_from_their_objects(tmp_path: Path) -> None:
    dump = _dump(tmp_path, {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}})

    resource = dump.resources.find("example.com/v1", "Widget")

    assert resource is not None
    assert not resource.namespaced


@pytest.mark.parametrize("kind", ["PersistentVolume", "Widget"])
def test_an_empty_namespace_is_that_of_a_cluster_scoped_object(tmp_path: Path, kind: str) -> None:
    api_version = "v1" if kind == "PersistentVolume" else "example.com/v1"
    dump = _dump(tmp_path, {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a", "namespace": ""}})
    resource = dump.resources.find(api_version, kind)
    assert resource is not None

    assert not resource.namespaced
    live = dump.get(resource, None, "a")
    assert live is not None
    assert live.namespace is None


def test_an_empty_namespace_does_not_make_a_secret_unreadable(tmp_path: Path) -> None:
    dump = _dump(tmp_path, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a", "namespace": ""}})
    resource = dump.resources.find("v1", "Secret")
    assert resource is not None

    assert [live.name for live in dump.list(resource, None)] == ["a"]


@pytest.mark.parametrize("content", [[1], {"items": ["x"]}, {"items": [{"kind": "Pod"}]}, "text", {"kind": "Pod"}])
def test_a_file_that_is_not_a_dump_is_an_error(tmp_path: Path, content: object) -> None:
    with pytest.raises(DumpError, match="not a dump of Kubernetes objects"):
        _dump(tmp_path, content)


def test_an_unreadable_dump_exits_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dump.yaml").write_text("a: [")
    (tmp_path / "manifest.json").write_text(json.dumps(_autoscaler("v2")))

    assert main(["report", str(tmp_path / "manifest.json"), "--live", str(tmp_path / "dump.yaml")]) == 2
    assert capsys.readouterr().err.startswith(f"drift: --live {tmp_path}/dump.yaml:2:1: ")


def test_a_misspelt_kind_gets_a_suggestion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dump.json").write_text(json.dumps(_autoscaler("v2")))
    (tmp_path / "manifest.json").write_text(json.dumps(_autoscaler("v2") | {"kind": "HorizontalPodAutoScalar"}))

    assert main(["report", str(tmp_path / "manifest.json"), "--live", str(tmp_path / "dump.json")]) == 1
    assert "did you mean HorizontalPodAutoscaler in autoscaling/v2?" in capsys.readouterr().out


@pytest.mark.parametrize("items", [None, []])
def test_an_empty_dump_is_a_dump(tmp_path: Path, items: object) -> None:
    assert list(_dump(tmp_path, {"kind": "List", "items": items}).list(BUILT_IN[0], None)) == []


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", None])
def test_a_dump_without_a_document_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None
) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(_autoscaler("v2")))
    (tmp_path / "dump").mkdir()
    if content is not None:
        (tmp_path / "dump" / "live.yaml").write_text(content)

    assert main(["report", str(tmp_path / "manifest.json"), "--live", str(tmp_path / "dump")]) == 2
    assert capsys.readouterr().err == f"drift: --live {tmp_path}/dump: is empty; check the command that wrote it\n"
