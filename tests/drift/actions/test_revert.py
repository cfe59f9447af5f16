"""`drift revert`: the printed commands make the cluster say what Git says, and fail if it has changed meanwhile."""

import json
import re
import shlex
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from drift.actions.revert import Reversal, revert
from drift.actions.selection import Selected
from drift.advice.advisor import Advisor
from drift.advice.refusals import why_not_adopted
from drift.cli import main
from drift.model import (
    Cause,
    Change,
    ClusterInfo,
    Finding,
    ManifestsInfo,
    ObjectReport,
    Report,
    Severity,
    SourceInfo,
    SourceKind,
    Status,
)
from drift.objects import ObjectKey, Source
from drift.report.json_report import to_json
from tests.drift.conftest import Application
from tests.drift.samples import deployment

Out = pytest.CaptureFixture[str]
GONE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: gone, namespace: NAMESPACE}
data: {a: "1"}
"""
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NAMESPACE}
spec: {selector: {app: web}, ports: [{name: a, port: 80}, {name: b, port: 81, targetPort: 90}]}
"""


@pytest.fixture
def edited(workspace: Application) -> Application:
    """Manifests that Flux synced, and one edit by hand of each kind."""
    workspace.write(deployment("replicas: 2", "env: [{name: A, value: '1'}, {name: B, value: '2'}]"))
    workspace.write(GONE, "gone.yaml")
    workspace.sync()
    workspace.kubectl("set", "image", "deployment/web", "web=nginx:1.30")
    workspace.kubectl("set", "env", "deployment/web", "A-", "C=3")
    workspace.kubectl("annotate", "deployment", "web", "example.com/a=$(touch x); 'y'")
    workspace.kubectl("delete", "configmap", "gone")
    workspace.kubectl("create", "configmap", "stray")
    return workspace


def _revert(workspace: Application, capsys: Out, *names: str) -> tuple[int, str]:
    capsys.readouterr()
    status = main(["revert", str(workspace.scratch / "report.json"), *names])
    return status, capsys.readouterr().out


def _run(workspace: Application, script: str) -> subprocess.CompletedProcess[str]:
    environment = workspace.cluster.environment
    return subprocess.run(["sh", "-e"], input=script, env=environment, capture_output=True, text=True, check=False)  # noqa: S607


def test_the_commands_bring_everything_back(edited: Application, capsys: Out) -> None:
    assert edited.report().status == 1

    status, script = _revert(edited, capsys)
    done = _run(edited, script)

    assert status == 0
    assert done.returncode == 0, done.stderr
    assert edited.report().findings == []
    assert "env" not in edited.kubectl("get", "deployment", "web", "--output=jsonpath={.metadata.annotations}")


def test_the_commands_in_the_report_work_as_they_are(edited: Application) -> None:
    objects = edited.report().document["objects"]
    for item in objects:
        for finding in item["findings"]:
            done = _run(edited, finding["commands"]["look"])
            assert done.returncode == 0, done.stderr
        # The next one of the same object needs another report: the resourceVersion has changed.
        done = _run(edited, item["findings"][0]["commands"]["revert"])
        assert done.returncode == 0, done.stderr

    assert len(objects) == 3
    left = {finding["id"] for item in edited.report().document["objects"] for finding in item["findings"]}
    assert left == {finding["id"] for item in objects for finding in item["findings"][1:]}


def test_nothing_is_overwritten_that_changed_since_the_report(edited: Application, capsys: Out) -> None:
    edited.report()
    edited.kubectl("set", "image", "deployment/web", "web=nginx:1.31")

    _, script = _revert(edited, capsys, "Deployment/web")
    done = _run(edited, script)

    assert done.returncode != 0
    image = edited.kubectl("get", "deployment", "web", "--output=jsonpath={.spec.template.spec.containers[0].image}")
    assert image == "nginx:1.31"


def test_nothing_else_is_changed_if_a_list_item_has_moved(workspace: Application, capsys: Out) -> None:
    workspace.write(
        deployment("replicas: 2", "env: [{name: A, value: x}, {name: B, value: 'off'}, {name: C, value: 'on'}]")
    )
    workspace.sync()
    workspace.kubectl("set", "env", "deployment/web", "B=on")
    workspace.report()
    workspace.kubectl("set", "env", "deployment/web", "A-")

    _, script = _revert(workspace, capsys, "Deployment/web")
    done = _run(workspace, script)

    assert done.returncode != 0
    assert _env(workspace) == {"B": "on", "C": "on"}
    workspace.report()
    assert _run(workspace, _revert(workspace, capsys, "Deployment/web")[1]).returncode == 0
    assert _env(workspace) == {"A": "x", "B": "off", "C": "on"}


@pytest.mark.parametrize("edited", [{}, {"rollingUpdate": {"maxSurge": 2}}])
@pytest.mark.parametrize("alone", [True, False])
def test_what_the_server_fills_in_for_an_edit_does_not_stop_its_patch(
    workspace: Application, capsys: Out, edited: dict[str, object], *, alone: bool
) -> None:
    workspace.write(deployment("strategy: {type: Recreate}"))
    workspace.sync()
    workspace.patch("deployment", "web", {"spec": {"strategy": {"type": "RollingUpdate", **edited}}})
    (item,) = workspace.report().document["objects"]
    ids = [finding["id"] for finding in item["findings"] if finding["path"] == "spec.strategy.type"]

    done = _run(workspace, _revert(workspace, capsys, *(ids if alone else []))[1])

    assert done.returncode == 0, done.stderr
    assert workspace.report().findings == []


@pytest.mark.parametrize("reverted", ["D", None])
def test_an_item_is_put_back_after_the_one_before_it_in_git(
    workspace: Application, capsys: Out, reverted: str | None
) -> None:
    env = "env: [{name: A, value: x}, {name: B, value: x}, {name: C, value: x}, {name: D, value: $(C)}]"
    workspace.write(deployment("replicas: 2", env))
    workspace.sync()
    live = [{"name": "Z", "value": "x"}, {"name": "A", "value": "x"}, {"name": "C", "value": "x"}]
    patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/env", "value": live}]
    workspace.kubectl("patch", "deployment", "web", "--type=json", f"--patch={json.dumps(patch)}")
    (item,) = workspace.report().document["objects"]
    ids = {finding["path"][-2]: finding["id"] for finding in item["findings"]}
    assert ids.keys() == {"B", "D", "Z"}

    _, script = _revert(workspace, capsys, *([ids[reverted]] if reverted else []))
    done = _run(workspace, script)

    assert done.returncode == 0, done.stderr
    # kubectl resolves $(C) only if C comes before.
    assert list(_env(workspace)) == (["Z", "A", "C", "D"] if reverted else ["A", "B", "C", "D"])


@pytest.mark.parametrize("names", [("injected", "web"), ("second", "web")])
def test_a_field_is_put_back_into_an_item_that_is_elsewhere(
    workspace: Application, capsys: Out, names: tuple[str, str]
) -> None:
    text = deployment("replicas: 2", "tty: true")
    if "second" in names:
        text = (
            text.replace("containers:", "containers:", 1).rstrip() + "\n        - {name: second, image: nginx:1.29}\n"
        )
    workspace.write(text)
    workspace.sync()
    containers = json.loads(
        workspace.kubectl("get", "deployment", "web", "--output=jsonpath={.spec.template.spec.containers}")
    )
    by_name = {one["name"]: one for one in containers} | {"injected": {"name": "injected", "image": "nginx:1.29"}}
    del by_name["web"]["tty"]
    moved = [by_name[name] for name in names]
    patch = [{"op": "replace", "path": "/spec/template/spec/containers", "value": moved}]
    workspace.kubectl("patch", "deployment", "web", "--type=json", f"--patch={json.dumps(patch)}")
    (item,) = workspace.report().document["objects"]
    (tty,) = (finding for finding in item["findings"] if finding["path"].endswith("tty"))

    done = _run(workspace, _revert(workspace, capsys, tty["id"])[1])

    assert done.returncode == 0, done.stderr
    assert not any(path.endswith("tty") for _, _, path, _ in workspace.report().findings)


def _env(workspace: Application) -> dict[str, str]:
    path = "{.spec.template.spec.containers[0].env}"
    env = json.loads(workspace.kubectl("get", "deployment", "web", f"--output=jsonpath={path}"))
    return {one["name"]: one["value"] for one in env}


def test_a_port_with_another_number_and_another_target_is_reverted(workspace: Application, capsys: Out) -> None:
    workspace.write(SERVICE)
    workspace.sync()
    for field, value in (("port", 8080), ("targetPort", 9090)):
        patch = [{"op": "add", "path": f"/spec/ports/1/{field}", "value": value}]
        workspace.kubectl("patch", "service", "web", "--type=json", f"--patch={json.dumps(patch)}")
    by_field = {path.rpartition(".")[2]: path for _, _, path, _ in workspace.report().findings}
    assert by_field.keys() == {"port", "targetPort"}

    for selected in ("targetPort", "port"):
        document = workspace.report().document
        (item,) = document["objects"]
        (found,) = (one for one in item["findings"] if one["path"] == by_field[selected])
        done = _run(workspace, _revert(workspace, capsys, found["id"])[1])
        assert done.returncode == 0, done.stderr

    assert workspace.report().findings == []


def test_a_missing_object_is_not_created_with_others(workspace: Application, capsys: Out) -> None:
    workspace.write(GONE + "---" + GONE.replace("name: gone", "name: here"))
    workspace.sync()
    workspace.kubectl("delete", "configmap", "gone")
    workspace.report()

    status, script = _revert(workspace, capsys, "ConfigMap/gone")

    assert status == 1
    assert "kubectl" not in script


def test_a_script_ends_at_an_object_that_has_changed(edited: Application, capsys: Out) -> None:
    edited.report()
    edited.kubectl("delete", "configmap", "stray")
    edited.kubectl("create", "configmap", "stray")

    _, script = _revert(edited, capsys, "ConfigMap/stray")
    done = _run(edited, script + "echo went on\n")

    assert done.returncode != 0
    assert done.stdout == ""
    assert "not deleted; if it has changed" in done.stderr


def test_an_object_of_the_same_name_is_not_deleted(edited: Application, capsys: Out) -> None:
    edited.report()
    edited.kubectl("delete", "configmap", "stray")
    edited.kubectl("create", "configmap", "stray")

    _, script = _revert(edited, capsys, "ConfigMap/stray")

    assert _run(edited, script).returncode != 0
    assert edited.kubectl("get", "configmap", "stray", "--output=name") == "configmap/stray\n"


def test_the_script_does_not_wait_for_finalizers(workspace: Application, capsys: Out) -> None:
    workspace.write(GONE)
    workspace.sync()
    workspace.kubectl("create", "configmap", "stray")
    workspace.kubectl("patch", "configmap", "stray", "--patch", '{"metadata":{"finalizers":["example.com/wait"]}}')
    workspace.report()
    _, script = _revert(workspace, capsys, "ConfigMap/stray")

    # kubectl would wait as long as the object is there.
    done = _run(workspace, f'kubectl() {{ timeout 20 kubectl "$@"; }}\n{script}')

    try:
        assert done.returncode == 0, done.stderr
        assert workspace.kubectl("get", "configmap", "stray", "--output=jsonpath={.metadata.deletionTimestamp}")
    finally:
        workspace.kubectl("patch", "configmap", "stray", "--patch", '{"metadata":{"finalizers":null}}')


def _finding(path: str, live: object, pointer: str = "/data/a", cause: Cause = Cause.MANUAL) -> Finding:
    return Finding(
        "0" * 16, Change.CHANGED, path, pointer, "git", live, redacted=False, cause=cause, severity=Severity.LOW
    )


def _commands(*findings: Finding, context: str | None = None, version: str | None = "7") -> tuple[list[str], list[str]]:
    key = ObjectKey("", "ConfigMap", "shop", "a")
    source = Source("a.yaml", 1, 1)
    item = ObjectReport("v1", key, source, Status.DRIFTED, findings=findings, uid="u", resource_version=version)
    cluster = ClusterInfo(context, "https://127.0.0.1", "v1.36.3")
    report = Report("2026-01-01T00:00:00Z", cluster, ManifestsInfo(("a.yaml",), None, None), (item,))
    reversal = revert(tuple(Selected(item, finding) for finding in findings), report)
    return [command.text for command in reversal.commands], [refused.reason for refused in reversal.refused]


def test_hostile_values_stay_quoted() -> None:
    hostile = "'; rm -rf ~; echo $(id) `id` \x1b[31m\n"
    (command,), _ = _commands(_finding("data.a", hostile), context="prod; reboot")

    words = subprocess.run(  # noqa: S602
        f"printf '%s\\0' {command}", shell=True, capture_output=True, text=True, check=True
    ).stdout.split("\0")

    assert words[:4] == ["kubectl", "patch", "configmap/a", "--type=json"]
    assert words[-3:-1] == ["--context", "prod; reboot"]
    assert json.loads(words[4].removeprefix("--patch="))[0]["value"] == hostile
    assert "\x1b" not in command


def test_what_cannot_be_reverted_is_refused_with_the_next_step() -> None:
    pending = _finding("data.a", "x", cause=Cause.PENDING_SYNC)
    whole_list = _finding("data.b", ["x"], "/data/b")

    assert _commands(pending) == ([], ["Git is ahead; sync it instead"])
    assert _commands(whole_list, version=None)[1] == [
        "the report does not hold the resourceVersion of the object; make it again"
    ]


def _added(path: str, live: object, pointer: str, cause: Cause) -> Finding:
    return replace(_finding(path, live, pointer, cause), change=Change.ADDED, desired=None)


@pytest.mark.parametrize(
    ("item", "key", "edited"),
    [
        ("spec.template.spec.containers[name=self]", ("name", "self"), "image"),
        ("spec.ports[port=81,protocol=TCP]", ("port", 81), "targetPort"),
        ("spec.template.spec.containers[name=web].env[name=A]", ("name", "A"), "value"),
        ("spec.template.spec.containers[name=self]", ("name", "self"), "env[name=A]"),
    ],
)
def test_no_field_is_removed_from_an_item_that_git_has_dropped(item: str, key: tuple[str, object], edited: str) -> None:
    name, value = key
    dropped = _added(f"{item}.{name}", value, f"/items/2/{name}", Cause.PENDING_SYNC)
    field = _added(f"{item}.{edited}", "x", "/items/2/x", Cause.MANUAL)
    elsewhere = _added("spec.template.spec.containers[name=web].tty", True, "/items/0/tty", Cause.MANUAL)  # noqa: FBT003

    commands, refused = _commands(dropped, field, elsewhere)

    key_of_object = ObjectKey("", "Service", "shop", "a")
    reported = ObjectReport("v1", key_of_object, Source("a.yaml", 1, 1), Status.DRIFTED, findings=(dropped, field))
    assert "Git is ahead; adopting would undo" in str(why_not_adopted(reported, field))
    assert why_not_adopted(replace(reported, findings=(field,)), field) is None
    assert refused == ["Git is ahead; sync it instead"] * 2
    assert ["/items/0/tty" in command and "/items/2/" not in command for command in commands] == [True]


def test_an_item_that_git_never_had_is_removed() -> None:
    whole = _added("spec.containers[name=mine]", {"name": "mine"}, "/items/2", Cause.MANUAL)
    key = _added("spec.containers[name=other].name", "other", "/items/3/name", Cause.MANUAL)
    # Git has dropped another field, and an item of another list.
    field = _added("spec.containers[name=other].tty", True, "/items/3/tty", Cause.PENDING_SYNC)  # noqa: FBT003
    dropped = _added("spec.volumes[name=other].name", "other", "/volumes/0/name", Cause.PENDING_SYNC)

    (command,), refused = _commands(whole, key, field, dropped)

    assert refused == ["Git is ahead; sync it instead"] * 2
    assert '{"op":"remove","path":"/items/2"}' in command
    assert '{"op":"remove","path":"/items/3/name"}' in command


@pytest.mark.parametrize("field", ["annotations", "labels"])
def test_no_map_of_metadata_is_replaced(field: str) -> None:
    removed = replace(_finding(f"metadata.{field}", None, f"/metadata/{field}"), change=Change.REMOVED, desired={})
    one = replace(_finding(f"metadata.{field}.a", None, f"/metadata/{field}/a"), change=Change.REMOVED)

    # Older reports name the whole map although the last-applied annotation is in it.
    assert _operations(removed)[1:] == [
        {"op": "test", "path": f"/metadata/{field}", "value": None},
        {"op": "add", "path": f"/metadata/{field}", "value": {}},
    ]
    assert _operations(one)[1:] == [{"op": "add", "path": f"/metadata/{field}/a", "value": "git"}]


def _operations(finding: Finding) -> list[dict[str, object]]:
    (command,), _ = _commands(finding)
    operations: list[dict[str, object]] = json.loads(shlex.split(command)[4].removeprefix("--patch="))
    return operations


def test_the_last_applied_annotation_stays(workspace: Application, capsys: Out) -> None:
    workspace.write(GONE.replace("NAMESPACE}", "NAMESPACE, annotations: {team: x}}"))
    workspace.kubectl("apply", "--filename", str(workspace.manifests))
    workspace.kubectl("annotate", "configmap", "gone", "team-")
    assert workspace.report().findings != []

    done = _run(workspace, _revert(workspace, capsys)[1])

    assert done.returncode == 0, done.stderr
    annotations = json.loads(workspace.kubectl("get", "configmap", "gone", "--output=jsonpath={.metadata.annotations}"))
    assert annotations.pop("team") == "x"
    assert list(annotations) == ["kubectl.kubernetes.io/last-applied-configuration"]


@pytest.mark.parametrize("kind", [kind for kind in SourceKind if kind is not SourceKind.FILES])
def test_a_missing_object_that_is_rendered_is_not_created_from_its_file(kind: SourceKind) -> None:
    rendered = SourceInfo(kind, "apps", path="apps")
    missing = replace(_finding("", None), change=Change.MISSING)
    item = ObjectReport(
        "v1",
        ObjectKey("", "ConfigMap", "shop", "a"),
        Source("apps/kustomization.yaml", 1, 1),
        Status.MISSING,
        findings=(missing,),
        origins=("apps",),
    )
    report = Report("2026-01-01T00:00:00Z", None, ManifestsInfo((), None, None), (item,), sources=(rendered,))
    selected = Selected(item, missing)

    reversal = revert([selected], report)

    assert not reversal.commands
    assert [one.reason for one in reversal.refused] == [
        "apps renders its manifest; sync it with its GitOps controller, or deploy apps again"
    ]
    commands = Advisor.of(report).commands(item, missing)
    assert commands is not None
    assert commands.revert is None
    edited_by_people = replace(report, sources=(replace(rendered, kind=SourceKind.FILES),))
    assert len(revert([selected], edited_by_people).commands) == 1


def test_the_script_names_each_finding(edited: Application, capsys: Out) -> None:
    edited.report()

    _, script = _revert(edited, capsys, "ConfigMap/stray")

    assert re.fullmatch(r"# for https://127\.0\.0\.1:\d+ \(context \S+\)", script.splitlines()[0])
    assert script.splitlines()[1] == f"# ConfigMap {edited.namespace}/stray"
    assert not Path("x").exists()


def test_the_syncers_own_command_stands_beside_the_patch_and_in_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)
    flux = SourceInfo(SourceKind.FLUX_KUSTOMIZATION, "Kustomization flux-system/apps", suspended=False)
    edit, hidden = _finding("data.a", "x"), replace(_finding("data.b", "x"), redacted=True, id="1" * 16)
    pending = _finding("data.c", "x", cause=Cause.PENDING_SYNC)
    item = ObjectReport(
        "v1",
        ObjectKey("", "ConfigMap", "shop", "a"),
        Source("a.yaml", 1, 1),
        Status.DRIFTED,
        findings=(edit, hidden, pending),
        origins=(flux.name,),
    )
    report = Report("2026-01-01T00:00:00Z", None, ManifestsInfo((), None, None), (item,), sources=(flux,))
    Path("report.json").write_text(to_json(report))
    sync = "flux reconcile kustomization apps -n flux-system --with-source (also deploys 1 pending change)"

    assert main(["revert", "report.json"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == f"# or: {sync}"
    assert printed.err.splitlines()[0].endswith(f"or apply its manifest: {sync}")

    Path("report.json").write_text(to_json(replace(report, sources=(replace(flux, suspended=True),))))
    main(["revert", "report.json"])
    assert "flux reconcile" not in "".join(capsys.readouterr())


@pytest.mark.parametrize("added_first", [True, False])
def test_a_sync_stands_below_a_command_only_if_it_reverts_all_that_the_command_reverts(*, added_first: bool) -> None:
    argocd = SourceInfo(SourceKind.ARGOCD_APPLICATION, "Application argocd/apps", suspended=False)
    edited, added = _finding("data.a", "x"), replace(_finding("data.b", "x", "/data/b"), change=Change.ADDED)

    assert _syncs(argocd, edited) == ["argocd app sync apps --app-namespace argocd --resource :ConfigMap:shop/a"]
    assert _syncs(argocd, *((added, edited) if added_first else (edited, added))) == [None]


def _reversal(source: SourceInfo, *findings: Finding) -> Reversal:
    item = ObjectReport(
        "v1",
        ObjectKey("", "ConfigMap", "shop", "a"),
        Source("a.yaml", 1, 1),
        Status.DRIFTED,
        findings=findings,
        origins=(source.name,),
        resource_version="7",
    )
    report = Report("2026-01-01T00:00:00Z", None, ManifestsInfo((), None, None), (item,), sources=(source,))
    return revert([Selected(item, finding) for finding in findings], report)


def _syncs(source: SourceInfo, *findings: Finding) -> list[str | None]:
    return [command.sync for command in _reversal(source, *findings).commands]


def test_a_refusal_names_no_sync_that_leaves_what_was_added() -> None:
    argocd = SourceInfo(SourceKind.ARGOCD_APPLICATION, "Application argocd/apps", suspended=False)
    added = replace(_finding("data.b", None, "/data/b"), change=Change.ADDED, redacted=True)

    (refused,) = _reversal(argocd, added).refused

    assert (
        refused.reason
        == "its value is hidden; add it to Git in encrypted form, or remove it by hand if a sync leaves it"
    )
    (refused,) = _reversal(argocd, replace(added, change=Change.CHANGED)).refused
    assert "or apply its manifest: argocd app sync apps" in refused.reason
