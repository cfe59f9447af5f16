"""Escaping for the page. All text from the cluster and from manifests goes through these functions."""

import json
import re
from html import escape
from typing import Final

from drift.model import Json
from drift.report.view import short, visible

#: Characters that could end a script element or begin a comment in it.
_IN_SCRIPT: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def escaped(text: str) -> str:
    """Escapes a text for an element or a quoted attribute: no markup, no control or format characters."""
    return escape(visible(text))


def escaped_name(text: str) -> str:
    """Like `escaped`, for a name or a path, which is cut if it is longer than Kubernetes allows."""
    return escape(short(text))


def with_code(text: str) -> str:
    """Escapes a text of drift's own and marks up what it has between backticks as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", escape(text))


def script_data(value: Json) -> str:
    """Returns JSON for a script element with a type that browsers do not run.

    Raises:
        TypeError: The value holds a redacted value, which is a bug in drift.
    """
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_IN_SCRIPT)
