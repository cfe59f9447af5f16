"""Values that SOPS encrypts: fields are compared, values are neither compared nor shown."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.cli import main
from drift.errors import ManifestError
from drift.gitops.sops import ENCRYPTED, mask_encrypted
from drift.sources.load import load_texts
from tests.git import git

CIPHER = "ENC[AES256_GCM,data:cGxhbg==,iv:aXY=,tag:dGFn,type:str]"
SOPS = {"mac": CIPHER, "version": "3.9.0", "encrypted_regex": "^(data|stringData)$"}
PLAIN = "pl4in-t3xt"


def body(kind: str = "ConfigMap", **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a", "namespace": "shop"}, **fields}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def compare(git: dict[str, Any], live: dict[str, Any], *flags: str) -> tuple[int, dict[str, Any]]:
    """Returns the exit status, and the JSON report without the note on managedFields."""
    Path("git.json").write_text(json.dumps(git))
    Path("live.json").write_text(json.dumps(live))
    status = main(["report", "git.json", "--live", "live.json", "--output", "json=r.json", *flags])
    document: dict[str, Any] = json.loads(Path("r.json").read_text())
    return status, document


def findings(document: dict[str, Any]) -> list[tuple[str, str, bool, Any, Any]]:
    return [
        (found["change"], found["path"], found["redacted"], found["desired"], found["live"])
        for item in document["objects"]
        for found in item["findings"]
    ]


def test_what_sops_has_not_written_is_unchanged() -> None:
    for document in (None, [CIPHER], body("Widget", data={"a": CIPHER}), body(sops="text", data={"a": "x"})):
        assert mask_encrypted(document) == document


def test_encrypted_values_are_masked_and_the_metadata_is_removed() -> None:
    masked = mask_encrypted(body(data={"a": CIPHER, "b": "open"}, list=[{"c": CIPHER}, CIPHER], sops=SOPS))

    assert masked == body(data={"a": ENCRYPTED, "b": "open"}, list=[{"c": ENCRYPTED}, ENCRYPTED])


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_an_encrypted_value_is_in_sync_with_any_and_listed(kind: str) -> None:
    live = body(kind, data={"a": "cGw0aW4=", "b": "b3Blbg=="})

    status, document = compare(body(kind, data={"a": CIPHER, "b": "b3Blbg=="}, sops=SOPS), live)

    assert status == 0
    assert document["summary"]["objects"]["inSync"] == 1
    (item,) = document["objects"]
    assert item["status"] == "in-sync"
    assert item["notCompared"] == [{"path": "data.a", "reason": "encrypted with SOPS"}]
    assert "one value is encrypted with SOPS: compared is only whether the cluster has the field" in document["notes"]


def test_an_encrypted_string_data_is_a_key_of_data() -> None:
    status, document = compare(body("Secret", stringData={"a": CIPHER}, sops=SOPS), body("Secret", data={"a": "eA=="}))

    assert status == 0
    assert [one["path"] for one in document["objects"][0]["notCompared"]] == ["data.a"]


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_keys_are_compared_without_their_values(kind: str) -> None:
    git = body(kind, data={"gone": CIPHER, "kept": CIPHER}, sops=SOPS)

    status, document = compare(git, body(kind, data={"kept": "eA==", "extra": "eQ=="}))

    assert status == 1
    assert findings(document) == [
        ("added", "data.extra", True, None, None),
        ("removed", "data.gone", True, None, None),
    ]


def test_what_is_not_encrypted_is_compared_and_shown() -> None:
    git = body(data={"a": CIPHER, "b": "git"}, sops=SOPS)
    live = body(data={"a": PLAIN, "b": "live"})
    live["metadata"]["labels"] = {"by": "hand"}

    status, document = compare(git, live)

    assert status == 1
    assert findings(document) == [
        ("changed", "data.b", False, "git", "live"),
        ("added", "metadata.labels", False, None, {"by": "hand"}),
    ]


def deployment(value: str, replicas: int | None = None, **more: Any) -> dict[str, Any]:
    container = {"name": "web", "image": "nginx:1", "env": [{"name": "TOKEN", "value": value}]}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {"containers": [container]}}}
    return {**body("Deployment", spec=spec | ({} if replicas is None else {"replicas": replicas})), **more} | {
        "apiVersion": "apps/v1"
    }


def test_defaults_beside_an_encrypted_value_are_no_drift() -> None:
    live = deployment(PLAIN, replicas=1)
    live["spec"]["template"]["spec"]["containers"][0] |= {"terminationMessagePath": "/dev/termination-log"}

    status, document = compare(deployment(CIPHER, sops=SOPS), live)

    assert status == 0
    assert [one["path"] for one in document["objects"][0]["notCompared"]] == [
        "spec.template.spec.containers[name=web].env[name=TOKEN].value"
    ]


@pytest.mark.parametrize(
    ("now", "found"),
    [
        ({"a": "placeholder"}, ("changed", "data.a", True, None, None)),
        ({"b": "open"}, ("added", "data.a", True, None, None)),
        ({"a": "placeholder", "b": CIPHER}, ("changed", "data.a", True, None, None)),
    ],
)
def test_a_value_that_was_encrypted_at_the_last_sync_is_not_shown(now: dict[str, str], found: tuple[Any, ...]) -> None:
    Path("git.json").write_text(json.dumps(body(data={"a": CIPHER, "b": "open"}, sops=SOPS)))
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        git(Path(), *arguments)

    status, document = compare(
        body(data=now, sops=SOPS), body(data={"a": PLAIN, "b": "open"}), "--synced-revision", "HEAD"
    )

    assert status == 1
    assert found in findings(document)
    assert PLAIN not in json.dumps(document)


def test_an_in_sync_object_with_encrypted_values_is_listed_with_v_only(capsys: pytest.CaptureFixture[str]) -> None:
    git, live = body(data={"a": CIPHER}, sops=SOPS), body(data={"a": PLAIN})

    compare(git, live, "--output", "text")
    assert "data.a" not in capsys.readouterr().out
    compare(git, live, "--output", "text", "-v")

    out = capsys.readouterr().out
    assert "not compared: data.a (encrypted with SOPS)" in out
    assert PLAIN not in out


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"apiVersion": CIPHER}, "apiVersion"),
        ({"kind": CIPHER}, "kind"),
        ({"metadata": {"name": CIPHER}}, "metadata.name"),
    ],
)
def test_an_object_whose_identity_is_encrypted_is_an_error(change: dict[str, Any], field: str) -> None:
    with pytest.raises(
        ManifestError, match=rf"a\.json:1:1: {field} is encrypted with SOPS, so the object is not known"
    ):
        load_texts([("a.json", json.dumps({**body(sops=SOPS), **change}).encode())])


def test_an_encrypted_values_file_is_no_manifest() -> None:
    Path("apps").mkdir()
    Path("apps/values.yaml").write_text(json.dumps({"password": CIPHER, "sops": SOPS}))
    Path("apps/a.json").write_text(json.dumps(body()))
    Path("live.json").write_text(json.dumps(body()))

    assert main(["report", "apps", "--live", "live.json"]) == 0


ENCRYPTED_FILES = {
    "secret.yaml": f"password: {CIPHER}\nsops:\n  mac: {CIPHER}\n",
    "secret.env": f"PASSWORD={CIPHER}\nsops_mac={CIPHER}\nsops_version=3.9.0\n",
}
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1
        envFrom: [{secretRef: {name: env}}]
      volumes:
      - {name: files, secret: {secretName: files}}
"""
KUSTOMIZATION = """\
namespace: shop
resources: [web.yaml]
secretGenerator:
- {name: files, files: [secret.yaml]}
- {name: env, envs: [secret.env]}
"""


def _generated(hash_: str) -> list[dict[str, Any]]:
    """The objects in the cluster, with Secrets that have a hash of the decrypted files in their names."""
    web = yaml.safe_load(DEPLOYMENT)
    [container] = web["spec"]["template"]["spec"]["containers"]
    container["envFrom"][0]["secretRef"]["name"] = f"env{hash_}"
    web["spec"]["template"]["spec"]["volumes"][0]["secret"]["secretName"] = f"files{hash_}"
    metadata = {"namespace": "shop"}
    return [
        web,
        {**body("Secret", type="Opaque", data={"PASSWORD": "eA=="}), "metadata": {**metadata, "name": f"env{hash_}"}},
        {
            **body("Secret", type="Opaque", data={"secret.yaml": "eA=="}),
            "metadata": {**metadata, "name": f"files{hash_}"},
        },
        {**body("Secret", data={"a": "eA=="}), "metadata": {**metadata, "name": "by-hand"}},
    ]


@pytest.mark.parametrize(("options", "hash_"), [("", "-t4mb2k5h9c"), ("disableNameSuffixHash: true", "")])
def test_what_kustomize_generates_of_an_encrypted_file_is_matched_without_its_hash(
    kustomize: Path, options: str, hash_: str
) -> None:
    del kustomize
    Path("apps").mkdir()
    files = {**ENCRYPTED_FILES, "web.yaml": DEPLOYMENT}
    files["kustomization.yaml"] = f"{KUSTOMIZATION}generatorOptions: {{{options}}}\n"
    for name, text in files.items():
        Path("apps", name).write_text(text)
    live = {"apiVersion": "v1", "kind": "List", "items": _generated(hash_)}
    Path("live.json").write_text(json.dumps(live))

    status = main(["report", "apps", "--live", "live.json", "--output", "json=r.json"])

    document = json.loads(Path("r.json").read_text())
    found = {item["name"]: item["status"] for item in document["objects"]}
    assert found.pop("by-hand") == "unmanaged"
    # The names of the Secrets in it are not compared.
    assert found.pop("web", None) == ("in-sync" if hash_ else None)
    assert set(found.values()) == ({"unchecked"} if hash_ else {"in-sync"})
    assert [name.partition("-")[0] for name in sorted(found)] == ["env", "files"]
    assert status == (3 if hash_ else 1)
