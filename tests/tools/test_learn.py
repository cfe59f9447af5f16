"""The shipped facts and schemas match the real API server."""

import gzip
import json
import shutil
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import pytest

from drift.schema.facts import RULES, known_facts
from drift.schema.types import ABSENT, SchemaDocument, built_in_kinds, compact_schemas
from tools.learn.client import Client
from tools.learn.defaults import UnexplainedError, is_explained, learn_defaults
from tools.learn.learn import FOLDER, learn, observe_all
from tools.learn.observe import Observation
from tools.learn.schemas import packed
from tools.sandbox.cluster import Cluster

Observations = Mapping[tuple[str, str], list[Observation]]
CONTAINER = "io.k8s.api.core.v1.Container"


@pytest.fixture(scope="module")
def observations(cluster: Cluster) -> Observations:
    client = Client.from_kubeconfig(cluster.kubeconfig, cluster.folder / "observe.crt")
    schemas = {"document": compact_schemas(), "kinds": built_in_kinds()}
    pointers = {name: list(fields) for name, fields in known_facts().pointers.items()}
    found: dict[tuple[str, str], list[Observation]] = defaultdict(list)
    for observation in observe_all(client, schemas, pointers):
        found[observation.pair].append(observation)
    return found


@pytest.mark.skipif(shutil.which("go") is None, reason="reading the pointer fields from Go sources needs Go")
def test_the_shipped_data_matches_the_server_and_its_go_types(cluster: Cluster) -> None:
    for name, content in learn(cluster).items():
        assert (FOLDER / name).read_bytes() == content, f"{name} is stale: run python -m tools.learn"


@pytest.mark.parametrize("pair", RULES, ids=lambda pair: f"{pair[0].rpartition('.')[2]}.{pair[1]}")
def test_each_rule_says_what_the_server_fills_in(observations: Observations, pair: tuple[str, str]) -> None:
    found = observations[pair]

    assert [observation.place for observation in found if not is_explained(observation)] == []
    assert any(observation.value is not ABSENT for observation in found), "no specimen shows it"


def test_every_built_in_kind_has_a_built_in_type() -> None:
    document = SchemaDocument(compact_schemas())

    types = [document.kind(kind["group"], kind["version"], kind["kind"]) for kind in built_in_kinds()]

    assert len(types) > 60
    assert not any(found is None or found.is_custom for found in types)


def test_pointers_are_the_fields_whose_zero_the_server_keeps() -> None:
    facts = known_facts()
    document = SchemaDocument(compact_schemas())
    deployment = document.kind("apps", "v1", "Deployment")
    assert deployment is not None
    spec = deployment.field("spec")
    pod = spec.field("template").field("spec")

    assert not facts.is_omitempty(spec, "replicas")
    assert not facts.is_omitempty(pod.field("volumes").items, "emptyDir")
    assert facts.is_omitempty(spec, "paused")
    assert facts.is_omitempty(pod.field("containers").items, "resources")


def test_an_inlined_go_struct_lends_its_pointers_to_the_outer_type() -> None:
    pointers = known_facts().pointers

    assert "httpGet" in pointers["io.k8s.api.core.v1.Probe"]
    assert "startupProbe" in pointers["io.k8s.api.core.v1.EphemeralContainer"]


def test_packing_the_schemas_is_reproducible() -> None:
    content: dict[str, Any] = {"b": 1, "a": {"d": [], "c": None}}

    assert packed(content) == packed(dict(reversed(content.items())))
    assert json.loads(gzip.decompress(packed(content))) == content


def test_a_field_with_two_defaults_and_no_rule_is_refused() -> None:
    document = SchemaDocument(compact_schemas())
    pod = document.kind("", "v1", "Pod")
    assert pod is not None
    container = pod.field("spec").field("containers").items

    with pytest.raises(UnexplainedError, match=rf"{CONTAINER}\.tty in one: x; {CONTAINER}\.tty in two: y"):
        learn_defaults([Observation(container, "tty", {}, "x", "one"), Observation(container, "tty", {}, "y", "two")])
