"""Finds the type of each kind: in the server's OpenAPI schema, in a CRD, or in the shipped schema."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from drift.kube.live import LiveSource
from drift.kube.resources import Resource
from drift.model import Object
from drift.schema.types import (
    UNKNOWN,
    SchemaDocument,
    Type,
    compact_schemas,
    defined_kind,
    openapi_document,
    schema_version,
)


def _is_newer(version: str, other: str) -> bool:
    """Whether a version of Kubernetes, for example ``v1.36.3-gke.1``, has a higher minor version than another."""
    return _minor(version) > _minor(other)


def _minor(version: str) -> tuple[int, int]:
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


class Types:
    """Looks up types, and reads each schema document once.

    Args:
        source: The cluster or dump.
        schemas: The schema of the built-in kinds, for a dump.
        manifests: The desired objects. With a dump, CRDs among them give the types of custom resources.

    Attributes:
        notes: One sentence for each schema that is missing or too old.
    """

    def __init__(self, source: LiveSource, schemas: Mapping[str, Any] | None, manifests: Iterable[Object]) -> None:
        self._source = source
        self._schemas = schemas
        self._shipped = None if schemas is None else SchemaDocument(schemas)
        self._documents: dict[str, SchemaDocument | None] = {}
        self._custom_types: dict[Resource, Type | None] = {}
        self._crds = self._read_crds(manifests)
        self.notes: list[str] = []
        if source.info is not None and _is_newer(source.info.version, schema_version()):
            self.notes.append(
                f"the server runs Kubernetes {source.info.version}, newer than {schema_version()}, the newest version "
                "that this release of drift knows: defaults of newer fields may be reported as changes"
            )

    def type(self, resource: Resource) -> Type:
        """Returns the type of a kind, or `UNKNOWN` if no schema has it.

        Raises:
            ConnectError: The API server can no longer be reached.
        """
        if resource.root not in self._documents:
            self._documents[resource.root] = self._document(resource)
        document = self._documents[resource.root]
        described = document and document.kind(resource.group, resource.version, resource.kind)
        return described or self._custom_type(resource) or self._newest_shipped(resource) or UNKNOWN

    def _newest_shipped(self, resource: Resource) -> Type | None:
        """Returns the newest version's type, for a dump in a version that Kubernetes has removed: few fields differ."""
        if self._shipped is None:
            return None
        return self._shipped.newest_kind(resource.group, resource.kind)

    def _document(self, resource: Resource) -> SchemaDocument | None:
        document = self._source.schema(resource)
        if document is not None:
            return SchemaDocument(document)
        if self._source.info is None:
            return self._shipped
        shipped = SchemaDocument(compact_schemas())
        if shipped.kind(resource.group, resource.version, resource.kind) is not None:
            self.notes.append(
                f"the server has no schema for {resource.api_version}; using that of Kubernetes {schema_version()}"
            )
            return shipped
        self.notes.append(
            f"the server has no schema for {resource.api_version}, so each of its lists is compared as one value"
        )
        return None

    def _custom_type(self, resource: Resource) -> Type | None:
        """Returns the type of a custom resource from its CRD, live or in Git. Only for dumps."""
        crd = self._crds.get((resource.group, resource.kind))
        if crd is None or self._schemas is None:
            return None
        if resource not in self._custom_types:
            document = openapi_document(crd, resource.version, self._schemas)
            self._custom_types[resource] = (
                None
                if document is None
                else SchemaDocument(document).kind(resource.group, resource.version, resource.kind)
            )
        return self._custom_types[resource]

    def _read_crds(self, manifests: Iterable[Object]) -> dict[tuple[str, str], Object]:
        resource = self._source.resources.find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        if self._schemas is None or resource is None:
            return {}
        # The live CRD comes last and wins, because the API server took the live object's defaults from it.
        bodies = [*manifests, *(live.body for live in self._source.list(resource, None))]
        return {kind: body for body in bodies if (kind := defined_kind(body)) is not None}
