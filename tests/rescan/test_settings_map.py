"""The map from fields of manifests to settings, for `drift adopt`."""

import json
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from main import build
from rescan import environments
from rescan.manifests import objects_by_path
from rescan.setting_lines import line_of
from rescan.settings_map import effects
from rescan.variants import variants, with_setting

PROD = next(iter(environments.load(["prod"])))
SAMPLED = 8
"""The test tries each setting of prod whose number this divides; `make committed` in CI compares all."""


@pytest.fixture(scope="module")
def committed(repository: Path) -> list[dict[str, Any]]:
    """The settings of prod in the map that is committed."""
    found = json.loads((repository / "dist.settings.json").read_text())
    assert (found["version"], found["command"]) == (1, "make synth")
    return [each for each in found["settings"] if each["file"] == "rescan/environments/prod.py"]


def fields(setting: dict[str, Any]) -> dict[tuple[str, str, str], str]:
    return {
        (each["kind"], each["name"], pointer): effect
        for each in setting["manifests"]
        for pointer, effect in each["fields"].items()
    }


def setting(committed: list[dict[str, Any]], name: str) -> dict[str, Any]:
    (found,) = [each for each in committed if each["setting"] == name]
    return found


def test_the_map_is_what_the_code_synthesizes(committed: list[dict[str, Any]], repository: Path) -> None:
    text = (repository / "rescan/environments/prod.py").read_text()
    assert [each["line"] for each in committed] == [line_of(text, each["setting"]) for each in committed]

    before, names = objects_by_path(build([PROD])), {each["setting"] for each in committed}
    found = list(variants(PROD))
    assert names <= {variant.setting for variant in found}
    for variant in found[::SAMPLED]:
        made = {
            (before[path]["kind"], before[path]["metadata"]["name"], pointer)
            for path, pointer in effects(build, variant, before)
        }
        known = fields(setting(committed, variant.setting)).keys() if variant.setting in names else set()
        assert made <= known, variant.setting


def test_each_kind_of_field_has_its_settings(committed: list[dict[str, Any]]) -> None:
    deployment = ("Deployment", "rescan-app")
    container = "/spec/template/spec/containers/0"

    assert fields(setting(committed, "workload.replicas")) == {(*deployment, "/spec/replicas"): "is"}
    assert fields(setting(committed, "workload.image.tag")) == {(*deployment, f"{container}/image"): "shapes"}
    assert fields(setting(committed, "configuration.port"))[("ConfigMap", "rescan-config", "/data/PORT")] == "is"
    assert fields(setting(committed, "configuration.extra")) == {
        ("ConfigMap", "rescan-config", "/data"): "fills",
        (*deployment, f"{container}/env"): "fills",
    }
    limit = fields(setting(committed, "workload.resources.ephemeral_storage_limit"))
    assert limit == {(*deployment, f"{container}/resources/limits/ephemeral-storage"): "is"}
    assert fields(setting(committed, "drift"))[("CronJob", "rescan-drift", "")] == "shapes"


def test_a_map_has_a_line_for_each_setting_of_each_environment(repository: Path) -> None:
    first, *lines, last, end = (repository / "dist.settings.json").read_text().split("\n")

    assert (first[-1], last, end) == ("[", "]}", "")
    settings = [json.loads(line.removesuffix(",")) for line in lines]
    assert {each["file"] for each in settings} == {f"rescan/environments/{name}.py" for name in environments.NAMES}
    assert len({(each["file"], each["setting"]) for each in settings}) == len(settings) > 100


ENVIRONMENT = """\
from dataclasses import replace
from rescan.environments.prod import ENVIRONMENT as PROD
SECRETS = Secrets(
    source=CreatedByHand(variables=("A",)),
)
ENVIRONMENT = replace(
    PROD,
    workload=replace(
        PROD.workload,
        replicas=2,
    ),
    secrets=SECRETS,
    configuration=Configuration(
        extra={
            "A": "1",
            "B": "2",
        },
    ),
)
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("workload.replicas", 10),
        ("workload.image.tag", 8),
        ("namespace", 6),
        ("secrets.source.variables", 4),
        ("secrets.azure_openai_endpoint", 3),
        ("configuration.extra", 14),
        ("configuration.extra[B]", 16),
        ("configuration.port", 13),
    ],
)
def test_a_setting_has_the_line_at_which_it_is_set_or_could_be(name: str, line: int) -> None:
    assert line_of(ENVIRONMENT, name) == line


def test_a_variant_differs_in_its_setting_alone() -> None:
    found = list(variants(PROD))

    names = {variant.setting.partition("[")[0] for variant in found}
    assert {"name", "production", "ingress", "workload.replicas", "workload.startup", "drift.image.digest"} <= names
    for variant in found:
        name = variant.setting.partition("[")[0]
        assert variant.environment != PROD, variant.setting
        assert with_setting(variant.environment, name, attrgetter(name)(PROD)) == PROD, variant.setting
