"""Own the sandbox's processes and its folder, so that both end with the process that asked for them.

This file runs as a program of its own, not as an import. SIGKILL lets a process run nothing more, but it does close
the process's pipes: end of input is therefore the one signal to end everything, after a crash as after a normal close.
Being the parent of what it ends, it never signals a process id that the system has already given to another program.

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


class Processes:
    """The processes by name, in the order of their start."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: list[str], log: str) -> dict[str, Any]:
        """Start a process that writes to a log file; the answer holds its id or why it did not start."""
        # A clean environment: etcd, for one, takes a setting from every ETCD_* variable it sees.
        environment = {key: os.environ[key] for key in ("PATH", "TMPDIR") if key in os.environ}
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
        """Tell how a process ended, null while it runs."""
        return {"code": self._running[name].poll()}

    def kill(self, name: str) -> dict[str, Any]:
        """End a process at once: nothing of a sandbox is worth the seconds of a graceful end."""
        process = self._running.pop(name)
        process.kill()
        return {"code": process.wait()}

    def kill_all(self) -> None:
        """End every process, the last started first, so that none complains about one it needs."""
        for name in reversed(list(self._running)):
            self.kill(name)


def remove(folder: Path) -> None:
    """Remove the folder, also when a client that outlived its owner still writes to its cache there."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def serve(folder: Path) -> None:
    """Answer requests until the input ends, then end every process and remove the folder."""
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
        pass  # the owner is gone, which is what ends the loop anyway
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        processes.kill_all()
        remove(folder)


def leave(_number: int, _frame: FrameType | None) -> None:
    """Turn a signal into an exception, so that ``serve`` cleans up."""
    raise SystemExit


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, who then closes the pipe
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, leave)
    serve(Path(tempfile.mkdtemp(prefix="drift-sandbox-")))
