"""The type of each kind that is compared: from the server, from a definition, or from what is shipped."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from drift.kube.live_source import LiveSource
from drift.kube.resources import Resource
from drift.model import Object
from drift.schema.definitions import defined_kind, openapi_document
from drift.schema.shipped import compact_schemas, schema_version
from drift.schema.types import UNKNOWN, SchemaDocument, Type


def _is_newer(version: str, known: str) -> bool:
    """Whether a version of Kubernetes, such as ``v1.36.3-gke.1``, has a higher minor version than another."""
    return _minor(version) > _minor(known)


def _minor(version: str) -> tuple[int, int]:
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


class Types:
    """Looks types up, and asks for each schema document once.

    Args:
        source: The live side.
        schemas: Schemas of the built-in kinds, for a live side that has none.
        manifests: The desired objects; a dump's custom resources are described by definitions among them.

    Attributes:
        notes: What could not be had, and what is used instead, one sentence each.
    """

    def __init__(self, source: LiveSource, schemas: Mapping[str, Any] | None, manifests: Iterable[Object]) -> None:
        self._source = source
        self._schemas = schemas
        self._shipped = None if schemas is None else SchemaDocument(schemas)
        self._documents: dict[str, SchemaDocument | None] = {}
        self._defined: dict[Resource, Type | None] = {}
        self._definitions = self._read_definitions(manifests)
        self.notes: list[str] = []
        if source.info is not None and _is_newer(source.info.version, schema_version()):
            self.notes.append(
                f"the server is Kubernetes {source.info.version}, newer than {schema_version()}, the newest that this "
                "release of drift knows: defaults of fields that are new since then may be shown as changes"
            )

    def type(self, resource: Resource) -> Type:
        """The type of a kind; `UNKNOWN` where nobody describes it.

        Raises:
            ConnectError: The API server cannot be reached any more.
        """
        if resource.root not in self._documents:
            self._documents[resource.root] = self._document(resource)
        document = self._documents[resource.root]
        known = document and document.kind(resource.group, resource.version, resource.kind)
        return known or self._defined_type(resource) or self._newest_shipped(resource) or UNKNOWN

    def _newest_shipped(self, resource: Resource) -> Type | None:
        """The kind in its newest version, for a dump in one that Kubernetes no longer has: few fields differ."""
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
                f"the server gives no schema of {resource.api_version}; that of Kubernetes {schema_version()} is used"
            )
            return shipped
        self.notes.append(f"the server gives no schema of {resource.api_version}, so its lists are compared as wholes")
        return None

    def _defined_type(self, resource: Resource) -> Type | None:
        """The type of a custom resource from its definition, live or in Git, where no server describes it."""
        definition = self._definitions.get((resource.group, resource.kind))
        if definition is None or self._schemas is None:
            return None
        if resource not in self._defined:
            document = openapi_document(definition, resource.version, self._schemas)
            self._defined[resource] = (
                None
                if document is None
                else SchemaDocument(document).kind(resource.group, resource.version, resource.kind)
            )
        return self._defined[resource]

    def _read_definitions(self, manifests: Iterable[Object]) -> dict[tuple[str, str], Object]:
        resource = self._source.resources.find("apiextensions.k8s.io/v1", "CustomResourceDefinition")
        if self._schemas is None or resource is None:
            return {}
        # The live definition is the one that the live object's defaults come from, so it comes last and wins.
        bodies = [*manifests, *(live.body for live in self._source.list(resource, None))]
        return {kind: body for body in bodies if (kind := defined_kind(body)) is not None}
