"""Generates every data file from a running cluster."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from drift.schema.facts import Facts
from drift.schema.types import SchemaDocument, Type
from tools.learn.client import Client
from tools.learn.defaults import learn_defaults
from tools.learn.ephemeral import observe_ephemeral_containers
from tools.learn.observe import Observation, Observer
from tools.learn.pointers import learn_pointers
from tools.learn.schemas import learn_schemas, packed
from tools.learn.specimens import specimens
from tools.sandbox.cluster import Cluster

FOLDER = Path(__file__).parents[2] / "drift" / "schema" / "data"


def learn(cluster: Cluster) -> dict[str, bytes]:
    """Returns the files of ``drift/schema/data``: name -> content.

    Raises:
        RefusedError: The server refuses a specimen.
        UnexplainedError: The server fills in a value that no rule explains.
    """
    client = Client.from_kubeconfig(cluster.kubeconfig, cluster.folder / "learn.crt")
    schemas = learn_schemas(client)
    named = schemas["document"]["components"]["schemas"]
    pointers = learn_pointers([name for name, schema in named.items() if schema.get("properties")])
    facts = {
        "version": schemas["version"],
        "defaults": learn_defaults(observe_all(client, schemas, pointers)),
        "pointers": pointers,
    }
    return {
        "facts.json": (json.dumps(facts, sort_keys=True, indent=1) + "\n").encode(),
        "schemas.json.gz": packed(schemas),
    }


def observe_all(client: Client, schemas: Mapping[str, Any], pointers: Mapping[str, list[str]]) -> Iterator[Observation]:
    """Returns what the server fills in, for all specimens.

    Args:
        client: The client for the server.
        schemas: The content of ``schemas.json.gz``.
        pointers: The pointer fields by schema type.
    """
    document = SchemaDocument(schemas["document"])
    facts = Facts(defaults={}, pointers={name: frozenset(fields) for name, fields in pointers.items()})
    observer = Observer(client, schemas["kinds"], facts)
    for specimen in specimens():
        yield from observer.observe(specimen, _type(document, specimen["apiVersion"], specimen["kind"]))
    yield from observe_ephemeral_containers(client, observer, _type(document, "v1", "Pod"))


def _type(document: SchemaDocument, api_version: str, kind: str) -> Type:
    group, _, version = api_version.rpartition("/")
    found = document.kind(group, version, kind)
    if found is None:
        raise LookupError(f"the server has no {kind} in {api_version}")
    return found
