"""Annotations: at most ten, worst first, and no text of the report becomes a command."""

import re

import pytest

from drift.model import Cause, IgnoredBy, Severity, Status
from drift.objects import Source
from drift.report.github import to_annotations
from tests.drift.report.reports import HOSTILE, HOSTILE_TEXTS, RICH, finding, hostile, item, report, resolved


def unescape(text: str) -> str:
    """Decodes a property or a message as the runner does."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """Returns the commands as the runner finds them, in any line that begins with ``::``."""
    found = []
    for line in text.splitlines():
        if line.lstrip().startswith("::"):
            match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
            assert match
            properties = dict(pair.split("=", 1) for pair in match[2].split(","))
            found.append((match[1], {name: unescape(value) for name, value in properties.items()}, unescape(match[3])))
    return found


def test_a_finding_is_on_the_line_of_its_manifest() -> None:
    text = to_annotations(report(item("Pod", "a", Status.DRIFTED, finding(1), source=Source("./x/a.yaml", 1, 7))))

    assert commands(text) == [
        (
            "warning",
            {"file": "x/a.yaml", "line": "7", "title": "Pod shop/a: spec.replicas"},
            "medium: Git 2, live 5\nchanged in the cluster: kubectl-edit, 2026-01-01T10:00:00Z",
        )
    ]


def test_there_are_at_most_ten_and_the_last_counts_the_others() -> None:
    findings = [finding(number, path=f"spec.f{number:02}") for number in range(25)]
    found = commands(to_annotations(report(item("Pod", "a", Status.DRIFTED, *findings))))

    assert len(found) == 10
    assert found[-1][2] == "16 more findings not shown here; drifted: 25 findings (25 medium); 1 drifted"


def test_ten_findings_are_all_shown() -> None:
    findings = [finding(number, path=f"spec.f{number:02}") for number in range(10)]

    assert "more" not in to_annotations(report(item("Pod", "a", Status.DRIFTED, *findings)))


def test_critical_findings_come_first_and_unchecked_objects_next() -> None:
    levels = [message.split(":")[0] for _, _, message in commands(to_annotations(RICH))]

    assert levels[:4] == ["critical", "roles in shop", "may not be read", "high"]


@pytest.mark.parametrize(
    ("severity", "level"), [(Severity.CRITICAL, "error"), (Severity.MEDIUM, "warning"), (Severity.LOW, "notice")]
)
def test_the_severity_decides_the_level(severity: Severity, level: str) -> None:
    shown = report(item("Pod", "a", Status.DRIFTED, finding(1, severity=severity)))

    assert commands(to_annotations(shown))[0][0] == level


def test_non_drift_is_not_annotated() -> None:
    fine = item("A", "a", Status.IN_SYNC, finding(1, cause=Cause.CONTROLLER))
    ignored = item("B", "b", Status.IN_SYNC, finding(2, ignored=IgnoredBy("r", "why")))
    skipped = item("C", "c", Status.UNCHECKED, reason="r", is_skipped=True)

    assert commands(to_annotations(report(fine, ignored, skipped))) == []


def test_standard_input_has_no_file() -> None:
    shown = report(item("Pod", "a", Status.DRIFTED, finding(1), source=Source("<stdin>", 1, 1)))

    assert "file" not in commands(to_annotations(shown))[0][1]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_a_hostile_text_adds_no_command_or_property(text: str) -> None:
    found = commands(to_annotations(hostile(text)))

    assert {level for level, _, _ in found} <= {"error", "warning", "notice"}
    assert all(set(properties) <= {"file", "line", "title"} for _, properties, _ in found)


def test_a_plain_line_runs_no_command() -> None:
    text = to_annotations(report(resolved=(resolved(1, path="###[set-env name=PATH]/tmp"),)))

    assert "##[" not in text
    assert "## #[set-env name=PATH]/tmp" in text


def test_only_the_summary_and_the_resolved_findings_are_plain_lines() -> None:
    lines = to_annotations(HOSTILE).splitlines()

    assert len(lines) == 12
    assert all(line.startswith("::") for line in lines[:-2])
    assert lines[-2] == "incomplete: 18 findings (18 medium); 9 drifted, 9 unmanaged, 9 unchecked"
    assert lines[-1].startswith("9 findings resolved since the last scan: ")
