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

from drift.model import Actor, Cause, Evidence, Lifecycle, ObjectReport, Report, SourceInfo, SourceKind, Status
from drift.report.html.page import asset, to_html
from tests.drift.report.golden import CASES
from tests.drift.report.reports import HOSTILE, INCIDENT, RICH, finding, item, report

Element = Any


def _parse(text: str) -> Element:
    return tinyhtml5.parse(text, namespace_html_elements=False)


def _shape(page: Element) -> Counter[tuple[str, tuple[str, ...]]]:
    """Counts the elements with the names of their attributes."""
    elements = (element for element in page.iter() if isinstance(element.tag, str))
    shapes = Counter((element.tag, tuple(sorted(element.attrib))) for element in elements)
    # What differs between two values depends on their texts.
    del shapes["mark", ()]
    return shapes


@pytest.mark.parametrize("original", CASES.values(), ids=CASES)
def test_it_loads_nothing(original: Report) -> None:
    page = _parse(to_html(original))

    addresses = [
        (element.tag, name, value)
        for element in page.iter()
        for name, value in element.attrib.items()
        if name in {"src", "href", "action", "srcset", "data", "poster", "formaction", "style"} or name.startswith("on")
    ]
    assert [value for *_, value in addresses if not value.startswith(("#", "data:image/svg+xml,"))] == []
    assert "@import" not in asset("page.css")
    assert re.findall(r"url\((?!data:)", asset("page.css")) == []


@pytest.mark.parametrize("original", CASES.values(), ids=CASES)
def test_the_policy_allows_only_its_own_script(original: Report) -> None:
    page = _parse(to_html(original))

    (policy,) = (
        meta.attrib["content"] for meta in page.iter("meta") if meta.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert [script.get("type") for script in page.iter("script")] == ["application/json", None]


def test_hostile_texts_add_no_element_or_attribute() -> None:
    """The page has the same elements and attributes if letters replace the special characters."""
    # Line breaks stay: a text of several lines is shown line by line. So does what keeps a command from being shown.
    special = re.compile(r"[^\w./\[\]=\s]")
    tame = _with_texts(
        HOSTILE, lambda text: special.sub(lambda found: "x" if found[0].isprintable() else found[0], text)
    )

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


@pytest.mark.parametrize("original", CASES.values(), ids=CASES)
def test_the_data_for_the_script_has_all_findings(original: Report) -> None:
    page = _parse(to_html(original))

    (data,) = (script.text for script in page.iter("script") if script.get("type") == "application/json")
    objects = json.loads(data)["objects"]
    assert sum(len(one["findings"]) for one in objects) == sum(len(one.findings) for one in original.objects)


def test_without_its_script_it_shows_the_verdict_and_all_objects() -> None:
    page = _parse(to_html(RICH))

    text = " ".join("".join(page.find("body").itertext()).split())
    assert "Incomplete" in text
    for one in RICH.objects:
        if any(found.ignored is None for found in one.findings):
            assert one.key.name in text


def test_without_its_script_it_counts_the_objects_left_out() -> None:
    one = next(item for item in RICH.objects if item.findings)
    many = Report(RICH.generated_at, None, RICH.manifests, tuple(_named(one, number) for number in range(300)))

    page = _parse(to_html(many))

    (shown,) = (element for element in page.iter("ol") if element.get("class") == "objects")
    assert len(list(shown.iter("li"))) == 200
    assert "100 more objects not listed here" in "".join(page.find("body").itertext())


def _named(one: ObjectReport, number: int) -> ObjectReport:
    findings = tuple(replace(found, path=f"{found.path}.x{number}") for found in one.findings)
    return replace(one, key=replace(one.key, name=f"object-{number}"), findings=findings)


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


def _first_object(report: Report) -> Any:
    """Returns the first object in the data for the script."""
    (data,) = (script.text for script in _parse(to_html(report)).iter("script") if script.get("type"))
    return json.loads(data)["objects"][0]


def _text(page: Element, name: str) -> str:
    """Returns the text of the section with a heading of this id."""
    section = next(part for part in page.iter("section") if part.get("aria-labelledby") == name)
    return " ".join("".join(section.itertext()).split())


def test_a_text_shows_its_changed_lines_in_the_row_and_all_lines_when_opened() -> None:
    desired = "".join(f"line {number}\n" for number in range(20))
    changed = finding(1, desired=desired, live=desired.replace("line 9\n", "line nine\n"))

    (shown,) = _first_object(report(item("ConfigMap", "a", Status.DRIFTED, changed)))["findings"]

    assert shown["row"][:3] == [["-", "line ", "9"], ["+", "line ", "nine"], [" ", "line 10"]]
    assert shown["lines"][0] == ["@", "@@ -7,7 +7,7 @@"]
    short_text = finding(1, desired="a\nb\n", live="a\nc\n")
    (shown,) = _first_object(report(item("ConfigMap", "a", Status.DRIFTED, short_text)))["findings"]
    assert (shown["row"], shown["lines"]) == ([[" ", "a"], ["-", "b"], ["+", "c"]], [])


def test_new_findings_are_marked_unless_all_are_new() -> None:
    new, ongoing = finding(1, lifecycle=Lifecycle.NEW), finding(2, lifecycle=Lifecycle.ONGOING, path="spec.z")

    mixed = _first_object(report(item("ConfigMap", "a", Status.DRIFTED, new, ongoing)))["findings"]
    first_scan = _first_object(report(item("ConfigMap", "a", Status.DRIFTED, new)))["findings"]

    assert [one["badge"] for one in (*mixed, *first_scan)] == ["new", None, None]


def test_the_strip_counts_people_before_programs_and_leaves_out_what_git_changed() -> None:
    edit = Actor("kubectl-edit", "Update", None, "2026-01-01T10:00:00Z")
    jane = replace(edit, user="jane@example.com", evidence=Evidence.EXACT)
    maybe = replace(edit, user="sam@example.com", evidence=Evidence.CANDIDATE)
    findings = (
        finding(1, actors=(jane,)),
        finding(2, actors=(jane, replace(jane, time="2026-01-01T11:00:00Z"))),
        finding(3, actors=(maybe,)),
        finding(4, actors=(edit,), cause=Cause.PENDING_SYNC),
        finding(5, actors=(edit,), cause=Cause.CONTROLLER),
    )

    page = _parse(to_html(report(item("ConfigMap", "a", Status.DRIFTED, *findings))))

    assert _text(page, "who") == (
        "Who changed most jane@example.com 2 findings, latest 2026-01-01 11:00:00 UTC"
        " kubectl-edit 1 finding, latest 2026-01-01 10:00:00 UTC"
    )


def test_without_its_script_it_lists_the_objects_of_a_group() -> None:
    page = _parse(to_html(INCIDENT))

    (shown,) = (element for element in page.iter("ol") if element.get("class") == "objects")
    pods = next(element for element in shown.iter("li") if "67 Pods in shop" in "".join(element.itertext()))
    members = [element for element in pods.iter("li") if element is not pods]
    assert ["".join(member.itertext()).split()[0] for member in members[::66]] == ["shop/miner-00", "shop/miner-66"]
    assert members[0].get("id") == f"{5000:016x}"


def test_objects_of_several_sources_are_under_headings() -> None:
    sources = (SourceInfo(SourceKind.FILES, "apps", objects=1), SourceInfo(SourceKind.KUSTOMIZE, "infra", objects=1))
    items = (
        item("ConfigMap", "a", Status.DRIFTED, finding(1), origins=("infra",)),
        item("ConfigMap", "b", Status.DRIFTED, finding(2), origins=("apps",)),
        item("Pod", "c", Status.UNMANAGED, finding(3)),
    )

    page = _parse(to_html(report(*items, sources=sources)))

    (shown,) = (element for element in page.iter("ol") if element.get("class") == "objects")
    assert ["".join(heading.itertext()) for heading in shown.iter("h3")] == [
        "apps: files, 1 object",
        "ConfigMap shop/b",
        "infra: kustomization, 1 object",
        "ConfigMap shop/a",
        "in no source",
        "Pod shop/c",
    ]
