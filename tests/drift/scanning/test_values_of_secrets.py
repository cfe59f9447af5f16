"""Values that Flux takes from Secrets (``substituteFrom``) are in no report, whatever has happened to the object."""

import json
from typing import Any

import pytest

from drift.kube.resources import Resource, Resources
from drift.model import Cause, ObjectReport, Report, Status, Unmanaged
from drift.objects import Incomparable, Manifest, ObjectKey
from drift.redaction import Redacted
from drift.report.json_report import to_json
from drift.scanning import Options, scan_manifests
from drift.schema.types import compact_schemas
from tests.drift.scanning.memory import CONFIG_MAP, INFO, VERBS, Memory

PLANTED = "s3cr3t"
SECRET = Redacted(PLANTED.encode())
SOURCE = "Kustomization flux-system/apps"
DEPLOYMENT = Resource("apps", "v1", "Deployment", "deployments", namespaced=True, verbs=VERBS)
WIDGET = Resource("example.com", "v1", "Widget", "widgets", namespaced=True, verbs=VERBS)
#: A kind without a schema.
GADGET = Resource("example.com", "v1", "Gadget", "gadgets", namespaced=True, verbs=VERBS)
_STRING = {"type": "string"}
_OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_WIDGETS = {
    "components": {
        "schemas": {
            "com.example.v1.Widget": {
                "type": "object",
                "properties": {
                    "spec": {
                        "type": "object",
                        "properties": {
                            "any": _OPEN,
                            "open": {**_OPEN, "properties": {"port": {"type": "integer"}}},
                            "tags": {"type": "array", "items": _STRING, "x-kubernetes-list-type": "set"},
                            "rules": {
                                "type": "array",
                                "items": {"type": "object", "properties": {"name": _STRING, "path": _STRING}},
                                "x-kubernetes-list-type": "map",
                                "x-kubernetes-list-map-keys": ["name"],
                            },
                        },
                    }
                },
                "x-kubernetes-group-version-kind": [{"group": "example.com", "version": "v1", "kind": "Widget"}],
            }
        }
    }
}
_KEYS = ("ip", "name")
_KEY = ObjectKey("", "ConfigMap", "n", "web")


class _Cluster(Memory):
    """A cluster in memory with the schemas of its kinds."""

    def __init__(self, *bodies: dict[str, Any]) -> None:
        super().__init__(*bodies)
        self.resources = Resources([CONFIG_MAP, DEPLOYMENT, WIDGET, GADGET], broken=[])

    def schema(self, resource: Resource) -> Any:
        return {GADGET: {}, WIDGET: _WIDGETS}.get(resource, compact_schemas())


def _field_set(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return {f"f:{name}": _field_set(below) for name, below in value.items()}
    keys = [name for name in _KEYS if isinstance(value, list) and isinstance(value[0], dict) and name in value[0]]
    if keys:
        return {f"k:{json.dumps({keys[0]: item[keys[0]]})}": {".": {}, **_field_set(item)} for item in value}
    return {f"v:{json.dumps(item)}": {} for item in value} if isinstance(value, list) else {}


def _body(kind: str, **fields: Any) -> dict[str, Any]:
    version = {"ConfigMap": "v1", "Deployment": "apps/v1", "Widget": "example.com/v1", "Gadget": "example.com/v1"}[kind]
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "web", "namespace": "n"}, **fields}


def _live(applied: dict[str, Any], edited: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object that Flux applied and that an editor replaced by another."""
    body = applied if edited is None else edited

    def entry(manager: str, operation: str, time: str) -> dict[str, Any]:
        owned = {name: value for name, value in body.items() if name not in {"apiVersion", "kind"}}
        owned["metadata"] = {name: value for name, value in body["metadata"].items() if name == "labels"}
        return {
            "manager": manager,
            "operation": operation,
            "apiVersion": body["apiVersion"],
            "time": time,
            "fieldsV1": _field_set(owned),
        }

    entries = [entry("kustomize-controller", "Apply", "2026-01-01T00:00:00Z")]
    if edited is not None:
        entries.append(entry("kubectl-edit", "Update", "2026-01-02T00:00:00Z"))
    return {**body, "metadata": {**body["metadata"], "managedFields": entries}}


def _manifests(*bodies: dict[str, Any]) -> tuple[Manifest, ...]:
    return tuple(
        Manifest(body["apiVersion"], body["kind"], "n", body["metadata"]["name"], None, body, origins=(SOURCE,))
        for body in bodies
    )


def _scan(desired: dict[str, Any] | None, live: dict[str, Any], **options: Any) -> Report:
    manifests = () if desired is None else _manifests(desired)
    given = Options(unmanaged=Unmanaged.OFF, **options)
    report = scan_manifests(manifests, _Cluster(live), info=INFO, options=given)
    assert PLANTED not in to_json(report)
    return report


def _compared(
    desired: dict[str, Any], live: dict[str, Any], base: dict[str, Any] | None = None, *, explain: bool = False
) -> ObjectReport:
    """The report if Secrets are read."""
    bases = {} if base is None else {SOURCE: _manifests(base)}
    [report] = _scan(desired, live, with_secret_values=frozenset({SOURCE}), bases=bases, explain=explain).objects
    return report


def _found(report: ObjectReport) -> list[tuple[str, str, bool]]:
    assert report.status in {Status.IN_SYNC, Status.DRIFTED}, report.reason
    return [(one.change.value, one.path, one.redacted) for one in report.findings]


# -- in the key of a list item


def _aliases(*aliases: tuple[Any, str]) -> dict[str, Any]:
    items = [{"ip": ip, "hostnames": [name]} for ip, name in aliases]
    pod = {"hostAliases": items, "containers": [{"name": "web", "image": "nginx"}]}
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return _body("Deployment", spec={"selector": {"matchLabels": labels}, "template": template})


def _rules(*names: Any) -> dict[str, Any]:
    return _body("Widget", spec={"rules": [{"name": name, "path": "/"} for name in names]})


def _tags(*tags: Any) -> dict[str, Any]:
    return _body("Widget", spec={"tags": [*tags]})


_ALIASES = "spec.template.spec.hostAliases"


@pytest.mark.parametrize(
    ("desired", "applied", "edited", "path"),
    [
        (_aliases((SECRET, "nas")), _aliases((PLANTED, "nas")), _aliases((PLANTED, "other")), _ALIASES),
        (_aliases((SECRET, "nas")), _aliases((PLANTED, "nas")), _aliases(("10.0.0.9", "nas")), _ALIASES),
        (
            _aliases((SECRET, "nas")),
            _aliases((PLANTED, "nas")),
            _aliases((PLANTED, "nas"), ("10.0.0.9", "other")),
            _ALIASES,
        ),
        (_rules(SECRET, "a"), _rules(PLANTED, "a"), _rules("a", "b"), "spec.rules"),
        (_tags(SECRET, "a"), _tags(PLANTED, "a"), _tags(PLANTED, "b"), "spec.tags"),
        (_tags(SECRET, "a"), _tags(PLANTED, "a"), _tags("a"), "spec.tags"),
    ],
    ids=["other field", "key", "another item", "custom resource", "member of a set", "no member of a set"],
)
@pytest.mark.parametrize("is_base_known", [True, False], ids=["base", "no base"])
def test_a_list_with_a_value_in_a_key_is_compared_as_a_whole(
    desired: dict[str, Any], applied: dict[str, Any], edited: dict[str, Any], path: str, is_base_known: bool
) -> None:
    base = desired if is_base_known else None

    assert _found(_compared(desired, _live(applied), base)) == []
    assert _found(_compared(desired, _live(applied, edited), base)) == [("changed", path, True)]


def test_a_set_with_values_has_no_order() -> None:
    desired, applied = _tags(SECRET, "b", "a"), _tags("a", "b", PLANTED)

    assert _found(_compared(desired, _live(applied), desired)) == []


# -- that Git does not have any more

UNREAD = Incomparable("it comes from the Secret flux-system/vars, which drift does not read")
URL = f"postgres://app:{PLANTED}@db/app"
BEFORE = {"DB_PASS": PLANTED, "URL": URL, "LEVEL": "info"}
AFTER = {"URL": "postgres://db/app", "LEVEL": "debug"}
HIDDEN: dict[bool, dict[str, Any]] = {
    False: {"DB_PASS": UNREAD, "URL": UNREAD},
    True: {"DB_PASS": SECRET, "URL": Redacted(URL.encode())},
}
MOVED = [("added", "data.DB_PASS", True), ("changed", "data.LEVEL", False), ("changed", "data.URL", True)]
READ = pytest.mark.parametrize("is_read", [False, True], ids=["not read", "read"])


def _config(data: Any, **metadata: Any) -> dict[str, Any]:
    body = _body("ConfigMap", data=data)
    return {**body, "metadata": {**body["metadata"], **metadata}}


@READ
def test_what_git_has_moved_to_a_secret_is_not_shown_before_the_sync(is_read: bool) -> None:
    live = _live(_config(BEFORE))
    base = _config({**BEFORE, **HIDDEN[is_read]})

    assert _found(_compared(base, live, base)) == []
    report = _compared(_config(AFTER), live, base)

    assert _found(report) == MOVED
    assert {one.cause for one in report.findings} == {Cause.PENDING_SYNC}


@READ
def test_without_a_base_no_live_value_of_the_source_is_shown(is_read: bool) -> None:
    live = _live(_config(BEFORE))

    assert _found(_compared(_config({**BEFORE, **HIDDEN[is_read]}), live)) == []
    assert _found(_compared(_config(AFTER), live)) == [(change, path, True) for change, path, _ in MOVED]
    # No variable of this source comes from a Secret.
    [other] = _scan(_config({"LEVEL": "debug"}), _live(_config({"LEVEL": "info"}))).objects
    assert _found(other) == [("changed", "data.LEVEL", False)]


def test_edits_beside_it_are_shown_if_the_base_is_known() -> None:
    base = _config({**BEFORE, **HIDDEN[False]})
    edited = _config({**BEFORE, "LEVEL": "trace", "EXTRA": "x"})
    found = [("added", "data.EXTRA", False), ("changed", "data.LEVEL", False)]

    assert _found(_compared(base, _live(_config(BEFORE), edited), base)) == found
    # Git has the same value as the cluster now.
    assert _found(_compared(_config({**HIDDEN[False], "LEVEL": "trace", "EXTRA": "x"}), _live(edited), base)) == []


def test_a_value_under_a_key_that_a_user_has_renamed_is_not_shown() -> None:
    base = _config({"DB_PASS": UNREAD, "LEVEL": "info"})
    applied = _config({"DB_PASS": PLANTED, "LEVEL": "info"})
    renamed = _config({"PASSWORD": PLANTED, "LEVEL": "info"})

    assert _found(_compared(base, _live(applied, renamed), base)) == [
        ("removed", "data.DB_PASS", True),
        ("added", "data.PASSWORD", True),
    ]


@READ
@pytest.mark.parametrize("name", ["password", "passwd"])
def test_a_list_that_was_edited_beside_a_hidden_value_is_reported(is_read: bool, name: str) -> None:
    """A user has also removed or renamed the key of the value, so that the list might have it."""

    def body(**values: Any) -> dict[str, Any]:
        return _body("Widget", spec={"any": values})

    base = body(password=SECRET if is_read else UNREAD, args=["a", "b"])
    edited = body(**({} if name == "password" else {name: PLANTED}), args=["a", "b", "--insecure"])

    found = _found(_compared(base, _live(body(password=PLANTED, args=["a", "b"]), edited), base))

    renamed = [] if name == "password" else [("added", "spec.any.passwd", True)]
    # Only a value that was not read may be in the list.
    args = ("changed", "spec.any.args", not is_read)
    assert sorted(found) == sorted([*renamed, args, ("removed", "spec.any.password", True)])


@READ
@pytest.mark.parametrize(("kind", "field"), [("Widget", "any"), ("Widget", "open"), ("Gadget", "any")])
@pytest.mark.parametrize(
    ("edited", "path"),
    [
        ({"passwd": PLANTED, "port": 1, "web": {"size": 2}}, "passwd"),
        ({"auth": {"password": PLANTED}, "port": 1, "web": {"size": 2}}, "auth"),
        ({"port": 1, "web": {"size": 2, "password": PLANTED}}, "web.password"),
        ({"port": 1, "web": {"size": 2, "auth": [PLANTED]}}, "web.auth"),
    ],
    ids=["renamed", "in a new object", "in another object", "in a list"],
)
def test_a_value_under_another_key_of_an_object_that_allows_any_is_not_shown(
    is_read: bool, kind: str, field: str, edited: dict[str, Any], path: str
) -> None:
    def body(values: Any) -> dict[str, Any]:
        return _body(kind, spec={field: values})

    before = {"password": PLANTED, "port": 1, "web": {"size": 2}}
    base = body({**before, "password": SECRET if is_read else UNREAD})

    assert _found(_compared(base, _live(body(before)), base)) == []
    found = _found(_compared(base, _live(body(before), body(edited)), base))
    assert sorted(found, reverse=True) == [
        ("removed", f"spec.{field}.password", True),
        ("added", f"spec.{field}.{path}", True),
    ]
    # What is not new is shown.
    changed = {**before, "port": 2}
    assert _found(_compared(base, _live(body(before), body(changed)), base)) == [
        ("changed", f"spec.{field}.port", False)
    ]


@pytest.mark.parametrize(
    ("base", "applied", "desired", "found"),
    [
        (_config({}, labels=UNREAD), _config({}, labels={PLANTED: "x"}), _config({}), ("added", "metadata.labels")),
        (
            _config({}, labels=UNREAD),
            _config({}, labels={PLANTED: "x"}),
            _config({}, labels={"app": "web"}),
            ("changed", "metadata.labels"),
        ),
        (
            _aliases((UNREAD, "nas"), ("10.0.0.1", "a")),
            _aliases((PLANTED, "nas"), ("10.0.0.1", "a")),
            _aliases(("10.0.0.1", "a")),
            ("changed", _ALIASES),
        ),
        (_tags(UNREAD, "a"), _tags(PLANTED, "a"), _tags("a"), ("changed", "spec.tags")),
    ],
    ids=["all labels", "other labels", "key of an item", "member of a set"],
)
def test_a_key_that_comes_from_a_secret_is_in_no_path(
    base: dict[str, Any], applied: dict[str, Any], desired: dict[str, Any], found: tuple[str, str]
) -> None:
    assert _found(_compared(base, _live(applied), base)) == []
    assert _found(_compared(desired, _live(applied), base)) == [(*found, True)]


def _deployment(strategy: Any, ports: Any, labels: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "web", "image": "nginx", "ports": ports}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    body = _body("Deployment", spec={"strategy": strategy, "template": template})
    return {**body, "metadata": {**body["metadata"], "labels": labels}}


_WRITTEN_OUT = {
    "strategy": {"type": "RollingUpdate"},
    "ports": [{"containerPort": 80, "name": "web"}],
    "labels": {"app": "web"},
}
_FILLED_IN: dict[str, Any] = {
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
    "ports": [{"containerPort": 80, "name": "web", "protocol": "TCP"}],
    "labels": {"app": "web", "kustomize.toolkit.fluxcd.io/name": "apps"},
}
_EDITED = {
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": PLANTED, "maxUnavailable": "25%"}},
    "ports": [{"containerPort": 80, "name": PLANTED, "protocol": "TCP"}],
    "labels": {"app": "web", PLANTED: "x"},
}
_PORTS = "spec.template.spec.containers[name=web].ports"


@pytest.mark.parametrize(
    ("field", "hidden", "path"),
    [
        ("strategy", UNREAD, "spec.strategy"),
        ("labels", UNREAD, "metadata.labels"),
        ("ports", UNREAD, _PORTS),
        ("ports", [{"containerPort": UNREAD, "name": "web"}], _PORTS),
    ],
    ids=["object", "map", "list", "key in a list"],
)
@pytest.mark.parametrize("by_hand", [False, True])
def test_a_hidden_value_that_git_writes_out_is_in_sync_with_its_defaults(
    field: str, hidden: Any, path: str, by_hand: bool
) -> None:
    desired, live = _deployment(**_WRITTEN_OUT), _deployment(**_FILLED_IN)
    base = _deployment(**{**_WRITTEN_OUT, field: hidden})
    edited = _deployment(**{**_FILLED_IN, field: _EDITED[field]})

    assert _found(_compared(desired, _live(live), base)) == []
    assert _found(_compared(desired, _live(live, edited) if by_hand else _live(edited), base)) == [
        ("changed", path, True)
    ]


@pytest.mark.parametrize("annotation", [{}, {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}])
def test_what_flux_leaves_alone_may_be_older_than_the_last_sync(annotation: dict[str, str]) -> None:
    metadata = {"annotations": annotation} if annotation else {}
    desired = _config({"LEVEL": "info"}, **metadata)
    live = _live(_config({"LEVEL": "info", "OLD": PLANTED if annotation else "x"}, **metadata))

    assert _found(_compared(desired, live, desired)) == [("added", "data.OLD", bool(annotation))]


_IN_KEYS: Any = [
    ("spec.template.spec.hostAliases", _aliases, (("10.0.0.1", "a"),), ((PLANTED, "nas"),)),
    ("spec.rules", _rules, ("a",), (PLANTED,)),
    ("spec.tags", _tags, ("a",), (PLANTED,)),
    ("spec.tags", _tags, ("a",), (PLANTED, f"{PLANTED}-2")),
]
_KEY_IDS = ["key", "custom resource", "set", "set of two"]


@pytest.mark.parametrize(("path", "make", "in_git", "dropped"), _IN_KEYS, ids=_KEY_IDS)
@pytest.mark.parametrize("by_hand", [False, True])
def test_without_a_base_no_key_of_an_item_that_git_lacks_is_shown(
    path: str, make: Any, in_git: Any, dropped: Any, by_hand: bool
) -> None:
    desired, whole = make(*in_git), make(*in_git, *dropped)
    live = _live(desired, whole) if by_hand else _live(whole)

    report = _compared(desired, live)

    assert _found(report) == [("changed", path, True)]
    assert report.findings[0].pointer == "/" + path.replace(".", "/")
    # Other parts of the object, and objects of other sources, say which item it is.
    [other] = scan_manifests(
        _manifests(desired), _Cluster(live), info=INFO, options=Options(unmanaged=Unmanaged.OFF)
    ).objects
    assert len([one for one in other.findings if PLANTED in one.path]) == len(dropped)


def test_a_list_with_keys_that_are_not_shown_keeps_its_other_findings() -> None:
    desired = _aliases(("10.0.0.1", "a"), ("10.0.0.2", "b"))
    edited = _aliases(("10.0.0.1", "other"), (PLANTED, "b"))

    found = _found(_compared(desired, _live(desired, edited)))

    assert ("changed", f"{_ALIASES}[ip=10.0.0.1].hostnames", True) in found


@pytest.mark.parametrize("path", ["spec.rules", "spec.tags"])
def test_no_decision_names_a_key_of_an_item_that_git_lacks(path: str) -> None:
    make: Any = _rules if path == "spec.rules" else _tags
    live = _live(make("a", PLANTED))
    # No manager owns the item.
    live["metadata"]["managedFields"][0]["fieldsV1"] = {"f:spec": {f"f:{path[5:]}": {}}}

    report = _compared(make("a"), live, explain=True)

    assert _found(report) == []
    assert path in {one.path for one in report.decisions}
    assert not any(PLANTED in one.path + one.why for one in report.decisions)


@pytest.mark.parametrize(("value", "digest"), [(UNREAD, None), ("x", f"1 key: {PLANTED}")])
def test_the_digest_of_an_object_that_git_has_dropped_is_not_shown(value: Any, digest: str | None) -> None:
    base = _config({"key": value})
    # A Kustomization that drops an object without a base, and one that knows it.
    for bases in ({}, {SOURCE: _manifests(base)}):
        report = scan_manifests(
            _manifests(_config({}, name="other")),
            _Cluster(_live(_config({PLANTED: "x"}))),
            info=INFO,
            options=Options(with_secret_values=frozenset({SOURCE}), applied=frozenset({_KEY}), bases=bases),
        )

        [dropped] = [one for one in report.objects if one.status is Status.UNMANAGED]
        assert dropped.digest == (digest if bases else None)
