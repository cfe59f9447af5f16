"""Where a report says which source its objects come from, and what the controller of a source says."""

from dataclasses import replace

import pytest

from drift.model import Report, SourceInfo, SourceKind
from drift.report.formats import Format
from drift.report.render import Style, render
from drift.report.view import by_source, source_lines
from tests.drift.report.reports import RICH

PLAIN = SourceInfo(SourceKind.FILES, "apps", "apps", objects=2)
FLUX = SourceInfo(SourceKind.FLUX_KUSTOMIZATION, "Kustomization flux-system/apps", objects=4, ready=True)


def _from(*sources: SourceInfo, report: Report = RICH) -> Report:
    """The report, with its objects from the sources in turn."""
    objects = tuple(
        replace(item, origins=(sources[number % len(sources)].name,)) for number, item in enumerate(report.objects)
    )
    return replace(report, objects=objects, sources=sources)


def _line(source: SourceInfo) -> str:
    return source_lines(_from(source))[source.name]


def test_objects_of_several_sources_are_grouped_and_those_of_none_come_last() -> None:
    report = _from(PLAIN, FLUX)
    objects = (*report.objects, replace(report.objects[0], origins=()))

    groups = by_source(report, objects)

    assert [source and source.name for source, _ in groups] == ["apps", FLUX.name, None]
    assert sorted(map(id, (item for _, items in groups for item in items))) == sorted(map(id, objects))
    assert all(item.origins == (source.name,) for source, items in groups for item in items if source is not None)


def test_the_objects_of_one_source_are_in_one_group() -> None:
    report = _from(PLAIN)

    assert by_source(report, report.objects) == [(None, [*report.objects])]


def test_that_a_source_is_suspended_comes_first() -> None:
    line = _line(replace(FLUX, suspended=True, message="health check failed"))

    assert line == "Kustomization flux-system/apps: suspended, Flux, 4 objects, health check failed"


@pytest.mark.parametrize("form", [Format.TEXT, Format.MARKDOWN, Format.HTML])
def test_formats_for_people_say_what_the_sources_are(form: Format) -> None:
    report = _from(replace(FLUX, message="`hostile` <b>"), PLAIN)

    text = render(report, form, Style())

    assert "apps: files, 2 objects" in text
    assert "Kustomization flux-system/apps: " in text
    if form is Format.HTML:
        assert "<b>hostile" not in text
        assert "&lt;b&gt;" in text


def test_one_folder_of_files_needs_no_words() -> None:
    assert "files, 2 objects" not in render(_from(PLAIN), Format.TEXT, Style())
