"""Mistakes in an environment or on the command line end in plain lines, and nothing is written."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml

from main import build
from rescan import cli, environments
from rescan.cli import run
from rescan.errors import ImmutableError
from rescan.examples.stateful import STATEFUL
from rescan.manifests import manifest_files, reject_impossible
from rescan.settings import Environment
from tests.rescan.changes import changed
from tests.rescan.golden import synthesize


@pytest.fixture
def output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The output folder, which does not exist."""
    folder = tmp_path / "out"
    monkeypatch.setenv("CDK8S_OUTDIR", str(folder))
    return folder


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the environment dev, in a copy that a test may edit."""
    environments.load()
    folder = tmp_path / "environments"
    shutil.copytree(Path(environments.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(environments, "__path__", [str(folder)])
    monkeypatch.setattr(environments, "__file__", str(folder / "__init__.py"))
    for name in environments.NAMES:
        monkeypatch.setattr(environments, name, None)
        monkeypatch.delitem(sys.modules, f"{environments.__name__}.{name}")
    return folder / "dev.py"


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        pytest.param(
            ("production=False,", "prodution=False,"),
            "dev: settings-exist: prodution is False; there is no such setting; did you mean production?",
            id="misspelt setting",
        ),
        pytest.param(
            ("PullPolicy.IF_NOT_PRESENT", "PullPolicy.IF_PRESENT"),
            "dev: settings-exist: workload.image.pull_policy is PullPolicy.IF_PRESENT; there is no such value; "
            "did you mean IF_NOT_PRESENT?",
            id="misspelt choice",
        ),
        pytest.param(
            ("ENVIRONMENT = Environment(", "ENVIRONMENT = Environment(("), "dev.py:5: SyntaxError: ", id="syntax"
        ),
        pytest.param(
            ('name="dev"', 'name="prod"'), "dev.py: ENVIRONMENT must be an Environment with name='dev'", id="name"
        ),
        pytest.param(
            ("ENVIRONMENT =", "SETTINGS ="), "rescan/environments/dev.py: AttributeError: ", id="nothing there"
        ),
        pytest.param(("production=False,", "production=True,"), "workload.image.registry is None; name the", id="rule"),
    ],
)
def test_a_mistake_in_an_environment_ends_in_plain_lines_and_writes_nothing(
    dev: Path, output: Path, edit: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = dev.read_text()
    assert edit[0] in text
    dev.write_text(text.replace(*edit))

    assert run(build, []) == 2
    assert message in capsys.readouterr().err
    assert not output.exists()


def test_mistakes_of_every_environment_are_reported_together(
    dev: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dev.write_text(dev.read_text().replace("PullPolicy.IF_NOT_PRESENT", "Policy.IF_NOT_PRESENT"))
    prod = dev.with_name("prod.py")
    prod.write_text(prod.read_text().replace('tag="v1.0.0"', 'tga="v1.0.0", tag="LATEST"'))

    assert run(build, []) == 2

    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[:2] for line in lines if line.startswith(("rescan/environments/dev", "prod: "))] == [
        ["rescan/environments/dev.py:9", "NameError"],
        ["prod", "settings-exist"],
        ["prod", "production-runs-a-release"],
    ]
    assert not output.exists()


def test_stdout_is_one_stream_of_what_runs_in_the_environment(
    output: Path, synthesized: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(build, ["--stdout", "prod"]) == 0

    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    listed = yaml.safe_load((synthesized / "prod/kustomization.yaml").read_text())["resources"]
    assert len(documents) == len(listed)
    assert {document["metadata"].get("namespace", "rescan-prod") for document in documents} == {"rescan-prod"}
    assert not output.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"storage.size": "6Gi"},
            "statefulset-rescan-app.yaml: spec.volumeClaimTemplates of the StatefulSet rescan-app cannot be changed",
        ),
        ({"workload.version": "v2"}, None),
    ],
)
def test_storage_of_a_stateful_set_that_would_change_is_refused_with_the_way_out(
    tmp_path: Path, changes: dict[str, object], message: str | None
) -> None:
    synthesize([STATEFUL], tmp_path)

    files = manifest_files(build([changed(STATEFUL, changes)]))

    if message is None:
        reject_impossible(files, tmp_path)
    else:
        with pytest.raises(ImmutableError, match=re.escape(message)):
            reject_impossible(files, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"storage.size": "500Mi"}, "cannot shrink from 1Gi to 500Mi: keep 1Gi or more"),
        (
            {"storage.storage_class": "fast"},
            "spec.storageClassName of the PersistentVolumeClaim rescan-data-pvc cannot",
        ),
        ({"storage.size": "2Gi"}, None),
        ({"namespace": "elsewhere", "storage.size": "500Mi"}, None),
    ],
)
def test_a_claim_that_kubernetes_would_not_change_is_refused(
    tmp_path: Path, changes: dict[str, object], message: str | None
) -> None:
    (dev,) = environments.load(["dev"])
    synthesize([dev], tmp_path)

    files = manifest_files(build([changed(dev, changes)]))

    if message is None:
        reject_impossible(files, tmp_path)
    else:
        with pytest.raises(ImmutableError, match=re.escape(message)):
            reject_impossible(files, tmp_path)


@pytest.mark.parametrize(
    ("environment", "changes", "steps"),
    [
        (
            STATEFUL,
            {"storage.size": "6Gi"},
            ["stop the syncer", "resize", "--cascade=orphan", "run the synthesis again", "start the syncer"],
        ),
        (
            environments.load(["dev"])[0],
            {"storage.storage_class": "fast"},
            [
                "stop the syncer",
                "scale the application to 0",
                "copy the data into a claim with another name",
                "delete this one",
                "run the synthesis again",
                "copy the data back",
                "start the syncer",
            ],
        ),
    ],
    ids=["StatefulSet", "claim"],
)
def test_the_way_out_does_not_race_the_syncer(
    tmp_path: Path, environment: Environment, changes: dict[str, object], steps: list[str]
) -> None:
    synthesize([environment], tmp_path)

    with pytest.raises(ImmutableError) as refused:
        reject_impossible(manifest_files(build([changed(environment, changes)])), tmp_path)

    places = [str(refused.value).find(step) for step in steps]
    assert -1 not in places
    assert places == sorted(places)


CONFLICT = "<<<<<<< HEAD\nkind: A\n=======\nkind: B\n>>>>>>> other\n"


@pytest.mark.parametrize(
    "content",
    [
        CONFLICT,
        "",
        "text",
        "- 1",
        "kind: PersistentVolumeClaim",
        "{kind: PersistentVolumeClaim, metadata: , spec: }",
        "{kind: PersistentVolumeClaim, metadata: {namespace: a}, spec: {resources: {requests: {storage: much}}}}",
        "{kind: Service, metadata: {namespace: a}, spec: {resources: {requests: {storage: 1Gi}}}}",
        "a: 1\n---\nb: 2",
        b"\xff",
    ],
    ids=repr,
)
def test_a_synced_file_that_cannot_be_compared_is_one_line_with_the_way_out(
    output: Path, content: str | bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_OUTPUT", output)
    assert run(build, []) == 0
    capsys.readouterr()
    claim = output / "dev/persistentvolumeclaim-rescan-data-pvc.yaml"
    synced, other = claim.read_bytes(), output / "dev/configmap-rescan-config.yaml"
    assert other.is_file()
    claim.write_bytes(content.encode() if isinstance(content, str) else content)
    other.write_text("untouched")

    assert run(build, []) == 2

    (line,) = (it for it in capsys.readouterr().err.splitlines() if "warning" not in it)
    assert line.startswith(f"{claim}: is not the manifest of one PersistentVolumeClaim")
    assert f"`git checkout HEAD -- {claim}`, or delete it, and run the synthesis again" in line
    assert other.read_text() == "untouched"
    claim.unlink()

    assert run(build, []) == 0
    assert claim.read_bytes() == synced


def test_a_merge_conflict_in_a_file_that_is_not_compared_ends_by_a_synthesis(
    output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_OUTPUT", output)
    assert run(build, []) == 0
    files = [output / "dev/configmap-rescan-config.yaml", output / "prod/kustomization.yaml"]
    before = [file.read_bytes() for file in files]
    for file in files:
        file.write_text(CONFLICT)
    (output / "dev/notes.yaml").write_bytes(b"\xff")

    assert run(build, []) == 0

    assert [file.read_bytes() for file in files] == before
    assert (output / "dev/notes.yaml").exists()


@pytest.mark.usefixtures("dev")
def test_the_copied_environments_are_valid(output: Path) -> None:
    assert run(build, ["--check"]) == 0
    assert not output.exists()


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("v1.2.0", 'registry="registry.example.com", tag="v1.2.0", pull_policy'),
        (f"v1.2.0@{DIGEST}", f'registry="registry.example.com", digest="{DIGEST}", tag="v1.2.0", pull_policy'),
    ],
)
def test_set_image_writes_tag_and_version_into_the_file_and_nothing_else(
    dev: Path, reference: str, expected: str
) -> None:
    prod = dev.with_name("prod.py")
    before = prod.read_text().splitlines()

    assert run(build, ["--set-image", "prod", reference]) == 0

    changed_lines = [line for line in prod.read_text().splitlines() if line not in before]
    assert len(changed_lines) == 2
    assert expected in changed_lines[0]
    assert changed_lines[1].strip() == 'version="v1.2.0",'


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set-image", "prod", "latest"], "name a release"),
        (["--set-image", "prod", "v1 2"], "workload.image.tag is 'v1 2'"),
        (["--set-image", "prd", "v1"], "did you mean prod?"),
        (["--promote", "dev", "prod"], "workload.image.tag is 'latest'; name a release"),
    ],
)
def test_an_image_that_breaks_a_rule_leaves_the_file_as_it_was(
    dev: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = dev.with_name("prod.py").read_text()

    assert run(build, arguments) == 2

    assert message in capsys.readouterr().err
    assert dev.with_name("prod.py").read_text() == before


def test_an_environment_that_another_one_imports_is_judged_by_its_new_image(dev: Path) -> None:
    prod = dev.with_name("prod.py")
    dev.write_text(f"from rescan.environments import prod\nimport rescan.environments.prod\n{dev.read_text()}")
    before = prod.read_text()

    assert run(build, ["--promote", "dev", "prod"]) == 2
    assert prod.read_text() == before

    dev.write_text(dev.read_text().replace('tag="latest"', 'tag="v2.0.0-rc.1"'))
    environments.forget(dev)

    assert run(build, ["--promote", "dev", "prod"]) == 0
    (loaded,) = environments.load(["prod"])
    assert loaded.workload.image.tag == "v2.0.0-rc.1"


def test_an_image_is_judged_although_the_file_keeps_its_size_and_time(
    dev: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    prod, write = dev.with_name("prod.py"), Path.write_text

    def write_in_one_second(self: Path, *arguments: str, **options: str) -> int:
        written = write(self, *arguments, **options)
        os.utime(self, (1_700_000_000, 1_700_000_000))
        return written

    monkeypatch.setattr(Path, "write_text", write_in_one_second)
    before = prod.read_text()
    prod.write_text(before)
    environments.load(["prod"])
    environments_module = f"{environments.__name__}.prod"
    assert Path(str(sys.modules.pop(environments_module).__cached__)).exists()

    assert run(build, ["--set-image", "prod", "v1 0.0"]) == 2

    assert prod.read_text() == before
    (loaded,) = environments.load(["prod"])
    assert loaded.workload.image.tag == "v1.0.0"
    assert run(build, ["--set-image", "prod", "v1.0.1"]) == 0
    (loaded,) = environments.load(["prod"])
    assert loaded.workload.image.tag == "v1.0.1"


def test_promote_copies_the_image_that_another_environment_runs(dev: Path) -> None:
    dev.write_text(dev.read_text().replace('tag="latest"', 'tag="v2.0.0-rc.1"'))

    assert run(build, ["--promote", "dev", "prod"]) == 0

    text = dev.with_name("prod.py").read_text()
    assert text.count('"v2.0.0-rc.1"') == 2


def test_a_file_without_an_image_to_set_is_one_clear_line(dev: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "from rescan.environments.prod import ENVIRONMENT as PROD\nENVIRONMENT = PROD\n"
    dev.write_text(text)

    assert run(build, ["--set-image", "dev", "v1"]) == 2

    assert "dev.py: there is no Workload(image=Image(...))" in capsys.readouterr().err
    assert dev.read_text() == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--check", "prd"], "no environment is named 'prd': did you mean prod?"),
        (["--check", "zzz"], f"no environment is named 'zzz': there are {', '.join(environments.NAMES)}"),
    ],
)
def test_an_unknown_environment_is_one_clear_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(build, arguments) == 2
    assert capsys.readouterr().err.splitlines() == [message]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["prod"], "with --check or --stdout only"), (["--chek"], "arguments: --chek")],
)
def test_a_mistake_on_the_command_line_is_one_clear_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(build, arguments)

    assert message in capsys.readouterr().err.splitlines()[-1]


def test_check_reads_the_settings_and_writes_nothing(output: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(build, ["--check", "prod"]) == 0

    out, err = capsys.readouterr()
    assert out == ""
    (advice,) = err.splitlines()
    assert advice.startswith("prod: warning: workload.strategy is RollingUpdate on SQLite")
    assert not output.exists()
