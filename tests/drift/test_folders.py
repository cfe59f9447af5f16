"""Folders of manifests as people keep them, compared with the API server."""

import pytest

from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer

OBJECTS = 540
FOREIGN = {
    "values.yaml": "image: {tag: '1.4'}\nreplicas: 2\n",
    "package.json": '{"name": "web", "private": true}\n',
    "patch.yaml": "- {op: replace, path: /spec/replicas, value: 3}\n",
    "settings.yml": "just text\n",
}


def config_map(number: int, value: str = "git") -> str:
    metadata = f"{{name: c{number}, namespace: NAMESPACE}}"
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {metadata}\ndata: {{key: {value}}}\n"


def test_a_repository_of_600_files_with_60_foreign_ones_has_a_verdict_in_one_run(workspace: Application) -> None:
    for number in range(OBJECTS):
        team = workspace.manifests / f"team{number % 15}"
        team.mkdir(exist_ok=True)
        workspace.write(config_map(number), f"{team.name}/c{number}.yaml")
    workspace.sync()
    for team in sorted(workspace.manifests.iterdir()):
        for name, text in FOREIGN.items():
            (team / name).write_text(text)
    (workspace.manifests / ".github").mkdir()
    (workspace.manifests / ".github" / "broken.yaml").write_text("on: [\n")
    workspace.kubectl("delete", "configmap", "c100")
    workspace.patch("configmap", "c200", {"data": {"key": "edited"}})

    scanned = workspace.report()

    assert scanned.status == 1
    assert scanned.document["summary"]["objects"] == {
        "checked": OBJECTS,
        "inSync": OBJECTS - 2,
        "drifted": 1,
        "missing": 1,
        "unmanaged": 0,
        "unchecked": 0,
    }
    (note,) = scanned.document["notes"]
    assert note.startswith("skipped 60 files without a Kubernetes object: ")
    assert note.endswith("and 57 more (-v lists them)")


SOPS = "sops: {mac: 'ENC[AES256_GCM,data:bWFj,iv:aXY=,tag:dGFn,type:str]', version: 3.9.0}\n"
ENCRYPTED = """\
apiVersion: v1
kind: Secret
metadata: {name: db, namespace: NAMESPACE}
data:
  password: ENC[AES256_GCM,data:cGxhbg==,iv:aXY=,tag:dGFn,type:str]
  user: ENC[AES256_GCM,data:cGxhbg==,iv:aXY=,tag:dGFn,type:str]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: NAMESPACE}
data:
  token: ENC[AES256_GCM,data:cGxhbg==,iv:aXY=,tag:dGFn,type:str]
  level: info
"""


@pytest.mark.parametrize("syncer", [Syncer.FLUX, Syncer.KUBECTL])
def test_objects_that_sops_encrypts_are_in_sync_until_their_fields_change(
    workspace: Application, syncer: Syncer, capsys: pytest.CaptureFixture[str]
) -> None:
    # As kustomize-controller applies them: decrypted.
    workspace.write(ENCRYPTED.replace("ENC[AES256_GCM,data:cGxhbg==,iv:aXY=,tag:dGFn,type:str]", "cGw0aW50M3h0"))
    workspace.sync(syncer)
    workspace.write(ENCRYPTED.replace("---", f"{SOPS}---") + SOPS)

    scanned = workspace.report("-v")

    assert (scanned.status, scanned.findings) == (0, [])
    assert [(item["name"], [one["path"] for one in item["notCompared"]]) for item in scanned.document["objects"]] == [
        ("settings", ["data.token"]),
        ("db", ["data.password", "data.user"]),
    ]
    workspace.patch("configmap", "settings", {"data": {"level": "debug", "key": "cGw0aW50M3h0-2"}})
    workspace.patch("secret", "db", {"data": {"user": None, "extra": "cGw0aW50M3h0"}})

    scanned = workspace.report("-v", "--output", "text")

    assert scanned.status == 1
    assert [found[:3] for found in scanned.findings] == [
        ("ConfigMap/settings", "added", "data.key"),
        ("ConfigMap/settings", "changed", "data.level"),
        ("Secret/db", "added", "data.extra"),
        ("Secret/db", "removed", "data.user"),
    ]
    assert "cGw0aW50M3h0" not in f"{scanned.document} {capsys.readouterr()}"


def test_variables_that_flux_replaces_are_named_and_hide_no_object(workspace: Application) -> None:
    workspace.write(config_map(1, "shop.example.com"), "a.yaml")
    workspace.write(config_map(2), "b.yaml")
    workspace.sync(owner="apps")
    workspace.kubectl("create", "configmap", "by-hand", "--from-literal=a=b")
    workspace.write(config_map(1, "'shop.${domain}'"), "a.yaml")
    workspace.write(config_map(2).replace("c2", "'c${number}'"), "b.yaml")

    scanned = workspace.report()

    assert scanned.status == 3
    statuses = {item["name"]: item["status"] for item in scanned.document["objects"]}
    assert statuses == {"c1": "drifted", "c${number}": "unchecked", "by-hand": "unmanaged"}
    assert any("looks like postBuild substitution" in note for note in scanned.document["notes"])


def test_a_broken_commit_does_not_blind_the_job(workspace: Application) -> None:
    for number in range(3):
        workspace.write(config_map(number), f"c{number}.yaml")
    workspace.sync()
    workspace.kubectl("create", "configmap", "by-hand", "--from-literal=a=b")
    assert workspace.report().findings == [("ConfigMap/by-hand", "unmanaged", "", "manual")]

    workspace.write(config_map(1).replace("data: {", "data: {{"), "c1.yaml")
    workspace.patch("configmap", "c2", {"data": {"key": "edited"}})
    scanned = workspace.report("--exit-zero")

    assert scanned.status == 2
    assert scanned.findings == [("ConfigMap/c2", "changed", "data.key", "manual")]
    (error,) = scanned.document["errors"]
    assert error.startswith(f"{workspace.manifests}/c1.yaml:")
