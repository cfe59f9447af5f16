"""The content of the HTML page. For its behaviour see test_html_in_a_browser.py."""

import json
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import tinyhtml5

from drift.model import ObjectReport, Report
from drift.report.html.page import asset, to_html
from tests.drift.report.golden import CASES
from tests.drift.report.reports import HOSTILE, RICH

Element = Any


def _parse(text: str) -> Element:
    return tinyhtml5.parse(text, namespace_html_elements=False)


def _shape(page: Element) -> Counter[tuple[str, tuple[str, ...]]]:
    """Counts the elements with the names of their attributes."""
    return Counter(
        (element.tag, tuple(sorted(element.attrib))) for element in page.iter() if isinstance(element.tag, str)
    )


@pytest.mark.parametrize("report", CASES.values(), ids=CASES)
def test_it_loads_nothing(report: Report) -> None:
    page = _parse(to_html(report))

    addresses = [
        (element.tag, name, value)
        for element in page.iter()
        for name, value in element.attrib.items()
        if name in {"src", "href", "action", "srcset", "data", "poster", "formaction", "style"} or name.startswith("on")
    ]
    assert [value for *_, value in addresses if not value.startswith(("#", "data:image/svg+xml,"))] == []
    assert "@import" not in asset("page.css")
    assert re.findall(r"url\((?!data:)", asset("page.css")) == []


@pytest.mark.parametrize("report", CASES.values(), ids=CASES)
def test_the_policy_allows_only_its_own_script(report: Report) -> None:
    page = _parse(to_html(report))

    (policy,) = (
        meta.attrib["content"] for meta in page.iter("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert [script.get("type") for script in page.iter("script")] == ["application/json", None]


def test_hostile_texts_add_no_element_or_attribute() -> None:
    """The page has the same elements and attributes if letters replace the special characters."""
    # Line breaks stay: a text of several lines is shown line by line.
    tame = _with_texts(HOSTILE, lambda text: re.sub(r"[^\w./\[\]=\s]", "x", text))

    assert _shape(_parse(to_html(HOSTILE))) == _shape(_parse(to_html(tame)))


def _with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Returns a copy of a report, or of a part, with every text from the cluster or the manifests changed."""
    if isinstance(value, Enum) or value is None:
        return value
    if isinstance(value, str):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)(_with_texts(part, change) for part in value)
    if isinstance(value, dict):
        return {name: _with_texts(part, change) for name, part in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        own = {"id", "generated_at", "time", "first_seen", "resolved_at", "at"}
        changed = {
            field.name: _with_texts(getattr(value, field.name), change)
            for field in fields(value)
            if field.name not in own
        }
        return replace(value, **changed)
    return value


@pytest.mark.parametrize("report", CASES.values(), ids=CASES)
def test_the_data_for_the_script_has_all_findings(report: Report) -> None:
    page = _parse(to_html(report))

    (data,) = (script.text for script in page.iter("script") if script.get("type") == "application/json")
    objects = json.loads(data)["objects"]
    assert sum(len(item["findings"]) for item in objects) == sum(len(item.findings) for item in report.objects)


def test_without_its_script_it_shows_the_verdict_and_all_objects() -> None:
    page = _parse(to_html(RICH))

    text = " ".join("".join(page.find("body").itertext()).split())
    assert "Incomplete" in text
    for item in RICH.objects:
        if any(finding.ignored is None for finding in item.findings):
            assert item.key.name in text


def test_without_its_script_it_counts_the_objects_left_out() -> None:
    one = next(item for item in RICH.objects if item.findings)
    many = Report(RICH.generated_at, None, RICH.manifests, tuple(_named(one, number) for number in range(300)))

    page = _parse(to_html(many))

    (shown,) = (element for element in page.iter("ol") if element.get("class") == "objects")
    assert len(list(shown.iter("li"))) == 200
    assert "100 more objects not listed here" in "".join(page.find("body").itertext())


def _named(item: ObjectReport, number: int) -> ObjectReport:
    return replace(item, key=replace(item.key, name=f"object-{number}"))


def test_element_ids_are_unique() -> None:
    page = _parse(to_html(HOSTILE))

    ids = [element.attrib["id"] for element in page.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))


def test_its_script_is_valid(tmp_path: Path) -> None:
    node = shutil.which("node", path=str(Path(__file__).parents[3] / "node_modules/.bin")) or shutil.which("node")
    assert node is not None
    script = tmp_path / "page.js"
    script.write_text(asset("page.js"), "utf-8")

    subprocess.run([node, "--check", script], check=True)
