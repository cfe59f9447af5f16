"""The fingerprints of findings."""

from drift.model import Change, ObjectKey
from drift.policy.findings import fingerprint

KEY = ObjectKey("apps", "Deployment", "n", "a")


def test_a_fingerprint_is_derived_from_names() -> None:
    one = fingerprint("c", KEY, "spec.replicas", Change.CHANGED)

    assert one == fingerprint("c", KEY, "spec.replicas", Change.CHANGED)
    assert len(one) == 16
    others = {
        fingerprint("d", KEY, "spec.replicas", Change.CHANGED),
        fingerprint("c", KEY, "spec.paused", Change.CHANGED),
        fingerprint("c", KEY, "spec.replicas", Change.ADDED),
        *(
            fingerprint("c", other, "spec.replicas", Change.CHANGED)
            for other in (
                ObjectKey("", "Deployment", "n", "a"),
                ObjectKey("apps", "Other", "n", "a"),
                ObjectKey("apps", "Deployment", "m", "a"),
                ObjectKey("apps", "Deployment", "n", "b"),
            )
        ),
    }
    assert len(others | {one}) == 8
