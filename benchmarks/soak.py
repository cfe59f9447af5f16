"""Soaks ``drift watch`` in trouble: ``python -m benchmarks.soak [--seconds N]``, ten minutes by default.

Clients that do not read, edits, manifests that break and are mended, a Git checkout that switches branches, namespaces
and CRDs that come and go, restarts of the API server, and a history on a full disk take turns. Every finding that
must open or be resolved is known in advance. Ends with a table of missed and false events, memory, threads and open
files, and with status 1 if an event is missed or false, or if anything grows.
"""

import argparse
import itertools
import json
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
import yaml

from benchmarks.measure import progress
from tools.sandbox.cluster import Cluster

REPOSITORY: Final = Path(__file__).parents[1]
SECONDS: Final = 600
#: Seconds to wait for what must happen. The watch discovers new kinds every 30 seconds.
PATIENCE: Final = 120
CONFIGS: Final = 40
BURST: Final = 50
NAMESPACE: Final = "soak"
#: What the end may have more than the middle: a share and a number of bytes of memory, a number of threads and files.
GROWTH: Final = {"memory": (0.05, 4 * 1024 * 1024), "threads": (0, 2), "open files": (0, 2)}
_OK: Final = 200
_CONFLICT_OR_WORSE: Final = 400
_WIDGETS: Final = "soak.example.com"

#: What happens to a finding: opened or resolved, kind, name, how the object differs.
Event = tuple[str, str, str, str]


def config_map(name: str, value: str, namespace: str = NAMESPACE) -> dict[str, Any]:
    """Returns a ConfigMap with one value."""
    return _object("v1", "ConfigMap", name, namespace) | {"data": {"a": value}}


def _object(api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    place = {} if namespace is None else {"namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **place}}


_OPEN_SCHEMA: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
CUSTOM_RESOURCE_DEFINITION: Final = _object(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", f"widgets.{_WIDGETS}"
) | {
    "spec": {
        "group": _WIDGETS,
        "scope": "Namespaced",
        "names": {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": _OPEN_SCHEMA}}],
    }
}


class Api:
    """Writes to the API server as an applier and as a person do."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        user = yaml.safe_load(cluster.kubeconfig.read_text("utf-8"))["users"][0]["user"]
        self._http = urllib3.PoolManager(cert_reqs="CERT_NONE", headers={"Authorization": f"Bearer {user['token']}"})
        urllib3.disable_warnings()

    def apply(self, name: str, value: str) -> None:
        """Applies a ConfigMap as Flux does."""
        self._patch(name, config_map(name, value), "kustomize-controller&force=true", "application/apply-patch+yaml")

    def edit(self, name: str, value: str) -> None:
        """Edits a ConfigMap by hand."""
        self._patch(name, {"data": {"a": value}}, "kubectl-edit", "application/merge-patch+json")

    def _patch(self, name: str, body: dict[str, Any], manager: str, media: str) -> None:
        url = f"{self._cluster.server}/api/v1/namespaces/{NAMESPACE}/configmaps/{name}?fieldManager={manager}"
        headers = {**self._http.headers, "Content-Type": media}
        response = self._http.request("PATCH", url, body=json.dumps(body), headers=headers)
        if response.status >= _CONFLICT_OR_WORSE:
            raise RuntimeError(f"PATCH {url}: {response.status} {response.data[:500]!r}")


@dataclass(frozen=True, slots=True)
class Sample:
    """What the process uses at one time, by name as in `GROWTH`; memory in bytes."""

    used: dict[str, int]

    @classmethod
    def of(cls, process: int) -> "Sample":
        """Reads Linux's ``/proc``."""
        folder = Path("/proc") / str(process)
        status = dict(line.split(":", 1) for line in (folder / "status").read_text("utf-8").splitlines())
        return cls(
            {
                "memory": int(status["VmRSS"].split()[0]) * 1024,
                "threads": int(status["Threads"]),
                "open files": len(list((folder / "fd").iterdir())),
            }
        )


@dataclass(slots=True)
class Watch:
    """``drift watch`` as a process."""

    process: "subprocess.Popen[str]"
    url: str = ""
    seen: Counter[Event] = field(default_factory=Counter)
    messages: list[str] = field(default_factory=list)

    def read_events(self, lines: Iterator[str]) -> None:
        """Counts the events on standard output until it ends."""
        for line in lines:
            event = json.loads(line)
            found = event["object"]
            self.seen[event["event"], found["kind"], found["name"], event["finding"]["change"]] += 1

    @property
    def health(self) -> str:
        """The answer of ``/healthz``: "" if the report is complete and current."""
        response = urllib3.request("GET", f"{self.url}healthz", timeout=PATIENCE)
        return "" if response.status == _OK else response.data.decode()


@contextmanager
def watching(cluster: Cluster, manifests: Path, history: Path) -> Iterator[Watch]:
    """Runs the watch until the caller is done."""
    command = [sys.executable, "-m", "drift", "watch", str(manifests), "--metrics-port=0", "--output=json"]
    with subprocess.Popen(
        [*command, f"--kubeconfig={cluster.kubeconfig}", f"--history={history}"],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        watch = Watch(process)
        readers = (
            threading.Thread(target=watch.read_events, args=(process.stdout,), daemon=True),
            threading.Thread(target=watch.messages.extend, args=(process.stderr,), daemon=True),
        )
        try:
            for reader in readers:
                reader.start()
            eventually(lambda: any("see http" in line for line in watch.messages), "the watch starts")
            watch.url = next(line for line in watch.messages if "see http" in line).split("see ")[1].strip()
            eventually(lambda: not watch.health, "the first report is complete")
            yield watch
        finally:
            process.terminate()


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Waits until something holds.

    Raises:
        TimeoutError: It does not.
    """
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.02)


class Soak:
    """The troubles. Each leaves the cluster and the manifests as they were before.

    Attributes:
        expected: The events that had to happen so far.
    """

    def __init__(self, cluster: Cluster, watch: Watch, checkout: Path) -> None:
        self.expected: Counter[Event] = Counter()
        self._cluster = cluster
        self._api = Api(cluster)
        self._watch = watch
        self._checkout = checkout
        self._random = random.Random(1)  # noqa: S311 - must be repeatable
        self._numbers = itertools.count()
        self._idle_clients: list[socket.socket] = []

    @property
    def troubles(self) -> Sequence[Callable[[], None]]:
        """All troubles, in their order."""
        return (
            self.keep_clients_waiting,
            self.edit,
            self.burst,
            self.break_manifests,
            self.switch_branches,
            self.come_and_go,
            self.restart_api_server,
            self.fill_the_disk,
            self.let_clients_go,
        )

    def edit(self) -> None:
        """A user edits an object, and the applier reverts the edit."""
        name = self._any_config()
        self._api.edit(name, self._new_value())
        self._expect("opened", "ConfigMap", name, "changed")
        self._api.apply(name, "1")
        self._expect("resolved", "ConfigMap", name, "changed")

    def burst(self) -> None:
        """Edits are reverted faster than they can be reported one by one."""
        name = self._any_config()
        for _ in range(BURST):
            self._api.edit(name, self._new_value())
            self._api.apply(name, "1")
        for event in ("opened", "resolved"):
            self._expect(event, "ConfigMap", name, "changed", BURST)

    def break_manifests(self) -> None:
        """A file is not YAML for a while."""
        broken = self._checkout / "broken.yaml"
        broken.write_text("a: [", "utf-8")
        eventually(lambda: "broken.yaml" in self._watch.health, "the broken file is reported")
        broken.unlink()
        self._wait_for_health()
        self.edit()

    def switch_branches(self) -> None:
        """The checkout switches to a branch with another value, and back."""
        git(self._checkout, "switch", "--quiet", "other")
        self._expect("opened", "ConfigMap", "config-0", "changed")
        git(self._checkout, "switch", "--quiet", "main")
        self._expect("resolved", "ConfigMap", "config-0", "changed")

    def come_and_go(self) -> None:
        """A namespace and a CRD with their objects are added to Git, synced, removed from Git, and deleted."""
        first = [_object("v1", "Namespace", "soak-guest"), CUSTOM_RESOURCE_DEFINITION]
        then = [config_map("guest", "1", "soak-guest"), _object(f"{_WIDGETS}/v1", "Widget", "guest", NAMESPACE)]
        file = self._checkout / "guests.yaml"
        file.write_text(yaml.safe_dump_all([*first, *then]), "utf-8")
        self._expect_objects("opened", [*first, *then])
        for objects in (first, then):
            self._sync(objects)
            self._cluster.kubectl(
                "wait", "--for=condition=Established", "crd", CUSTOM_RESOURCE_DEFINITION["metadata"]["name"]
            )
        self._expect_objects("resolved", [*first, *then])
        said = len(self._watch.messages)
        file.unlink()
        eventually(lambda: self._has_said("reloaded", said), "the manifests are read again")
        self._cluster.kubectl("delete", "--filename=-", stdin=yaml.safe_dump_all(first))

    def restart_api_server(self) -> None:
        """The API server crashes and comes back."""
        self._cluster.stop_api_server()
        self._cluster.start_api_server()
        self._wait_for_health()
        self.edit()

    def fill_the_disk(self) -> None:
        """The history cannot grow, as on a full disk: a limit of the process needs no file system of its own."""
        process, said = self._watch.process.pid, len(self._watch.messages)
        _, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
        resource.prlimit(process, resource.RLIMIT_FSIZE, (0, hard))
        try:
            self.edit()
            eventually(lambda: self._has_said("without the history", said), "the full disk is reported")
        finally:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (hard, hard))
        self.edit()
        eventually(lambda: self._has_said("can be written again", said), "the history is written again")

    def keep_clients_waiting(self) -> None:
        """Clients do not finish their request, or do not read the response, until the last trouble."""
        address = urlsplit(self._watch.url)
        self._idle_clients = [
            socket.create_connection((address.hostname or "", address.port or 0), timeout=PATIENCE) for _ in range(8)
        ]
        for number, client in enumerate(self._idle_clients):
            client.sendall(b"GET /report.json HTTP/1.1\r\nHost: localhost\r\n" + b"\r\n" * (number % 2))
        self.edit()
        self._wait_for_health()

    def let_clients_go(self) -> None:
        """The clients close their connections."""
        for client in self._idle_clients:
            client.close()
        self._idle_clients = []
        self.edit()

    def _any_config(self) -> str:
        return f"config-{self._random.randrange(1, CONFIGS)}"

    def _new_value(self) -> str:
        return f"edited-{next(self._numbers)}"

    def _has_said(self, text: str, since: int) -> bool:
        return any(text in message for message in self._watch.messages[since:])

    def _wait_for_health(self) -> None:
        eventually(lambda: not self._watch.health, "the report is complete and current again")

    def _expect(self, event: str, kind: str, name: str, change: str, times: int = 1) -> None:
        """Waits for an event. One that is still missing at the end is missed."""
        self.expected[event, kind, name, change] += times
        deadline = time.monotonic() + PATIENCE
        while self.expected - self._watch.seen and time.monotonic() < deadline:
            time.sleep(0.01)

    def _expect_objects(self, event: str, objects: Sequence[dict[str, Any]]) -> None:
        for item in objects:
            self._expect(event, item["kind"], item["metadata"]["name"], "missing")

    def _sync(self, objects: Sequence[dict[str, Any]]) -> None:
        flags = ("--server-side", "--force-conflicts", "--field-manager=kustomize-controller", "--filename=-")
        self._cluster.kubectl("apply", *flags, stdin=yaml.safe_dump_all(objects))


def git(folder: Path, *arguments: str) -> None:
    """Runs git in a checkout."""
    identity = ("-c", "user.name=soak", "-c", "user.email=soak@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)  # noqa: S607 - the git of PATH


def prepare(cluster: Cluster, checkout: Path) -> None:
    """Makes a checkout with two branches, and syncs the first one."""
    configs = [config_map(f"config-{number}", "1") for number in range(CONFIGS)]
    file = checkout / "configs.yaml"
    git(checkout, "init", "--quiet", "--initial-branch=main")
    for branch, first in (("main", "1"), ("other", "2")):
        if branch != "main":
            git(checkout, "switch", "--quiet", "--create", branch)
        file.write_text(yaml.safe_dump_all([config_map("config-0", first), *configs[1:]]), "utf-8")
        git(checkout, "add", "--all")
        git(checkout, "commit", "--quiet", f"--message={branch}")
    git(checkout, "switch", "--quiet", "main")
    cluster.create_namespace(NAMESPACE)
    flags = ("--server-side", "--field-manager=kustomize-controller", f"--filename={file}")
    cluster.kubectl("apply", *flags)


def run(seconds: float) -> int:
    """Soaks the watch, and prints the table.

    Returns:
        0 if every event was seen, no other one, and nothing grew; else 1.
    """
    began = time.monotonic()
    with Cluster.start() as cluster, tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder) / "checkout"
        checkout.mkdir()
        prepare(cluster, checkout)
        with watching(cluster, checkout, Path(folder) / "history.db") as watch:
            soak, samples = Soak(cluster, watch, checkout), list[Sample]()
            while not samples or time.monotonic() - began < seconds:
                for trouble in soak.troubles:
                    trouble()
                    progress(f"{time.monotonic() - began:4.0f} s: {trouble.__name__}")
                samples.append(Sample.of(watch.process.pid))
            missed, false = soak.expected - watch.seen, watch.seen - soak.expected
    return report(soak.expected, missed, false, samples)


def report(expected: Counter[Event], missed: Counter[Event], false: Counter[Event], samples: Sequence[Sample]) -> int:
    """Prints the table. Returns 1 if an event is missed or false, or if anything grew, else 0."""
    print(f"{expected.total():,} events in {len(samples)} rounds of all troubles")
    print("| | middle third | last third | allowed | |\n|---|--:|--:|--:|---|")
    failed = False
    for name, (share, number) in GROWTH.items():
        values = [sample.used[name] for sample in samples]
        third = max(len(values) // 3, 1)
        middle, last = (statistics.median(values[-2 * third :][:third]), statistics.median(values[-third:]))
        allowed = middle * (1 + share) + number
        unit, scale = (" MB", 1e6) if name == "memory" else ("", 1)
        good = last <= allowed
        failed |= not good
        cells = " | ".join(f"{value / scale:.0f}{unit}" for value in (middle, last, allowed))
        print(f"| {name} | {cells} | {'flat' if good else 'GROWS'} |")
    for name, events in (("missed", missed), ("false", false)):
        print(f"| {name} events | | {events.total()} | 0 | {'none' if not events else 'FAILED'} |")
        for event, count in events.items():
            print(f"  {name}: {count} x {' '.join(event)}")
        failed |= bool(events)
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    sys.exit(run(parser.parse_args().seconds))
