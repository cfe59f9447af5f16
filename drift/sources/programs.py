"""Runs the user's own programs that render manifests: kustomize, kubectl and helm.

They are found on PATH and run without a shell, with a time limit, bounded output and no input. What they write to
standard error becomes one line. Such programs quote what they cannot parse, which may be a value of a Secret, so the
line has no quotations but those of files, fields and other names.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import IO, Final, TypeVar

from drift.errors import SourceError
from drift.kube.limits import NO_DEADLINE, Deadline, format_duration
from drift.redaction import without_passwords
from drift.sources.scratch import temporary_file

#: How long a program may take. kustomize clones remote bases, which is slow.
TIMEOUT_SECONDS: Final = 120.0
#: Programs that run at the same time; each needs a processor.
_AT_ONCE: Final = 2
#: One more, which prepares the next source while the programs run.
_MAX_JOBS: Final = 3
#: The most that a program may print. The manifests of a large cluster are about a tenth of it.
MAX_OUTPUT_BYTES: Final = 256 * 1024 * 1024
_MAX_MESSAGE_BYTES: Final = 64 * 1024
#: The length of the line that an error quotes.
_MAX_LINE: Final = 400
_CHUNK: Final = 64 * 1024
_QUOTED: Final = re.compile(r"`[^`]*(?:`|\Z)")
#: What is between double quotes, with the word before it.
_DOUBLE_QUOTED: Final = re.compile(r'(?P<word>\b\w+:? +)?"(?P<text>(?:[^"\\]|\\.)*+)(?:"|\Z)')
#: The words before a name. Before other words, and with spaces in it, a quotation may be a value.
_NAMED: Final = frozenset(
    {"chart", "directory", "executing", "field", "file", "function", "get", "kind", "namespace", "patch", "resource"}
)
#: Values without such quotes, and what replaces them: Go prints lists and maps in brackets.
_UNQUOTED: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"literal sources \[.*", "a literal of a generator is not KEY=VALUE"),
        (r"(can't iterate over|for value|invalid utf8 bytes|--set-json data) .*", r"\1 ..."),
        (r"(?<!file sources: )(?<!source files: )(?<![^\s(:=])\[(?!\]).*", "..."),
        (r"\bmap\[(?!string\]).*", "..."),
        (r"\{[\"'].*", "..."),
    )
)
#: kubectl may log the message of kustomize: quoted, or on lines of its own.
_LOGGED: Final = re.compile(r'"command failed" err=(?:"(?P<quoted>(?:[^"\\]|\\.)*+)"|<\n(?P<lines>.*?)\n >)', re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t"}
#: Prefixes without information: Go programs print a level, klog a time and a source line, helm the word Error.
_PREFIX: Final = re.compile(r"^(?:Error: |error: |fatal: |FATAL: |[EFW]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+\] )+")
_NOISE: Final = re.compile(r"^(?:#|WARNING|Warning|level=|W\d{4} |walk\.go|coalesce\.go|time=)")


_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Program:
    """A program on PATH.

    Attributes:
        name: The name of the command.
        path: The absolute path of the file.
    """

    name: str
    path: str

    def version(self) -> str:
        """Returns its version as it prints it, such as ``v5.8.1``; "unknown" if it prints none."""
        arguments = {"kubectl": ("version", "--client"), "helm": ("version", "--short")}.get(self.name, ("version",))
        try:
            printed = Runner().run(self, arguments, timeout=10).decode(errors="replace")
        except SourceError:
            return "unknown"
        found = re.search(r"v?\d+\.\d+\.\d+\S*", printed)
        return found[0] if found else "unknown"


def find_program(*names: str) -> Program | None:
    """Returns the first of some programs that is on PATH, or None if none is."""
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return Program(name, os.path.abspath(path))  # noqa: PTH100 - resolves no links: busybox-like programs
    return None


class Runner:
    """Runs the programs of one command: two at a time, and until its deadline.

    Args:
        deadline: When all programs must have ended; by default, only the timeout of each program applies.

    Attributes:
        deadline: The same.
        find: `find_program`, which looks for each program once.
    """

    def __init__(self, deadline: Deadline = NO_DEADLINE) -> None:
        self.deadline = deadline
        self.find = cache(find_program)
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_stopped = threading.Event()

    def run(
        self,
        program: Program,
        arguments: Sequence[str],
        *,
        timeout: float = TIMEOUT_SECONDS,
        max_bytes: int = MAX_OUTPUT_BYTES,
        zone: str | None = None,
    ) -> bytes:
        """Runs a program and returns what it prints to standard output.

        Args:
            program: The program.
            arguments: Its arguments.
            timeout: In seconds. When it is over, the program and all that it started are killed.
            max_bytes: The most that it may print.
            zone: The name of its time zone; None for that of the machine.

        Raises:
            SourceError: It cannot be started, fails, or exceeds a limit. The message is one line that begins with the
                program's name.
        """
        with self._slots, temporary_file() as messages:
            left = self.deadline.remaining()
            if self._is_stopped.is_set() or not left:
                raise SourceError(f"{program.name} was not run: {out_of_time(self.deadline)}")
            process = _start(program, arguments, messages, {} if zone is None else {"TZ": zone})
            self._running.add(process)
            if self._is_stopped.is_set():
                # It was stopped while this program started.
                _kill(process)
            timer = threading.Timer(min(timeout, left), _kill, [process])
            timer.start()
            try:
                output, is_whole = _read(process, max_bytes)
                status = process.wait()
            finally:
                timed_out = not timer.is_alive()
                timer.cancel()
                _kill(process)
                process.wait()
                self._running.discard(process)
            if not is_whole:
                raise SourceError(f"{program.name} printed more than {max_bytes // 1024 // 1024} MiB, and was stopped")
            if timed_out and status < 0:
                limit = f"it did not end within {timeout:g} s" if timeout <= left else out_of_time(self.deadline)
                raise SourceError(f"{program.name} was stopped: {limit}")
            if status:
                messages.seek(0)
                raise SourceError(f"{program.name} failed: {reason_in(messages.read(_MAX_MESSAGE_BYTES), status)}")
            return output

    def run_all(self, jobs: Sequence[Callable[[], _Result]]) -> list[_Result]:
        """Runs jobs that mostly wait for programs, and returns their results in the same order.

        Raises:
            Exception: A job raised it. No other job begins, and programs that run are stopped.
        """
        if len(jobs) == 1:
            return [jobs[0]()]
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        with ThreadPoolExecutor(_MAX_JOBS) as pool:
            try:
                return list(pool.map(lambda job: job(), jobs))
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Stops the programs that run, and starts no others."""
        self._is_stopped.set()
        for process in tuple(self._running):
            _kill(process)


def out_of_time(deadline: Deadline) -> str:
    """Returns that a deadline is over, as a sentence without a full stop."""
    return f"the deadline of {format_duration(deadline.seconds or 0)} has passed; raise --deadline"


def _start(
    program: Program, arguments: Sequence[str], messages: IO[bytes], variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the user's own program, without a shell
            [program.path, *arguments],
            env={**os.environ, "GIT_TERMINAL_PROMPT": "0", **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=messages,
            start_new_session=True,
        )
    except OSError as error:
        raise SourceError(f"{program.name} cannot be started: {error.strerror}") from None


def reason_in(messages: bytes, status: int) -> str:
    """Returns the line in which a program says why it failed, without quoted content and passwords.

    Args:
        messages: What it wrote to standard error.
        status: Its exit status, for a program that says nothing.
    """
    text = _QUOTED.sub("...", _LOGGED.sub(_logged, messages.decode(errors="replace")))
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    said = [line for line in lines if not _NOISE.match(line)] or lines
    if not said:
        return f"exit status {status}"
    # The usage may follow, or come first: the line that says Error is the one.
    line = next((line for line in said if line.startswith(("Error: ", "error: "))), said[0])
    line = _DOUBLE_QUOTED.sub(_name_or_dots, without_passwords(_PREFIX.sub("", line)))
    for pattern, replacement in _UNQUOTED:
        line = pattern.sub(replacement, line)
    line = "".join(letter if letter.isprintable() else "?" for letter in line)
    return line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 3]}..."


def _logged(match: re.Match[str]) -> str:
    if match["quoted"] is None:
        return match["lines"]
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[1]), match["quoted"])


def _name_or_dots(match: re.Match[str]) -> str:
    word = match["word"] or ""
    is_name = word.rstrip(": ").casefold() in _NAMED and " " not in match["text"]
    return match[0] if is_name else f"{word}..."


def _read(process: subprocess.Popen[bytes], max_bytes: int) -> tuple[bytes, bool]:
    """Returns what a process prints, and whether that is all of it. Kills the process if it prints too much."""
    stream: IO[bytes] | None = process.stdout
    if stream is None:
        return b"", True
    parts: list[bytes] = []
    length = 0
    with stream:
        while part := stream.read(_CHUNK):
            length += len(part)
            if length > max_bytes:
                _kill(process)
                return b"", False
            parts.append(part)
    return b"".join(parts), True


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a process and all that it started, such as git. Its session has its own process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return
