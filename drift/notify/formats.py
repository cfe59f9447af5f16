"""The names of the message formats. It imports no format, so that the command line starts fast."""

from enum import StrEnum


class MessageFormat(StrEnum):
    """The format that the receiver expects."""

    JSON = "json"
    SLACK = "slack"
    TEAMS = "teams"
