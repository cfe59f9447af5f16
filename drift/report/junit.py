"""JUnit XML, for whatever shows test results: a suite for each source file, a test case for each object.

Made for both schemas in use, the one of Ant's task and the one of Jenkins: a test case has one result at most, which
bears no attribute that either lacks.
"""

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from typing import Final

from drift import __version__
from drift.model import Finding, ObjectReport, Report, Status
from drift.report.view import finding_order, object_name, open_for, sentence, severity_mark, short, what_differs, who

_NO_SOURCE: Final = "not in Git"
_SCAN: Final = "scan"


def to_junit(report: Report) -> str:
    """The report as an XML document.

    Failures are drift, errors what could not be checked; what a rule ignores and what is left out on purpose is
    skipped, with the reason.
    """
    suites: dict[str, list[ET.Element]] = {}
    for item in report.objects:
        name = short(item.source.file) if item.source is not None else _NO_SOURCE
        suites.setdefault(name, []).append(_case(item, report.generated_at))
    ordered = sorted(suites.items(), key=lambda suite: (suite[0] == _NO_SOURCE, suite[0]))
    if report.errors:
        ordered.append((_SCAN, [_unread(number, error) for number, error in enumerate(report.errors, start=1)]))
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
            # The schema of Ant's task knows no zone.
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
    drift = [finding for finding in item.findings if finding.is_drift]
    ignored = [finding for finding in item.findings if finding.ignored is not None]
    if item.status is Status.UNCHECKED and not item.is_skipped:
        _result(case, "error", Status.UNCHECKED, item.reason or "", [item.reason or ""])
    elif item.status is Status.UNCHECKED:
        ET.SubElement(case, "skipped").text = f"not checked on purpose: {sentence(item.reason or '')}"
    elif drift:
        worst = min(drift, key=finding_order)
        lines = [line for finding in sorted(drift, key=finding_order) for line in _lines(finding, now)]
        _result(case, "failure", item.status, f"{severity_mark(worst)}: {_what(worst)}", lines)
    elif ignored:
        ET.SubElement(case, "skipped").text = "\n".join(map(_why_ignored, ignored))
    return case


def _unread(number: int, error: str) -> ET.Element:
    case = ET.Element("testcase", classname=_SCAN, name=f"could be read ({number})", time="0")
    _result(case, "error", Status.UNCHECKED, error, [error])
    return case


def _result(case: ET.Element, result: str, kind: str, message: str, lines: Sequence[str]) -> None:
    element = ET.SubElement(case, result, type=kind, message=sentence(message))
    element.text = "\n".join(map(sentence, lines))


def _lines(finding: Finding, now: str) -> list[str]:
    lines = [f"{severity_mark(finding)}: {_what(finding)}", f"    {who(finding)}{open_for(finding, now)}"]
    return [*lines, f"    {sentence(finding.note)}"] if finding.note else lines


def _what(finding: Finding) -> str:
    return f"{short(finding.path)}: {what_differs(finding)}" if finding.path else what_differs(finding)


def _why_ignored(finding: Finding) -> str:
    if finding.ignored is None:
        return ""
    path = f"{short(finding.path)} " if finding.path else ""
    return f"{path}ignored by {short(finding.ignored.rule)}: {sentence(finding.ignored.reason)}"
