"""The formats by name. Imports no format, so that the command line can name them without loading one."""

from enum import StrEnum
from typing import Final

#: What a comment on GitHub may hold, in characters; counted in bytes here, which are never fewer.
COMMENT_LIMIT: Final = 65_536
#: The shortest Markdown in which the head and the sentences on what was left out have room.
SMALLEST_LIMIT: Final = 4096


class Format(StrEnum):
    """A form that a report can take."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    METRICS = "metrics"
