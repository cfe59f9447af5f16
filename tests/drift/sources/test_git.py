"""What Git says about the user's paths: their commit, other revisions of them, and who wrote a line."""

import json
from pathlib import Path

import pytest

from drift.cli import main
from drift.errors import ManifestError, SourceError, UsageError
from drift.kube.limits import Deadline
from drift.objects import Manifest
from drift.sources.git import (
    Git,
    RenderedPath,
    RevisionCopy,
    Revisions,
    blame,
    copy_at,
    load_manifests_at,
    manifests_info,
    read_porcelain,
)
from drift.sources.load import load_manifests
from tests.git import git


def _config_map(name: str) -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    (folder / "apps").mkdir(parents=True)
    (folder / "apps" / "a.yaml").write_text(_config_map("first"))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=first")
    return folder


def test_the_commit_of_a_clean_folder(repository: Path) -> None:
    info = manifests_info([str(repository / "apps")])

    assert (info.git_commit, info.git_dirty) == (git(repository, "rev-parse", "HEAD"), False)


def test_an_untracked_file_makes_the_folder_dirty(repository: Path) -> None:
    (repository / "apps" / "b.yaml").write_text(_config_map("second"))

    assert manifests_info([str(repository / "apps" / "a.yaml")]).git_dirty is False
    assert manifests_info([str(repository / "apps")]).git_dirty is True


@pytest.mark.parametrize("path", ["-", "."])
def test_without_a_work_tree_there_is_no_commit(path: str, tmp_path: Path) -> None:
    info = manifests_info([path if path == "-" else str(tmp_path)])

    assert (info.git_commit, info.git_dirty) == (None, None)


def test_manifests_are_read_at_a_revision(repository: Path) -> None:
    (repository / "apps" / "a.yaml").write_text(_config_map("second"))
    git(repository, "commit", "--quiet", "--all", "--message=second")

    then = load_manifests_at("HEAD~1", [str(repository / "apps")])

    assert [manifest.name for manifest in then] == ["first"]


def test_attributes_leave_out_and_change_nothing_at_a_revision(repository: Path) -> None:
    (repository / ".gitattributes").write_text("apps export-ignore\n*.yaml export-subst\n")
    (repository / "apps" / "b.yaml").write_text(_config_map("b") + 'data: {commit: "$Format:%H$"}\n')
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=second")

    then = load_manifests_at("HEAD", [str(repository / "apps")])

    assert [manifest.name for manifest in then] == ["first", "b"]
    assert then[1].body["data"] == {"commit": "$Format:%H$"}


def test_a_sparse_checkout_leaves_out_nothing_at_a_revision(repository: Path) -> None:
    (repository / "other").mkdir()
    (repository / "other" / "b.yaml").write_text(_config_map("b"))
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=second")
    git(repository, "sparse-checkout", "set", "apps")
    assert not (repository / "other").exists()

    assert [manifest.name for manifest in load_manifests_at("HEAD", [str(repository / "other")])] == ["b"]


def test_links_inside_the_repository_are_followed_at_a_revision(repository: Path) -> None:
    (repository / "shared.yaml").write_text(_config_map("shared"))
    (repository / "apps" / "shared.yaml").symlink_to("../shared.yaml")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=second")
    (repository / "shared.yaml").write_text(_config_map("later"))

    then = load_manifests_at("HEAD", [str(repository / "apps")])

    assert [manifest.name for manifest in then] == ["first", "shared"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("apps", r"^HEAD:apps/outside\.yaml: leads out of the repository"),
        ("apps/outside.yaml", r"outside\.yaml: leads out of the Git work tree"),
    ],
)
def test_a_link_out_of_the_repository_is_an_error_at_a_revision(repository: Path, path: str, message: str) -> None:
    (repository.parent / "outside.yaml").write_text(_config_map("outside"))
    (repository / "apps" / "outside.yaml").symlink_to("../../outside.yaml")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=second")

    with pytest.raises((ManifestError, UsageError), match=message):
        load_manifests_at("HEAD", [str(repository / path)])


@pytest.fixture
def released(repository: Path) -> Path:
    """A repository whose link ``current`` leads to ``rel/v1`` in the first commit, and then to ``rel/v2``."""
    for version in ("v1", "v2"):
        (repository / "rel" / version).mkdir(parents=True)
        (repository / "rel" / version / "a.yaml").write_text(_config_map(version))
    for version in ("v1", "v2"):
        (repository / "current").unlink(missing_ok=True)
        (repository / "current").symlink_to(f"rel/{version}")
        git(repository, "add", ".")
        git(repository, "commit", "--quiet", f"--message={version}")
    return repository


@pytest.mark.parametrize("path", ["current", "current/a.yaml", "apps/../current"])
def test_a_link_leads_where_it_did_at_a_revision(released: Path, path: str) -> None:
    (then,), (now,) = (load_manifests_at(revision, [str(released / path)]) for revision in ("HEAD~1", "HEAD"))

    assert (then.name, now.name) == ("v1", "v2")
    assert then.source is not None
    assert then.source.file == "HEAD~1:rel/v1/a.yaml"


def test_what_is_below_a_link_is_read_where_the_link_led_at_a_revision(released: Path) -> None:
    (released / "latest").symlink_to("rel")
    git(released, "add", ".")
    git(released, "commit", "--quiet", "--message=latest")

    assert [manifest.name for manifest in load_manifests_at("HEAD", [str(released / "latest" / "v1")])] == ["v1"]
    assert load_manifests_at("HEAD~1", [str(released / "latest" / "v1")]) == ()


def test_a_link_that_git_does_not_have_leads_where_it_does_now(released: Path) -> None:
    (released / "mine").symlink_to("rel/v1")
    (released.parent / "repository-link").symlink_to(released)

    for path in (released / "mine", released.parent / "repository-link" / "rel" / "v1"):
        assert [manifest.name for manifest in load_manifests_at("HEAD~1", [str(path)])] == ["v1"]


def test_a_link_out_of_the_repository_below_a_link_is_an_error_at_a_revision(released: Path) -> None:
    (released.parent / "outside.yaml").write_text(_config_map("outside"))
    (released / "rel" / "v2" / "outside.yaml").symlink_to("../../../outside.yaml")
    git(released, "add", ".")
    git(released, "commit", "--quiet", "--message=outside")

    with pytest.raises(ManifestError, match=r"^HEAD:rel/v2/outside\.yaml: leads out of the repository"):
        load_manifests_at("HEAD", [str(released / "current")])


def test_a_folder_that_a_later_commit_deletes_is_read_at_a_revision(repository: Path) -> None:
    (repository / "apps" / "README.md").write_text("# Apps\n")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message=second")
    git(repository, "rm", "--quiet", "-r", "apps")

    assert [manifest.name for manifest in load_manifests_at("HEAD", [str(repository / "apps")])] == ["first"]


def test_reading_a_revision_leaves_the_index_as_it_is(repository: Path) -> None:
    (repository / "apps" / "a.yaml").write_text(_config_map("staged"))
    git(repository, "add", ".")
    before = (repository / ".git" / "index").read_bytes()

    load_manifests_at("HEAD", [str(repository / "apps")])

    assert (repository / ".git" / "index").read_bytes() == before


def test_after_the_deadline_git_is_not_asked(repository: Path) -> None:
    revisions = Revisions([str(repository / "apps")], deadline=Deadline(60, spent=60))

    with pytest.raises(SourceError, match=r"^git was stopped: the deadline of 1m has passed; raise --deadline$"):
        revisions.load("HEAD")
    assert revisions.commits_behind("HEAD") == 0


def test_a_path_that_did_not_exist_had_no_manifests(repository: Path) -> None:
    (repository / "later").mkdir()
    (repository / "later" / "b.yaml").write_text(_config_map("b"))

    assert load_manifests_at("HEAD", [str(repository / "later")]) == ()


def test_a_path_is_rendered_with_other_files_of_the_revision(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    values, local, outside = Path("values.yaml"), Path("local.yaml"), tmp_path / "outside.yaml"
    for file in (values, local, outside):
        file.write_text(_config_map("old"))
    git(repository, "add", "values.yaml")
    git(repository, "commit", "--quiet", "--message=second")
    for file in (values, local, outside):
        file.write_text(_config_map("new"))
    git(repository, "commit", "--quiet", "--all", "--message=third")

    def render(copy: RevisionCopy) -> tuple[Manifest, ...]:
        return load_manifests([str(copy.place_of(file)) for file in (values, local, outside)]).manifests

    revisions = Revisions([], rendered=[RenderedPath("the chart", "apps", render)])

    assert [manifest.name for manifest in revisions.load("HEAD~1")] == ["old", "new", "new"]
    assert [manifest.name for manifest in revisions.load("HEAD")] == ["new", "new", "new"]
    message = "the chart at HEAD~2: Git did not have values.yaml yet, so it is not known what was rendered then"
    with pytest.raises(SourceError, match=message):
        revisions.load("HEAD~2")


def test_a_file_that_git_no_longer_tracks_is_that_of_the_revision(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    git(repository, "rm", "--quiet", "--cached", "apps/a.yaml")
    Path("apps/a.yaml").write_text("changed")

    with copy_at("HEAD", Path("apps"), Git()) as copy:
        assert copy.place_of(Path("apps/a.yaml")).read_text() == _config_map("first")


@pytest.mark.parametrize("revision", ["nowhere", "--output=x", "deadbeef"])
def test_an_unknown_revision_is_an_error(repository: Path, revision: str) -> None:
    with pytest.raises(UsageError, match=revision):
        load_manifests_at(revision, [str(repository / "apps")])


def test_a_folder_outside_of_git_has_no_revisions(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not in a Git work tree"):
        load_manifests_at("HEAD", [str(tmp_path)])


@pytest.mark.parametrize("path", ["apps", "apps/a.yaml", "removed/apps"])
def test_a_work_tree_that_git_does_not_trust_differs_from_none(
    repository: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(UsageError, match=rf"another user owns; run `git config .* safe.directory {repository}`$"):
        load_manifests_at("HEAD", [str(repository / path)])


def test_a_broken_work_tree_differs_from_none(repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text("")

    with pytest.raises(UsageError, match=r"Git cannot read the work tree at .*; run `git -C .* status`"):
        load_manifests_at("HEAD", [str(repository / "apps")])


OLD = """apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: shop}
data:
  b: "1"
  c: "2"
"""


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest with a second commit, by another author, that changed its fifth line."""
    file = tmp_path / "repository" / "a b.yaml"
    file.parent.mkdir()
    file.write_text(OLD)
    git(file.parent, "init", "--quiet", "--initial-branch=main")
    git(file.parent, "add", ".")
    git(file.parent, "commit", "--quiet", "--message=first")
    file.write_text(OLD.replace('b: "1"', 'b: "3"'))
    git(file.parent, "commit", "--quiet", "--all", "--message=scale up\n\nfor the launch", author="Sam Doe")
    return file


def test_a_line_has_the_author_and_the_commit_that_last_changed_it(manifest: Path) -> None:
    lines = blame([(str(manifest), 5), (str(manifest), 6), (str(manifest), 5)])

    changed, first = lines[str(manifest), 5], lines[str(manifest), 6]
    assert (changed.author, changed.summary, changed.time) == ("Sam Doe", "scale up", "2026-05-12T10:00:00+02:00")
    assert changed.commit == git(manifest.parent, "rev-parse", "HEAD")
    assert (first.author, first.summary) == ("Jane Roe", "first")


def test_a_line_that_git_does_not_have_has_no_author(manifest: Path) -> None:
    manifest.write_text(manifest.read_text().replace('c: "2"', 'c: "4"'))
    beside = manifest.with_name("new.yaml")
    beside.write_text(OLD)
    outside = manifest.parents[1] / "outside.yaml"
    outside.write_text(OLD)

    lines = blame([(str(manifest), 6), (str(manifest), 5), (str(beside), 1), (str(outside), 1), ("<stdin>", 1)])

    assert list(lines) == [(str(manifest), 5)]


def test_a_repository_runs_no_program(manifest: Path) -> None:
    folder = manifest.parent
    program = f"touch {folder / 'ran'}; cat"
    (folder / ".gitattributes").write_text("*.yaml diff=evil\n")
    for name in ("diff.evil.textconv", "core.fsmonitor", "core.pager"):
        git(folder, "config", name, program)

    assert blame([(str(manifest), 5)])
    assert not (folder / "ran").exists()


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\n\n\t",
        b"a" * 40 + b"\n",
        b"a" * 40 + b" 1 2 1\nauthor x\nauthor-time 99999999999999999999\nauthor-tz +0000\nsummary y\n\tz",
        b"a" * 40 + b" 1 2 1\nauthor x\nauthor-time 1\nauthor-tz nonsense\nsummary y\n\tz",
        b"a" * 40 + b" 1 2 1\n\tz",
    ],
)
def test_other_output_of_git_names_no_one(output: bytes) -> None:
    assert read_porcelain(output) == {}


def test_a_report_names_the_author_of_the_line_of_the_field(
    manifest: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(manifest.parent)
    live = manifest.parents[1] / "live.yaml"
    live.write_text(OLD.replace('"1"', '"9"').replace("\ndata:", "\ndata:\n  added: x"))
    report = live.with_suffix(".json")

    status = main(["report", manifest.name, "--live", str(live), "--blame", "--output=text", f"--output=json={report}"])

    text, errors = capsys.readouterr()
    assert (status, errors) == (1, "")
    assert f"Git: Sam Doe, 2026-05-12, {git(manifest.parent, 'rev-parse', 'HEAD')[:8]} 'scale up'" in text
    findings = json.loads(report.read_text())["objects"][0]["findings"]
    assert {finding["path"]: finding["git"] and finding["git"]["author"] for finding in findings} == {
        "data.added": None,
        "data.b": "Sam Doe",
    }


DEPLOYMENT = """\
# The web server.
apiVersion: apps/v1
kind: Deployment
metadata: {name: %s, namespace: shop}
spec:
  replicas: %s
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx:1
        workingDir: /a
"""


@pytest.fixture
def rendered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a base and a chart by Jane Roe."""
    monkeypatch.chdir(tmp_path)
    files = {
        "base/web.yaml": DEPLOYMENT % ("web", 12),
        "base/kustomization.yaml": "resources: [web.yaml]\n",
        "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
        "chart/values.yaml": "replicas: 2\n",
        "chart/templates/web.yaml": DEPLOYMENT % ("{{ .Release.Name }}", "{{ .Values.replicas }}"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "--quiet", "--initial-branch=main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message=first")
    return tmp_path


def authors(source: str) -> dict[str, str | None]:
    """Returns line and author of each finding of a rendered source."""
    edited = DEPLOYMENT.replace("nginx:1", "nginx:9").replace("/a", "/z") % ("web", 9)
    Path("live.yaml").write_text(edited)
    report = ("--blame", "--quiet", "--unmanaged=off", "--output=json=report.json")
    assert main(["report", source, "--live=live.yaml", *report]) == 1
    [item] = json.loads(Path("report.json").read_text())["objects"]
    return {
        f"{finding['file']}:{finding['line']}": finding["git"] and finding["git"]["author"]
        for finding in item["findings"]
    }


def test_what_kustomize_builds_names_the_author_in_the_base_or_in_the_overlay_that_sets_the_field(
    rendered: Path, kustomize: Path
) -> None:
    del kustomize
    overlay = "resources: [../base]\nimages: [{name: nginx, newTag: '2'}]\nreplicas: [{name: web, count: 2}]\n"
    (rendered / "prod").mkdir()
    (rendered / "prod/kustomization.yaml").write_text(overlay)
    web = rendered / "base/web.yaml"
    web.write_text(web.read_text().replace("/a", "/b"))
    git(rendered, "add", ".")
    git(rendered, "commit", "--quiet", "--message=second", author="Sam Doe")

    assert authors("base") == {
        "base/web.yaml:6": "Jane Roe",
        "base/web.yaml:13": "Jane Roe",
        "base/web.yaml:14": "Sam Doe",
    }
    assert authors("prod") == {
        "prod/kustomization.yaml:2": "Sam Doe",
        "prod/kustomization.yaml:3": "Sam Doe",
        "base/web.yaml:14": "Sam Doe",
    }


def test_what_a_chart_renders_names_the_author_in_the_template(rendered: Path, helm: Path) -> None:
    del helm
    template = rendered / "chart/templates/web.yaml"
    template.write_text(template.read_text().replace(".Values.replicas", ".Values.replicas | int"))
    git(rendered, "commit", "--quiet", "--all", "--message=second", author="Sam Doe")
    named = {"chart/templates/web.yaml:6": "Sam Doe"}
    plain = {"chart/templates/web.yaml:13": "Jane Roe", "chart/templates/web.yaml:14": "Jane Roe"}

    assert authors("chart") == {**named, **plain}

    # The names of the containers tell the two lines apart.
    sidecar = "      {{- if .Values.sidecar }}\n      - {name: side}\n        image: side:1\n      {{- end }}\n"
    template.write_text(template.read_text() + sidecar.replace("- {name: side}", "- name: side"))
    git(rendered, "commit", "--quiet", "--all", "--message=third")

    assert authors("chart") == {**named, **plain}
