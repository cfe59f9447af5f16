"""Valid inputs to start from, and hostile inputs that have broken other readers."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from drift.history.episodes import ScanCoverage, Scope
from drift.history.store import History
from drift.model import Unmanaged
from drift.report.json_report import to_json
from tests.drift.audit.test_events import EVENT, GOOGLE, shapes
from tests.drift.report.reports import EMPTY, HOSTILE, RICH
from tests.fuzz.server import ANSWERS, EVENTS, GROUPS_OF_OLD
from tests.fuzz.targets import MANAGED_FIELDS, desired_objects, live_objects

_SETTINGS: Final = b"""\
ignore:
  - {kind: Deployment, namespace: rescan-*, path: 'spec.**', manager: kubectl, reason: r, expires: 2099-01-31}
  - {name: '*', cause: unknown, group: apps, reason: r}
severity:
  - {severity: low, kind: ConfigMap, path: 'data.**', change: changed, reason: r}
unchecked:
  - {kind: Secret, reason: r}
appliers: [me]
controllers: ['*-operator']
exit: {causes: [manual]}
unmanaged: cluster
"""
_KUBECONFIG: Final = b"""\
apiVersion: v1
kind: Config
current-context: a
contexts:
  - {name: a, context: {cluster: c, user: u, namespace: n}}
clusters:
  - {name: c, cluster: {server: 'https://127.0.0.1:1', certificate-authority-data: QQ==, tls-server-name: t}}
users:
  - {name: u, user: {token: t, username: u, password: p, client-certificate-data: QQ==, client-key-data: QQ==}}
"""
_IMPERSONATING: Final = b"""\
current-context: a
contexts:
  - {name: a, context: {cluster: c, user: u}}
clusters:
  - {name: c, cluster: {server: 'https://a:1', proxy-url: 'http://u:p@b:2', insecure-skip-tls-verify: true}}
users:
  - {name: u, user: {token: t, as: u, as-uid: i, as-groups: [a], as-user-extra: {k: [v]}, auth-provider: {name: gcp}}}
"""
_WITH_PLUGINS: Final = b"""\
apiVersion: v1
kind: Config
current-context: a
contexts: [{name: a, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true}}]
users:
  - name: u
    user:
      exec: {apiVersion: client.authentication.k8s.io/v1, command: plugin, args: [a], env: [{name: n, value: v}]}
      auth-provider: {name: oidc, config: {client-id: i, id-token: a.b.c, idp-issuer-url: 'https://127.0.0.1:1'}}
"""


def _history() -> bytes:
    """A history of two scans."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "history.db"
        for report in (RICH, replace(EMPTY, generated_at="2026-01-02T12:00:00Z")):
            History(file, lambda _: None).record(report, Scope("https://a", "b"), ScanCoverage(Unmanaged.NAMESPACE))
        return file.read_bytes()


#: A ConfigMap in the reference of an event.
GONE: Final = {"resource": "configmaps", "apiGroup": ""}


def _audit_events() -> list[bytes]:
    """Events about the objects of `tests.fuzz.targets.audit_log`, in every shape."""
    item = {"name": "web", "$patch": "replace", "image": "nginx:2"}
    template = {"spec": {"$setElementOrder/containers": [{"name": "web"}], "containers": [item]}}
    steps = [
        {"op": "replace", "path": "/spec/replicas", "value": 7},
        {"op": "add", "path": "/spec/template/spec/containers/0", "value": {"name": "web"}},
        {"op": "move", "from": "/spec/template/spec/hostNetwork", "path": "/spec/x"},
    ]
    whole = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "resourceVersion": "7", "managedFields": MANAGED_FIELDS},
        "spec": {"replicas": 7, "template": {"spec": {"hostNetwork": True, "containers": [{"name": "web"}]}}},
    }
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u"}
    gone = {"apiVersion": "v1", "kind": "ConfigMap"}
    by_scaling = {"name": "web", "subresource": "scale"}
    bodies: list[tuple[str, dict[str, Any], Any, Any]] = [
        ("patch", {"name": "web"}, {"spec": {"replicas": 7, "template": template}}, whole),
        ("patch", {"name": "web"}, steps, whole),
        ("update", {"name": "web"}, whole, None),
        ("create", {"name": "web"}, whole, whole),
        ("patch", by_scaling, {"spec": {"replicas": 7}}, {"kind": "Scale", "spec": {"replicas": 7}}),
        ("delete", {**GONE, "name": "gone"}, None, {"kind": "Status"}),
        ("deletecollection", GONE, None, {"items": [{"metadata": {"name": "gone"}}]}),
        ("delete", {"name": "web"}, {"propagationPolicy": "Background"}, {"kind": "Status", "details": {"uid": "u"}}),
        ("delete", {"name": "shop", "resource": "namespaces", "apiGroup": "", "namespace": None}, None, None),
        ("create", {**GONE, "name": "gone"}, None, {**gone, "metadata": {"name": "gone", "ownerReferences": [owner]}}),
    ]
    events = [
        {
            **EVENT,
            "verb": verb,
            "objectRef": {**EVENT["objectRef"], "name": None, **reference},
            "requestObject": request,
            "responseObject": response,
            "requestReceivedTimestamp": f"2026-01-02T12:00:0{number}.5Z",
        }
        for number, (verb, reference, request, response) in enumerate(bodies)
    ]
    collector = {"username": "system:serviceaccount:kube-system:generic-garbage-collector"}
    last = {**events[5], "user": collector, "requestReceivedTimestamp": "2026-01-02T12:01:00Z"}
    lines = [json.dumps(event).encode() for event in (*events, last)]
    wrapped = [shape.encode() for event in (last, EVENT) for shape in shapes(event).values()]
    # Fuzzing by structure changes the last eight.
    structured = [shapes(last)[name].encode() for name in ("a list on a line", "Azure records", "a row of AKSAudit")]
    return [b"\n".join(lines), *wrapped, *lines, *structured, json.dumps(GOOGLE).encode()]


SEEDS: Final[dict[str, Sequence[bytes]]] = {
    "manifests": [desired_objects(), *(part.encode() for part in desired_objects().decode().split("\n---\n"))],
    "live": [live_objects(), *(part.encode() for part in live_objects().decode().split("\n---\n"))],
    "managed-fields": [json.dumps(MANAGED_FIELDS).encode()],
    "settings": [_SETTINGS],
    "saved-report": [to_json(report).encode() for report in (RICH, HOSTILE, EMPTY)],
    "kubeconfig": [_KUBECONFIG, _WITH_PLUGINS, _IMPERSONATING],
    "history": [_history()],
    "audit-log": _audit_events(),
    **{f"answer-{question}": [json.dumps(answer).encode()] for question, answer in ANSWERS.items()},
    "answer-groups": [json.dumps(groups).encode() for groups in (ANSWERS["groups"], GROUPS_OF_OLD)],
    "answer-watch": [json.dumps(event).encode() + b"\n" for event in EVENTS],
}

_OBJECT: Final = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: rescan-prod}\ndata:\n  "
_IN_JSON: Final = (
    b'{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "rescan-prod"}, "data": %s}'
)
_LAUGHS: Final = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"\n".join(
    b"%c: &%c [%s]" % (letter, letter, b",".join([b"*%c" % (letter - 1)] * 9)) for letter in range(98, 117)
)
_MERGES: Final = b"a0: &a0 {x: 1}\n" + b"\n".join(
    b"a%d: &a%d {<<: [%s]}" % (number, number, b",".join([b"*a%d" % (number - 1)] * 50)) for number in range(1, 40)
)

#: Hostile inputs; every target gets each of them.
NASTY: Final[dict[str, bytes]] = {
    "nothing": b"",
    "a billion laughs": _LAUGHS,
    "merge keys upon merge keys": _MERGES,
    "an anchor that contains itself": b"a: &a [*a]",
    "deep flow lists": b"[" * 100_000,
    "deep flow mappings": b"{a: " * 50_000,
    "deep block": b"\n".join(b" " * depth + b"a:" for depth in range(2_000)),
    "deep JSON": b'{"kind": ' + b'{"a":' * 100_000,
    "deep and closed JSON": b'{"a":' * 900 + b"1" + b"}" * 900,
    "deep value in an object": _OBJECT + b"x: " + b"[" * 150 + b"]" * 150,
    "deep objects in an object": _IN_JSON % (b'{"a":' * 400 + b"1" + b"}" * 400),
    "a huge integer": _OBJECT + b"x: " + b"9" * 100_000,
    "a huge integer in JSON": b'{"kind": ' + b"9" * 100_000 + b"}",
    "a huge float": _OBJECT + b"x: 1e999999",
    "a long float": _OBJECT + b"x: 0." + b"1" * 100_000,
    "not a number": b'{"kind": NaN, "a": Infinity}',
    "a Python object": b"!!python/object/apply:os.system ['true']",
    "an unknown tag": _OBJECT + b"x: !a!b c",
    "a set and a timestamp": _OBJECT + b"x: !!set {a}\n  y: 2026-01-01 12:00:00\n  z: !!timestamp x",
    "a binary that is none": _OBJECT + b"x: !!binary '@'",
    "a key that is a list": b"? [a]\n: b",
    "a key twice": b"a: 1\na: 2",
    "NUL": b"a: \x00\x00",
    "control characters": b"a: \x1b[31m\x07",
    "a byte order mark": b"\xef\xbb\xbf" + _OBJECT + b"x: y",
    "UTF-16": "apiVersion: v1\nkind: Secret".encode("utf-16"),
    "UTF-16 with half a pair": b"\xff\xfea\x00:\x00 \x00\x00\xd8",
    "UTF-32": "a: b".encode("utf-32"),
    "Latin-1": "a: Müller".encode("latin-1"),
    "half a character in JSON": b'{"apiVersion": "\\ud800", "kind": "\\udfff", "metadata": {"name": "\\ud800"}}',
    "half a character in YAML": _OBJECT + b'x: "\\uD800"',
    "directives": b"%YAML 9.9\n%TAG ! tag:x,2000:\n--- !x a",
    "many documents": b"---\n" * 50_000,
    "a list of lists": b'{"apiVersion": "v1", "kind": "List", "items": [{"kind": "List", "items": [null]}]}',
    "metadata that is a text": b"apiVersion: v1\nkind: Pod\nmetadata: x",
    "names that are numbers": b"apiVersion: 1\nkind: 2\nmetadata: {name: 3}",
    "a long name": b"apiVersion: v1\nkind: Pod\nmetadata: {name: " + b"x" * 300_000 + b"}",
    "many keys": _OBJECT + b"\n  ".join(b"k%d: v" % number for number in range(20_000)),
    "a list where an object is": b'[{"apiVersion": "v1"}]',
    "numbers as keys": b"1: 2\n3.5: 4\ntrue: 5\nnull: 6",
    "an old report": b'{"apiVersion": "drift/v0", "kind": "DriftReport"}',
}
