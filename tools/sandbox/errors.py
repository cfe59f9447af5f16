"""The errors of the sandbox."""


class SandboxError(Exception):
    """The base of all errors; the message is for a person and says what to do."""


class BinariesError(SandboxError):
    """A program of the sandbox is missing and cannot be built."""


class StartError(SandboxError):
    """A program of the sandbox does not start or does not become ready."""


class KubectlError(SandboxError):
    """A kubectl command failed; the message holds the command and what kubectl said."""
