"""The reports that all format tests share: a rich, a hostile and an empty one. Their objects are sorted."""

from dataclasses import replace
from typing import Final

from drift.model import (
    Actor,
    Cause,
    Change,
    ClusterInfo,
    Evidence,
    Finding,
    GitLine,
    IgnoredBy,
    Lifecycle,
    ManifestsInfo,
    NotCompared,
    ObjectReport,
    PastScan,
    Report,
    Resolved,
    Security,
    Severity,
    SourceInfo,
    SourceKind,
    Status,
    report_order,
)
from drift.objects import ObjectKey, Source

#: Texts that one of the formats could take for markup, a command or a terminator.
HOSTILE_TEXTS: Final = (
    "<script>alert(1)</script><!-- ]]> -->",
    "\x1b[2J\x1b]8;;https://evil.example\x07link",
    "# head **bold** [click](https://evil.example) ![x](y) @octocat #1 | a | <b>",
    "```\n~~~\n````\n# out",
    "::error file=x::owned\n::set-env name=A::b\r\n##[error]owned",
    "\"quoted\" 'single' \\ back%0A%25,:=",
    "\u202eright to left\u2066\u200f",
    "null\x00bell\x07\ufffe\x0b",
    "www.evil.example :bug: GH-1",
)


def finding(number: int, **changes: object) -> Finding:
    made = Finding(
        id=f"{number:016x}",
        change=Change.CHANGED,
        path="spec.replicas",
        pointer="/spec/replicas",
        desired=2,
        live=5,
        redacted=False,
        cause=Cause.MANUAL,
        severity=Severity.MEDIUM,
        actors=(Actor("kubectl-edit", "Update", None, "2026-01-01T10:00:00Z"),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def item(kind: str, name: str, status: Status, *findings: Finding, **changes: object) -> ObjectReport:
    source = None if status is Status.UNMANAGED else Source("./apps/shop.yaml", 2, 14)
    made = ObjectReport("v1", ObjectKey("", kind, "shop", name), source, status, findings=findings)
    return replace(made, **changes)  # type: ignore[arg-type]


def report(*items: ObjectReport, **changes: object) -> Report:
    made = Report(
        generated_at="2026-01-01T12:00:00Z",
        cluster=ClusterInfo("prod", "https://prod.example.com", "v1.36.3"),
        manifests=ManifestsInfo(("apps",), "c0ffee", git_dirty=False),
        objects=tuple(sorted(items, key=report_order)),
        duration_seconds=1.25,
        api_requests=42,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def resolved(number: int, **changes: object) -> Resolved:
    made = Resolved(
        id=f"{number:016x}",
        api_version="v1",
        key=ObjectKey("", "ConfigMap", "shop", "mended"),
        path="data.a",
        change=Change.CHANGED,
        cause=Cause.MANUAL,
        severity=Severity.MEDIUM,
        first_seen="2025-12-30T10:30:00Z",
        resolved_at="2026-01-01T12:00:00Z",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


NOTE: Final = "this server does not keep this field: it is not in its schema"
_WHOLE: Final = {"path": "", "pointer": "", "desired": None, "live": None, "actors": ()}
_AT: Final = "2026-01-01T10:00:00Z"
_PEOPLE: Final = (
    Actor("kubectl-set", "Update", None, _AT, "jane@example.com", "ops", "kubectl/v1", Evidence.EXACT),
    Actor("kubectl-edit", "Update", None, _AT, "jane@example.com", None, None, Evidence.CANDIDATE),
    Actor("kubectl-edit", "Update", None, _AT, "sam@example.com", None, None, Evidence.CANDIDATE),
    Actor("flux", "Apply", None, _AT, "system:serviceaccount:flux:flux", None, None, Evidence.LIKELY),
)
_LINE: Final = GitLine("c0ffee" * 6 + "c0ff", "Sam Doe", "2025-12-12T10:00:00Z", "scale 'up' for launch")
_NEW: Final = {"lifecycle": Lifecycle.NEW, "first_seen": "2026-01-01T12:00:00Z"}
_ONGOING: Final = {"lifecycle": Lifecycle.ONGOING, "first_seen": "2025-12-29T07:30:00Z"}
_REOPENED: Final = {"lifecycle": Lifecycle.REOPENED, "first_seen": "2026-01-01T12:00:00Z"}
_IGNORED: Final = IgnoredBy("ignore[0]", "not ours")

EMPTY: Final = report(
    cluster=None, manifests=ManifestsInfo(("-",), None, None), duration_seconds=None, api_requests=None
)

RICH: Final = report(
    item("ConfigMap", "fine", Status.IN_SYNC),
    item("ConfigMap", "hook", Status.IN_SYNC, reason="a hook, which is removed after its end"),
    item("ConfigMap", "set-aside", Status.IN_SYNC, finding(1, path="data.a", ignored=_IGNORED)),
    item(
        "Deployment",
        "web",
        Status.DRIFTED,
        finding(2, file="apps/web.yaml", line=9, git=_LINE, **_NEW),
        finding(
            3, change=Change.ADDED, path="spec.x", desired=None, live={"a": [1]}, note=NOTE, actors=_PEOPLE, **_ONGOING
        ),
        finding(
            4, change=Change.REMOVED, path="spec.y", desired="yes", live=None, cause=Cause.PENDING_SYNC, **_REOPENED
        ),
        finding(5, change=Change.REORDERED, path="spec.z", desired=None, live=None, severity=Severity.LOW),
        finding(6, path="spec.scaled", cause=Cause.CONTROLLER, severity=Severity.INFO),
        source=Source("apps/web.yaml", 1, 3),
        reason="no applier has written it; it was made by kubectl-replace",
    ),
    item(
        "Secret",
        "db",
        Status.DRIFTED,
        finding(7, path="data.key", desired=None, live=None, redacted=True),
        not_compared=(NotCompared("data.token", "encrypted with SOPS"),),
    ),
    item("Secret", "kept", Status.IN_SYNC, not_compared=(NotCompared("data.a", "encrypted with SOPS"),)),
    item(
        "Service",
        "web",
        Status.MISSING,
        finding(8, change=Change.MISSING, severity=Severity.HIGH, **_WHOLE),
        digest="ClusterIP, ports 80/TCP to 8080",
    ),
    item(
        "Pod",
        "debug",
        Status.UNMANAGED,
        finding(9, change=Change.UNMANAGED, cause=Cause.UNKNOWN, security=Security.LOOSENS, **_WHOLE),
        digest="runs busybox:1.36, nginx; hostPath /",
    ),
    item("Role", "reader", Status.UNCHECKED, reason="may not be read"),
    item("Lease", "lock", Status.UNCHECKED, reason="changes every second", is_skipped=True),
    item(
        "ClusterRole",
        "admin",
        Status.DRIFTED,
        finding(
            10, path="rules[0]", severity=Severity.CRITICAL, desired=["get"], live=["*"], security=Security.LOOSENS
        ),
        key=ObjectKey("rbac.authorization.k8s.io", "ClusterRole", None, "admin"),
        api_version="rbac.authorization.k8s.io/v1",
    ),
    notes=("a note",),
    errors=("roles in shop: may not be read by this account",),
    resolved=(
        resolved(11),
        resolved(
            12,
            path="",
            change=Change.MISSING,
            key=ObjectKey("apps", "Deployment", "shop", "gone"),
            api_version="apps/v1",
        ),
    ),
    past=(
        PastScan("2026-01-01T10:00:00Z", open=5, new=5, resolved=0, complete=True),
        PastScan("2026-01-01T12:00:00Z", open=5, new=2, resolved=2, complete=False),
    ),
)


def hostile(*texts: str) -> Report:
    """Returns a report in which every text from the cluster or the manifests is one of these."""
    items, gone = [], []
    for number, text in enumerate(texts):
        evil = finding(
            number,
            path=text,
            desired=text,
            live=[text, {text: text}],
            actors=(Actor(text, text, text, text, text, text, text, Evidence.EXACT),),
            note=text,
            git=GitLine(text, text, text, text),
            file=text,
            line=number + 2,
            lifecycle=Lifecycle.ONGOING,
            first_seen="0001-01-01T00:00:00+14:00",
        )
        gone.append(resolved(number, key=ObjectKey("", text, text, text), path=text))
        ignored = replace(evil, ignored=IgnoredBy(text, text))
        key = ObjectKey("", text, text, text)
        items += [
            item(
                text,
                text,
                Status.DRIFTED,
                evil,
                ignored,
                key=key,
                source=Source(text, 1, 1),
                reason=text,
                origins=(text,),
            ),
            item(
                "Pod", text, Status.UNMANAGED, replace(evil, change=Change.UNMANAGED, path="", pointer=""), digest=text
            ),
            item(
                "Role",
                text,
                Status.UNCHECKED,
                reason=text,
                source=Source(text, 1, 1),
                not_compared=(NotCompared(text, text),),
            ),
        ]
    return report(
        *items,
        cluster=ClusterInfo(texts[0], texts[0], texts[0]),
        manifests=ManifestsInfo(texts, texts[0], git_dirty=True),
        notes=texts,
        errors=texts,
        unread=tuple(f"{text}:1:1: {text}" for text in texts),
        resolved=tuple(gone),
        sources=tuple(
            SourceInfo(SourceKind.FLUX_KUSTOMIZATION, text, text, text, f"{text}2", message=text, last_synced=text)
            for text in texts
        ),
    )


HOSTILE: Final = hostile(*HOSTILE_TEXTS)


def _deployment(number: int, *findings: Finding) -> ObjectReport:
    key = ObjectKey("apps", "Deployment", ("pay", "search", "shop")[number % 3], f"app-{number:02}")
    place = Source(f"apps/{key.name}.yaml", 1, 1)
    return ObjectReport("apps/v1", key, place, Status.DRIFTED, findings=findings)


def _incident() -> Report:
    """Returns 300 findings: one user scaled and edited everything, and another one broke in."""
    scaled = {"actors": (Actor("kubectl-scale", "Update", "scale", None),), "severity": Severity.HIGH, "live": 0}
    deployments = [
        _deployment(
            number,
            finding(1000 + number, file=f"apps/app-{number:02}.yaml", line=8, desired=2 + number % 2, **scaled),
            finding(
                2000 + number,
                change=Change.ADDED,
                path=f"spec.template.spec.containers[name=app-{number:02}].env[name=DEBUG]",
                desired=None,
                live={"name": "DEBUG", "value": "1"},
                actors=(Actor("kubectl-edit", "Update", None, f"2026-01-01T10:{number:02}:00Z"),),
            ),
        )
        for number in range(60)
    ]
    ports = [
        item(
            "Service",
            f"app-{number:02}",
            Status.DRIFTED,
            finding(3000 + number, path="spec.type", desired="ClusterIP", live="NodePort", security=Security.LOOSENS),
        )
        for number in range(40)
    ]
    gone = [
        item(
            "ConfigMap",
            f"settings-{number:02}",
            Status.MISSING,
            finding(4000 + number, change=Change.MISSING, severity=Severity.HIGH, cause=Cause.UNKNOWN, **_WHOLE),
            digest=f"{number} keys",
        )
        for number in range(70)
    ]
    miners = [
        item(
            "Pod",
            f"miner-{number:02}",
            Status.UNMANAGED,
            finding(
                5000 + number,
                change=Change.UNMANAGED,
                severity=Severity.CRITICAL,
                security=Security.LOOSENS,
                **{**_WHOLE, "actors": (Actor("kubectl-run", "Update", None, _AT),)},
            ),
            digest="runs xmrig:6; privileged, hostNetwork",
        )
        for number in range(67)
    ]
    alone = [
        item(
            "Secret", "db", Status.DRIFTED, finding(6001, path="data.password", redacted=True, desired=None, live=None)
        ),
        item(
            "Ingress",
            "web",
            Status.DRIFTED,
            finding(6002, change=Change.REMOVED, path="spec.tls", desired=[{"hosts": ["a"]}], live=None),
        ),
        item(
            "RoleBinding",
            "debug",
            Status.UNMANAGED,
            finding(6003, change=Change.UNMANAGED, severity=Severity.CRITICAL, security=Security.LOOSENS, **_WHOLE),
            digest="grants ClusterRole cluster-admin to User jane",
        ),
    ]
    return report(*deployments, *ports, *gone, *miners, *alone)


INCIDENT: Final = _incident()
