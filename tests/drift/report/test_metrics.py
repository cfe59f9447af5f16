"""Metrics: valid text, each series once, and no object names in labels."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from drift.model import ClusterInfo, Report, Status
from drift.objects import Source
from drift.report.metrics import to_metrics
from tests.drift.report.reports import EMPTY, HOSTILE, RICH, finding, hostile, item, report

SAMPLE = re.compile(r'([a-z_]+)(?:\{((?:[a-z]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)+)\})? (-?[0-9.e+]+)')


def samples(shown: Report) -> dict[str, float]:
    """Returns the series; checks that families are contiguous and begin with HELP and TYPE, without duplicates."""
    lines = to_metrics(shown).split("\n")
    assert lines[-2:] == ["# EOF", ""]
    found: dict[str, float] = {}
    families: list[str] = []
    for line in lines[:-2]:
        if line.startswith("# HELP "):
            families.append(line.split(" ")[2])
        elif line.startswith("# TYPE "):
            assert line == f"# TYPE {families[-1]} gauge"
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert match[1] == families[-1]
            series = line.rpartition(" ")[0]
            assert series not in found
            found[series] = float(match[3])
    assert len(set(families)) == len(families)
    return found


@pytest.mark.parametrize("shown", [RICH, HOSTILE, EMPTY, hostile("x" * 1_048_576)], ids=["rich", "evil", "empty", "1M"])
def test_a_collector_can_read_it(shown: Report) -> None:
    assert samples(shown)


def test_long_names_with_the_same_beginning_are_one_series() -> None:
    assert samples(hostile("x" * 5000 + "a", "x" * 5000 + "b"))


def test_findings_are_counted_by_cause_severity_namespace_and_kind() -> None:
    found = samples(RICH)

    assert found['drift_findings{cause="manual",severity="medium",namespace="shop",kind="Deployment"}'] == 2
    assert found['drift_findings{cause="manual",severity="critical",namespace="",kind="ClusterRole"}'] == 1
    assert found['drift_ignored_findings{namespace="shop",kind="ConfigMap"}'] == 1
    assert found['drift_objects{status="in-sync",namespace="shop",kind="ConfigMap"}'] == 3


def test_it_has_metrics_of_the_last_scan() -> None:
    found = samples(RICH)

    assert found["drift_last_scan_timestamp_seconds"] == 1767268800
    assert found["drift_last_scan_success"] == 0
    assert found["drift_last_scan_duration_seconds"] == 1.25
    assert found["drift_last_scan_api_requests"] == 42
    assert found['drift_verdict{verdict="incomplete"}'] == 1


def test_metrics_without_a_value_are_left_out() -> None:
    assert not {"drift_last_scan_duration_seconds", "drift_last_scan_api_requests"} & set(samples(EMPTY))


def test_drift_is_a_successful_scan() -> None:
    assert samples(report(item("Pod", "a", Status.DRIFTED, finding(1))))["drift_last_scan_success"] == 1


def test_no_name_of_an_object_is_a_label() -> None:
    named = item("Pod", "very-special", Status.DRIFTED, finding(1), source=Source("very-special.yaml", 1, 1))

    assert "very-special" not in to_metrics(report(named))


def test_several_clusters_have_a_label() -> None:
    here = item("Pod", "a", Status.IN_SYNC, cluster="east")
    clusters = (ClusterInfo("east", "https://east", "v1"), ClusterInfo("west", "https://west", "v1"))
    shown = report(here, replace(here, cluster="west"), cluster=None, clusters=clusters)

    assert samples(shown)['drift_objects{status="in-sync",cluster="east",namespace="shop",kind="Pod"}'] == 1


def test_the_guide_lists_exactly_these_gauges() -> None:
    named = re.findall(
        r"^\| `(drift_[a-z_]+)` \|", (Path(__file__).parents[3] / "docs/outputs.md").read_text(), re.MULTILINE
    )

    assert sorted(named) == sorted(set(re.findall(r"^# TYPE (\S+) gauge$", to_metrics(RICH), re.MULTILINE)))
