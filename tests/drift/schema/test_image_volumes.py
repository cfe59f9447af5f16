"""The default pull policy of image volumes."""

import pytest

from drift.schema.facts import known_facts
from drift.schema.shipped import compact_schemas
from drift.schema.types import SchemaDocument


@pytest.mark.parametrize(
    ("reference", "policy"), [("pictures:3", "IfNotPresent"), ("pictures", "Always"), ("", "IfNotPresent")]
)
def test_the_pull_policy_of_an_image_volume_depends_on_its_reference(reference: str, policy: str) -> None:
    pod = SchemaDocument(compact_schemas()).kind("", "v1", "Pod")
    assert pod is not None
    image = pod.field("spec").field("volumes").items.field("image")

    assert known_facts().default(image, "pullPolicy", {"reference": reference}) == policy
