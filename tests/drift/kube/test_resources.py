"""Kinds, their versions and their paths."""

import pytest

from drift.kube.resources import Resource, Resources
from drift.schema.shipped import built_in_kinds


def _resource(group: str, version: str, kind: str = "Widget") -> Resource:
    return Resource(group, version, kind, f"{kind.lower()}s", namespaced=True, verbs=frozenset())


@pytest.mark.parametrize(
    ("api_version", "kind", "suggestions"),
    [
        ("apps/v1", "Deploymnet", ["Deployment in apps/v1"]),
        ("apps/v1", "deployment", ["Deployment in apps/v1"]),
        ("app/v1", "Deployment", ["Deployment in apps/v1"]),
        ("v1", "Deployment", ["Deployment in apps/v1"]),
        ("app/v1", "Deploymnet", ["Deployment in apps/v1"]),
        ("extensions/v1beta1", "Ingress", ["Ingress in networking.k8s.io/v1"]),
        ("example.com/v1", "Nothing", []),
    ],
)
def test_suggestions_for_a_kind_that_is_not_served(api_version: str, kind: str, suggestions: list[str]) -> None:
    resources = Resources(Resource.from_data(kind) for kind in built_in_kinds())

    assert resources.similar(api_version, kind) == suggestions


def test_the_first_version_is_the_preferred_one() -> None:
    resources = Resources([_resource("example.com", "v1"), _resource("example.com", "v1beta1")], ["down/v1"])

    preferred = resources.preferred("example.com", "Widget")

    assert preferred is not None
    assert preferred.version == "v1"
    assert resources.find("example.com/v1beta1", "Widget") == _resource("example.com", "v1beta1")
    assert resources.find("example.com/v2", "Widget") is None
    assert resources.preferred("", "Widget") is None
    assert resources.all_preferred() == [preferred]
    assert resources.is_broken("down/v1")


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "path"),
    [
        (_resource("", "v1"), None, None, "/api/v1/widgets"),
        (_resource("", "v1"), "n", "a", "/api/v1/namespaces/n/widgets/a"),
        (_resource("example.com", "v1"), "n", None, "/apis/example.com/v1/namespaces/n/widgets"),
        (_resource("", "v1"), None, "system:node", "/api/v1/widgets/system:node"),
        (_resource("", "v1"), "n", "../secrets/a", "/api/v1/namespaces/n/widgets/..%2Fsecrets%2Fa"),
        (_resource("", "v1"), "n", "..", "/api/v1/namespaces/n/widgets/%2E%2E"),
        (_resource("", "v1"), "n", "a?watch=1#b", "/api/v1/namespaces/n/widgets/a%3Fwatch%3D1%23b"),
    ],
)
def test_a_name_cannot_change_the_path(resource: Resource, namespace: str | None, name: str, path: str) -> None:
    assert resource.path(namespace, name) == path
