"""The guide to ignore rules shows settings that are valid, and explains every key and form of path there is."""

import re
from pathlib import Path

from drift.config.load import parse_settings
from drift.config.reader import IGNORE_KEYS, KEYS
from drift.config.settings import Settings
from drift.globs import PathGlob

GUIDE = (Path(__file__).parents[3] / "docs" / "ignore-rules.md").read_text("utf-8")


def test_its_examples_are_valid() -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)

    assert len(examples) == 2
    for example in examples:
        assert parse_settings(example.encode(), "drift.yaml") != Settings()


def test_its_paths_are_valid() -> None:
    paths = re.findall(r"^\| `([^`]*)` \|", GUIDE.partition("## Paths")[2], re.MULTILINE)

    assert len(paths) > 10
    assert [PathGlob("" if path == "''" else path).text for path in paths]


def test_it_explains_every_key() -> None:
    keys = set(re.findall(r"`([a-z]+)(?:\.causes)?`", GUIDE)) | {"ignore"}

    assert keys >= IGNORE_KEYS | KEYS
