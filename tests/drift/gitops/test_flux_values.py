"""Values that Flux replaces: those that SOPS encrypts are neither compared nor shown; variables are recognized."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from drift.cli import main
from drift.errors import ManifestError
from drift.gitops.flux_values import ENCRYPTED, has_variables, mask_encrypted, variable_key
from drift.objects import Manifest, ObjectKey
from drift.scanning.options import Options
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


def compare(git: Any, live: Any, *flags: str) -> tuple[int, dict[str, Any]]:
    """Compares objects, or lists of objects. Returns the exit status and the JSON report."""
    for name, objects in (("git", git), ("live", live)):
        is_list = isinstance(objects, list)
        document = {"apiVersion": "v1", "kind": "List", "items": objects} if is_list else objects
        Path(f"{name}.json").write_text(json.dumps(document))
    status = main(["report", "git.json", "--live", "live.json", "--output", "json=r.json", *flags])
    report: dict[str, Any] = json.loads(Path("r.json").read_text())
    return status, report


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


def config_map(name: str, namespace: str = "shop", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, **more}


def by_flux(body: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {"f:data": {"f:host": {}}}
    entry = {"manager": "kustomize-controller", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1"}
    return {**body, "metadata": {**body["metadata"], "managedFields": [{**entry, "fieldsV1": fields}]}}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${HOST}", True),
        ("shop.${domain:-example.com}", True),
        ({"a": [1, "${A}${B}"]}, True),
        ("${NAME/-/_}", True),
        ("$${HOST}", False),
        ("$HOST ${} ${1} $(HOST)", False),
        (None, False),
    ],
)
def test_a_variable_is_recognized(value: Any, expected: bool) -> None:
    assert has_variables(value) is expected


@pytest.mark.parametrize(
    ("name", "matching", "other"),
    [
        ("${cluster}-config", "prod-config", "prod-settings"),
        ("a-${x}-b-${y:=z}", "a-1-b-2", "a-1-c-2"),
        ("${a}${b}${c}${d}${e}${f}${g}x", "anything", None),
    ],
)
def test_a_name_with_variables_matches_what_they_may_stand_for(name: str, matching: str, other: str | None) -> None:
    key = ObjectKey("", "ConfigMap", "shop", name)
    pattern = variable_key(Manifest("v1", "ConfigMap", "shop", name, None, {}), key)

    assert pattern is not None
    assert pattern.matches(ObjectKey("", "ConfigMap", "shop", matching))
    assert not pattern.matches(ObjectKey("", "Secret", "shop", matching))
    assert not pattern.matches(ObjectKey("", "ConfigMap", "other", matching))
    assert other is None or not pattern.matches(ObjectKey("", "ConfigMap", "shop", other))


def test_only_files_and_kustomizations_may_have_variables() -> None:
    options = Options(with_variables=frozenset({"apps"}))
    manifest = Manifest("v1", "ConfigMap", "shop", "${a}", None, {}, ("apps",))

    assert options.may_have_variables(manifest)
    assert not options.may_have_variables(replace(manifest, origins=("Kustomization flux-system/apps",)))


@pytest.mark.parametrize(
    "git",
    [
        config_map("${cluster}-config"),
        config_map("config", "${namespace}"),
        {**config_map("config"), "kind": "${kind}"},
        {**config_map("${cluster}-db"), "kind": "Secret"},
    ],
)
def test_an_object_whose_name_has_a_variable_is_unchecked_and_not_missing(git: dict[str, Any]) -> None:
    status, document = compare([git, config_map("a")], [config_map("a"), {**config_map("b"), "kind": "Secret"}])

    assert status == 3
    (item,) = [item for item in document["objects"] if item["status"] != "unmanaged"]
    assert item["status"] == "unchecked"
    assert "looks like Flux's postBuild substitution: --flux" in item["reason"]


def test_an_object_that_it_may_describe_is_not_unmanaged() -> None:
    live = [config_map("a"), config_map("prod-config"), config_map("by-hand")]

    _, document = compare([config_map("a"), config_map("${cluster}-config")], live)

    assert [item["name"] for item in document["objects"] if item["status"] == "unmanaged"] == ["by-hand"]


@pytest.mark.parametrize("name", ["${a}-hunter 2", "${a:-hunter2}"])
def test_the_name_of_a_secret_holds_nothing_but_characters_of_a_name_beside_its_variables(name: str) -> None:
    text = json.dumps({**config_map(name), "kind": "Secret"})

    with pytest.raises(ManifestError, match="is not a valid name for a Secret") as error:
        load_texts([("a.json", text.encode())])
    assert "hunter" not in str(error.value)


def test_a_value_that_flux_seems_to_replace_has_a_note() -> None:
    git = [config_map(name, data={"host": "shop.${domain}", "port": "80"}) for name in ("a", "b")]
    live = [
        by_flux(config_map(name, data={"host": "shop.example.com", "port": port}))
        for name, port in (("a", "80"), ("b", "81"))
    ]

    status, document = compare(git, live)

    assert status == 1
    notes = [(found["path"], found["note"] is not None) for item in document["objects"] for found in item["findings"]]
    assert notes == [("data.host", True), ("data.host", True), ("data.port", False)]
    assert (
        "2 objects that Flux applies differ from Git in a variable (${...}), such as ConfigMap shop/a: this looks like "
        "postBuild substitution, which --flux resolves"
    ) in document["notes"]


def test_a_value_of_an_object_that_flux_does_not_apply_has_no_note() -> None:
    _, document = compare([config_map("a", data={"host": "${domain}"})], [config_map("a", data={"host": "x"})])

    assert document["objects"][0]["findings"][0]["note"] is None
    assert not any("postBuild" in note for note in document["notes"])
