"""A small report loads only the libraries that it needs."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n"


@pytest.fixture
def live(tmp_path: Path) -> str:
    path = tmp_path / "live.yaml"
    path.write_text(CONFIG_MAP, "utf-8")
    return str(path)


def _last_line_of(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()[-1]


def test_a_text_report_of_a_dump_loads_no_libraries_of_terminals_other_formats_clusters_and_exact_yaml(
    live: str,
) -> None:
    others = {"rich", "jinja2", "msgspec", "deepdiff", "kubernetes", "urllib3", "yaml"}
    code = (
        "import sys\nfrom drift.cli import main\n"
        f"main(['report', {live!r}, '--live', {live!r}])\n"
        f"print([name for name in sys.modules if name in {others}])"
    )

    assert _last_line_of(code) == "[]"


def test_garbage_collection_runs_at_most_once(live: str) -> None:
    code = (
        "import gc\nfrom drift.cli.parser import build_parser\nfrom drift.cli.report import run_report\n"
        f"options = build_parser().parse_args(['report', {live!r}, '--live', {live!r}])\n"
        "searches = []\ngc.callbacks.append(lambda phase, info: searches.append(phase))\n"
        "run_report(options)\n"
        "print(searches.count('start') <= 1, gc.isenabled())"
    )

    assert _last_line_of(code) == "True True"
