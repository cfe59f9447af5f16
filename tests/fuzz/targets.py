"""The fuzz targets: everything that the reporter reads, followed through to reports in every format."""

import json
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn
from unittest import mock

from drift.api import open_dump, scan
from drift.audit.join import AuditOptions
from drift.audit.users import Syncers
from drift.config.reader import parse_settings
from drift.config.settings import Settings
from drift.errors import HistoryError
from drift.gitops.managers import NO_OTHERS
from drift.history.episodes import ScanCoverage, Scope
from drift.history.store import History, read_history
from drift.kube.connection import connect
from drift.model import Report, Unmanaged
from drift.policy.rules import suggest_rules, to_yaml
from drift.report.formats import Format, Style, render
from drift.report.json_report import read_report
from drift.report.merge import merge
from drift.sources.load import LoadedManifests, load_manifests, load_texts
from drift.watch.audit import AuditWindow
from tests.drift.report.reports import RICH
from tests.fuzz.server import ANSWERS, scan_with, watch_with

REPOSITORY: Final = Path(__file__).parents[2]
#: Removed when the process ends.
_SCRATCH: Final = tempfile.TemporaryDirectory(prefix="drift-fuzz-")


def manifests(data: bytes) -> None:
    """Manifests."""
    _render_all(_scan(_manifests(data), live_objects()))


def live(data: bytes) -> None:
    """A dump of live objects."""
    _render_all(_scan(_manifests(desired_objects()), data))


def managed_fields(data: bytes) -> None:
    """``managedFields`` of an object that differs."""
    try:
        record = json.loads(data)
    except (ValueError, RecursionError):
        return
    changed = {**_DEPLOYMENT, "spec": {**_DEPLOYMENT["spec"], "replicas": 7}}
    one = {**changed, "metadata": {**_DEPLOYMENT["metadata"], "managedFields": record}}
    _render_all(_scan(_manifests(json.dumps(_DEPLOYMENT).encode()), json.dumps(one).encode()))


def settings(data: bytes) -> None:
    """``drift.yaml``."""
    chosen = parse_settings(data, "drift.yaml")
    _render_all(_scan(_manifests(desired_objects()), live_objects(), chosen))


def saved_report(data: bytes) -> None:
    """A saved report, alone and merged with others."""
    report = read_report(data, "report.json")
    _render_all(report)
    _render_all(merge([report, RICH, report]))


def kubeconfig(data: bytes) -> None:
    """A kubeconfig; its programs and servers are not called."""
    with _nothing_runs_or_connects():
        connect(_file(data, "kubeconfig"), None)


def audit_log(data: bytes) -> None:
    """An audit log about an object that differs in every way, as a file and as what a watch receives."""
    template = {**_DEPLOYMENT["spec"]["template"]["spec"], "hostNetwork": True, "containers": [{"name": "web"}]}
    spec = {**_DEPLOYMENT["spec"], "replicas": 7, "template": {"spec": template}}
    one = {**_DEPLOYMENT, "spec": spec, "metadata": {**_DEPLOYMENT["metadata"], "managedFields": MANAGED_FIELDS}}
    gone = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "gone", "namespace": "shop"}}
    desired = b"\n---\n".join(json.dumps(body).encode() for body in (_DEPLOYMENT, gone))
    dump = open_dump([_file(json.dumps(one).encode(), "live.yaml")])
    log = AuditOptions((_file(data, "audit.log"),))
    _render_all(scan(_manifests(desired), dump, audit=log))
    window = AuditWindow(AuditOptions(()))
    window.add(data)
    report = scan(_manifests(desired), dump)
    _render_all(window.join(report, dump.resources, Syncers(NO_OTHERS), is_whole=True))


def history(data: bytes) -> None:
    """A history file: a scan continues it, or sets it aside as broken."""
    file = Path(_file(data, "history.db"))
    for beside in file.parent.glob("history.db?*"):
        beside.unlink()
    with suppress(HistoryError):
        read_history(file)
    report = History(file, lambda _: None).record(RICH, Scope("https://a", "b"), ScanCoverage(Unmanaged.NAMESPACE))
    _render_all(report)


def _answer(question: str) -> Callable[[bytes], None]:
    """One kind of answer of the API server; the others are valid."""
    return lambda data: _render_all(scan_with(question, data))


TARGETS: Final[Mapping[str, Callable[[bytes], None]]] = {
    "manifests": manifests,
    "live": live,
    "managed-fields": managed_fields,
    "settings": settings,
    "saved-report": saved_report,
    "kubeconfig": kubeconfig,
    "history": history,
    "audit-log": audit_log,
    **{f"answer-{question}": _answer(question) for question in ANSWERS},
    "answer-watch": watch_with,
}


def _scan(desired: LoadedManifests, dump: bytes, chosen: Settings | None = None) -> Report:
    return scan(desired, open_dump([_file(dump, "live.yaml")]), settings=chosen)


def _manifests(data: bytes) -> LoadedManifests:
    return load_manifests([_file(data, "manifests.yaml")])


def _render_all(report: Report) -> None:
    for form in Format:
        # Encoded as for a file or a terminal.
        render(report, form, Style(verbose=True, color=form is Format.TEXT)).encode()
    to_yaml(suggest_rules(report)).encode()


def _file(data: bytes, name: str) -> str:
    file = Path(_SCRATCH.name) / name
    file.write_bytes(data)
    return str(file)


@cache
def desired_objects() -> bytes:
    """Manifests of many kinds."""
    files = sorted((REPOSITORY / "dist" / "prod").glob("*.yaml"))
    return b"\n---\n".join(file.read_bytes() for file in files if file.name != "kustomization.yaml")


@cache
def live_objects() -> bytes:
    """The same objects in a cluster: one is missing, one changed, and one unmanaged."""
    objects = [manifest.body for manifest in load_texts([("manifests.yaml", desired_objects())]).manifests]
    stray = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stray", "namespace": "rescan-prod"}}
    return b"\n---\n".join(json.dumps(_as_live(one)).encode() for one in [*objects[1:], _DEPLOYMENT, stray])


def _as_live(body: dict[str, Any]) -> dict[str, Any]:
    metadata = {**body["metadata"], "managedFields": MANAGED_FIELDS}
    if body["kind"] == "ConfigMap":
        return {**body, "metadata": metadata, "data": {"changed": "by hand"}}
    return {**body, "metadata": metadata}


#: Every form of an element of FieldsV1.
MANAGED_FIELDS: Final = [
    {
        "manager": "kustomize-controller",
        "operation": "Apply",
        "apiVersion": "apps/v1",
        "time": "2026-01-01T12:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {
            "f:spec": {
                "f:replicas": {},
                "f:template": {"f:spec": {"f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}}}}},
            },
            "f:metadata": {"f:finalizers": {'v:"a"': {}}, "f:labels": {".": {}}},
        },
    },
    {
        "manager": "kubectl-edit",
        "operation": "Update",
        "apiVersion": "apps/v1",
        "time": "2026-01-02T12:00:00Z",
        "subresource": "scale",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:spec": {"f:replicas": {}, "f:list": {"i:0": {}}}},
    },
]
_DEPLOYMENT: Final[dict[str, Any]] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop", "annotations": {"a": "b"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "containers": [
                    {"name": "web", "image": "nginx:1", "resources": {"limits": {"cpu": "1500m", "memory": "1Gi"}}}
                ]
            },
        },
    },
}


@contextmanager
def _nothing_runs_or_connects() -> Iterator[None]:
    with mock.patch.object(subprocess, "Popen", _refuse), mock.patch.object(socket, "create_connection", _refuse):
        yield


def _refuse(*_: object, **__: object) -> NoReturn:
    raise OSError("not in a test")
