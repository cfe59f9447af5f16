"""The command line: parses, calls, prints, and ends with the exit status that the errors and the report ask for."""

import atexit
import contextlib
import os
import sys
import threading
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from drift.cli.parser import build_parser
from drift.cli.signals import TERMINATED, TerminatedError, sigterm_raises
from drift.cli.streams import write_stderr
from drift.errors import DriftError

#: Nothing is known of the cluster, as after any other scan that could not be made.
_INTERNAL_ERROR = 3
_BROKEN_PIPE = 141
_INTERRUPTED = 130


def program() -> NoReturn:
    """The program `drift`: runs the command of the process and ends it.

    To take ten thousand objects apart one by one, only to give their memory back to a system that takes it back anyway,
    would be a fifth of a scan. What others have asked to be done at the end is done, such as removing the files that
    the client keeps certificates in.
    """
    threading.excepthook = _say_where_in_thread
    status = main()
    atexit._run_exitfuncs()  # noqa: SLF001
    for stream in (sys.stdout, sys.stderr):
        # AttributeError: the process was started without it.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Without the program's name; None for those of the process.

    Returns:
        0 in sync, 1 drift, 2 usage, configuration or manifest error, 3 the scan is incomplete.
    """
    options = build_parser().parse_args(arguments)
    try:
        with sigterm_raises():
            # Imported only now, so that --help does not wait for libraries that it does not use. Each command has its
            # module, and the parser lets no other name through.
            status: int = import_module(f"drift.cli.{options.command}").run(options)
            return status
    except DriftError as error:
        from drift.cli.messages import say  # noqa: PLC0415

        say(str(error))
        return error.exit_status
    except BrokenPipeError:
        # Whoever read our output had enough of it.
        return _BROKEN_PIPE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except TerminatedError:
        write_stderr("drift: stopped by SIGTERM before it was done\n")
        return TERMINATED
    except Exception as error:  # noqa: BLE001
        # A mistake of ours. Left alone, Python would end with 1, which tells scripts that there is drift.
        _say_where(error)
        return _INTERNAL_ERROR


def _say_where(error: BaseException) -> None:
    """Writes where in the program an error comes from, without its message, which can quote a Secret or a token."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    write_stderr(f"{frames}drift: internal error ({type(error).__name__}); please report it with these lines\n")


def _say_where_in_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None:
        _say_where(failure.exc_value)
