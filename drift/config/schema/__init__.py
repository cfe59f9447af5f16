"""The JSON Schema of ``drift.yaml``, for editors and for ``drift explain``."""

import json
from importlib import resources
from typing import Any


def json_schema() -> dict[str, Any]:
    """Returns the JSON Schema, with a description of every setting."""
    text = resources.files(__package__).joinpath("drift-config-v1.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema
