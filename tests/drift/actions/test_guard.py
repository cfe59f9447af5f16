"""`drift guard`: what a merge does to each open edit by hand."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.git import git

MANIFESTS = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.29
          env: [{name: A, value: "1"}, {name: B, value: "2"}]
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
stringData: {password: git-secret}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: gone, namespace: shop}
"""
LIVE = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
        - name: web
          image: nginx:1.30
          env: [{name: B, value: "2"}, {name: C, value: "3"}]
---
apiVersion: v1
kind: Secret
metadata: {name: s, namespace: shop}
data: {password: bGl2ZS1zZWNyZXQ=}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: stray, namespace: shop}
data: {a: b}
"""
Out = pytest.CaptureFixture[str]
CONTAINER = "spec.template.spec.containers[name=web]"
ENV = f"Deployment/web {CONTAINER}.env"


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Git work tree with the manifests on branch main, and a report on edits by hand."""
    monkeypatch.chdir(tmp_path)
    git(Path(), "init", "--quiet", "--initial-branch=main", ".")
    (tmp_path / "shop.yaml").write_text(MANIFESTS)
    git(Path(), "add", "shop.yaml")
    git(Path(), "commit", "--quiet", "--message=first")
    (tmp_path / "live.yaml").write_text(LIVE)
    assert main(["report", "shop.yaml", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    return tmp_path


def _guard(capsys: Out, *flags: str) -> tuple[int, dict[str, str]]:
    capsys.readouterr()
    status = main(["guard", "report.json", "--base", "main", "--output", "json", *flags])
    findings = json.loads(capsys.readouterr().out)["findings"]
    return status, {f"{one['kind']}/{one['name']} {one['path']}".strip(): one["effect"] for one in findings}


def test_a_change_elsewhere_leaves_everything(repository: Path, capsys: Out) -> None:
    (repository / "shop.yaml").write_text(MANIFESTS.replace('value: "2"', 'value: "20"'))

    status, effects = _guard(capsys)

    assert status == 0
    assert set(effects.values()) == {"leaves"}
    assert len(effects) == 7


@pytest.mark.parametrize(
    ("old", "new", "finding", "effect", "status"),
    [
        ("nginx:1.29", "nginx:1.31", f"Deployment/web {CONTAINER}.image", "overwrites", 1),
        ("nginx:1.29", "nginx:1.30", f"Deployment/web {CONTAINER}.image", "codifies", 0),
        ("replicas: 2", "replicas: 5", "Deployment/web spec.replicas", "codifies", 0),
        ("  replicas: 2\n", "", "Deployment/web spec.replicas", "overwrites", 1),
        ('{name: A, value: "1"}, ', "", f"{ENV}[name=A]", "codifies", 0),
        ('value: "1"', 'value: "9"', f"{ENV}[name=A]", "overwrites", 1),
        ('value: "2"}', 'value: "2"}, {name: C, value: "3"}', f"{ENV}[name=C]", "codifies", 0),
        ('value: "2"}', 'value: "2"}, {name: C, value: "4"}', f"{ENV}[name=C]", "overwrites", 1),
        ("git-secret", "other-secret", "Secret/s data.password", "unknown", 3),
        (MANIFESTS[MANIFESTS.rindex("---") :], "", "ConfigMap/gone", "codifies", 0),
        ("name: gone", "name: stray", "ConfigMap/stray", "overwrites", 1),
        # What holds an added field is removed.
        (MANIFESTS[: MANIFESTS.index("---") + 4], "", f"{ENV}[name=C]", "overwrites", 1),
        ("- name: web", "- name: other", f"{ENV}[name=C]", "overwrites", 1),
    ],
)  # fmt: skip
def test_a_change_of_the_field(  # noqa: PLR0917
    repository: Path, capsys: Out, old: str, new: str, finding: str, effect: str, status: int
) -> None:
    (repository / "shop.yaml").write_text(MANIFESTS.replace(old, new))

    found, effects = _guard(capsys)

    assert (effects[finding], found) == (effect, status)


def test_a_namespace_of_a_cluster_scoped_object_means_nothing(repository: Path, capsys: Out) -> None:
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: a, NSlabels: {k: GIT}}\n"
    for namespaced, text in ((True, "git"), (False, "live")):
        name = "shop.yaml" if namespaced else "live.yaml"
        body = role.replace("NS", "namespace: shop, " if namespaced else "").replace("GIT", text)
        (repository / name).write_text(body)
    git(Path(), "commit", "--quiet", "--all", "--message=role")
    main(["report", "shop.yaml", "--live", "live.yaml", "--output", "json=report.json"])
    (repository / "shop.yaml").write_text((repository / "shop.yaml").read_text().replace("git", "other"))

    assert _guard(capsys) == (1, {"ClusterRole/a metadata.labels.k": "overwrites"})

    git(Path(), "checkout", "--quiet", "shop.yaml")
    assert main(["adopt", "report.json", "--write"]) == 0
    assert "namespace: shop, labels: {k: live}" in (repository / "shop.yaml").read_text()


def test_an_object_of_the_report_that_is_in_neither_revision_is_unknown(repository: Path, capsys: Out) -> None:
    (repository / "manifests").mkdir()
    for name in ("other", "shop"):
        (repository / f"manifests/{name}.yaml").write_text(MANIFESTS.replace("shop", name))
    git(Path(), "add", "manifests")
    git(Path(), "commit", "--quiet", "--message=folder")
    main(["report", "manifests", "--live", "live.yaml", "--output", "json=report.json"])
    (repository / "manifests/shop.yaml").write_text(MANIFESTS.replace("nginx:1.29", "nginx:1.31"))
    image = f"Deployment/web {CONTAINER}.image"

    status, effects = _guard(capsys)
    assert (effects[image], effects["ConfigMap/stray"], status) == ("overwrites", "leaves", 1)

    (repository / "drift.yaml").write_text("exclude: [shop.yaml]\n")
    status, effects = _guard(capsys)
    assert (effects[image], effects["ConfigMap/stray"], status) == ("unknown", "leaves", 3)


@pytest.mark.usefixtures("repository")
def test_the_deadline_ends_it(capsys: Out) -> None:
    assert main(["guard", "report.json", "--base", "main", "--deadline", "0.000001s"]) == 3
    assert "git was stopped" in capsys.readouterr().err


def test_what_is_adopted_is_codified(repository: Path, capsys: Out) -> None:
    assert main(["adopt", "report.json", "--write"]) == 1

    status, effects = _guard(capsys)

    assert status == 0
    assert effects.pop("Secret/s data.password") == "leaves"
    assert set(effects.values()) == {"codifies"}
    assert len(effects) == 6
    manifests = (repository / "shop.yaml").read_text()
    (repository / "shop.yaml").write_text(manifests.replace("  a: b\n", "  a: c\n"))
    assert _guard(capsys)[1]["ConfigMap/stray"] == "overwrites"


def test_a_base_that_is_not_what_the_report_saw_conflicts(repository: Path, capsys: Out) -> None:
    (repository / "shop.yaml").write_text(MANIFESTS.replace("nginx:1.29", "nginx:1.28"))
    git(Path(), "commit", "--quiet", "--all", "--message=second")
    (repository / "shop.yaml").write_text(MANIFESTS.replace("nginx:1.29", "nginx:1.31"))

    status, effects = _guard(capsys)

    assert (effects[f"Deployment/web {CONTAINER}.image"], status) == ("conflicts", 1)


def test_a_manifest_that_is_not_exported_is_guarded_too(repository: Path, capsys: Out) -> None:
    (repository / ".gitattributes").write_text("shop.yaml export-ignore\n")
    git(Path(), "add", ".gitattributes")
    git(Path(), "commit", "--quiet", "--message=attributes")
    (repository / "shop.yaml").write_text(MANIFESTS.replace("replicas: 2", "replicas: 3"))
    git(Path(), "commit", "--quiet", "--all", "--message=second")

    status, effects = _guard(capsys, "--base", "HEAD~1", "--head", "HEAD")

    assert (status, effects["Deployment/web spec.replicas"]) == (1, "overwrites")


def test_two_revisions_are_compared(repository: Path, capsys: Out) -> None:
    git(Path(), "switch", "--quiet", "--create", "feature")
    (repository / "shop.yaml").write_text(MANIFESTS.replace("nginx:1.29", "nginx:1.31"))
    git(Path(), "commit", "--quiet", "--all", "--message=second")
    git(Path(), "switch", "--quiet", "main")

    assert _guard(capsys)[0] == 0
    assert _guard(capsys, "--head", "feature")[0] == 1


@pytest.mark.parametrize("form", ["text", "markdown", "github"])
def test_every_format_names_what_is_overwritten(repository: Path, capsys: Out, form: str) -> None:
    (repository / "shop.yaml").write_text(MANIFESTS.replace("nginx:1.29", "nginx:1.31").replace("git-secret", "new"))
    capsys.readouterr()

    main(["guard", "report.json", "--base", "main", "--output", form])
    printed: Any = capsys.readouterr().out

    assert "overwrites" in printed
    assert f"Deployment shop/web {CONTAINER}.image" in printed
    assert "secret" not in printed.replace("Secret", "")


def test_an_unknown_revision_is_one_line(repository: Path, capsys: Out) -> None:
    del repository

    assert main(["guard", "report.json", "--base", "nowhere"]) == 2
    assert "has no revision nowhere" in capsys.readouterr().err


def test_a_change_that_breaks_a_document_is_an_error(repository: Path, capsys: Out) -> None:
    (repository / "shop.yaml").write_text(MANIFESTS.replace("metadata: {name: gone", "metadata: {{name: gone"))

    assert main(["guard", "report.json", "--base", "main"]) == 2

    assert capsys.readouterr().err.startswith("drift: shop.yaml:")


@pytest.mark.parametrize("flags", [["--exclude", "charts"], []])
def test_what_the_report_leaves_out_is_left_out(repository: Path, capsys: Out, flags: list[str]) -> None:
    (repository / "charts").mkdir()
    (repository / "charts" / "Chart.yaml").write_text("name: x\n")
    if not flags:
        (repository / "drift.yaml").write_text("exclude: [charts, live.yaml]\n")
    git(Path(), "add", ".")
    git(Path(), "commit", "--quiet", "--message=second")
    assert main(
        ["report", ".", "--live", "live.yaml", "--exclude=charts", "--exclude=live.yaml", "--output=json=report.json"]
    )

    status, effects = _guard(capsys, *flags, "--exclude=live.yaml")

    assert status == 0
    assert set(effects.values()) == {"leaves"}


@pytest.mark.parametrize(
    ("args", "effect", "status"),
    [
        ("[-b, -a]", "codifies", 0),
        ("[-a, -b]", "overwrites", 1),
        ("[-b, -b]", "overwrites", 1),
        ("[-a, -b, -c]", "leaves", 0),
    ],
)
def test_a_list_in_another_order_is_another_value(
    repository: Path, capsys: Out, args: str, effect: str, status: int
) -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c, args: ARGS}]}\n"
    )
    (repository / "shop.yaml").write_text(pod.replace("ARGS", "[-a, -b, -c]"))
    git(repository, "commit", "--quiet", "--all", "--message=pod")
    (repository / "live.yaml").write_text(pod.replace("ARGS", "[-b, -a]"))
    assert main(["report", "shop.yaml", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    (repository / "shop.yaml").write_text(pod.replace("ARGS", args))

    found, effects = _guard(capsys)

    assert (found, effects) == (status, {"Pod/p spec.containers[name=c].args": effect})


def test_a_link_to_the_manifests_is_followed_at_each_revision(repository: Path, capsys: Out) -> None:
    for version, text in (("v1", MANIFESTS), ("v2", MANIFESTS.replace("nginx:1.29", "nginx:1.31"))):
        (repository / "rel" / version).mkdir(parents=True)
        (repository / "rel" / version / "shop.yaml").write_text(text)
    (repository / "current").symlink_to("rel/v1")
    git(repository, "add", "current", "rel")
    git(repository, "commit", "--quiet", "--message=releases")
    assert main(["report", "current", "--live", "live.yaml", "--output", "json=report.json"]) == 1
    assert _guard(capsys)[0] == 0
    (repository / "current").unlink()
    (repository / "current").symlink_to("rel/v2")

    status, effects = _guard(capsys)

    assert (status, effects[f"Deployment/web {CONTAINER}.image"]) == (1, "overwrites")
    assert effects["Deployment/web spec.replicas"] == "leaves"


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  ports:
    - {name: http, port: 80, targetPort: 8080}
    - {name: admin, port: 9000}
"""
PORT = "Service/web spec.ports[port=80,protocol=TCP]"


@pytest.mark.parametrize(
    ("old", "new", "effects", "status"),
    [
        # The item has the live key in the change, and is the same item.
        ("port: 80,", "port: 81,", ("codifies", "leaves"), 0),
        ("port: 80, targetPort: 8080", "port: 81, targetPort: 8081", ("codifies", "codifies"), 0),
        ("port: 80, targetPort: 8080", "port: 81, targetPort: 8082", ("codifies", "overwrites"), 1),
        ("port: 80,", "port: 82,", ("overwrites", "overwrites"), 1),
        ("port: 80, targetPort: 8080", "port: 80, targetPort: 8081", ("leaves", "codifies"), 0),
        ("    - {name: http, port: 80, targetPort: 8080}\n", "", ("overwrites", "overwrites"), 1),
        ("port: 9000", "port: 9001", ("leaves", "leaves"), 0),
    ],
)
def test_a_change_of_the_edited_key_of_a_list_item(  # noqa: PLR0917
    repository: Path, capsys: Out, old: str, new: str, effects: tuple[str, str], status: int
) -> None:
    _report(repository, SERVICE, SERVICE.replace("port: 80, targetPort: 8080", "port: 81, targetPort: 8081"))
    (repository / "shop.yaml").write_text(SERVICE.replace(old, new))

    assert _guard(capsys) == (status, {f"{PORT}.port": effects[0], f"{PORT}.targetPort": effects[1]})


def _report(repository: Path, manifest: str, live: str) -> None:
    """Commits the manifest, and makes a report on it."""
    (repository / "shop.yaml").write_text(manifest)
    git(repository, "commit", "--quiet", "--all", "--message=manifest")
    (repository / "live.yaml").write_text(live)
    assert main(["report", "shop.yaml", "--live", "live.yaml", "--output", "json=report.json"]) == 1


WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web, namespace: shop}\n"


@pytest.mark.parametrize(
    ("labels", "effect", "status"),
    [
        ("", "leaves", 0),
        (", labels: {tier: y}", "leaves", 0),
        (", labels: {}", "leaves", 0),
        (", labels: {tier: y, team: x, owner: z}", "codifies", 0),
        (", labels: {team: x}", "leaves", 0),
        (", labels: {tier: y, team: other}", "overwrites", 1),
    ],
)
def test_a_change_adds_labels_beside_those_that_were_added_by_hand(
    repository: Path, capsys: Out, labels: str, effect: str, status: int
) -> None:
    _report(repository, WEB, WEB.replace("shop", "shop, labels: {team: x, owner: z}"))
    (repository / "shop.yaml").write_text(WEB.replace("shop", f"shop{labels}"))

    assert _guard(capsys) == (status, {"ConfigMap/web metadata.labels": effect})


@pytest.mark.parametrize(
    ("labels", "effect", "status"),
    [
        (", labels: {team: x, tier: y}", "leaves", 0),
        (", labels: {tier: y}", "codifies", 0),
        (", labels: {team: other}", "overwrites", 1),
    ],
)
def test_a_change_of_labels_that_were_removed_by_hand(
    repository: Path, capsys: Out, labels: str, effect: str, status: int
) -> None:
    _report(repository, WEB.replace("shop", "shop, labels: {team: x}"), WEB)
    (repository / "shop.yaml").write_text(WEB.replace("shop", f"shop{labels}"))

    assert _guard(capsys) == (status, {"ConfigMap/web metadata.labels": effect})


@pytest.mark.parametrize(
    ("selector", "effect", "status"),
    [("{disk: ssd}", "codifies", 0), ("{tier: y}", "overwrites", 1), ("{disk: ssd, tier: y}", "overwrites", 1)],
)
def test_an_atomic_map_is_one_value(repository: Path, capsys: Out, selector: str, effect: str, status: int) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {containers: [{name: c}]}\n"
    _report(repository, pod, pod.replace("spec: {", "spec: {nodeSelector: {disk: ssd}, "))
    (repository / "shop.yaml").write_text(pod.replace("spec: {", f"spec: {{nodeSelector: {selector}, "))

    assert _guard(capsys) == (status, {"Pod/p spec.nodeSelector": effect})


IMAGE = f"Deployment/web {CONTAINER}.image"
NEW = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: new, namespace: shop}\ndata: {a: git}\n"


def _behind(repository: Path, capsys: Out, changed: str) -> tuple[int, dict[str, str]]:
    """Guards a branch that was left behind: main has another image and another object since."""
    git(repository, "switch", "--quiet", "--create", "feature")
    (repository / "shop.yaml").write_text(changed)
    git(repository, "commit", "--quiet", "--all", "--message=feature")
    git(repository, "switch", "--quiet", "main")
    newer = MANIFESTS.replace("nginx:1.29", "nginx:1.29.5") + NEW
    _report(repository, newer, LIVE + NEW.replace("git", "live"))
    git(repository, "switch", "--quiet", "feature")
    return _guard(capsys)


def test_what_others_merged_is_not_a_part_of_the_change(repository: Path, capsys: Out) -> None:
    status, effects = _behind(repository, capsys, MANIFESTS.replace('value: "2"', 'value: "20"'))

    assert (status, set(effects.values())) == (0, {"leaves"})
    assert {IMAGE, "ConfigMap/new data.a"} <= effects.keys()
    assert _guard(capsys, "--head", "feature") == (status, effects)


@pytest.mark.parametrize(
    ("old", "new", "finding", "effect"),
    [
        ("replicas: 2", "replicas: 3", "Deployment/web spec.replicas", "overwrites"),
        ("nginx:1.29", "nginx:1.31", IMAGE, "conflicts"),
    ],
)
def test_a_branch_that_is_behind_changes_a_field(  # noqa: PLR0917
    repository: Path, capsys: Out, old: str, new: str, finding: str, effect: str
) -> None:
    status, effects = _behind(repository, capsys, MANIFESTS.replace(old, new))

    assert (status, effects.pop(finding), set(effects.values())) == (1, effect, {"leaves"})


def test_without_the_common_history_the_base_itself_is_compared(repository: Path, capsys: Out) -> None:
    git(repository, "switch", "--quiet", "--orphan", "other")
    (repository / "shop.yaml").write_text(MANIFESTS.replace("replicas: 2", "replicas: 3"))
    git(repository, "add", "shop.yaml")
    git(repository, "commit", "--quiet", "--message=other")

    status = main(["guard", "report.json", "--base", "main"])
    printed = capsys.readouterr()

    assert status == 1
    assert "overwrites  Deployment shop/web spec.replicas" in printed.out
    assert "main and the change have no commit in common in this clone" in printed.err


def test_a_change_removes_the_folder_of_the_manifests(repository: Path, capsys: Out) -> None:
    folder = repository / "apps/shop/manifests"
    folder.mkdir(parents=True)
    (folder / "shop.yaml").write_text(MANIFESTS)
    git(repository, "add", "apps")
    git(repository, "commit", "--quiet", "--message=folder")
    path = str(folder.relative_to(repository))
    assert main(["report", path, "--live", "live.yaml", "--output", "json=report.json"]) == 1

    (folder / "shop.yaml").unlink()
    removed = _guard(capsys)

    assert (removed[0], removed[1][IMAGE], removed[1]["ConfigMap/gone"]) == (1, "overwrites", "codifies")
    for gone in (path, "apps/shop", "apps"):
        shutil.rmtree(gone)
        assert _guard(capsys) == removed
    git(repository, "commit", "--quiet", "--all", "--message=gone")
    assert _guard(capsys, "--base", "main^", "--head", "main") == removed
    assert _guard(capsys, "--base", "main^") == removed


def test_a_path_that_the_base_does_not_have_is_an_error(
    repository: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (repository / "elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    capsys.readouterr()

    assert main(["guard", "../report.json", "--base", "main"]) == 2
    assert capsys.readouterr().err == "drift: shop.yaml: no such file or folder\n"
