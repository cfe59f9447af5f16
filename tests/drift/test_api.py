"""The Python API prints nothing and keeps no state."""

import subprocess
import sys
from pathlib import Path

import pytest

import drift
from drift.config.settings import Settings
from drift.model import Cause, Status, Verdict
from drift.scanning import ScanStep
from tests.drift.conftest import Application
from tools.sandbox.syncers import Syncer


def test_scans_and_prints_nothing(application: Application, capsys: pytest.CaptureFixture[str]) -> None:
    application.sync(Syncer.FLUX)
    application.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1")

    report = drift.scan([application.manifests], drift.open_cluster(str(application.cluster.kubeconfig)))

    assert report.verdict is Verdict.DRIFTED
    (drifted,) = [item for item in report.objects if item.status is Status.DRIFTED]
    assert [(finding.path, finding.cause) for finding in drifted.findings] == [
        ("spec.template.spec.containers[name=rescan].env[name=DEBUG]", Cause.MANUAL)
    ]
    assert capsys.readouterr() == ("", "")


def test_the_package_lists_its_public_names() -> None:
    assert {"scan", "open_cluster", "open_dump", "read_manifests"} <= set(dir(drift))
    assert all(callable(getattr(drift, name)) for name in dir(drift) if name != "__version__")


def test_the_settings_of_one_scan_do_not_affect_the_next(application: Application) -> None:
    application.sync(Syncer.FLUX)
    application.kubectl("set", "env", "deployment/rescan-app", "DEBUG=1")
    cluster = drift.open_cluster(str(application.cluster.kubeconfig))

    trusting = drift.scan([application.manifests], cluster, settings=Settings(controllers=("kubectl-set",)))
    plain = drift.scan([application.manifests], cluster)

    assert trusting.verdict is Verdict.IN_SYNC
    assert plain.verdict is Verdict.DRIFTED


def test_reports_progress(tmp_path: Path) -> None:
    maps = "".join(
        f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{number}, namespace: shop}}\n"
        for number in range(250)
    )
    (tmp_path / "maps.yaml").write_text(maps)
    steps: list[ScanStep] = []

    drift.scan([tmp_path], drift.open_dump([tmp_path]), observe=steps.append)

    assert [step for step in steps if step.total is not None] == [
        ScanStep("configmaps", done, 250) for done in (0, 100, 200)
    ]
    assert ScanStep("deployments.apps", 0, None) in steps


def test_importing_drift_does_not_import_the_kubernetes_client() -> None:
    code = "import drift, sys; print('kubernetes' in sys.modules, 'deepdiff' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.split() == ["False", "False"]


def test_unknown_attributes_raise_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sacn'"):
        _ = drift.sacn
