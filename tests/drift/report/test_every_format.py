"""Tests of every format: golden reports, redacted values, and saved reports that render the same."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.model import Actor, Report, Status
from drift.objects import ObjectKey, Source
from drift.redaction import Redacted
from drift.report.formats import Format, Style, render
from drift.report.json_report import read_report
from tests.drift.report.golden import CASES, FILES, golden_file, rendered
from tests.drift.report.reports import EMPTY, HOSTILE, HOSTILE_TEXTS, RICH, finding, hostile, item, report

every_format = pytest.mark.parametrize("form", Format)
PLANTED = "cGxhbnRlZC1zZWNyZXQ"
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def saved(original: Report) -> Report:
    return read_report(render(original, Format.JSON, Style()), "report.json")


@pytest.mark.parametrize(("case", "form"), FILES)
def test_it_matches_its_golden_file(case: str, form: Format) -> None:
    assert rendered(case, form) == golden_file(case, form).read_bytes().decode()


@every_format
@pytest.mark.parametrize("original", CASES.values(), ids=CASES)
def test_a_saved_report_renders_the_same_bytes(original: Report, form: Format) -> None:
    assert render(saved(original), form, Style()) == render(original, form, Style())


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=3, unique=True))
def test_a_saved_report_with_any_text_renders_the_same_bytes(texts: list[str]) -> None:
    original = hostile(*texts)

    for form in Format:
        assert render(saved(original), form, Style()) == render(original, form, Style())


@every_format
def test_no_format_shows_the_values_of_a_redacted_finding(form: Format) -> None:
    leaky = finding(1, path="data.key", desired=PLANTED, live=PLANTED, redacted=True)
    text = render(report(item("Secret", "db", Status.DRIFTED, leaky)), form, Style(verbose=True))

    assert PLANTED not in text


@pytest.mark.parametrize("form", [Format.TEXT, Format.JSON, Format.MARKDOWN, Format.GITHUB, Format.JUNIT, Format.SARIF])
def test_a_redacted_value_in_a_report_is_an_error(form: Format) -> None:
    mistaken = finding(1, live=Redacted(b"x"))

    with pytest.raises(TypeError):
        render(report(item("Secret", "db", Status.DRIFTED, mistaken)), form, Style())


@every_format
@pytest.mark.parametrize("original", [RICH, HOSTILE, EMPTY], ids=["rich", "hostile", "empty"])
def test_it_ends_in_one_newline_and_contains_no_control_characters(original: Report, form: Format) -> None:
    text = render(original, form, Style())

    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    if form is not Format.JSON:  # JSON escapes only what it must, and keeps values as they are
        assert {character for character in text if not character.isprintable()} <= {"\n"}


@pytest.mark.parametrize("form", [form for form in Format if form not in {Format.JSON, Format.TEXT, Format.SARIF}])
def test_a_huge_text_does_not_make_a_huge_report(form: Format) -> None:
    huge = "a`<:" * 262_144

    assert len(render(hostile(huge), form, Style())) < 160_000


@every_format
def test_a_huge_text_is_rendered(form: Format) -> None:
    assert render(hostile("x" * 1_048_576), form, Style())


@every_format
def test_the_order_of_objects_in_the_file_makes_no_difference(form: Format) -> None:
    document: dict[str, Any] = json.loads(render(RICH, Format.JSON, Style()))
    document["objects"].reverse()

    assert render(read_report(json.dumps(document), "r"), form, Style()) == render(RICH, form, Style())


def test_the_hostile_texts_cover_all_formats() -> None:
    together = "".join(HOSTILE_TEXTS)

    assert all(part in together for part in ("<script", "\x1b", "::error", "```", "\u202e", "\x00", '"', "\r\n"))
    assert re.search(r"\[.*\]\(", together)


def test_an_object_in_two_clusters_names_its_cluster() -> None:
    here = item("Pod", "a", Status.UNCHECKED, reason="r", cluster="east", source=Source("a.yaml", 1, 1))
    there = replace(here, cluster="west", key=ObjectKey("", "Pod", "shop", "a"))
    text = render(report(here, there), Format.TEXT, Style())

    assert "Pod shop/a in east" in text
    assert "Pod shop/a in west" in text


def test_an_actor_without_a_time_is_shown() -> None:
    shown = finding(1, actors=(Actor("scaler", "Update", "scale", None),))

    assert "scaler (scale), time not recorded" in render(
        report(item("Pod", "a", Status.DRIFTED, shown)), Format.GITHUB, Style()
    )


@every_format
def test_the_guide_lists_it(form: Format) -> None:
    assert f"\n| `{form}` |" in (Path(__file__).parents[3] / "docs/outputs.md").read_text()
