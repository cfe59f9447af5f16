"""Two processes, and the cache, read the same manifests as one process, whatever happens to them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
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
from pathlib import Path
from drift.sources import parallel
from drift.sources.parallel import parallel_reader
from drift.sources.load import load_manifests

paths, prepare, between = sys.argv[3:], sys.argv[1], sys.argv[2]
# As on a machine with two processors.
os.sched_getaffinity = lambda _: {0, 1}
parallel._QUOTA = Path("/nonexistent")
exec(prepare)
with parallel_reader(paths) as reader:
    exec(between)
    sent = "" if reader is None else os.pread(reader._results, 10_000_000, 0).decode()
    cached = [] if reader is None else sorted(file.name for file in reader._parsed)
    try:
        loaded = load_manifests(paths, reader)
        result = {"loaded": repr(loaded) == repr(load_manifests(paths)), "count": len(loaded.manifests)}
    except Exception as error:
        result = {"error": str(error)}
    result["kept"] = reader is not None and os.fstat(reader._results).st_size
    result |= {"sent": sent, "reader": reader is not None, "cached": cached}
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
SECRETS = [
    "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\nstringData:\n  password: hunter2",
    "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: hunter2}}",
    "- apiVersion: v1\n  kind: x\n  data: {a: hunter2}",
    'apiVersion: v1\nkind: "\\x53ecret"\nmetadata:\n  name: s\nstringData:\n  password: hunter2\n',
]


def _run(*paths: Path, prepare: str = NOTHING, between: str = NOTHING, cache: str = "relative") -> dict[str, Any]:
    command = [sys.executable, "-c", PROGRAM, prepare, between, *map(str, paths)]
    environment = {**os.environ, "XDG_CACHE_HOME": cache}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
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


def test_a_file_that_two_paths_have_is_read_once(folder: Path) -> None:
    assert _run(folder, folder / "05.yaml", between=FINISHED)["count"] == 61


@pytest.mark.parametrize("text", SECRETS)
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
        "os.sched_getaffinity = lambda _: {0}",
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


@pytest.fixture
def cache(folder: Path) -> Path:
    """A cache folder that holds the fixture `folder`. Its name begins with a dot, so it is not read as manifests."""
    path = folder / ".cache"
    assert _run(folder, cache=str(path))["cached"] == []
    return path


def _names(*numbers: int) -> list[str]:
    return [f"{number:02}.yaml" for number in range(60) if number not in numbers]


def _kept(cache: Path) -> Path:
    (file,) = (cache / "drift" / "manifests").iterdir()
    return file


def test_a_later_run_parses_nothing_and_starts_no_process(folder: Path, cache: Path) -> None:
    result = _run(folder, cache=str(cache), between="assert reader._process is None")

    assert result["cached"] == _names()
    assert result["sent"] == ""
    assert result["loaded"]
    assert result["count"] == 61


def test_a_few_changed_files_are_parsed_without_a_second_process(folder: Path, cache: Path) -> None:
    (folder / "07.yaml").write_text(_config_map("edited"), "utf-8")
    (folder / "08.yaml").unlink()
    (folder / "60.yaml").write_text(_config_map("new"), "utf-8")

    result = _run(folder, cache=str(cache), between="assert reader._process is None")

    assert result["cached"] == _names(7, 8)
    assert result["loaded"]
    assert result["count"] == 61


def test_many_changed_files_are_parsed_by_two_processes_and_kept(folder: Path, cache: Path) -> None:
    for number in range(55):
        (folder / f"{number:02}.yaml").write_text(_config_map(f"edited-{number}"), "utf-8")

    assert _run(folder, cache=str(cache), between=FINISHED)["cached"] == _names(*range(55))
    result = _run(folder, cache=str(cache))
    assert result["cached"] == _names()
    assert result["loaded"]
    assert result["count"] == 60


def test_a_renamed_file_is_found_by_its_content(folder: Path, cache: Path) -> None:
    (folder / "07.yaml").rename(folder / "61.yaml")

    result = _run(folder, cache=str(cache))

    assert "61.yaml" in result["cached"]
    assert result["loaded"]


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_is_kept(folder: Path, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    cache = tmp_path_factory.mktemp("cache")
    (folder / "20.yaml").write_text(text, "utf-8")
    for _ in range(2):
        _run(folder, cache=str(cache))

    kept = _kept(cache).read_bytes()
    assert b"hunter2" not in kept
    assert kept.count(b"\n") == 1 + 59


def test_only_the_user_can_read_what_is_kept(cache: Path) -> None:
    assert _kept(cache).stat().st_mode & 0o777 == 0o600
    assert _kept(cache).parent.stat().st_mode & 0o777 == 0o700


def _replace(file: Path, create: Callable[[Path], object]) -> None:
    file.unlink()
    create(file)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "one other letter": lambda file: file.write_bytes(file.read_bytes().replace(b"xxx", b"xxy", 1)),
    "the end is missing": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "a line is missing": lambda file: file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1])),
    "empty": lambda file: file.write_bytes(b""),
    "a folder": lambda file: _replace(file, Path.mkdir),
    "a link to a device": lambda file: _replace(file, lambda link: link.symlink_to("/dev/zero")),
    "a pipe": lambda file: _replace(file, os.mkfifo),
    "too large": lambda file: os.truncate(file, 65 * 1024 * 1024),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_damaged_cache_is_not_used(folder: Path, cache: Path, case: str) -> None:
    DAMAGES[case](_kept(cache))

    result = _run(folder, cache=str(cache))

    assert result["cached"] == []
    assert result["loaded"]
    assert result["count"] == 61


def test_nothing_is_kept_if_the_parser_is_not_known(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    cache = tmp_path_factory.mktemp("cache")
    prepare = "import ryaml._ryaml as a; a.__file__ = '/none'"

    assert _run(folder, cache=str(cache), prepare=prepare)["loaded"]
    assert [*cache.iterdir()] == []


@pytest.mark.parametrize("unusable", ["/dev/null", "/proc/none", f"/{'x' * 300}", "relative"])
def test_an_unusable_cache_folder_is_ignored(folder: Path, unusable: str) -> None:
    result = _run(folder, cache=unusable)

    assert result["loaded"]
    assert result["count"] == 61
    assert not (ROOT / "relative").exists()


@pytest.mark.parametrize("module", ["ryaml._ryaml", "drift.documents.parse"])
def test_another_parser_parses_again(folder: Path, cache: Path, module: str) -> None:
    prepare = f"import {module} as a, json; a.__file__ = json.__file__"

    assert _run(folder, cache=str(cache), prepare=prepare)["cached"] == []


def test_the_oldest_of_five_folders_is_forgotten(folder: Path, cache: Path) -> None:
    first = _kept(cache)
    os.utime(first, (0, 0))
    for number in range(4):
        link = folder.parent / f"{folder.name}-{number}"
        link.symlink_to(folder)
        _run(link, cache=str(cache))

    assert not first.exists()
    assert len(list(first.parent.iterdir())) == 4


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
