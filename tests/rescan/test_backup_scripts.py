"""The scripts of the backup and the commands of the restore, run by a shell with the real sqlite3 and PostgreSQL.

Only `aws` is a stand-in: it copies between files, as the real one does between a bucket and files.
"""

import gzip
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rescan.constructs.backup import POSTGRESQL_DUMP, SQLITE_DUMP, UPLOAD

PAGE = Path(__file__).parents[2] / "docs/backups.md"
AWS = """\
import os, pathlib, shutil, sys
if os.environ.get("STATUS"):
    sys.exit(int(os.environ["STATUS"]))
names = [name.replace("s3:/", os.environ["STORE"]) for name in sys.argv[1:] if not name.startswith("--")]
assert names[:2] == ["s3", "cp"], names
source, target = map(pathlib.Path, names[2:])
target.parent.mkdir(parents=True, exist_ok=True)
shutil.copyfile(source, target)
"""
WRITER = """\
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("PRAGMA journal_mode=" + sys.argv[2])
connection.execute("CREATE TABLE IF NOT EXISTS scans (name TEXT)")
for number in range(100000):
    connection.execute("INSERT INTO scans VALUES (?)", (str(number) * 1000,))
    print(number, flush=True)
    time.sleep(0.05)
"""


class Shell:
    """A shell in a folder with a stand-in for `aws`."""

    def __init__(self, folder: Path) -> None:
        self.scratch, self.store, self._programs = folder / "scratch", folder / "store", folder / "bin"
        self.scratch.mkdir()
        self._programs.mkdir()
        aws = self._programs / "aws"
        aws.write_text(f"#!{sys.executable}\n{AWS}")
        aws.chmod(aws.stat().st_mode | stat.S_IXUSR)

    def run(self, script: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": f"{self._programs}{os.pathsep}{os.environ['PATH']}",
            "SCRATCH": str(self.scratch),
            "STORE": str(self.store),
        }
        return subprocess.run(
            ["/bin/sh", "-c", script],
            check=False,
            env=environment | variables,
            cwd=self.scratch,
            capture_output=True,
            text=True,
            timeout=120,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed (Debian: apt-get install sqlite3)")
    return Shell(tmp_path)


@pytest.fixture(params=["wal", "delete"])
def busy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A database to which another process writes all the time, in each journal mode."""
    path = tmp_path / "rescan.db"
    command = [sys.executable, "-c", WRITER, str(path), request.param]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        for _ in range(5):
            assert writer.stdout.readline()
        yield path
        writer.terminate()


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    (number,) = connection.execute("SELECT count(*) FROM scans").fetchone()
    connection.close()
    return int(number)


def commands(heading: str) -> str:
    """The commands of a section of the page on backups."""
    section = PAGE.read_text().split(f"\n### {heading}\n")[1].split("\n#")[0]
    return "\n".join(re.findall(r"^ {4}(.*)$", section, re.MULTILINE))


def test_sqlite_is_copied_whole_beside_a_busy_writer(shell: Shell, busy: Path, tmp_path: Path) -> None:
    began = time.monotonic()

    done = shell.run(SQLITE_DUMP, DATABASE_FILE=str(busy))

    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60
    (copy,) = shell.scratch.iterdir()
    restored = tmp_path / "restored.db"
    restored.write_bytes(gzip.decompress(copy.read_bytes()))
    assert rows(restored) >= 5


def test_a_database_that_is_not_there_is_a_failure_and_not_an_empty_copy(shell: Shell, tmp_path: Path) -> None:
    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(tmp_path / "nothing.db")).returncode != 0
    assert not (tmp_path / "nothing.db").exists()
    assert list(shell.scratch.glob("*.gz")) == []


def test_a_damaged_database_fails_the_job(shell: Shell, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.db"
    connection = sqlite3.connect(damaged)
    connection.execute("CREATE TABLE scans (name TEXT)")
    connection.executemany("INSERT INTO scans VALUES (?)", [("x" * 1000,)] * 100)
    connection.commit()
    connection.close()
    content = bytearray(damaged.read_bytes())
    content[4096:20_000] = b"\xff" * (20_000 - 4096)
    damaged.write_bytes(content)

    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(damaged)).returncode != 0
    assert list(shell.scratch.glob("*.gz")) == []


def test_a_copy_is_uploaded_below_the_time_it_was_made_and_restored_by_the_commands_of_the_page(
    shell: Shell, busy: Path, tmp_path: Path
) -> None:
    assert shell.run(SQLITE_DUMP, DATABASE_FILE=str(busy)).returncode == 0
    assert shell.run(UPLOAD, BUCKET="your-backups", PREFIX="rescan/prod").returncode == 0
    (copy,) = shell.store.rglob("database.db.gz")
    assert re.fullmatch(r"\d{8}T\d{6}Z", copy.parent.name)
    data = tmp_path / "app"
    data.mkdir()
    (data / "rescan.db-wal").write_bytes(b"of the old database")
    shell = Shell(tmp_path_of(tmp_path, "elsewhere"))

    done = shell.run(
        commands("SQLite").replace("/app/data", str(data)),
        BACKUP=f"s3://{copy.relative_to(copy.parents[4])}",
        STORE=str(copy.parents[4]),
    )

    assert done.returncode == 0, done.stderr
    assert rows(data / "rescan.db") >= 5
    assert not (data / "rescan.db-wal").exists()


def tmp_path_of(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def test_an_upload_that_fails_fails_the_job(shell: Shell) -> None:
    (shell.scratch / "database.db.gz").write_bytes(b"copy")

    assert shell.run(UPLOAD, BUCKET="your-backups", PREFIX="rescan/prod", STATUS="1").returncode == 1


# --- PostgreSQL ---


def postgresql_programs() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server on a socket in a temporary folder."""
    programs = postgresql_programs()
    if programs is None:
        pytest.skip("the PostgreSQL server is not installed (Debian: apt-get install postgresql)")
    # Not below pytest's folder, which no other user may enter.
    folder = Path(tempfile.mkdtemp(prefix="rescan-postgresql-"))
    as_other: list[str] = []
    if os.geteuid() == 0:
        # The server refuses to run as root.
        as_other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(folder, 65534, 65534)
    data, log = folder / "data", folder / "log"
    initialize = [*as_other, str(programs / "initdb"), "--username=rescan", "--auth=trust", str(data)]
    subprocess.run(initialize, check=True, capture_output=True, cwd="/")
    options = f"-c listen_addresses= -c unix_socket_directories={folder} -c fsync=off"
    control = [*as_other, str(programs / "pg_ctl"), f"--pgdata={data}"]
    subprocess.run(
        [*control, f"--log={log}", f"--options={options}", "--wait", "start"],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd="/",
    )
    yield f"postgresql://rescan@/postgres?host={folder}"
    subprocess.run([*control, "--mode=immediate", "stop"], check=True, stdout=subprocess.DEVNULL, cwd="/")
    shutil.rmtree(folder)


def psql(url: str, statement: str) -> str:
    command = ["psql", url, "--tuples-only", "--no-align", f"--command={statement}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_postgresql_is_dumped_and_restored_by_the_commands_of_the_page(shell: Shell, postgresql: str) -> None:
    psql(postgresql, "CREATE TABLE scans AS SELECT generate_series(1, 1000) AS id")
    assert shell.run(POSTGRESQL_DUMP, DUMP_URL=postgresql).returncode == 0
    assert shell.run(UPLOAD, BUCKET="your-backups", PREFIX="rescan/full").returncode == 0
    (copy,) = shell.store.rglob("database.dump")
    psql(postgresql, "DELETE FROM scans WHERE id > 10")
    backup = f"s3://{copy.relative_to(shell.store)}"

    done = shell.run(commands("PostgreSQL"), BACKUP=backup, DATABASE_URL=postgresql)

    assert done.returncode == 0, done.stderr
    assert psql(postgresql, "SELECT count(*) FROM scans") == "1000"


@pytest.mark.slow
def test_a_database_that_cannot_be_dumped_fails_the_job(shell: Shell, postgresql: str) -> None:
    assert shell.run(POSTGRESQL_DUMP, DUMP_URL=postgresql.replace("/postgres?", "/nothing?")).returncode != 0
