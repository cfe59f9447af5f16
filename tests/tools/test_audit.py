"""A known vulnerability fails the audit; an unreachable database does not."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.audit import main

PACKAGE = {"name": "a", "version": "1", "vulns": []}
VULNERABLE = {"name": "b", "version": "2", "vulns": [{"id": "PYSEC-1"}]}
CLEAN: dict[str, Any] = {"dependencies": [PACKAGE]}
NO_NODE: dict[str, Any] = {"vulnerabilities": {}, "metadata": {"dependencies": {"total": 7}}}
NODE_FOUND = {**NO_NODE, "vulnerabilities": {"c": {"severity": "high"}}}

Tools = Callable[..., None]


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Installs programs that stand in for pip-audit and npm."""

    def install(python: object, node: object, error: str = "", status: int = 0) -> None:
        for name, answer in (("pip-audit", python), ("npm", node)):
            text = "" if answer is None else json.dumps(answer)
            (tmp_path / f"{name}.out").write_text(text)
            (tmp_path / f"{name}.err").write_text(error)
            program = tmp_path / name
            program.write_text(f'#!/bin/sh\ncat "$0.out"\ncat "$0.err" >&2\nexit {status}\n')
            program.chmod(0o755)

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return install


def test_no_vulnerabilities_is_success(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    tools(CLEAN, NO_NODE)

    assert main() == 0
    assert capsys.readouterr().out == (
        "Python: 0 known vulnerabilities in 1 packages\nNode: 0 known vulnerabilities in 7 packages\n"
    )


@pytest.mark.parametrize(
    ("python", "node", "line"),
    [({"dependencies": [PACKAGE, VULNERABLE]}, NO_NODE, "b 2: PYSEC-1"), (CLEAN, NODE_FOUND, "c: high")],
)
def test_a_finding_fails(
    tools: Tools, python: object, node: object, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    tools(python, node, status=1)

    assert main() == 1
    assert line in capsys.readouterr().out


def test_a_database_that_cannot_be_reached_is_skipped(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    tools(None, {"message": "405 Method Not Allowed"}, error="ConnectionError: no such host", status=1)

    assert main() == 0
    assert capsys.readouterr().out.count("could not be reached, skipped") == 2


def test_a_tool_that_fails_for_another_reason_fails(tools: Tools, capsys: pytest.CaptureFixture[str]) -> None:
    tools(None, None, error="usage: no such flag", status=2)

    assert main() == 2
    assert "the audit failed: usage: no such flag" in capsys.readouterr().err
