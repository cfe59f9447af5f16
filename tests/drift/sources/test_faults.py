"""Whatever a program does, what it did not render is never in sync, and the report says in one line what happened."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from drift.cli import main
from tests.drift.sources.test_kustomize import config_map, write

FILES = {
    "overlay/kustomization.yaml": "resources: [a.yaml]\nnamePrefix: x-\n",
    "overlay/a.yaml": config_map("a"),
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/templates/a.yaml": config_map("a"),
    "plain/p.yaml": config_map("p"),
    "live.yaml": config_map("p"),
}
#: What a program does, and what the report says about it.
FAULTS = {
    "hangs": ("sleep 300", "was stopped: the deadline of 5s has passed; raise --deadline"),
    "hangs with a child": ("sleep 300 & wait", "was stopped: the deadline of 5s has passed; raise --deadline"),
    "fails": ("echo '# Warning: old' >&2; echo 'Error: no such thing' >&2; exit 1", "failed: no such thing"),
    "fails without a word": ("exit 7", "failed: exit status 7"),
    "is killed": ("kill -9 $$", "failed: exit status -9"),
    "prints megabytes that are no manifest": (
        "yes 'a: {' | head -c 3000000",
        "printed something that is not a manifest",
    ),
    "prints binary data": ("head -c 100000 /dev/zero", "printed something that is not a manifest"),
    "prints nothing": ("exit 0", "no object"),
    "prints only comments": ("echo '# nothing'; echo ---", "no object"),
    "prints a part and fails": (f"printf '{config_map('a')}'; exit 1", "failed: exit status 1"),
}


def run(path: str, deadline: str = "60s") -> tuple[int, dict[str, Any]]:
    flags = (
        "--live",
        "live.yaml",
        "--deadline",
        deadline,
        "--unmanaged",
        "off",
        "-n",
        "shop",
        "--output",
        "json=report.json",
    )
    status = main(["report", path, "plain", *flags])
    return status, json.loads(Path("report.json").read_text())


@pytest.mark.parametrize("path", ["overlay", "chart"])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_a_program_did_not_render_is_never_in_sync(
    fault: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, FILES)
    script, said = FAULTS[fault]
    for name in ("kustomize", "helm"):
        write(tmp_path, {f"bin/{name}": f"#!/bin/sh\n{script}\n"})
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin{os.pathsep}/usr/bin:/bin")
    start = time.monotonic()

    status, document = run(path, "5s" if "hangs" in fault else "60s")

    assert (status, document["summary"]["verdict"]) == (3, "incomplete")
    [error] = document["errors"]
    assert error.startswith(f"{path}: ")
    assert said in error
    assert "\n" not in error
    assert len(error) < 300
    assert [item["name"] for item in document["inSync"]] == ["p"]
    assert document["objects"] == []
    assert time.monotonic() - start < 120


def test_a_chart_whose_templates_render_nothing_is_not_in_sync(
    tmp_path: Path, helm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del helm
    write(tmp_path, {**FILES, "chart/templates/a.yaml": "{{ if .Values.enabled }}\n" + config_map("a") + "{{ end }}\n"})
    monkeypatch.chdir(tmp_path)

    status, document = run("chart")

    assert (status, document["errors"]) == (
        3,
        ["chart: helm renders no object from it; do its values turn everything off?"],
    )


def test_a_folder_that_leads_out_of_the_working_directory_is_read_as_kustomize_allows(
    tmp_path: Path, kustomize: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del kustomize
    write(
        tmp_path,
        {
            **FILES,
            "outside/secret.yaml": config_map("outside"),
            "overlay/kustomization.yaml": "resources: [link.yaml]\nnamePrefix: x-\n",
        },
    )
    (tmp_path / "overlay/link.yaml").symlink_to("../outside/secret.yaml")
    monkeypatch.chdir(tmp_path)

    status, document = run("overlay")

    assert status == 3
    assert "is not in or below" in document["errors"][0]
