"""The guide to ignore rules and the reference have valid examples and explain every setting."""

import json
import re
from pathlib import Path
from typing import Any

from drift.config.reader import parse_settings
from drift.config.settings import Settings
from drift.globs import PathGlob

REPOSITORY = Path(__file__).parents[3]
GUIDE = (REPOSITORY / "docs/ignore-rules.md").read_text("utf-8")
REFERENCE = (REPOSITORY / "docs/reference/drift-yaml.md").read_text("utf-8")
SCHEMA: dict[str, Any] = json.loads((REPOSITORY / "drift/config/schema/drift-config-v1.schema.json").read_text("utf-8"))
#: The sections of the reference, and the definitions in the schema that they explain.
SECTIONS = {
    "An ignore rule": "ignoreRule",
    "A source": "source",
    "A severity rule": "severityRule",
    "A kind that is not checked": "uncheckedKind",
}


def section(title: str) -> str:
    return REFERENCE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> dict[str, str]:
    """Returns the other cells of the row of each key; a row may have several keys."""
    return {
        key: rest
        for keys, rest in re.findall(r"^\| (`[^|]*`) \|(.*)", text, re.MULTILINE)
        for key in keys[1:-1].split("`, `")
    }


def test_the_examples_are_valid() -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", GUIDE + REFERENCE, re.MULTILINE | re.DOTALL)

    assert len(examples) == 2
    for example in examples:
        assert parse_settings(example.encode(), "drift.yaml") != Settings()


def test_the_example_of_the_reference_has_every_setting() -> None:
    (example,) = re.findall(r"^```yaml\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL)

    assert set(re.findall(r"^([a-z]+):", example, re.MULTILINE)) == set(SCHEMA["properties"])


def test_the_paths_of_the_guide_are_valid() -> None:
    paths = re.findall(r"^\| `([^`]*)` \|", GUIDE.partition("## Paths")[2], re.MULTILINE)

    assert len(paths) > 10
    assert [PathGlob("" if path == "''" else path).text for path in paths]


def test_the_guide_explains_every_key_of_an_ignore_rule() -> None:
    assert set(rows(GUIDE.partition("## Paths")[0])) == set(SCHEMA["$defs"]["ignoreRule"]["properties"])


def test_the_reference_explains_every_setting() -> None:
    keys = {key.partition(".")[0] for key in rows(REFERENCE.partition("## ")[0])}

    assert keys == set(SCHEMA["properties"])
    assert "`exit.causes`" in REFERENCE
    assert "`exit.severity`" in REFERENCE
    assert set(SCHEMA["properties"]["exit"]["properties"]) == {"causes", "severity"}


def test_the_reference_explains_every_key_of_a_rule_and_says_which_are_required() -> None:
    for title, name in SECTIONS.items():
        explained = rows(section(title))

        assert set(explained) == set(SCHEMA["$defs"][name]["properties"]), title
        assert {key for key, rest in explained.items() if "**required**" in rest} == set(
            SCHEMA["$defs"][name].get("required", ())
        )


def test_there_is_a_section_for_every_kind_of_rule() -> None:
    assert set(SECTIONS.values()) | {"path"} == set(SCHEMA["$defs"])
