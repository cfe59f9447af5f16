"""``--namespace`` is for manifests that name none, but users of kubectl may take it for a filter: a note says so."""

from pathlib import Path

import pytest

from drift.cli import main

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a{namespace}}}\n"
NOTE = "note: --namespace other is for manifests that name no namespace, and all of these name one; --only-namespace"


@pytest.mark.parametrize(
    ("namespace", "has_note"), [(", namespace: shop", True), (", namespace: other", False), ("", False)]
)
def test_a_namespace_that_makes_no_difference_is_a_note(
    namespace: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, has_note: bool
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(MANIFEST.format(namespace=namespace))

    main(["report", str(file), "--live", str(file), "--namespace", "other"])

    assert (NOTE in capsys.readouterr().out) is has_note
