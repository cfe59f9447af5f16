"""Validation by the strict JSON Schemas of Kubernetes. Each schema is read once for all tests."""

import functools
from collections.abc import Mapping
from typing import Any

import kubernetes_validate
from kubernetes_validate import utils

OLDEST, NEWEST = "1.27", kubernetes_validate.latest_version()

# The library reads megabytes of schemas for each object.
utils.schema_contents = functools.cache(utils.schema_contents)


def validate(manifest: Mapping[str, Any], version: str = OLDEST) -> None:
    """Checks an object against the schema of its kind in a version of Kubernetes.

    Raises:
        kubernetes_validate.ValidationError: The object breaks the schema, or has a field that is not in it.
    """
    kubernetes_validate.validate(dict(manifest), version, strict=True)
