"""What the code synthesizes is valid Kubernetes, by schemas of others."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from main import build
from rescan.manifests import manifest_files
from rescan.rules import broken_rules
from rescan.settings import Environment
from tests.rescan.changes import changed
from tests.rescan.effort import examples
from tests.rescan.strategies import environments

OLDEST, NEWEST = "1.27", kubernetes_validate.latest_version()
NO_KUBERNETES_KINDS = (
    "argoproj.io/",
    "external-secrets.io/",
    "kustomize.config.k8s.io/",
    "kustomize.toolkit.fluxcd.io/",
    "monitoring.coreos.com/",
    "source.toolkit.fluxcd.io/",
)
"""Custom resources, which the sandbox checks against their CRDs, and kustomize's own file."""


def validate(manifest: dict[str, Any], version: str) -> None:
    if not manifest["apiVersion"].startswith(NO_KUBERNETES_KINDS):
        kubernetes_validate.validate(manifest, version, strict=True)


def manifests(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.rglob("*.yaml")):
        yield path.relative_to(folder).as_posix(), yaml.safe_load(path.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_file_keeps_the_strict_schema(synthesized: Path, examples: Path, version: str) -> None:
    checked = 0
    for folder in (synthesized, examples):
        for _, manifest in manifests(folder):
            validate(manifest, version)
            checked += 1
    assert checked > 50


def test_the_schema_would_find_a_mistake() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"prots": []}}

    with pytest.raises(kubernetes_validate.ValidationError):
        validate(service, NEWEST)


@pytest.mark.tenth
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(environments())
def test_any_settings_synthesize_to_valid_manifests(environment: Environment) -> None:
    assert broken_rules(environment) == []
    for text in manifest_files(build([environment])).values():
        manifest = yaml.safe_load(text)
        validate(manifest, OLDEST)
        validate(manifest, NEWEST)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(environments(), st.text())
def test_a_broken_rule_is_one_line_whatever_the_value(environment: Environment, text: str) -> None:
    broken = changed(environment, {"workload.image.tag": text, "storage.size": text, "namespace": text})

    assert all(len(str(found).splitlines()) == 1 for found in broken_rules(broken))
