"""JUnit: a suite for each file, the results, and validity in the schemas of Ant and Jenkins."""

import re
import xml.etree.ElementTree as ET

import pytest

from drift.model import Cause, ObjectReport, Report, Status
from drift.report.junit import to_junit
from tests.drift.report.reports import EMPTY, HOSTILE, RICH, finding, hostile, item, report

COUNTS = ("tests", "failures", "errors", "skipped")
#: The attributes of each element, all required by Ant's schema, and its children in order, as both schemas allow.
ATTRIBUTES = {
    "testsuites": set(),
    "testsuite": {"id", "package", "name", "timestamp", "hostname", *COUNTS, "time"},
    "properties": set(),
    "property": {"name", "value"},
    "testcase": {"name", "classname", "time"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": set(),
    "system-out": set(),
    "system-err": set(),
}
CHILDREN = {
    "testsuites": r"(testsuite )*",
    "testsuite": r"properties (testcase )*system-out system-err ",
    "properties": r"(property )+",
    "testcase": r"((failure|error|skipped) )?",
}


def parsed(shown: Report) -> ET.Element:
    return ET.fromstring(to_junit(shown))  # noqa: S314


def result(shown: ObjectReport) -> str | None:
    case = parsed(report(shown)).find("testsuite/testcase")
    assert case is not None
    return case[0].tag if len(case) else None


@pytest.mark.parametrize("shown", [RICH, HOSTILE, EMPTY, hostile("x" * 1_048_576)], ids=["rich", "evil", "empty", "1M"])
def test_it_is_valid_in_both_schemas(shown: Report) -> None:
    root = parsed(shown)

    assert root.tag == "testsuites"
    for element in root.iter():
        assert set(element.attrib) == ATTRIBUTES[element.tag]
        assert re.fullmatch(CHILDREN.get(element.tag, ""), "".join(f"{child.tag} " for child in element))
    for number, suite in enumerate(root):
        assert suite.get("id") == str(number)
        assert suite.get("name")
        assert suite.get("hostname")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))


def test_the_counts_match_the_test_cases() -> None:
    for suite in parsed(RICH):
        found = [len(suite.findall(path)) for path in ("testcase", "testcase/failure", "testcase/error")]
        assert [int(suite.get(name, "")) for name in COUNTS[:3]] == found
        assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))


def test_a_suite_is_a_file_and_objects_without_one_come_last() -> None:
    assert [suite.get("name") for suite in parsed(RICH)] == [
        "./apps/shop.yaml",
        "apps/web.yaml",
        "not in Git",
        "scan",
    ]


def test_drift_is_a_failure_and_an_unchecked_object_an_error() -> None:
    cases = {case.get("name"): [child.tag for child in case] for case in parsed(RICH).iter("testcase")}

    assert cases == {
        "ClusterRole admin": ["failure"],
        "ConfigMap shop/fine": [],
        "ConfigMap shop/hook": [],
        "ConfigMap shop/set-aside": ["skipped"],
        "Deployment shop/web": ["failure"],
        "Lease shop/lock": ["skipped"],
        "Pod shop/debug": ["failure"],
        "Secret shop/kept": [],
        "Role shop/reader": ["error"],
        "Secret shop/db": ["failure"],
        "Service shop/web": ["failure"],
        "read error 1": ["error"],
    }


def test_a_change_by_a_controller_passes() -> None:
    assert result(item("Pod", "a", Status.IN_SYNC, finding(1, cause=Cause.CONTROLLER))) is None


def test_a_failure_lists_all_findings_and_its_message_is_the_worst() -> None:
    failure = parsed(RICH).find("testsuite[@name='apps/web.yaml']/testcase/failure")

    assert failure is not None
    assert failure.get("message") == "medium NEW: spec.replicas: Git 2, live 5"
    assert [path for path in ("spec.x", "spec.y", "spec.z") if path in str(failure.text)] == [
        "spec.x",
        "spec.y",
        "spec.z",
    ]
