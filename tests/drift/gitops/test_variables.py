"""Variables that Flux replaces after the build: recognized in names and values of plain manifests."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from drift.errors import ManifestError
from drift.gitops.variables import has_variables, variable_key
from drift.model import Manifest, ObjectKey
from drift.scanning.options import Options
from drift.sources.load import load_texts


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def config_map(name: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, **more}


def by_flux(body: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:data": {"f:host": {}}}
    entry = {"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    return {**body, "metadata": {**body["metadata"], "managedFields": [{**entry, "fieldsV1": fields}]}}


def compare(git: list[dict[str, Any]], live: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    Path("git.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": git}))
    Path("live.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": live}))
    status = main(["report", "git.json", "--live", "live.json", "--output", "json=r.json"])
    document: dict[str, Any] = json.loads(Path("r.json").read_text())
    return status, document


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${HOST}", True),
        ("shop.${domain:-example.com}", True),
        ({"a": [1, "${A}${B}"]}, True),
        ("${NAME/-/_}", True),
        ("$${HOST}", False),
        ("$HOST ${} ${1} $(HOST)", False),
        (None, False),
    ],
)
def test_a_variable_is_recognized(value: Any, expected: bool) -> None:
    assert has_variables(value) is expected


@pytest.mark.parametrize(
    ("name", "matching", "other"),
    [
        ("${cluster}-config", "prod-config", "prod-settings"),
        ("a-${x}-b-${y:=z}", "a-1-b-2", "a-1-c-2"),
        ("${a}${b}${c}${d}${e}${f}${g}x", "anything", None),
    ],
)
def test_a_name_with_variables_matches_what_they_may_stand_for(name: str, matching: str, other: str | None) -> None:
    key = ObjectKey("", "ConfigMap", "shop", name)
    pattern = variable_key(Manifest("v1", "ConfigMap", "shop", name, None, {}), key)

    assert pattern is not None
    assert pattern.matches(ObjectKey("", "ConfigMap", "shop", matching))
    assert not pattern.matches(ObjectKey("", "Secret", "shop", matching))
    assert not pattern.matches(ObjectKey("", "ConfigMap", "other", matching))
    assert other is None or not pattern.matches(ObjectKey("", "ConfigMap", "shop", other))


def test_only_files_and_kustomizations_may_have_variables() -> None:
    options = Options(with_variables=frozenset({"apps"}))
    manifest = Manifest("v1", "ConfigMap", "shop", "${a}", None, {}, ("apps",))

    assert options.may_have_variables(manifest)
    assert not options.may_have_variables(replace(manifest, origins=("Kustomization flux-system/apps",)))


@pytest.mark.parametrize(
    "git",
    [
        config_map("${cluster}-config"),
        config_map("config", "${namespace}"),
        {**config_map("config"), "kind": "${kind}"},
        {**config_map("${cluster}-db"), "kind": "Secret"},
    ],
)
def test_an_object_whose_name_has_a_variable_is_unchecked_and_not_missing(git: dict[str, Any]) -> None:
    status, document = compare([git, config_map("a")], [config_map("a"), {**config_map("b"), "kind": "Secret"}])

    assert status == 3
    (item,) = [item for item in document["objects"] if item["status"] != "unmanaged"]
    assert item["status"] == "unchecked"
    assert "looks like Flux's postBuild substitution: --flux" in item["reason"]


def test_an_object_that_it_may_describe_is_not_unmanaged() -> None:
    live = [config_map("a"), config_map("prod-config"), config_map("by-hand")]

    _, document = compare([config_map("a"), config_map("${cluster}-config")], live)

    assert [item["name"] for item in document["objects"] if item["status"] == "unmanaged"] == ["by-hand"]


@pytest.mark.parametrize("name", ["${a}-hunter 2", "${a:-hunter2}"])
def test_the_name_of_a_secret_holds_nothing_but_characters_of_a_name_beside_its_variables(name: str) -> None:
    text = json.dumps({**config_map(name), "kind": "Secret"})

    with pytest.raises(ManifestError, match="is not a valid name for a Secret") as error:
        load_texts([("a.json", text.encode())])
    assert "hunter" not in str(error.value)


def test_a_value_that_flux_seems_to_replace_has_a_note() -> None:
    git = [config_map(name, data={"host": "shop.${domain}", "port": "80"}) for name in ("a", "b")]
    live = [
        by_flux(config_map(name, data={"host": "shop.example.com", "port": port}))
        for name, port in (("a", "80"), ("b", "81"))
    ]

    status, document = compare(git, live)

    assert status == 1
    notes = [(found["path"], found["note"] is not None) for item in document["objects"] for found in item["findings"]]
    assert notes == [("data.host", True), ("data.host", True), ("data.port", False)]
    assert (
        "2 objects that Flux applies differ from Git in a variable (${...}), such as ConfigMap shop/a: this looks like "
        "postBuild substitution, which --flux resolves"
    ) in document["notes"]


def test_a_value_of_an_object_that_flux_does_not_apply_has_no_note() -> None:
    _, document = compare([config_map("a", data={"host": "${domain}"})], [config_map("a", data={"host": "x"})])

    assert document["objects"][0]["findings"][0]["note"] is None
    assert not any("postBuild" in note for note in document["notes"])
