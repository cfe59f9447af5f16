"""Every term of reports, exit statuses and ``drift.yaml`` has an explanation."""

import re

import pytest

from drift.cli import main
from drift.config import reader
from drift.explain.terms import all_terms, explain, list_terms
from drift.history.episodes import EpisodeState
from drift.model import Cause, Change, Evidence, Lifecycle, Severity, Status
from drift.policy.severity import default_table

NAMES = {term.name for term in all_terms()}


@pytest.mark.parametrize("words", [Status, Change, Cause, Severity, Evidence, Lifecycle, EpisodeState])
def test_every_term_of_a_report_has_an_explanation(
    words: type[Status | Change | Cause | Severity | Evidence | Lifecycle | EpisodeState],
) -> None:
    topics = {word: [term.topic for term in all_terms() if term.name == word] for word in words}

    topic = words.__name__.lower().removeprefix("episode")
    assert [word for word, found in topics.items() if not any(text.startswith(topic) for text in found)] == []


def test_every_exit_status_has_an_explanation() -> None:
    assert {"0", "1", "2", "3", "exit-status"} <= NAMES


def test_every_setting_has_an_explanation() -> None:
    assert NAMES >= reader.KEYS
    assert {f"ignore.{key}" for key in reader.IGNORE_KEYS} <= NAMES
    assert {f"severity.{key}" for key in reader.SEVERITY_KEYS} <= NAMES
    assert {f"unchecked.{key}" for key in reader.UNCHECKED_KEYS} <= NAMES
    assert {f"exit.{key}" for key in reader.EXIT_KEYS} <= NAMES


def test_a_term_with_several_meanings_is_explained_in_each() -> None:
    heads = re.findall(r"^unmanaged \((.*)\)$", explain("unmanaged", 80), re.MULTILINE)

    assert heads == ["status of an object", "change of a finding", "setting of drift.yaml"]


def test_severities_are_rendered_from_the_table() -> None:
    text = explain("severity", 200)

    for rule in default_table().rules:
        assert f"{rule.severity}: {rule.reason}" in text
        assert rule.path is None or rule.path.text in text
    assert "**.image" in explain("high", 80)
    assert "**.image" not in explain("critical", 80)
    assert "everything else" in explain("medium", 80)


def test_no_line_is_wider_than_the_terminal() -> None:
    for name in NAMES:
        # Paths are not broken, so a line with only a path may be longer.
        assert [line for line in explain(name, 60).splitlines() if len(line) > 60 and " " in line.strip()] == []


def test_case_and_spacing_of_a_term_do_not_matter() -> None:
    assert explain("Pending Sync", 80) == explain("pending-sync", 80)


def test_without_a_term_it_lists_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0

    listed = set(re.findall(r"[\w.-]+", capsys.readouterr().out))
    assert listed >= NAMES
    assert list_terms(80).startswith("`drift explain TERM` explains one of these:")


def test_a_term_is_explained_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "manual"]) == 0

    assert capsys.readouterr().out.startswith("manual (cause of a finding)\n")


def test_an_unknown_term_ends_with_2_and_a_suggestion(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "manul"]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("drift: 'manul' is not a term; did you mean 'manual'")
