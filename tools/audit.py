"""Checks the locked packages for known vulnerabilities. ``make audit`` runs it.

A vulnerability fails the audit. A database that cannot be reached is skipped with a message, so that a build without
network passes.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_REPOSITORY: Final = Path(__file__).parents[1]
# OSV has the advisories of the Python Packaging Authority, and needs no package index.
PYTHON: Final = (
    *("pip-audit", "--vulnerability-service", "osv", "--timeout", "15", "--progress-spinner", "off"),
    *(
        "--requirement",
        "requirements.lock",
        "--requirement",
        "requirements-audit.lock",
        "--require-hashes",
        "--no-deps",
        "--disable-pip",
        "--format",
        "json",
    ),
)
NPM: Final = ("npm", "audit", "--json", "--loglevel=error")
#: Messages of the tools without a network, behind a proxy, or with a registry that lacks the service.
_UNREACHABLE: Final = ("ConnectionError", "Connection aborted", "Timeout", "ProxyError", "SSLError", "ServiceError")


def main() -> int:
    """Checks the Python and the Node packages.

    Returns:
        0 without known vulnerabilities, or if no database could be reached; 1 with some; 2 if a tool failed.
    """
    return max(_python(), _npm())


def _python() -> int:
    done = _run(PYTHON)
    answer = _parsed(done.stdout)
    if answer is None:
        if any(word in done.stderr for word in _UNREACHABLE):
            return _skipped("Python", done.stderr)
        return _failed("Python", done.stderr)
    known = [package for package in answer["dependencies"] if "skip_reason" not in package]
    found = [(package["name"], package["version"], one["id"]) for package in known for one in package["vulns"]]
    return _judged("Python", len(known), [f"{name} {version}: {identifier}" for name, version, identifier in found])


def _npm() -> int:
    done = _run(NPM)
    answer = _parsed(done.stdout)
    if answer is None:
        return _failed("Node", done.stderr)
    if "vulnerabilities" not in answer:
        return _skipped("Node", str(answer.get("message") or answer.get("error")))
    found = [f"{name}: {one['severity']}" for name, one in sorted(answer["vulnerabilities"].items())]
    return _judged("Node", answer["metadata"]["dependencies"]["total"], found)


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, cwd=_REPOSITORY, check=False, capture_output=True, text=True)


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _judged(what: str, count: int, found: Sequence[str]) -> int:
    for line in found:
        sys.stdout.write(f"{line}\n")
    sys.stdout.write(f"{what}: {len(found)} known vulnerabilities in {count} packages\n")
    return 1 if found else 0


def _skipped(what: str, why: str) -> int:
    sys.stdout.write(f"{what}: the vulnerability database could not be reached, skipped ({_last_line(why)})\n")
    return 0


def _failed(what: str, why: str) -> int:
    sys.stderr.write(f"{what}: the audit failed: {_last_line(why)}\n")
    return 2


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1][:200] if lines else "no message"


if __name__ == "__main__":
    sys.exit(main())
