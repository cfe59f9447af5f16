"""The sandbox's error tree: one class per party that can put it right."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked; its message is for a person and says the way out."""


class BinariesError(SandboxError):
    """A program of the sandbox is missing and cannot be built."""


class StartError(SandboxError):
    """A program of the sandbox does not start or does not become ready."""


class KubectlError(SandboxError):
    """A kubectl command failed; the message holds the command and what kubectl said."""
