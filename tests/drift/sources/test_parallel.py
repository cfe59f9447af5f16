"""Two processes read the same manifests as one process, whatever happens to the second one."""

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
    pytest.mark.skipif(sys.platform != "linux", reason="the second process needs Linux"),
]

#: It runs in a process without threads, unlike the tests.
PROGRAM = """
import json, os, sys, threading
from drift.sources.parallel import parallel_reader
from drift.sources.load import load_manifests

paths, prepare, between = sys.argv[3:], sys.argv[1], sys.argv[2]
exec(prepare)
with parallel_reader(paths) as reader:
    exec(between)
    sent = "" if reader is None else os.pread(reader._results, 10_000_000, 0).decode()
    try:
        loaded = load_manifests(paths, reader)
        result = {"loaded": repr(loaded) == repr(load_manifests(paths)), "count": len(loaded.manifests)}
    except Exception as error:
        result = {"error": str(error)}
    result["kept"] = reader is not None and os.fstat(reader._results).st_size
    result |= {"sent": sent, "reader": reader is not None}
try:
    os.waitpid(-1, os.WNOHANG)
    result["left"] = True
except ChildProcessError:
    result["left"] = False
print(json.dumps(result))
"""
#: Waits until the second process has read everything.
FINISHED = "os.waitid(os.P_PID, reader._process, os.WEXITED | os.WNOWAIT)"
NOTHING = "pass"


def _run(*paths: Path, prepare: str = NOTHING, between: str = NOTHING) -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, prepare, between, *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _config_map(name: str, *, extra: str = "", size: int = 20_000) -> str:
    data = f"data:\n  number: '1'\n  text: {'x' * size}\n"
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{extra}{data}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Enough files for two processes: 1.2 MB in 60 files, one of them with two documents."""
    for number in range(60):
        (tmp_path / f"{number:02}.yaml").write_text(_config_map(f"config-{number}"), "utf-8")
    (tmp_path / "30.yaml").write_text(f"# first\n{_config_map('two-a')}---\n\n{_config_map('two-b')}", "utf-8")
    return tmp_path


def test_the_second_process_reads_the_same_as_one_process(folder: Path) -> None:
    result = _run(folder, between=FINISHED)

    assert result["loaded"]
    assert result["count"] == 61
    assert result["sent"].count("\n") == 60
    assert result["kept"] == 0
    assert not result["left"]


def test_both_processes_together_read_everything(folder: Path) -> None:
    result = _run(folder)

    assert result["loaded"]
    assert result["count"] == 61


def test_other_files_are_left_to_the_exact_readers(folder: Path) -> None:
    (folder / "10.yaml").write_text(_config_map("anchored", extra="  labels: &a {b: c}\n  annotations: *a\n"), "utf-8")
    (folder / "11.json").write_text(json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "j"}}))

    result = _run(folder, between=FINISHED)

    assert result["loaded"]
    assert result["count"] == 62
    assert result["sent"].count("\n") == 59


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
def test_the_second_process_never_sends_the_values_of_secrets(folder: Path, text: str) -> None:
    (folder / "20.yaml").write_text(text, "utf-8")

    result = _run(folder, between=FINISHED)

    assert result.get("loaded") or "not a Kubernetes object" in result["error"]
    assert "hunter2" not in result["sent"]
    assert result["sent"].count("\n") == 59


@pytest.mark.parametrize("text", ["a: [", "a: 1\na: 2\n", "kind: ConfigMap\n", "- a\n"])
def test_what_is_not_a_manifest_gives_the_same_result(folder: Path, text: str) -> None:
    (folder / "20.yaml").write_text(text, "utf-8")

    result = _run(folder, between=FINISHED)

    assert result["loaded"]
    assert result["count"] == 60
    assert not result["left"]


@pytest.mark.parametrize("wait", ["time.sleep(0)", "time.sleep(0.05)", FINISHED])
def test_a_killed_second_process_does_no_harm(folder: Path, wait: str) -> None:
    result = _run(folder, between=f"import signal, time\n{wait}\nos.kill(reader._process, signal.SIGKILL)")

    assert result["loaded"]
    assert result["count"] == 61


def test_a_text_that_json_cannot_represent_does_not_affect_other_files(folder: Path) -> None:
    (folder / "20.yaml").write_text(_config_map("deep", extra=f"  annotations: {'{a: ' * 300}b{'}' * 300}\n"), "utf-8")

    assert _run(folder, between=FINISHED)["sent"].count("\n") == 59


def test_a_pipe_is_read_once(folder: Path) -> None:
    piped = r"apiVersion: v1\nkind: Secret\nmetadata: {name: piped}"

    result = _run(
        folder,
        Path("/dev/fd/7"),
        prepare=f"r, w = os.pipe(); os.dup2(r, 7); os.write(w, b'{piped}'); os.close(w)",
        # The program reads everything twice to compare, but the pipe can be read only once.
        between=f"{FINISHED}\nread = load_manifests\nload_manifests = lambda *a: read(*a) if a[1:] else None",
    )

    assert result["reader"]
    assert result["count"] == 62


def test_it_works_if_sigchld_is_ignored(folder: Path) -> None:
    result = _run(folder, prepare="import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)")

    assert result["reader"]
    assert result["loaded"]


def test_an_interrupt_leaves_no_process_behind(folder: Path) -> None:
    # SIGSTOP: the second process never ends by itself.
    result = _run(
        folder,
        between=(
            "import signal\nos.kill(reader._process, signal.SIGSTOP)\n"
            "def stop(*_): raise RuntimeError('stopped')\n"
            "signal.signal(signal.SIGALRM, stop); signal.alarm(1)"
        ),
    )

    assert result["error"] == "stopped"
    assert not result["left"]


def test_truncated_results_are_read_again(folder: Path) -> None:
    result = _run(folder, between=f"{FINISHED}\nos.ftruncate(reader._results, 500_000)")

    assert result["loaded"]
    assert result["count"] == 61


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
        "not Linux",
        "fork fails",
        "no memfd_create",
        "memfd_create fails",
        "quota of one processor",
    ],
)
def test_there_is_no_second_process_if_it_does_not_pay_or_is_not_possible(folder: Path, prepare: str) -> None:
    (folder / "cpu.max").write_text("100000 100000\n", "ascii")

    result = _run(folder, prepare=prepare.replace("QUOTA)", repr(str(folder / "cpu.max")) + ")"))

    assert not result["reader"]
    assert result["loaded"]


@pytest.mark.parametrize("quota", ["max 100000", "200000 100000", "nonsense", ""])
def test_there_is_a_second_process_with_two_processors_or_no_quota(folder: Path, quota: str) -> None:
    (folder / "cpu.max").write_text(quota, "ascii")

    quota_file = str(folder / "cpu.max")
    result = _run(folder, prepare=f"from drift.sources import parallel as a; a._QUOTA = a.Path({quota_file!r})")

    assert result["reader"]


@given(st.lists(st.integers(0, 50), max_size=40) | st.lists(st.just(0), max_size=40), st.integers(1, 8))
def test_batches_contain_every_file_once_and_respect_the_maximum(sizes: list[int], max_batches: int) -> None:
    batches = cut_into_batches(sizes, max_batches)

    assert [index for batch in batches for index in batch] == list(range(len(sizes)))
    assert len(batches) <= max_batches


def test_small_folders_are_read_by_one_process(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(_config_map("one", size=10), "utf-8")

    assert not _run(tmp_path)["reader"]


def test_missing_paths_are_the_usual_error(tmp_path: Path) -> None:
    assert "no such file or folder" in _run(tmp_path / "missing")["error"]


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "<&- >&- 2>&-"])
def test_the_command_line_reads_in_parallel_without_standard_streams(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, closed: str
) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "live.yaml").write_text(_config_map("config-1", extra="  namespace: default\n"), "utf-8")
    command = f"exec {sys.executable} -m drift report {folder} --live {other}/live.yaml --output json={other}/out"

    done = subprocess.run(["/bin/sh", "-c", f"{command} {closed}"], cwd=ROOT, check=False)

    assert done.returncode == 1
    assert json.loads((other / "out").read_text("utf-8"))["summary"]["objects"]["missing"] == 60
