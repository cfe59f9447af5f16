"""Owns the sandbox's processes and its folder, and removes both when the client process ends.

This file runs as a program. If the client is killed, its pipes close: end of input always means to end everything.
The supervisor is the parent of the processes, so it never signals a reused process id.

Requests are JSON objects, one a line, on standard input; each gets one JSON object on standard output:

    (none)                                             {"folder": PATH}, once, unasked
    {"do": "start", "name", "command", "log"}          {"pid": NUMBER} or {"error": TEXT}
    {"do": "poll", "name"}                             {"code": NUMBER or null}
    {"do": "kill", "name"}                             {"code": NUMBER}
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

Action = Callable[..., dict[str, Any]]
#: Environment of the Go programs: a tenth less processor time of an API server, for 270 MB more of memory.
LESS_GARBAGE_COLLECTION = {"GOGC": "400"}


class Processes:
    """The processes by name, in start order."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], log: str) -> dict[str, Any]:
        """Starts a process that writes to a log file. Returns its id, or why it did not start."""
        # A clean environment: etcd reads settings from ETCD_* variables, for example.
        environment = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
        environment |= LESS_GARBAGE_COLLECTION
        try:
            with Path(log).open("ab") as output:
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment
                )
        except OSError as error:
            return {"error": str(error)}
        self._running[name] = process
        return {"pid": process.pid}

    def poll(self, name: str) -> dict[str, Any]:
        """Returns the exit code of a process, or null while it runs."""
        return {"code": self._running[name].poll()}

    def kill(self, name: str) -> dict[str, Any]:
        """Kills a process. A sandbox needs no graceful shutdown."""
        process = self._running.pop(name)
        process.kill()
        return {"code": process.wait()}

    def kill_all(self) -> None:
        """Kills every process in reverse start order, so that their logs have no follow-up errors."""
        for name in reversed(list(self._running)):
            self.kill(name)


def remove(folder: Path) -> None:
    """Removes the folder, even if a client still writes to its cache there."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def serve(folder: Path) -> None:
    """Answers requests until the input ends, then ends every process and removes the folder."""
    processes = Processes()
    actions: dict[str, Action] = {"start": processes.start, "poll": processes.poll, "kill": processes.kill}

    def answer(reply: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()

    try:
        answer({"folder": str(folder)})
        for line in sys.stdin:
            request = json.loads(line)
            answer(actions[request.pop("do")](**request))
    except BrokenPipeError:
        pass  # the client is gone, which ends the loop
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.kill_all()
        remove(folder)


def leave(_number: int, _frame: FrameType | None) -> None:
    """Turns a signal into an exception, so that ``serve`` cleans up."""
    raise SystemExit


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client handles Ctrl-C, and then closes the pipe
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, leave)
    serve(Path(tempfile.mkdtemp(prefix="drift-sandbox-")))
