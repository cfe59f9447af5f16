"""The command line: parses the flags, runs the command and returns its exit status."""

import atexit
import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Final, NoReturn

from drift.cli.console import say, write_stderr
from drift.cli.parser import parse
from drift.errors import DriftError

#: The module of each command. Its function is ``run_COMMAND``.
_MODULES: Final = {
    "report": "report",
    "watch": "watch",
    "history": "history",
    "render": "outputs",
    "adopt": "fix",
    "revert": "fix",
    "guard": "fix",
    "explain": "help",
    "completion": "completion",
    "help": "help",
    "version": "help",
}

#: The same status as for an incomplete scan: the state of the cluster is unknown.
_INTERNAL_ERROR: Final = 3
_BROKEN_PIPE: Final = 141
_INTERRUPTED: Final = 130
#: The exit status that shells, Docker and Kubernetes report for a process ended by SIGTERM.
_TERMINATED: Final = 128 + signal.SIGTERM


class _TerminatedError(BaseException):
    """SIGTERM arrived. A `BaseException`, so that only the end of the command catches it."""


def program() -> NoReturn:
    """The entry point of `drift`: runs the command of this process and exits.

    Exits without freeing objects one by one, which would take a fifth of a large scan. Functions that libraries
    registered with `atexit` still run; the Kubernetes client, for example, removes its temporary certificate files.
    """
    threading.excepthook = _report_thread_error
    status = main()
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        # AttributeError: the process was started without this stream.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: The arguments without the program's name, or None for those of this process.

    Returns:
        0 in sync, 1 drift, 2 usage, configuration or manifest error, 3 the scan is incomplete.
    """
    options = parse(arguments)
    try:
        with _sigterm_raises():
            # Imported only now, so that --help does not load libraries that it does not use.
            module = import_module(f"drift.cli.{_MODULES[options.command]}")
            status: int = getattr(module, f"run_{options.command}")(options)
            return status
    except DriftError as error:
        for line in error.lines:
            say(line)
        return error.exit_status
    except BrokenPipeError:
        # The reader of our output, such as `head`, has closed the pipe.
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except _TerminatedError:
        write_stderr("drift: stopped by SIGTERM before it was done\n")
        return _TERMINATED
    except Exception as error:  # noqa: BLE001
        # A bug in drift. Python would exit with 1, which scripts would take for drift.
        _report_internal_error(error)
        return _INTERNAL_ERROR


def _report_internal_error(error: BaseException) -> None:
    """Writes the traceback without the message of the error, which may quote a Secret or a token."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    write_stderr(f"{frames}drift: internal error ({type(error).__name__}); please report it with these lines\n")


def _report_thread_error(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None:
        _report_internal_error(failure.exc_value)


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Makes SIGTERM raise `_TerminatedError` in the main thread, so that the command cleans up."""
    if threading.current_thread() is not threading.main_thread():
        # Only the main thread can set a signal handler. A caller in another thread stops in its own way.
        yield
        return
    before = signal.signal(signal.SIGTERM, _raise_terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _raise_terminated(_: int, __: FrameType | None) -> None:
    raise _TerminatedError
