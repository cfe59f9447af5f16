"""Folders of manifests as people keep them, compared with the API server."""

from tests.drift.conftest import Application

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
