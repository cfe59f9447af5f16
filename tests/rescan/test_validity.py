"""What the code synthesizes is valid Kubernetes, by schemas of others."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from main import build
from rescan.examples import EXAMPLES
from rescan.manifests import manifest_files
from rescan.rules import broken_rules
from rescan.settings import Environment
from rescan.variants import arms, settings_of
from tests.rescan.changes import changed
from tests.rescan.effort import examples
from tests.rescan.schemas import NEWEST, OLDEST, validate
from tests.rescan.strategies import environments

NO_KUBERNETES_KINDS = (
    "argoproj.io/",
    "external-secrets.io/",
    "kustomize.config.k8s.io/",
    "kustomize.toolkit.fluxcd.io/",
    "monitoring.coreos.com/",
    "source.toolkit.fluxcd.io/",
)
"""Custom resources, which the sandbox checks against their CRDs, and kustomize's own file."""


def kubernetes_objects(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    for text in texts:
        manifest = yaml.load(text, yaml.CSafeLoader)
        if not manifest["apiVersion"].startswith(NO_KUBERNETES_KINDS):
            yield manifest


@pytest.mark.slow
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_file_keeps_the_strict_schema(synthesized: Path, examples: Path, version: str) -> None:
    texts = (path.read_text() for folder in (synthesized, examples) for path in folder.rglob("*.yaml"))
    found = list(kubernetes_objects(texts))
    assert len(found) > 50
    for manifest in found:
        validate(manifest, version)


def test_the_schema_would_find_a_mistake() -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"prots": []}}

    with pytest.raises(kubernetes_validate.ValidationError):
        validate(service, NEWEST)


@pytest.mark.tenth
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(environments())
def test_any_settings_synthesize_to_valid_manifests(environment: Environment) -> None:
    assert broken_rules(environment) == []
    for manifest in kubernetes_objects(manifest_files(build([environment])).values()):
        validate(manifest, OLDEST)
        validate(manifest, NEWEST)


def with_any_texts(environment: Environment) -> st.SearchStrategy[Environment]:
    """The environment with any text, of the right format or not, in some of the settings that are texts."""
    names = [name for name, _, declared in settings_of(environment) if str in arms(declared)]
    return st.dictionaries(st.sampled_from(names), st.text(), min_size=1).map(partial(changed, environment))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(EXAMPLES).flatmap(with_any_texts))
def test_a_broken_rule_is_one_line_whatever_the_value(environment: Environment) -> None:
    assert all(len(str(found).splitlines()) == 1 for found in broken_rules(environment))
