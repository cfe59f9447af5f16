"""The compact copy of Kubernetes' schemas that is shipped for comparisons without a server."""

import gzip
import json
from functools import cache
from importlib import resources
from typing import Any


@cache
def _compact() -> dict[str, Any]:
    data = resources.files(__package__).joinpath("data/schemas.json.gz").read_bytes()
    compact: dict[str, Any] = json.loads(gzip.decompress(data))
    return compact


def compact_schemas() -> dict[str, Any]:
    """Returns one OpenAPI v3 document of all built-in types, without descriptions."""
    document: dict[str, Any] = _compact()["document"]
    return document


def built_in_kinds() -> list[dict[str, Any]]:
    """Returns every built-in kind: group, version, kind, plural, namespaced, verbs."""
    kinds: list[dict[str, Any]] = _compact()["kinds"]
    return kinds


def schema_version() -> str:
    """Returns the Kubernetes version of the schemas."""
    return str(_compact()["version"])
