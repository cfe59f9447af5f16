"""A second process reads manifests: what comes of it is what one process reads, whatever happens to the other one."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drift.sources.parallel import cut_into_batches

ROOT = Path(__file__).parents[3]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="nothing is read ahead elsewhere"),
]

#: It needs a process without threads, which that of the tests need not be.
PROGRAM = """
import json, os, sys, threading
from drift.sources.parallel import parallel_reader
from drift.sources.load import load_manifests

paths, prepare, between = sys.argv[3:], sys.argv[1], sys.argv[2]
exec(prepare)
with parallel_reader(paths) as ahead:
    exec(between)
    sent = "" if ahead is None else os.pread(ahead._results, 10_000_000, 0).decode()
    try:
        loaded = load_manifests(paths, ahead)
        said = {"loaded": repr(loaded) == repr(load_manifests(paths)), "count": len(loaded.manifests)}
    except Exception as error:
        said = {"error": str(error)}
    said["kept"] = ahead is not None and os.fstat(ahead._results).st_size
    said |= {"sent": sent, "ahead": ahead is not None}
try:
    os.waitpid(-1, os.WNOHANG)
    said["left"] = True
except ChildProcessError:
    said["left"] = False
print(json.dumps(said))
"""
#: What the second process has time for, so that all is read by it.
FINISHED = "os.waitid(os.P_PID, ahead._process, os.WEXITED | os.WNOWAIT)"
NOTHING = "pass"


def _run(*paths: Path, prepare: str = NOTHING, between: str = NOTHING) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, prepare, between, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def _config_map(name: str, *, extra: str = "", size: int = 20_000) -> str:
    data = f"data:\n  number: '1'\n  text: {'x' * size}\n"
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{extra}{data}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Enough to be worth two processes: 1.2 MB in 60 files, one of them with two documents."""
    for number in range(60):
        (tmp_path / f"{number:02}.yaml").write_text(_config_map(f"config-{number}"), "utf-8")
    (tmp_path / "30.yaml").write_text(f"# first\n{_config_map('two-a')}---\n\n{_config_map('two-b')}", "utf-8")
    return tmp_path


def test_what_the_second_process_reads_is_what_one_process_reads(folder: Path) -> None:
    said = _run(folder, between=FINISHED)

    assert said["loaded"]
    assert said["count"] == 61
    assert said["sent"].count("\n") == 60
    assert said["kept"] == 0
    assert not said["left"]


def test_both_processes_together_read_everything(folder: Path) -> None:
    said = _run(folder)

    assert said["loaded"]
    assert said["count"] == 61


def test_what_is_not_plain_or_not_yaml_is_read_by_the_exact_readers(folder: Path) -> None:
    (folder / "10.yaml").write_text(_config_map("anchored", extra="  labels: &a {b: c}\n  annotations: *a\n"), "utf-8")
    (folder / "11.json").write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j"}}))

    said = _run(folder, between=FINISHED)

    assert said["loaded"]
    assert said["count"] == 62
    assert said["sent"].count("\n") == 59


def test_a_file_named_twice_is_read_twice(folder: Path) -> None:
    assert _run(folder, folder / "05.yaml", between=FINISHED)["count"] == 62


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  password: hunter2",
        "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: hunter2}}",
        "- apiVersion: v1\n  kind: x\n  data: {a: hunter2}",
        'apiVersion: v1\nkind: "\\x53ecret"\nmetadata:\n  name: s\nstringData:\n  password: hunter2\n',
    ],
)
def test_the_values_of_secrets_are_sent_from_no_process_to_another(folder: Path, text: str) -> None:
    (folder / "20.yaml").write_text(text, "utf-8")

    said = _run(folder, between=FINISHED)

    assert said.get("loaded") or "not a Kubernetes object" in said["error"]
    assert "hunter2" not in said["sent"]
    assert said["sent"].count("\n") == 59


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2\n", "kind: ConfigMap\n", "- a\n"])
def test_a_broken_manifest_is_the_same_error(folder: Path, text: str) -> None:
    (folder / "20.yaml").write_text(text, "utf-8")

    said = _run(folder, between=FINISHED)

    assert str(folder / "20.yaml") in said["error"]
    assert not said["left"]


@pytest.mark.parametrize("begun", ["time.sleep(0)", "time.sleep(0.05)", FINISHED])
def test_a_second_process_that_is_killed_costs_nothing(folder: Path, begun: str) -> None:
    said = _run(folder, between=f"import signal, time\n{begun}\nos.kill(ahead._process, signal.SIGKILL)")

    assert said["loaded"]
    assert said["count"] == 61


def test_a_text_that_json_cannot_hold_costs_the_others_nothing(folder: Path) -> None:
    (folder / "20.yaml").write_text(_config_map("deep", extra=f"  annotations: {'{a: ' * 300}b{'}' * 300}\n"), "utf-8")

    assert _run(folder, between=FINISHED)["sent"].count("\n") == 59


def test_a_pipe_is_read_once(folder: Path) -> None:
    piped = r"apiVersion: v1\nkind: Secret\nmetadata: {name: piped}"

    said = _run(
        folder,
        Path("/dev/fd/7"),
        prepare=f"r, w = os.pipe(); os.dup2(r, 7); os.write(w, b'{piped}'); os.close(w)",
        # The program reads all twice to compare; the pipe is empty by then.
        between=f"{FINISHED}\nread = load_manifests\nload_manifests = lambda *a: read(*a) if a[1:] else None",
    )

    assert said["ahead"]
    assert said["count"] == 62


def test_where_the_end_of_processes_is_ignored_it_works_too(folder: Path) -> None:
    said = _run(folder, prepare="import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)")

    assert said["ahead"]
    assert said["loaded"]


def test_an_interrupt_while_it_is_waited_for_leaves_no_process(folder: Path) -> None:
    # The second process is stopped, so that it never ends by itself.
    said = _run(
        folder,
        between=(
            "import signal\nos.kill(ahead._process, signal.SIGSTOP)\n"
            "def stop(*_): raise RuntimeError('stopped')\n"
            "signal.signal(signal.SIGALRM, stop); signal.alarm(1)"
        ),
    )

    assert said["error"] == "stopped"
    assert not said["left"]


def test_what_was_cut_off_is_read_again(folder: Path) -> None:
    said = _run(folder, between=f"{FINISHED}\nos.ftruncate(ahead._results, 500_000)")

    assert said["loaded"]
    assert said["count"] == 61


@pytest.mark.parametrize(
    "prepare",
    [
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])",
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "sys.platform = 'darwin'",
        "os.fork = lambda: (_ for _ in ()).throw(OSError())",
        "del os.memfd_create",
        "os.memfd_create = lambda _: (_ for _ in ()).throw(OSError())",
        "from drift.sources import parallel as a; from pathlib import Path; a._QUOTA = Path(QUOTA)",
    ],
    ids=[
        "one processor",
        "threads",
        "another system",
        "no more processes",
        "memory without a name unknown",
        "memory without a name refused",
        "one processor's share",
    ],
)
def test_where_it_does_not_pay_or_cannot_be_done_one_process_reads(folder: Path, prepare: str) -> None:
    (folder / "cpu.max").write_text("100000 100000\n", "ascii")

    said = _run(folder, prepare=prepare.replace("QUOTA)", repr(str(folder / "cpu.max")) + ")"))

    assert not said["ahead"]
    assert said["loaded"]


@pytest.mark.parametrize("quota", ["max 100000", "200000 100000", "nonsense", ""])
def test_with_two_processors_or_without_a_bound_two_processes_read(folder: Path, quota: str) -> None:
    (folder / "cpu.max").write_text(quota, "ascii")

    quota_file = str(folder / "cpu.max")
    said = _run(folder, prepare=f"from drift.sources import parallel as a; a._QUOTA = a.Path({quota_file!r})")

    assert said["ahead"]


@given(st.lists(st.integers(0, 50), max_size=40) | st.lists(st.just(0), max_size=40), st.integers(1, 8))
def test_batches_hold_every_file_once_and_are_no_more_than_asked_for(sizes: list[int], most: int) -> None:
    batches = cut_into_batches(sizes, most)

    assert [position for batch in batches for position in batch] == list(range(len(sizes)))
    assert len(batches) <= most


def test_little_is_read_by_one_process(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(_config_map("one", size=10), "utf-8")

    assert not _run(tmp_path)["ahead"]


def test_paths_that_are_not_there_are_complained_of_as_ever(tmp_path: Path) -> None:
    assert "no such file or folder" in _run(tmp_path / "missing")["error"]


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "<&- >&- 2>&-"])
def test_the_command_line_reads_ahead_whatever_streams_it_has(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, closed: str
) -> None:
    place = tmp_path_factory.mktemp("beside")
    (place / "live.yaml").write_text(_config_map("config-1", extra="  namespace: default\n"), "utf-8")
    command = f"exec {sys.executable} -m drift report {folder} --live {place}/live.yaml --output json={place}/out"

    done = subprocess.run(["/bin/sh", "-c", f"{command} {closed}"], cwd=ROOT, check=False)

    assert done.returncode == 1
    assert json.loads((place / "out").read_text("utf-8"))["summary"]["objects"]["missing"] == 60
