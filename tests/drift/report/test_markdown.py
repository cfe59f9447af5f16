"""Markdown keeps to its limit, counts what it leaves out, and makes no markup of the report's texts."""

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.model import Report, Severity, Status
from drift.report.formats import COMMENT_LIMIT, SMALLEST_LIMIT, Style
from drift.report.markdown import to_markdown
from tests.drift.report.reports import HOSTILE, HOSTILE_TEXTS, RICH, finding, hostile, item, report

STEP_SUMMARY = 1_048_576
TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("`~@#<|[]()*_:\n"), max_size=30)


def many(objects: int, each: int = 3) -> Report:
    return report(
        *(
            item(
                "ConfigMap",
                f"name-{number:05}",
                Status.DRIFTED,
                *(finding(number * each + field, path=f"data.key-{field}", live=number + 5) for field in range(each)),
            )
            for number in range(objects)
        )
    )


def outside_code(markdown: str) -> str:
    """Returns the text without fenced code blocks and inline code, as CommonMark reads it, and without our own tags."""
    lines, fence = [], None
    for line in markdown.split("\n"):
        if fence is None and re.fullmatch(r"<details><summary>(Commands|[0-9]+ objects)</summary>|</details>", line):
            continue
        mark = re.match(r"(`{3,})[^`]*$", line)
        if fence is None and mark:
            fence = mark[1]
        elif fence is not None and line.rstrip() == fence:
            fence = None
        elif fence is None:
            lines.append(line)
    assert fence is None, "a fence is not closed"
    return re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", "\n".join(lines))


@pytest.mark.parametrize("limit", [SMALLEST_LIMIT, COMMENT_LIMIT, STEP_SUMMARY])
def test_ten_thousand_objects_fit(limit: int) -> None:
    text = to_markdown(many(10_000), Style(markdown_limit=limit))

    assert len(text.encode()) <= limit
    assert re.search(r"\*\*[0-9]+ more objects with [0-9]+ findings left out to fit here\.\*\*", text)
    outside_code(text)


@pytest.mark.parametrize("limit", [SMALLEST_LIMIT, COMMENT_LIMIT])
@pytest.mark.parametrize("texts", [HOSTILE_TEXTS, ("\N{SNOWMAN}" * 100_000,), ("`" * 1_048_576,), ("\x00" * 100_000,)])
def test_hostile_texts_fit(texts: tuple[str, ...], limit: int) -> None:
    assert len(to_markdown(hostile(*texts), Style(markdown_limit=limit)).encode()) <= limit


def test_shown_and_omitted_findings_add_up() -> None:
    text = to_markdown(many(1000))

    shown = text.count("### `ConfigMap")
    left_out = re.search(r"([0-9]+) more objects with ([0-9]+) findings", text)
    assert left_out is not None
    assert shown + int(left_out[1]) == 1000
    of_shown = sum(map(int, re.findall(r"([0-9]+) more findings? of this object not shown here", text)))
    assert text.count("```diff") + of_shown + int(left_out[2]) == 3000


def test_one_large_object_does_not_hide_the_others() -> None:
    large = item("A", "large", Status.DRIFTED, *(finding(n, path=f"spec.f{n}") for n in range(5000)))
    small = item("B", "small", Status.DRIFTED, finding(5001))

    text = to_markdown(report(large, small))

    assert "`B shop/small` drifted" in text
    assert re.search(r"[0-9]+ more findings of this object not shown here", text)


def test_many_errors_leave_space_for_objects() -> None:
    text = to_markdown(replace(many(1), errors=tuple(f"pods in n{number} may not be read" for number in range(9999))))

    assert "### `ConfigMap shop/name-00000` drifted" in text
    assert re.search(r"- [0-9]+ more not shown here", text)


def test_commands_give_way_to_findings() -> None:
    few, too_many = to_markdown(many(1)), to_markdown(many(1000))

    assert few.count("kubectl get configmap/name-00000") == 3
    assert "<details>" not in too_many


def test_the_worst_comes_first() -> None:
    mild = item("A", "mild", Status.DRIFTED, finding(1, severity=Severity.LOW))
    bad = item("B", "bad", Status.DRIFTED, finding(2, severity=Severity.CRITICAL))

    text = to_markdown(report(mild, bad))

    assert text.index("B shop/bad") < text.index("A shop/mild")


def test_no_text_of_the_report_is_markup() -> None:
    text = outside_code(to_markdown(HOSTILE))

    for markup in ("<", "@", "](", "::", "www.", "|", "~~~", "bug"):
        assert markup not in text


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=3, unique=True))
def test_any_text_stays_in_code(texts: list[str]) -> None:
    text = outside_code(to_markdown(hostile(*texts)))

    assert not set("<>@[]|~_") & set(text)
    assert "\u202e" not in text


def test_a_plain_sentence_is_not_code() -> None:
    assert "\nmay not be read\n" in to_markdown(RICH)


def test_a_report_that_fits_leaves_nothing_out() -> None:
    assert "left out" not in to_markdown(RICH)
    assert "not shown here" not in to_markdown(RICH)


def _file(lines: int) -> tuple[str, str]:
    git = "\n".join(f"setting-{number}: git" for number in range(lines))
    return git, git.replace("git", "live")


def test_multi_line_text_is_a_diff() -> None:
    desired, live = _file(2)
    text = to_markdown(report(item("ConfigMap", "a", Status.DRIFTED, finding(1, desired=desired, live=live))))

    assert "\n```diff\n- setting-0: git\n- setting-1: git\n+ setting-0: live\n+ setting-1: live\n```\n" in text


def test_a_diff_that_does_not_fit_is_replaced_by_an_excerpt() -> None:
    desired, live = ("\n".join(f"{line}{'x' * 120}" for line in text.split("\n")) for text in _file(40))
    one = report(item("ConfigMap", "a", Status.DRIFTED, finding(1, desired=desired, live=live)))

    narrow = to_markdown(one, Style(markdown_limit=SMALLEST_LIMIT))

    assert "setting-0: git" in narrow
    assert "setting-2: git" not in narrow
    assert "left out" not in narrow
    assert "more lines" in to_markdown(one)
