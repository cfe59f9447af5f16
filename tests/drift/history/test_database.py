"""The file survives parallel runs and crashes. It is moved aside if damaged, and unchanged if it is not a history."""

import fcntl
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from drift.errors import HistoryError
from drift.history import database
from drift.history.store import History, read_history
from drift.model import Status
from tests.drift.history.scans import SCOPE, at
from tests.drift.report.reports import finding, item

DRIFTED = item("ConfigMap", "a", Status.DRIFTED, finding(1, path="data.x"))
ROOT = Path(__file__).parents[3]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def run(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def moved_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if ".corrupt-" in path.name]


ONE_RUN = """
import sys
from pathlib import Path
from drift.history.episodes import Scope
from drift.history.store import History
from drift.model import Status
from tests.drift.history.scans import at
from tests.drift.report.reports import finding, item

file, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for day in range(1, 11):
    found = item("ConfigMap", name, Status.DRIFTED, finding(day, path=f"data.{day}"))
    History(file, lambda warning: print(warning, flush=True)).record(at(day, found), Scope("server", name))
"""


def run_in_parallel(file: Path, names: list[str]) -> list[str]:
    runs = [run(ONE_RUN, str(file), name) for name in names]
    for one in runs:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    warnings = []
    for one in runs:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in runs:
        out, err = one.communicate()
        assert (one.returncode, err) == (0, "")
        warnings += out.splitlines()
    return warnings


def test_parallel_runs_lose_nothing(file: Path) -> None:
    names = ["a", "b", "c"]

    assert run_in_parallel(file, names) == []

    assert {(it.key.name, it.path) for it in read_history(file).episodes} == {
        (name, f"data.{day}") for name in names for day in range(1, 11)
    }


def damage_a_page(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(4096 * 2)
    file.write_bytes(content)


@pytest.mark.parametrize("damage", [lambda file: file.write_bytes(bytes(18_000)), damage_a_page])
def test_parallel_runs_move_a_damaged_file_aside_once(file: Path, damage: Callable[[Path], None]) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    damage(file)
    damaged = file.read_bytes()

    warnings = run_in_parallel(file, ["a", "b", "c"])

    assert len(warnings) == 1
    assert [path.read_bytes() for path in moved_files(file.parent) if not path.name.endswith(("wal", "shm"))] == [
        damaged
    ]
    assert len(read_history(file).episodes) == 30


def lock_folder(file: Path) -> int:
    """Locks the folder as a run does that moves a damaged file.

    Raises:
        BlockingIOError: A run uses a file in it.
    """
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def test_a_file_is_not_moved_while_a_run_uses_it(file: Path) -> None:
    with database.write_transaction(file, check=True), pytest.raises(BlockingIOError):
        lock_folder(file)
    with database.read_transaction(file), pytest.raises(BlockingIOError):
        lock_folder(file)

    os.close(lock_folder(file))


def test_a_run_waits_while_another_one_moves_the_file(file: Path) -> None:
    descriptor = lock_folder(file)
    with ThreadPoolExecutor() as threads:
        recorded = threads.submit(History(file, pytest.fail).record, at(1, DRIFTED), SCOPE)
        with pytest.raises(TimeoutError):
            recorded.result(0.2)
        assert not file.exists()
        os.close(descriptor)
        recorded.result(30)

    assert len(read_history(file).episodes) == 1


def test_the_history_works_in_a_folder_that_another_program_has_locked(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "_MOVE_TIMEOUT", 0)
    descriptor = lock_folder(file)

    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert len(read_history(file).episodes) == 1
    os.close(descriptor)


CRASH = """
import os, signal, sys
from pathlib import Path
import drift.history.recording as recording
from drift.history.store import History
from drift.model import Status
from tests.drift.history.scans import SCOPE, at
from tests.drift.report.reports import finding, item

insert, count = recording.insert_episode, 0
def insert_and_die(*arguments):
    global count
    number = insert(*arguments)
    count += 1
    if count == 500:
        os.kill(os.getpid(), signal.SIGKILL)
    return number
recording.insert_episode = insert_and_die
found = [item("ConfigMap", f"n{number}", Status.DRIFTED, finding(100 + number, path="data.y")) for number in range(900)]
History(Path(sys.argv[1]), print).record(at(2, *found), SCOPE)
"""


def test_a_killed_run_leaves_the_previous_contents(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    killed = run(CRASH, str(file))
    assert killed.communicate() == ("", "")
    assert killed.returncode == -9

    assert [it.path for it in read_history(file).episodes] == ["data.x"]
    third = History(file, pytest.fail).record(at(3, DRIFTED), SCOPE)
    assert [past.at[8:10] for past in third.past] == ["01", "03"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(file.read_bytes()[:5000]),
        lambda file: file.write_bytes(file.read_bytes()[:50]),
        lambda file: file.write_bytes(file.read_bytes()[:10]),
        lambda file: file.write_bytes(bytes(8192)),
        damage_a_page,
    ],
    ids=["cut off", "cut off in the header", "cut off in its first word", "zeroes", "a damaged page"],
)
def test_a_damaged_file_is_moved_aside_and_a_new_history_starts(damage: Callable[[Path], object], file: Path) -> None:
    warnings: list[str] = []
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    damage(file)
    content = file.read_bytes()

    History(file, warnings.append).record(at(2, DRIFTED), SCOPE)

    (moved,) = moved_files(file.parent)
    assert moved.read_bytes() == content
    assert len(warnings) == 1
    assert str(moved) in warnings[0]
    assert "\n" not in warnings[0]
    assert [it.first_seen[8:10] for it in read_history(file).episodes] == ["02"]


def test_the_file_that_a_link_leads_to_is_moved_aside(file: Path, tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    volume.mkdir()
    file.symlink_to(volume / "history.db")
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    damage_a_page(file)
    content = file.read_bytes()

    History(file, lambda _: None).record(at(2, DRIFTED), SCOPE)

    assert [path.read_bytes() for path in moved_files(volume)] == [content]
    assert moved_files(tmp_path) == []
    assert file.is_symlink()
    assert [it.first_seen[8:10] for it in read_history(volume / "history.db").episodes] == ["02"]


def test_a_second_damaged_file_does_not_replace_the_first(file: Path) -> None:
    for content in (b"SQL", b"SQLite"):
        file.write_bytes(content)
        History(file, lambda _: None).record(at(1, DRIFTED), SCOPE)

    assert sorted(path.read_bytes() for path in moved_files(file.parent)) == [b"SQL", b"SQLite"]


def test_journal_files_move_with_a_damaged_file(file: Path) -> None:
    file.write_bytes(bytes(20))
    Path(f"{file}-wal").write_bytes(b"its log")

    History(file, lambda _: None).record(at(1, DRIFTED), SCOPE)

    assert sorted(path.read_bytes() for path in moved_files(file.parent)) == [bytes(20), b"its log"]


@pytest.mark.parametrize(
    "content",
    [
        b"x",
        b"ignore:\n- kind: ConfigMap\n",
        "größe: 1".encode(),
        b"\x1f\x8b\x08\x00" + bytes(100),
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"SQLite format 2\0" + bytes(100),
    ],
    ids=["a letter", "drift.yaml", "UTF-8", "gzip", "PNG", "SQLite 2"],
)
def test_a_file_of_another_format_stays_where_it_is(content: bytes, file: Path) -> None:
    file.write_bytes(content)

    with pytest.raises(HistoryError, match="is not a history; give --history another file"):
        History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_the_damaged_database_of_another_program_stays_where_it_is(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    content = file.read_bytes()[:3000]
    file.write_bytes(content)

    with pytest.raises(HistoryError, match="is a damaged database of another program; give --history another file"):
        History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(("end", "byte"), [(512, 0), (4096, 255)])
def test_a_history_with_a_damaged_header_is_moved_aside(file: Path, end: int, byte: int) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    content = file.read_bytes()
    file.write_bytes(content[:16] + bytes([byte]) * (end - 16) + content[end:])
    warnings: list[str] = []

    History(file, warnings.append).record(at(2, DRIFTED), SCOPE)

    assert len(warnings) == 1
    assert len([path for path in file.parent.iterdir() if ".corrupt-" in path.name]) == 1


def test_the_database_of_another_program_is_not_changed(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    content = file.read_bytes()

    with pytest.raises(HistoryError, match="is a database of another program"):
        History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE episodes SET change = 'renamed'", "change is 'renamed'"),
        ("UPDATE episodes SET actors = '[[1, 2, 3, 4]]'", r"actors is '\[\[1, 2, 3, 4\]\]'"),
        ("UPDATE episodes SET api_version = x'ff'", r"api_version is b'\\xff'"),
        ("UPDATE scans SET at = x'00'", r"b'\\x00'"),
        ("UPDATE episodes SET first_seen = 'now'", "first_seen is 'now'"),
        ("UPDATE episodes SET last_seen = '2026-01-01'", "last_seen is '2026-01-01'"),
        ("ALTER TABLE episodes DROP COLUMN path", "column path is missing|no such column"),
    ],
)
def test_unexpected_content_is_one_clear_error_and_not_changed(file: Path, statement: str, problem: str) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()

    with pytest.raises(HistoryError, match=problem):
        read_history(file)
    assert moved_files(file.parent) == []


@pytest.mark.parametrize("value", ["'many'", "1.5", "x'01'"])
def test_an_unreadable_past_scan_is_a_history_error(file: Path, value: str) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE scans SET open = {value}")  # noqa: S608
    connection.close()

    with pytest.raises(HistoryError, match=r"open is .*; update drift, or move the file away"):
        History(file, pytest.fail).record(at(2, DRIFTED), SCOPE)


def test_a_file_with_a_newer_schema_is_refused_and_not_changed(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA user_version = {database.SCHEMA_VERSION + 1}")
    connection.close()
    content = file.read_bytes()

    for use in (lambda: History(file, pytest.fail).record(at(2), SCOPE), lambda: read_history(file).episodes):
        with pytest.raises(HistoryError, match=rf"has schema version {database.SCHEMA_VERSION + 1}, .* update drift"):
            use()

    assert file.read_bytes() == content


def test_a_failed_migration_leaves_the_file_unchanged(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    monkeypatch.setattr(
        database, "MIGRATIONS", (*database.MIGRATIONS, ("CREATE TABLE half (x)", "CREATE TABLE half (x)"))
    )
    monkeypatch.setattr(database, "SCHEMA_VERSION", database.SCHEMA_VERSION + 1)

    with pytest.raises(HistoryError, match="table half already exists"):
        History(file, pytest.fail).record(at(2, DRIFTED), SCOPE)

    monkeypatch.undo()
    assert [it.last_seen[8:10] for it in read_history(file).episodes] == ["01"]
    with sqlite3.connect(file) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)
    connection.close()


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nowhere/history.db", "cannot be used: unable to open database file"),
        ("folder", "is not a file"),
    ],
)
def test_an_error_names_a_file_that_cannot_be_created(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(HistoryError, match=problem) as error:
        History(tmp_path / name, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert str(error.value).startswith(f"{tmp_path / name}: ")


UNPRIVILEGED = """
import os, sys
from pathlib import Path
from drift.errors import HistoryError
from drift.history.store import History, read_history
from tests.drift.history.scans import SCOPE, at
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
file = Path(sys.argv[1])
print(len(read_history(file).episodes))
try:
    History(file, print).record(at(2), SCOPE)
except HistoryError as error:
    print(error)
"""


def test_a_lock_timeout_is_an_error(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    monkeypatch.setattr(database, "_LOCK_TIMEOUT", 0.05)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(HistoryError, match="cannot be used: database is locked"):
            History(file, pytest.fail).record(at(2, DRIFTED), SCOPE)

        other.execute("ROLLBACK")
    other.close()
    assert [it.last_seen[8:10] for it in read_history(file).episodes] == ["01"]


@pytest.fixture
def public() -> Iterator[Path]:
    """Creates a folder that other users may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_read_only_file_in_a_read_only_folder_can_be_read(file: Path, public: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    kept = public / "history.db"
    kept.write_bytes(file.read_bytes())
    kept.chmod(0o444)
    public.chmod(0o555)

    out, err = run(UNPRIVILEGED, str(kept)).communicate()

    assert (out, err) == (f"1\n{kept}: cannot be used: attempt to write a readonly database\n", "")


def test_an_inaccessible_folder_is_an_error(public: Path) -> None:
    kept = public / "history.db"
    History(kept, pytest.fail).record(at(1, DRIFTED), SCOPE)
    public.chmod(0)

    out, err = run(UNPRIVILEGED.replace("print(len(read_history(file).episodes))", ""), str(kept)).communicate()

    assert (out, err) == (f"{kept}: cannot be used: Permission denied\n", "")


FULL = """
import resource, sys
sys.dont_write_bytecode = True  # a truncated module would break other tests
from pathlib import Path
from drift.errors import HistoryError
from drift.history.store import History
from drift.model import Status
from tests.drift.history.scans import SCOPE, at
from tests.drift.report.reports import finding, item
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
found = [item("ConfigMap", f"n{number}", Status.DRIFTED, finding(100 + number, path="data.y")) for number in range(900)]
try:
    History(Path(sys.argv[1]), print).record(at(2, *found), SCOPE)
except HistoryError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_and_leaves_the_previous_contents(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    out, err = run(FULL, str(file)).communicate()

    assert err == ""
    assert out.startswith(f"{file}: cannot be used: ")
    assert [it.path for it in read_history(file).episodes] == ["data.x"]


def test_a_missing_file_cannot_be_read(file: Path) -> None:
    with pytest.raises(HistoryError, match="no such file"):
        read_history(file)

    assert not file.exists()


def test_reading_changes_no_file(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}

    read_history(file)

    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == before


def test_an_empty_file_becomes_a_history(file: Path) -> None:
    file.touch()

    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert len(read_history(file).episodes) == 1


def test_a_file_of_the_first_schema_is_migrated_without_loss(file: Path) -> None:
    old = sqlite3.connect(file)
    old.executescript(Path(__file__).with_name("schema-1.sql").read_text())
    old.close()
    content = file.read_bytes()

    read = read_history(file)
    assert file.read_bytes() == content
    fourth = History(file, pytest.fail).record(at(4, DRIFTED), SCOPE, for_notifications=True)

    assert [(it.path, it.first_seen[8:10], it.state) for it in read.episodes] == [
        ("data.x", "01", "resolved"),
        ("spec.replicas", "02", "open"),
        ("data.x", "03", "open"),
    ]
    assert [past.open for past in fourth.past] == [1, 1, 2, 1]
    assert [gone.path for gone in fourth.resolved] == ["spec.replicas"]
    assert [item.episode.path for item in History(file, pytest.fail).pending_notifications(SCOPE)] == ["spec.replicas"]
    assert [it.path for it in read_history(file).episodes] == ["data.x", "spec.replicas", "data.x"]


def test_invalid_utf_8_counts_as_damage(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    file.write_bytes(file.read_bytes().replace(b"data.x", b"dat\xff.x"))

    with pytest.raises(HistoryError, match="is damaged"):
        read_history(file)
