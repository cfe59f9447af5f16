"""Runs a command and measures its time, memory, requests and bytes."""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import yaml

from benchmarks.memory import MemoryWatch

_CHUNK = 1 << 16
_ALLOWED = (0, 1)


@dataclass(frozen=True, slots=True)
class Cost:
    """The time that a command takes.

    Attributes:
        wall: Seconds from start to end.
        cpu: Seconds of processor time, including child processes.
    """

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Load:
    """The memory and network traffic of a command.

    Attributes:
        memory: The peak memory in bytes, including child processes.
        requests: The number of requests in the API server's audit log.
        received: Bytes received from the API server, as encrypted.
    """

    memory: int
    requests: int
    received: int


def run(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Runs a command to its end.

    Args:
        command: The program and its arguments.
        environment: All of its environment.

    Raises:
        RuntimeError: Its exit status is neither 0 nor 1.
    """
    begin = time.perf_counter()
    with _started(command, environment) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def peak_memory(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs a command like `run`, and returns its peak memory in bytes, including child processes."""
    with _started(command, environment) as process, MemoryWatch(process.pid) as memory:
        process.wait()
    return memory.peak


@contextmanager
def _started(command: Sequence[str], environment: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    with tempfile.TemporaryFile() as messages:
        process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=messages)
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        if process.returncode not in _ALLOWED:
            messages.seek(0)
            text = messages.read().decode(errors="replace")
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {text}")


def median_cost(runs: Sequence[Cost]) -> Cost:
    """Returns the medians of several runs."""
    return Cost(statistics.median(run.wall for run in runs), statistics.median(run.cpu for run in runs))


def median_load(runs: Sequence[Load]) -> Load:
    """Returns the medians of several runs; the upper median of an even number."""
    return Load(
        statistics.median_high(run.memory for run in runs),
        statistics.median_high(run.requests for run in runs),
        statistics.median_high(run.received for run in runs),
    )


def raise_file_limit() -> None:
    """Raises the limit of open files to the maximum that the system allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Traffic:
    """A TCP proxy that counts the bytes between clients and an API server.

    Attributes:
        received: Bytes from the server to the clients so far, as encrypted.
        sent: Bytes from the clients to the server so far.
        kubeconfig: A kubeconfig that connects through the proxy.
    """

    def __init__(self, kubeconfig: Path) -> None:
        """Starts to listen on loopback.

        Args:
            kubeconfig: A kubeconfig that connects to the server.
        """
        self.received = 0
        self.sent = 0
        config = yaml.safe_load(kubeconfig.read_text("utf-8"))
        self._server = urlsplit(config["clusters"][0]["cluster"]["server"])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._listener = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        port = self._listener.sockets[0].getsockname()[1]
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{port}"
        self.kubeconfig = kubeconfig.with_name(f"{kubeconfig.name}.counted")
        self.kubeconfig.write_text(yaml.safe_dump(config), "utf-8")

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _close(self) -> None:
        self._listener.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_read, to_write = await asyncio.open_connection(self._server.hostname, self._server.port)
        # Cancelled if the client is gone but the server keeps the connection open.
        with suppress(asyncio.CancelledError):
            await asyncio.gather(
                _forward(reader, to_write, self._count_sent),
                _forward(to_read, writer, self._count_received),
                return_exceptions=True,
            )

    def _count_sent(self, count: int) -> None:
        self.sent += count

    def _count_received(self, count: int) -> None:
        self.received += count

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.kubeconfig.unlink()


async def _forward(source: asyncio.StreamReader, sink: asyncio.StreamWriter, count: Callable[[int], None]) -> None:
    while chunk := await source.read(_CHUNK):
        count(len(chunk))
        sink.write(chunk)
        await sink.drain()
    sink.close()


def progress(text: str) -> None:
    """Writes a progress message to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
