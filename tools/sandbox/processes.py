"""The client of the supervisor: starts, watches and ends the processes of one sandbox."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from tools.sandbox.errors import StartError

LOG_LINES = 12


class Processes:
    """The processes of one sandbox. They end, and their folder is removed, with this object or its process."""

    def __init__(self) -> None:
        # Its own session, so that Ctrl-C does not reach it. -I and -S: it needs only the standard library.
        self._supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("supervisor.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.folder = Path(self._reply()["folder"])
        self.pids: dict[str, int] = {}

    def start(self, name: str, command: list[str]) -> None:
        """Starts a program; its output goes to ``log(name)``.

        Raises:
            StartError: The program cannot be executed.
        """
        reply = self._ask(do="start", name=name, command=command, log=str(self.log(name)))
        if "error" in reply:
            raise StartError(f"{name} cannot be started: {reply['error']}")
        self.pids[name] = reply["pid"]

    def check(self, name: str) -> None:
        """Checks that the program runs.

        Raises:
            StartError: The program has ended; the message holds the last lines of its log.
        """
        code = self._ask(do="poll", name=name)["code"]
        if code is not None:
            raise StartError(f"{name} ended with code {code}; the last lines of its log:\n{self.log_tail(name)}")

    def kill(self, name: str) -> None:
        """Kills a program, and waits for its end."""
        self._ask(do="kill", name=name)
        del self.pids[name]

    def log(self, name: str) -> Path:
        """Returns the path of a program's log."""
        return self.folder / f"{name}.log"

    def log_tail(self, name: str) -> str:
        """Returns the last lines of a program's log."""
        lines = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LOG_LINES:])

    def close(self) -> None:
        """Ends every program and removes the folder. A second call does nothing."""
        self._supervisor.__exit__(None, None, None)  # closes both pipes, then waits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, **request: Any) -> dict[str, Any]:
        if self._supervisor.stdin is None:
            raise TypeError("the supervisor has no input")
        try:
            self._supervisor.stdin.write(json.dumps(request) + "\n")
            self._supervisor.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise StartError("the sandbox has been closed; start a new one") from error
        return self._reply()

    def _reply(self) -> dict[str, Any]:
        if self._supervisor.stdout is None:
            raise TypeError("the supervisor has no output")
        line = self._supervisor.stdout.readline()
        if not line:
            raise StartError("the sandbox's supervisor has ended; start a new sandbox")
        reply: dict[str, Any] = json.loads(line)
        return reply
