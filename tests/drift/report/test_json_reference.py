"""The reference page of the JSON report has exactly the fields of the JSON Schema."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from drift.cli import main

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs/reference/json-report.md").read_text("utf-8")
SCHEMA: dict[str, Any] = json.loads((REPOSITORY / "drift/report/schema/drift-report-v1.schema.json").read_text("utf-8"))
DEFINITIONS = SCHEMA["$defs"]
SECTIONS = {
    "The report": SCHEMA,
    "A cluster": DEFINITIONS["ClusterDocument"],
    "An object": DEFINITIONS["ObjectDocument"],
    "A source": DEFINITIONS["SourceInfoDocument"],
    "A finding": DEFINITIONS["FindingDocument"],
    "A resolved finding": DEFINITIONS["ResolvedDocument"],
    "A past scan": DEFINITIONS["PastScanDocument"],
}


OWN_SECTION = {"IdentityDocument", *(section["title"] for section in SECTIONS.values())}


def resolved(schema: Any) -> Any:
    """Returns the definition that a schema refers to, unless it has its own section."""
    name = schema.get("$ref", "").rpartition("/")[2]
    return schema if name in OWN_SECTION else DEFINITIONS.get(name, schema)


def fields(schema: Any, path: str = "", *, optional: bool = False) -> Iterator[tuple[str, bool]]:
    """Yields the paths of a schema, and whether each is optional. A field with its own section is one path."""
    forms = [resolved(form) for form in schema.get("anyOf", [schema]) if form.get("type") != "null"]
    if path and not any("properties" in form for form in forms):
        yield path, optional
        below = resolved(forms[0].get("items", {}))
        if "properties" in below:
            yield from fields(below, f"{path}[]")
        return
    for form in forms:
        for name, inner in form.get("properties", {}).items():
            is_optional = optional or name not in form.get("required", [])
            yield from fields(inner, f"{path}.{name}" if path else name, optional=is_optional)


def explained(title: str) -> Iterator[tuple[str, bool]]:
    """Yields the fields in a section's table. A name that begins with a dot replaces the last part of the first."""
    table = PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    for names, mark in re.findall(r"^\| (`[^|]*`)( \?)? \|", table, re.MULTILINE):
        first = ""
        for name in names[1:-1].split("`, `"):
            first = f"{first.rpartition('.')[0]}{name}" if name.startswith(".") else name
            yield first, bool(mark)


@pytest.mark.parametrize("title", SECTIONS)
def test_the_fields_are_those_of_the_schema(title: str) -> None:
    # Nullable objects have a row for themselves in addition to the rows of their fields.
    own = {"source", "ignored"}

    assert sorted(row for row in explained(title) if row[0] not in own) == sorted(fields(SECTIONS[title]))


def test_the_values_are_those_of_the_schema() -> None:
    for definition in ("ObjectDocument", "FindingDocument"):
        for name, schema in DEFINITIONS[definition]["properties"].items():
            forms = map(resolved, schema.get("anyOf", [schema]))
            for values in (form["enum"] for form in forms if "enum" in form):
                (kind,) = re.findall(rf"^\| `{name}`(?: \?)? \| ([^|]*) \|", PAGE, re.MULTILINE)
                assert sorted(re.findall("`([^`]+)`", kind)) == values


def example() -> Any:
    (found,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return json.loads(found)


def test_the_example_is_a_report() -> None:
    report = example()

    jsonschema.validate(report, SCHEMA)
    assert set(report) == set(SCHEMA["properties"])


def keys(value: Any, path: str = "") -> dict[str, set[str]]:
    """Returns the keys of the objects at each path."""
    found: dict[str, set[str]] = {}
    items = value.items() if isinstance(value, dict) else (("", one) for one in value)
    for name, inner in items:
        if isinstance(value, dict):
            found.setdefault(path, set()).add(name)
        if isinstance(inner, (dict, list)):
            for place, names in keys(inner, f"{path}.{name}" if name else f"{path}[]").items():
                found.setdefault(place, set()).update(names)
    return found


def test_the_example_has_every_field_that_is_always_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: NAME, namespace: shop}\ndata: {level: info}\n"
    (tmp_path / "git.yaml").write_text(text.replace("NAME", "a") + "---\n" + text.replace("NAME", "b"))
    edited = (
        "metadata: {managedFields: [{manager: kubectl-edit, operation: Update, apiVersion: v1, "
        'fieldsType: FieldsV1, fieldsV1: {"f:data": {"f:level": {}}}}], '
    )
    live = text.replace("NAME", "a").replace("info", "debug").replace("metadata: {", edited)
    (tmp_path / "live.yaml").write_text(live + "---\n" + text.replace("NAME", "b"))
    assert main(["report", "git.yaml", "--live", "live.yaml", "--output", "json=report.json"]) == 1

    written, shown = keys(json.loads((tmp_path / "report.json").read_text())), keys(example())

    assert {".summary", ".objects[]", ".objects[].findings[]", ".inSync[]", ".sources[]"} <= set(written)
    assert {path: shown.get(path) for path in written} == written
