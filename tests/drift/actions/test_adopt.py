"""`drift adopt`: the patch makes Git say what is live, touches nothing else, and says what it refuses and why."""

import contextlib
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from drift.actions.adopt import is_as_reported
from drift.actions.files import FileChange, shows_secrets
from drift.cli import main

MANIFESTS = """\
# The shop.
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data:
  mode: fast   # for the sale
  level: "1"
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone, namespace: shop}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
stringData: {password: git-secret}
"""
LIVE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop, uid: u-1, resourceVersion: "7"}
data: {mode: slow, level: "1", extra: "on"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: stray, namespace: shop, uid: u-2, labels: {app: "1"}}
data: {text: "one\\ntwo\\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
data: {password: bGl2ZS1zZWNyZXQ=}
---
apiVersion: v1
kind: Secret
metadata: {name: stray, namespace: shop}
data: {password: bGl2ZS1zZWNyZXQ=}
"""
Out = pytest.CaptureFixture[str]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Git work tree with manifests, the working directory, and a report on edits by hand."""
    monkeypatch.chdir(tmp_path)
    _git("init", "--quiet", ".")
    _report(tmp_path)
    return tmp_path


def _git(*arguments: str, stdin: str | None = None) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, input=stdin).stdout  # noqa: S607


def _report(folder: Path, manifests: str = MANIFESTS, file: str = "shop.yaml", live: str = LIVE) -> None:
    (folder / file).parent.mkdir(parents=True, exist_ok=True)
    (folder / file).write_text(manifests, newline="")
    (folder / "live.yaml").write_text(live)
    assert main(["report", file, "--live", "live.yaml", "--output", "json=report.json"]) in {0, 1}


def test_the_patch_applies_and_leaves_every_other_line(repository: Path, capsys: Out) -> None:
    status = main(["adopt", "report.json", "ConfigMap/a", "shop/configmap/gone"])
    printed = capsys.readouterr()
    _git("apply", stdin=printed.out)

    assert status == 0
    assert printed.err.splitlines()[-1] == "drift: the patch adopts 3 of 3 findings, in 1 file"
    assert (repository / "shop.yaml").read_text() == MANIFESTS.replace("mode: fast ", "mode: slow ").replace(
        '  level: "1"\n', '  level: "1"\n  extra: "on"\n'
    ).replace("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone, namespace: shop}\n", "")


def test_secrets_are_refused_and_no_value_is_shown(repository: Path, capsys: Out) -> None:
    del repository
    status = main(["adopt", "report.json"])
    printed = capsys.readouterr()

    assert status == 1
    assert printed.err.splitlines() == [
        "drift: not adopted: Secret shop/s data.password: its value is hidden; change it in Git by hand",
        (
            "drift: not adopted: Secret shop/stray: the report does not show its manifest, because it has a hidden "
            "value or is too long; write it by hand"
        ),
        "drift: shop.yaml: not in the patch, which would show values of a Secret beside the change; use --write",
    ]
    for secret in ("git-secret", "live-secret", "bGl2ZS1zZWNyZXQ"):
        assert secret not in printed.out + printed.err


@pytest.mark.parametrize("prefix", ["./", "../here/", "ABSOLUTE"])
def test_the_patch_applies_however_the_report_names_the_file(tmp_path: Path, capsys: Out, prefix: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    with contextlib.chdir(here):
        _git("init", "--quiet", ".")
        _report(here, file=prefix.replace("ABSOLUTE", f"{here}/") + "shop.yaml")
        capsys.readouterr()

        assert main(["adopt", "report.json", _id("data.mode")]) == 0
        _git("apply", stdin=capsys.readouterr().out)

    assert "mode: slow" in (here / "shop.yaml").read_text()


@pytest.mark.parametrize("kind", ["List", "document"])
def test_a_patch_that_would_show_a_secret_beside_the_change_is_withheld(
    repository: Path, capsys: Out, kind: str
) -> None:
    def body(kind: str, name: str) -> dict[str, object]:
        return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "shop"}}

    secret = {**body("Secret", "s"), "stringData": {"password": "git-secret"}}
    edited = {"data": {"mode": "fast"}, **body("ConfigMap", "a")}
    bodies = [{"apiVersion": "v1", "kind": "List", "items": [secret, edited]}] if kind == "List" else [secret, edited]
    _report(repository, yaml.safe_dump_all(bodies, sort_keys=False))
    capsys.readouterr()

    assert main(["adopt", "report.json", _id("data.mode")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "shop.yaml: not in the patch, which would show values of a Secret beside the change" in printed.err
    assert main(["adopt", "report.json", _id("data.mode"), "--write"]) == 0
    assert "mode: slow" in (repository / "shop.yaml").read_text()


BESIDE = {
    "an annotation": "kind: Secret\nmetadata:\n  name: s\n  namespace: shop\n  annotations: {copy: git-secret}",
    "an unknown field": "kind: Secret\nmetadata: {name: s, namespace: shop}\npassword: git-secret",
    "a label": "kind: Secret\nmetadata:\n  name: s\n  namespace: shop\n  labels: {password: git-secret}",
    "a comment": "kind: Secret\nmetadata: {name: s, namespace: shop}\ndata: {a: eA==}\n# b: git-secret",
    "another object": "kind: T\nmetadata: {name: t}\nof: {apiVersion: v1, kind: Secret, data: {a: git-secret}}",
    "a text": 'kind: T\nmetadata: {name: t}\ndata: {a: "kind: Secret\\ndata: {a: git-secret}"}',
}


@pytest.mark.parametrize("place", BESIDE)
def test_a_patch_shows_no_secret_wherever_it_is_beside_the_change(repository: Path, capsys: Out, place: str) -> None:
    edited = "apiVersion: v1\ndata: {mode: fast}\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"
    version = "x.io/v1" if "kind: T" in BESIDE[place] else "v1"
    _report(repository, f"apiVersion: {version}\n{BESIDE[place]}\n---\n{edited}")
    capsys.readouterr()

    assert main(["adopt", "report.json", _id("data.mode")]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "git-secret" not in printed.err


def test_names_of_a_secret_beside_a_change_are_shown(repository: Path, capsys: Out) -> None:
    edited = "apiVersion: v1\ndata: {mode: fast}\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\n"
    values = "stringData: {a: git-secret}\n\n\n\n"
    _report(repository, f"{values}apiVersion: v1\nkind: Secret\nmetadata: {{name: s, namespace: shop}}\n---\n{edited}")
    capsys.readouterr()

    assert main(["adopt", "report.json", _id("data.mode")]) == 0
    assert " metadata: {name: s, namespace: shop}\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "generator",
    [
        'secretGenerator: [{name: s, literals: ["password=git-secret"]}]',
        "patches:\n- patch: |\n    kind: Secret\n    metadata: {name: s}\n    stringData: {password: git-secret}",
    ],
)
def test_a_patch_of_a_kustomization_shows_no_secret_beside_the_change(generator: str) -> None:
    before = f"{generator}\nresources:\n- shop.yaml\n"
    far = before.replace("resources:", "\n\n\nresources:\n- a.yaml\n- b.yaml\n- c.yaml")

    assert shows_secrets(FileChange("kustomization.yaml", before, f"{before}- stray.yaml\n"))
    assert not shows_secrets(FileChange("kustomization.yaml", far, f"{far}- stray.yaml\n"))


STRAY = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: stray
  namespace: shop
  labels:
    app: "1"
data:
  text: |
    one
    two
"""


def _strays(folder: str) -> list[str]:
    main(["report", folder, "--live", "live.yaml", "--output", "json=after.json"])
    return [one["name"] for one in json.loads(Path("after.json").read_text())["objects"] if one["kind"] == "ConfigMap"]


def test_an_unmanaged_object_becomes_a_file_that_the_kustomization_lists(repository: Path, capsys: Out) -> None:
    kustomization = "resources:\n  - ./shop.yaml   # all of it\n"
    (repository / "apps").mkdir()
    (repository / "apps/kustomization.yaml").write_text(kustomization)
    (repository / "apps/shop.yaml").write_text(MANIFESTS)
    assert main(["report", "apps/", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    capsys.readouterr()

    assert main(["adopt", "report.json", "ConfigMap/stray"]) == 0
    _git("apply", stdin=capsys.readouterr().out)

    assert (repository / "apps/configmap-stray.yaml").read_text() == STRAY
    assert (repository / "apps/kustomization.yaml").read_text() == kustomization + "  - configmap-stray.yaml\n"
    assert _strays("apps/") == ["a", "gone"]
    assert main(["adopt", "report.json", "ConfigMap/stray"]) == 1
    assert "apps/configmap-stray.yaml exists already" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["files", "kustomize"])
@pytest.mark.parametrize("folder", ["apps", ""])
def test_a_kustomization_that_is_named_by_its_file_lists_what_is_beside_it(
    repository: Path, monkeypatch: pytest.MonkeyPatch, kind: str, folder: str
) -> None:
    kustomization = "resources:\n  - shop.yaml\n"
    (repository / "apps").mkdir()
    (repository / "apps/kustomization.yaml").write_text(kustomization)
    (repository / "apps/shop.yaml").write_text(MANIFESTS)
    live = repository / "live.yaml"
    monkeypatch.chdir(repository if folder else repository / "apps")
    named = str(Path(folder) / "kustomization.yaml")
    assert main(["report", named, "--live", str(live), "--output", "json=report.json"]) == 1
    report = json.loads(Path("report.json").read_text())
    report["sources"][0]["kind"] = kind
    Path("report.json").write_text(json.dumps(report))

    assert main(["adopt", "report.json", "ConfigMap/stray", "--write"]) == 0

    assert (repository / "apps/configmap-stray.yaml").read_text() == STRAY
    assert (repository / "apps/kustomization.yaml").read_text() == kustomization + "  - configmap-stray.yaml\n"


def test_no_kustomization_lists_a_file_that_could_not_be_written(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    kustomization = "resources:\n  - shop.yaml\n"
    (repository / "apps").mkdir()
    (repository / "apps/kustomization.yaml").write_text(kustomization)
    account = "---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a, namespace: shop}\n"
    (repository / "apps/shop.yaml").write_text(MANIFESTS + account)
    # The name of its file comes after that of the kustomization.
    (repository / "live.yaml").write_text(LIVE + account + account.replace("name: a,", "name: stray,"))
    assert main(["report", "apps", "--live", "live.yaml", "--output", "json=report.json"]) == 1

    def refuse(file: Path, text: str) -> None:
        if not file.exists():
            raise PermissionError(13, "Permission denied")
        file.write_text(text)

    monkeypatch.setattr("drift.cli.fix.replace_file", refuse)

    assert main(["adopt", "report.json", "ServiceAccount/stray", "--write"]) == 2
    assert "cannot be written: Permission denied" in capsys.readouterr().err
    assert (repository / "apps/kustomization.yaml").read_text() == kustomization


@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_an_unmanaged_object_is_added_to_the_only_file_of_the_report(repository: Path, capsys: Out, end: str) -> None:
    without_secret = MANIFESTS.rpartition("---\n")[0]
    manifests = without_secret.replace("\n", end or "\n").removesuffix("" if end else "\n")
    _report(repository, manifests)
    capsys.readouterr()

    assert main(["adopt", "report.json", "ConfigMap/stray"]) == 0
    _git("apply", "--whitespace=nowarn", stdin=capsys.readouterr().out)

    line_break = end or "\n"
    expected = manifests + ("" if end else "\n") + f"---{line_break}" + STRAY.replace("\n", line_break)
    assert (repository / "shop.yaml").read_bytes().decode() == expected
    assert _strays("shop.yaml") == ["a", "gone"]


@pytest.mark.parametrize(
    ("target", "is_adopted"),
    [("{kind: ConfigMap}", False), ("{name: st.*}", False), ("{kind: Deployment}", True), ("{name: other}", True)],
)
def test_an_unmanaged_object_is_not_added_where_a_patch_would_change_it(
    repository: Path, capsys: Out, target: str, *, is_adopted: bool
) -> None:
    patches = f"patches:\n  - target: {target}\n    patch: '[]'\n"
    (repository / "apps").mkdir()
    (repository / "apps/shop.yaml").write_text(MANIFESTS)
    main(["report", "apps/", "--live", "live.yaml", "--output", "json=report.json"])
    (repository / "apps/kustomization.yaml").write_text(f"resources: [shop.yaml]\n{patches}")
    capsys.readouterr()

    assert main(["adopt", "report.json", "ConfigMap/stray"]) == (0 if is_adopted else 1)
    assert ("would change it (patches)" in capsys.readouterr().err) == (not is_adopted)


def test_no_manifest_is_added_to_a_generated_file(repository: Path, capsys: Out) -> None:
    _report(repository, "# Code generated by tool. DO NOT EDIT.\n" + MANIFESTS)
    capsys.readouterr()

    assert main(["adopt", "report.json", "ConfigMap/stray"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "shop.yaml is generated, as its first lines say" in printed.err


@pytest.mark.parametrize("flags", [[], ["--write"]])
def test_the_file_that_a_link_leads_to_is_edited(repository: Path, capsys: Out, flags: list[str]) -> None:
    (repository / "base").mkdir()
    (repository / "base/all.yaml").write_text(MANIFESTS)
    (repository / "shop.yaml").unlink()
    (repository / "shop.yaml").symlink_to("base/all.yaml")
    main(["report", "shop.yaml", "--live", "live.yaml", "--output", "json=report.json"])
    capsys.readouterr()

    assert main(["adopt", "report.json", _id("data.mode"), *flags]) == 0
    if not flags:
        _git("apply", stdin=capsys.readouterr().out)

    assert (repository / "shop.yaml").is_symlink()
    assert (repository / "base/all.yaml").read_text() == MANIFESTS.replace("mode: fast ", "mode: slow ")


def test_the_patch_is_for_no_other_file(repository: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    inner, outer = repository / "deploy/deploy", repository / "deploy"
    inner.mkdir(parents=True)
    for folder in (inner, outer):
        (folder / "shop.yaml").write_text(MANIFESTS)
    monkeypatch.chdir(outer)
    main(["report", "deploy/shop.yaml", "--live", "../live.yaml", "--output", "json=report.json"])
    capsys.readouterr()

    assert main(["adopt", "report.json", _id("data.mode")]) == 0
    _git("apply", "-p1", stdin=capsys.readouterr().out)

    assert "mode: slow" in (inner / "shop.yaml").read_text()
    assert (outer / "shop.yaml").read_text() == MANIFESTS


def test_a_patch_outside_of_the_working_directory_is_withheld(
    repository: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "elsewhere").mkdir()
    monkeypatch.chdir(repository / "elsewhere")
    main(["report", "../shop.yaml", "--live", "../live.yaml", "--output", "json=report.json"])
    capsys.readouterr()

    assert main(["adopt", "report.json", _id("data.mode")]) == 1
    assert capsys.readouterr().err == (
        "drift: ../shop.yaml: not in the patch, as git apply changes nothing outside of the working directory; "
        "use --write\n"
    )
    assert main(["adopt", "report.json", _id("data.mode"), "--write"]) == 0
    assert "mode: slow" in (repository / "shop.yaml").read_text()


def test_an_object_in_a_namespace_without_manifests_has_no_place(repository: Path, capsys: Out) -> None:
    report = json.loads((repository / "report.json").read_text())
    (stray,) = [one for one in report["objects"] if one["name"] == "stray" and one["kind"] == "ConfigMap"]
    stray["namespace"] = "elsewhere"
    (repository / "report.json").write_text(json.dumps(report))

    assert main(["adopt", "report.json", "ConfigMap/stray"]) == 1
    assert "no file holds another manifest of namespace elsewhere" in capsys.readouterr().err


def test_the_name_of_an_object_is_no_path(repository: Path) -> None:
    (repository / "apps").mkdir()
    (repository / "shop.yaml").rename("apps/shop.yaml")
    main(["report", "apps", "--live", "live.yaml", "--output", "json=report.json"])
    report = json.loads((repository / "report.json").read_text())
    (stray,) = [one for one in report["objects"] if one["name"] == "stray" and one["kind"] == "ConfigMap"]
    stray["name"] = "../../x"
    (repository / "report.json").write_text(json.dumps(report))

    assert main(["adopt", "report.json", stray["findings"][0]["id"], "--write"]) == 0
    assert sorted(path.name for path in (repository / "apps").iterdir()) == ["configmap-..-..-x.yaml", "shop.yaml"]


def test_a_date_stays_a_string_in_a_file_that_kustomize_builds(repository: Path) -> None:
    config = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata:\n  day: monday\n"
    (repository / "kz").mkdir()
    (repository / "kz/kustomization.yaml").write_text("resources: [a.yaml]\n")
    (repository / "kz/a.yaml").write_text(config)
    (repository / "live.yaml").write_text(config.replace("monday", '"2026-02-03"'))
    assert main(["report", "kz", "--live", "live.yaml", "--output", "json=report.json"]) == 1

    assert main(["adopt", "report.json", "--write"]) == 0

    assert (repository / "kz/a.yaml").read_text() == config.replace("monday", '"2026-02-03"')
    assert main(["report", "kz", "--live", "live.yaml"]) == 0


def test_one_finding_is_written_to_its_file(repository: Path, capsys: Out) -> None:
    assert main(["adopt", "report.json", _id("data.mode"), "--write"]) == 0

    assert (repository / "shop.yaml").read_text() == MANIFESTS.replace("mode: fast ", "mode: slow ")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "removes" not in printed.err


@pytest.mark.usefixtures("repository")
def test_a_manifest_that_leaves_its_file_is_named(capsys: Out) -> None:
    main(["adopt", "report.json", "ConfigMap/gone", "--write"])

    assert "removes a manifest from shop.yaml: ConfigMap shop/gone is not in the cluster" in capsys.readouterr().err


def _id(path: str) -> str:
    from drift.report.json_report import read_report  # noqa: PLC0415

    report = read_report(Path("report.json").read_text(), "report.json")
    (found,) = [one.id for item in report.objects for one in item.findings if one.path == path]
    return found


def test_a_file_that_holds_nothing_else_is_deleted_and_no_longer_listed(repository: Path, capsys: Out) -> None:
    kustomization = repository / "shop" / "kustomization.yaml"
    _report(repository, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone, namespace: shop}\n", "shop/gone.yaml")
    kustomization.write_text("resources:\n- other.yaml\n- gone.yaml # soon\n")
    capsys.readouterr()

    main(["adopt", "report.json", "ConfigMap/gone"])
    printed = capsys.readouterr()
    _git("apply", stdin=printed.out)

    assert (
        "removes shop/gone.yaml from Git: ConfigMap shop/gone is not in the cluster, and nothing shows" in printed.err
    )
    assert not (repository / "shop/gone.yaml").exists()
    assert kustomization.read_text() == "resources:\n- other.yaml\n"


WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\n"
GONE = WEB.replace("web", "gone")


def _kustomization_above(folder: Path, listed: str, **more: str) -> None:
    """Reports on the folder ``kz``, whose kustomization lists the files in ``kz/deploy``: one is gone, one stray."""
    files = {"kz/kustomization.yaml": listed, "kz/deploy/web.yaml": WEB, "kz/deploy/gone.yaml": GONE, **more}
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "live.yaml").write_text(f"{WEB}---\n{WEB.replace('web', 'stray')}")
    assert main(["report", "kz", "--live", "live.yaml", "--output", "json=report.json"]) == 1


@pytest.mark.parametrize(
    "above", ["", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n", "{", "a: b\n---\nc: d\n"]
)
def test_the_kustomization_above_a_file_lists_what_is_there(repository: Path, above: str) -> None:
    more = {"kustomization.yaml": above} if above else {}
    _kustomization_above(repository, "resources:\n- deploy/web.yaml\n- ./deploy/gone.yaml\n", **more)

    assert main(["adopt", "report.json", "--write"]) == 0

    assert not (repository / "kz/deploy/gone.yaml").exists()
    listed = (repository / "kz/kustomization.yaml").read_text()
    assert listed == "resources:\n- deploy/web.yaml\n- deploy/configmap-stray.yaml\n"
    assert main(["report", "kz", "--live", "live.yaml"]) == 0


def test_the_kustomization_above_the_working_directory_lists_what_is_there(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kustomization_above(repository, "resources: [deploy/web.yaml, deploy/gone.yaml]\n")
    monkeypatch.chdir(repository / "kz/deploy")
    assert main(["report", ".", "--live", "../../live.yaml", "--output", "json=report.json"]) == 1

    assert main(["adopt", "report.json", "--write"]) == 0

    listed = (repository / "kz/kustomization.yaml").read_text()
    assert listed == "resources: [deploy/web.yaml, deploy/configmap-stray.yaml]\n"


@pytest.mark.parametrize(("more", "is_adopted"), [("", False), ("configMapGenerator: [{name: x}]\n", True)])
def test_the_last_file_of_a_kustomization_is_not_deleted(
    repository: Path, capsys: Out, more: str, *, is_adopted: bool
) -> None:
    _report(repository, GONE, "kz/gone.yaml", live=WEB)
    _report(repository, GONE.replace("gone", "too"), "kz/too.yaml", live=WEB)
    (repository / "kz/kustomization.yaml").write_text("resources: [gone.yaml, too.yaml]\n")
    assert main(["report", "kz", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    (repository / "kz/kustomization.yaml").write_text(f"resources: [gone.yaml, too.yaml]\n{more}")
    capsys.readouterr()

    main(["adopt", "report.json", "ConfigMap/gone", "ConfigMap/too", "--write"])

    message = "is the last file that kz/kustomization.yaml lists"
    assert (message in capsys.readouterr().err) == (not is_adopted)
    listed = "[]" if is_adopted else "[too.yaml]"
    assert (repository / "kz/kustomization.yaml").read_text() == f"resources: {listed}\n{more}"


def test_no_kustomization_outside_of_the_repository_changes(repository: Path) -> None:
    listed = "resources: [deploy/web.yaml, deploy/gone.yaml]\n"
    _kustomization_above(repository, listed)
    _git("init", "--quiet", "kz/deploy")
    assert main(["report", "kz/deploy", "--live", "live.yaml", "--output", "json=report.json"]) == 1

    assert main(["adopt", "report.json", "--write"]) == 0

    assert (repository / "kz/kustomization.yaml").read_text() == listed
    assert not (repository / "kz/deploy/gone.yaml").exists()
    assert (repository / "kz/deploy/configmap-stray.yaml").exists()


def test_no_file_is_added_beside_one_that_another_kustomization_lists(repository: Path, capsys: Out) -> None:
    lists = "resources: [../deploy/web.yaml, ../deploy/gone.yaml]\n"
    _kustomization_above(repository, "resources: [app]\n", **{"kz/app/kustomization.yaml": lists})

    assert main(["adopt", "report.json", "ConfigMap/stray"]) == 1

    assert "kz/kustomization.yaml does not list kz/deploy/" in capsys.readouterr().err


def test_a_kustomization_that_cannot_be_read_gets_no_entry(repository: Path, capsys: Out) -> None:
    _kustomization_above(repository, "resources: [deploy/web.yaml, deploy/gone.yaml]\n")
    (repository / "kz/deploy/kustomization.yaml").write_text("{")

    assert main(["adopt", "report.json", "ConfigMap/stray"]) == 1

    assert "kz/deploy/kustomization.yaml cannot be read" in capsys.readouterr().err


def test_a_file_that_changed_since_the_report_is_refused(repository: Path, capsys: Out) -> None:
    file = repository / "shop.yaml"
    file.write_text(MANIFESTS.replace("fast", "faster"))

    assert main(["adopt", "report.json", _id("data.mode")]) == 1
    assert "shop.yaml has changed since the report was made; make it again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda folder: (folder / "cdk8s.yaml").write_text("output: dist\n"), "run `cdk8s synth`"),
        (lambda folder: (folder / "cdk8s.yaml").write_text("app: x\n"), "run `cdk8s synth`"),
        (
            lambda folder: (folder / "dist/shop.yaml").write_text("# Code generated by x. DO NOT EDIT.\n" + MANIFESTS),
            "is generated, as its first lines say",
        ),
        (
            lambda folder: (folder / "dist/shop.yaml").write_text("# Synthesized from shop/: run make.\n" + MANIFESTS),
            "is generated, as its first lines say",
        ),
    ],
)
def test_synthesized_files_are_refused(repository: Path, capsys: Out, prepare: object, reason: str) -> None:
    _report(repository, file="dist/shop.yaml")
    assert callable(prepare)
    prepare(repository)

    assert main(["adopt", "report.json", "ConfigMap/a"]) == 1
    assert reason in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (None, ("Deployment/none",), "Deployment/none: the report has no drift with this id or object"),
        ("{}", (), "report.json: not a drift report"),
    ],
)
def test_usage_errors_are_one_line(
    repository: Path, capsys: Out, content: str | None, arguments: tuple[str, ...], message: str
) -> None:
    if content is not None:
        (repository / "report.json").write_text(content)

    assert main(["adopt", "report.json", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_incomplete_report_is_refused(repository: Path, capsys: Out) -> None:
    (repository / "shop.yaml").write_text(MANIFESTS + "---\na: [\n")
    main(["report", "shop.yaml", "--live", "live.yaml", "--output", "json=report.json"])

    assert main(["adopt", "report.json"]) == 2
    assert "the report is incomplete" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("sops: {mac: x}\n", "SOPS signs the values in shop.yaml; change it there with `sops edit`"),
        ("data: {mode: quick, level: '1'}\n", "shop.yaml:8 repeats a key; remove one of them first"),
    ],
)
def test_a_document_that_cannot_be_edited_safely_is_refused(
    repository: Path, capsys: Out, more: str, reason: str
) -> None:
    _report(repository, MANIFESTS.replace('"1"\n', f'"1"\n{more}', 1))

    assert main(["adopt", "report.json", "ConfigMap/a"]) == 1

    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"data.mode: {reason}" in printed.err


MAP = """\
{"version": 1, "command": "make all", "settings": [
{"setting": "mode", "file": "config/shop.py", "line": 3, "manifests": [
 {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "a", "fields": {"/data/mode": "is"}}]},
{"setting": "variables", "file": "config/shop.py", "line": 4, "manifests": [
 {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "fields": {"/data": "fills", "/data/level": "shapes"}}]},
{"setting": "debug", "file": "config/shop.py", "line": 4, "manifests": [
 {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "fields": {"/data/level": "shapes"}}]},
{"setting": "speed", "file": "config/all.py", "line": 1, "manifests": [
 {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "fields": {"/data/level": "shapes", "/data/mode": "shapes"}},
 {"apiVersion": "v1", "kind": "ConfigMap", "namespace": "other", "name": "a", "fields": {"/data": "is"}}]}
]}
"""


@pytest.mark.parametrize(
    ("live", "instruction"),
    [
        ("{mode: slow, level: '1'}", "set mode in config/shop.py:3 to slow, and run `make all`"),
        ("{mode: 'a\tb', level: '1'}", 'set mode in config/shop.py:3 to "a\\tb", and run `make all`'),
        ("{level: '1'}", "change mode in config/shop.py:3, and run `make all`"),
        (
            "{mode: fast, level: '2'}",
            "change variables or debug in config/shop.py:4 or speed in config/all.py:1, and run `make all`",
        ),
        ("{mode: fast, level: '1', extra: a}", "change variables in config/shop.py:4, and run `make all`"),
        (
            "{mode: fast, level: '1'}\nimmutable: true",
            "no setting decides this; change the code that synthesizes it, or revert it with `drift revert`",
        ),
    ],
)
def test_a_synthesized_field_is_changed_in_its_setting(
    repository: Path, capsys: Out, live: str, instruction: str
) -> None:
    head = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: shop}\ndata: "
    (repository / "dist.settings.json").write_text(MAP)
    _report(repository, f"{head}{{mode: fast, level: '1'}}\n", "dist/a/shop.yaml", f"{head}{live}\n")
    capsys.readouterr()

    assert main(["adopt", "report.json", "--write"]) == 1
    (line, _) = capsys.readouterr().err.splitlines()
    assert line.endswith(f": dist/a/shop.yaml is synthesized; {instruction}")


@pytest.mark.parametrize("text", ["", "{}", MAP.replace('"version": 1', '"version": 2'), MAP.replace(": 3", ": 0")])
def test_a_broken_map_of_settings_is_one_line(repository: Path, capsys: Out, text: str) -> None:
    _report(repository, file="dist/shop.yaml")
    (repository / "dist.settings.json").write_text(text)
    capsys.readouterr()

    assert main(["adopt", "report.json"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("drift: dist.settings.json: not a map of settings: ")


def test_two_fields_of_the_key_of_an_item_change_at_once(repository: Path) -> None:
    ports = "  ports:\n  - {name: a, port: 443, protocol: TCP}\n  - {name: b, port: 443, protocol: UDP}\n"
    service = f"apiVersion: v1\nkind: Service\nmetadata: {{name: a, namespace: shop}}\nspec:\n{ports}"
    live = service.replace("name: b, port: 443, protocol: UDP", "name: b, port: 30, protocol: SCTP")
    _report(repository, service, live=live)

    assert main(["adopt", "report.json", "--write"]) == 0
    assert (repository / "shop.yaml").read_text() == live


@pytest.mark.parametrize(
    ("value", "reported", "is_same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["b", "a"], False),
        (["a", "a"], ["a", "b"], False),
        (["a", "b"], ["a", "a"], False),
        ([["a"], ["b"]], [["b"], ["a"]], False),
        # The report sorts mappings, and leaves out what is empty.
        ([{"b": 1}, {"a": 1, "c": None}], [{"a": 1}, {"b": 1}], True),
        ([{"a": 1}, {"a": 1}], [{"a": 1}, {"b": 1}], False),
        ([{"a": 1}, {"b": 1}], [{"a": 1}, {"a": 1}], False),
        ([{"a": ["x", "y"]}], [{"a": ["y", "x"]}], False),
    ],
)
def test_a_list_is_as_reported_if_it_has_the_same_items(
    value: list[object], reported: list[object], is_same: bool
) -> None:
    assert is_as_reported(value, reported) is is_same
