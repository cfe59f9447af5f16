"""Random edits of every object of the corpus: the report names the change, its manager, and nothing else.

To try more and other edits: ``MUTATION_SEED=7 MUTATION_EDITS=1000 pytest tests/mutation``.
"""

import logging
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from drift.objects import Object
from tests.corpus.syncing import corpus_manifests, synced_corpus
from tests.mutation.differences import ABSENT, RawDifference, raw_differences
from tests.mutation.edits import Action, Shape
from tests.mutation.exceptions import EXCEPTIONS, MARKS
from tests.mutation.kubectl import kubectl_diff
from tests.mutation.oracle import covers
from tests.mutation.patches import locate
from tests.mutation.server import Refused, Server
from tests.mutation.subjects import Subject, subjects
from tests.mutation.trials import Tally, sample_of_edits, try_edits
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer

LOG: Final = logging.getLogger(__name__)
SEED: Final = os.environ.get("MUTATION_SEED", "1")
# Per object and applier.
EDITS: Final = int(os.environ.get("MUTATION_EDITS", "36"))
PERSISTED: Final = 60


@dataclass(frozen=True, slots=True)
class Synced:
    """The corpus in a namespace of the sandbox."""

    cluster: Cluster
    namespace: str
    server: Server
    subjects: list[Subject]


@pytest.fixture(scope="module")
def synced(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Synced]:
    with synced_corpus(cluster, request.param) as namespace:
        yield Synced(cluster, namespace, *subjects(cluster, namespace))


@pytest.mark.parametrize("synced", [Syncer.FLUX, Syncer.ARGOCD], ids=lambda syncer: str(syncer.value), indirect=True)
def test_every_edit_is_reported_with_its_manager_and_nothing_else(
    synced: Synced, record_property: Callable[[str, object], None]
) -> None:
    tally = Tally()
    for subject in synced.subjects:
        try_edits(synced.server, subject, _random_for(subject), EDITS, tally)

    record_property("accepted", tally.accepted.total())
    record_property("refused", tally.refused)
    record_property("silent for a reason", dict(tally.excepted))
    LOG.info("%d edits compared, %d refused; %s", tally.accepted.total(), tally.refused, tally.excepted)
    assert not tally.failures, "\n".join(tally.failures)
    assert len(tally.accepted) == len(corpus_manifests(synced.cluster))
    assert set(tally.shapes) >= {
        (shape, action) for shape in Shape for action in (Action.CHANGE, Action.ADD, Action.REMOVE)
    }
    assert tally.accepted.total() >= 1000


@pytest.mark.parametrize("synced", [Syncer.FLUX], ids=lambda syncer: str(syncer.value), indirect=True)
def test_the_report_shows_every_difference_that_kubectl_diff_shows(synced: Synced, tmp_path: Path) -> None:
    edited = _persist_one_edit_of_each(synced)
    manifests = [subject.manifest.body for subject in edited if _can_be_applied(synced.server, subject)]
    shown = list(kubectl_diff(synced.cluster, synced.namespace, manifests, tmp_path))

    by_identity = {_identity(synced.server.get(subject.path)): subject for subject in synced.subjects}
    missed = []
    differing = 0
    for live, merged in shown:
        subject = by_identity[_identity(live)]
        report = subject.report(synced.server.get(subject.path))
        for raw in raw_differences(live, merged, subject.node):
            if not _is_no_drift(raw, subject):
                differing += 1
                if not any(covers(judged, raw) for judged in report):
                    missed.append(f"{subject}: {raw}")

    assert not missed, "\n".join(missed)
    assert len(manifests) >= PERSISTED
    assert differing >= PERSISTED // 2


def _random_for(subject: Subject) -> random.Random:
    """Returns a generator that depends only on the seed and the object."""
    return random.Random(f"{SEED} {subject}")  # noqa: S311 - must be repeatable


def _is_no_drift(raw: RawDifference, subject: Subject) -> bool:
    """Whether an apply changes this although Git does not ask for it."""
    manifest = subject.manifest.body
    # The files of the corpus lack the tracking metadata.
    is_mark = str(raw.path[-1]).startswith(MARKS)
    # Such as the labels that a Job gets from its template.
    is_filled_in = raw.before is ABSENT and locate(manifest, raw.path)[0] is ABSENT
    return is_mark or is_filled_in or (raw.path == ("rules",) and "aggregationRule" in manifest)


def _persist_one_edit_of_each(synced: Synced) -> list[Subject]:
    edited = []
    # An edited CRD would change all objects of its kind, and kubectl masks the values of Secrets.
    left_out = {"CustomResourceDefinition", "Secret"}
    for subject in (subject for subject in synced.subjects if subject.manifest.kind not in left_out):
        live = synced.server.get(subject.path)
        for edit in sample_of_edits(live, subject, _random_for(subject), EDITS):
            # An apply keeps fields that another manager added, so kubectl does not show them.
            if edit.action is not Action.ADD and "ownerReferences" not in edit.path:
                before = synced.server.get(subject.path)
                after = synced.server.patch(subject.path, edit.patch)
                if not isinstance(after, Refused) and raw_differences(before, after, subject.node):
                    edited.append(subject)
                    break
    return edited


def _can_be_applied(server: Server, subject: Subject) -> bool:
    """Whether an apply can revert the edit; with immutable set to true, for example, it cannot."""
    return not isinstance(server.apply_for_show(subject.path, subject.manifest.body), Refused)


def _identity(body: Object) -> tuple[str, str, str, str]:
    metadata = body["metadata"]
    return body["apiVersion"], body["kind"], metadata.get("namespace", ""), metadata["name"]


def test_every_exception_has_its_own_reason() -> None:
    assert len({reason for reason, _ in EXCEPTIONS}) == len(EXCEPTIONS)
