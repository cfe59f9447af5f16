"""The formats of messages by name. Imports no format, so that the command line can name them without loading one."""

from enum import StrEnum


class MessageFormat(StrEnum):
    """What the receiver understands."""

    JSON = "json"
    SLACK = "slack"
    TEAMS = "teams"
