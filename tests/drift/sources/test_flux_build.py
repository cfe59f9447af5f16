"""A Kustomization is built as Flux's own libraries build it."""

from pathlib import Path
from typing import Any

import pytest

from drift.documents.parse import read_documents
from drift.errors import SourceError
from drift.objects import Incomparable
from drift.sources.flux_build import Variables, build_path, finish, remove_ignored_files
from drift.sources.kustomize import ANNOTATIONS
from drift.sources.programs import Runner
from tests.drift.samples import web
from tools.sandbox.errors import SandboxError
from tools.sandbox.flux_oracle import ask

DEPLOYMENT = web('image: "nginx:1.29"\nenv: [{name: PORT, value: "${port}"}, {name: SHELL, value: "$${HOME}"}]')
CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {domain: "${domain:=example.com}", number: "${number}", text: "${text}"}
"""
DISABLED = CONFIG.replace("{name: settings}", "{name: %s, %s: {kustomize.toolkit.fluxcd.io/substitute: disabled}}")
KUSTOMIZATION = "resources: [web.yaml, settings.yaml]\n"
REPOSITORY = {
    "apps/web.yaml": DEPLOYMENT,
    "apps/settings.yaml": CONFIG,
    "apps/nested/labelled.yaml": DISABLED % ("labelled", "labels"),
    "apps/nested/annotated.yml": DISABLED % ("annotated", "annotations"),
    "apps/nested/more.json": "not read",
    "apps/nested/notes.txt": "not read",
    "apps/own/kustomization.yaml": "namePrefix: own-\nresources: [settings.yaml]\n",
    "apps/own/settings.yaml": CONFIG,
    "overlay/kustomization.yaml": """\
namespace: before
images: [{name: nginx, newTag: "1.30"}, {name: other, digest: "sha256:0"}]
resources: [../apps/web.yaml]
configMapGenerator: [{name: generated, literals: ["domain=${domain}"]}]
unknownField: dropped
""",
    "components/label/kustomization.yaml": """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
labels: [{pairs: {component: used}}]
""",
    "only-components/kustomization.yaml": "components: [../components/objects]\n",
    "components/objects/kustomization.yaml": """\
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources: [settings.yaml]
""",
    "components/objects/settings.yaml": CONFIG,
    "asks/kustomization.yaml": "buildMetadata: [originAnnotations, managedByLabel]\nresources: [../apps/web.yaml]\n",
    "empty/README.md": "nothing",
    "Kustomization-only/Kustomization": "resources: [settings.yaml]\n",
    "Kustomization-only/settings.yaml": CONFIG,
    "broken/kustomization.yaml": "resources: [missing.yaml]\n",
    "foreign/values.yaml": "replicas: 1\n",
    "shell/script.yaml": CONFIG.replace("${text}", "${array[@]}"),
}
PATCH = "- op: replace\n  path: /spec/replicas\n  value: ${number}\n"

#: The ``spec`` of a Kustomization, and ``spec.ignore`` of its source if there is one.
SPECS: dict[str, dict[str, Any]] = {
    "every file below": {"path": "./apps"},
    "the whole path, written otherwise": {"path": "/apps/nested/../"},
    "a kustomization": {"path": "overlay"},
    "a target namespace": {"path": "overlay", "targetNamespace": "there"},
    "a prefix and a suffix": {"path": "apps", "namePrefix": "pre-", "nameSuffix": "-post"},
    "patches": {
        "path": "apps",
        "patches": [
            {"patch": PATCH, "target": {"kind": "Deployment", "name": "web"}},
            {"patch": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {more: x}\n"},
        ],
        "postBuild": {"substitute": {"number": "4"}},
    },
    "images": {
        "path": "overlay",
        "images": [{"name": "nginx", "newName": "registry/nginx"}, {"name": "x", "newTag": "1"}],
    },
    "a digest in place of a tag": {"path": "overlay", "images": [{"name": "nginx", "digest": "sha256:1"}]},
    "components": {"path": "overlay", "components": ["../components/label"]},
    "a missing component": {"path": "overlay", "components": ["../none"], "ignoreMissingComponents": True},
    "a missing component that is not ignored": {"path": "overlay", "components": ["../none"]},
    "only components": {"path": "only-components"},
    "build metadata": {"path": "asks"},
    "other build metadata": {"path": "asks", "buildMetadata": ["managedByLabel"]},
    "an empty folder": {"path": "empty"},
    "no such path": {"path": "none"},
    "the third file name": {"path": "Kustomization-only"},
    "a build that fails": {"path": "broken"},
    "a file that is not a manifest": {"path": "foreign"},
    "substitution": {
        "path": "apps",
        "postBuild": {"substitute": {"port": "8080", "domain": "a.test", "number": "3", "text": "two\nlines"}},
    },
    "values that change the type": {"path": "apps", "postBuild": {"substitute": {"text": "{a: b}", "number": "true"}}},
    "a name that is not valid": {"path": "apps", "postBuild": {"substitute": {"not-valid": "x"}}},
    "no variables": {"path": "apps", "postBuild": {}},
    "always": {"path": "apps", "postBuild": {"substituteStrategy": "Always"}},
    "an expression that is not valid": {"path": "shell", "postBuild": {"substitute": {"a": "b"}}},
    "an expression that is not valid, without variables": {"path": "shell"},
    "ignored files": {"path": "apps", "ignore": "/apps/*\n!/apps/web.yaml\n# comment\n"},
    "ignored folders": {"path": "./", "ignore": "*\n!/apps/**\n/apps/nested/\n"},
    "ignored files of a kustomization": {"path": "overlay", "ignore": "web.yaml"},
}


pytestmark = pytest.mark.usefixtures("kustomize", "flux_oracle")


def name_of(body: Any) -> str:
    # The library has no version.
    labels = body["metadata"].get("labels", {})
    labels.pop("app.kubernetes.io/managed-by", None)
    return f"{body['kind']} {body['metadata']['name']}"


def write(root: Path) -> Path:
    for name, text in REPOSITORY.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def inline(spec: dict[str, Any]) -> Variables | None:
    if "postBuild" not in spec:
        return None
    values = {name: value.replace("\n", "") for name, value in spec["postBuild"].get("substitute", {}).items()}
    return Variables(values, always=spec["postBuild"].get("substituteStrategy") == "Always")


def built(root: Path, spec: dict[str, Any]) -> list[Any]:
    """The objects of a build, without the annotations that drift asks for."""
    remove_ignored_files(root, spec.get("ignore"))
    result = build_path(root, spec, inline(spec), Runner())
    bodies = [document.value for document in read_documents(result.output, "built") if document.value]
    for metadata in (body["metadata"] for body in bodies):
        for name in ANNOTATIONS.keys() - result.kept:
            metadata.get("annotations", {}).pop(ANNOTATIONS[name], None)
        if not metadata.get("annotations"):
            metadata.pop("annotations", None)
    return bodies


@pytest.mark.slow
@pytest.mark.parametrize("case", SPECS)
def test_a_build_is_that_of_flux(case: str, tmp_path: Path) -> None:
    spec = SPECS[case]
    ours, theirs = write(tmp_path / "ours"), write(tmp_path / "theirs")
    kustomization = {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": "apps", "namespace": "flux-system"},
        "spec": {name: value for name, value in spec.items() if name != "ignore"},
    }
    try:
        output = ask({"root": str(theirs), "ignore": spec.get("ignore"), "kustomization": kustomization})
    except SandboxError:
        with pytest.raises(SourceError):
            built(ours, spec)
    else:
        expected = [document.value for document in read_documents(output.encode(), "flux") if document.value]
        assert sorted(built(ours, spec), key=name_of) == sorted(expected, key=name_of)


def test_a_build_leaves_the_copy_as_it_was(tmp_path: Path) -> None:
    root = write(tmp_path / "copy")
    before = {file: file.read_bytes() for file in root.rglob("*") if file.is_file()}

    for path in ("apps", "overlay"):
        build_path(root, {"path": path, "namePrefix": "x-"}, None, Runner())

    assert {file: file.read_bytes() for file in root.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize(
    "kustomization",
    [
        "resources: [OUTSIDE/object.yaml]",
        "resources: [../../outside]",
        "configMapGenerator: [{name: x, files: [key=OUTSIDE/object.yaml]}]",
        "resources: [below]",
    ],
)
def test_a_kustomization_does_not_read_files_outside_the_repository(kustomization: str, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    outside = tmp_path / "outside"
    (root / "apps/below").mkdir(parents=True)
    outside.mkdir()
    (outside / "object.yaml").write_text(CONFIG)
    (outside / "kustomization.yaml").write_text("resources: [object.yaml]")
    (root / "apps/below/kustomization.yaml").write_text("resources: [../../../outside/object.yaml]")
    (root / "apps/kustomization.yaml").write_text(kustomization.replace("OUTSIDE", str(outside)))

    with pytest.raises(SourceError, match="is outside the repository"):
        build_path(root, {"path": "apps"}, None, Runner())


def test_a_secret_generated_of_an_encrypted_file_is_an_error(tmp_path: Path) -> None:
    root = write(tmp_path)
    generator = "secretGenerator: [{name: key, envs: [key.env]}]\n"
    (root / "apps/kustomization.yaml").write_text(generator)
    (root / "apps/key.env").write_text(
        "password=ENC[AES256_GCM,data:abc,iv:abc,tag:abc,type:str]\nsops_version=3.9.0\n"
    )

    with pytest.raises(SourceError, match="a secretGenerator reads a file that SOPS encrypts"):
        build_path(root, {"path": "apps"}, None, Runner())


def test_a_value_that_is_not_known_is_not_comparable(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "apps/settings.yaml").write_text(
        CONFIG.replace("{name: settings}", '{name: settings, labels: {"${key}": a}}')
    )
    variables = Variables({"text": "known"}, unknown="it comes from a Secret")

    result = build_path(root, {"path": "apps"}, variables, Runner())
    bodies = [finish(document.value, None, {}, variables) for document in read_documents(result.output, "built")]
    [settings] = [body for body in bodies if body["metadata"]["name"] == "settings"]
    unknown = Incomparable("it comes from a Secret")

    assert settings["data"] == {"domain": unknown, "number": unknown, "text": "known"}
    assert settings["metadata"]["labels"] == unknown


def test_flux_substitutes_nothing_without_variables() -> None:
    assert not Variables({}).are_substituted
    for variables in (
        Variables({"a": ""}),
        Variables({}, unknown="it comes from a Secret"),
        Variables({}, always=True),
    ):
        assert variables.are_substituted


def test_an_object_whose_name_is_not_known_is_an_error(tmp_path: Path) -> None:
    root = write(tmp_path)
    (root / "apps/settings.yaml").write_text(CONFIG.replace("name: settings", 'name: "settings-${environment}"'))
    variables = Variables({}, unknown="it comes from a Secret")

    result = build_path(root, {"path": "apps"}, variables, Runner())
    bodies = [document.value for document in read_documents(result.output, "built")]

    with pytest.raises(
        SourceError, match="the name, namespace or kind of an object is not known: it comes from a Secret"
    ):
        [finish(body, None, {}, variables) for body in bodies]


def test_common_metadata_is_added_to_every_object() -> None:
    body = {"kind": "ConfigMap", "metadata": {"name": "web", "labels": {"a": "1", "b": "2"}}}

    finished = finish(body, None, {"commonMetadata": {"labels": {"b": "3"}, "annotations": {"c": "4"}}}, None)

    assert finished["metadata"] == {"name": "web", "labels": {"a": "1", "b": "3"}, "annotations": {"c": "4"}}


def test_links_and_ignored_files_are_not_in_an_artifact(tmp_path: Path) -> None:
    root = write(tmp_path / "copy")
    (root / "apps/.sourceignore").write_text("/nested/*\n!/nested/annotated.yml\n")
    (root / "apps/link.yaml").symlink_to("web.yaml")
    (root / ".github").mkdir()
    (root / ".github/workflow.yaml").write_text("on: push\n")

    remove_ignored_files(root, None)

    left = {file.relative_to(root).as_posix() for file in root.rglob("*") if not file.is_dir()}
    assert left == {name for name in REPOSITORY if not name.startswith("apps/nested/")} | {
        "apps/nested/annotated.yml",
        "apps/.sourceignore",
    }
