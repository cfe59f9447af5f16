"""Findings name the people behind them, from the audit log of a real API server."""

import base64
import gzip
from pathlib import Path

import pytest

from drift.report.formats import Format
from tests.drift.audit.conftest import A, B, C, D, E, Scene, without_bodies


def make_edits(scene: Scene) -> None:
    scene.kubectl(A, "set", "image", "deployment/web", "web=registry.example.com/web:2")
    scene.kubectl(
        B,
        "patch",
        "deployment",
        "web",
        "--type=json",
        "--patch",
        '[{"op": "remove", "path": "/spec/template/spec/containers/0/env/1"}]',
    )
    scene.kubectl(A, "--as", C, "--as-group", "system:masters", "label", "deployment", "web", "team=x")
    scene.kubectl(D, "scale", "deployment", "web", "--replicas=5")
    scene.kubectl(E, "delete", "configmap", "settings")
    scene.kubectl(E, "create", "configmap", "stray", "--from-literal=a=b")
    scene.kubectl(B, "label", "service", "web", "never=true", "--dry-run=server")
    scene.kubectl(C, "patch", "secret", "db", "--patch", '{"stringData": {"password": "planted-by-hand"}}')
    scene.kubectl(D, "patch", "service", "web", "--patch", '{"spec": {"ports": [{"port": 80, "targetPort": 8080}]}}')


def test_with_bodies_every_edit_has_its_author(scene_with_bodies: Scene) -> None:
    make_edits(scene_with_bodies)

    # Without the response, the position in a JSON patch does not tell which variable was removed.
    namespace = scene_with_bodies.application.namespace
    removed = "exact" if namespace.startswith("audited-requestresponse") else "likely"
    assert scene_with_bodies.people() == {
        "Deployment/web spec.template.spec.containers[name=web].image": [(A, "exact")],
        "Deployment/web spec.template.spec.containers[name=web].env[name=LEVEL]": [(B, removed)],
        "Deployment/web metadata.labels": [(C, "exact")],
        "Deployment/web spec.replicas": [(D, "exact")],
        "ConfigMap/settings": [(E, "exact")],
        "ConfigMap/stray": [(E, "exact")],
        "Secret/db data.password": [(C, "exact")],
        "Service/web spec.ports[port=80,protocol=TCP].targetPort": [(D, "exact")],
    }


def test_the_dry_run_of_a_deletion_names_no_one(scene_with_bodies: Scene) -> None:
    scene_with_bodies.kubectl(B, "delete", "configmap", "settings", "--dry-run=server")
    scene_with_bodies.kubectl(E, "delete", "configmap", "settings")
    scene_with_bodies.kubectl(B, "delete", "configmap", "--all", "--dry-run=server")

    assert scene_with_bodies.people() == {"ConfigMap/settings": [(E, "exact")]}


def test_without_bodies_no_name_is_wrong(scene: Scene) -> None:
    make_edits(scene)

    assert scene.people() == {
        "Deployment/web spec.template.spec.containers[name=web].image": [(A, "likely")],
        "Deployment/web spec.template.spec.containers[name=web].env[name=LEVEL]": [
            (A, "candidate"),
            (B, "candidate"),
            (C, "candidate"),
        ],
        "Deployment/web metadata.labels": [(C, "likely")],
        "Deployment/web spec.replicas": [(D, "likely")],
        "ConfigMap/settings": [(E, "exact")],
        "ConfigMap/stray": [(E, "exact")],
        "Secret/db data.password": [(C, "likely")],
        "Service/web spec.ports[port=80,protocol=TCP].targetPort": [(D, "likely")],
    }
    assert scene.findings()["ConfigMap/settings"]["cause"] == "manual"
    assert scene.findings()["Deployment/web metadata.labels"]["actors"][0]["impersonatedBy"] == A


IMAGE = "Deployment/web spec.template.spec.containers[name=web].image"
SIDE = "Deployment/web spec.template.spec.containers[name=side].image"


def test_two_people_with_one_manager_in_one_second_are_candidates(scene: Scene) -> None:
    scene.kubectl(A, "set", "image", "deployment/web", "web=registry.example.com/web:2")
    scene.kubectl(B, "set", "image", "deployment/web", "side=registry.example.com/side:2")

    people = scene.people()

    assert people[IMAGE] == people[SIDE] == [(A, "candidate"), (B, "candidate")]


def test_with_bodies_each_of_two_people_with_one_manager_is_named(scene_with_bodies: Scene) -> None:
    scene = scene_with_bodies
    scene.kubectl(A, "set", "image", "deployment/web", "web=registry.example.com/web:2")
    scene.kubectl(B, "set", "image", "deployment/web", "side=registry.example.com/side:2")
    # This changes nothing, so its author is named for nothing.
    scene.kubectl(C, "patch", "deployment", "web", "--patch", '{"spec": {"replicas": 2}}')

    people = scene.people()

    assert (people[IMAGE], people[SIDE]) == ([(A, "exact")], [(B, "exact")])


def test_the_one_who_changed_it_last_is_named(scene_with_bodies: Scene) -> None:
    scene = scene_with_bodies
    scene.kubectl(A, "set", "image", "deployment/web", "web=registry.example.com/web:2")
    scene.kubectl(B, "set", "image", "deployment/web", "web=registry.example.com/web:3")
    scene.kubectl(C, "label", "deployment", "web", "team=x")

    assert scene.people()[IMAGE] == [(B, "exact")]


def test_a_log_that_begins_after_the_edit_names_no_one(scene: Scene) -> None:
    scene.kubectl(A, "set", "image", "deployment/web", "web=registry.example.com/web:2")
    later = scene.cluster.audit_mark()
    scene.kubectl(B, "label", "service", "web", "x=y")
    log = scene.log(later)

    assert scene.people(log=log)[IMAGE] == []
    notes = scene.application.report("--audit-log", str(log), "--quiet").document["notes"]
    assert any(note.startswith("audit log: it begins at ") for note in notes)


def test_a_log_that_begins_between_two_edits_under_one_manager_is_no_certain_evidence(scene: Scene) -> None:
    scene.kubectl(A, "set", "image", "deployment/web", "web=registry.example.com/web:2")
    later = scene.cluster.audit_mark()
    scene.kubectl(B, "set", "image", "deployment/web", "side=registry.example.com/side:2")

    people = scene.people(log=scene.log(later))

    assert people[IMAGE] == people[SIDE] == [(B, "candidate")]


def test_a_rotated_log_is_read_as_one(scene: Scene) -> None:
    make_edits(scene)
    log = scene.log()
    whole = scene.people(log=log)
    lines = log.read_bytes().splitlines(keepends=True)
    # Most lines are the controllers' requests, so that a third of all may hold no edit.
    edits = [number for number, line in enumerate(lines) if b'"user-' in line and b'"verb":"get"' not in line]
    first, last = edits[len(edits) // 3], edits[2 * len(edits) // 3]
    log.with_name("audit-2026-01-31T12-00-00.000.log.gz").write_bytes(gzip.compress(b"".join(lines[:first])))
    log.with_name("audit-2026-01-31T13-00-00.000.log").write_bytes(b"".join(lines[first:last]))
    log.write_bytes(b"".join(lines[last:]))

    assert scene.people(log=log) == whole
    log.with_name("audit-2026-01-31T13-00-00.000.log").unlink()
    assert scene.people(log=log) != whole


def test_users_are_replaced_by_pseudonyms_or_left_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.kubectl(
        A, "--as", B, "--as-group", "system:masters", "set", "image", "deployment/web", "web=example.com/web:2"
    )
    log = scene.log()
    monkeypatch.setenv("DRIFT_AUDIT_KEY", "key")

    (hashed,) = scene.findings("--audit-users", "hashed", log=log)[IMAGE]["actors"]
    (again,) = scene.findings("--audit-users", "hashed", log=log)[IMAGE]["actors"]
    monkeypatch.delenv("DRIFT_AUDIT_KEY")
    (of_one_run,) = scene.findings("--audit-users", "hashed", log=log)[IMAGE]["actors"]
    (none,) = scene.findings("--audit-users", "none", log=log)[IMAGE]["actors"]

    assert hashed["user"].startswith("user-")
    assert {hashed["user"], hashed["impersonatedBy"]}.isdisjoint({A, B})
    assert hashed == again != of_one_run
    assert {"user", "impersonatedBy", "userAgent"}.isdisjoint(none)
    assert "userAgent" not in hashed
    assert none["evidence"] == hashed["evidence"] == "likely"


def test_values_in_audited_bodies_reach_no_stream(
    scene_with_bodies: Scene, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    make_edits(scene_with_bodies)
    log = scene_with_bodies.log()
    outputs = [f"--output={form}={tmp_path / form}" for form in Format if form is not Format.JSON]

    found = scene_with_bodies.findings("-v", "--history", str(tmp_path / "history"), *outputs, log=log)

    assert "Secret/db data.password" in found
    planted = [b"planted-by-hand", b"planted-in-git", base64.b64encode(b"planted-by-hand"), b"cGxhbnRlZC"]
    assert all(text in log.read_bytes() for text in planted[:2])
    streams = "".join(capfd.readouterr()).encode()
    for file in tmp_path.iterdir():
        if file.is_file() and file != log:
            streams += file.read_bytes()
    assert len(streams) > 10_000
    assert not [text for text in planted if text in streams]
    assert A.encode() in streams
    assert b"@example.com" not in (tmp_path / "metrics").read_bytes()


def test_what_a_syncer_deletes_is_a_sync_and_what_goes_with_its_namespace_is_whose_the_namespace_was(
    scene: Scene,
) -> None:
    namespace, syncer = scene.application.namespace, scene.service_account("kustomize-controller")
    scene.cluster.kubectl("delete", "configmap", "settings", kubeconfig=syncer)
    pruned = scene.findings()["ConfigMap/settings"]
    scene.kubectl(A, "delete", "namespace", namespace)

    gone = scene.findings()

    assert (pruned["cause"], pruned["actors"][0]["user"]) == (
        "pending-sync",
        f"system:serviceaccount:{namespace}:kustomize-controller",
    )
    assert {finding["actors"][0]["user"] for name, finding in gone.items() if name != "ConfigMap/settings"} == {A}
    assert {finding["cause"] for name, finding in gone.items() if name != "ConfigMap/settings"} == {"manual"}


CONFIG_MAPS = "".join(
    f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: '1', b: '2'}}\n---\n"
    for name in ("edited", "pending", "owner", "owned")
)


def test_a_cause_follows_the_user_who_applied_or_deleted(audited: Scene) -> None:
    deployer = audited.service_account("deployer")
    namespace, manifests = audited.application.namespace, audited.application.manifests / "manifests.yaml"
    manifests.write_text(CONFIG_MAPS)
    audited.cluster.kubectl("--namespace", namespace, "apply", f"--filename={manifests}", kubeconfig=deployer)
    by_hand = CONFIG_MAPS.split("---")[0].replace("b: '2'", "").replace("'1'", "'by hand'")
    audited.kubectl(A, "apply", "--filename=-", stdin=by_hand)
    manifests.write_text(CONFIG_MAPS.replace("name: pending}\ndata: {a: '1'", "name: pending}\ndata: {a: '2'"))
    uid = audited.application.kubectl("get", "configmap", "owner", "--output=jsonpath={.metadata.uid}")
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
    audited.application.patch("configmap", "owned", {"metadata": {"ownerReferences": [owner]}})
    audited.kubectl(B, "delete", "configmap", "owner")
    audited.application.kubectl("wait", "--for=delete", "configmap/owned", "--timeout=180s")
    log = audited.log()

    def told(log: Path) -> dict[str, tuple[str, list[tuple[str, str]]]]:
        people, flags = audited.people("--unmanaged=off", log=log), ("--unmanaged=off",)
        return {name: (found["cause"], people[name]) for name, found in audited.findings(*flags, log=log).items()}

    ci = f"system:serviceaccount:{namespace}:deployer"
    certain = {
        "ConfigMap/edited data.a": ("manual", [(A, "exact")]),
        "ConfigMap/edited data.b": ("manual", [(A, "exact")]),
        "ConfigMap/owner": ("manual", [(B, "exact")]),
        "ConfigMap/owned": ("manual", [(B, "exact")]),
        "ConfigMap/pending data.a": ("pending-sync", [(ci, "exact")]),
    }
    assert told(log) == certain
    assert audited.findings(log=log)["ConfigMap/owned"]["note"] == "deleted with its owner owner"
    assert told(without_bodies(log)) == {
        **certain,
        "ConfigMap/edited data.a": ("manual", [(A, "likely")]),
        # Git may have added it since.
        "ConfigMap/edited data.b": ("pending-sync", []),
        "ConfigMap/owned": ("manual", [(B, "likely")]),
        "ConfigMap/pending data.a": ("pending-sync", [(ci, "likely")]),
    }
