"""Errors that a user of the generator can cause; each ends in plain lines and exit status 2.

GeneratorError
├── SettingsError        an environment's file cannot be read, or no such environment
├── BrokenRulesError     settings that break rules; one line for each
├── ImmutableError       fields that Kubernetes does not let change; one line for each
└── OverwriteError       two objects that would be written to one file
"""


class GeneratorError(Exception):
    """The base of what the command line reports without a traceback; the text is what the user reads."""


class SettingsError(GeneratorError):
    """An environment that does not exist or whose file Python cannot run."""


class BrokenRulesError(GeneratorError):
    """Settings that break one or more rules."""


class ImmutableError(GeneratorError):
    """Fields of synced objects that the API server does not let change."""


class OverwriteError(GeneratorError):
    """Two objects that would silently overwrite each other."""
