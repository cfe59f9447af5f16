"""Facts that the API server's OpenAPI document does not declare: defaults, omitempty, and allocated fields.

``python -m tools.learn`` learns the data from a real API server and from the Go types of its API. Facts are keyed by
schema type and field, so they apply to every kind that embeds a type.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from drift.model import Json, Object
from drift.schema.conditional import DEFAULTS_BY_PARENT_FIELD, RULES
from drift.schema.shipped import compact_schemas
from drift.schema.types import ABSENT, Shape, Type

_CORE: Final = "io.k8s.api.core.v1."
_CSR: Final = "io.k8s.api.certificates.v1.CertificateSigningRequestSpec"

#: Fields, by schema type, whose values are allocated or generated for one object: addresses, ports, selectors.
#: If Git does not set such a field, no value in it is a difference, whichever manager owns it. For instance, the user
#: who created an object owns all of these fields even if an applier took the object over later.
ALLOCATED: Final = frozenset(
    {
        (_CORE + "ServicePort", "nodePort"),
        (_CORE + "ServiceSpec", "clusterIP"),
        (_CORE + "ServiceSpec", "clusterIPs"),
        (_CORE + "ServiceSpec", "healthCheckNodePort"),
        (_CORE + "ServiceSpec", "ipFamilies"),
        (_CORE + "ServiceSpec", "ipFamilyPolicy"),
        (_CORE + "PersistentVolumeClaimSpec", "storageClassName"),
        (_CORE + "PersistentVolumeClaimSpec", "volumeName"),
        (_CORE + "PersistentVolumeSpec", "claimRef"),
        # In the reference to the claim that a volume is bound to.
        (_CORE + "ObjectReference", "resourceVersion"),
        (_CORE + "ObjectReference", "uid"),
        (_CORE + "PodSpec", "priority"),
        # Derived from the Job's UID.
        ("io.k8s.api.batch.v1.JobSpec", "selector"),
        # The user that requested the certificate.
        (_CSR, "extra"),
        (_CSR, "groups"),
        (_CSR, "uid"),
        (_CSR, "username"),
    }
)

#: The allocated fields that the server sets only on the object itself, such as the priority that admission derives from
#: the priority class. In a template, a manager has set them.
NOT_IN_TEMPLATES: Final = frozenset(
    {
        (_CORE + "PodSpec", "priority"),
        (_CORE + "PersistentVolumeClaimSpec", "storageClassName"),
        (_CORE + "PersistentVolumeClaimSpec", "volumeName"),
    }
)

#: Fields that the ``scale`` subresource sets. If such a field had no owner before, the API server records none. A value
#: other than the default was then set by an unknown manager.
SCALED: Final = frozenset(
    {
        ("io.k8s.api.apps.v1.DeploymentSpec", "replicas"),
        ("io.k8s.api.apps.v1.ReplicaSetSpec", "replicas"),
        ("io.k8s.api.apps.v1.StatefulSetSpec", "replicas"),
        (_CORE + "ReplicationControllerSpec", "replicas"),
    }
)
_UNSTABLE: Final = re.compile(r"(io\.k8s\.[\w.-]+\.v\d+)(?:alpha|beta)\d+(\.\w+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about built-in types.

    Attributes:
        defaults: The value that the server fills in for an absent field: schema type -> field -> value.
        pointers: The fields whose zero value or empty object the server keeps: schema type -> fields. A type without an
            entry is not built in; the server keeps all of its zero values.
        declared: The fields that each type had when the facts were learned: schema type -> fields. A type without an
            entry is taken to have every field.

    An unknown alpha or beta type has the facts of the stable type with the same group and name.
    """

    defaults: Mapping[str, Mapping[str, Json]]
    pointers: Mapping[str, frozenset[str]]
    declared: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def default(self, parent: Type, field: str, siblings: Object, parent_field: str = "") -> Json:
        """Returns what the server fills in for an absent field, or `ABSENT` if it fills in nothing.

        Args:
            parent: The type of the object that lacks the field.
            field: The field.
            siblings: The object that lacks the field. Some defaults depend on its other fields.
            parent_field: The field that holds that object; "" if it is not known.
        """
        if parent.shape is Shape.MAP:
            # A default in the schema of a map's values does not add keys.
            return ABSENT
        type_name = self._known_name(parent.name)
        more_specific = DEFAULTS_BY_PARENT_FIELD.get((type_name, parent_field), {})
        if field in more_specific:
            return more_specific[field]
        rule = RULES.get((type_name, field))
        if rule is not None:
            return rule(siblings)
        known = self.defaults.get(type_name)
        if known is not None and field in known:
            return known[field]
        return parent.field(field).default

    def is_omitempty(self, parent: Type, field: str) -> bool:
        """Whether the server drops a field's zero value (false, 0, "", an empty object).

        False for a field that is not declared: it belongs to another version of Kubernetes, and may be a pointer with a
        default that is not zero.
        """
        type_name = self._known_name(parent.name)
        pointers = self.pointers.get(type_name)
        if pointers is None or field in pointers:
            return False
        declared = self.declared.get(type_name)
        return declared is None or field in declared

    def _known_name(self, name: str) -> str:
        if name in self.pointers:
            return name
        stable = _stable_name(name)
        return stable if stable in self.pointers else name


@lru_cache(maxsize=4096)
def _stable_name(name: str) -> str:
    """Returns ``io.k8s.api.autoscaling.v2.X`` for ``io.k8s.api.autoscaling.v2beta1.X``; a stable name unchanged."""
    unstable = _UNSTABLE.fullmatch(name)
    return name if unstable is None else unstable[1] + unstable[2]


@cache
def known_facts() -> Facts:
    """Returns the shipped facts."""
    data: dict[str, Any] = json.loads(resources.files(__package__).joinpath("data/facts.json").read_text("utf-8"))
    return Facts(
        defaults=data["defaults"],
        pointers={name: frozenset(fields) for name, fields in data["pointers"].items()},
        declared={
            name: frozenset(schema["properties"])
            for name, schema in compact_schemas()["components"]["schemas"].items()
            if "properties" in schema
        },
    )
