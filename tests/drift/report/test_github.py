"""Annotations: at most ten, the worst first, and nothing from outside is a command of its own."""

import re

import pytest

from drift.model import Cause, IgnoredBy, Severity, Source, Status
from drift.report.github import to_annotations
from tests.drift.report.reports import HOSTILE, HOSTILE_TEXTS, RICH, finding, hostile, item, report


def unescape(text: str) -> str:
    """As the runner reads a property or a message."""
    for escape, character in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(escape, character)
    return text


def commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """The commands as the runner finds them: in any line that begins with ``::``."""
    found = []
    for line in text.splitlines():
        if line.lstrip().startswith("::"):
            match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
            assert match
            properties = dict(pair.split("=", 1) for pair in match[2].split(","))
            found.append((match[1], {name: unescape(value) for name, value in properties.items()}, unescape(match[3])))
    return found


def test_a_finding_stands_on_the_line_of_its_manifest() -> None:
    text = to_annotations(report(item("Pod", "a", Status.DRIFTED, finding(1), source=Source("./x/a.yaml", 1, 7))))

    assert commands(text) == [
        (
            "warning",
            {"file": "x/a.yaml", "line": "7", "title": "Pod shop/a: spec.replicas"},
            "medium: Git 2, live 5\nchanged in the cluster: kubectl-edit, 2026-01-01T10:00:00Z",
        )
    ]


def test_ten_are_the_most_and_the_last_counts_the_others() -> None:
    findings = [finding(number, path=f"spec.f{number:02}") for number in range(25)]
    found = commands(to_annotations(report(item("Pod", "a", Status.DRIFTED, *findings))))

    assert len(found) == 10
    assert found[-1][2] == "16 more findings not shown here; drifted: 1 drifted"


def test_ten_findings_are_all_shown() -> None:
    findings = [finding(number, path=f"spec.f{number:02}") for number in range(10)]

    assert "more" not in to_annotations(report(item("Pod", "a", Status.DRIFTED, *findings)))


def test_the_worst_comes_first_and_what_is_not_checked_right_after_it() -> None:
    levels = [message.split(":")[0] for _, _, message in commands(to_annotations(RICH))]

    assert levels[:4] == ["critical", "roles in shop", "may not be read", "high"]


@pytest.mark.parametrize(
    ("severity", "level"), [(Severity.CRITICAL, "error"), (Severity.MEDIUM, "warning"), (Severity.LOW, "notice")]
)
def test_the_level_is_the_severity(severity: Severity, level: str) -> None:
    shown = report(item("Pod", "a", Status.DRIFTED, finding(1, severity=severity)))

    assert commands(to_annotations(shown))[0][0] == level


def test_what_is_no_drift_is_not_annotated() -> None:
    fine = item("A", "a", Status.IN_SYNC, finding(1, cause=Cause.CONTROLLER))
    aside = item("B", "b", Status.IN_SYNC, finding(2, ignored=IgnoredBy("r", "why")))
    left_out = item("C", "c", Status.UNCHECKED, reason="r", is_skipped=True)

    assert commands(to_annotations(report(fine, aside, left_out))) == []


def test_standard_input_is_no_file() -> None:
    shown = report(item("Pod", "a", Status.DRIFTED, finding(1), source=Source("<stdin>", 1, 1)))

    assert "file" not in commands(to_annotations(shown))[0][1]


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_a_hostile_text_makes_no_command_and_no_property(text: str) -> None:
    found = commands(to_annotations(hostile(text)))

    assert {level for level, _, _ in found} <= {"error", "warning", "notice"}
    assert all(set(properties) <= {"file", "line", "title"} for _, properties, _ in found)


def test_every_line_is_a_command_but_the_summary_and_what_is_resolved() -> None:
    lines = to_annotations(HOSTILE).splitlines()

    assert len(lines) == 12
    assert all(line.startswith("::") for line in lines[:-2])
    assert lines[-2] == "incomplete: 9 drifted, 9 unmanaged, 9 unchecked"
    assert lines[-1].startswith("9 findings resolved since the last scan: ")
