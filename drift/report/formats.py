"""The names of the formats, of reports and of messages. It imports no format, so that the command line starts fast."""

from enum import StrEnum
from typing import Final

#: GitHub limits a comment to this many characters. drift counts bytes, which are never fewer.
COMMENT_LIMIT: Final = 65_536
#: Bytes that Markdown needs for its head and for the lines that count what is left out.
SMALLEST_LIMIT: Final = 4096


class Format(StrEnum):
    """A report format."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"
    JUNIT = "junit"
    SARIF = "sarif"
    GITHUB = "github"
    METRICS = "metrics"


class MessageFormat(StrEnum):
    """The format of a notification, as its receiver expects it."""

    JSON = "json"
    SLACK = "slack"
    TEAMS = "teams"
