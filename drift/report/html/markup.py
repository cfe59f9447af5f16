"""How text gets into the page. Whatever comes from outside goes through one of these, and nothing else does."""

import json
from html import escape
from typing import Final

from drift.model import Json
from drift.report.view import short, visible

#: What could end a script element or begin a comment in it, and what HTML has entities for.
_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def shown(text: str) -> str:
    """A text for an element or for an attribute in quotes: no markup, no control or format characters."""
    return escape(visible(text))


def name(text: str) -> str:
    """A name or a path, cut where no honest cluster would have it so long."""
    return escape(short(text))


def script_data(value: Json) -> str:
    """JSON for a script element of a type that no browser runs.

    Raises:
        TypeError: A value that must not be shown has come this far, which is a bug of ours.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT)
