"""The file survives two runs at once and a crash, is set aside where it is broken, and is left alone if not ours."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drift.errors import HistoryError
from drift.history import database, migrations
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


def lay_aside(folder: Path) -> list[Path]:
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
    History(file, lambda said: print(said, flush=True)).record(at(day, found), Scope("server", name))
"""


def at_once(file: Path, names: list[str]) -> list[str]:
    runs = [run(ONE_RUN, str(file), name) for name in names]
    for one in runs:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    said = []
    for one in runs:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in runs:
        out, err = one.communicate()
        assert (one.returncode, err) == (0, "")
        said += out.splitlines()
    return said


def test_several_runs_at_once_lose_nothing(file: Path) -> None:
    names = ["a", "b", "c"]

    assert at_once(file, names) == []

    assert {(it.key.name, it.path) for it in read_history(file).episodes} == {
        (name, f"data.{day}") for name in names for day in range(1, 11)
    }


def test_several_runs_at_once_set_a_broken_file_aside_once(file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)
    names = ["a", "b", "c"]

    said = at_once(file, names)

    assert len(said) == 1
    assert [path.read_bytes() for path in lay_aside(file.parent)] == [b"no database at all" * 1000]
    assert len(read_history(file).episodes) == 30


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


def test_a_run_that_is_killed_half_way_leaves_what_was_there_and_nothing_half(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    killed = run(CRASH, str(file))
    assert killed.communicate() == ("", "")
    assert killed.returncode == -9

    assert [it.path for it in read_history(file).episodes] == ["data.x"]
    third = History(file, pytest.fail).record(at(3, DRIFTED), SCOPE)
    assert [past.at[8:10] for past in third.past] == ["01", "03"]


def damage_a_page(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096 : 4096 * 3] = os.urandom(4096 * 2)
    file.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"garbage"),
        lambda file: file.write_bytes(file.read_bytes()[:5000]),
        lambda file: file.write_bytes(bytes(8192)),
        damage_a_page,
    ],
    ids=["garbage", "cut off", "zeroes", "a damaged page"],
)
def test_a_broken_file_is_set_aside_and_a_new_history_begins(damage: Callable[[Path], object], file: Path) -> None:
    said: list[str] = []
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    damage(file)
    content = file.read_bytes()

    History(file, said.append).record(at(2, DRIFTED), SCOPE)

    (moved,) = lay_aside(file.parent)
    assert moved.read_bytes() == content
    assert len(said) == 1
    assert str(moved) in said[0]
    assert [it.first_seen[8:10] for it in read_history(file).episodes] == ["02"]


def test_a_second_broken_file_does_not_replace_the_first(file: Path) -> None:
    for content in (b"first", b"second"):
        file.write_bytes(content)
        History(file, lambda _: None).record(at(1, DRIFTED), SCOPE)

    assert sorted(path.read_bytes() for path in lay_aside(file.parent)) == [b"first", b"second"]


def test_what_sqlite_keeps_beside_a_broken_file_goes_with_it(file: Path) -> None:
    file.write_bytes(b"garbage")
    Path(f"{file}-wal").write_bytes(b"its log")

    History(file, lambda _: None).record(at(1, DRIFTED), SCOPE)

    assert sorted(path.read_bytes() for path in lay_aside(file.parent)) == [b"garbage", b"its log"]


def test_the_database_of_another_program_is_left_alone(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    content = file.read_bytes()

    with pytest.raises(HistoryError, match="is a database of another program"):
        History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE episodes SET change = 'renamed'", "change is 'renamed'"),
        ("UPDATE episodes SET actors = '[[1, 2, 3, 4]]'", r"actors is '\[\[1, 2, 3, 4\]\]'"),
        ("UPDATE episodes SET api_version = x'ff'", r"api_version is b'\\xff'"),
        ("UPDATE scans SET at = x'00'", r"b'\\x00'"),
        ("UPDATE episodes SET first_seen = 'now'", "first_seen is 'now'"),
        ("UPDATE episodes SET last_seen = '2026-01-01'", "last_seen is '2026-01-01'"),
        ("ALTER TABLE episodes DROP COLUMN path", "it has no column path|no such column"),
    ],
)
def test_what_no_version_writes_is_one_clear_line_and_left_alone(file: Path, statement: str, said: str) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()

    with pytest.raises(HistoryError, match=said):
        read_history(file)
    assert lay_aside(file.parent) == []


@pytest.mark.parametrize("value", ["'many'", "1.5", "x'01'"])
def test_a_past_scan_that_cannot_be_read_costs_no_more_than_the_history(file: Path, value: str) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE scans SET open = {value}")  # noqa: S608
    connection.close()

    with pytest.raises(HistoryError, match=r"open is .*; update drift, or move the file away"):
        History(file, pytest.fail).record(at(2, DRIFTED), SCOPE)


def test_a_file_of_a_newer_version_is_refused_and_left_alone(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    with sqlite3.connect(file) as connection:
        connection.execute(f"PRAGMA user_version = {migrations.SCHEMA_VERSION + 1}")
    connection.close()
    content = file.read_bytes()

    for use in (lambda: History(file, pytest.fail).record(at(2), SCOPE), lambda: read_history(file).episodes):
        with pytest.raises(HistoryError, match=rf"has layout {migrations.SCHEMA_VERSION + 1} .* update drift"):
            use()

    assert file.read_bytes() == content


def test_a_migration_that_fails_leaves_the_file_as_it_was(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    monkeypatch.setattr(
        migrations, "MIGRATIONS", (*migrations.MIGRATIONS, ("CREATE TABLE half (x)", "CREATE TABLE half (x)"))
    )
    monkeypatch.setattr(migrations, "SCHEMA_VERSION", migrations.SCHEMA_VERSION + 1)

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
        ("folder", "is no file"),
    ],
)
def test_a_file_that_cannot_be_made_is_said_with_its_name(name: str, problem: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(HistoryError, match=problem) as error:
        History(tmp_path / name, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert str(error.value).startswith(f"{tmp_path / name}: ")


AS_NOBODY = """
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


def test_a_run_that_waits_for_another_in_vain_says_so(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    monkeypatch.setattr(database, "_PATIENCE_SECONDS", 0.05)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")

        with pytest.raises(HistoryError, match="cannot be used: database is locked"):
            History(file, pytest.fail).record(at(2, DRIFTED), SCOPE)

        other.execute("ROLLBACK")
    other.close()
    assert [it.last_seen[8:10] for it in read_history(file).episodes] == ["01"]


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that others may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_folder_and_a_file_that_may_only_be_read_can_be_read(file: Path, public: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    kept = public / "history.db"
    kept.write_bytes(file.read_bytes())
    kept.chmod(0o444)
    public.chmod(0o555)

    out, err = run(AS_NOBODY, str(kept)).communicate()

    assert (out, err) == (f"1\n{kept}: cannot be used: attempt to write a readonly database\n", "")


def test_a_folder_that_may_not_be_entered_is_said(public: Path) -> None:
    kept = public / "history.db"
    History(kept, pytest.fail).record(at(1, DRIFTED), SCOPE)
    public.chmod(0)

    out, err = run(AS_NOBODY.replace("print(len(read_history(file).episodes))", ""), str(kept)).communicate()

    assert (out, err) == (f"{kept}: cannot be used: Permission denied\n", "")


FULL = """
import resource, sys
sys.dont_write_bytecode = True  # a half-written module would stay for all others
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


def test_a_full_disk_is_said_and_leaves_what_was_there(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    out, err = run(FULL, str(file)).communicate()

    assert err == ""
    assert out.startswith(f"{file}: cannot be used: ")
    assert [it.path for it in read_history(file).episodes] == ["data.x"]


def test_a_history_that_does_not_exist_cannot_be_read(file: Path) -> None:
    with pytest.raises(HistoryError, match="there is no such file"):
        read_history(file)

    assert not file.exists()


def test_reading_leaves_no_trace(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}

    read_history(file)

    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == before


def test_a_file_with_no_content_is_a_history_that_begins(file: Path) -> None:
    file.touch()

    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)

    assert len(read_history(file).episodes) == 1


def test_a_file_of_the_first_layout_is_brought_to_this_one_and_keeps_all(file: Path) -> None:
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


def test_a_text_that_is_none_is_damage(file: Path) -> None:
    History(file, pytest.fail).record(at(1, DRIFTED), SCOPE)
    file.write_bytes(file.read_bytes().replace(b"data.x", b"dat\xff.x"))

    with pytest.raises(HistoryError, match="is damaged"):
        read_history(file)
