"""Every shape in which clouds export audit events is read, and nothing else is taken for one."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drift.audit.events import AuditEvent, ReadTally, Wanted, find_logs, may_concern, may_delete, read_events
from drift.errors import UsageError
from drift.objects import Json

EVENT: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "0b7f",
    "stage": "ResponseComplete",
    "requestURI": "/apis/apps/v1/namespaces/shop/deployments/web?fieldManager=kubectl-set",
    "verb": "patch",
    "user": {"username": "jane@example.com", "groups": ["system:authenticated"]},
    "sourceIPs": ["192.0.2.1"],
    "userAgent": "kubectl/v1.36.3 (linux/amd64) kubernetes/0000000",
    "objectRef": {
        "resource": "deployments",
        "namespace": "shop",
        "name": "web",
        "apiGroup": "apps",
        "apiVersion": "v1",
    },
    "responseStatus": {"metadata": {}, "code": 200},
    "requestObject": {"spec": {"replicas": 5}},
    "responseObject": {"kind": "Deployment", "metadata": {"name": "web"}},
    "requestReceivedTimestamp": "2026-01-31T12:00:00.123456Z",
    "stageTimestamp": "2026-01-31T12:00:00.234567Z",
    "annotations": {"authorization.k8s.io/decision": "allow"},
}
TEXT = json.dumps(EVENT, separators=(",", ":"))
GOOGLE = {
    "insertId": "1a",
    "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
    "timestamp": "2026-01-31T12:00:00.123456Z",
    "resource": {"type": "k8s_cluster", "labels": {"cluster_name": "c"}},
    "operation": {"id": "1a", "producer": "k8s.io", "first": True, "last": True},
    "protoPayload": {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "serviceName": "k8s.io",
        "methodName": "io.k8s.apps.v1.deployments.patch",
        "resourceName": "apps/v1/namespaces/shop/deployments/web",
        "authenticationInfo": {"principalEmail": "jane@example.com"},
        "requestMetadata": {"callerIp": "192.0.2.1", "callerSuppliedUserAgent": EVENT["userAgent"]},
        "status": {"code": 0},
        "response": EVENT["responseObject"],
    },
}


def shapes(event: dict[str, Any]) -> dict[str, str]:
    """Returns an event as every source wraps it."""
    text = json.dumps(event, separators=(",", ":"))
    columns = {
        "TimeGenerated": "2026-01-31T12:00:01Z",
        "Level": event["level"],
        "Stage": event["stage"],
        "RequestUri": event["requestURI"],
        "Verb": event["verb"],
        "User": event["user"],
        "UserAgent": event["userAgent"],
        "ObjectRef": event["objectRef"],
        "ResponseStatus": event["responseStatus"],
        "RequestObject": event["requestObject"],
        "ResponseObject": event["responseObject"],
        "RequestReceivedTime": event["requestReceivedTimestamp"],
        "StageReceivedTime": event["stageTimestamp"],
    }
    row = [{"field": "@timestamp", "value": "x"}, {"field": "@message", "value": text}]
    azure_log = {"time": "x", "category": "kube-audit", "properties": {"log": text, "pod": "p"}}
    delivery = json.dumps({"messageType": "DATA_MESSAGE", "logEvents": [{"message": text}]})
    return {
        "an event a line": text,
        "a list on a line": json.dumps({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "items": [event]}),
        "a list over many lines": json.dumps({"kind": "EventList", "items": [event]}, indent=2),
        "a CloudWatch subscription": delivery,
        "a CloudWatch delivery without line breaks": json.dumps({"messageType": "CONTROL_MESSAGE", "logEvents": []})
        + delivery,
        "aws logs filter-log-events": json.dumps({"events": [{"timestamp": 1, "message": text}], "x": []}, indent=4),
        "CloudWatch Logs Insights": json.dumps({"results": [row]}),
        "rows of CloudWatch Logs Insights": json.dumps([{"@timestamp": "x", "@message": event}]),
        "a CloudWatch export to S3": f"2026-01-31T12:00:00.234Z {text}",
        "an Azure resource log": json.dumps(azure_log),
        "Azure records": json.dumps({"records": [azure_log]}),
        "a row of AzureDiagnostics": json.dumps({"Category": "kube-audit", "log_s": text}),
        "a row of AKSAudit": json.dumps(columns),
        "a row of AKSAudit with text": json.dumps(
            {name: json.dumps(value) if isinstance(value, dict) else value for name, value in columns.items()}
        ),
    }


SHAPES = shapes(EVENT)


def read(text: str | bytes, folder: Path, *names: str) -> tuple[list[AuditEvent], ReadTally]:
    file = folder / "audit.log"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    tally = ReadTally()
    return list(read_events([str(file)], Wanted(frozenset(names or ("web",))), tally)), tally


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_every_shape_gives_the_same_event(shape: str, pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (expected,), _ = read(TEXT, tmp_path)

    (event,), tally = read(pack(SHAPES[shape].encode()), tmp_path)

    assert event == expected
    assert (event.user, event.manager, event.name) == ("jane@example.com", "kubectl-set", "web")
    assert not list(tally.notes())


@pytest.mark.parametrize("shape", SHAPES)
def test_a_line_of_any_shape_is_passed_over_if_it_is_about_another_object(shape: str) -> None:
    lines = SHAPES[shape].encode().splitlines()
    if len(lines) == 1:
        assert may_concern(lines[0], frozenset({b"web"}))
        assert not may_concern(lines[0], frozenset({b"other"}))
        assert not may_concern(lines[0].replace(b"patch", b"watch"), frozenset({b"web"}))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_deletion_of_any_shape_is_passed_over_if_it_is_in_another_namespace(shape: str) -> None:
    lines = SHAPES[shape].encode().replace(b"patch", b"delete").splitlines()
    if len(lines) == 1:
        assert may_delete(lines[0], frozenset({b"shop"}))
        assert not may_delete(lines[0], frozenset({b"other"}))
        assert not may_delete(SHAPES[shape].encode(), frozenset({b"shop"}))


def test_a_cluster_scoped_deletion_is_never_passed_over() -> None:
    for name in ("admin", 'x","namespace":"shop'):
        reference = {"resource": "clusterroles", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        deletion = {**EVENT, "verb": "delete", "objectRef": reference, "requestObject": {"namespace": "shop"}}
        assert may_delete(json.dumps(deletion).encode(), frozenset({b"other"}))


def test_a_user_agent_hides_no_event() -> None:
    for agent in ('"objectRef":{"name":"other"}', '"verb":"get"', '\\"objectRef\\":{\\"name\\":\\"other\\"}'):
        assert may_concern(
            json.dumps({"userAgent": agent, **EVENT}, separators=(",", ":")).encode(), frozenset({b"web"})
        )


def test_google_gives_neither_the_manager_nor_an_exact_time(tmp_path: Path) -> None:
    (event,), tally = read(json.dumps(GOOGLE), tmp_path)

    assert (event.group, event.version, event.resource) == ("apps", "v1", "deployments")
    assert (event.namespace, event.name, event.verb, event.user) == ("shop", "web", "patch", "jane@example.com")
    assert (event.manager, event.is_manager_given) == ("kubectl", False)
    assert event.completed > event.received
    assert not list(tally.notes())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("core/v1/namespaces/shop", ("", "namespaces", None, "shop", None)),
        ("core/v1/namespaces/shop/pods/a", ("", "pods", "shop", "a", None)),
        ("apps/v1/namespaces/shop/deployments/web/scale", ("apps", "deployments", "shop", "web", "scale")),
        ("rbac.authorization.k8s.io/v1/clusterroles/r", ("rbac.authorization.k8s.io", "clusterroles", None, "r", None)),
    ],
)  # fmt: skip
def test_the_object_of_a_google_entry_is_its_resource_name(name: str, parts: Json, tmp_path: Path) -> None:
    entry = {**GOOGLE, "protoPayload": {**GOOGLE["protoPayload"], "resourceName": name}}  # type: ignore[dict-item]

    (event,), _ = read(json.dumps(entry), tmp_path)

    assert (event.group, event.resource, event.namespace, event.name, event.subresource) == parts


@pytest.mark.parametrize(
    "change",
    [
        {"verb": "get"},
        {"stage": "RequestReceived"},
        {"responseStatus": {"code": 409}},
        {"requestURI": f"{EVENT['requestURI']}&dryRun=All"},
        {"verb": "delete", "requestObject": {"kind": "DeleteOptions", "dryRun": ["All"]}},
        {"verb": "deletecollection", "requestObject": {"dryRun": ["All"]}},
        {"user": {}},
        {"requestReceivedTimestamp": "yesterday"},
        {"objectRef": None},
    ],
    ids=str,
)
def test_what_changed_nothing_is_no_write(change: dict[str, Any], tmp_path: Path) -> None:
    events, _ = read(json.dumps({**EVENT, **change}), tmp_path)

    assert events == []


def test_an_impersonated_user_is_named_with_the_one_behind_it(tmp_path: Path) -> None:
    (event,), _ = read(json.dumps({**EVENT, "impersonatedUser": {"username": "ops"}}), tmp_path)

    assert (event.user, event.impersonated_by) == ("ops", "jane@example.com")


def test_the_values_of_secrets_are_gone_when_an_event_is_read(tmp_path: Path) -> None:
    reference = {**EVENT["objectRef"], "resource": "secrets", "apiGroup": "", "name": "web"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "web"}, "data": {"key": "cGxhbnRlZA=="}}
    bodies: list[tuple[Json, Json]] = [
        (body, body),
        ({"stringData": {"key": "cGxhbnRlZA=="}}, {**body, "kind": "List"}),
        ([{"op": "replace", "path": "/data/key", "value": "cGxhbnRlZA=="}], "cGxhbnRlZA=="),
        ({"cGxhbnRlZA==": "cGxhbnRlZA=="}, {"items": [body]}),
    ]
    for request, response in bodies:
        lines = json.dumps({**EVENT, "objectRef": reference, "requestObject": request, "responseObject": response})

        (event,), _ = read(lines, tmp_path)

        assert "cGxhbnRlZA" not in f"{event.request} {event.response}"


def test_what_is_no_event_is_counted_with_its_place(tmp_path: Path) -> None:
    events, tally = read(f'{TEXT}\nnot json, but a verb": "patch\n{{"verb": "patch"}}\n\n{TEXT}\n', tmp_path)

    assert len(events) == 2
    assert list(tally.notes()) == [f"audit log: 2 lines are not an audit event ({tmp_path}/audit.log:2)"]


def test_a_log_without_events_says_so(tmp_path: Path) -> None:
    _, tally = read("", tmp_path)

    assert list(tally.notes()) == ["audit log: it has no audit events, so it names no one"]


def test_a_damaged_gzip_file_is_read_to_where_it_ends(tmp_path: Path) -> None:
    events, tally = read(gzip.compress(f"{TEXT}\n".encode() * 1000)[:-60], tmp_path)

    assert len(events) > 0
    assert "is not complete" in " ".join(tally.notes())


def test_a_file_brings_those_rotated_out_of_it_and_a_folder_all(tmp_path: Path) -> None:
    for name in (
        "audit.log",
        "audit-2026-01-31T12-00-00.000.log",
        "audit-2026-01-30T12-00-00.000.log.gz",
        "audit-x.log",
    ):
        (tmp_path / name).touch()

    assert [Path(file).name for file in find_logs([str(tmp_path / "audit.log")])] == [
        "audit-2026-01-30T12-00-00.000.log.gz",
        "audit-2026-01-31T12-00-00.000.log",
        "audit.log",
    ]
    assert len(find_logs([str(tmp_path)])) == 4
    with pytest.raises(UsageError, match="does not exist"):
        find_logs([str(tmp_path / "other.log")])
