"""The command line: parses, calls, prints, and ends with the exit status that the errors and the report ask for."""

import contextlib
import traceback
from collections.abc import Sequence

from drift.cli.parser import build_parser
from drift.cli.signals import TERMINATED, TerminatedError, sigterm_raises
from drift.cli.streams import write_stderr
from drift.errors import DriftError

#: Nothing is known of the cluster, as after any other scan that could not be made.
_INTERNAL_ERROR = 3
_BROKEN_PIPE = 141
_INTERRUPTED = 130


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
            # Imported only now, so that --help does not wait for libraries that it does not use.
            if options.command == "explain":
                from drift.cli.explain import run  # noqa: PLC0415
            elif options.command == "completion":
                from drift.cli.completion import run  # noqa: PLC0415
            elif options.command == "render":
                from drift.cli.render import run  # noqa: PLC0415
            elif options.command == "history":
                from drift.cli.history import run  # noqa: PLC0415
            else:
                from drift.cli.report import run  # noqa: PLC0415
            return run(options)
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
    except Exception:  # noqa: BLE001
        # A mistake of ours. Left alone, Python would end with 1, which tells scripts that there is drift.
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return _INTERNAL_ERROR
