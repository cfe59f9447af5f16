"""The reference page of the JSON report has exactly the fields of the JSON Schema."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

REPOSITORY = Path(__file__).parents[3]
PAGE = (REPOSITORY / "docs/reference/json-report.md").read_text("utf-8")
SCHEMA: dict[str, Any] = json.loads((REPOSITORY / "drift/report/schema/drift-report-v1.schema.json").read_text("utf-8"))
SECTIONS = {
    "The report": SCHEMA,
    "A cluster": SCHEMA["$defs"]["cluster"],
    "An object": SCHEMA["$defs"]["object"],
    "A finding": SCHEMA["$defs"]["finding"],
    "A resolved finding": SCHEMA["$defs"]["resolved"],
    "A past scan": SCHEMA["$defs"]["pastScan"],
}


def fields(schema: Any, path: str = "", *, optional: bool = False) -> Iterator[tuple[str, bool]]:
    """Yields the paths of a schema, and whether each is optional. A field with its own definition is one path."""
    if not isinstance(schema, dict) or "$ref" in schema:
        yield path, optional
        return
    forms = [form for form in schema.get("oneOf", [schema]) if form.get("type") != "null"]
    if path and ("$ref" in str(schema.get("items")) or not any("properties" in form for form in forms)):
        below = schema.get("items", {})
        yield path, optional
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


def test_there_is_a_section_for_every_definition() -> None:
    assert len(SECTIONS) == len(SCHEMA["$defs"])  # "identity" has no section, and the report has no definition
    assert set(SCHEMA["$defs"]["identity"]["properties"]) == set(SCHEMA["$defs"]["object"]["properties"]) - {
        "status",
        "reason",
        "byChoice",
        "findings",
    }


def test_the_values_are_those_of_the_schema() -> None:
    for name, schema in [
        *SCHEMA["$defs"]["object"]["properties"].items(),
        *SCHEMA["$defs"]["finding"]["properties"].items(),
    ]:
        if isinstance(schema, dict) and "enum" in schema:
            values = [value for value in schema["enum"] if value]
            assert f"| `{name}`" in PAGE
            assert ", ".join(f"`{value}`" for value in values) in PAGE


def test_the_example_is_a_report() -> None:
    (example,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

    report = json.loads(example)

    jsonschema.validate(report, SCHEMA)
    assert set(report) == set(SCHEMA["properties"])
