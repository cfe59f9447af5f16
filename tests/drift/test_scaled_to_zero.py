"""``kubectl scale --replicas=0`` on a real API server."""

import pytest

from drift.model import Severity
from tests.drift.conftest import Application
from tests.drift.samples import deployment


@pytest.mark.parametrize("spec", ["replicas: 2", ""])
@pytest.mark.parametrize(("replicas", "severity"), [(0, Severity.HIGH), (5, Severity.MEDIUM)])
def test_a_deployment_scaled_to_zero_is_high(
    workspace: Application, spec: str, replicas: int, severity: Severity
) -> None:
    workspace.write(deployment(spec=spec))
    workspace.sync()
    workspace.kubectl("scale", "deployment/web", f"--replicas={replicas}")

    ((finding,),) = [item["findings"] for item in workspace.report().document["objects"]]

    assert (finding["path"], finding["severity"]) == ("spec.replicas", severity)
