"""JUnit XML for CI systems: a suite for each manifest file, a test case for each object.

The document is valid in both schemas in use, Ant's and Jenkins's: a test case has at most one result, with only the
attributes that both allow.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from drift import __version__
from drift.model import Finding, ObjectReport, Report, Status
from drift.report.diff import what_differs
from drift.report.selection import finding_order
from drift.report.view import (
    cause_and_managers,
    field_place,
    object_name,
    open_for,
    reason_of,
    sentence,
    severity_mark,
    short,
)

_NO_SOURCE: Final = "not in Git"
_SCAN: Final = "scan"


def to_junit(report: Report) -> str:
    """Returns the report as an XML document.

    A drifted object is a failure and an unchecked one is an error. If rules ignore all drift of an object, or if
    drift.yaml skips its kind, its test case is skipped with the reason.
    """
    suites: dict[str, list[ET.Element]] = {}
    for item in report.objects:
        name = short(item.source.file) if item.source is not None else _NO_SOURCE
        suites.setdefault(name, []).append(_case(item, report.generated_at))
    ordered = sorted(suites.items(), key=lambda suite: (suite[0] == _NO_SOURCE, suite[0]))
    if report.problems:
        ordered.append((_SCAN, [_read_error(number, error) for number, error in enumerate(report.problems, start=1)]))
    root = ET.Element("testsuites")
    for number, (name, cases) in enumerate(ordered):
        root.append(_suite(number, name, cases, report))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(number: int, name: str, cases: Sequence[ET.Element], report: Report) -> ET.Element:
    suite = ET.Element(
        "testsuite",
        {
            "id": str(number),
            "package": "drift",
            "name": name,
            # Ant's schema allows no time zone.
            "timestamp": report.generated_at[:19],
            "hostname": short((report.cluster.context or report.cluster.server) if report.cluster else "")
            or "localhost",
            "tests": str(len(cases)),
            "failures": _count(cases, "failure"),
            "errors": _count(cases, "error"),
            "skipped": _count(cases, "skipped"),
            "time": "0",
        },
    )
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="drift.version", value=__version__)
    suite.extend(cases)
    ET.SubElement(suite, "system-out")
    ET.SubElement(suite, "system-err")
    return suite


def _count(cases: Iterable[ET.Element], result: str) -> str:
    return str(sum(case.find(result) is not None for case in cases))


def _case(item: ObjectReport, now: str) -> ET.Element:
    case = ET.Element("testcase", classname=short(item.key.kind), name=short(object_name(item)), time="0")
    drift = sorted((finding for finding in item.findings if finding.is_drift), key=finding_order)
    ignored = [
        f"{f'{short(finding.path)} ' if finding.path else ''}ignored by {short(rule.rule)}: {sentence(rule.reason)}"
        for finding in item.findings
        if (rule := finding.ignored) is not None
    ]
    if item.status is Status.UNCHECKED and not item.is_skipped:
        _result(case, "error", Status.UNCHECKED, item.reason or "", [item.reason or ""])
    elif item.status is Status.UNCHECKED:
        ET.SubElement(case, "skipped").text = reason_of(item)
    elif drift:
        reason = reason_of(item)
        lines = [*([reason] if reason else []), *(line for one in drift for line in _finding_lines(item, one, now))]
        _result(case, "failure", item.status, _first_line(drift[0]), lines)
    elif ignored:
        ET.SubElement(case, "skipped").text = "\n".join(ignored)
    return case


def _read_error(number: int, error: str) -> ET.Element:
    case = ET.Element("testcase", classname=_SCAN, name=f"read error {number}", time="0")
    _result(case, "error", Status.UNCHECKED, error, [error])
    return case


def _result(case: ET.Element, result: str, kind: str, message: str, lines: Sequence[str]) -> None:
    element = ET.SubElement(case, result, type=kind, message=sentence(message))
    element.text = "\n".join(map(sentence, lines))


def _finding_lines(item: ObjectReport, finding: Finding, now: str) -> Iterator[str]:
    place = field_place(item, finding)
    yield _first_line(finding) + (f" ({place})" if place else "")
    yield f"    {cause_and_managers(finding)}{open_for(finding, now)}"
    if finding.note:
        yield f"    note: {sentence(finding.note)}"


def _first_line(finding: Finding) -> str:
    path = f"{short(finding.path)}: " if finding.path else ""
    return f"{severity_mark(finding)}: {path}{what_differs(finding)}"
