"""Random edits of every object of the corpus: adopted, Git says what is live; reverted, the cluster says what Git says.

To try more: ``MUTATION_SEED=7 MUTATION_ACTIONS=15 pytest tests/mutation/test_actions.py``.
"""

import json
import logging
import os
import random
import shlex
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import pytest
import yaml

from drift.actions.adopt import adopt
from drift.actions.revert import revert
from drift.actions.selection import Selected
from drift.compare.objects import compare_object
from drift.kube.live import read_live
from drift.model import ManifestsInfo, ObjectReport, Report, Status
from drift.objects import Object, ObjectKey, Source
from drift.policy.findings import object_findings
from drift.sources.load import load_texts
from tests.corpus.syncing import synced_corpus
from tests.mutation.server import Refused
from tests.mutation.subjects import Subject, subjects
from tests.mutation.test_mutation import Synced
from tests.mutation.trials import sample_of_edits
from tools.sandbox.cluster import Cluster
from tools.sandbox.syncers import Syncer

LOG: Final = logging.getLogger(__name__)
SEED: Final = os.environ.get("MUTATION_SEED", "1")
# Per object.
ACTIONS: Final = int(os.environ.get("MUTATION_ACTIONS", "4"))
FILE: Final = "object.yaml"
REPORT: Final = Report("2026-01-01T00:00:00Z", None, ManifestsInfo((FILE,), None, None), ())


def _block(body: Object) -> str:
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


#: The ways in which people write manifests.
STYLES: Final[dict[str, Callable[[Object], str]]] = {
    "block": _block,
    "commented": lambda body: (
        "".join(f"{line}\n# keep {n}\n" for n, line in enumerate(_block(body).split("\n")[:3]))
        + "\n".join(_block(body).split("\n")[3:])
    ),
    "flow": lambda body: yaml.safe_dump(body, sort_keys=False, default_flow_style=True),
    "quoted": lambda body: yaml.safe_dump(body, sort_keys=False, default_style='"'),
    "windows": lambda body: _block(body).replace("\n", "\r\n"),
    "json": lambda body: json.dumps(body, indent=2),
    "second document": lambda body: f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: first}}\n---\n{_block(body)}",
    "list": lambda body: _block({"apiVersion": "v1", "kind": "List", "items": [body]}),
}


@pytest.fixture(scope="module")
def synced(cluster: Cluster) -> Iterator[Synced]:
    with synced_corpus(cluster, Syncer.FLUX) as namespace:
        yield Synced(cluster, namespace, *subjects(cluster, namespace))


def _choose(subject: Subject) -> random.Random:
    return random.Random(f"{SEED} {subject}")  # noqa: S311 - must be repeatable


def _report(subject: Subject, manifest: Object, live: Object, document: int = 1) -> ObjectReport:
    """The report of an object that a user edited."""
    read = read_live(live, subject.resource.api_version, subject.resource.kind)
    compared = compare_object(manifest, read.body, read.last_applied, subject.schema)
    where = live["metadata"].get("namespace")
    key = ObjectKey(subject.resource.group, subject.resource.kind, where, subject.manifest.name)
    findings = tuple(finding for finding in object_findings(compared, key, "") if finding.is_drift)
    return ObjectReport(
        subject.resource.api_version,
        key,
        Source(FILE, document, 1),
        Status.DRIFTED if findings else Status.IN_SYNC,
        findings=findings,
        uid=read.uid,
        resource_version=read.resource_version,
        generation=read.generation,
    )


def _selected(item: ObjectReport) -> tuple[Selected, ...]:
    return tuple(Selected(item, finding) for finding in item.findings)


def test_what_is_adopted_differs_no_more(synced: Synced) -> None:
    adopted, refused, failures = 0, Counter[str](), []
    for subject in (subject for subject in synced.subjects if subject.manifest.kind != "Secret"):
        choose = _choose(subject)
        live = synced.server.get(subject.path)
        style = choose.choice(sorted(STYLES))
        text = STYLES[style](subject.manifest.body)
        if subject.manifest.body not in [m.body for m in load_texts([(FILE, text.encode())]).manifests]:
            # PyYAML and kubectl read a few words differently.
            style, text = "json", STYLES["json"](subject.manifest.body)
        document = 2 if style == "second document" else 1
        for edit in sample_of_edits(live, subject, choose, ACTIONS):
            after = synced.server.patch_for_show(subject.path, edit.patch)
            if isinstance(after, Refused):
                continue
            edited, body, expected = text, subject.manifest.body, set[str]()
            # What Git no longer accounts for, such as rules that an aggregation made, takes a second report.
            for _ in range(2):
                item = _report(subject, body, after, document)
                item = replace(item, findings=tuple(one for one in item.findings if one.id not in expected))
                adoption = adopt(_selected(item), REPORT, {FILE: edited}.__getitem__, lambda _: None)
                refused.update(one.reason for one in adoption.refused)
                expected |= {one.selected.finding.id for one in adoption.refused}
                adopted += len(adoption.adopted)
                for change in adoption.changes:
                    assert change.after is not None
                    edited = change.after
                manifests = load_texts([(FILE, edited.encode())]).manifests
                (body,) = [manifest.body for manifest in manifests if manifest.name == subject.manifest.name]
            left = {finding.id for finding in _report(subject, body, after).findings}
            if left - expected:
                failures.append(f"{subject} as {style}: {edit}: {left - expected}\n{edited}")

    LOG.info("%d findings adopted; refused: %s", adopted, refused)
    assert not failures, "\n".join(failures)
    assert refused.total() <= adopted // 10, refused
    assert adopted >= len(synced.subjects)


def test_what_is_reverted_is_in_sync(synced: Synced) -> None:
    reverted, refused, failures = 0, Counter[str](), []
    for subject in (subject for subject in synced.subjects if subject.manifest.kind != "Secret"):
        choose = _choose(subject)
        for edit in sample_of_edits(synced.server.get(subject.path), subject, choose, ACTIONS):
            before = _report(subject, subject.manifest.body, synced.server.get(subject.path))
            after = synced.server.patch(subject.path, edit.patch)
            if isinstance(after, Refused):
                continue
            known = {finding.id for finding in before.findings}
            # What the edit made the server fill in, such as the targetPort of another port, takes a second report.
            for _ in range(2):
                item = _report(subject, subject.manifest.body, after)
                item = replace(item, findings=tuple(one for one in item.findings if one.id not in known))
                reversal = revert(_selected(item), REPORT)
                refused.update(one.reason for one in reversal.refused)
                known |= {one.selected.finding.id for one in reversal.refused}
                for command in reversal.commands:
                    answer = synced.server.patch(subject.path, _operations(command.text))
                    if isinstance(answer, Refused):
                        refused["the server does not accept the change back"] += 1
                        known |= {one.finding.id for one in command.findings}
                        continue
                    after = answer
                    reverted += len(command.findings)
            left = {finding.id for finding in _report(subject, subject.manifest.body, after).findings} - known
            if left:
                failures.append(f"{subject}: {edit}: {left}")

    LOG.info("%d findings reverted; refused: %s", reverted, refused)
    assert not failures, "\n".join(failures)
    assert refused.total() <= reverted // 10, refused
    assert reverted >= len(synced.subjects)


def _operations(command: str) -> list[dict[str, Any]]:
    (found,) = [word.removeprefix("--patch=") for word in shlex.split(command) if word.startswith("--patch=")]
    operations: list[dict[str, Any]] = json.loads(found)
    return operations
