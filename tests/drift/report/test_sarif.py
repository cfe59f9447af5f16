"""SARIF: validity in version 2.1.0, rules with help, stable fingerprints, locations."""

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from drift.explain.texts import CAUSES, CHANGES
from drift.model import Cause, Change, ManifestsInfo, Report, Severity, SourceInfo, SourceKind, Status
from drift.objects import Source
from drift.report.sarif import to_sarif
from tests.drift.report.reports import EMPTY, HOSTILE, RICH, finding, item, report


def run(shown: Report) -> dict[str, Any]:
    log = json.loads(to_sarif(shown))
    assert log["version"] == "2.1.0"
    only: dict[str, Any] = log["runs"][0]
    assert len(log["runs"]) == 1
    return only


def results(shown: Report) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = run(shown)["results"]
    return found


@pytest.fixture(scope="session")
def schema() -> dict[str, Any]:
    """Returns the standard's schema from a Go module; sarif_schema/go.mod and go.sum pin its version."""
    folder = Path(__file__).parent / "sarif_schema"
    command = ["go", "mod", "download", "-json", "github.com/owenrumney/go-sarif/v3"]
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local"}
    done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    source = Path(json.loads(done.stdout)["Dir"]) / "pkg/report/v210/sarif/schema.go"
    literal = re.fullmatch(r".*= `(.*)`\s*", source.read_text("utf-8"), re.DOTALL)
    assert literal
    found: dict[str, Any] = json.loads(literal[1])
    return found


@pytest.mark.parametrize("shown", [RICH, HOSTILE, EMPTY], ids=["rich", "hostile", "empty"])
def test_the_log_is_valid_in_the_standards_schema(shown: Report, schema: dict[str, Any]) -> None:
    log = json.loads(to_sarif(shown))

    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(log)
    with pytest.raises(jsonschema.ValidationError, match="unexpected"):
        jsonschema.Draft4Validator(schema).validate({**log, "unexpected": 1})


@pytest.mark.parametrize("shown", [RICH, HOSTILE, EMPTY], ids=["rich", "hostile", "empty"])
def test_every_result_has_the_required_properties(shown: Report) -> None:
    rules = run(shown)["tool"]["driver"]["rules"]

    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in results(shown):
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        assert result["message"]["text"]
        assert len(result["locations"]) == 1
        physical = result["locations"][0]["physicalLocation"]
        assert re.fullmatch(r"[A-Za-z0-9/._~%:-]+", physical["artifactLocation"]["uri"])
        assert physical.get("region", {"startLine": 1})["startLine"] >= 1


def test_a_rule_explains_the_change_and_the_cause() -> None:
    rules = {rule["id"]: rule for rule in run(RICH)["tool"]["driver"]["rules"]}
    text = rules["pending-sync/removed"]["help"]["text"]

    assert CHANGES[Change.REMOVED] in text
    assert CAUSES[Cause.PENDING_SYNC] in text


def test_a_result_is_on_the_line_of_its_manifest() -> None:
    shown = report(item("Pod", "a", Status.DRIFTED, finding(1), source=Source("./x y/ä.yaml", 1, 7)))

    assert results(shown)[0]["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "x%20y/%C3%A4.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 7},
    }


def test_an_absolute_path_is_a_file_uri() -> None:
    shown = report(item("Pod", "a", Status.DRIFTED, finding(1), source=Source("/srv/a.yaml", 1, 7)))

    assert results(shown)[0]["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": "file:///srv/a.yaml"}


def test_an_unmanaged_object_is_located_at_the_folder() -> None:
    unmanaged = finding(1, path="", pointer="", change=Change.UNMANAGED, desired=None, live=None)
    location = results(report(item("Pod", "a", Status.UNMANAGED, unmanaged)))[0]["locations"][0]

    assert location["physicalLocation"] == {"artifactLocation": {"uri": "apps", "uriBaseId": "%SRCROOT%"}}
    assert location["logicalLocations"] == [{"kind": "object", "fullyQualifiedName": "Pod shop/a"}]


FLUX = SourceInfo(SourceKind.FLUX_KUSTOMIZATION, "Kustomization shop/apps", "clusters/prod/apps")
ROOT = SourceInfo(SourceKind.FLUX_KUSTOMIZATION, "Kustomization shop/root", "clusters/prod")
RELEASE = SourceInfo(SourceKind.HELM_RELEASE, "release shop/web")


@pytest.mark.parametrize(
    ("paths", "sources", "uri"),
    [
        ((), (ROOT, FLUX), "clusters/prod/apps"),
        ((), (RELEASE, ROOT), "clusters/prod"),
        (("-", "apps"), (ROOT,), "apps"),
        ((), (RELEASE,), "drift.yaml"),
        (("-",), (), "drift.yaml"),
    ],
)
@pytest.mark.parametrize("source", [None, Source("<stdin>", 1, 1)])
def test_an_object_in_no_file_is_located_at_a_source(
    paths: tuple[str, ...], sources: tuple[SourceInfo, ...], uri: str, source: Source | None
) -> None:
    shown = item("Pod", "a", Status.DRIFTED, finding(1), source=source, origins=("release shop/web", FLUX.name))
    location = results(report(shown, manifests=ManifestsInfo(paths, None, None), sources=sources))[0]["locations"][0]

    assert location["physicalLocation"] == {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}}


def test_the_fingerprint_is_the_findings_id() -> None:
    one = results(report(item("Pod", "a", Status.DRIFTED, finding(7))))[0]
    other = results(report(item("Pod", "a", Status.DRIFTED, finding(7, live=99, severity=Severity.HIGH))))[0]

    assert one["partialFingerprints"] == other["partialFingerprints"] == {"driftFinding/v1": f"{7:016x}"}


def test_an_ignored_finding_is_suppressed_with_its_reason() -> None:
    suppressed = [result for result in results(RICH) if "suppressions" in result]

    assert [result["suppressions"][0]["justification"] for result in suppressed] == ["ignore[0]: not ours"]


def test_unchecked_objects_and_errors_are_notifications() -> None:
    invocation = run(RICH)["invocations"][0]

    assert invocation["executionSuccessful"] is False
    assert [note["message"]["text"] for note in invocation["toolExecutionNotifications"]] == [
        "roles in shop: may not be read by this account",
        "Role shop/reader: may not be read",
        "a note",
    ]
    assert run(replace(RICH, errors=(), objects=()))["invocations"][0]["executionSuccessful"] is True


def test_a_value_is_not_a_link() -> None:
    shown = report(item("Pod", "a", Status.DRIFTED, finding(1, live="[click](https://evil.example)")))

    assert "](" not in results(shown)[0]["message"]["text"]
