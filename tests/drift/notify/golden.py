"""The golden messages. ``python -m tests.drift.notify.golden`` rewrites them; review the difference before a commit."""

import json
from pathlib import Path

from drift import __version__
from drift.notify.message import request_body
from drift.report.formats import MessageFormat
from tests.drift.notify.messages import MESSAGE


def golden_file(form: MessageFormat) -> Path:
    return Path(__file__).with_name("golden") / f"{form}.json"


def body(form: MessageFormat) -> str:
    """Returns the content of a golden file, without drift's version."""
    return json.dumps(request_body(MESSAGE, form), indent=1, ensure_ascii=False).replace(__version__, "VERSION") + "\n"


if __name__ == "__main__":
    for one in MessageFormat:
        golden_file(one).write_text(body(one), "utf-8", newline="")
