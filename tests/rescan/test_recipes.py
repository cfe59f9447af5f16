"""The recipes of the page on the generator, applied to a copy of it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.rescan.test_main import checkout, run

__all__ = ["checkout"]

pytestmark = pytest.mark.slow

LONGEST = 10


def patch(repository: Path, heading: str) -> str:
    page = (repository / "docs/generator.md").read_text()
    (found,) = re.findall(rf"^### {heading}\n.*?^```diff\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    return str(found)


def apply(repository: Path, checkout: Path, heading: str) -> None:
    text = patch(repository, heading)
    assert len(re.findall(r"^\+(?!\+\+)", text, re.MULTILINE)) <= LONGEST
    command = ["patch", "-p1", "--silent"]
    subprocess.run(command, cwd=checkout, input=text, text=True, check=True)


def synthesize(checkout: Path) -> None:
    finished = run([sys.executable, "main.py"], checkout)
    assert finished.returncode == 0, finished.stderr


def load(path: Path) -> dict[str, dict[str, object]]:
    return dict(yaml.safe_load(path.read_text()))


def test_an_environment_is_a_file_of_ten_lines(repository: Path, checkout: Path) -> None:
    # A repository that has followed the recipe has the file.
    (checkout / "rescan/environments/staging.py").unlink(missing_ok=True)
    apply(repository, checkout, "An environment")

    synthesize(checkout)

    assert load(checkout / "dist/staging/deployment-rescan-app.yaml")["spec"]["replicas"] == 2
    assert load(checkout / "dist/staging/ingress-rescan-app.yaml")["metadata"]["namespace"] == "rescan-staging"
    assert not (checkout / "dist/staging/persistentvolumeclaim-rescan-data-pvc.yaml").exists()
    assert (checkout / "dist/argocd/staging/application-rescan-staging.yaml").exists()
    assert (checkout / "dist/flux/staging/kustomization-rescan-staging.yaml").exists()

    shutil.copytree(repository / "tests/rescan", checkout / "tests/rescan")
    for name in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
        shutil.copy2(repository / name, checkout / name)
    tests = [f"tests/rescan/test_{name}.py" for name in ("rules", "snapshot")]
    plain = ("-q", "--numprocesses=0", "--no-header", "-p", "no:cacheprovider", "-m", "not slow")
    tested = run([sys.executable, "-m", "pytest", *plain, *tests], checkout, PYTHONPATH=str(checkout))
    assert tested.returncode == 0, tested.stdout


def test_a_setting_is_a_field_and_its_use(repository: Path, checkout: Path) -> None:
    apply(repository, checkout, "A setting")

    synthesize(checkout)

    assert load(checkout / "dist/dev/configmap-rescan-config.yaml")["data"]["REQUEST_TIMEOUT"] == "30"
    dev = checkout / "rescan/environments/dev.py"
    dev.write_text(
        dev.read_text()
        .replace("production=False,", "production=False, configuration=Configuration(request_timeout=0),")
        .replace("import Environment", "import Configuration, Environment")
    )
    finished = run([sys.executable, "main.py", "--check"], checkout)
    assert "configuration.request_timeout is 0; set it to 1 or more" in finished.stderr


def test_a_resource_is_one_more_construct(repository: Path, checkout: Path) -> None:
    apply(repository, checkout, "A resource")

    synthesize(checkout)

    made = load(checkout / "dist/prod/resourcequota-rescan-quota.yaml")
    assert made["metadata"]["namespace"] == "rescan-prod"
    assert made["spec"] == {"hard": {"pods": "20"}}
